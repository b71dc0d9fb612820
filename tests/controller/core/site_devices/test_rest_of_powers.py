"""The rest of the sum of powers: no PV report in doubt becomes a part of it."""

import pytest
from device_bench import TICK_MS, Bench
from views import device

from controller.core.policies.site_balance import SiteBalance
from controller.core.site_devices.roles import SUN_PERMILLE
from controller.core.site_devices.signals_view import ALONE_MS

RATED_W, LOAD_W = 200_000, 20_000
REPORT_TICKS = 500 // TICK_MS
STEP_W = RATED_W * SUN_PERMILLE // 1000  # the largest change that counts at once


class Suns(Bench):
    """Two plants that report in the same tick, twice a second."""

    def __init__(self):
        suns = [device("pv", number, rated_W=RATED_W) for number in (1, 2)]
        super().__init__(SiteBalance, *suns, load_meter_fitted=1, share_permille=1000)

    def report(self, *suns_W, real_W=None):
        """The bits of the powers in doubt, and the powers that count, after the first tick."""
        for number, sun_W in enumerate(suns_W, 1):
            self.site.inp[self.place[f"pv_{number}.power_W"]] = sun_W
        grid_W, found = LOAD_W - sum(real_W or suns_W), None
        for tick in range(REPORT_TICKS):
            count = sum(len(each.bits) for each in self.site.devices)
            self.site.step(bytes([tick == 0] * count), 1)
            more = {"grid_meter_W": grid_W, "grid_W": grid_W, "battery_W": 0}
            self.step(load_meter_W=LOAD_W, **more)
            powers_W = [each.settled("power_W") for each in self.site.devices]
            found = found or (self.function.out[0], powers_W)
        return found


class Sun(Bench):
    """A load meter, and PV whose report comes twice a second; the rest goes to the grid."""

    def __init__(self, load_meter_fitted=1):
        made = {"load_meter_fitted": load_meter_fitted, "share_permille": 1000}
        super().__init__(SiteBalance, device("pv", 1, rated_W=RATED_W), **made)
        self.view, self.load_W = self.site.devices[0], LOAD_W

    def report(self, sun_W, sees=True, proven=True, real_W=None):
        """Half a second that begins with a report. sees: the battery's power is known; proven: the
        grid meter is.
        """
        grid_W = self.load_W - (sun_W if real_W is None else real_W)
        self.site.inp[self.place["pv_1.power_W"]] = sun_W
        for tick in range(REPORT_TICKS):
            self.site.step(bytes([tick == 0] * len(self.view.bits)), 1)
            self.step(
                grid_meter_W=grid_W,
                grid_W=grid_W if proven else None,
                load_meter_W=LOAD_W,
                battery_W=0 if sees else None,
            )
        return self.function.rest.unmetered_W, self.function.out[0]


def test_a_jump_before_the_first_sum_is_no_part_of_the_rest():
    """The reports jump while the battery starts. The sum is known before the jump counts."""
    sun = Sun()
    sun.report(110_000, sees=False)
    sun.report(20_000, sees=False)
    found = [sun.report(20_000) for _ in range(8)]
    assert found == [(0, 0)] * 8 and sun.view.settled("power_W") == 20_000


@pytest.mark.parametrize("step_W", (STEP_W - 1, STEP_W + 1, 3 * STEP_W))
def test_a_real_fall_after_such_a_start_is_never_in_doubt(step_W):
    sun = Sun()
    for sun_W in (180_000, 20_000, *[20_000] * 7, *range(20_000, 200_000, 9000)):
        sun.report(sun_W, sees=sun_W > 20_000)
    for sun_W in range(200_000, 0, -step_W):
        assert sun.report(sun_W) == (0, 0) and sun.view.settled("power_W") == sun_W


def test_a_jump_that_counts_without_a_confirmation_is_no_part_of_the_rest():
    """It was real. Nothing could say so, because the grid meter was not proven yet."""
    sun = Sun()
    sun.report(100_000, proven=False)
    for _ in range(1 + (ALONE_MS // 500)):
        sun.report(20_000, proven=False)
    assert [sun.report(20_000) for _ in range(4)] == [(0, 0)] * 4
    assert sun.view.settled("power_W") == 20_000


def contradicted(**settings):
    """A sun at 100 kW whose reports say 0 for two seconds."""
    sun = Sun(**settings)
    for _ in range(20):
        sun.report(100_000)
    found = [sun.report(0, real_W=100_000)[1] for _ in range(4)]
    return sun, found


def test_a_doubt_ends_as_soon_as_the_powers_fit_the_report():
    """The report was false, or the meters were late: now they agree, and nothing must wait."""
    sun, found = contradicted()
    assert found[0] == 0 and found[-1], "it lasts for a second"
    assert sun.report(0) == (0, 0) and sun.view.value("power_W") == 0


def test_without_a_load_meter_no_report_is_contradicted():
    sun, found = contradicted(load_meter_fitted=0)
    assert not any(found) and sun.view.value("power_W") == 100_000


def test_beside_a_load_that_moves_faster_than_its_meter_a_report_is_not_contradicted():
    sun = Sun()
    for at in range(60):
        sun.load_W = LOAD_W + 100_000 * (at % 2)  # the load meter still shows LOAD_W
        sun.report(100_000)
    assert not any(sun.report(60_000, real_W=100_000)[1] for _ in range(6))
    assert sun.view.value("power_W") == 60_000


@pytest.mark.parametrize("fallen_W", [(60_000, 60_000), (60_000, 140_000), (0, 99_000)])
def test_two_plants_that_jump_at_once_count_in_the_same_tick(fallen_W):
    suns = Suns()
    for _ in range(8):
        suns.report(100_000, 100_000)
    assert suns.report(*fallen_W) == (0, [*fallen_W])


def test_beside_a_plant_that_really_falls_a_false_report_does_not_count():
    suns = Suns()
    for _ in range(8):
        suns.report(100_000, 100_000)
    assert suns.report(40_000, 0, real_W=(40_000, 100_000))[1] == [40_000, 100_000]
