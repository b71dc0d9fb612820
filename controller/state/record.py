"""The recorder's record, read only; a cabinet without a recorder has pages too."""

import contextlib
import os
import sqlite3
from datetime import UTC, datetime
from urllib.parse import quote

from controller.system import regular_file
from controller.system.utc import UTC_US_MAX

FILE = "record.db"
WAIT_S = 1.0
TEXTS = ("utc_source", "kind", "code", "scope", "text", "state")
SILENT_MS = 30_000  # while a controller ticks the recorder stores its seconds every 10 s
EVENT_FIELDS = (
    "id",
    "uptime_ms",
    "utc_us",
    "utc_source",
    "utc_uncertainty_us",
    "kind",
    "code",
    "scope",
    "text",
)
SECOND_FIELDS = (
    "uptime_ms",
    "utc_us",
    "grid_W",
    "load_W",
    "battery_W",
    "setpoint_W",
    "low_W",
    "high_W",
    "soc_permille",
    "cell_mV_min",
    "cell_mV_max",
    "temperature_ddegC_max",
    "state",
    "reason",
)


class Record:
    """A record that can be read: `events`, `seconds`, `summary`. Each call looks anew;
    sqlite3.Error where it fails.
    """

    def __init__(self, state_directory: str):
        self._path = os.path.join(state_directory, FILE)

    def _rows(self, fields, rest, *values):
        if regular_file.is_none(self._path):
            raise sqlite3.OperationalError(regular_file.REFUSED)
        place = f"file:{quote(os.path.abspath(self._path))}?mode=ro"
        with contextlib.closing(sqlite3.connect(place, uri=True, timeout=WAIT_S)) as found:
            rows = found.execute(f"SELECT {', '.join(fields)} FROM {rest}", values).fetchall()
        return [dict(zip(fields, row)) for row in rows]

    def _dated(self, fields, rest, *values):
        """As _rows: a value of a wrong type is None, a row without a timestamp is dropped."""
        found = [
            {
                name: value if isinstance(value, str if name in TEXTS else int) else None
                for name, value in row.items()
            }
            for row in self._rows(fields, rest, *values)
        ]
        return [
            row
            for row in found
            if row["uptime_ms"] is not None
            and row["utc_us"] is not None
            and 0 <= row["utc_us"] < UTC_US_MAX
        ]

    def events(self, count: int) -> list:
        """The newest `count` events, oldest first."""
        return self._dated(EVENT_FIELDS, "events ORDER BY id DESC LIMIT ?", count)[::-1]

    def seconds(self, span_s: int) -> list:
        """The one-second history of the newest span_s seconds, oldest first."""
        return self._dated(SECOND_FIELDS, "seconds ORDER BY rowid DESC LIMIT ?", span_s)[::-1]

    def summary(self):
        """{events, first_utc_us, newest: the newest event or None}."""
        (count,) = self._rows(("count(*)", "min(utc_us)"), "events")
        newest = self.events(1)
        return {
            "events": count["count(*)"],
            "first_utc_us": count["min(utc_us)"],
            "newest": newest[0] if newest else None,
        }

    def silent_since(self, boot_ms: int, uptime_ms: int) -> str | None:
        """UTC as text of the last row written, None while a recorder writes.

        boot_ms: now, since the boot of the box; uptime_ms: of the controller.
        """
        newest = max(self.seconds(1) + self.events(1), key=lambda row: row["utc_us"], default=None)
        quiet_ms = uptime_ms
        if newest is not None and newest["uptime_ms"] <= boot_ms:  # else it is of another boot
            quiet_ms = min(uptime_ms, boot_ms - newest["uptime_ms"])
        if quiet_ms <= SILENT_MS:
            return None
        return "the controller's start" if newest is None else utc_text(newest["utc_us"])

    def began(self, stage: str, scope: str):
        """The newest event in which this stage became active, None if unknown."""
        found = self._dated(
            EVENT_FIELDS,
            "events WHERE kind IN ('trip', 'limit', 'note', "
            "'latch') AND scope = ? AND "
            "text LIKE ? ORDER BY id DESC LIMIT 1",
            scope,
            f"{stage}:%",
        )
        return found[0] if found else None


def opened(state_directory: str):
    """Record, or None when there is none to be read."""
    found = Record(state_directory)
    try:
        found.summary()
    except sqlite3.Error:
        return None
    return found


def trouble(state_directory: str):
    """Why a record cannot be read, in a few words; None without one, or for an empty one."""
    try:
        with open(os.path.join(state_directory, FILE), "rb", opener=regular_file.opener) as file:
            if file.read(1):
                Record(state_directory).summary()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, sqlite3.Error) as error:
        return getattr(error, "strerror", None) or str(error)
    return None


def utc_text(utc_us: int, source: str | None = None) -> str:
    """ "2026-03-14 02:07:31Z NTP"."""
    text = datetime.fromtimestamp(utc_us / 1_000_000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    return f"{text} {source}" if source else text
