"""A course: what is done beside a rig that runs, in a thread of its own; and what else runs in a
thread until it is told to end.
"""

import contextlib
import threading

from controller.record.journal import JournalError
from hil.rig import RigError

STOP_S = 60.0  # hang guard


class Over(Exception):
    """The run ends before its time: interrupted, or the controller has ended."""


class Course:
    """Plays `_play` beside a rig. `error`: what it ended with, None without one."""

    def __init__(self, rig):
        """rig: a hil.rig.Rig that has started."""
        self.rig, self.error = rig, None
        self.over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def beside(self, see):
        """Run the rig and the course until both have ended. see(view): of the plant. RigError."""
        self._thread.start()
        try:
            self.rig.run(see)
        finally:
            self.over.set()
            self._thread.join(STOP_S)

    def wait(self, seconds):
        """Wait; raises Over when the run ends meanwhile."""
        if self.over.wait(seconds):
            raise Over

    def _run(self):
        try:
            self._play()
        except Over:
            return
        except (OSError, RigError, JournalError) as error:
            self.error = error
        with contextlib.suppress(RigError):  # the bench has ended, which the rig sees for itself
            self.rig.send({"what": "finish"})


class Background:
    """A context: a thread calls `_turn` again and again until the exit. `error`: what ended it."""

    def __init__(self):
        self.error = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._begin()
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()
        self._finish()

    def _run(self):
        try:
            while not self._over.is_set():
                self._turn()
        except (OSError, RigError) as error:
            self.error = error

    def _begin(self):
        """Open what is needed, before the first turn."""

    def _finish(self):
        """Close it, after the last turn."""


class Flood(Background):
    """A Background that counts what it has `sent`."""

    sent, words = 0, "{} frames sent"

    def seen(self):
        """(ok, sentence) at the end."""
        return self.sent > 0, self.words.format(self.sent)
