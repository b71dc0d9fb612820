"""Keeps a second copy of all trips in a file, because the database may be damaged.

Each trip is a JSON line: [values in the order of chain.COLUMNS, hash, hash of the entry before].
The line is written after the trip is in the database. A line whose hash does not fit is ignored.
Otherwise one changed digit in this file would make a good database look incomplete.
"""

import contextlib
import os
from collections.abc import Sequence
from typing import Any

from controller.store import chain, durable
from controller.system import json_text, regular_file

FILE = "trips.log"
BYTES_MAX = 4 << 20  # about ten thousand trips; a larger file becomes .previous
# types of the values; None: the value is a whole number or null
FORM = (int, None, int, int, str, None, str, str, str, str)
INTEGER_END = 1 << 63  # SQLite keeps smaller numbers
Entry = tuple[Sequence[Any], bytes, bytes]  # values, hash, previous hash


class TripLog:
    """The file, which only grows. newest: number of the newest trip."""

    def __init__(self, directory: str):
        """Read the newest number. Raises OSError."""
        self.path = os.path.join(directory, FILE)
        self.newest = max([values[0] for values, _, _ in self.entries()], default=0)

    def entries(self) -> list[Entry]:
        """The entries of all complete lines, oldest first."""
        entries: list[Entry] = []
        for path in (self.path + ".previous", self.path):
            with (
                contextlib.suppress(FileNotFoundError),
                open(path, "rb", opener=regular_file.opener) as file,
            ):
                entries += [entry for entry in map(_parsed, file) if entry]
        return entries

    def append(self, entries: Sequence[Entry]) -> None:
        """Append entries that are newer than `newest`, and wait until they are durable.

        Raises OSError.
        """
        if not entries:
            return
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        is_new = not os.path.exists(self.path)
        with durable.opened(self.path, flags, 0o644) as descriptor:
            # The first line end completes a line that a power cut has torn.
            durable.write(descriptor, b"\n" + b"".join(_line(*trip) for trip in entries))
            os.fsync(descriptor)
            is_large = os.lseek(descriptor, 0, os.SEEK_END) > BYTES_MAX
        if is_large:
            os.replace(self.path, self.path + ".previous")
        if is_new or is_large:
            durable.sync_directory(os.path.dirname(self.path))
        self.newest = entries[-1][0][0]


def _line(values: Sequence[Any], head: bytes, previous: bytes) -> bytes:
    return chain.canonical([values, head.hex(), previous.hex()]) + b"\n"


def _parsed(line: bytes) -> Entry | None:
    """The entry of a line; None if the line is torn, empty, changed, or not a trip."""
    try:
        values, head, previous = json_text.loads(line)
        head, previous = bytes.fromhex(head), bytes.fromhex(previous)
        is_trip = (
            len(values) == len(FORM)
            and all(map(_fits, values, FORM))
            and values[6] == "trip"
            and len(previous) == len(chain.START)
            and chain.link(previous, values) == head
        )
    except (ValueError, TypeError):
        return None
    return (tuple(values), head, previous) if is_trip else None


def _fits(value: object, wanted: type | None) -> bool:
    """True if the database can keep the value in this column."""
    if wanted is str:
        return isinstance(value, str) and value.isprintable()
    return (
        value is None
        and wanted is None
        or type(value) is int
        and -INTEGER_END <= value < INTEGER_END
    )
