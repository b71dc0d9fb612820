"""`firebreak test sign` and `test step`: make small steps of one converter in TEST mode, and show
how the measured values follow.

Both commands ask the running controller for the steps and read its journal. They touch no bus.
"""

from argparse import Namespace
from collections.abc import Callable, Sequence
from functools import partial

from controller.console import person, step_words
from controller.console.operator import newest, sent
from controller.console.proof_test import note_hash
from controller.forms.acceptance_text import names_nothing
from controller.hints import no_answer
from controller.journal import snapshot
from controller.journal.snapshot import Snapshot
from controller.run import answer_words, operator_client, operator_commands, sign_request
from controller.state import (
    base,
    proof_tests as ledger_facts,
    sign_verdicts,
    step_response,
    step_session,
)
from controller.state.base import Facts
from controller.state.step_session import Session
from controller.state.watch import wait
from controller.store import proof_tests, sign_tests
from controller.store.proof_lines import Record
from controller.store.proof_tests import NotWrittenError
from controller.system import cli, utc
from controller.system.paths import DONE, NO_START, NOT_DONE, WRONG_INPUT, quoted, say
from safety import parameters as p

# Signs and length of the steps of a sign test. A BMS may report only once a second, so a step needs
# more than 2 s.
SIGN_STEPS, SIGN_HOLD_MS = (-1, 1, -1, 1), 2500
STEPS_MAX, STEPS_MIN = 10, 4
# Time for all steps. TEST mode lasts 60 s, and the start with its meter test takes at most 24 s.
STEPS_MS = 25_000
HOLD_MS, HOLD_MS_MAX = 1500, 6000
MEANINGS = {"tester": "name with credentials", "accept": "reason that names a paper or a person"}
_JSON = cli.option("--json", action="store_true", help="the same figures as JSON")


def _unit(help_words: str) -> cli.Option:
    return cli.option("--unit", type=cli.whole(1, 99), metavar="N", help=help_words)


@cli.command(
    "test sign",
    _unit("only this unit (all, one after the other)"),
    cli.option("--tester", metavar="TEXT", help="name and credentials; without it: not recorded"),
    cli.option("--accept", metavar="WHY", help="no test: the tester accepts a start without it"),
    _JSON,
    cli.RUN_DIR,
    cli.STATE_DIR,
)
def _sign_test(arguments: Namespace) -> int:
    if arguments.tester is not None:
        cli.check_folder(arguments.state_dir)
        proof_tests.check_words(arguments.tester, sign_verdicts.PASSED, "")
    if arguments.accept is not None:
        return _accept(arguments)
    seen = newest(arguments)
    units = _units(arguments, seen)
    hold_ms = max([SIGN_HOLD_MS, *[hold_of(_stated(seen, unit)) for unit in units]])
    session = _run(arguments, seen, units, SIGN_STEPS, hold_ms)
    reports = [
        sign_verdicts.facts(samples, session.whole(unit), session.meter_result)
        | {"held_by": _held_by(session, unit)}
        for unit, samples in session.samples.items()
    ]
    _show(arguments, session, seen, reports, step_words.sign_lines)
    _record(arguments, seen, reports)
    is_good = all(report["result"] == sign_verdicts.PASSED for report in reports)
    return DONE if is_good and session.ended == step_session.DONE else NOT_DONE


def _record(arguments: Namespace, seen: Snapshot, reports: Sequence[Facts]) -> None:
    """Hold the start of each unit that has failed, which needs no disk. Then record each decided
    result, with the identity of the devices for which it counts.
    """
    for report in reports:
        if report["result"] == sign_verdicts.FAILED:
            _hold(arguments, report["unit"])
    if arguments.tester is None:
        say("not recorded: --tester names who tests")
        return
    codes = ledger_facts.codes(seen.reader.header)
    ledger = proof_tests.Ledger(arguments.state_dir)
    for report in reports:
        if report["result"] == sign_verdicts.UNDECIDED:
            continue
        unit = report["unit"]
        remark = sign_tests.remark_of(codes[unit - 1], step_words.remark(report))
        record_fields = sign_tests.row_of(unit), arguments.tester, report["result"], remark
        _recorded(arguments, unit, partial(ledger.sign, utc.moment(), *record_fields))


