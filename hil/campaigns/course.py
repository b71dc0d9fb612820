"""Plays a test sequence (a Course) or background work in a thread beside a running rig."""

import contextlib
import threading
from collections import Counter
from collections.abc import Callable, Generator, Mapping
from typing import Any

from controller.journal.ring import JournalError
from hil.engine.rig import Rig, RigError

STOP_S = 60.0  # a guard against a thread that hangs
Turns = Generator[tuple[Mapping[str, int], float], None, None]  # ({name: count}, pause s)


class Over(Exception):
    """The run ends early: it was interrupted, or the controller has ended."""


class Course:
    """A test sequence: runs `_play` beside a started rig. `error`: what ended it early, or None."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.error: Exception | None = None
        self.over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def beside(self, see: Callable[[dict[str, Any]], object]) -> None:
        """Run the rig and the course until both end. Calls see(view). Raises RigError."""
        self._thread.start()
        try:
            self.rig.run(see)
        finally:
            self.over.set()
            self._thread.join(STOP_S)

    def wait(self, seconds: float) -> None:
        """Wait. Raises Over if the run ends before."""
        if self.over.wait(seconds):
            raise Over

    def _play(self) -> None:
        raise NotImplementedError

    def _run(self) -> None:
        try:
            self._play()
        except Over:
            return
        except (OSError, RigError, JournalError) as error:
            self.error = error
        except BaseException:  # without this the run would never end
            self._finish()
            raise
        self._finish()

    def _finish(self) -> None:
        with contextlib.suppress(RigError):  # the plant process has ended, as the rig will notice
            self.rig.send({"what": "finish"})


class Background:
    """A context in which a thread runs the generator `turns`. The first turn ends before
    the body of the context begins.

    `counts`: sums over all turns; `error`: the exception that ended the thread early.
    """

    def __init__(self, turns: Turns) -> None:
        self.counts: Counter[str] = Counter()
        self.error: Exception | None = None
        self._turns, self._over = turns, threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Background":
        self.counts.update(next(self._turns)[0])
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._turns.close()

    def _run(self) -> None:
        try:
            for counts, pause_s in self._turns:
                self.counts.update(counts)
                if self._over.wait(pause_s):
                    return
        except (OSError, RigError) as error:
            self.error = error
