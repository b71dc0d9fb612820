"""`firebreak box prepare`: writes the first store of a new cabinet. The store keeps what must
survive a power loss, such as latches and lock-outs.
"""

import os
from argparse import Namespace

from controller.core.base import standby
from controller.recorder import archive
from controller.store import proof_tests, trips, two_copies
from controller.store.stored_record import Record, StoreError
from controller.system import cli
from controller.system.paths import DONE, NO_START, WRONG_INPUT, ascii_only

# Files beside the store that show that a cabinet has run before.
TRACES = (archive.FILE, trips.FILE, proof_tests.FILE)
KEY_LATCH = {"44d": 1}  # {latch that only a reset with the key clears: its number}


@cli.command("box prepare", cli.STATE_DIR)
def _prepare(arguments: Namespace) -> int:
    directory = arguments.state_dir
    parent = os.path.dirname(os.path.abspath(directory))
    if not os.path.isdir(parent):  # a mistyped path, or a disk that is not mounted
        raise cli.Ended(WRONG_INPUT, f"--state-dir {directory}: {parent} is no folder")
    with cli.ends(NO_START, OSError, StoreError, at=directory):
        is_new = not os.path.isdir(directory)
        if is_new:
            os.mkdir(directory, mode=0o700)
        store = two_copies.Store(directory)
        if store.load().state != two_copies.MISSING:
            raise cli.Ended(WRONG_INPUT, f"{directory}: holds a store already; nothing changed")
        traces = [name for name in TRACES if os.path.exists(os.path.join(directory, name))]
        # A store that was lost may have had a stop or a lock-out, so the cabinet stays in standby.
        # It may also have had a latch, so a cabinet that has run before needs the key as well.
        latches = KEY_LATCH if traces else {}
        store.save(Record(rest=(standby.UNKNOWN, ""), latches=latches))
    created = f"{'the folder and ' if is_new else ''}the first store: {', '.join(store.paths)}"
    first = f"the cabinet has run before ({traces[0]}), so it needs the key; " if traces else ""
    print(ascii_only(f"made {created}; {first}the cabinet is in standby until `firebreak start`"))
    return DONE
