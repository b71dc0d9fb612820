"""Holds each entry into running before the sign test of a unit."""

from controller.core.base import standby
from controller.run import operator_commands
from controller.run.run_request import RunRequest
from controller.store.stored_record import AWAKE, Counts

# How the sign test of a unit holds a start. ACCEPT only asks whether a person may accept the unit
# without it.
OVER, DUE, FAILED, ACCEPT = range(4)


def units(signs: Counts, count: int) -> set[int]:
    """Units (from 1) that the stored `signs` hold. The store keeps the hold of a unit that is not
    configured now.
    """
    return {unit for unit in range(1, count + 1) if str(unit) in signs}


def ask(held: set[int], signs: Counts, unit: int, how: int, count: int) -> int:
    """Set how the sign test of a unit holds a start. Returns an answer of operator_commands.

    A hold acts at once. The store keeps it in `signs`, because the ledger may not have taken the
    test. Only a passed test ends the hold of a failed one.
    """
    if not 1 <= unit <= count or how not in (OVER, DUE, FAILED, ACCEPT):
        return operator_commands.REFUSED_FORM
    before = signs.pop(str(unit), OVER)
    if how == OVER:
        held.discard(unit)
        return operator_commands.ACCEPTED
    if how != ACCEPT:
        held.add(unit)
        before = max(how, before)
    if before:
        signs[str(unit)] = before
    is_refused = how == ACCEPT and before == FAILED
    return operator_commands.SIGN_HELD if is_refused else operator_commands.ACCEPTED


def step(held: set[int], run_request: RunRequest, is_running: int) -> None:
    """Refuse an entry into running. A cabinet that runs goes on, so that a misread serial number
    stops nothing.
    """
    if held and not is_running and run_request.rest.chosen == AWAKE:
        run_request.stop(standby.SIGN)
