"""A planner that is gone, or whose clock is: the box's own peak shaving and reserve act."""

from array import array
from dataclasses import replace

import pytest
from slow import whole

from controller.config import configuration
from controller.core.base import hint_codes as h, setpoint
from controller.core.base.schedule_table import Slot
from controller.core.policies import schedule as s
from controller.planner import sender
from controller.sites import EXAMPLE
from hil.engine.virtual_controller import UTC_US
from hil.values.rig import ValueRig

PEAK_W, LOW_W, HIGH_W, STEP_S = 280_000, 200_000, 330_000, 30
CONTROL = {"peak_import_W_max": PEAK_W, "peak_interval_s": 60}
CHARGES = Slot(300_000, -60_000, -60_000, 600)
START_MIN, ALIVE_S, SEEN_S = UTC_US // 60_000_000, 20, 85


def gone(rig):
    """No further heartbeat."""


def clock_lost(rig):
    rig.controller.hint("planner", h.HEARTBEAT, 0, 0, sender.VALID_MS)
    rig.controller.cabinet.site_clock.error_us = None


@pytest.mark.whole
@pytest.mark.parametrize("end, state", [(gone, s.SILENT), *whole((clock_lost, s.CLOCK))])
def test_after_its_end_the_box_holds_peak_and_reserve_by_itself(end, state):
    config = configuration.load(EXAMPLE)
    control = config.control | CONTROL
    config = replace(config, control=control, control_image=array("i", control.values()))
    rig = ValueRig(config, lambda t_s: HIGH_W if t_s > STEP_S else LOW_W, 1, (), {"soc": 0.55})
    core = rig.controller.cabinet.core if rig.controller.cabinet else rig.core
    rig.run(10)
    rig.controller.schedule("planner", START_MIN, sender.SLOT_MIN, (CHARGES,) * 96)
    rig.controller.hint("planner", h.HEARTBEAT, 0, 0, 1000 * (ALIVE_S - 10))
    rig.run(ALIVE_S - 1)
    reserve = core.functions["reserve"].state
    assert core.functions["schedule"].out[s.O_STATE] == s.ACTS
    assert core.chain.out[setpoint.O_SETPOINT_W] < -50_000 and reserve.peaks_permille == 600
    end(rig)
    rig.run(STEP_S - 2)
    assert core.functions["schedule"].out[s.O_STATE] == state
    assert abs(core.chain.out[setpoint.O_SETPOINT_W]) < 20_000
    assert reserve.peaks_permille == control["soc_reserve_peaks_permille"]
    imports_W = []
    for second in range(STEP_S + 20, SEEN_S):  # the minute of the step forgives its start
        rig.run(second)
        imports_W.append(core.known.grid_W)
    assert sum(imports_W) / len(imports_W) < PEAK_W * 1.02
    assert core.chain.out[setpoint.O_SETPOINT_W] > 40_000
