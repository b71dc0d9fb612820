"""Starts channel B: a microcontroller runs this file after a reset.

board.py beside it is a copy of the file of the board (board_*.py).
"""

from safety.mcu import board, loop

loop.run(board.Board())
