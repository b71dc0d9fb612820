"""The chain of one actuator: range, silence, emergency stop, least times."""

from array import array

import pytest
from hypothesis import given, strategies as st
from views import device

from controller.core.base import reasons, setpoint
from controller.core.base.answers import BaseRequest, Cap
from controller.core.site_devices import layout, roles
from controller.core.site_devices.actuator_chain import ActuatorChain
from controller.core.site_devices.signals_view import Site
from tests.tables import cases

TICK_MS = 20
ASKED = st.integers(-(1 << 30), 1 << 30)


class Bench:
    def __init__(self, role, **settings):
        self.device = device(role, **settings)
        self.inp = array("i", [0] * len(layout.words(self.device)))
        self.site = Site((self.device,), self.inp, 0, TICK_MS)
        actuator = self.device.role.actuators[0]
        self.actuator = ActuatorChain(self.site.devices[0], actuator, TICK_MS)

    def step(self, asked, fresh=1, is_estop=False, ticks=1, cap=None):
        """The value, and the reason that bound it."""
        self.site.step(bytes([fresh] * len(self.device.role.signals)), ticks)
        self.actuator.begin(is_estop, ticks)
        self.actuator.chain.take(BaseRequest(asked, reasons.NO_REQUEST))
        if cap is not None:
            self.actuator.chain.take(Cap(0, reasons.PV_CURTAILED, cap, reasons.PV_CURTAILED))
        value = self.actuator.finish(ticks)
        return value, self.actuator.chain.out[setpoint.O_BINDING_REASON]


@cases("""
    asked  cap  value  reason
    0  None  0  0 | 500  None  500  0 | 1000  None  1000  0 | 1001  None  1000  reasons.DEVICE_RANGE
    -5  None  0  reasons.DEVICE_RANGE | 500  499  499  reasons.PV_CURTAILED
""")
def test_a_request_stays_within_caps_and_range(asked, cap, value, reason):
    bench = Bench("pv", rated_W=1000, ramp_W_per_s=100_000_000)
    if asked < 0:
        reason = 0  # the low end of the range has no reason: 0 is the rest value
    assert bench.step(asked, cap=cap) == (value, reason)


@pytest.mark.parametrize("known, value", (((1, 0), 500), ((0, 1), 0)))
def test_an_actuator_rests_while_its_feedback_is_unknown_though_the_device_answers(known, value):
    bench = Bench("pv", rated_W=1000, ramp_W_per_s=100_000_000)
    for _ in range(200):
        bench.site.step(bytes(known), 1)
        bench.actuator.begin(False, 1)
        bench.actuator.chain.take(BaseRequest(500, reasons.NO_REQUEST))
        found = bench.actuator.finish(1)
    assert found == value


def test_the_ramp_counts_elapsed_ticks():
    bench = Bench("pv", rated_W=100_000, ramp_W_per_s=10_000)
    found = [bench.step(100_000, ticks=ticks)[0] for ticks in (1, 1, 3)]
    assert found == [200, 400, 1000]


@cases("""
    silent_ticks  value
    1  1 | 149  1 | 150  0
""")
def test_a_device_that_is_silent_for_stale_ms_goes_to_rest(silent_ticks, value):
    bench = Bench("chiller", stale_ms=3000, on_s_min=900, off_s_min=0)
    assert bench.step(1) == (1, 0)
    found = [bench.step(1, fresh=0) for _ in range(silent_ticks)]
    assert found[-1] == (value, 0 if value else reasons.DEVICE_SILENT)


@pytest.mark.parametrize(
    "role, is_estop, value", (("genset", 0, 1), ("genset", 1, 0), ("load_shed", 1, 1))
)
def test_a_silent_engine_or_stage_keeps_its_value_whatever_is_asked(role, is_estop, value):
    settings = {"stages_max": 3} if role == "load_shed" else {"off_s_min": 0}
    bench = Bench(role, stale_ms=3000, on_s_min=0, **settings)
    for fresh in (1, *[0] * 150):
        assert bench.step(1, fresh=fresh)[0] == 1
    assert bench.step(0, fresh=0, is_estop=is_estop)[0] == value


@pytest.mark.parametrize("role, value", (("genset", 0), ("load_shed", 1), ("chiller", 1)))
def test_an_emergency_stop_acts_as_the_record_says(role, value):
    settings = {"stages_max": 3} if role == "load_shed" else {}
    bench = Bench(role, **settings)
    assert bench.step(1)[0] == 1
    assert bench.step(1, is_estop=True)[0] == value


def test_an_emergency_stop_holds_the_shed_stages_whatever_is_asked():
    bench = Bench("load_shed", stages_max=3, on_s_min=0)
    assert bench.step(2) == (2, 0)
    for asked in (0, 3):
        assert bench.step(asked, is_estop=True) == (2, reasons.DEVICE_ESTOP)
    assert bench.step(0) == (0, 0)


@cases("""
    ticks  value
    49  1 | 50  0 | 51  0
""")
def test_a_generator_runs_its_least_time(ticks, value):
    bench = Bench("genset", on_s_min=1, off_s_min=0)
    assert bench.step(1)[0] == 1
    for _ in range(ticks - 1):
        assert bench.step(1)[0] == 1
    assert bench.step(0) == (value, reasons.LEAST_TIME if value else 0)


def test_a_generator_rests_its_least_time_but_may_start_first():
    bench = Bench("genset", on_s_min=0, off_s_min=1)
    assert bench.step(1)[0] == 1 and bench.step(0)[0] == 0
    for _ in range(49):
        assert bench.step(1) == (0, reasons.LEAST_TIME)
    assert bench.step(1)[0] == 1


@given(
    st.sampled_from([name for name in roles.ROLES if roles.ROLES[name].actuators]),
    st.lists(st.tuples(ASKED, st.booleans(), st.booleans(), st.integers(1, 9)), max_size=30),
)
def test_a_value_stays_in_range_and_replays(role, steps):
    benches = Bench(role), Bench(role)
    high = benches[0].device.setting(benches[0].device.role.actuators[0].high)
    for asked, fresh, is_estop, ticks in steps:
        found = [bench.step(asked, fresh, is_estop, ticks) for bench in benches]
        assert found[0] == found[1] and 0 <= found[0][0] <= high
