"""The contact of the transfer switch and the converter that forms an island: rows 50b and 56."""

import pytest
from bench import Bench, default_image
from started import running

from safety import matrix as m, means, signals as s
from safety.pace import SOURCE
from safety.source import CLOSED

OFF_GRID_STEPS = 25  # 0.5 s
FULL = 200  # ticks of the means of row 56
FROZEN_STEPS = 250


def off_grid(bench, forming=(0,)):
    """The contact closes, and these units report that they form the grid."""
    bench.hold(s.SOURCE_CODE, 1)
    for unit in forming:
        bench.hold_unit(s.PCS_FORMING, 1, unit)
    return bench


def follows_the_load(bench, unit=0, power_W=30_000, sent_W=0):
    bench.hold_unit(s.PCS_POWER_W, power_W, unit)
    return bench.hold_unit(s.PCS_SENT_W, sent_W, unit)


def is_off_grid(bench):
    return bench.kernel.features.pace.source.is_off_grid()


@pytest.mark.parametrize("steps, is_off", [(24, False), (25, True), (26, True)])
def test_the_contact_counts_once_it_was_closed_for_half_a_second(steps, is_off):
    assert is_off_grid(off_grid(running()).step(steps)) == is_off


def test_a_late_step_does_not_shorten_the_time_of_the_contact():
    assert not is_off_grid(off_grid(running()).step(24, elapsed=20))


@pytest.mark.parametrize("tick_ms, steps", [(10, 50), (100, 5)])
def test_the_time_of_the_contact_is_that_of_the_tick(tick_ms, steps):
    bench = Bench(default_image(tick_ms=tick_ms)).hold(s.SOURCE_CODE, 1).step(steps - 1)
    assert not is_off_grid(bench) and is_off_grid(bench.step())


def test_back_on_the_grid_at_once_and_off_it_after_the_whole_time():
    bench = off_grid(running()).step(OFF_GRID_STEPS)
    assert not is_off_grid(bench.hold(s.SOURCE_CODE, 0).step())
    assert not is_off_grid(bench.hold(s.SOURCE_CODE, 1).step(OFF_GRID_STEPS - 1))
    assert is_off_grid(bench.step())


@pytest.mark.parametrize("silent_steps, is_off", [(25, True), (26, False)])
def test_a_silent_module_counts_as_the_grid(silent_steps, is_off):
    bench = off_grid(running()).step(OFF_GRID_STEPS + 1)
    assert is_off_grid(bench.silence(s.G_IO_3).step(silent_steps)) == is_off


def test_before_the_module_was_heard_the_source_is_the_grid():
    bench = Bench(default_image()).hold(s.SOURCE_CODE, 1).silence(s.G_IO_3).step(100)
    assert not is_off_grid(bench) and bench.kernel.features.pace.words[SOURCE + CLOSED] == 0


def test_the_time_on_the_grid_has_an_end():
    source = running().step(3, elapsed=1_000_000).kernel.features.pace.source
    assert source.on_grid_ticks() == 1_000_000


@pytest.mark.parametrize("sent_W, power_W", [(0, 30_000), (0, -30_000), (100_000, -100_000)])
def test_a_converter_that_forms_the_grid_is_left_out_off_the_grid_alone(sent_W, power_W):
    for forming, closed, stops in (((0,), 1, False), ((), 1, True), ((0,), 0, True)):
        bench = off_grid(running(), forming).hold(s.SOURCE_CODE, closed).step(OFF_GRID_STEPS)
        follows_the_load(bench, 0, power_W, sent_W).step(2 * FULL)
        assert ("56a" in bench.standing()) == stops, (forming, closed)


@pytest.mark.parametrize("forms", [False, True])
def test_a_converter_that_forms_the_grid_owes_no_set_point(forms):
    bench = off_grid(running(), (0,) if forms else ()).step(OFF_GRID_STEPS)
    follows_the_load(bench, 0, 0, 100_000).step(2 * FULL)
    assert ("56b" in bench.standing()) != forms


def test_a_converter_that_forms_the_grid_excuses_no_other():
    bench = Bench(default_image(units=2, racks=2)).run().step(FULL)
    off_grid(bench, (0,)).step(OFF_GRID_STEPS)
    for unit in (0, 1):
        follows_the_load(bench, unit)
    evaluator = bench.step(FULL).kernel.evaluator
    active = [at for at in range(evaluator.count) if evaluator.active[at]]
    assert [evaluator.block[at] for at in active if m.STAGES[evaluator.stage[at]][0] == "56a"] == [
        2
    ]


def values(bench):
    return [bench.of_unit(each) for each in (m.F_PCS_BEYOND_PERMILLE, m.F_PCS_SHORT_PERMILLE)]


def test_an_alarm_of_the_grid_ends_in_the_island_and_a_latch_stays():
    bench = follows_the_load(running(), 0, 0, 100_000).step(2 * FULL)
    assert "56b" in bench.standing()
    off_grid(bench).step(OFF_GRID_STEPS)
    assert values(bench) == [(0, m.KNOWN)] * 2
    assert "56b" not in bench.step(51).standing()
    bench = follows_the_load(running()).step(2 * FULL)
    assert "56a" in off_grid(bench).step(2 * FULL).standing()


@pytest.mark.parametrize("steps, known", [(FULL - 1, 0), (FULL, 1)])
def test_back_on_the_grid_the_means_begin_anew(steps, known):
    bench = follows_the_load(off_grid(running())).step(FULL)
    bench.hold(s.SOURCE_CODE, 0).step(steps)
    assert [each[1] for each in values(bench)] == [known] * 2


def test_back_on_the_grid_the_row_trips_after_its_means_and_its_second():
    bench = follows_the_load(off_grid(running())).step(FULL)
    assert "56a" not in bench.hold(s.SOURCE_CODE, 0).step(FULL + 48).standing()
    assert "56a" in bench.step().standing()


def test_a_converter_that_is_silent_in_the_island_is_unknown():
    bench = off_grid(running()).step(OFF_GRID_STEPS)
    bench.silence(bench.layout.unit_group(0, s.G_PCS_MEASURE)).step(101)
    assert [each[1] for each in values(bench)] == [0, 0]


def test_the_window_of_the_means_is_that_of_this_test():
    assert means.BLOCKS * means.BLOCK_MS == FULL * 20


def test_off_the_grid_the_grid_meter_may_stand_still_and_the_load_meter_may_not():
    for signal, trips in ((s.GRID_RAW_HASH, False), (s.LOAD_RAW_HASH, True)):
        bench = off_grid(running()).step(OFF_GRID_STEPS).hold(signal, 7).step(2 * FROZEN_STEPS)
        assert ("50b" in bench.standing()) == trips
        assert bench.out[s.OBLIGATIONS_OK] == 0, "of a frozen meter, off the grid too"


def test_a_meter_that_was_frozen_on_the_grid_forbids_no_charging_off_it():
    bench = running().hold(s.GRID_RAW_HASH, 7).step(FROZEN_STEPS + 1)
    assert "50b" in bench.standing()
    assert "50b" not in off_grid(bench).step(OFF_GRID_STEPS + 50).standing()


@pytest.mark.parametrize("steps, trips", [(249, False), (250, True)])
def test_back_on_the_grid_a_meter_has_its_time_anew(steps, trips):
    bench = off_grid(running()).hold(s.GRID_RAW_HASH, 7).step(2 * FROZEN_STEPS)
    bench.hold(s.SOURCE_CODE, 0).step(steps)
    assert ("50b" in bench.standing()) == trips
    assert bench.of(m.F_METER_FROZEN_MS)[0] == steps * 20
