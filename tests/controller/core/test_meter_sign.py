"""The coded step: what it decides, and when it does not."""

from types import SimpleNamespace

import meter_trials as trials
import pytest
from views import Tick, both, device, setup, site_of

from controller.core.policies import meter_sign as mp, modes
from controller.core.policies.meter_watch import MeterWatch
from controller.core.site_devices import layout

TICKS_PER_S = 50
SYMBOL_TICKS = 48  # 2 x (250 ms of the path, 100 of the meter and 120 ms), in whole ticks
LONG_TICKS = 68  # 2 x (500 ms of the longest path, 50 of the meter and 120 ms)
TEST_S_MAX = 70


class Site:
    """A battery that follows after `delay_ticks`, a load, and a grid meter that shows `sign` of
    both.
    """

    def __init__(self, sign=1, delay_ticks=1, **settings):
        self.past_W, self.battery = [0] * (delay_ticks - 1), lambda sent_W: sent_W
        self.proof = mp.MeterSign(setup(**{"meter_code_permille": 20, **settings}))
        self.sign, self.view, self.load_W = sign, Tick(is_running=True), 300_000
        self.sent_W, self.limit_W, self.asked_W, self.seconds = 0, 250_000, 0, 0
        self.drift_W = self.hidden_W = 0  # of what no load meter sees: in a tick, so far
        self.has_load_meter = settings.get("load_meter_fitted", 1)

    def tick(self, ticks=1, elapsed_ticks=1):
        known = self.view
        for _ in range(ticks):
            self.past_W.append(self.sent_W)
            given_W = self.battery(self.past_W.pop(0))
            known.battery_W = max(-self.limit_W, min(self.limit_W, given_W))
            known.load_meter_W = self.load_W if self.has_load_meter else None
            self.hidden_W += self.drift_W
            known.grid_meter_W = round(self.sign * (self.load_W + self.hidden_W - known.battery_W))
            known.setpoint_W = self.sent_W
            answers = self.proof.step(known, known, elapsed_ticks)
            self.sent_W = answers[0].low_W if answers else self.asked_W
        return self

    @property
    def result(self):
        return self.proof.out[0]


@pytest.mark.parametrize("fitted", [1, 0])
@pytest.mark.parametrize("sign, result", [(1, mp.PROVEN), (-1, mp.REVERSED)])
def test_a_quiet_load_decides_with_the_fifteenth_symbol(sign, result, fitted):
    site = Site(sign, load_meter_fitted=fitted).tick(15 * SYMBOL_TICKS - 1)
    assert (site.result, abs(site.sent_W)) == (mp.TESTING, 5000)
    assert site.tick().result == result and site.proof.out[1] == 15
    assert site.tick().sent_W == 0


@pytest.mark.parametrize("sign, wait_s", [(0, 0), (1 / 3, 0), (-1 / 3, 0), (2, 30)])
def test_what_does_not_answer_as_large_is_undecided_and_tried_again_in_15_min(sign, wait_s):
    """A cabinet that has had its turn once does not wait for the others again."""
    site = Site(sign, meter_code_wait_s=wait_s).tick((3 + wait_s) * TICKS_PER_S)
    assert site.result == mp.TESTING
    while site.tick().result == mp.TESTING:
        assert site.proof.state.ticks < (TEST_S_MAX + wait_s) * TICKS_PER_S
    assert site.result == mp.UNDECIDED and not site.tick().sent_W
    site.sign = 1
    assert site.tick(900 * TICKS_PER_S - 2).result == mp.UNDECIDED
    assert site.tick(2).result == mp.TESTING and abs(site.sent_W) == 5000
    assert site.tick(15 * SYMBOL_TICKS).result == mp.PROVEN and site.proof.out[1] == 15


@pytest.mark.parametrize("sign, result", [(1, mp.PROVEN), (-1, mp.REVERSED)])
@pytest.mark.parametrize("drift_W, is_decided", [(416, 1), (-416, 1), (417, 0), (-417, 0)])
def test_a_drift_of_two_codes_in_a_chip_still_decides(sign, result, drift_W, is_decided):
    """PV under a cloud, or the battery of another cabinet: of 10 kW in a chip of 24 ticks."""
    site = Site(sign).tick(SYMBOL_TICKS)
    site.drift_W = drift_W
    finished(site)
    assert site.result == (result if is_decided else mp.UNDECIDED)
    assert site.proof.state.delay_ms == 0


