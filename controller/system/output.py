"""Standard output of the programs that a person starts. A failed write ends them in one line, and a
reader that leaves early, as in `firebreak-watch keys | head`, without any.
"""

import contextlib
import os
import sys
from collections.abc import Callable
from typing import Any, TextIO, cast

from controller.system.paths import NO_START, NOT_DONE, OutputError, escaped


class _Output:
    """A standard output that raises OutputError if a write fails. If the real one is closed, this
    one discards the text, because a service has nothing to print.
    """

    def __init__(self, stream: TextIO | None, goes_on: bool):
        """stream: sys.stdout, None if it is closed. goes_on: see guarded."""
        self._stream = open(os.devnull, "w", encoding="ascii") if stream is None else stream
        self._goes_on = goes_on

    def write(self, text: str) -> int:
        """Same as a file's."""
        written: int = self._tried(self._stream.write, text)
        return written

    def flush(self) -> None:
        """Same as a file's."""
        self._tried(self._stream.flush)

    def _tried(self, do: Callable[..., Any], *arguments: str) -> Any:
        try:
            return do(*arguments)
        except OSError as error:
            if not self._goes_on or not isinstance(error, BrokenPipeError):
                raise OutputError(f"the output cannot be written: {error.strerror}") from error
            self.discard()

    def discard(self) -> None:
        """Discard unwritten text, because the exit would write it and fail again."""
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def guarded(program: str, run: Callable[[], int], goes_on: bool = False) -> int:
    """The exit code of `run`, or that of a failed write of its output. goes_on: the program goes on
    when its reader has left, because it writes files too.
    """
    stdout, output = sys.stdout, _Output(sys.stdout, goes_on)
    sys.stdout = cast(TextIO, output)
    try:
        try:
            code = run()
        except SystemExit:  # argparse, after its help
            sys.stdout.flush()
            raise
        sys.stdout.flush()
        return code
    except OutputError as error:
        output.discard()
        if isinstance(error.__cause__, BrokenPipeError):
            return NOT_DONE
        print(escaped(f"{program}: {error}"), file=sys.stderr, flush=True)
        return NO_START
    finally:
        sys.stdout = stdout