def _recorded(arguments: Namespace, unit: int, write: Callable[[], Record]) -> None:
    """Write a record of a unit's sign test, and report it to the recorder. Only then end the hold,
    because the record must survive.
    """
    with cli.ends(NO_START, OSError, NotWrittenError, at=arguments.state_dir):
        record = write()
    note_hash(arguments.run_dir, record)
    say(f"record {record.number}: sign test of unit {unit} {record.result}; hash {record.hash}")
    if record.result == sign_verdicts.FAILED:
        return
    answer = sent(arguments, operator_client.sign, unit, sign_request.OVER)
    if answer != operator_commands.ACCEPTED:
        say(f"a start still waits for it: {answer_words.text(answer)}")


def _hold(arguments: Namespace, unit: int) -> None:
    """Hold the start of a unit. A controller that does not answer reads the ledger at its start."""
    try:
        answer = sent(arguments, operator_client.sign, unit, sign_request.FAILED)
        problem = "" if answer == operator_commands.ACCEPTED else answer_words.text(answer)
    except cli.Ended as error:
        problem = str(error)
    if problem:
        say(f"the start of unit {unit} is not held: {problem}")


def _accept(arguments: Namespace) -> int:
    """Record that a named person accepts a start without the test. A failed test stays failed."""
    for option, text in (("tester", arguments.tester or ""), ("accept", arguments.accept)):
        if names_nothing(text):
            line = f"--{option} {quoted(text)}: allowed is a {MEANINGS[option]}"
            raise cli.Ended(WRONG_INPUT, line)
    seen = newest(arguments)
    sent(arguments, operator_client.reach)
    with cli.ends(NO_START, OSError, at=proof_tests.path_of(arguments.state_dir)):
        records = proof_tests.read(arguments.state_dir).records
    ledger, codes = proof_tests.Ledger(arguments.state_dir), ledger_facts.codes(seen.reader.header)
    states = sign_tests.units(codes, records)
    units = _units(arguments, seen)
    for unit in units:
        if states[unit]["state"] == sign_tests.FAILED:
            raise _failed(unit)
    for unit in units:
        answer = sent(arguments, operator_client.sign, unit + 1, sign_request.ACCEPT)
        if answer == operator_commands.SIGN_HELD:
            raise _failed(unit)
        if answer != operator_commands.ACCEPTED:
            line = f"unit {unit + 1} is not accepted: {answer_words.text(answer)}"
            raise cli.Ended(NOT_DONE, line)
        remark = sign_tests.remark_of(codes[unit], arguments.accept)
        record_fields = sign_tests.row_of(unit + 1), arguments.tester, remark
        _recorded(arguments, unit + 1, partial(ledger.accept, utc.moment(), *record_fields))
    return DONE


def _failed(unit: int) -> cli.Ended:
    line = f"the sign test of unit {unit + 1} has failed: mend it and test again"
    return cli.Ended(NOT_DONE, line)


