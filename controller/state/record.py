"""Reads the record, which is the database of the recorder. Every page also works without it."""

import contextlib
import os
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from urllib.parse import quote

from controller.state.base import Facts
from controller.store import lifetime
from controller.store.chain import COLUMNS
from controller.system import json_text, regular_file
from controller.system.paths import why
from controller.system.utc import UTC_US_MAX

FILE = "record.db"
WAIT_S = 1.0
TEXTS = ("utc_source", "kind", "code", "scope", "text", "state")
SILENT_MS = 30_000  # a recorder stores every 10 s while the controller ticks; longer means silent
EVENT_FIELDS = tuple(name for name in COLUMNS if name != "sequence")
SECOND_FIELDS = tuple(
    "uptime_ms utc_us grid_W load_W battery_W setpoint_W low_W high_W soc_permille cell_mV_min "
    "cell_mV_max temperature_ddegC_max state reason".split()
)


class Record:
    """A record that can be read. Each call opens the file anew and may raise sqlite3.Error."""

    def __init__(self, state_directory: str):
        self._path = os.path.join(state_directory, FILE)

    def _rows(self, fields: Sequence[str], rest: str, *values: object) -> list[Facts]:
        if regular_file.is_none(self._path):
            raise sqlite3.OperationalError(regular_file.REFUSED)
        uri = f"file:{quote(os.path.abspath(self._path))}?mode=ro"
        with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=WAIT_S)) as connection:
            rows = connection.execute(f"SELECT {', '.join(fields)} FROM {rest}", values).fetchall()
        return [dict(zip(fields, row)) for row in rows]

    def _dated(self, fields: Sequence[str], rest: str, *values: object) -> list[Facts]:
        """The rows of `_rows` that have a timestamp. A value of a wrong type becomes None."""
        rows: list[Facts] = [
            {
                name: value if isinstance(value, str if name in TEXTS else int) else None
                for name, value in row.items()
            }
            for row in self._rows(fields, rest, *values)
        ]
        return [
            row
            for row in rows
            if None not in (row["uptime_ms"], row["utc_us"]) and 0 <= row["utc_us"] < UTC_US_MAX
        ]

    def events(self, count: int) -> list[Facts]:
        """The newest `count` events, oldest first."""
        return self._dated(EVENT_FIELDS, "events ORDER BY id DESC LIMIT ?", count)[::-1]

    def seconds(self, span_s: int) -> list[Facts]:
        """The one-second history of the newest span_s seconds, oldest first."""
        return self._dated(SECOND_FIELDS, "seconds ORDER BY rowid DESC LIMIT ?", span_s)[::-1]

    def summary(self) -> Facts:
        """{events, first_utc_us, newest: the newest event or None, lifetime: counters or None}."""
        (count,) = self._rows(("count(*)", "min(utc_us)"), "events")
        newest = self.events(1)
        return {
            "events": count["count(*)"],
            "first_utc_us": count["min(utc_us)"],
            "newest": newest[0] if newest else None,
            "lifetime": self._lifetime(),
        }

    def _lifetime(self) -> Facts | None:
        """Counters since the first start; None in a record without them."""
        with contextlib.suppress(sqlite3.Error, ValueError, TypeError):
            for row in self._rows(("value",), "meta WHERE key = 'lifetime'"):
                return lifetime.facts(json_text.loads(row["value"]))
        return None

    def silent_since(self, boot_ms: int, uptime_ms: int) -> str | None:
        """UTC of the last row as text; None: a recorder still writes. boot_ms: time since
        the boot.
        """
        rows = self.seconds(1) + self.events(1)
        # Only rows of this boot count, in the order of their uptime, because the clock may have
        # been set.
        own = [row for row in rows if row["uptime_ms"] <= boot_ms]
        newest = max(own or rows, key=lambda row: row["uptime_ms"], default=None)
        quiet_ms = min([uptime_ms, *[boot_ms - row["uptime_ms"] for row in own]])
        if quiet_ms <= SILENT_MS:
            return None
        return "the controller's start" if newest is None else utc_text(newest["utc_us"])

    def began(self, stage: str, scope: str) -> Facts | None:
        """The newest event in which this stage became active, None if unknown."""
        kinds = "kind IN ('trip', 'limit', 'note', 'latch')"
        rest = f"events WHERE {kinds} AND scope = ? AND text LIKE ? ORDER BY id DESC LIMIT 1"
        events = self._dated(EVENT_FIELDS, rest, scope, f"{stage}:%")
        return events[0] if events else None


def opened(state_directory: str) -> Record | None:
    """The record; None if it is absent or cannot be read."""
    record = Record(state_directory)
    try:
        record.summary()
    except sqlite3.Error:
        return None
    return record


def trouble(state_directory: str) -> str | None:
    """Why a record cannot be read, in a few words; None if it is absent or empty."""
    try:
        if regular_file.read(os.path.join(state_directory, FILE), 1):
            Record(state_directory).summary()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, sqlite3.Error) as error:
        return why(error)
    return None


def utc_text(utc_us: int, source: str | None = None) -> str:
    """A time as text, such as "2026-03-14 02:07:31Z NTP"."""
    text = datetime.fromtimestamp(utc_us / 1_000_000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    return f"{text} {source}" if source else text
