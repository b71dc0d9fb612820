"""The path delay that the steps of the grid meter's test measure, and which delay tracking uses."""

import meter_trials as trials
import pytest
from test_meter_sign import SYMBOL_TICKS, TICKS_PER_S, Site
from views import both, setup

from controller.core.policies import meter_sign as mp, path_delay
from controller.core.policies.path_delay import PathDelay
from tests.tables import cases

STORED_MS = 333


def proven(delay_ticks=9, **settings):
    """A site after its test: of 15 symbols, whatever its chips are."""
    site = Site(delay_ticks=delay_ticks, **settings)
    while site.tick().result == mp.TESTING:
        assert site.proof.out[mp.O_SYMBOLS] < 15
    return site.tick()


def used(site):
    """(measured or stored, source, what tracking sees)."""
    out = site.proof.out
    return out[mp.O_DELAY_MS], out[mp.O_DELAY_SOURCE], site.view.path_delay_ms


@pytest.mark.parametrize("delay_ticks", [2, 3, 9, 17])
@pytest.mark.parametrize("fitted", [1, 0])
def test_a_known_delay_is_measured_to_the_tick(delay_ticks, fitted):
    site = proven(delay_ticks, load_meter_fitted=fitted)
    assert site.result == mp.PROVEN
    assert used(site) == (20 * delay_ticks, path_delay.MEASURED, 20 * delay_ticks)


@pytest.mark.parametrize("difference_ms", [-25, 0, 40])
def test_the_difference_of_the_meters_is_added(difference_ms):
    site = proven(meter_delay_difference_ms=difference_ms)
    assert used(site)[0] == 180 + difference_ms


def test_a_difference_larger_than_the_delay_leaves_one_that_is_not_believed():
    assert used(proven(meter_delay_difference_ms=-500)) == (1, path_delay.NOT_BELIEVED, 0)


@cases("""
    low_ms  high_ms  is_believed
    179  500  1 | 180  500  1 | 181  500  0 | 40  179  0 | 40  180  1 | 40  181  1
""")
def test_a_delay_outside_of_the_range_is_not_believed(low_ms, high_ms, is_believed):
    site = proven(track_path_delay_ms_min=low_ms, track_path_delay_ms_max=high_ms)
    believed, doubted = (180, path_delay.MEASURED, 180), (180, path_delay.NOT_BELIEVED, 0)
    assert used(site) == (believed if is_believed else doubted)


@pytest.mark.parametrize(
    "stored_ms, source", [(39, 3), (40, 2), (41, 2), (499, 2), (500, 2), (501, 3), (0, 0)]
)
def test_a_stored_delay_is_used_within_the_range(stored_ms, source):
    site = Site()
    site.view.stored_path_delay_ms = stored_ms
    site.tick()
    assert used(site) == (stored_ms, source, stored_ms if source == path_delay.STORED else 0)


def test_the_stored_delay_is_used_until_a_start_has_measured():
    site = Site(delay_ticks=9)
    site.view.stored_path_delay_ms = STORED_MS
    site.view.is_running = False
    assert used(site.tick()) == (STORED_MS, path_delay.STORED, STORED_MS)
    site.view.is_running = True
    assert used(site.tick(15 * SYMBOL_TICKS)) == (STORED_MS, path_delay.STORED, STORED_MS)
    assert site.result == mp.PROVEN
    assert used(site.tick()) == (180, path_delay.MEASURED, 180)
    site.view.is_running = False
    assert used(site.tick(100)) == (180, path_delay.MEASURED, 180), "as long as the process"


@pytest.mark.parametrize("sign", [1 / 3, -1])
def test_a_test_that_does_not_prove_the_meter_measures_nothing(sign):
    site = Site(sign, delay_ticks=9)
    site.view.stored_path_delay_ms = STORED_MS
    site.tick(70 * TICKS_PER_S)
    assert site.result in (mp.UNDECIDED, mp.REVERSED)
    assert used(site) == (STORED_MS, path_delay.STORED, STORED_MS)


def test_without_a_code_nothing_is_measured():
    site = Site(meter_code_permille=0).tick(20 * TICKS_PER_S)
    assert used(site) == (0, path_delay.NOMINAL, 0)


