"""Output of a campaign: one line per check when it ends, Markdown tables, files."""

import json
import pathlib
import sys

from hil.engine import forks


class CheckError(RuntimeError):
    """A check failed; one line."""


class Checks:
    """Runs checks one after the other. `rows`: [{name, ok, seconds, detail}]."""

    def __init__(self, say=lambda line: print(line, flush=True)):
        self.rows = []
        self._say = say
        self._began_s = forks.wall_s()

    @property
    def ok(self):
        """True when every check has passed."""
        return all(row["ok"] for row in self.rows)

    def check(self, name, action, failures):
        """Call action() -> detail. Returns True if it passed; failures: exceptions of a failure."""
        began_s = forks.wall_s()
        try:
            ok, detail = True, action()
        except (CheckError, *failures) as error:
            kind = "" if isinstance(error, RuntimeError) else f"{type(error).__name__}: "
            ok, detail = False, f"{kind}{error}"
        seconds = forks.wall_s() - began_s
        self.rows.append({"name": name, "ok": ok, "seconds": round(seconds, 1), "detail": detail})
        self._say(f"{'ok    ' if ok else 'FAILED'} {seconds:7.1f} s  {name}: {detail}")
        return ok

    def document(self):
        """All checks as one JSON document."""
        seconds = round(forks.wall_s() - self._began_s, 1)
        return {"ok": self.ok, "seconds": seconds, "checks": self.rows}


def write(path, text):
    """Write a file and print its name; nothing without a path."""
    if path:
        pathlib.Path(path).write_text(text, encoding="ascii")
        print(f"written    {path}", file=sys.stderr)


def write_json(path, document):
    """Write a document with one line per value; nothing without a path."""
    write(path, json.dumps(document, indent=1) + "\n")


def table(columns, rows):
    """Lines of a Markdown table; rows: sequences of texts."""
    return [
        f"| {' | '.join(columns)} |",
        "|" + "---|" * len(columns),
        *[f"| {' | '.join(cells)} |" for cells in rows],
    ]
