"""What a microcontroller starts by itself: channel B on the board whose file was put beside this
one as board.py.
"""

from safety.mcu import board, loop

loop.run(board.Board())
