"""The load and the connection from three meters of different age, with any of them missing."""

import pytest
from views import Tick, both, device, setup, site_of

from controller.core.base import reasons
from controller.core.base.answers import WIDE_W
from controller.core.base.integrity import CONFIRMED
from controller.core.policies import site_load
from tests.tables import cases

UNKNOWN = (site_load.UNKNOWN, 0, 0, 0)


class Estimator:
    def __init__(self, fitted=1):
        self.function = site_load.SiteLoad(setup(load_meter_fitted=fitted))

    def step(self, load_W, grid_W, battery_W, ticks=1):
        known = Tick(load_meter_W=load_W, grid_W=grid_W, battery_W=battery_W)
        for _ in range(ticks):
            (self.obligation,) = self.function.step(known, known, 1)
        source, load_W, connection_ok, connection_W = found = tuple(self.function.state[:4])
        assert known.load_source == source
        is_measured = source == site_load.MEASURED
        assert (self.obligation.low_W > -WIDE_W) == (connection_ok or is_measured)
        assert known.load_W == (load_W if source else None)
        assert known.connection_W == (connection_W if connection_ok else None)
        return found


@cases("""
    load_W  grid_W  battery_W  fitted  expected
    300   400   50    1  (site_load.MEASURED, 300, 1, 450)
    300   400   None  1  (site_load.MEASURED, 300, 1, 300)  # the rest is unknown yet
    300   None  50    1  (site_load.MEASURED, 300, 0, 300)  # no obligation can be known
    None  400   50    1  (site_load.CALCULATED, 450, 1, 450)
    300   400   50    0  (site_load.CALCULATED, 450, 1, 450)
    None  400   None  1  UNKNOWN | None  None  50  1  UNKNOWN | None  None  None  1  UNKNOWN
""")
def test_what_is_known_from_what_is_fresh(load_W, grid_W, battery_W, fitted, expected):
    assert Estimator(fitted).step(load_W, grid_W, battery_W) == expected


@pytest.mark.parametrize("load_W, is_load_meters", ((300, True), (None, False)))
@pytest.mark.parametrize("load_new, grid_new", ((True, False), (False, True), (False, False)))
def test_the_load_is_new_with_a_reply_of_the_meter_it_comes_from(
    load_W, is_load_meters, load_new, grid_new
):
    known = Tick(load_meter_W=load_W, grid_W=400, battery_W=50)
    known.is_load_meter_new, known.is_grid_meter_new = load_new, grid_new
    site_load.SiteLoad(setup()).step(known, known, 1)
    assert known.is_load_new == (load_new if is_load_meters else grid_new)


@cases("""
    grid_W  load_W  high_W
    300_000  50_000  50_000  # no more than the load that is still seen
    -30_000  50_000  0  # beside 80 kW of PV
    -90_000  50_000  0 | 300_000  None  0
""")
def test_a_lost_grid_meter_widens_no_export(grid_W, load_W, high_W):
    unit = Estimator()
    unit.step(load_W, grid_W, 0, ticks=3000)
    unit.step(load_W, None, 0)
    assert unit.obligation.high_W == pytest.approx(high_W, abs=2)


@cases("""
    load_W   grid_W   battery_W  low_W
    700_000  600_000  100_000    200_000  # the load alone
    700_000  640_000  100_000    240_000  # beside 40 kW of other loads
    700_000  300_000  100_000    200_000  # 300 kW of PV may be gone
    100_000  50_000   50_000     -400_000
    None     600_000  100_000    -WIDE_W
""")
def test_the_load_meter_keeps_the_import_limit_without_the_grid_meter(
    load_W, grid_W, battery_W, low_W
):
    """The limit is 500 kW."""
    unit = Estimator()
    unit.step(load_W, grid_W, battery_W, ticks=3000)
    unit.step(load_W, None, battery_W if load_W else None)
    assert unit.obligation.low_W == pytest.approx(low_W, abs=2)