def test_a_converter_with_a_ramp_shows_its_mean_delay():
    """Five ticks of dead time and a ramp of 2 kW a tick: the step of 10 kW takes five ticks."""
    site = Site(delay_ticks=5)
    power_W = 0

    def battery(sent_W):
        nonlocal power_W
        power_W += max(-2000, min(2000, sent_W - power_W))
        return power_W

    site.battery = battery
    site.tick(15 * SYMBOL_TICKS + 1)
    assert used(site)[0] == (5 + 2) * 20


def fed(delays_ticks, chip_ticks=24, missing_tick=None):
    """PathDelay after steps with these delays, of one sign in turn with the other."""
    found = PathDelay(20, 5000)
    found.begin(18 * 20)
    level_W = 5000
    for chip, delay_ticks in enumerate([0, *delays_ticks]):
        for tick in range(chip_ticks):
            if tick != missing_tick:
                found.add(chip, level_W if tick >= delay_ticks else -level_W)
        found.end_chip(chip_ticks, level_W, -level_W, -level_W)
        level_W = -level_W
    return found


@cases("""
    delays_ticks  missing_tick  mean_ms
    [9] * 7  None  0 | [9] * 8  None  180 | [9] * 9  None  180  # it takes eight steps
    [9] * 20  0  0 | [9] * 20  9  0 | [9] * 20  22  0  # a chip with a missing tick does not count
    [18] * 8  None  360 | [19] * 8  None  0  # a longer one than 18 of 24 ticks is not seen whole
    [9] * 8 + [19] * 8  None  180 | [9] * 8 + [19] * 9  None  0  # more than half must be good
    [8] * 5 + [12] * 5  None  200 | [8] * 6 + [12] * 5  None  0  # middle half: 2/5 of the mean wide
    [1, 2, *[9] * 12, 16, 17]  None  180  # a few steps that the load has spoilt
    [9] * 200  None  180  # no more are kept than there is room for
""")
def test_the_mean_is_that_of_enough_good_steps_that_agree(delays_ticks, missing_tick, mean_ms):
    assert fed(delays_ticks, missing_tick=missing_tick).mean_ms() == mean_ms


@pytest.mark.parametrize("load", ["square 2 s", "random steps, 0.5 s", "square 0.3 s"])
@pytest.mark.parametrize("path", trials.PATHS)
def test_edges_of_a_load_100_times_the_code_do_not_reach_the_delay(load, path):
    tried = [trials.Trial(load, "right", True, f"edges {count}", path) for count in range(10)]
    found = [trials.result_of(trial) for trial in tried]
    for each in found:
        if each.measured_ms:
            assert abs(each.measured_ms - each.true_ms) <= max(15, 0.15 * each.true_ms)
        assert each.code == mp.PROVEN or not each.measured_ms
    if path == "fast meter":
        assert all(each.measured_ms for each in found)


def test_a_chip_is_no_multiple_of_the_refresh_of_the_meter():
    """250 + 110 ms would be 24 ticks; at a refresh of 60 ms they always met it at one moment."""
    for sample_ms, chip_ticks in ((10, 24), (20, 24), (40, 25), (60, 25), (100, 24), (240, 25)):
        proof = Site(track_sample_ms=sample_ms, track_path_delay_ms_max=250).proof
        site = Site(track_sample_ms=sample_ms)
        first_W = site.tick(2).sent_W
        ticks = 2
        while site.tick().sent_W == first_W:
            ticks += 1
        assert ticks == chip_ticks, sample_ms
        assert proof.out[mp.O_RESULT] == mp.PROVEN


@pytest.mark.parametrize("difference_ms, chip_ticks", [(-100, 29), (0, 24), (100, 19), (600, 11)])
def test_chips_fit_the_path_of_the_grid_meter(difference_ms, chip_ticks):
    """250 ms - difference + 220 ms; a difference beyond the nominal delay leaves the 220 ms."""
    site = Site(meter_delay_difference_ms=difference_ms)
    site.tick(15 * 2 * chip_ticks - 1)
    assert site.result == mp.TESTING and site.tick().result == mp.PROVEN


def test_it_goes_on_from_its_words():
    first = Site(delay_ticks=9).tick(7 * SYMBOL_TICKS + 5)
    second = mp.MeterSign(setup(meter_code_permille=20))
    before = first.proof
    for block, words in zip(second.arrays(), before.arrays()):
        block[:] = words
    for _ in range(9 * SYMBOL_TICKS):
        first.tick()
        second.step(*both(**vars(first.view)), 1)
        assert second.arrays() == before.arrays()
    assert second.state.delay_ms == 180
