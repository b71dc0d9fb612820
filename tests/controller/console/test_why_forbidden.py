"""The first lines of `why` while no power is asked for: a direction that limits forbid is named."""

import pytest

from controller.console.pages import causes, why
from controller.state import base

SILENT = base.reason(226)  # an interlock row allows no charge power


@pytest.mark.parametrize(
    "low_W, high_W, words",
    [
        (-1, 1, "Nothing holds it back."),
        (0, 1, "No charging is permitted: R226 "),
        (-1, 0, "No discharging is permitted: R226 "),
        (0, 0, "No power is permitted: R226 "),
    ],
)
def test_a_forbidden_direction_is_named(low_W, high_W, words, monkeypatch):
    monkeypatch.setattr(causes, "request", lambda facts: "")
    limits = {"low_W": low_W, "high_W": high_W, "low_reason": SILENT, "high_reason": SILENT}
    limits |= {"low_cause": None, "high_cause": None}
    facts = {"binding": None, "cause": None, "limits": limits, "setpoint_W": 0}
    assert why._answer(facts)[1].startswith(words)
