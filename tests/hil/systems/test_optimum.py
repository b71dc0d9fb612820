"""The bound of a bill and of a peak: cases solved by hand, and no run that does better."""

import numpy as np
import pytest
from test_systems import made, result_of

from controller.planner.planning import HARD_PART
from hil.systems import (
    command,
    figures,
    optimum,
    run,
    schedule_alone,
    series as system_series,
    spec,
)

SMALL = {"units": 1, "racks_per_unit": 3, "rated_W": 50_000, "energy_Wh": 645_000}


def test_the_lowest_bill_moves_the_dear_half_hour_into_the_cheap_one():
    """200 kW, 0.1 then 0.5 a kWh: 100 kWh are given, which took 100 / 0.945 kWh."""
    result = made(1)
    result.series.price[:] = [0.1, 0.1, 0.5, 0.5]
    assert optimum.bill(result).total == pytest.approx(10 + 10 / 0.945, abs=0.01)
    assert figures.cheaper(1)(result) == (
        pytest.approx(0.0),
        pytest.approx(100 * (1 - (10 + 10 / 0.945) / 60), abs=0.02),
        pytest.approx(60.0),
    )
    by_power = made(1, battery=SMALL)  # 50 kW: 25 kWh are taken
    by_power.series.price[:] = [0.1, 0.1, 0.5, 0.5]
    assert optimum.bill(by_power).total == pytest.approx(60 + 2.5 - 12.5 * 0.945, abs=0.01)


def test_the_lowest_bill_uses_the_sun_and_may_spill_it():
    """A surplus of 100 kW in a slot whose price is below zero: nothing is paid for its export."""
    result = made(1)
    result.series.pv_W[:] = [3e5, 0, 0, 0]
    result.series.price[:] = [-0.1, 0.2, 0.2, 0.2]
    # the slot imports 200 kW of load, 250 kW into the battery: 112.5 kWh for which money comes in
    assert optimum.bill(result).total == pytest.approx(
        -11.25 + 0.2 * (150 - 62.5 * 0.945), abs=0.01
    )


def test_an_optimum_that_ends_as_empty_as_the_run_may_spend_the_first_charge():
    result = made(1)
    before = optimum.bill(result).total
    result.soc[-1] -= 0.1
    assert optimum.bill(result).total < before - 0.1 * 64.5 * 0.9


@pytest.mark.parametrize("name", spec.NAMES)
def test_no_schedule_is_cheaper_than_the_optimum(name):
    chosen = spec.load(name)._replace(days=1, events=[])
    found = system_series.series_of(chosen, {})
    way = schedule_alone.followed(chosen, found, system_series.before_of(chosen, {}), {})
    result = result_of(chosen, found, np.array(way.done.grid_W))
    result.soc[:] = HARD_PART
    gained = way.done.gained_J / 3600 / chosen.size.energy_Wh
    result.soc[0], result.soc[-1] = 1.0, chosen.soc_permille / 1000 + gained
    paid, without, _ = figures.bills(result)
    assert optimum.bill(result).total <= paid.total + 0.01 < without.total * 1.2


@pytest.mark.whole
@pytest.mark.parametrize("name", spec.NAMES)
def test_no_run_is_cheaper_than_the_optimum(name):
    result = run.run(spec.load(name)._replace(days=1, events=[]))
    paid = figures.bills(result)[0]
    assert optimum.bill(result).total <= paid.total + 0.01


def test_without_the_solver_a_bound_is_not_known_and_a_line_says_so(monkeypatch):
    monkeypatch.setattr(optimum, "highspy", None)
    result = made(figure=[{"name": "battery_saves", "text": "saved", "status": "projected"}])
    assert figures.of(result)[0].optimum is None
    monkeypatch.setattr(command.sizing, "lines", lambda result: [])  # it wants whole days
    document = command.document("munich", "", result)
    assert f"  {optimum.MISSING}" in command.lines(document)


def test_the_solver_prints_nothing(capfd):
    optimum.bill(made(1))
    assert capfd.readouterr().out == ""
