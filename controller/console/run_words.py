"""Says in words what follows after the controller has accepted a start or a stop."""

import os

from controller.core.base import reasons
from controller.journal import snapshot
from controller.journal.ring import JournalError
from controller.journal.snapshot import Snapshot
from controller.rows import reason_words
from controller.state import rows
from safety import matrix as m, signals as s

CLOSES = "it closes once the checklist is complete"
OPENS = "it ramps to zero and opens"
STAYS_OPEN = "the contactors are open and stay open"
# The end of a lock-out must not start the cabinet: 29 CFR 1910.147.
START_IT = "start it with `firebreak start`"
ROWS_NAMED = 3


def of_start(run_directory: str) -> tuple[str, str]:
    """(what follows after a start, in words; the name of a missing condition, or "")."""
    seen = _newest(run_directory)
    return started(seen) if seen else (CLOSES, "")


def of_stop(run_directory: str) -> str:
    """What follows after a stop, in words."""
    seen = _newest(run_directory)
    return stopped(seen) if seen else OPENS


def _newest(run_directory: str) -> Snapshot | None:
    """The newest tick. None if it cannot be read, although the command itself has succeeded."""
    try:
        return snapshot.read(os.path.join(run_directory, "journal"))
    except (OSError, JournalError):
        return None


def started(seen: Snapshot) -> tuple[str, str]:
    """See `of_start`. seen: the newest tick."""
    state = seen.out[s.STATE]
    if state in (s.CLOSING, s.RUNNING):
        return f"it is {s.STATES[state]}", ""
    missing = seen.out[s.INHIBIT_REASON]
    if missing:
        code = reasons.inhibit_code(missing)
        return CLOSES, f"waits for {reasons.label(code)} {reason_words.text(code)[0]}{_rows(seen)}"
    return CLOSES, f"is {s.STATES[state]}{_rows(seen)}" if state in (s.STOPPING, s.TRIPPED) else ""


def _rows(seen: Snapshot) -> str:
    """Words such as ", row 47, 1a" about the active or latched rows that keep contactors open."""
    stages = [row["stage"] for row in rows.rows_demanding(seen, m.D_DC, m.DC_INHIBIT)]
    stages += [row["stage"] for row in rows.rows_demanding(seen, m.D_PCS, m.PCS_RAMP)]
    stages = list(dict.fromkeys(stages))
    more = f" and {len(stages) - ROWS_NAMED} more" if len(stages) > ROWS_NAMED else ""
    return f", row {', '.join(stages[:ROWS_NAMED])}{more}" if stages else ""


def stopped(seen: Snapshot) -> str:
    """See `of_stop`. seen: the newest tick."""
    return STAYS_OPEN if seen.out[s.STATE] in (s.INHIBITED, s.READY) else OPENS
