"""`firebreak prepare`: writes the first store of a new cabinet."""

import os

from controller.recorder import archive
from controller.run import run_request
from controller.store import proof_tests, trips, two_copies
from controller.store.stored_record import Record, StoreError
from controller.system import cli
from controller.system.paths import DONE, NO_START, WRONG_INPUT, ascii_only

# what a cabinet that has run leaves beside its store
TRACES = (archive.FILE, trips.FILE, proof_tests.FILE)
KEY_NEEDED = ("44d",)


def add(commands) -> None:
    """Add the command to argparse's subparsers."""
    cli.add(commands, "prepare", _prepare, cli.STATE_DIR)


def _prepare(arguments):
    directory = arguments.state_dir
    above = os.path.dirname(os.path.abspath(directory))
    if not os.path.isdir(above):  # a mistyped path, or a disk that is not mounted
        raise cli.Ended(WRONG_INPUT, f"--state-dir {directory}: {above} is no folder")
    with cli.ends(NO_START, OSError, StoreError, at=directory):
        is_new = not os.path.isdir(directory)
        if is_new:
            os.mkdir(directory, mode=0o700)
        place = two_copies.Store(directory)
        if place.load().state != two_copies.MISSING:
            raise cli.Ended(WRONG_INPUT, f"{directory}: holds a store already; nothing changed")
        known = [name for name in TRACES if os.path.exists(os.path.join(directory, name))]
        # It may replace a lost store that held a stop or a lock-out, so the cabinet rests; or a
        # latch, so that where one has run before it waits for the key.
        latches = dict.fromkeys(KEY_NEEDED, 1) if known else {}
        place.save(Record(rest=(run_request.UNKNOWN, ""), latches=latches))
    made = f"{'the folder and ' if is_new else ''}the first store: {', '.join(place.paths)}"
    first = f"it has run before ({known[0]}), so it asks for the key; " if known else ""
    print(ascii_only(f"made {made}; {first}the cabinet rests until `firebreak start`"))
    return DONE