@pytest.mark.parametrize("sign, result", [(1, mp.PROVEN), (-1, mp.REVERSED)])
def test_a_training_job_that_no_load_meter_sees_costs_symbols_and_not_the_test(sign, result):
    """Each 10.9 s the load rises by 5 codes within 2 s, and falls at once for 2 s: symbols
    beside the ramps are void, and short chips that are ahead take the time of the long ones too.
    """
    site = Site(sign, load_meter_fitted=0, track_path_delay_ms=500, track_path_delay_ms_max=700)
    while site.tick().result == mp.TESTING:
        phase_s = site.proof.state.ticks / TICKS_PER_S % 10.9
        site.hidden_W = 25_000 * min(phase_s / 2, 1) * (phase_s < 8.9)
    assert (site.result, site.proof.state.is_long) == (result, 0)


@pytest.mark.parametrize("fitted", [0, 1])
@pytest.mark.parametrize(
    "tick_W, edge_W, taken", [(200, 0, "00011"), (50, 0, "11111"), (0, 8000, "00111")]
)
def test_without_a_load_meter_a_ramp_counts_from_its_fourth_symbol_on(
    tick_W, edge_W, taken, fitted
):
    """A drift of 1 code in a chip, one of 1 / 4, and an edge between two chips."""
    site, found = Site(load_meter_fitted=fitted).tick(SYMBOL_TICKS * 2), ""
    site.drift_W = tick_W
    for moved_W in (edge_W, 0, 0, 0, 0):
        before = site.proof.statistics.right
        site.tick(SYMBOL_TICKS // 2).hidden_W += moved_W
        found += str(int(site.tick(SYMBOL_TICKS // 2).proof.statistics.right != before))
    assert found == ("11111" if fitted else taken)


def test_no_drift_is_known_from_a_symbol_with_a_gap():
    """The gap covers the end of the first symbol and the start of the second."""
    site = Site()
    site.drift_W = 200
    site.tick(SYMBOL_TICKS - 1).tick(1, elapsed_ticks=2).tick(SYMBOL_TICKS - 1)
    assert site.tick(SYMBOL_TICKS).proof.drift.state.drift_W == 0
    assert site.tick(SYMBOL_TICKS).proof.drift.state.drift_W == SYMBOL_TICKS // 2 * 200


@pytest.mark.parametrize(
    "ticks, before, at_rest", [(800, mp.REVERSED, mp.REVERSED), (99, mp.TESTING, mp.PROVEN)]
)
def test_at_rest_nothing_is_asked_and_every_start_is_a_test(ticks, before, at_rest):
    site = Site(-1).tick(ticks)
    assert site.result == before
    site.view.is_running = False
    assert site.tick(3).result == at_rest and site.sent_W == 0
    site.view.is_running = True
    assert site.tick().result == mp.TESTING


def test_off_the_grid_a_test_ends_and_begins_anew_on_the_grid_a_proven_meter_stays_proven():
    site = Site().tick(3 * SYMBOL_TICKS)
    site.proof.hold(site.view, site.view, 1)
    assert site.tick().proof.out[1] == 0
    assert site.tick(15 * SYMBOL_TICKS - 1).result == mp.PROVEN
    site.proof.hold(site.view, site.view, 1)
    assert site.tick().result == mp.PROVEN


def test_cabinets_on_one_connection_take_turns():
    site = Site(meter_code_wait_s=30).tick(30 * TICKS_PER_S)
    assert (site.result, site.sent_W) == (mp.TESTING, 0)
    assert abs(site.tick().sent_W) == 5000


@pytest.mark.parametrize("name", ["grid_meter_W", "battery_W", "load_meter_W", "late"])
def test_a_symbol_with_a_gap_does_not_count(name):
    """One tick of each symbol, and nothing is decided."""
    site = Site()
    for _ in range(15):
        site.tick(SYMBOL_TICKS - 3)
        if name == "late":
            site.tick(1, elapsed_ticks=2).tick()
        else:
            step = site.proof.step
            site.proof.step = lambda known, _, ticks: step(*both(**vars(known) | {name: None}), 1)
            site.tick()
            site.proof.step = step
            site.tick(2)
    assert site.proof.statistics.right == (1 << 30) * 7 // 8
    assert site.proof.state.delay_ms == 0


@pytest.mark.parametrize("limit_W, result", [(0, mp.UNDECIDED), (2400, mp.UNDECIDED), (2600, 0)])
def test_half_of_the_step_is_enough(limit_W, result):
    site = Site()
    site.limit_W = limit_W
    assert site.tick(TEST_S_MAX * TICKS_PER_S).result == result


@pytest.mark.parametrize("quantum_W, step_W", [(100, 5000), (3000, 3000), (10_000, 10_000)])
def test_the_step_is_whole_quanta_and_one_at_least(quantum_W, step_W):
    assert abs(Site(setpoint_quantum_W=quantum_W).tick(SYMBOL_TICKS).sent_W) == step_W


def test_off_it_does_nothing():
    site = Site(meter_code_permille=0).tick(100)
    assert (site.result, site.sent_W) == (mp.PROVEN, 0)


def moving(site, seconds):
    """The battery follows a request that moves by 50 kW, the load stands."""
    for _ in range(seconds):
        site.asked_W = 50_000 * (site.seconds // 3 & 1)
        site.seconds += 1
        site.tick(TICKS_PER_S)
    return site


@pytest.mark.parametrize("delay_ticks, symbols", [(18, 15), (24, 18), (27, 18)])
def test_a_path_that_is_slower_than_the_nominal_one_gets_long_chips(delay_ticks, symbols):
    """360 ms still fit short chips; from 480 ms on five symbols show that they do not."""
    site = Site(delay_ticks=delay_ticks)
    ticks = finished(site)
    assert (site.result, site.proof.out[1]) == (mp.PROVEN, symbols)
    assert site.proof.state.delay_ms == 20 * delay_ticks
    trial_ticks = 5 * SYMBOL_TICKS if symbols == 18 else 0
    test_ticks = symbols * (LONG_TICKS if symbols == 18 else SYMBOL_TICKS)
    assert ticks == trial_ticks + test_ticks - 1


def test_no_long_chips_where_the_range_has_no_longer_delay():
    site = Site(0, track_path_delay_ms_max=300).tick(5 * TICKS_PER_S)
    assert site.result == mp.UNDECIDED


def turned_round(site, step_s):
    """Seconds until a meter that is reversed from now on is proven no more."""
    site.sign, seconds = -1, 0
    while site.result == mp.PROVEN:
        moving(site, step_s)
        seconds += step_s
    return seconds


def test_one_that_is_turned_round_while_running_is_tested_anew_and_found():
    site = moving(Site().tick(15 * SYMBOL_TICKS), 60)
    assert site.result == mp.PROVEN
    assert turned_round(site, 6) <= 60 and site.result == mp.TESTING
    assert site.tick(20 * TICKS_PER_S).result == mp.REVERSED


def test_a_test_anew_waits_for_no_turn():
    site = moving(Site(meter_code_wait_s=30).tick(30 * TICKS_PER_S + 15 * SYMBOL_TICKS), 60)
    turned_round(site, 6)
    assert site.tick(15 * SYMBOL_TICKS + 3 * TICKS_PER_S).result == mp.REVERSED


@pytest.mark.parametrize("sign, is_tested", [(1 / 3, 0), (0, 0), (-0.4, 0), (-0.6, 1), (-1, 1)])
def test_only_moves_that_are_opposite_and_half_as_large_are_tested_anew(sign, is_tested):
    site = Site()
    site.load_W = 0
    moving(site.tick(15 * SYMBOL_TICKS), 60)
    site.sign = sign
    results = {moving(site, 6).result for _ in range(35)}
    assert (mp.TESTING in results) == is_tested


def test_a_test_anew_comes_down_by_a_ramp():
    site = moving(Site().tick(15 * SYMBOL_TICKS), 6)
    site.asked_W = 250_000
    site.tick(TICKS_PER_S)
    site.sign = -1
    while site.result == mp.PROVEN:
        site.asked_W = 250_000 - site.asked_W
        site.tick(3 * TICKS_PER_S)
    site.sent_W, site.sign = 250_000, 1
    falling = [site.tick().sent_W for _ in range(2 * TICKS_PER_S)]
    steps_W = [before - after for before, after in zip([250_000, *falling], falling)]
    assert max(steps_W) <= 10_000 and min(steps_W) >= -10_000 and abs(falling[24]) <= 5000


def found_reversed(**settings):
    """A proven meter that moves the wrong way round until its test begins, right from then on."""
    site = moving(Site(**settings).tick(15 * SYMBOL_TICKS), 60)
    assert site.result == mp.PROVEN
    turned_round(site, 1)
    site.sign, site.asked_W = 1, 0
    assert site.result == mp.TESTING
    return site


def finished(site):
    """Ticks until the test ends."""
    ticks = 0
    while site.tick().result == mp.TESTING:
        ticks += 1
    return ticks


def test_without_a_load_meter_a_meter_that_was_tested_anew_is_believed_for_an_hour():
    """There a load that the battery follows in part looks reversed."""
    site = found_reversed(load_meter_fitted=0)
    finished(site)
    site.sign = -1
    assert moving(site, 120).result == mp.PROVEN
    site.proof.watch.state.believed_ticks = 1  # the hour is over
    assert mp.TESTING in {moving(site, 6).result for _ in range(10)}


@pytest.mark.parametrize(
    "runs, mode, is_tested", [(0, modes.GRID, 1), (1, modes.GRID, 0), (0, modes.RETURN, 0)]
)
def test_a_generator_set_that_takes_the_load_makes_no_meter_look_reversed(runs, mode, is_tested):
    """The load rises by 40 kW, and the set takes 100 kW of it from the meter; then both fall."""
    genset = device("genset")
    devices = site_of((genset,))
    site = Site(site=devices).tick(15 * SYMBOL_TICKS)
    devices.inp[layout.words(genset).index("genset_1.is_running")] = runs
    devices.step(bytes([1] * len(genset.role.signals)), 1)
    site.view.mode, seen = mode, {site.result}
    for second in range(60):
        sign = 1 if second % 2 else -1
        site.load_W, site.hidden_W = site.load_W + sign * 40_000, site.hidden_W - sign * 100_000
        seen.add(site.tick(TICKS_PER_S).result)
    assert (seen != {mp.PROVEN}) == is_tested


DOUBT_TICKS = 600 * TICKS_PER_S


def test_two_tests_ten_minutes_apart_end_a_doubt():
    site = found_reversed()
    finished(site)
    assert site.result == mp.UNDECIDED and not site.tick().sent_W
    assert site.tick(DOUBT_TICKS - 2).result == mp.UNDECIDED
    assert site.tick().result == mp.TESTING
    finished(site)
    assert site.result == mp.PROVEN and moving(site, 120).result == mp.PROVEN


def test_a_meter_that_is_right_only_in_its_tests_stays_unproven():
    site, results = found_reversed(), set()
    for _ in range(2400):
        site.sign = 1 if site.result == mp.TESTING else -1
        results.add(moving(site, 1).result)
    assert results == {mp.TESTING, mp.UNDECIDED}


def test_the_ten_minutes_begin_anew_with_the_last_sign_of_a_reversed_meter():
    site = found_reversed()
    finished(site)
    site.sign = -1
    moving(site, 120)
    assert site.proof.state.ticks < TICKS_PER_S
    site.sign = 1
    for _ in range(2):
        while site.result != mp.TESTING:
            moving(site, 1)
            assert site.proof.state.ticks <= DOUBT_TICKS
        assert site.result == mp.TESTING
        finished(site)
    assert site.result == mp.PROVEN


@pytest.mark.parametrize("is_by_person, result", [(0, mp.UNDECIDED), (1, mp.PROVEN)])
def test_a_person_who_stops_and_starts_the_cabinet_approves_the_meter(is_by_person, result):
    """A stop of a row, after which the cabinet closes by itself, does not."""
    site = Site(-1)
    finished(site)
    assert site.result == mp.REVERSED and site.tick(2 * DOUBT_TICKS).result == mp.REVERSED
    site.sign, site.view.is_running = 1, False
    site.view.is_stopped_by_person = bool(is_by_person)
    site.tick()
    site.view.is_running, site.view.is_stopped_by_person = True, False
    finished(site)
    assert site.result == result


def test_a_cabinet_that_closes_again_by_itself_ends_no_doubt_before_its_time():
    """Two openings within the ten minutes would otherwise be two tests that agree."""
    site = found_reversed()
    finished(site)
    for _ in range(3):
        site.view.is_running = False
        site.tick(TICKS_PER_S)
        site.view.is_running = True
        assert site.tick(DOUBT_TICKS - 2).result == mp.UNDECIDED and not site.sent_W
    assert site.tick(3).result == mp.TESTING


def test_nothing_is_summed_up_over_a_gap():
    site = moving(Site().tick(15 * SYMBOL_TICKS), 5).tick(7)
    watch = site.proof.watch.state
    assert watch.ticks
    assert watch.is_before
    site.tick(1, elapsed_ticks=2)
    assert not any((watch.ticks, watch.expected_W, watch.shown_W, watch.is_before))


@pytest.mark.parametrize("wiring", trials.WIRINGS)
def test_beside_a_load_that_swings_by_80_percent_nothing_is_decided_wrongly(wiring):
    tried = [trials.Trial("square 2 s", wiring, True, f"short {count}") for count in range(30)]
    codes = [trials.result_of(trial).code for trial in tried]
    assert not set(codes) & set(trials.WRONG[wiring])
    if wiring in ("right", "reversed"):
        assert len([code for code in codes if code != mp.UNDECIDED]) >= 27


def watching():
    """A function that shows one second to the watch of a cabinet of 1 MW."""
    settings = {"load_meter_fitted": 1}
    watch = MeterWatch(SimpleNamespace(tick_ms=1000, rated_W=1_000_000, settings=settings))
    return lambda expected_W, shown_W: watch.is_reversed(expected_W, shown_W, 1)


def neighbour_dies(answer_s):
    """[(expected, shown)] of each second. Three cabinets give 650 kW each at a load of 8 MW. One
    dies, and within the same second the two others begin to take its part.
    """
    for at in range(60):
        more_W = int(325_000 * min(1, max(0, at - 29) / answer_s))
        other_W = 1_300_000 if at < 30 else 650_000
        own_W = 650_000 + more_W
        yield 8_000_000 - own_W, 8_000_000 - own_W - other_W - more_W


def sun_trips(times):
    """[(expected, shown)] of each second. PV of 1.2 MW beside a load of 200 kW trips so many times,
    20 s apart. The battery took the surplus, and gives way within the same and the next second.
    """
    for at in range(20 * times + 20):
        since_s = at % 20
        is_gone = at >= 20 and since_s < 5
        lost_W = 600_000 if since_s == 0 else 1_000_000
        own_W = -1_000_000 + (lost_W if is_gone else 0)
        sun_W = 0 if is_gone else 1_200_000
        yield 200_000 - own_W, 200_000 - own_W - sun_W


@pytest.mark.parametrize("course", [neighbour_dies(2), neighbour_dies(3), sun_trips(3)])
def test_a_neighbour_or_a_sun_that_trips_puts_no_meter_in_doubt(course):
    seen = watching()
    assert not any([seen(*each) for each in course])


def test_a_meter_that_is_turned_round_is_found_within_seconds():
    seen, most_s = watching(), 45
    assert not any([seen(*[100_000 * (at % 2)] * 2) for at in range(30)])
    found = [seen(100_000 * (at % 2), -100_000 * (at % 2)) for at in range(60)]
    assert found.index(True) <= most_s
