"""Checks the reset of a stage: the cause ends, then comes a remote reset, then one with the key."""

from typing import Any

from hil.campaigns.rows.course import Course, Do, do
from hil.campaigns.rows.start import apply, stays_open, wait
from hil.scenarios import faults

CLEAR_S = 45.0  # the plant's slowest sensor, plus 5 s until a cause counts as gone
ANSWER_S = 2.0
RELEASES = {
    "estop_press": "estop_release",
    "estop_channel": "estop_release",
    "contact": "contact_repair",
    "cool": "heat",
}
ZERO = """lfl_pct ppm ppm_per_s offset_mV drop_mV over_s offset_V current_A bits count kW
ingress_g_per_s"""
# values without a fault
CALM: dict[str, Any] = {
    "on": False,
    "open": False,
    "run": True,
    "reads": "true",
    "degC": 25.0,
    "rate_K_per_s": 0,
    "kohm": 5000,
    "minutes": 600,
    "days": 365,
    **dict.fromkeys(ZERO.split(), 0),
}
BY_ITSELF, REMOTE, KEY, CLOSES = "by itself", "remote", "key", "closes"


def undone(act: Do) -> Do | None:
    """The action (a Do) that ends the effect of another action, or None."""
    name = RELEASES.get(act.do, act.do)
    fields, own = faults.ACTIONS[name][0], act.arguments
    changed = {key: CALM[key] for key in fields if key in CALM}
    if act.do == "device_fault":
        changed["value"] = {} if isinstance(own.get("value"), dict) else False
    kept = {key: own[key] for key in own if key in fields}
    return do(name, **kept | changed) if changed or name != act.do else None


def freed(rig: Any, course: Course) -> dict[str, bool]:
    """{kind of reset: True if the stage is clear after it}, in the order of time. Empty if the
    cause cannot end. CLOSES: a rack gets a close command before the first reset.
    """
    if any(act.do not in faults.ACTIONS for act in course.before + course.cause):
        return {}
    apply(rig, *filter(None, map(undone, course.at_start + course.before + course.cause)))
    is_open = stays_open(rig, CLEAR_S)
    cleared = {BY_ITSELF: _is_clear(rig, course), CLOSES: not is_open}
    cleared[REMOTE] = _is_reset(rig, course, REMOTE)
    apply(rig, do("key", run=False))  # a reset with the key requires the key out of RUN
    wait(rig, ANSWER_S)
    cleared[KEY] = _is_reset(rig, course, KEY)
    return cleared


def _is_reset(rig: Any, course: Course, kind: str) -> bool:
    """Try a reset. True if the stage is clear afterwards."""
    rig.controller.reset(kind)
    wait(rig, ANSWER_S)
    return _is_clear(rig, course)


def _is_clear(rig: Any, course: Course) -> bool:
    return course.stage not in [name.partition(".")[0] for name in rig.trips.active()]
