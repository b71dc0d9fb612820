"""Plays test cases (courses) until all demanded effects have come.

Each case runs in a process that is forked from a started cabinet.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hil.campaigns.rows import effects, latch, start, verdict
from hil.campaigns.rows.course import Course
from hil.campaigns.rows.courses import EVERY
from hil.campaigns.rows.limits import Limits
from hil.campaigns.rows.start import apply, ask, stays_open, wait
from hil.campaigns.rows.watch import HOLD_S, LAG_S_MAX, Result, Watch
from hil.engine.simulate import VirtualRig

TURNED_S = 22.0  # from 200 kW in one direction to 200 kW in the other one
ENDED_S, ASKED_S = 8.0, 12.0  # enough for a controlled stop, and for a start (3 s)
# The wiring alone acts on converter and racks about 1 s after the controller has stopped.
STAYS_S = 1.5
# These courses come first, because a long one would run alone at the end.
LONG = "6b 46a 46b 45b 45d 17a 17b 17c 42c 38a".split()
CLOSES, STAYS = "no closing", "no start"
WIRED = (effects.ENABLE, effects.POWER, effects.OPENED)
LAPSED = (*WIRED, effects.FAN, effects.RED_LAMP, effects.PANEL, effects.AUX_SHED)


def ordered(labels: Sequence[str]) -> list[str]:
    """The labels, with the long courses first."""
    places = {label: place for place, label in enumerate(LONG)}
    return sorted(labels, key=lambda label: places.get(label, len(LONG)))


def work(
    limits: Limits, labels: Sequence[str], disarmed: bool = False, seed: int = 1
) -> Callable[[str], dict[str, Any]]:
    """A function that plays the course of a label in its own process and returns its plain Outcome.

    labels: courses that share their starts; any other course starts by itself.
    disarmed: in each course only its own stage is not armed.
    """
    config = limits.config
    starts: dict[str, VirtualRig] = {}
    for course in [EVERY[label] for label in labels if not disarmed]:
        key = start.start_key(course)
        starts[key] = starts.get(key) or start.started(config, course, (), seed)

    def outcome(label: str) -> dict[str, Any]:
        course = EVERY[label]
        rig = None if disarmed else starts.get(start.start_key(course))
        rig = rig or start.started(config, course, (course.stage,) if disarmed else (), seed)
        result = measured(rig, course, limits)
        if not (disarmed or course.is_by_wiring_alone):
            result = result._replace(freed=latch.freed(rig, course))
        must_come = wanted(course, rig.cabinet.devices)
        return verdict.judged(course, result, limits, must_come).plain()

    return outcome


def measured(rig: Any, course: Course, limits: Limits) -> Result:
    """Run the course on a started rig, and return its Result."""
    apply(rig, *course.before)
    ask(rig, course.power_kW, course.settle_s)
    wait(rig, course.settle_s)
    watch = Watch(rig, course, wanted(course, rig.cabinet.devices))
    slowest_us = round(slowest_s(course, limits) * 1e6)
    stopped_us = (
        rig.now_us + round((course.ends_s + STAYS_S) * 1e6) if course.is_by_wiring_alone else None
    )
    outside = [act for act in course.cause if not act.is_inside]
    ask(rig, course.power_kW, LAG_S_MAX + slowest_us / 1e6, outside)
    apply(rig, *[act for act in course.cause if act.is_inside])
    while rig.now_us < (stopped_us or watch.shown_us() + slowest_us) and not watch.complete():
        rig.step()
        watch.see()
    result = watch.result()
    return result if course.is_by_wiring_alone else result._replace(after=_probed(rig, course))


def slowest_s(course: Course, limits: Limits) -> float:
    """How long to wait for the slowest effect, after the sensor shows the cause."""
    names = (effects.OPENED, effects.CHARGE, *effects.COILS)
    return 2 * HOLD_S + max(limits.effect_ms(course, name) for name in names) / 1000


def wanted(course: Course, devices: Mapping[str, Any]) -> Sequence[str]:
    """Effects that must come, without those of a silenced module. If the controller stays
    stopped, these are the effects of the wiring.
    """
    if course.is_by_wiring_alone:
        return LAPSED if course.stage == "44c" else WIRED
    dead_coils: set[str] = set()
    for act in course.cause:
        if act.arguments.get("fault") == "silent":
            dead_coils.update(getattr(devices.get(act.arguments["device"]), "coil_names", ()))
    # A dead module drops its coils, so it never shows an effect that energises one.
    lost = {name for name, coil in effects.COILS.items() if coil.level and coil.coil in dead_coils}
    return [name for name in effects.demanded(course.stage) if name not in lost]


def _probed(rig: Any, course: Course) -> dict[str, bool]:
    """Request the other direction of power, then a stop and a new start. Returns {effect: True if
    it held}.

    After a restart of the controller, the modules have already dropped their coils. Then the
    controller must not start the cabinet by itself.
    """
    holds = {}
    limited = [name for name in effects.demanded(course.stage) if name in effects.LIMITED]
    if limited and not course.starts:
        ask(rig, -course.power_kW, TURNED_S)
        wait(rig, TURNED_S)
        is_shown = effects.shown(rig.plant, course.stage)
        holds = {name: is_shown[name] for name in limited}
    if "N" in course.asks:
        apply(rig, *course.repair)
        rig.controller.run_request(0)
        wait(rig, ENDED_S)
        rig.controller.run_request(1)
        holds[CLOSES] = stays_open(rig, ASKED_S)
    if course.does("controller_start"):
        holds[STAYS] = stays_open(rig, ASKED_S)
    return holds
