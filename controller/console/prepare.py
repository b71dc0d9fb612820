"""`firebreak prepare`: writes the first store of a new cabinet."""

import os

from controller.record import store
from controller.record.stored_record import Record, StoreError
from controller.run import run_request
from controller.system import cli
from controller.system.paths import DONE, NO_START, WRONG_INPUT, ascii_only


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
        place = store.Store(directory)
        if place.load().state != store.MISSING:
            raise cli.Ended(WRONG_INPUT, f"{directory}: holds a store already; nothing changed")
        # It may replace a lost store that held a stop or a lock-out, so the cabinet rests.
        place.save(Record(rest=(run_request.UNKNOWN, "")))
        if os.geteuid() == 0:  # the service's user has to read it
            owner = os.stat(directory)
            for path in place.paths:
                os.chown(path, owner.st_uid, owner.st_gid)
    made = f"{'the folder and ' if is_new else ''}the first store: {', '.join(place.paths)}"
    print(ascii_only(f"made {made}; the cabinet rests until `firebreak start`"))
    return DONE
