"""The reason of an end of the available power: the last that moved it, a limit before a cap."""

import pytest

from controller.core import answers, setpoint
from controller.hints import replies
from tests.tables import cases

CAP, LOW, HIGH, GRID_LOW, GRID_HIGH = 401, 212, 213, 303, 304


def chain(limit_W, obligation=None):
    made = setpoint.Chain({"setpoint_ramp_W_per_s": 1000}, 20)
    made.take(answers.Limit(limit_W, LOW, limit_W, HIGH))
    if obligation:
        low_W, high_W = obligation
        made.take(answers.Obligation((30, "grid_operator"), low_W, GRID_LOW, high_W, GRID_HIGH))
    return made


@pytest.mark.parametrize(
    "cap_W, reason", [(-99, CAP), (99, CAP), (-100, LOW), (100, HIGH), (-101, LOW), (101, HIGH)]
)
def test_a_limit_is_named_before_a_cap_of_the_same_power(cap_W, reason):
    """The limit remains when the cap expires, so nobody should wait for that."""
    assert replies.end_reason(chain(100), cap_W, CAP) == reason


@cases("""
    obligation  cap_W  reason
    (50, 90)  0  GRID_LOW | (50, 90)  99  GRID_HIGH | (50, 90)  60  CAP | (100, 200)  0  HIGH
    (-200, -100)  0  LOW | (101, 200)  -5  HIGH | (99, 200)  -5  GRID_LOW
""")
def test_an_obligation_is_named_where_it_moves_a_cap_within_the_limits(obligation, cap_W, reason):
    assert replies.end_reason(chain(100, obligation), cap_W, CAP) == reason