@cli.command("test step", _unit("the unit (1)"), _JSON, cli.RUN_DIR)
def _step_test(arguments: Namespace) -> int:
    arguments.unit = arguments.unit or 1
    seen = newest(arguments)
    units = _units(arguments, seen)
    stated = _stated(seen, units[0])
    hold_ms = hold_of(stated)
    signs = [-1, 1] * (steps_of(hold_ms) // 2)
    session = _run(arguments, seen, units, signs, hold_ms)
    tick_ms = seen.reader.header["safety_image"][p.H_TICK_MS]
    reports = [
        step_response.facts(samples, session.whole(unit), tick_ms)
        | {"held_by": _held_by(session, unit), "stated": stated}
        for unit, samples in session.samples.items()
    ]
    _show(arguments, session, seen, reports, step_words.step_lines)
    for report in reports:
        text = f"step test of unit {report['unit']}: {step_words.summary(report)}"
        person.note(arguments, "STEP", text)
    is_good = not reports[0]["points"][0]["too_little"]
    return DONE if is_good and session.ended == step_session.DONE else NOT_DONE


def hold_of(stated: Facts) -> int:
    """Time of a step, ms: twice the time that the profile states for a step of a tenth of the
    rating.
    """
    follow_ms = stated.get("dead_time_ms", 0) + stated.get("ramp_ms", 0) // 10
    return min(HOLD_MS_MAX, max(HOLD_MS, 2 * follow_ms + 500))


def steps_of(hold_ms: int) -> int:
    """How many steps a test has."""
    return min(STEPS_MAX, max(STEPS_MIN, STEPS_MS // hold_ms))


def _stated(seen: Snapshot, unit: int) -> Facts:
    """{dead_time_ms, ramp_ms} of the converter's profile."""
    devices: list[Facts] = seen.reader.header["devices"]
    converters = [
        device for device in devices if (device["role"], device["index"]) == ("pcs", unit)
    ]
    return converters[0].get("stated", {}) if converters else {}


def _held_by(session: Session, unit: int) -> list[Facts | None]:
    """The reasons that kept a step of this unit below its power. unit: from 0."""
    return [base.reason(code) for code in sorted(session.held.get(unit, ()))]


def _units(arguments: Namespace, seen: Snapshot) -> list[int]:
    """The units (from 0) that the command names."""
    units = seen.layout.units
    if arguments.unit is None:
        return list(range(units))
    if arguments.unit > units:
        line = f"--unit {arguments.unit}: allowed is a whole number from 1 to {units}"
        raise cli.Ended(WRONG_INPUT, line)
    return [arguments.unit - 1]


def _run(
    arguments: Namespace, seen: Snapshot, units: Sequence[int], signs: Sequence[int], hold_ms: int
) -> Session:
    """Do the steps. Ends the command if no step could begin, so each session has samples."""
    sent(arguments, operator_client.reach)  # because a journal may outlive its controller
    with cli.ends(NO_START, KeyError, ValueError, before="of another version of this program: "):
        session = step_session.of_journal(seen, units, signs, hold_ms)
    tick_ms, waits = seen.reader.header["safety_image"][p.H_TICK_MS], session.waits
    while not session.ended:
        if not snapshot.ticks(seen.reader, wait):
            raise cli.Ended(NO_START, no_answer.NO_TICKS)
        for frame in seen.follow():
            ask = session.take(seen.inp, seen.out, frame.fresh, frame.elapsed_ticks * tick_ms)
            if ask:
                _ask(arguments, session, ask)
            if session.ended:
                break
        if session.waits != waits:
            waits = session.waits
            say(waits or f"steps of {len(signs)} x {hold_ms / 1000:g} s a unit have begun")
    if not session.samples:
        raise cli.Ended(NOT_DONE, session.ended)
    return session


def _ask(arguments: Namespace, session: Session, ask: tuple[int, int, int]) -> None:
    """Ask the controller for a step. A refusal ends the test."""
    answer = sent(arguments, operator_client.step, *ask)
    if answer != operator_commands.ACCEPTED and not session.ended:
        session.ended = f"the controller refuses a step: {answer_words.text(answer)}"


def _show(
    arguments: Namespace,
    session: Session,
    seen: Snapshot,
    reports: Sequence[Facts],
    lines: step_words.Lines,
) -> None:
    """Print the figures, and why the test ended early."""
    ended_early = None if session.ended == step_session.DONE else session.ended
    facts = {"units": reports, "ended_early": ended_early}
    cli.show(arguments.json, facts, lambda: [line for report in reports for line in lines(report)])
    if ended_early:
        rows = ", ".join(seen.standing)
        say(ended_early + (f" (active or latched: {rows})" if rows else ""))
