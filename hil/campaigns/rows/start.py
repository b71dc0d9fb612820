"""Starts the cabinet for a test case (course), and applies the actions of the case.

A rig is a VirtualRig, or the SteppedRig of plant_watch.py.
"""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

from controller.config.bus_schema import Bus
from controller.config.cabinet_config import Config
from controller.forms import reading
from hil.campaigns.rows.course import Course, Do
from hil.campaigns.rows.inside import INSIDE
from hil.engine.simulate import VirtualRig
from hil.scenarios import faults, scenario
from safety import matrix as m
from safety.signals import CABINET, RACK, UNIT

# With this load the battery can charge or discharge 200 kW within the limits of the connection.
LOAD_W = 220_000.0
HINT_S = 60.0
REQUEST = {"source": "scheduler", "kind": "request", "quantity": "power_W", "valid_s": 119.0}
# Time until the requested power flows: above 100 kW, and up to 100 kW. The test of the grid meter
# takes 16 s, limits recover by 5 % of the rated power per second, and the request ramps at 25 kW/s.
START_S, GENTLE_START_S = 29.0, 23.0
SETTLED_S = 4.0  # until the contactors are closed
SECOND_CHANNEL = "51"
# The bytes of channel B move in memory, not over this port.
CHANNEL_B = Bus("channel_b", "channel", port="/dev/null", baud_Bd=115_200)


def armed(config: Config, more: Iterable[str], less: Sequence[str]) -> Config:
    """The configuration with `more` armed, `less` disarmed, and channel B if row 51 is armed."""
    image = config.safety_image[:]
    stage_ids = []
    for scope, count in ((CABINET, 1), (UNIT, config.units), (RACK, config.racks)):
        stage_ids += [stage[m.S_ID] for stage in m.STAGES if stage[m.S_SCOPE] == scope] * count
    for index, stage_id in enumerate(stage_ids, config.image_map().armed):
        if stage_id in more or stage_id in less:
            image[index] = int(stage_id not in less)
    topology = config.topology
    if SECOND_CHANNEL in more:
        topology = dataclasses.replace(topology, second_channel=True, channel_b=CHANNEL_B)
    return dataclasses.replace(config, safety_image=image, topology=topology)


def start_key(course: Course) -> str:
    """The key of a start. Courses with equal keys share one start."""
    fields = "power_kW at_start armed alone starts soc_pct".split()
    return str([getattr(course, name) for name in fields])


def started(
    config: Config, course: Course, less: tuple[str, ...] = (), seed: int = 1
) -> VirtualRig:
    """A VirtualRig whose cabinet runs at the course's power. less: stages to disarm."""
    config = armed(config, course.armed, less + course.alone)
    rig = VirtualRig(config, load_W, seed, (), {"soc": course.soc_pct / 100})
    apply(rig, *course.at_start)
    if not course.starts:
        bring_up(rig, course)
    return rig


def load_W(t_s: float) -> float:
    """The load, which is constant."""
    return LOAD_W


def bring_up(rig: Any, course: Course) -> None:
    """Run from the controller's first tick until the cabinet has the course's power."""
    start_s = start_duration_s(course)
    ask(rig, course.power_kW, start_s, wait_s=SETTLED_S)
    wait(rig, start_s)


def wait(rig: Any, seconds: float) -> None:
    """Let time pass."""
    rig.run(rig.now_us / 1e6 + seconds)


def stays_open(rig: Any, seconds: float) -> bool:
    """Let time pass. True if no rack gets a close command."""
    before = len(rig.observer.timeline)
    wait(rig, seconds)
    return all(name != "bms_close_sent" for _, name, _ in rig.observer.timeline[before:])


def start_duration_s(course: Course) -> float:
    """The time until the course's power flows, or 0 if the course is the start itself."""
    if course.starts:
        return 0.0
    return START_S if abs(course.power_kW) > 100 else GENTLE_START_S


def ask(
    rig: Any, power_kW: float, duration_s: float, causes: Iterable[Do] = (), wait_s: float = 0.0
) -> None:
    """Request power for duration_s, starting after wait_s, and apply the causes at their times."""
    from_s = rig.now_us / 1e6 + wait_s
    request = REQUEST | {"value_W": power_kW * 1000}
    actions = [
        scenario.Action(rig.now_us + round(cause.at_s * 1e6), cause.do, cause.do, _arguments(cause))
        for cause in causes
    ]
    for count in range(int(duration_s // HINT_S) + 1):
        at_us = round((from_s + HINT_S * count) * 1e6)
        actions.append(scenario.Action(at_us, "hint", "request", request))
    actions.sort(key=lambda action: action.at_us)
    rig.clockwork = faults.Clockwork(actions, rig.world(), rig.observer.mark)


def _arguments(act: Do) -> dict[str, Any]:
    return reading.read("rows", (act.do,), act.arguments, faults.ACTIONS[act.do][0])


def apply(rig: Any, *acts: Do) -> None:
    """Apply the actions now."""
    for act in acts:
        if act.do in INSIDE:
            INSIDE[act.do](rig)
        else:
            faults.ACTIONS[act.do][1](rig.world(), _arguments(act))
