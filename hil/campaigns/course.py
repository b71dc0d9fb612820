"""A course: what is done beside a rig that runs, in a thread of its own; and what else runs in a
thread until it is told to end.
"""

import contextlib
import threading
from collections import Counter

from controller.journal.ring import JournalError
from hil.engine.rig import RigError

STOP_S = 60.0  # hang guard


class Over(Exception):
    """The run ends before its time: interrupted, or the controller has ended."""


class Course:
    """Plays `_play` beside a rig. `error`: what it ended with, None without one."""

    def __init__(self, rig):
        """rig: a hil.engine.rig.Rig that has started."""
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
        # the plant process may have ended, which the rig sees for itself
        with contextlib.suppress(RigError):
            self.rig.send({"what": "finish"})


class Background:
    """A context: a thread runs the generator `turns` until the exit. Each turn yields (what it
    counts, pause s); the first one ends before the context begins, `finally` ends the last.
    `counts`: their sum; `error`: what ended it early.
    """

    def __init__(self, turns):
        self.counts, self.error = Counter(), None
        self._turns, self._over = turns, threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self.counts.update(next(self._turns)[0])
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()
        self._turns.close()

    def _run(self):
        try:
            for counts, pause_s in self._turns:
                self.counts.update(counts)
                if self._over.wait(pause_s):
                    return
        except (OSError, RigError) as error:
            self.error = error
