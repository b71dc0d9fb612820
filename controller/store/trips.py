"""The second copy of the trips: a text file, one line per trip, durable before anything else is
done.

It outlives a damaged database. A line is JSON: [values in the order of chain.COLUMNS, hash, hash
before]. A line counts only if the hash is that of its values: one changed digit must not make a
sound database look incomplete.
"""

import contextlib
import json
import os

from controller.store import chain, durable
from controller.system import regular_file

FILE = "trips.log"
BYTES_MAX = 4 << 20  # some ten thousand trips; then the file before is dropped
# of the values; None: a whole number or nothing
FORM = (int, None, int, int, str, None, str, str, str, str)
INTEGERS = 1 << 63


class TripLog:
    """Append-only; `newest` is the number of the newest trip it holds."""

    def __init__(self, directory: str, files=os):
        """files: the os module, or a stand-in. Raises OSError."""
        self._files = files
        self.path = os.path.join(directory, FILE)
        self.newest = max([values[0] for values, _, _ in self.entries()], default=0)

    def entries(self) -> list:
        """[(values, hash, hash before)] of every whole line, oldest first."""
        found = []
        for path in (self.path + ".previous", self.path):
            with (
                contextlib.suppress(FileNotFoundError),
                open(path, "rb", opener=regular_file.opener) as file,
            ):
                found += [entry for entry in map(_parsed, file) if entry]
        return found

    def append(self, entries: list) -> None:
        """Write entries newer than `newest`, and wait until they are durable. Raises OSError."""
        if not entries:
            return
        files, flags = self._files, os.O_WRONLY | os.O_CREAT | os.O_APPEND
        is_new = not os.path.exists(self.path)
        with durable.opened(self.path, flags, 0o644, files) as descriptor:
            # the first line end closes a line that a power cut has torn
            durable.write(descriptor, b"\n" + b"".join([_line(*each) for each in entries]), files)
            files.fsync(descriptor)
            is_large = files.lseek(descriptor, 0, os.SEEK_END) > BYTES_MAX
        if is_large:
            files.replace(self.path, self.path + ".previous")
        if is_new or is_large:
            durable.sync_directory(os.path.dirname(self.path), files)
        self.newest = entries[-1][0][0]


def _line(values, head, previous):
    content = [list(values), head.hex(), previous.hex()]
    return json.dumps(content, separators=(",", ":")).encode() + b"\n"


def _parsed(line):
    """(values, hash, hash before), or None for a line that is torn, empty, changed, or no trip."""
    try:
        values, head, previous = json.loads(line)
        head, previous = bytes.fromhex(head), bytes.fromhex(previous)
        is_trip = (
            len(values) == len(FORM)
            and all(map(_fits, values, FORM))
            and values[6] == "trip"
            and len(previous) == len(chain.START)
            and chain.link(previous, values) == head
        )
    except (ValueError, TypeError, RecursionError):
        return None
    return (tuple(values), head, previous) if is_trip else None


def _fits(value, wanted):
    """True when the database can keep the value in this column."""
    if wanted is str:
        return isinstance(value, str) and value.isprintable()
    return value is None and wanted is None or type(value) is int and -INTEGERS <= value < INTEGERS
