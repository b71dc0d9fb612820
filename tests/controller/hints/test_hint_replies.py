"""The effect of a hint; the reason of an end of the available power: a limit before a cap."""

from types import SimpleNamespace

import pytest

from controller.core.base import answers, hint_codes as h, setpoint
from controller.core.policies import hint_outputs as o
from controller.hints import replies
from tests.tables import cases

CAP, LOW, HIGH, GRID_LOW, GRID_HIGH = 401, 212, 213, 303, 304


def chain(limit_W, obligation=None):
    made = setpoint.Chain(20)
    made.take(answers.Limit(limit_W, LOW, limit_W, HIGH))
    if obligation:
        low_W, high_W = obligation
        made.take(answers.Obligation((30, "grid_operator"), low_W, GRID_LOW, high_W, GRID_HIGH))
    return made


@pytest.mark.parametrize(
    "cap_W, reason", [(-99, CAP), (99, CAP), (-100, LOW), (100, HIGH), (-101, LOW), (101, HIGH)]
)
def test_a_limit_is_named_before_a_cap_of_the_same_power(cap_W, reason):
    """The limit remains when the cap expires, so waiting for that is useless."""
    assert replies.end_reason(chain(100), cap_W, CAP) == reason


@cases("""
    obligation  cap_W  reason
    (50, 90)  0  GRID_LOW | (50, 90)  99  GRID_HIGH | (50, 90)  60  CAP | (100, 200)  0  HIGH
    (-200, -100)  0  LOW | (101, 200)  -5  HIGH | (99, 200)  -5  GRID_LOW
""")
def test_an_obligation_is_named_where_it_moves_a_cap_within_the_limits(obligation, cap_W, reason):
    assert replies.end_reason(chain(100, obligation), cap_W, CAP) == reason


@cases("""
    quantity  place  reason  short_W  effect
    h.IMPORT_W_MAX  3  304  7  (h.LIMITED, 107) | h.EXPORT_W_MAX  4  304  7  (h.LIMITED, 107)
    h.IMPORT_W_MAX  4  304  7  (h.GRANTED, 100) | h.EXPORT_W_MAX  3  304  7  (h.GRANTED, 100)
    h.IMPORT_W_MAX  3  304  0  (h.GRANTED, 100) | h.IMPORT_W_MAX  3  303  7  (h.GRANTED, 100)
""")
def test_a_grid_cap_is_short_where_its_own_limit_is(quantity, place, reason, short_W, effect):
    core = SimpleNamespace(out=[0] * 6, out_at={"hint_table": 0}, chain=chain(100))
    core.out[place], trace = 2, core.chain.out
    trace[setpoint.O_OBLIGATION_SHORT_W] = short_W
    trace[setpoint.O_OBLIGATION_SHORT_REASON] = reason
    source = SimpleNamespace(index=1, role="grid_cap")
    hint = SimpleNamespace(quantity=quantity, kind=h.GRID_CAP, value_W=100)
    assert replies.effect(core, source, hint, 100, o.VALID) == effect


def test_a_request_without_quota_has_no_power():
    core = SimpleNamespace(out=[2] + [0] * 5, out_at={"hint_table": 0}, chain=chain(100))
    core.chain.available()
    source, hint = SimpleNamespace(index=1), SimpleNamespace(quantity=h.POWER_W, value_W=50)
    assert replies.effect(core, source, hint, 50, o.VALID) == (h.GRANTED, 50)
    assert replies.effect(core, source, hint, 50, o.RESTING) == (h.RESTING, 0)
