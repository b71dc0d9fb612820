"""The consequence of an accepted start or stop, in words: what the cabinet does and waits for."""

import os

from controller.core import reasons
from controller.journal import snapshot
from controller.journal.ring import JournalError
from controller.rows import reason_words
from controller.state import rows
from safety import matrix as m, signals as s

CLOSES = "it closes once the checklist is complete"
OPENS, RESTS = "it ramps to zero and opens", "nothing is closed, and it stays so"
START_IT = "start it with `firebreak start`"  # removing a lock is no start: 29 CFR 1910.147
ROWS_NAMED = 3


def of_start(run_directory: str) -> tuple:
    """(consequence of a start, what it waits for now or "")."""
    seen = _newest(run_directory)
    return started(seen) if seen else (CLOSES, "")


def of_stop(run_directory: str) -> str:
    """The consequence of a stop."""
    seen = _newest(run_directory)
    return stopped(seen) if seen else OPENS


def _newest(run_directory):
    """Snapshot of the newest tick, None if unreadable; the command still succeeded."""
    try:
        return snapshot.read(os.path.join(run_directory, "journal"))
    except (OSError, JournalError):
        return None


def started(seen) -> tuple:
    """(consequence of a start, what it waits for now or ""); seen: snapshot.Snapshot."""
    state = seen.out[s.STATE]
    if state in (s.CLOSING, s.RUNNING):
        return f"it is {s.STATES[state]}", ""
    missing = seen.out[s.INHIBIT_REASON]
    if missing:
        code = reasons.inhibit_code(missing)
        return CLOSES, f"waits for {reasons.label(code)} {reason_words.text(code)[0]}{_rows(seen)}"
    return CLOSES, f"is {s.STATES[state]}{_rows(seen)}" if state in (s.STOPPING, s.TRIPPED) else ""


def _rows(seen):
    """ ", row 47, 1a": active or latched rows that keep the contactors open."""
    found = [row["stage"] for row in rows.rows_demanding(seen, m.D_DC, m.DC_INHIBIT)]
    found += [row["stage"] for row in rows.rows_demanding(seen, m.D_PCS, m.PCS_RAMP)]
    found = list(dict.fromkeys(found))
    more = f" and {len(found) - ROWS_NAMED} more" if len(found) > ROWS_NAMED else ""
    return f", row {', '.join(found[:ROWS_NAMED])}{more}" if found else ""


def stopped(seen) -> str:
    """The consequence of a stop; seen: snapshot.Snapshot."""
    return RESTS if seen.out[s.STATE] in (s.INHIBITED, s.READY) else OPENS
