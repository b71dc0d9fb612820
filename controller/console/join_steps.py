"""The steps of a cabinet that joins its site: what each needs now, and how a person does it."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from controller.core.policies import meter_sign
from controller.state.base import Facts
from controller.store import joining, proof_state, sign_tests
from safety import signals as s

REST_PERMILLE = 20  # of the rated power: less counts as rest
ROWS_SHOWN = 12


class Case(NamedTuple):
    """What is known of a cabinet. facts: of store/joining.py. status, links: of the pages. header:
    of the journal. is_open: nothing is closed, and both permits are off. meter_result: of
    meter_sign.
    """

    facts: Facts
    status: Facts
    links: list[Facts]
    header: Facts
    is_open: bool
    is_approved: bool
    meter_result: int


class Step(NamedTuple):
    """title: what is done. how: how a person does it. missing: yields each condition that is not
    met. can_be_accepted: a named person may go on without the step.
    """

    title: str
    how: str
    missing: Callable[[Case], Iterator[str]]
    can_be_accepted: bool = False


def _read(case: Case) -> Iterator[str]:
    for link in case.links:
        if link["state"] != "ok":
            yield f"{link['device']} is {link['state']}"
    if not case.is_open:
        yield f"the cabinet is {case.status['state']}: `firebreak stop`"


def _nothing(case: Case) -> Iterator[str]:
    return iter(())


def _spacing(case: Case) -> Iterator[str]:
    plan = case.header.get("plan")
    if plan is None:
        yield "site.toml has no [plan]"
    elif plan["open"]:
        yield plan["open"]


def _limits(case: Case) -> Iterator[str]:
    if not case.is_approved:
        yield "the limits are not approved here"


def _wiring(case: Case) -> Iterator[str]:
    tests = case.status["proof_tests"]
    yield from tests["wrong"]
    late = [
        test["row"]
        for test in tests["rows"]
        if not test["last"] or test in proof_state.wrong([test])
    ]
    if late:
        more = f" and {len(late) - ROWS_SHOWN} more" if len(late) > ROWS_SHOWN else ""
        rows = f"{', '.join(late[:ROWS_SHOWN])}{more}"
        yield f"{len(late)} of {len(tests['rows'])} tests are not passed or due again: {rows}"


def _sign(case: Case) -> Iterator[str]:
    for unit in sign_tests.held(case.status["proof_tests"]["signs"]):
        yield f"unit {unit} has no passed sign test"


def _running(case: Case) -> Iterator[str]:
    if case.status["state"] != s.STATES[s.RUNNING]:
        yield f"the cabinet is {case.status['state']}"


def _zero(case: Case) -> Iterator[str]:
    rest_W = case.status["rated_W"] * REST_PERMILLE // 1000
    yield from _running(case)
    for name in ("setpoint_W", "battery_W"):
        power_W = case.status[name]
        if power_W is None or abs(power_W) > rest_W:
            yield f"{name} is {'unknown' if power_W is None else power_W}, above {rest_W} W"


def _meters(case: Case) -> Iterator[str]:
    has_meter = any(link["role"] == "meter_grid" for link in case.links)
    if has_meter and case.meter_result != meter_sign.PROVEN:
        reasons = {meter_sign.TESTING: "is in its test", meter_sign.REVERSED: "is reversed"}
        yield f"the grid meter {reasons.get(case.meter_result, 'is not proven')}"


STEPS = {
    "read": Step("every device answers, nothing closes", "`firebreak links`", _read),
    "place": Step("name, serial numbers and place", "read them, then --at TEXT", _nothing),
    "spacing": Step(
        "distances to the neighbours",
        "`firebreak siting PLAN --places FILE`, then [plan] in site.toml",
        _spacing,
        True,
    ),
    "limits": Step("the limits are approved", "`firebreak approve`", _limits),
    "wiring": Step(
        "every wire and every row is tested", "`firebreak test proof record ROW`", _wiring, True
    ),
    "sign": Step("the signs of the powers", "`firebreak test power`, `test sign`", _sign),
    "zero": Step("closed, and no power flows", "`firebreak start`, without a task", _zero),
    "meters": Step("the grid meter's own test", "after a start, in its turn", _meters),
    "load": Step("a person lets it take its part of the load", "--by NAME", _running),
}
assert tuple(STEPS) == joining.STEPS


def missing(case: Case) -> dict[str, list[str]]:
    """{step: its conditions that are not met} of each step that is not noted."""
    return {
        name: list(step.missing(case))
        for name, step in STEPS.items()
        if name not in case.facts["steps"]
    }
