#!/opt/firebreak/current/bin/python3
"""Runs in the box as `bench`, and prints one line of JSON.

`state`: content of journal and statistics, or a traceback, whose last line the caller shows. `set`:
adds a second to the clock and steers it. `event`: the newest recorded event about a set clock, or
null. `approve`: writes an approval of the limit image to the store, because the box has no key, and
accepts the units without a sign test.
"""

import ctypes
import json
import os
import sys
from dataclasses import replace
from typing import Any

from controller.config import approval, configuration
from controller.journal import snapshot
from controller.run import loop_statistics, sign_hold
from controller.state import record
from controller.store import proof_tests, sign_tests, two_copies
from controller.system import clock
from controller.system.paths import RUN_DIRECTORY, STATE_DIRECTORY
from controller.system.utc import Timex
from safety import signals as s

# of adjtimex(2); the offset goes first: it takes the steering away
SETOFFSET, MAXERROR, STATUS = 0x100, 0x4, 0x10
STA_PLL = 0x1  # steered: without STA_UNSYNC beside it the kernel believes so
OFFSET_S, ERROR_US = 1, 1000
CABINET = "/etc/firebreak/cabinet/cabinet.toml"
EVENTS = 200  # the newest ones, to be looked through


def state() -> dict[str, Any]:
    """State, active stages and the loop's statistics of a running controller."""
    seen = snapshot.read(f"{RUN_DIRECTORY}/journal")
    loop = loop_statistics.read(f"{RUN_DIRECTORY}/loop.stats")
    return {"state": s.STATES[seen.out[s.STATE]], "standing": list(seen.standing), "loop": loop}


def set_clock(library: Any) -> int:
    """Exit code. library: ctypes.CDLL(None), the C library."""
    wanted = Timex(
        modes=SETOFFSET | MAXERROR | STATUS, time_s=OFFSET_S, status=STA_PLL, maxerror=ERROR_US
    )
    return int(library.adjtimex(ctypes.byref(wanted)) < 0)


def newest(state_directory: str) -> dict[str, Any] | None:
    """The newest event with code CLOCK, None without one."""
    found = record.opened(state_directory)
    events = found.events(EVENTS) if found else ()
    return next((event for event in reversed(events) if event["code"] == "CLOCK"), None)


def approve(path: str | os.PathLike[str], state_directory: str) -> int:
    """Exit code. path: of cabinet.toml."""
    kept = two_copies.Store(state_directory)
    config = configuration.load(path)
    image = approval.packed(approval.of(config))
    record = kept.load().record
    assert record is not None, "`firebreak prepare` has made it"
    kept.save(replace(record, approved=image, approved_by="lab"))
    for unit, unit_code in enumerate(sign_hold.codes_of(config), 1):
        remark = sign_tests.remark_of(unit_code, "a simulated cabinet")
        about = sign_tests.row_of(unit), "lab", remark
        proof_tests.Ledger(state_directory).accept((clock.utc_us(), "lab"), *about)
    return 0


def main(word: str) -> int:
    """word: `state`, `set`, `event` or `approve`. Returns the exit code."""
    if word == "approve":
        return approve(CABINET, STATE_DIRECTORY)
    if word == "set":
        return set_clock(ctypes.CDLL(None))
    print(json.dumps(state() if word == "state" else newest(STATE_DIRECTORY)))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