def test_the_import_limit_without_the_grid_meter_never_exports():
    unit = Estimator()
    unit.step(600_000, -50_000, 50_000, ticks=3000)  # beside 600 kW of PV
    unit.step(600_000, None, 50_000)
    assert (unit.obligation.low_W, unit.obligation.high_W) == (pytest.approx(0, abs=2),) * 2


def test_the_numbers_behind_the_connection():
    unit = Estimator()
    unit.step(300, 400, 50)
    assert unit.function.numbers(reasons.GRID_IMPORT) == {
        "kind": "connection",
        "connection_W": 450,
        "grid_import_W_max": 500_000,
        "grid_export_W_max": 0,
    }


def test_the_load_meter_gives_the_fast_part_and_the_grid_the_slow_one():
    unit = Estimator()
    unit.step(300_000, 300_000, 0)
    _, load_W, _, connection_W = unit.step(400_000, 300_000, 0)  # the grid is not that far yet
    assert load_W == 400_000 and 399_000 < connection_W < 400_000
    found = unit.step(400_000, 420_000, 0, ticks=3000)
    assert found[3] == pytest.approx(420_000, abs=2)


def test_readings_of_different_age_do_not_swing_the_battery():
    """160 ms apart, at full gain (victronenergy/venus 1657: -4000 .. +3000 W)."""
    unit = Estimator(fitted=0)
    sent = [0] * 20
    for tick in range(2000):
        load_W = 600_000 if tick > 100 else 450_000
        *_, connection_W = unit.step(None, load_W - sent[-12], sent[-4])
        sent.append(max(0, connection_W - 500_000))
        assert sent[-5] < 150_000
    assert sent[-1] == pytest.approx(100_000, abs=5)
    assert max(sent[1000:]) - min(sent[1000:]) <= 10


def test_a_meter_that_is_lost_or_comes_back_changes_nothing_at_once():
    unit = Estimator()
    found = unit.step(300_000, 330_000, 20_000, ticks=500)
    assert found[3] == pytest.approx(350_000, abs=5)
    found = unit.step(None, 410_000, 20_000)
    assert found == (site_load.CALCULATED, 430_000, 1, pytest.approx(350_000, abs=5))
    assert unit.step(300_000, 410_000, 20_000)[3] == pytest.approx(350_000, abs=5)
    unit = Estimator()
    unit.step(300_000, 300_000, 0)
    assert unit.step(None, None, None)[0] == site_load.UNKNOWN
    assert unit.step(200_000, 260_000, 0) == (site_load.MEASURED, 200_000, 1, 260_000)
    unit = Estimator()
    unit.step(300_000, 280_000, 50_000)
    found = unit.step(320_000, 999_000, None, ticks=100)
    assert found == (site_load.MEASURED, 320_000, 1, 350_000)


@pytest.mark.parametrize(
    "given_W, off_W", [(200_000, 0), (100_000, 100_000), (300_000, -100_000), (199_900, 0)]
)
def test_what_the_converter_does_not_give_is_seen_at_the_meter(given_W, off_W):
    """Load 700 kW, set-point 200 kW: without it 500 kW would have been told, whatever flows."""
    unit = site_load.SiteLoad(setup())
    for _ in range(1000):
        known = Tick(load_meter_W=700_000, battery_W=given_W, setpoint_W=200_000)
        known.grid_W = 700_000 - given_W
        unit.step(known, known, 1)
    assert known.meter_off_W == pytest.approx(off_W, abs=20)
    known = Tick(load_meter_W=700_000, battery_W=0, setpoint_W=200_000)
    unit.step(known, known, 1)
    assert known.meter_off_W == 0 and known.connection_W is None


