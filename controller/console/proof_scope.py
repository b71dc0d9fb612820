"""Which proof tests a cabinet needs: from its configuration or from the controller that runs."""

import os
from typing import NamedTuple

from controller.record import utc
from controller.record.journal import JournalError, JournalReader
from controller.site import config, proof_plan
from controller.system.paths import plain, say


class NoPlanError(Exception):
    """Nobody says which rows are armed; the text is one line."""


class Plan(NamedTuple):
    """What a cabinet has to have tested: {key: days}, {key: ms} of the latest and the soonest
    reaction, its name.
    """

    days: dict
    allowed_ms: dict
    soonest_ms: dict
    cabinet: str


def plan_of(arguments):
    """What is armed. Raises ConfigError, NoPlanError."""
    if arguments.site is not None:
        found = config.load(arguments.site)
        return Plan(
            proof_plan.plan(found),
            proof_plan.allowed_ms(found),
            proof_plan.soonest_ms(found.safety_image),
            found.names[-1][1],
        )
    try:
        reader = JournalReader(os.path.join(arguments.run_dir, "journal"))
        header = reader.header
        reader.close()
        return Plan(
            header["proof_tests"],
            header["proof_allowed_ms"],
            proof_plan.soonest_ms(header["safety_image"]),
            list(header["names"].values())[-1],
        )
    except (OSError, JournalError, KeyError, ValueError) as error:
        why = "of another version" if isinstance(error, (KeyError, ValueError)) else plain(error)
        raise NoPlanError(
            f"no controller says which rows are armed: {why}; give --site FILE"
        ) from None


def has_folder(arguments):
    """False, and it is said, where the state directory is not there: a ledger made elsewhere would
    prove nothing.
    """
    if not os.path.isdir(arguments.state_dir):
        say(f"--state-dir {ascii_of(arguments.state_dir) or repr('')}: there is no such folder")
        return False
    return True


def moment(clocks=None):
    """(utc_us, source) of now; clocks: utc.Clocks or a stand-in."""
    wall = utc.WallClock(clocks)
    now_us, _ = wall.poll()
    return wall.label(now_us)[:2]


def ascii_of(text):
    """The text in ASCII."""
    return str(text).encode("ascii", "backslashreplace").decode("ascii")
