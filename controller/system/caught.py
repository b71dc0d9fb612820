"""The words of a last catcher. A process that serves many ends one client, or drops one message, and
goes on. Its line names the exception and its place, so that the fault can be mended.
"""

import os

from controller.system.paths import say

LINES_MAX = 16  # of one run of the loop: a flood of bad messages may not fill the log


def words(error: BaseException) -> str:
    """"OverflowError at schedule_table.py:66". Reads no file, unlike a traceback."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    if place is None:
        return type(error).__name__
    name = os.path.basename(place.tb_frame.f_code.co_filename)
    return f"{type(error).__name__} at {name}:{place.tb_lineno}"


class Reporter:
    """Says each line once, and LINES_MAX lines at most."""

    def __init__(self) -> None:
        self._said: set[str] = set()

    def report(self, effect: str, error: BaseException) -> None:
        """effect: what the process has done about the exception."""
        line = f"{effect}: {words(error)}"
        if line not in self._said and len(self._said) < LINES_MAX:
            self._said.add(line)
            say(line)
