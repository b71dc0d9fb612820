"""The mode of the site: the table, its delays, an unknown contact, restarts."""

import pytest
from views import Tick, device, setup, site_of

from controller.core.base import reasons
from controller.core.policies import modes
from controller.core.policies.known import GRID as ON, ISLAND as OFF
from controller.core.policies.modes import BLACK_START, GRID, HAND_OVER, ISLAND, RETURN
from tests.tables import cases

# 20 ms: 2 s are 100 ticks, and 30 s are 1500; the tick in which it begins counts from 0
SETTLE, RETURN_TICKS = 101, 1501
FORMED = {"source": OFF, "is_forming": True}
DEAD = {"source": OFF, "battery_W": 0}
BACK = {"source": ON}


class Bench:
    def __init__(self, *devices):
        self.site = site_of(devices)
        self.made = setup(site=self.site)
        self.function = modes.Modes(self.made)

    def tick(self, ticks=1, elapsed=1, **known):
        """The mode after so many ticks."""
        for _ in range(ticks):
            self.view = Tick(site=self.site, **known)
            assert self.function.step(self.view, self.view, elapsed) == ()
        return self.view.mode

    def at(self, mode):
        """Bring it about from the grid."""
        if mode != GRID:
            self.tick(**FORMED)
        if mode in (ISLAND, RETURN):
            self.tick(SETTLE, **FORMED)
        if mode == BLACK_START:
            self.tick(SETTLE, **DEAD)
        if mode == RETURN:
            self.tick(**BACK)
        assert self.function.state.mode == mode
        return self


@cases("""
    mode  known  ticks  following
    GRID  FORMED  1  HAND_OVER | GRID  DEAD  1  HAND_OVER | GRID  BACK  5000  GRID
    HAND_OVER  FORMED  SETTLE - 1  HAND_OVER | HAND_OVER  FORMED  SETTLE  ISLAND
    HAND_OVER  DEAD  SETTLE - 1  HAND_OVER | HAND_OVER  DEAD  SETTLE  BLACK_START
    HAND_OVER  BACK  1  RETURN | ISLAND  BACK  1  RETURN | BLACK_START  BACK  1  RETURN
    ISLAND  FORMED  5000  ISLAND | ISLAND  DEAD  SETTLE - 1  ISLAND
    ISLAND  DEAD  SETTLE  BLACK_START
    BLACK_START  DEAD  5000  BLACK_START | BLACK_START  FORMED  SETTLE - 1  BLACK_START
    BLACK_START  FORMED  SETTLE  ISLAND | RETURN  FORMED  1  HAND_OVER
    RETURN  BACK  RETURN_TICKS - 1  RETURN | RETURN  BACK  RETURN_TICKS  GRID
""")
def test_each_mode_follows_when_the_bus_has_shown_it_for_its_time(mode, known, ticks, following):
    assert Bench().at(mode).tick(ticks, **known) == following


def test_an_unknown_contact_counts_as_grid_but_ends_no_return():
    bench = Bench()
    assert bench.tick(5000, source=None) == GRID
    bench.at(ISLAND)
    assert bench.tick(5000, source=None) == RETURN
    assert bench.tick(RETURN_TICKS - 2, **BACK) == RETURN and bench.tick(**BACK) == GRID


@cases("""
    shown  mode
    {"battery_W": -999}  BLACK_START | {"load_meter_W": 0}  ISLAND
    {"load_meter_W": 0, "is_load_low": True}  BLACK_START
    {"battery_W": -1000}  ISLAND
    {"battery_W": None}  HAND_OVER
""")
def test_a_bus_is_dead_where_nothing_shows_a_voltage_and_the_converter_is_heard(shown, mode):
    bench = Bench().at(HAND_OVER)
    assert bench.tick(5000, **DEAD | shown) == mode


def test_a_generator_set_that_runs_carries_the_bus():
    bench = Bench(device("genset"))
    bench.site.inp[1] = 1
    bench.site.step(bytes([1] * 4), 1)
    assert bench.at(HAND_OVER).tick(5000, **DEAD) == ISLAND
    bench.site.step(bytes(4), 150)  # silent for 3 s
    assert bench.tick(5000, **DEAD) == BLACK_START


def test_a_set_that_gives_power_carries_the_bus_although_it_reports_a_stopped_engine():
    bench = Bench(device("genset", rated_W=100_000))
    for power_W, mode in ((999, BLACK_START), (1000, ISLAND)):
        bench.site.inp[0] = power_W
        bench.site.step(bytes([1]), 1)
        assert bench.at(HAND_OVER).tick(5000, **DEAD) == mode
        bench.function.state.mode = GRID


def test_a_load_meter_that_reads_no_load_ends_the_black_start():
    bench, unseen = Bench().at(BLACK_START), DEAD | {"load_meter_W": 0}
    assert bench.tick(SETTLE - 1, **unseen) == BLACK_START and bench.tick(**unseen) == ISLAND


def test_a_flickering_bus_begins_its_time_anew_and_missed_ticks_count():
    bench = Bench().at(HAND_OVER)
    for _ in range(3):
        assert bench.tick(SETTLE - 2, **FORMED) == bench.tick(**DEAD) == HAND_OVER
    assert bench.tick(**FORMED) == HAND_OVER
    assert bench.tick(elapsed=99, **FORMED) == HAND_OVER and bench.tick(**FORMED) == ISLAND


@pytest.mark.parametrize("mode", range(5))
def test_the_mode_is_found_and_published_after_a_restart_from_the_state(mode):
    bench, known = Bench().at(mode), DEAD if mode == BLACK_START else FORMED
    again = Bench()
    for block, stored in zip(again.function.arrays(), bench.function.arrays()):
        block[:] = stored
    assert again.tick(**known if mode in modes.OFF_GRID else BACK) == mode
    is_off_grid = mode in (HAND_OVER, ISLAND, BLACK_START)
    found = again.view
    assert found.is_off_grid == is_off_grid and again.function.out[0] == reasons.MODE + mode
