"""The alarms that a receiver knows and those that wait, on the disk: a restart sends none twice.

An alarm waits until the receiver has taken a letter with it. Then it is told while it stands. When
it comes again, the next letter leaves `again_us` after the last one at the earliest. A letter needs
no disk: without one, everything goes on in memory, and `trouble` says what a restart would repeat.
"""

import json
from typing import Any

from controller.doors.alarms import letter
from controller.store import durable
from controller.system import json_text, regular_file

ROWS_MAX = 200  # of a letter and of the file; a cabinet has fewer instances that can stand at once
BYTES_MAX = 1 << 20
Row = dict[str, Any]


class Outbox:
    """waiting: {instance: row} in order of their begin. trouble: what the disk did not keep or give
    back, one line, or "".
    """

    def __init__(self, path: str, again_us: int) -> None:
        self._path, self._again_us = path, again_us
        self._sent_us: dict[str, int] = {}
        self.told: set[str] = set()
        self.waiting: dict[str, Row] = {}
        self.trouble, self._is_kept = "", True
        self._odd: set[str] = set()  # names of waiting rows that are not understood
        self._read()

    def seen(self, standing: dict[str, Row], now_us: int) -> None:
        """Take in the alarms that stand now. Stores a change, and one that was not kept before."""
        for name in self._odd & self.waiting.keys() & standing.keys():
            self.waiting[name] = standing[name]
        gone = self.told - standing.keys()
        new = {
            name: row
            for name, row in standing.items()
            if name not in self.told
            and name not in self.waiting
            # long enough after the last letter about it, if there was one
            and now_us >= self._sent_us.get(name, -self._again_us) + self._again_us
        }
        if gone or new or not self._is_kept:
            self.told -= gone
            self.waiting |= dict(list(new.items())[: max(0, ROWS_MAX - len(self.waiting))])
            self._write()

    def taken(self, names: list[str], now_us: int) -> None:
        """These rows have been taken by the relay."""
        for name in names:
            del self.waiting[name]
            self.told.add(name)
            self._sent_us[name] = now_us
        self._write()

    def _write(self) -> None:
        content = json.dumps({"told": sorted(self.told), "waiting": self.waiting})
        line = durable.kept(self._path, ".new", [content.encode()], 0o600)
        self._is_kept = line is None
        self.trouble = f"{line}: after a restart some letters may come twice" if line else ""

    def _read(self) -> None:
        """A row that this release does not understand is told as such: it may be a fire. A damaged
        file counts as no file: then a standing alarm is sent once more.
        """
        try:
            found = json_text.loads(regular_file.read(self._path, BYTES_MAX))
            told, waiting = set(found["told"]), dict(found["waiting"])
            if not all(isinstance(each, str) for each in (*told, *waiting)):
                raise ValueError("names are texts")
        except FileNotFoundError:
            return
        except (ValueError, TypeError, KeyError, OSError):
            self.trouble = f"{self._path} is damaged: an alarm that is active may be sent twice"
            return
        self._odd = {name for name, row in waiting.items() if not letter.is_row(row)}
        self.told = told
        self.waiting = waiting | {name: letter.odd(name, waiting[name]) for name in self._odd}
        if self._odd:
            names = ", ".join(sorted(self._odd))[:200]
            self.trouble = f"{self._path}: not understood, and told as such: {names}"
