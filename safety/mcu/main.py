"""Start of channel B: a microcontroller runs this file after a reset.

board.py beside it is the file of the board (board_*.py under this name).
"""

from safety.mcu import board, loop

loop.run(board.Board())
