"""The last catcher of a process that serves many. An exception ends one client, or one message,
with one line in the log (exception and place), and the process goes on.
"""

import contextlib
import os
from collections.abc import Callable
from types import TracebackType
from typing import Self

from controller.system.paths import say

PACKAGES = ("controller", "drivers", "safety")


class Last:
    """`with` it around the work for one client. `is_caught`: the last work ended in an exception.
    lines_max: of this process, each line once; None: every exception gets its line.
    """

    def __init__(
        self, effect: str, lines_max: int | None = None, told: Callable[[str], object] = say
    ):
        """effect: what follows for the client, as the line says it. told(line): writes the line."""
        self._effect, self._lines_max, self._told = effect, lines_max, told
        self._said: set[str] = set()
        self.is_caught = False

    def __enter__(self) -> Self:
        self.is_caught = False
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        """True for an exception; a signal or the end of the process passes."""
        self.is_caught = isinstance(error, Exception)
        if self.is_caught:
            self._report(f"{self._effect}: {type(error).__name__}{_place(trace)}")
        return self.is_caught

    def _report(self, line: str) -> None:
        if self._lines_max is not None:
            if line in self._said or len(self._said) >= self._lines_max:
                return
            self._said.add(line)
        with contextlib.suppress(OSError, ValueError):  # a log that is gone ends no process
            self._told(line)


def _place(trace: TracebackType | None) -> str:
    """File and line of the innermost frame of this program. Reads no file, unlike a traceback."""
    place = ""
    while trace is not None:
        module = str(trace.tb_frame.f_globals.get("__name__"))
        if module.partition(".")[0] in PACKAGES:
            name = os.path.basename(trace.tb_frame.f_code.co_filename)
            place = f" at {name}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place
