"""Keeps on the disk which alarms a receiver has got, and which alarms wait.

So a restart sends no alarm twice. An alarm waits until the receiver has accepted a letter with it.
Then it counts as reported while it is active. If it comes again, its next letter leaves at least
`again_us` after the last one. If the disk fails, letters are sent from memory, and a restart may
repeat some.
"""

import json

from controller.doors.alarms import letter
from controller.doors.alarms.letter import Row
from controller.store import durable
from controller.system import json_text, regular_file

ROWS_MAX = 200  # most alarms in a letter and in the file; a cabinet has fewer stage instances
BYTES_MAX = 1 << 20


class Outbox:
    """The waiting and the reported alarms.

    waiting: {instance: row} in the order in which they began. reported: names of active alarms that
    the receiver has got. trouble: one line about alarms that the disk did not keep, or "".
    """

    def __init__(self, path: str, again_us: int):
        self._path, self._again_us = path, again_us
        self._sent_us: dict[str, int] = {}
        self.reported: set[str] = set()
        self.waiting: dict[str, Row] = {}
        self.trouble, self._is_kept = "", True
        self._unreadable: set[str] = set()  # names of waiting alarms that this release cannot read
        self._read()

    def update(self, active: dict[str, Row], now_us: int) -> None:
        """Take the active alarms. Store a change, also one whose earlier store has failed."""
        for name in self._unreadable & self.waiting.keys() & active.keys():
            self.waiting[name] = active[name]
        gone = self.reported - active.keys()
        new = {
            name: row
            for name, row in active.items()
            if name not in self.reported
            and name not in self.waiting
            # long enough after the last letter about this alarm, if there was one
            and now_us >= self._sent_us.get(name, -self._again_us) + self._again_us
        }
        if gone or new or not self._is_kept:
            self.reported -= gone
            self.waiting |= dict(list(new.items())[: max(0, ROWS_MAX - len(self.waiting))])
            self._write()

    def accepted(self, names: list[str], now_us: int) -> None:
        """Note that the receiver has accepted the alarms with these names."""
        for name in names:
            del self.waiting[name]
            self.reported.add(name)
            self._sent_us[name] = now_us
        self._write()

    def _write(self) -> None:
        content = json.dumps({"told": sorted(self.reported), "waiting": self.waiting})
        line = durable.kept(self._path, ".new", [content.encode()], 0o600)
        self._is_kept = line is None
        self.trouble = f"{line}: after a restart some letters may come twice" if line else ""

    def _read(self) -> None:
        """Read the file.

        An alarm that this release does not understand is still sent, with a note, because it may be
        a fire. A damaged file counts as no file, so an active alarm is sent again.
        """
        try:
            content = json_text.loads(regular_file.read(self._path, BYTES_MAX))
            reported, waiting = set(content["told"]), dict(content["waiting"])
            if not all(isinstance(name, str) for name in (*reported, *waiting)):
                raise ValueError("names are texts")
        except FileNotFoundError:
            return
        except (ValueError, TypeError, KeyError, OSError):
            self.trouble = f"{self._path} is damaged: an alarm that is active may be sent twice"
            return
        self._unreadable = {name for name, row in waiting.items() if not letter.is_row(row)}
        self.reported = reported
        self.waiting = waiting | {
            name: letter.not_understood(name, waiting[name]) for name in self._unreadable
        }
        if self._unreadable:
            names = ", ".join(sorted(self._unreadable))[:200]
            self.trouble = f"{self._path}: not understood, and reported as such: {names}"
