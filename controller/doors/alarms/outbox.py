"""The alarms that a receiver knows and those that wait, on the disk: a restart sends none twice.

An alarm waits until the receiver has taken a letter with it. Then it is told while it stands. When
it comes again, the next letter leaves `again_us` after the last one at the earliest.
"""

import json
import os
from typing import Any

from controller.store import durable

ROWS_MAX = 200  # of a letter and of the file; a cabinet has fewer instances that can stand at once
BYTES_MAX = 1 << 20
Row = dict[str, Any]


class Outbox:
    """waiting: {instance: row} in order of their begin. OSError: the disk does not take it."""

    def __init__(self, path: str, again_us: int) -> None:
        self._path, self._again_us = path, again_us
        self._sent_us: dict[str, int] = {}
        self.told: set[str] = set()
        self.waiting: dict[str, Row] = {}
        self._read()

    def seen(self, standing: dict[str, Row], now_us: int) -> None:
        """Take in the alarms that stand now. Stores a change."""
        gone = self.told - standing.keys()
        new = {
            name: row
            for name, row in standing.items()
            if name not in self.told
            and name not in self.waiting
            and not self._is_early(name, now_us)
        }
        if not gone and not new:
            return
        self.told -= gone
        self.waiting |= dict(list(new.items())[: ROWS_MAX - len(self.waiting)])
        self._write()

    def taken(self, names: list[str], now_us: int) -> None:
        """These rows have been taken by the relay."""
        for name in names:
            del self.waiting[name]
            self.told.add(name)
            self._sent_us[name] = now_us
        self._write()

    def _is_early(self, name: str, now_us: int) -> bool:
        return name in self._sent_us and now_us - self._sent_us[name] < self._again_us

    def _write(self) -> None:
        content = json.dumps({"told": sorted(self.told), "waiting": self.waiting})
        durable.put(self._path, ".new", [content.encode()], 0o600)

    def _read(self) -> None:
        """A damaged file counts as no file: then a standing alarm is sent once more."""
        try:
            with open(self._path, "rb") as file:
                found = json.loads(file.read(BYTES_MAX))
            told, waiting = set(found["told"]), dict(found["waiting"])
            if all(isinstance(each, str) for each in (*told, *waiting)):
                self.told, self.waiting = told, waiting
        except FileNotFoundError:
            os.makedirs(os.path.dirname(self._path), mode=0o750, exist_ok=True)
        except (ValueError, TypeError, KeyError, OSError):
            return
