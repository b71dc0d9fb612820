"""What another process has recorded of a run."""

import msgpack
import numpy as np

from hil.results.recorder import SAMPLE, Recorder
from hil.results.run_result import Run


def read(path, loop, load):
    """run_result.Run from the bench's result file."""
    with open(path, "rb") as file:
        content = msgpack.unpackb(file.read())
    rows = RecordedRows(np.frombuffer(content["rows"], SAMPLE))
    return Run(rows, RecordedObserver(content), content["trips"], loop, load)


class RecordedRows(Recorder):
    """Rows of another process, as a Recorder gives them."""

    __slots__ = ("_rows",)

    def __init__(self, rows):
        super().__init__(1)
        self._rows = rows
        self.count = len(rows)

    def rows(self):
        """The structured array."""
        return self._rows


class RecordedObserver:
    """Timeline and violations of another process's observer."""

    def __init__(self, content):
        self._timeline = [tuple(event) for event in content["timeline"]]
        self.violations = content["violations"]

    def result(self):
        """The timeline in order of time."""
        return self._timeline
