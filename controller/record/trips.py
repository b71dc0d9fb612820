"""The second copy of the trips: a text file, one line per trip, durable before anything else is
done.

It outlives a damaged database. A line is JSON: [values in the order of chain.COLUMNS, hash, hash
before]. It counts only if the hash is that of its values: one digit that has changed must not make
a sound database look incomplete.
"""

import json
import os

from controller.record import chain
from controller.system import regular_file

FILE = "trips.log"
BYTES_MAX = 4 << 20  # some ten thousand trips; then the file before is dropped
# of the values; None: a whole number or nothing
FORM = (int, None, int, int, str, None, str, str, str, str)
KIND_AT = chain.COLUMNS.index("kind")
INTEGERS = 1 << 63


def sync_directory(directory, files=os):
    """Make names that were given in a directory durable. Raises OSError."""
    descriptor = files.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        files.fsync(descriptor)
    finally:
        files.close(descriptor)


class TripLog:
    """Append-only; `newest` is the number of the newest trip it holds."""

    def __init__(self, directory, files=os):
        """files: the os module, or a stand-in. Raises OSError."""
        self._files = files
        self.path = os.path.join(directory, FILE)
        self.newest = max([entry[0][0] for entry in self.entries()], default=0)

    def entries(self):
        """[(values, hash, hash before)] of every whole line, oldest first."""
        found = []
        for path in (self.path + ".previous", self.path):
            try:
                with open(path, "rb", opener=regular_file.opener) as file:
                    found += [entry for entry in map(_parsed, file) if entry]
            except FileNotFoundError:
                pass  # a new cabinet
        return found

    def append(self, entries):
        """Write entries that are newer than `newest`, and wait until they are on the disk. Raises
        OSError.
        """
        entries = [entry for entry in entries if entry[0][0] > self.newest]
        if not entries:
            return
        files = self._files
        is_new = not os.path.exists(self.path)
        descriptor = regular_file.opened(
            self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644, files
        )
        try:
            content = b"".join(_line(*entry) for entry in entries)
            # after a line torn by a power cut
            if files.write(descriptor, b"\n" + content) != len(content) + 1:
                raise OSError(28, os.strerror(28))
            files.fsync(descriptor)
            large = files.lseek(descriptor, 0, os.SEEK_END) > BYTES_MAX
        finally:
            files.close(descriptor)
        if large:
            files.replace(self.path, self.path + ".previous")
        if is_new or large:
            sync_directory(os.path.dirname(self.path), files)
        self.newest = entries[-1][0][0]


def _line(values, head, previous):
    return (
        json.dumps([list(values), head.hex(), previous.hex()], separators=(",", ":")).encode()
        + b"\n"
    )


def _parsed(line):
    """(values, hash, hash before), or None for a line that is torn, empty, changed, or no trip."""
    try:
        values, head, previous = json.loads(line)
        head, previous = bytes.fromhex(head), bytes.fromhex(previous)
        well_formed = (
            len(values) == len(FORM) and all(map(_fits, values, FORM)) and values[KIND_AT] == "trip"
        )
        if (
            not well_formed
            or len(previous) != len(chain.START)
            or chain.link(previous, values) != head
        ):
            return None
        return tuple(values), head, previous
    except (ValueError, TypeError, RecursionError):
        return None


def _fits(value, wanted):
    """True when the database can keep the value in this column."""
    if wanted is str:
        return isinstance(value, str) and value.isprintable()
    return value is None and wanted is None or type(value) is int and -INTEGERS <= value < INTEGERS
