"""The PV ramp limit: what the connection sees of a cloud, its energy, silence, and its limits."""

import pytest
from device_bench import TICK_MS, Bench
from hypothesis import example, given, settings, strategies as st
from views import device

from controller.core.base import setpoint
from controller.core.base.answers import FastRequest
from controller.core.base.integrity import ALONE, CONFIRMED, CONTRADICTED, DOUBT_MS
from controller.core.base.reasons import LOAD_TRACKING
from controller.core.policies import pv_ramp
from controller.core.policies.hint_request import HintRequest
from controller.core.policies.pv_ramp import RETURN_MS, PvRamp
from controller.core.policies.site_load import CALCULATED, MEASURED
from controller.core.policies.track import Track

RATED_W, RAMP_W_PER_S = 100_000, 500
STEP_W = RAMP_W_PER_S * TICK_MS // 1000  # 10 W in a tick
WIDE_W = 10**9


class Ramp(Bench):
    """One or more inverters. `reference_W` is the power that the connection sees of them."""

    def __init__(self, *, suns=1, **more):
        self.suns = suns
        made = {"pv_ramp_W_per_s": RAMP_W_PER_S, "setpoint_quantum_W": 1} | more
        inverters = [device("pv", at + 1, rated_W=RATED_W) for at in range(suns)]
        self.bridge_W = 0
        super().__init__(PvRamp, *inverters, **made)

    verdict = CONTRADICTED  # of the balance, on a jump of a report: the grid meter does not move

    def tick(self, *suns_W, ticks=1, known=True, source=MEASURED, room_W=(-WIDE_W, WIDE_W)):
        """The request after this report of each inverter; known: for each, or for all."""
        for at, sun_W in enumerate(suns_W):
            self.site.inp[self.place[f"pv_{at + 1}.power_W"]] = sun_W
        fresh = [known] * self.suns if isinstance(known, bool) else known
        signals = len(self.site.devices[0].device.role.signals)
        self.site.step(bytes([one for each in fresh for one in [each] * signals]), ticks)
        for view in self.site.devices:
            view.checked["power_W"].advance(ticks * TICK_MS, self.verdict)
            view.doubted = view.bits["power_W"] * view.checked["power_W"].is_doubted
        left_W = [end_W - self.bridge_W for end_W in room_W]
        more = {"left_low_W": left_W[0], "left_high_W": left_W[1], "bridge_W": self.bridge_W}
        answers = self.step(ticks, load_source=source, **more)
        self.bridge_W = self.seen.bridge_W
        assert answers == [FastRequest(self.bridge_W, pv_ramp.PV_RAMP)]
        return self.bridge_W


class Confirmed(Ramp):
    """The balance confirms each jump, as that of a real sun."""

    verdict = CONFIRMED


SUN_W = st.integers(0, RATED_W)


@given(st.lists(st.tuples(SUN_W, st.integers(1, 500)), min_size=1, max_size=60))
@example([(RATED_W, 1), (0, 1), (RATED_W, 1)])
@settings(max_examples=50)
def test_the_connection_never_moves_faster_than_the_ramp(course):
    found, sun_W, before_W = Confirmed(), 0, 0
    found.tick(0)
    for sun_W, ticks in course:
        reference_W = sun_W + found.tick(sun_W, ticks=ticks)
        assert abs(reference_W - before_W) <= STEP_W * ticks + 1, "1 W is the quantum"
        before_W = reference_W


@pytest.mark.parametrize(("more", "left_W"), [(-1, STEP_W), (0, 0), (1, 0)])
def test_a_cloud_is_bridged_until_the_ramp_has_followed(more, left_W):
    found, ticks = Ramp(), 50
    found.tick(STEP_W * ticks)
    assert found.tick(0) == STEP_W * (ticks - 1), "the connection has followed for one tick"
    for _ in range(ticks - 1 + more):
        power_W = found.tick(0)
    assert power_W == pytest.approx(left_W, abs=1)


