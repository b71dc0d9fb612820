"""Reads the state of the cabinet for the doors. All clients of a process share each reading."""

import asyncio
import concurrent.futures
import contextlib
import math
import sqlite3

from controller.hints.no_answer import NO_TICK
from controller.journal.ring import JournalError
from controller.state import patch
from controller.state.base import Facts
from controller.state.watch import Kept, Watch
from controller.system import caught, clock
from controller.system.paths import plain

PERIOD_S, LINES_MAX = 0.2, 20
OLD_S, HANGS_S = 5.0, 15.0  # above OLD_S a state counts as unknown, above HANGS_S a reading failed
UPDATES_MAX = 18_000  # readings in an hour
# A watch that is further behind the journal is replaced, which costs less than reading on.
BEHIND_MS_MAX = 600_000


class NoState(Exception):
    """No controller answers. The text is one line that says why."""


class Feed:
    """The state of the cabinet. It is read only when a client calls `changed` or `fresh`.

    state: the facts of `firebreak status --json`; None while no controller answers. trouble: why no
    `live` state is known.
    """

    def __init__(self, run_directory: str, state_directory: str):
        self._run_directory = run_directory
        self._kept = Kept(run_directory, state_directory, UPDATES_MAX, BEHIND_MS_MAX)
        self._last = caught.Last("doors: no state", LINES_MAX)
        self._pool = concurrent.futures.ThreadPoolExecutor(1, "feed")  # one thread uses the watch
        self._reading = asyncio.Lock()
        self._read_s = -math.inf
        self._state: Facts | None = None
        self._state_version: tuple[Watch, int | None] | None = None
        self._last_patch: tuple[Facts, Facts, Facts] = ({}, {}, {})  # before, after, patch
        self.period_s = PERIOD_S
        self.is_rough = False  # True: alarms are up to date, values are those of the last keyframe
        # Start of the last reading. The state includes all answers that the loop gave before it.
        self.began_s = 0.0
        self.trouble = "the journal has not been read yet"

    @property
    def state(self) -> Facts | None:
        """The newest state; None if it is older than OLD_S."""
        return self._state if clock.uptime_s() - self._read_s < OLD_S else None

    @state.setter
    def state(self, state: Facts | None) -> None:
        self._state, self._read_s = state, clock.uptime_s()

    @property
    def live(self) -> Facts | None:
        """The state while the controller ticks, else None.

        The last values of a controller that does not tick are too old.
        """
        state = self.state
        return state if state is not None and state["is_live"] else None

    async def read(self) -> None:
        """Read the state once."""
        began_s = clock.uptime_s()
        state, trouble = None, "the state could not be made of the journal"
        with self._last:  # after a failure an old state must not look new
            try:
                state = await self.page("status")
                trouble = "" if state and state["is_live"] else NO_TICK
            except NoState as error:
                trouble = str(error)
        self.state, self.trouble, self.began_s = state, trouble, began_s

    async def fresh(self, age_s_max: float = 0) -> Facts | None:
        """The state. It is read now if it is older than age_s_max and older than period_s."""
        if self._is_old(age_s_max):
            async with self._reading:
                if self._is_old(age_s_max):
                    await self.read()
        return self.state

    def _is_old(self, age_s_max: float) -> bool:
        return clock.uptime_s() - self._read_s >= max(self.period_s, age_s_max if self.live else 0)

    async def awaited(self, within_s: float) -> Facts | None:
        """The live state, or None after within_s.

        It is read again and again, because the controller may be starting.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while self.live is None:
                    await self.changed()
        return self.live

    async def changed(self, period_s: float = 0) -> Facts | None:
        """Wait for the next reading, period_s after the last one. Returns the state or None."""
        await asyncio.sleep(
            max(0.0, self._read_s + max(self.period_s, period_s) - clock.uptime_s())
        )
        return await self.fresh(period_s)

    def patch(self, before: Facts, after: Facts) -> Facts:
        """The changes as a merge patch (RFC 7386).

        It is computed once for all clients that have `before`.
        """
        known = self._last_patch
        if known[0] is not before or known[1] is not after:
            known = self._last_patch = before, after, patch.between(before, after)
        return known[2]

    async def page(self, name: str, *span_s: int) -> Facts:
        """A page of watch.PAGE_NAMES, read now. span_s: time span of the trend. Raises NoState."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(HANGS_S):
                return await loop.run_in_executor(self._pool, self._facts, name, *span_s)
        except TimeoutError:
            raise NoState(f"the journal has not been read within {HANGS_S:g} s") from None
        except (JournalError, OSError, sqlite3.Error) as error:
            raise NoState(plain(error, self._run_directory)) from None

    def _facts(self, name: str, *span_s: int) -> Facts:
        seen = self._kept.update(is_rough=self.is_rough)
        before, self._state_version = self._state_version, (seen, seen.shadow.sequence)
        if self.is_rough and self._state and before == self._state_version:
            return {**self._state, "is_live": seen.is_live}
        return seen.facts(name, *span_s)
