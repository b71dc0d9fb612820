"""Catches the exceptions that nothing else has caught, in a process that serves many clients.

An exception ends one client, or one message. It gives one line in the log (exception and place),
and the process continues.
"""

import contextlib
import os
from types import TracebackType
from typing import Self

from controller.system.paths import Say, say

PACKAGES = ("controller", "drivers", "safety")


class Last:
    """A context manager for the work for one client.

    is_caught: the last work ended in an exception. count: number of works that did. lines_max: most
    lines of this process, each once; None: every exception gets its line.
    """

    def __init__(self, effect: str, lines_max: int | None = None, told: Say = say):
        """effect: text about the effect for the client. told(line): writes the line."""
        self._effect, self._lines_max, self._write_line = effect, lines_max, told
        self._written: set[str] = set()
        self.is_caught, self.count, self._client = False, 0, ""

    def of(self, client: str) -> Self:
        """This manager for the work for one client, whom the line names."""
        self._client = f" ({client})"
        return self

    def __enter__(self) -> Self:
        self.is_caught = False
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        """True (do not raise again) for an exception, but not for a signal or the process end."""
        self.is_caught = isinstance(error, Exception)
        if self.is_caught:
            self.count += 1
            self._report(f"{self._effect}{self._client}: {type(error).__name__}{_place(trace)}")
        self._client = ""
        return self.is_caught

    def _report(self, line: str) -> None:
        if self._lines_max is not None:
            if line in self._written or len(self._written) >= self._lines_max:
                return
            self._written.add(line)
        with contextlib.suppress(OSError, ValueError):  # a missing log must not end the process
            self._write_line(line)


def _place(trace: TracebackType | None) -> str:
    """File and line of the innermost frame of this program. It reads no file."""
    place = ""
    while trace is not None:
        module = str(trace.tb_frame.f_globals.get("__name__"))
        if module.partition(".")[0] in PACKAGES:
            name = os.path.basename(trace.tb_frame.f_code.co_filename)
            place = f" at {name}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place
