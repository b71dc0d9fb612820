"""Peak shaving: the mean import of every window stays below the limit, whatever the load does."""

import dataclasses
from array import array

import pytest
from cabinet_bench import CONFIG
from hypothesis import given, strategies as st
from views import setup, view

from controller.core.answers import WIDE_W
from controller.core.parameters import CONTROL_PARAMETERS
from controller.core.policies.peak_shaving import PEAK_SHAVING, RANK, SLOTS, PeakShaving
from controller.core.setpoint import O_OBLIGATION_REASON
from hil.engine.simulate import VirtualRig

LIMIT_W = 300_000
SLOT = 20  # ticks: 60 s of 100 ms in 30 slots
WINDOW = SLOTS * SLOT


class Site:
    """A load and a battery that keeps to the import limit at once; `grid`: W per tick."""

    def __init__(self, **settings):
        chosen = {"peak_import_W_max": LIMIT_W, "peak_interval_s": 60, "setpoint_quantum_W": 1}
        self.function = PeakShaving(setup(100, **chosen | settings))
        self.grid, self.allowed_W = [], LIMIT_W

    def run(self, load_W, ticks=1, elapsed=1):
        for _ in range(ticks):
            grid_W = min(load_W, self.allowed_W)
            known = view(grid_W=grid_W, connection_W=load_W)
            (answer,) = self.function.step(known, elapsed)
            self.allowed_W = load_W - answer.low_W
            self.grid += [grid_W] * elapsed
        return answer


LOAD = st.tuples(st.integers(-500_000, 2_000_000), st.integers(1, 3 * SLOT))


@given(st.lists(LOAD, min_size=1, max_size=60))
def test_the_mean_of_every_window_stays_below_the_limit(loads):
    site = Site()
    for load_W, ticks in loads:
        site.run(load_W, ticks)
    imported = [LIMIT_W] * WINDOW + [max(0, grid_W) for grid_W in site.grid]
    for end in range(WINDOW, len(imported) + 1, SLOT):
        assert sum(imported[end - WINDOW : end]) <= LIMIT_W * WINDOW


def test_a_load_above_the_limit_is_held_and_what_was_not_imported_may_be_later():
    answer = Site().run(450_000, WINDOW)
    assert answer == (RANK, 150_000, PEAK_SHAVING, WIDE_W, PEAK_SHAVING)
    site = Site()
    site.run(100_000, WINDOW)
    site.run(400_000, WINDOW)
    # 200 kW were left for the whole window; it fills by 300 kW
    free = WINDOW * 2 // 3
    assert set(site.grid[WINDOW : WINDOW + free - SLOT]) == {400_000}
    assert max(site.grid[WINDOW + free + 5 * SLOT :]) < 110_000
    assert 0.99 < sum(site.grid[WINDOW:]) / (WINDOW * LIMIT_W) <= 1
    assert Site().run(LIMIT_W).low_W == 0
    site = Site()
    site.run(0, WINDOW)
    idle_W = site.allowed_W
    site.run(-200_000, WINDOW)
    assert site.allowed_W == idle_W


@pytest.mark.parametrize("elapsed", [2, 7, SLOT, 3 * SLOT + 1, 10**9])
def test_skipped_ticks_count(elapsed):
    late, single = Site(), Site()
    late.function.step(view(grid_W=120_000, connection_W=0), elapsed)
    for _ in range(min(elapsed, (SLOTS + 1) * SLOT)):
        single.function.step(view(grid_W=120_000, connection_W=0), 1)
    assert late.function.state == single.function.state


def test_while_the_grid_is_unknown_it_counts_as_the_limit_and_nothing_is_obliged():
    site = Site()
    for _ in range(WINDOW):
        assert site.function.step(view(), 1) == ()
    assert site.run(450_000).low_W == 150_000


def test_what_the_grid_meter_shows_counts_also_while_the_rest_is_unknown():
    blind, whole = Site(), Site()
    for grid_W in (0, 500_000):
        assert blind.function.step(view(grid_W=grid_W), SLOT) == ()
        whole.function.step(view(grid_W=grid_W, connection_W=0), SLOT)
    assert blind.function.state == whole.function.state


def test_it_is_off_by_default():
    function = PeakShaving(setup())
    state = array("q", function.state)
    assert function.step(view(grid_W=10**8, connection_W=10**8), 1) == () and not any(state)
    assert function.state == state


@pytest.mark.slow
def test_a_whole_cabinet_keeps_the_mean():
    """The load is 400 kW, the limit 300 kW."""
    names = [row[0] for row in CONTROL_PARAMETERS]
    image = array("i", CONFIG.control_image)
    image[names.index("peak_import_W_max")] = LIMIT_W
    image[names.index("peak_interval_s")] = 60
    settings = dataclasses.replace(CONFIG, control_image=image)
    rig = VirtualRig(settings, lambda t_s: 400_000.0, 1, (), {"soc": 0.55}).run(20)
    core, grid_W, acted = rig.controller.cabinet.core, [], set()
    for _ in range(90 * 50):
        rig.step()
        grid_W.append(core.view.grid_W)
        acted.add(core.out[core.chain_at + O_OBLIGATION_REASON])
    assert PEAK_SHAVING in acted
    assert sum(grid_W[-60 * 50 :]) / (60 * 50) <= LIMIT_W + 500
