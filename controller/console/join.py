"""`firebreak join`: guides a technician who brings a new cabinet to its site, and one who takes it
away.

Without `--by` the command only shows the steps. With `--by NAME` it notes each next step whose
condition is met now. An interruption loses nothing, because the proof-test ledger keeps the steps.
After the last one the dispatcher of the fleet counts on this battery, more and more within minutes.
`--leave` gives the load back in the same way. After that it stops the cabinet, and the steps have
to be done anew at the next place.

Exit codes: 0 the cabinet has joined, or has left; 1 a step is open, or is refused; 2 wrong input; 3
no controller, or the ledger cannot be read or written.
"""

import math
from argparse import Namespace

from controller.console import join_page, join_steps, operator, person
from controller.console.join_steps import Case, missing
from controller.console.replace import hold_sign
from controller.core.policies import meter_sign
from controller.core.policies.meter_sign import MeterSign
from controller.forms.acceptance_text import names_nothing
from controller.run import answer_words, operator_client, operator_commands
from controller.state import contacts, watch
from controller.state.base import Facts
from controller.store import joining, proof_lines as pl, proof_tests, sign_tests
from controller.store.joining import ALONE, IN, JOINS, LEAVES, STEPS
from controller.system import cli, clock, utc
from controller.system.paths import DONE, NO_START, NOT_DONE, WRONG_INPUT
from safety import signals as s

LEFT_REASON = "the cabinet has left its place"
CHARACTERS_MAX = 150  # of a text from a person; the remark of a ledger takes more


@cli.command(
    "join",
    cli.option("--by", metavar="NAME", help="your name: note the steps that are done"),
    cli.option("--at", metavar="TEXT", help="with --by: where the cabinet stands, in your words"),
    cli.option("--accept", metavar="WHY", help="with --by: accept the next step as it is"),
    cli.option("--leave", action="store_true", help="with --by: give the load back, then stop"),
    cli.option("--json", action="store_true", help="the steps as JSON"),
    cli.RUN_DIR,
    cli.STATE_DIR,
)
def _join(arguments: Namespace) -> int:
    _check_options(arguments)
    case = _case(arguments)
    if arguments.by:
        operator.prove(arguments, arguments.by)
        case = _case(arguments)  # read again: it may have changed while the person typed
        with cli.ends(NO_START, OSError, at=arguments.state_dir):
            (_leave if arguments.leave else _note_steps)(arguments, case)
        case = _case(arguments)
    cli.show(arguments.json, case.facts, lambda: join_page.lines(case.facts))
    return DONE if case.facts["state"] in (IN, ALONE) or _has_left(case) else NOT_DONE


def _check_options(arguments: Namespace) -> None:
    """Refuse options that would do nothing."""
    options = [arguments.at, arguments.accept, arguments.leave or None]
    count = len([option for option in options if option is not None])
    if arguments.by is None and count or arguments.leave and count > 1:
        raise cli.Ended(WRONG_INPUT, "allowed is --by NAME with --leave, or with --at and --accept")
    if arguments.by is not None and arguments.json:
        raise cli.Ended(WRONG_INPUT, "--json: allowed is without --by")
    for option in ("by", "at", "accept"):
        text = getattr(arguments, option)
        if text is not None and (
            names_nothing(text) or not text.isascii() or len(text) > CHARACTERS_MAX
        ):
            allowed = f"a text of at most {CHARACTERS_MAX} ASCII characters that names something"
            raise cli.Ended(WRONG_INPUT, f"--{option}: allowed is {allowed}")


def _has_left(case: Case) -> bool:
    """True if a cabinet that leaves has given its load back, is stopped, and needs sign tests."""
    signs = case.status["proof_tests"]["signs"]
    is_held = len(sign_tests.held(signs)) == len(signs)
    has_given = case.facts["state"] == LEAVES and not case.facts["kept_permille"]
    return has_given and case.is_open and is_held


def _case(arguments: Namespace) -> Case:
    with watch.first_look(arguments) as seen:
        status, links = seen.facts("status"), seen.facts("links")["devices"]
    tests = status["proof_tests"] or {"wrong": ["of another version"]}
    join_facts = tests.get("join")
    if join_facts is None:
        lines = tests["wrong"]
        raise cli.Ended(NO_START, f"the proof-test ledger is unknown: {'; '.join(lines)}")
    shadow = seen.shadow
    header, core = shadow.reader.header, shadow.core
    case = Case(
        facts=join_facts | {"cabinet": status["cabinet"]},
        status=status,
        links=links,
        header=header,
        is_open=contacts.is_open(shadow),
        is_approved=bool(shadow.inp[s.IMAGE_APPROVED_OK]),
        meter_result=shadow.out[core.out_at[MeterSign.NAME] + meter_sign.O_RESULT],
    )
    shadow.close()
    case.facts["missing"] = missing(case)
    return case


def _note_steps(arguments: Namespace, case: Case) -> None:
    """Note the steps that are done now. The last one needs a call of its own."""
    _check_given_back(case.facts)
    accepted = arguments.accept
    for number, (name, lacks) in enumerate(case.facts["missing"].items()):
        remark = arguments.at if name == "place" else "done"
        if lacks and accepted and join_steps.STEPS[name].can_be_accepted:
            remark, accepted = f"accepted: {accepted}", None
        elif lacks or not remark or name == STEPS[-1] and number:
            break
        _note(arguments, case, name, remark)
        print(f"{name}: {remark}")
    if accepted:
        raise cli.Ended(NOT_DONE, "--accept: the next step cannot be accepted, it has to be done")


def _check_given_back(facts: Facts) -> None:
    if kept_permille := facts["kept_permille"]:
        line = f"it still gives its load back: {math.ceil(kept_permille / 10)} % left"
        raise cli.Ended(NOT_DONE, line)


def _note(arguments: Namespace, case: Case, step: str, text: str) -> None:
    ledger, remark = proof_tests.Ledger(arguments.state_dir), joining.remark
    if step == STEPS[-1]:
        joining.begin_ramp(arguments.run_dir, clock.now_us())
    ledger.add(utc.moment(), pl.JOINED, step, arguments.by, remark(case.facts["place"], text))
    person.note(arguments, "JOIN", f"{arguments.by}: {step}: {text}")


def _leave(arguments: Namespace, case: Case) -> None:
    """Begin to give the load back. If the load is given back already, stop the cabinet."""
    facts = case.facts
    if facts["state"] == JOINS:
        raise cli.Ended(NOT_DONE, "it has not joined, so there is nothing to give back: stop it")
    ledger = proof_tests.Ledger(arguments.state_dir)
    if facts["state"] != LEAVES:
        remark = joining.remark(facts["place"], "gives its load back")
        joining.begin_ramp(arguments.run_dir, clock.now_us())
        ledger.add(utc.moment(), pl.LEFT, "", arguments.by, remark)
        person.note(arguments, "JOIN", f"{arguments.by}: leaves")
        return
    _check_given_back(facts)
    units = [sign["unit"] for sign in case.status["proof_tests"]["signs"]]
    for unit in units:
        hold_sign(arguments, unit, "it has not left")
    answer = operator.sent(arguments, operator_client.ask, operator_commands.STOP)
    print(f"stop: {answer_words.text(answer)}")
    for unit in units:
        row = sign_tests.row_of(unit)
        ledger.add(utc.moment(), pl.SIGN, row, arguments.by, LEFT_REASON)
