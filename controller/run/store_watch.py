"""Watches the store of a run: reports when it cannot save, and when it saves again.

While the store cannot save, a file in the run directory says so. The next start then does not
trust a store that may lack a latch. Another file says that all is saved. It is removed while a
record waits, because a kill in this time may lose a lock-out.
"""

import sys

from controller.store import two_copies
from controller.store.keeper import Keeper

REMEDY = "free disk space before the restart, or what is not stored is lost"


class StoreWatch:
    """`unsaved_ms`: (ms for which the store is now unsaved, ms for which it was unsaved
    earlier).
    """

    def __init__(self, keeper: Keeper, run_directory: str):
        self._keeper, self._run_directory = keeper, run_directory
        self._since_us: int | None = None
        self._says_saved: bool | None = None  # None: the file may be left from an earlier run
        self.unsaved_ms = (0, 0)

    def step(self, now_us: int) -> None:
        """Check the store. Called once a tick."""
        keeper, (now_ms, before_ms) = self._keeper, self.unsaved_ms
        keeper.watch(now_us)
        if not keeper.ok and self._since_us is None:
            self._since_us, self._says_saved = now_us, None
            two_copies.mark_failed(self._run_directory, True)
            until = f"a restart; {REMEDY}" if keeper.is_gone else "it is saved again"
            _say(f"{keeper.line}; no contactor closes and no reset is accepted until {until}")
        elif keeper.ok and self._since_us is not None:
            self._since_us, self.unsaved_ms = None, (0, before_ms + now_ms)
            _say(f"the store is saved again, with what it missed in {now_ms / 1000:.1f} s")
        if self._since_us is not None:
            self.unsaved_ms = max(1, (now_us - self._since_us) // 1000), before_ms
            return
        # The first record of this run contains what was loaded at the start. While a later one
        # waits, a stop or a lock-out may be in it.
        is_saved = 0 < keeper.submitted <= keeper.saved
        if is_saved != self._says_saved:
            if is_saved:
                is_done = two_copies.mark_failed(self._run_directory, False)
            else:
                is_done = two_copies.unmark_saved(self._run_directory)
            self._says_saved = is_saved if is_done else None  # None: the next tick tries again


def _say(line: str) -> None:
    print(f"firebreak: {line}", file=sys.stderr, flush=True)