def test_a_sun_that_comes_charges_and_its_energy_comes_back():
    found = Confirmed()
    found.tick(0)
    assert found.tick(RATED_W) == STEP_W - RATED_W
    for _ in range(RATED_W // STEP_W):
        found.tick(RATED_W)
    stored = -found.function.state.energy
    assert stored == pytest.approx(1000 * RATED_W * (RATED_W // STEP_W) * TICK_MS / 2, rel=0.01)
    assert 0 < found.tick(RATED_W) <= stored // RETURN_MS // 1000 + 1
    for _ in range(40):
        found.tick(RATED_W, ticks=RETURN_MS // 10 // TICK_MS)
    assert abs(found.function.state.energy) < stored / 20


@given(st.lists(st.tuples(SUN_W, st.integers(1, 30_000)), min_size=1, max_size=80))
@example([(RATED_W, 21_000), (0, 9000)] * 40)
@settings(max_examples=25)
def test_its_energy_is_bounded_whatever_the_clouds_do(course):
    most = 1000 * RATED_W * RETURN_MS + 1000 * 1000 * RATED_W * RATED_W // RAMP_W_PER_S
    found = Confirmed()
    found.tick(0)
    for sun_W, ticks in course:
        for _ in range(ticks // 250):
            found.tick(sun_W, ticks=250)
            assert abs(found.function.state.energy) <= most


def test_a_silent_inverter_runs_out_at_the_ramp_and_its_return_is_no_step():
    found = Confirmed()
    found.tick(RATED_W)
    found.tick(0)
    powers_W = [found.tick(known=False) for _ in range(2000)]
    steps_W = [b - a for a, b in zip(powers_W, powers_W[1:])]
    assert min(steps_W) >= -STEP_W - 1 and max(steps_W) <= 0
    before_W = powers_W[-1]
    assert abs(found.tick(RATED_W // 2) - before_W) <= STEP_W + 1
    assert found.tick(0) == pytest.approx(before_W + RATED_W // 2, abs=2 * STEP_W + 1)


def test_a_silent_inverter_hides_no_cloud_of_the_other():
    found = Confirmed(suns=2)
    found.tick(RATED_W, RATED_W)
    for _ in range(1000):
        found.tick(known=(True, False))
    assert found.tick(0, 0, known=(True, False)) == RATED_W - STEP_W
    assert found.tick(0, 0) == RATED_W - 2 * STEP_W


def test_it_takes_what_the_base_request_leaves_and_begins_anew_from_there():
    found = Confirmed()
    found.tick(RATED_W)
    assert found.tick(0, room_W=(-WIDE_W, 3000)) == 3000
    assert found.tick(0, room_W=(-WIDE_W, 3000)) == 3000 - STEP_W, "its own power is no room less"
    assert found.tick(0) == 3000 - 2 * STEP_W, "no jump when the limit ends"
    assert found.tick(RATED_W, room_W=(500, WIDE_W)) == 0, "an obligation to discharge"


def test_without_a_load_meter_load_tracking_holds_the_sun():
    found = Confirmed()
    found.tick(RATED_W)
    assert found.tick(0, source=CALCULATED) == 0


def test_a_cabinet_bridges_its_share():
    found = Confirmed(share_permille=250)
    found.tick(RATED_W)
    assert found.tick(0) == pytest.approx((RATED_W - STEP_W) / 4, abs=1)


def test_off_the_grid_it_forgets_the_bridge():
    found = Confirmed()
    found.tick(RATED_W)
    found.tick(0)
    found.function.hold(found.seen, found.seen, 1)
    assert found.seen.bridge_W == 0
    found.bridge_W = 0
    assert found.tick(0) == 0


def test_load_tracking_and_its_request_leave_the_bridge_alone():
    """Its part of the set-point, of the available power, and of the charge that is missing."""
    found = Confirmed(energy_Wh=1000)
    found.tick(RATED_W)
    for _ in range(500):
        found.tick(0)
    seen, bridge_W = found.seen, found.bridge_W
    assert seen.bridged_permille == found.function.state.energy // 3_600_000_000 > 100
    seen.setpoint_W, seen.low_W, seen.high_W = bridge_W + 7, -10 * RATED_W, 10 * RATED_W
    HintRequest(found.setup).step(seen, seen, 1)
    assert seen.left_setpoint_W == 7
    assert (seen.low_W, seen.high_W) == (seen.left_low_W + bridge_W, seen.left_high_W + bridge_W)
    seen.soc_permille, seen.is_requested = (400, 400), False
    track = Track(found.setup)
    assert track._soc_error(seen, seen) == 550 - 400 - seen.bridged_permille


@pytest.mark.parametrize(("bridge_W", "reason"), [(400, LOAD_TRACKING), (-600, pv_ramp.PV_RAMP)])
def test_two_fast_requests_add_and_the_larger_is_the_reason(bridge_W, reason):
    chain = setpoint.Chain(WIDE_W)
    chain.take(FastRequest(bridge_W, pv_ramp.PV_RAMP))
    chain.take(FastRequest(500, LOAD_TRACKING))
    assert chain.finish(1) == 500 + bridge_W
    assert chain.out[setpoint.O_REQUEST_FAST_W] == 500 + bridge_W
    assert chain.out[setpoint.O_REQUEST_FAST_REASON] == reason


def test_without_a_rule_it_asks_for_nothing():
    found = Bench(PvRamp, device("pv", rated_W=RATED_W))
    assert found.step() == []


@pytest.mark.parametrize("verdict", [ALONE, CONTRADICTED])
def test_a_report_of_0_that_nothing_confirms_is_not_bridged(verdict):
    """Public reports: an inverter that produces reports 0 for one reading."""
    found = Confirmed()
    found.tick(RATED_W)
    found.verdict = verdict
    before_W = found.tick(RATED_W)
    powers_W = [found.tick(0) for _ in range(75)] + [found.tick(RATED_W) for _ in range(75)]
    assert max([abs(each - before_W) for each in powers_W]) <= STEP_W * 150 + 1


def test_a_contradicted_report_counts_again_without_a_step():
    found = Confirmed()
    found.tick(RATED_W)
    found.verdict = CONTRADICTED
    powers_W = [found.tick(0) for _ in range(DOUBT_MS // TICK_MS + 200)]
    assert max([abs(b - a) for a, b in zip(powers_W, powers_W[1:])]) <= STEP_W + 1
    assert found.site.devices[0].value("power_W") == 0


def test_a_report_that_nothing_can_contradict_counts_after_its_time():
    found = Confirmed()
    found.tick(RATED_W)
    found.verdict = ALONE
    powers_W = [found.tick(0) for _ in range(160)]
    steps_W = [b - a for a, b in zip(powers_W, powers_W[1:])]
    assert max(steps_W) >= RATED_W - STEP_W and steps_W.index(max(steps_W)) in range(148, 152)
