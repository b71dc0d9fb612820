"""State of health: lowest value of each rack, energy when full, cap of worn racks, restart."""

from array import array

import pytest
from cabinet_bench import CONFIG as FIREBREAK
from test_hinted_core import Steady
from views import both, setup

from controller.core import health
from controller.core.base import reasons, setpoint
from controller.core.base.answers import Cap
from controller.core.kernel_readings import KernelReadings
from controller.core.policies.health_cap import HealthCap
from safety import signals as s
from safety.kernel import Kernel
from tests.tables import cases


class Bench:
    """Three racks alike on one unit of 250 kW, 645 kWh; all groups are known."""

    def __init__(self):
        self.kernel = Kernel(FIREBREAK.safety_image)
        self.health = health.Health(self.kernel, 645_000, [250_000], 20)
        self.readings = KernelReadings(self.kernel, [250_000])
        self.known = True
        self.kernel.features.ages.known = lambda group: self.known

    def report(self, *soh_permille, known=True, turns=1):
        """A turn of the three racks lasts 60 ms."""
        self.known = known
        for rack, value in enumerate(soh_permille):
            self.kernel.inp[self.kernel.layout.rack_input(rack, s.SOH_PERMILLE)] = value
        for rack in [0, 1, 2] * turns:
            self.health.step(rack, self.readings.read(rack).soh_permille)
        return self

    @property
    def found(self):
        return health.counted(self.health.lowest()), self.health.energy_Wh, self.health.power_W


@cases("""
    reported          counted           energy_Wh  power_W
    (1000, 1000, 1000)  [1000, 1000, 1000]  645_000  250_000
    (990, 900, 800)     [990, 900, 800]     578_350  250_000
    (990, 900, 799)     [990, 900, 799]     578_135  249_687
    (990, 900, 400)     [990, 900, 400]     492_350  125_000
    (1000, 1000, 0)     [1000, 1000, 700]   580_500  250_000
    (1000, 600, 0)      [1000, 600, 600]    473_000  187_500
    (0, 0, 0)           [700, 700, 700]     451_500  250_000
""")
def test_energy_and_power_follow_from_the_health_of_each_rack(
    reported, counted, energy_Wh, power_W
):
    assert Bench().report(*reported).found == (counted, energy_Wh, power_W)


def test_a_rack_counts_as_its_lowest_report_until_the_next_start():
    bench = Bench().report(950, 950, 950, turns=1001).report(900, 1000, 0, turns=1000)
    assert bench.found[0] == [900, 950, 950]
    bench.report(100, 100, 100, known=False, turns=1000)
    assert bench.found[0] == [900, 950, 950], "stale words"


@cases("""
    turns  between  then  counts
    999  None  0  950 | 1000  None  0  900 | 999  950  1  950 | 999  0  1  950 | 999  940  1  940
    999  940  1000  900 | 999  10  1  900
""")
def test_a_lower_value_counts_after_a_minute_without_a_higher_one(turns, between, then, counts):
    """The middle rack reports 900 for so many turns, a value once, and 900 again."""
    bench = Bench().report(950, 950, 950, turns=1001).report(950, 900, 950, turns=turns)
    if between is not None:
        bench.report(950, between, 950)
    assert bench.report(950, 900, 950, turns=then).found[0] == [950, counts, 950]


def test_the_first_value_counts_at_once_and_a_higher_one_replaces_it_for_a_minute():
    bench = Bench().report(10, 950, 950)
    assert bench.found[0][0] == 10
    assert bench.report(950, 950, 950, turns=999).found[:2] == ([950] * 3, 612_750)
    assert bench.report(960, 950, 950).found[0][0] == 960
    assert bench.report(970, 970, 970).found[0] == [960, 950, 950]


def test_the_core_caps_worn_racks_and_shows_units_to_the_functions():
    steady = Steady()
    assert steady.word(setpoint.O_CAPS_HIGH_W) > 250_000
    (new,) = steady.core.units.weights.discharge
    steady.walk.set_rack(s.SOH_PERMILLE, 990, 700, 990)
    almost = array("i", [990, 1000, 990, 0, 59_940, 0, 0, 700, 0])
    steady.core.decision.health.state[health.S_LOWEST :] = almost
    steady.tick(ticks=3, load_W=900_000).tick(ticks=3, load_W=900_000)
    high = steady.word(setpoint.O_CAPS_HIGH_W), steady.word(setpoint.O_CAPS_HIGH_REASON)
    assert high == (218_750, reasons.HEALTH_CAP) and steady.word(setpoint.O_CAPS_LOW_W) == -218_750
    (worn,) = steady.core.units.weights.discharge
    assert worn / new == pytest.approx(893 / 990, abs=0.001)
    hottest = max(steady.core.decision.temperatures.hottest())
    (unit_ddegC,) = steady.core.known.unit_temperature_ddegC
    assert abs(unit_ddegC - hottest) <= 2 and hottest > 200


@pytest.mark.parametrize("healthy_W, is_capped", ((249_999, True), (250_000, False)))
def test_worn_racks_cap_the_power_both_ways(healthy_W, is_capped):
    cap = Cap(healthy_W, reasons.HEALTH_CAP, healthy_W, reasons.HEALTH_CAP)
    assert HealthCap(setup()).step(*both(healthy_W=healthy_W), 1) == ((cap,) if is_capped else ())
