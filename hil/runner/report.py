"""Output of a command of the lab: lines, checks, tables, files, and the exit code."""

import pathlib
import sys
from argparse import Namespace
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from controller.system import cli
from controller.system.paths import (
    DONE as MET,
    INTERRUPTED as INTERRUPTED,
    NO_START as NO_START,
    NOT_DONE as NOT_MET,
    WRONG_INPUT as WRONG_INPUT,
)
from hil.engine import forks
from hil.results import files


class CheckError(RuntimeError):
    """A check failed. The message is one line."""


class Checks:
    """Runs checks one after the other. `rows`: [{name, ok, seconds, detail}]."""

    def __init__(self, say: Callable[[str], object] = lambda line: print(line, flush=True)) -> None:
        self.rows: list[dict[str, Any]] = []
        self._say = say
        self._began_s = forks.wall_s()

    @property
    def ok(self) -> bool:
        """True when every check has passed."""
        return all(row["ok"] for row in self.rows)

    def check(
        self, name: str, action: Callable[[], str], failures: tuple[type[Exception], ...]
    ) -> bool:
        """Call action() -> detail. Returns True if it passed; failures: exceptions that mean a
        failed check.
        """
        expected: tuple[type[Exception], ...] = (CheckError, *failures)
        began_s = forks.wall_s()
        try:
            ok, detail = True, action()
        except expected as error:
            kind = "" if isinstance(error, RuntimeError) else f"{type(error).__name__}: "
            ok, detail = False, f"{kind}{error}"
        seconds = forks.wall_s() - began_s
        self.rows.append({"name": name, "ok": ok, "seconds": round(seconds, 1), "detail": detail})
        self._say(f"{'ok    ' if ok else 'FAILED'} {seconds:7.1f} s  {name}: {detail}")
        return ok

    def document(self) -> dict[str, Any]:
        """All checks as one JSON document."""
        seconds = round(forks.wall_s() - self._began_s, 1)
        return {"ok": self.ok, "seconds": seconds, "checks": self.rows}


def counted(total: int, wrong: Sequence[str], label: str) -> str:
    """Text of a verdict: count of the right ones of `total`, and names of the wrong ones."""
    return f"{total - len(wrong)} of {total} {label}" + (
        f"; not: {', '.join(wrong)}" if wrong else ""
    )


def verdict(text: object) -> str:
    """The last printed line of a command."""
    return f"verdict    {text}"


def refuse(name: str, line: object, exit_code: int = WRONG_INPUT) -> int:
    """Print one line on stderr, which begins with the command's name. Returns the exit code."""
    print(f"{name}: {line}", file=sys.stderr)
    return exit_code


def finish(arguments: Namespace, document: dict[str, Any], lines: Iterable[str], ok: bool) -> int:
    """Print the closing lines and write the document if --json asks. Returns the exit code."""
    print("\n".join(lines), flush=True)
    write_json(arguments.json, document)
    return MET if ok else NOT_MET


def write(path: str | None, text: str) -> None:
    """Write a file and print its name; nothing without a path."""
    if path:
        with files.naming(path):
            pathlib.Path(path).write_text(text, encoding="ascii")
        print(f"written    {path}", file=sys.stderr)


def write_json(path: str | None, document: Any) -> None:
    """Write a document with one line per value; nothing without a path."""
    write(path, cli.as_json(document) + "\n")


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Lines of a Markdown table."""
    return [
        f"| {' | '.join(columns)} |",
        "|" + "---|" * len(columns),
        *[f"| {' | '.join(cells)} |" for cells in rows],
    ]
