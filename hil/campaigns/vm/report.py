"""One line per check as it happens, with its time, and all of them as JSON."""

import json
import time


class CheckError(RuntimeError):
    """A check found something else than it must; one line."""


class Report:
    """Runs checks and keeps what they found: `rows` of {name, ok, seconds, detail}."""

    def __init__(self, say=print):
        self.rows = []
        self._say = say
        self._began_s = time.monotonic()

    @property
    def ok(self):
        """True when every check has passed."""
        return all(row["ok"] for row in self.rows)

    def check(self, name, action, failures):
        """Call action() -> detail. failures: exceptions that mean "not passed". Returns True when
        it has passed.
        """
        began_s = time.monotonic()
        try:
            ok, detail = True, action()
        except (CheckError, *failures) as error:
            ok, detail = (
                False,
                str(error)
                if isinstance(error, RuntimeError)
                else (f"{type(error).__name__}: {error}"),
            )
        seconds = time.monotonic() - began_s
        self.rows.append({"name": name, "ok": ok, "seconds": round(seconds, 1), "detail": detail})
        self._say(f"{'ok    ' if ok else 'FAILED'} {seconds:7.1f} s  {name}: {detail}")
        return ok

    def write(self, path, about):
        """All checks as one JSON document."""
        with open(path, "w", encoding="ascii") as file:
            json.dump(
                {
                    **about,
                    "ok": self.ok,
                    "seconds": round(time.monotonic() - self._began_s, 1),
                    "checks": self.rows,
                },
                file,
                indent=1,
            )
            file.write("\n")
