#!/opt/firebreak/current/bin/python3
"""Runs in the box as `bench`, and prints one line of JSON.

`state` prints what journal and statistics say, or a traceback, whose last line the caller shows.
`approve` writes an approval of the limit image to the store, because the box has no key. `approve`
also accepts the units without a sign test.
"""

import json
import os
import sys
from dataclasses import replace
from typing import Any

from controller.config import approval, configuration
from controller.journal import snapshot
from controller.run import loop_statistics, sign_hold
from controller.store import proof_tests, sign_tests, two_copies
from controller.system import clock
from controller.system.paths import RUN_DIRECTORY, STATE_DIRECTORY
from safety import signals as s

CABINET = "/etc/firebreak/cabinet/cabinet.toml"


def state() -> dict[str, Any]:
    """The state, the active stages and the loop's statistics of a running controller."""
    seen = snapshot.read(f"{RUN_DIRECTORY}/journal")
    loop = loop_statistics.read(f"{RUN_DIRECTORY}/loop.stats")
    return {"state": s.STATES[seen.out[s.STATE]], "standing": list(seen.standing), "loop": loop}


def approve(path: str | os.PathLike[str], state_directory: str) -> None:
    """Approve the image. path: of cabinet.toml."""
    store = two_copies.Store(state_directory)
    config = configuration.load(path)
    image = approval.packed(approval.of(config))
    record = store.load().record
    assert record is not None  # `firebreak box prepare` has made it
    store.save(replace(record, approved=image, approved_by="lab"))
    for unit, unit_code in enumerate(sign_hold.codes_of(config), 1):
        remark = sign_tests.remark_of(unit_code, "a simulated cabinet")
        ledger = proof_tests.Ledger(state_directory)
        ledger.accept((clock.utc_us(), "lab"), sign_tests.row_of(unit), "lab", remark)


def main(word: str) -> None:
    """word: `state` or `approve`."""
    if word == "approve":
        approve(CABINET, STATE_DIRECTORY)
    else:
        print(json.dumps(state()))


if __name__ == "__main__":
    main(sys.argv[1])
