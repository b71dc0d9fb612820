"""The sequence of a generator set."""

import pytest

from hil.site import genset
from hil.site.genset import COOLING, FAILED, LOADED, STOPPED
from tests.tables import cases

CRANK, REST, WARM = (genset.CRANKING, 10), (genset.RESTING, 10), (genset.WARMING, 5)


def made(**settings):
    return genset.Genset({"rated_W": 100_000, **settings})


def states(one, seconds, load_W=1e6):
    """[(state, seconds in it)]; the last one goes on."""
    found = []
    for _ in range(seconds * 10):
        one.step(0.0, 0.1, load_W)
        if not found or found[-1][0] != one.state:
            found.append([one.state, 0.0])
        found[-1][1] += 0.1
    return [(state, pytest.approx(length_s, abs=0.11)) for state, length_s in found]


@cases("""failed_starts  expected
    0  [CRANK, WARM, (LOADED, 105)]
    1  [CRANK, REST, CRANK, WARM, (LOADED, 85)]
    3  [CRANK, REST, CRANK, REST, CRANK, (FAILED, 70)]
""")
def test_a_start_cranks_rests_warms_up_or_fails(failed_starts, expected):
    one = made(failed_starts=failed_starts)
    one.ask("run", 1)
    assert states(one, 120) == expected
    assert one.signals()["is_ready_ok"] == (expected[-1][0] != FAILED)
    assert one.signals()["is_running"] == (expected[-1][0] == LOADED)


def test_it_ramps_to_its_base_keeps_its_least_load_and_cools_down():
    one = made()
    one.called = True
    states(one, 15)
    seen_W = []
    for _ in range(80):
        one.step(0.0, 0.1, 1e6)
        seen_W.append(one.feeds_W)
    assert seen_W[9] == pytest.approx(10_000, abs=1100) and seen_W[-1] == 70_000
    states(one, 5, 50_000)
    assert one.feeds_W == 50_000
    states(one, 5, 10_000)
    assert one.feeds_W == 30_000
    one.called = False
    assert states(one, 70) == [(COOLING, 60), (STOPPED, 10)]
    assert one.feeds_W == 0


def test_fuel_is_burnt_by_the_energy_and_an_empty_tank_stops_it():
    one = made(base_permille=1000, tank_l=100, fuel_permille=500, start_s=0, warm_up_s=0)
    one.ask("run", 1)
    states(one, 3600)  # 100 kWh at 0.22 l each
    assert one.fuel_l == pytest.approx(50 - 22, abs=0.1)
    assert one.signals()["fuel_permille"] == pytest.approx(280, abs=1)
    states(one, 5000)
    assert (one.state, one.feeds_W, one.fuel_l) == (STOPPED, 0, 0)
