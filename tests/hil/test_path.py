"""The path from a meter's value to the battery in virtual time, wire by wire and as a whole."""

import pytest

from controller.config import configuration
from controller.sites import EXAMPLE, FOLDER
from hil.campaigns.benchmarks import path
from hil.engine.simulate import VirtualRig
from hil.wires.virtual import DOWN

CONFIG = configuration.load(EXAMPLE)
TICK_US = 20_000
WRITE_REGISTERS = 16


@pytest.fixture(scope="module")
def rig():
    """10 s in which the set-point moves in each tick: (rig, {bus: [(us, way, data)]})."""
    made = VirtualRig(CONFIG, lambda t_s: 230_000.0 + 4000.0 * (round(t_s * 50) % 7), 1)
    made.controller.cabinet.core.functions["track"].step = path.follow
    made.run(30)
    heard = {}
    for name, wire in made.controller.wires.items():
        heard[name] = []
        wire.tap = lambda *seen, to=heard[name]: to.append(seen)
    made.run(40)
    return made, heard


@pytest.mark.parametrize("bus", ["meter_grid", "meter_load"])
def test_each_reply_of_a_meter_is_whole_one_millisecond_before_a_tick(rig, bus):
    replies = [time_us for time_us, way, _ in rig[1][bus] if way != DOWN]
    assert len(replies) == pytest.approx(500, abs=1)
    assert {time_us % TICK_US for time_us in replies} <= set(range(18_990, 19_001))


def test_a_set_point_leaves_at_once_in_each_tick(rig):
    """13 characters at 115 200 Bd: no read of the converter and no heartbeat is in its way."""
    sent = [
        time_us
        for time_us, way, data in rig[1]["pcs"]
        if way == DOWN
        and data[1] == WRITE_REGISTERS
        and data[4:6] == b"\0\2"
        and data[6] == 4
        and time_us % TICK_US < 8000
    ]
    assert len(sent) > 400
    assert {time_us % TICK_US for time_us in sent} == {1129}


def test_nothing_is_under_way_to_the_converter_when_a_tick_begins(rig):
    """The bus rests between the last reply of a tick and the next tick."""
    times_us = sorted(time_us for time_us, _, _ in rig[1]["pcs"])
    assert all(1129 <= time_us % TICK_US < TICK_US - 1000 for time_us in times_us)


@pytest.mark.whole
@pytest.mark.parametrize("cabinet, least_ms, wait_ms", [("example", 97.7, 20), ("fast", 43.7, 10)])
def test_the_pure_path_is_the_sum_of_its_parts(cabinet, least_ms, wait_ms):
    """Window and hold, 0 to one refresh of wait, bus, dead time, ramp. A step that two windows
    share has two smaller ramps: up to 5 ms less.
    """
    config = configuration.load(FOLDER / cabinet / "cabinet.toml")
    delays_ms = path.delays_ms(config, 24, 1)
    assert len(delays_ms) == 24
    assert least_ms - 5 - 1 < min(delays_ms) <= max(delays_ms) < least_ms + wait_ms + 1
    assert max(delays_ms) - min(delays_ms) > wait_ms / 2, "each edge has a phase of its own"
