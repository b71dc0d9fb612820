"""The state of the cabinet for the doors, read from the journal once for all clients."""

import asyncio
import sqlite3
from typing import Any

from controller.journal.ring import JournalError
from controller.state.watch import Kept
from controller.system import caught, clock
from controller.system.paths import plain

PERIOD_S, LINES_MAX = 0.2, 20
UPDATES_MAX = 18_000  # an hour
Facts = dict[str, Any]


class Feed:
    """`state`: the facts of `firebreak status --json`, None while no controller answers; `trouble`
    says why. `run` keeps them new until it is cancelled, and wakes who waits in `changed`.
    """

    def __init__(self, run_directory: str, state_directory: str) -> None:
        self._run_directory = run_directory
        self._kept = Kept(run_directory, state_directory, UPDATES_MAX)
        self._last = caught.Last("doors: no state", LINES_MAX)
        self._lock = asyncio.Lock()  # the watch is for one thread at a time
        self._next: asyncio.Event = asyncio.Event()
        self.state: Facts | None = None
        self.began_s = 0.0  # of the reading: the state has all that the loop answered before
        self.trouble = "the journal has not been read yet"

    @property
    def live(self) -> Facts | None:
        """The state while the controller ticks, else None: a dead one leaves its last values."""
        return self.state if self.state is not None and self.state["is_live"] else None

    async def run(self) -> None:
        """Read for ever."""
        while True:
            await self.read()
            await asyncio.sleep(PERIOD_S)

    async def read(self) -> None:
        """Read the state once."""
        began_s = clock.now_us() / 1e6
        state, trouble = None, "the state could not be made of the journal"
        with self._last:  # a state that is read no more must not look new
            try:
                state, trouble = await self.page("status"), ""
            except (JournalError, OSError, sqlite3.Error) as error:
                trouble = plain(error, self._run_directory)
        self.state, self.trouble, self.began_s = state, trouble, began_s
        self._next.set()
        self._next = asyncio.Event()

    async def changed(self) -> Facts | None:
        """Wait for the next reading. The state, or None."""
        await self._next.wait()
        return self.state

    async def page(self, name: str, *span_s: int) -> Facts:
        """One page of watch.PAGES, read now; span_s: of the trend. Raises JournalError, OSError."""
        async with self._lock:
            return await asyncio.to_thread(self._facts, name, *span_s)

    def _facts(self, name: str, *span_s: int) -> Facts:
        return self._kept.update().facts(name, *span_s)
