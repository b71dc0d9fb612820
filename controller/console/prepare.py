"""`firebreak prepare`: the first store of a new cabinet."""

import os

from controller.record import store
from controller.record.stored_record import Record, StoreError
from controller.run import run_request
from controller.system.paths import (
    DONE,
    NO_START,
    STATE_DIRECTORY,
    WRONG_INPUT,
    ascii_only,
    plain,
    say,
)


def add(commands):
    """Add the command to argparse's subparsers."""
    preparing = commands.add_parser("prepare")
    preparing.add_argument("--state-dir", default=STATE_DIRECTORY)
    preparing.set_defaults(run=_prepare)


def _prepare(arguments):
    directory = arguments.state_dir
    above = os.path.dirname(os.path.abspath(directory))
    if not os.path.isdir(above):  # a mistyped path, or a disk that is not mounted
        say(f"--state-dir {directory}: there is no folder {above} to make it in")
        return WRONG_INPUT
    try:
        is_new = not os.path.isdir(directory)
        if is_new:
            os.mkdir(directory, mode=0o700)
        place = store.Store(directory)
        if place.load().state != store.MISSING:
            say(f"{directory}: holds a store already; nothing changed")
            return WRONG_INPUT
        place.save(_first_record())
        _give(directory, place.paths)
    except (OSError, StoreError) as error:
        say(plain(error, directory))
        return NO_START
    print(
        ascii_only(
            f"made {'the folder and ' if is_new else ''}the first store: "
            f"{', '.join(place.paths)}; "
            "the cabinet rests until `firebreak start`"
        )
    )
    return DONE


def _first_record():
    """The record of `prepare`: it may take the place of a lost one that said stopped or locked out,
    so it rests.
    """
    return Record(rest=(run_request.UNKNOWN, ""))


def _give(directory, paths):
    """What root has made belongs to whoever owns the directory: the service's user has to read
    it.
    """
    if os.geteuid() == 0:
        owner = os.stat(directory)
        for path in paths:
            os.chown(path, owner.st_uid, owner.st_gid)