def test_a_late_tick_moves_a_filter_as_far_as_the_ticks_that_it_covers():
    """1 - e^(-200 ms / 5 s) of 1 MW in 10 ticks; a chord of that curve in one."""
    found = []
    for elapsed, count in ((1, 10), (10, 1)):
        function = site_load.SiteLoad(setup())
        function.step(*both(load_meter_W=0, grid_W=0, battery_W=0), 1)
        for _ in range(count):
            known = Tick(load_meter_W=0, grid_W=1_000_000, battery_W=0)
            function.step(known, known, elapsed)
        found.append(known.connection_W)
    assert found == [39_133, 39_840]


@cases("""share_permille  load_W  known_W
    1000  301  301 | 500  301  150 | 333  1000  333 | 0  1000  0""")
def test_a_cabinet_answers_its_share_of_the_load(share_permille, load_W, known_W):
    function = site_load.SiteLoad(setup(share_permille=share_permille))
    known = Tick(load_meter_W=load_W)
    function.step(known, known, 1)
    assert (known.load_W, known.load_meter_W) == (known_W, load_W)


RATED_W = 500_000


class WithSun(Estimator):
    """A site with inverters of PV; `sun_W`: reports of this tick, None: silent."""

    def __init__(self, count=1, **chosen):
        self.site = site_of([device("pv", number + 1, rated_W=RATED_W) for number in range(count)])
        self.function = site_load.SiteLoad(setup(site=self.site, **chosen))

    def step_in_sun(self, load_W, connection_W, *sun_W):
        words = self.site.inp
        for view_, power_W in zip(self.site.devices, sun_W):
            if power_W is not None:
                words[view_._at["power_W"]] = power_W
        # two signals each: power_W, available_W
        self.site.step(bytes([each is not None for each in sun_W for _ in range(2)]), 1)
        for view_ in self.site.devices:
            view_.checked["power_W"].advance(20, CONFIRMED)
        return self.step(load_W, connection_W, 0)

    def settled(self, load_W, connection_W, *sun_W):
        """It has been so for a minute."""
        for _ in range(3000):
            found = self.step_in_sun(load_W, connection_W, *sun_W)
        assert found[3] == pytest.approx(connection_W, abs=3)


def test_a_cloud_that_an_inverter_reports_is_known_at_once():
    unit = WithSun()
    unit.settled(400_000, 130_000, 300_000)  # 30 kW of other loads
    assert unit.step_in_sun(400_000, 380_000, 50_000)[3] == pytest.approx(380_000, abs=100)
    assert unit.obligation.low_W == pytest.approx(-120_000, abs=200)


def test_an_inverter_that_reports_for_the_first_time_changes_nothing():
    unit = WithSun(2)
    unit.settled(400_000, 50_000, 300_000, None)
    assert unit.step_in_sun(400_000, 50_000, 300_000, 50_000)[3] == pytest.approx(50_000, abs=3)
    assert unit.step_in_sun(400_000, 90_000, 300_000, 10_000)[3] == pytest.approx(90_000, abs=50)


def test_the_sun_of_a_silent_inverter_stays_and_the_grid_meter_corrects_it():
    unit = WithSun()
    unit.settled(400_000, 100_000, 300_000)
    assert unit.step_in_sun(400_000, 100_000, None)[3] == pytest.approx(100_000, abs=3)
    unit.settled(400_000, 350_000, None)
    assert unit.step_in_sun(400_000, 350_000, 50_000)[3] == pytest.approx(350_000, abs=3)
    assert unit.step_in_sun(400_000, 380_000, 20_000)[3] == pytest.approx(380_000, abs=50)


def test_a_cabinet_counts_its_share_of_the_sun():
    unit = WithSun(share_permille=500)
    unit.settled(400_000, 50_000, 300_000)  # the share of the connection
    assert unit.step_in_sun(400_000, 150_000, 100_000)[3] == pytest.approx(150_000, abs=100)


def test_without_a_load_meter_the_grid_meter_alone_shows_the_sun():
    unit = WithSun(load_meter_fitted=0)
    unit.settled(None, 100_000, 300_000)
    assert unit.step_in_sun(None, 100_000, 0)[3] == pytest.approx(100_000, abs=3)


