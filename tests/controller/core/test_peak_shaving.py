"""Peak shaving: no metering interval is above its limit, with any load, clock error, restart."""

from array import array

import pytest
from hypothesis import given, settings, strategies as st
from slow import whole
from views import Tick, both, device, setup, site_of

from controller.core.base.answers import WIDE_W
from controller.core.base.reasons import NO_CLOCK, PEAK_SHAVING
from controller.core.policies.peak_shaving import RANK, PeakShaving
from controller.core.site_devices.signals_view import DAY_S
from tests.tables import cases

LIMIT_W, CONNECTION_W = 300_000, 500_000
TICK_MS, INTERVAL_MS = 100, 300_000
DAY_MS = DAY_S * 1000
BEGIN_MS = 20_000 * DAY_MS + 13 * 3_600_000
CLOCK = device("clock")


class Box:
    """The function, a clock that is off by error_ms, a battery that obeys at once; `imported`: W of
    each tick by true time."""

    def __init__(
        self, error_ms=0, uncertainty_ms=1000, now_ms=BEGIN_MS, interval_ms=INTERVAL_MS, **chosen
    ):
        self.interval_ms = interval_ms
        self.now_ms, self.error_ms, self.uncertainty_ms = now_ms, error_ms, uncertainty_ms
        self.chosen = {
            "peak_import_W_max": LIMIT_W,
            "peak_interval_s": interval_ms // 1000,
            "grid_import_W_max": CONNECTION_W,
            "setpoint_quantum_W": 1,
        } | chosen
        self.imported, self.stored, self.allowed_W = {}, (0, 0), 0
        self.limit_W = WIDE_W  # that the battery can give
        self.heard = [1, 1, 1]  # words of the clock
        self.start()

    def start(self):
        self.site = site_of((CLOCK,), TICK_MS)
        self.function = PeakShaving(setup(TICK_MS, site=self.site, **self.chosen))
        self.answer, self.is_first = None, True

    def run(self, load_W, ticks=1, elapsed=1, is_clock=True, is_grid=True):
        for _ in range(ticks):
            grid_W = min(load_W, self.allowed_W, CONNECTION_W)
            if self.limit_W == 0:  # the battery can only charge
                grid_W = min(max(load_W, self.allowed_W), load_W + 250_000, CONNECTION_W)
            for _ in range(elapsed):
                self.imported[self.now_ms] = grid_W
                self.now_ms += TICK_MS
            self._clock(is_clock, elapsed)
            seen = Tick(site=self.site, grid_W=grid_W if is_grid else None, connection_W=load_W)
            seen.limit_W = self.limit_W
            seen.stored_peak = self.stored
            (self.answer,) = self.function.step(seen, seen, elapsed)
            self.allowed_W = load_W - self.answer.low_W
            self.stored = tuple(self.function.out)
        return self.answer

    def _clock(self, is_clock, elapsed):
        day_d, time_ms = divmod(self.now_ms + self.error_ms, DAY_MS)
        self.site.inp[:3] = array("i", [day_d, time_ms // 1000, self.uncertainty_ms])
        is_new = self.is_first or self.now_ms % 500 < elapsed * TICK_MS
        self.site.step(bytes([is_clock and is_new and each for each in self.heard]), elapsed)
        self.is_first = False

    def given(self, grid_W, connection_W, limit_W=1, elapsed=1):
        """The answer to these powers; the clock stands still."""
        seen = Tick(site=self.site, grid_W=grid_W, connection_W=connection_W, limit_W=limit_W)
        (answer,) = self.function.step(seen, seen, elapsed)
        return answer

    def down(self, ticks):
        """The controller is not running; the load takes what the connection gives."""
        for _ in range(ticks):
            self.imported[self.now_ms] = CONNECTION_W
            self.now_ms += TICK_MS
        self.start()

    def means_W(self, offset_ms=0):
        """Mean of each whole interval of the grid operator's meter."""
        found, first_ms = [], BEGIN_MS + offset_ms
        while first_ms < BEGIN_MS:
            first_ms += self.interval_ms
        while first_ms + self.interval_ms <= self.now_ms:
            ticks = range(first_ms, first_ms + self.interval_ms, TICK_MS)
            found.append(sum([max(0, self.imported[at]) for at in ticks]) / len(ticks))
            first_ms += self.interval_ms
        return found


LOADS = st.lists(
    st.tuples(st.integers(-500_000, 2_000_000), st.integers(1, 4000)), min_size=3, max_size=12
)


@settings(max_examples=15)
@given(LOADS, st.integers(-1000, 1000))
def test_no_interval_is_above_the_limit_with_a_clock_that_is_as_wrong_as_it_says(loads, error_ms):
    box = Box(error_ms)
    for load_W, ticks in loads:
        box.run(load_W, ticks)
    assert max(box.means_W(), default=0) <= LIMIT_W


@pytest.mark.parametrize("first_ms, last_ms", ((-7000, 7000), (7000, -7000)))
def test_a_clock_that_drifts_within_its_uncertainty_puts_no_interval_above_the_limit(
    first_ms, last_ms
):
    """The own interval is shorter or longer than the one of the meter by the drift."""
    box = Box(first_ms, 7000, interval_ms=900_000)
    box.run(0, 8900)
    box.run(900_000, 300)
    for tick in range(8800):
        box.error_ms = first_ms + (last_ms - first_ms) * min(tick, 8500) // 8500
        box.run(900_000)
    assert len(box.means_W()) == 2 and max(box.means_W()) <= LIMIT_W


@settings(max_examples=15)
@given(LOADS, st.lists(st.integers(1, 200), min_size=3, max_size=3))
def test_restarts_take_the_import_of_before_from_the_store(loads, downs):
    """It passes the limit only where the connection alone took more than the interval's energy."""
    box = Box()
    for place, (load_W, ticks) in enumerate(loads):
        box.run(load_W, ticks)
        if place < len(downs):
            box.down(downs[place])
    box.run(600_000, 3000)
    lost_W = CONNECTION_W * sum(downs) * TICK_MS / INTERVAL_MS
    assert max(box.means_W()) <= LIMIT_W + lost_W
    assert box.means_W()[-1] <= LIMIT_W


def test_the_energy_that_is_left_is_spread_over_the_time_that_is_left():
    """2.5 s of the connection are the margin for a clock of 1 s: 1.25 MJ of 90 MJ."""
    box = Box(now_ms=BEGIN_MS - 10_000)
    box.run(0, 1600)
    half_MJ = 90 - 1.25
    assert box.allowed_W == pytest.approx(half_MJ * 1e6 / 150, rel=0.01)
    answer = box.run(900_000)
    assert answer == (RANK, 900_000 - box.allowed_W, PEAK_SHAVING, WIDE_W, PEAK_SHAVING, 0)


@cases("""
    uncertainty_ms  reason
    1499  PEAK_SHAVING | 1500  PEAK_SHAVING | 1501  NO_CLOCK | 10**9  NO_CLOCK
""")
def test_an_untrusted_clock_makes_the_limit_instantaneous_and_says_so(uncertainty_ms, reason):
    """A hundredth of 300 s, less 1.5 s of reading the clock."""
    box = Box(uncertainty_ms=uncertainty_ms)
    box.run(0, 1000)
    answer = box.run(450_000)
    assert answer.low_reason == reason
    assert (answer.low_W == 150_000) == (reason == NO_CLOCK)


def test_a_clock_that_falls_silent_is_unknown_after_its_time():
    box = Box()
    box.run(0, 100)
    box.run(0, 28, is_clock=False)
    assert box.answer.low_reason == PEAK_SHAVING
    box.run(0, 3, is_clock=False)
    assert box.answer.low_reason == NO_CLOCK
    box.run(0, 5)
    assert box.answer.low_reason == PEAK_SHAVING


@pytest.mark.parametrize("word", range(3))
def test_a_clock_is_unknown_without_any_of_its_words(word):
    """Once an exception ended the tick."""
    box = Box()
    box.heard[word] = 0
    assert box.run(0, 10).low_reason == NO_CLOCK


def test_a_jump_of_the_clock_counts_the_interval_as_imported_by_the_connection():
    box = Box()
    box.run(0, 600)
    box.error_ms = 7_200_000
    box.run(0, 6)
    used_MJ = box.function.state[1] / 1e9
    assert used_MJ == pytest.approx(CONNECTION_W * 62.1 / 1e6, rel=0.02)


@pytest.mark.parametrize("place", [5900, *whole(3000, 4400, 6050)])
@pytest.mark.parametrize("step_ms", [-130_000, -45_000, -6000, 6000, 45_000, 130_000])
def test_a_step_of_the_clock_puts_no_interval_of_the_new_time_above_the_limit(step_ms, place):
    box = Box()
    box.run(280_000, place)
    box.error_ms = step_ms
    box.run(700_000, 7400)  # until two intervals after any of these steps have ended
    assert box.answer.low_reason == PEAK_SHAVING
    assert max(box.means_W(-step_ms)) <= LIMIT_W


def test_a_step_of_the_clock_costs_no_more_than_the_time_that_it_skips():
    """6 s of the connection are 3 MJ; a step back costs nothing."""
    for step_ms, missing_MJ in ((6000, 3.0), (-6000, 0.0)):
        box = Box()
        box.run(200_000, 600)
        before = box.function.state[1]
        box.error_ms = step_ms
        box.run(200_000, 50)
        counted_MJ = (box.function.state[1] - before) / 1e9
        assert counted_MJ == pytest.approx(1.0 + missing_MJ, abs=0.8)


def test_a_pause_of_the_whole_box_counts_as_import_of_the_connection():
    """The monotonic clock stands still in a pause; the clock does not."""
    box = Box()
    box.run(280_000, 5900)
    for _ in range(400):
        box.imported[box.now_ms] = CONNECTION_W
        box.now_ms += TICK_MS
    box.run(700_000, 6000)
    assert max(box.means_W()[2:]) <= LIMIT_W


def test_a_slew_backwards_at_the_begin_of_an_interval_begins_one_interval():
    """The own time never goes back over the boundary, so the import is set to zero once."""
    box = Box(now_ms=BEGIN_MS - 1000)
    box.run(250_000)
    box.function.state[0] = BEGIN_MS - TICK_MS
    first, box.allowed_W = 0, WIDE_W
    for _ in range(5):
        box.run(250_000)
        first += box.function.state[1] == 250_000 * TICK_MS
    assert first == 1


def test_a_silent_grid_meter_counts_its_last_value_and_at_least_the_limit():
    for last_W, counted_W in ((100_000, LIMIT_W), (450_000, 450_000)):
        box = Box()
        box.run(0, 1200)
        box.run(last_W, 50)
        before = box.function.state[1]
        box.run(0, 10, is_grid=False)
        assert box.function.state[1] - before == counted_W * 10 * TICK_MS


@pytest.mark.parametrize("elapsed", [2, 5, 10])
def test_skipped_ticks_count(elapsed):
    late, single = [Box(now_ms=BEGIN_MS - 10_000) for _ in range(2)]
    for box, ticks, skipped in ((late, 200, elapsed), (single, 200 * elapsed, 1)):
        box.allowed_W = WIDE_W
        box.run(120_000, ticks, skipped)
    assert late.now_ms == single.now_ms
    assert late.function.state[1] == pytest.approx(single.function.state[1], rel=0.02)


def test_it_is_off_by_default_and_stores_nothing():
    function = PeakShaving(setup())
    assert function.step(*both(grid_W=10**8, connection_W=10**8), 1) == ()
    assert list(function.out) == [0, 0]


def test_what_is_stored_is_of_the_last_minute():
    box = Box(now_ms=BEGIN_MS - 10_000)
    box.run(0, 800)
    box.run(200_000, 1200)
    minute, used_Wh = box.stored
    assert minute == BEGIN_MS // 60_000 + 3
    assert used_Wh == pytest.approx(200_000 * 110 / 3600, rel=0.02)


def test_a_cabinet_keeps_its_share_of_the_limit():
    function = PeakShaving(setup(peak_import_W_max=600_000, share_permille=500))
    (answer,) = function.step(*both(grid_W=0, connection_W=450_000), 1)
    assert answer.low_W == 150_000


def test_off_the_grid_the_interval_goes_on_with_no_import():
    box = Box()
    box.run(LIMIT_W, ticks=500)
    used = box.function.state[1]
    for _ in range(500):
        box.now_ms += TICK_MS
        box._clock(True, 1)
        box.function.hold(*both(site=box.site, grid_W=0, is_off_grid=True), 1)
    assert box.function.state[1] == used and used > 0
    box.run(LIMIT_W)
    assert box.allowed_W > LIMIT_W, "the interval has room for what was not imported"


def test_a_full_interval_ends_as_level_as_it_was_and_a_spare_one_lets_no_power_rise():
    """A fall in the last seconds would drag load tracking along for hours."""
    box = Box()
    box.run(450_000, 2900)
    level_W, found_W = box.allowed_W, []
    for _ in range(99):
        box.run(450_000)
        found_W.append(box.allowed_W)
    assert max(found_W) - min(found_W) <= level_W // 20, (level_W, found_W[-5:])
    box.run(100_000, 2971)
    before_W = box.allowed_W
    for _ in range(29):
        box.run(100_000)
        assert box.allowed_W <= before_W


def test_without_a_clock_the_mean_is_kept_although_no_load_is_met_for_a_while():
    """A battery gives nothing for a minute at 400 kW, and makes up for it, but for no more."""
    box = Box()
    box.run(LIMIT_W, 10, is_clock=False)
    box.allowed_W = CONNECTION_W
    paid = 0
    for grid_W in [400_000] * 600 + [LIMIT_W] * 10:
        answer = box.given(grid_W, grid_W, WIDE_W)
    assert answer.low_W == pytest.approx(6_000_000 / (INTERVAL_MS / 4000), rel=0.01)
    for _ in range(3000):
        allowed_W = 200_000 - answer.low_W
        paid += (LIMIT_W - min(allowed_W, CONNECTION_W)) * TICK_MS
        answer = box.given(min(allowed_W, CONNECTION_W), 200_000, WIDE_W)
    assert paid == pytest.approx(6_000_000_000, rel=0.05)
    assert LIMIT_W * 0.98 < 200_000 - answer.low_W <= LIMIT_W


def test_the_debt_is_at_most_a_quarter_of_an_interval():
    box = Box()
    for _ in range(5000):
        answer = box.given(CONNECTION_W, CONNECTION_W)
    assert answer.low_W == CONNECTION_W
    answer = box.given(0, CONNECTION_W, elapsed=INTERVAL_MS // 4 // TICK_MS)
    assert answer.low_W == CONNECTION_W - LIMIT_W


def test_the_debt_of_an_interval_stays_when_the_clock_is_lost():
    box = Box()
    box.run(CONNECTION_W, 10)
    box.function.state[1] = LIMIT_W * box.function.state[3] + 7_500_000 * 100
    assert box.run(LIMIT_W, 60, is_clock=False).low_W > 0


@pytest.mark.parametrize("is_clock", (True, False))
def test_an_empty_battery_charges_only_with_energy_that_the_highest_load_leaves(is_clock):
    """340 kW, a minute of 100 kW, 340 kW: a mean of 288 kW. A battery that fills the minute up to
    300 kW cannot give that energy back. At a level load of 200 kW the battery may charge.
    """
    box = Box()
    box.run(200_000, 3000)
    box.limit_W = 0
    for load_W, seconds in ((340_000, 120), (100_000, 60), (340_000, 115)):
        box.run(load_W, seconds * 10, is_clock=is_clock)
    assert sum(list(box.imported.values())[3000:]) <= LIMIT_W * 2950
    box.run(200_000, 3050 + 3000)
    assert box.run(200_000, 10).low_W < -50_000


def test_an_empty_battery_charges_in_each_interval_although_there_has_never_been_a_clock():
    box = Box()
    box.limit_W = 0
    for _ in range(8):
        assert box.run(100_000, INTERVAL_MS // TICK_MS // 2, is_clock=False).low_W < -50_000


def indebted():
    """A debt of 6 MJ after a minute without a clock."""
    box = Box()
    for _ in range(60):
        box.given(400_000, 400_000, elapsed=10)
    return box


@pytest.mark.parametrize("grid_W, owed", ((LIMIT_W, 1), (None, 70 / 60), (0, 1 / 2)))
def test_a_silent_grid_meter_forgives_no_debt(grid_W, owed):
    """10 s with this import, of the debt of a minute."""
    box, owed_W = indebted(), 6_000_000_000 // (INTERVAL_MS // 4)
    for _ in range(10):
        box.given(grid_W, 400_000, elapsed=10)
    found_W = 400_000 - box.given(LIMIT_W, 400_000).low_W
    assert found_W == pytest.approx(LIMIT_W - owed_W * owed, abs=2)


def test_an_island_pays_the_debt():
    box = indebted()
    for _ in range(60):
        box.function.hold(*both(site=box.site, grid_W=0), 10)
    assert 400_000 - box.given(LIMIT_W, 400_000).low_W == LIMIT_W