def test_without_the_grid_meter_the_sun_counts_for_the_import_while_it_is_reported():
    """Unknown sun bounds the discharge, and does not lower the import."""
    unit = WithSun()
    unit.settled(600_000, 300_000, 300_000)
    unit.step_in_sun(600_000, None, 300_000)
    assert unit.obligation.high_W == pytest.approx(300_000, abs=3)
    assert unit.obligation.low_W == pytest.approx(-200_000, abs=3)
    unit.step_in_sun(600_000, None, 50_000)
    assert unit.obligation.low_W == pytest.approx(50_000, abs=3)
    for _ in range(200):  # longer than stale_ms
        unit.step_in_sun(600_000, None, None)
    assert unit.obligation.low_W == pytest.approx(100_000, abs=3)
    assert unit.obligation.high_W == pytest.approx(550_000, abs=3)


def test_a_silent_inverter_whose_sun_has_gone_is_no_load_without_the_grid_meter():
    unit = WithSun()
    unit.settled(400_000, 100_000, 300_000)
    unit.settled(400_000, 400_000, None)
    unit.step_in_sun(400_000, None, None)
    assert unit.obligation.low_W == pytest.approx(-100_000, abs=3)


def test_a_first_report_changes_nothing_beside_the_grid_meter_alone():
    unit = WithSun(load_meter_fitted=0)
    unit.settled(None, 100_000, None)
    assert unit.step_in_sun(None, 100_000, 300_000)[3] == pytest.approx(100_000, abs=3)


def test_a_report_before_the_grid_was_seen_is_no_other_load():
    unit = WithSun()
    unit.step_in_sun(600_000, None, None)
    unit.step_in_sun(600_000, None, 300_000)
    assert unit.obligation.low_W == pytest.approx(-200_000, abs=3)
    assert unit.step_in_sun(600_000, 300_000, 300_000)[3] == pytest.approx(300_000, abs=3)


def test_a_load_meter_that_is_silent_for_a_tick_forgets_no_generation():
    unit = WithSun(0)
    unit.settled(400_000, 100_000)
    for load_W in (400_000, None, 400_000):
        unit.step(load_W, None, None)
    assert unit.obligation.high_W == pytest.approx(100_000, abs=3)


def test_two_inverters_that_swap_in_one_tick_change_nothing():
    unit = WithSun(2)
    unit.settled(900_000, 600_000, 200_000, 100_000)
    unit.settled(900_000, 600_000, 200_000, None)
    ticks = unit.site.devices[0].settings["stale_ms"] // 20
    for _ in range(ticks - 1):
        unit.step_in_sun(900_000, 600_000, None, None)
    assert unit.step_in_sun(900_000, 600_000, None, 100_000)[3] == pytest.approx(600_000, abs=3)


def test_a_report_above_the_rating_counts_as_the_rating():
    unit = WithSun()
    unit.settled(400_000, 350_000, 50_000)
    assert unit.step_in_sun(400_000, 350_000, 2**31 - 1)[3] == pytest.approx(-100_000, abs=2000)


@cases("""
    share_permille  load_W  part_W
    1000  800_000  600_000  # grid + battery
    250   800_000  200_000  # its share, whatever the others do
    250   None     200_000  # grid + battery
""")
def test_a_hint_of_a_cabinet_with_a_share_limits_its_share_of_the_load(
    share_permille, load_W, part_W
):
    """Two unequal limits would else fight about one grid meter, and the tighter one win."""
    function = site_load.SiteLoad(setup(share_permille=share_permille))
    known = Tick(load_meter_W=load_W, grid_W=150_000, battery_W=50_000)
    if share_permille == 1000:
        known.grid_W = 550_000
    function.step(known, known, 1)
    assert known.part_W == part_W
