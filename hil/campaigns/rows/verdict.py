"""Judges the result of a test case (course): a line for each deviation.

The times come from limits.py, the demanded effects from the oracle.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from hil.campaigns.rows import effects, latch
from hil.campaigns.rows.course import Course
from hil.campaigns.rows.limits import Limits
from hil.campaigns.rows.watch import Result
from hil.oracle import design

HOLDS_OPEN = effects.OPENS | {"N"}
OPENED_UNDER_CURRENT = " opened at "  # in the observer's line


class Outcome(NamedTuple):
    """One course that has ended. wanted: the demanded effects. complaints: the deviations.

    Only in real processes: delays (by the machine), timeline (the observer's events), repeated (a
    line per earlier attempt).
    """

    course: Course
    result: Result
    wanted: Sequence[str]
    complaints: list[str]
    delays: Mapping[str, float] = {}
    timeline: Sequence[Any] = ()
    repeated: Sequence[str] = ()

    @property
    def is_met(self) -> bool:
        """True if there are no deviations."""
        return not self.complaints

    def plain(self) -> dict[str, Any]:
        """The Outcome as JSON can write it."""
        return {**self._asdict(), "course": self.course.label, "result": self.result._asdict()}

    @classmethod
    def of(cls, fields: dict[str, Any], courses: Mapping[str, Course]) -> "Outcome":
        """Make the Outcome again from the data that `plain` returned. courses: {label: Course}."""
        course, result = courses[fields["course"]], Result(**fields["result"])
        return cls(**fields | {"course": course, "result": result})


def judged(
    course: Course, result: Result, limits: Limits, wanted: Sequence[str], **seen: Any
) -> Outcome:
    """The Outcome of a Result. seen: more fields of the Outcome."""
    return Outcome(course, result, wanted, complaints(course, result, limits, wanted), **seen)


def complaints(course: Course, result: Result, limits: Limits, wanted: Sequence[str]) -> list[str]:
    """[line] for each deviation. Times count from when the sensor showed the cause."""
    if course.is_by_wiring_alone:
        return _of_stopped(result, limits, wanted)
    decided_ms = result.counted_ms(result.stands_ms)
    if decided_ms is None:
        lines = [f"stage {course.stage} did not trip"]
    else:
        lines = _detection(course, decided_ms, limits)
    if result.lag_ms is not None:
        lines += missing(course, result, limits, wanted)
    lines += [*_elsewhere(course, result), *_freed(course, result.freed)]
    lines += [
        f"{name} after {_g(result.unwanted[name])}, which no active row demands"
        for name in result.unwanted
    ]
    return lines + [line for line in result.violations if line not in asked_for(result)]


def _of_stopped(result: Result, limits: Limits, wanted: Sequence[str]) -> list[str]:
    if result.lag_ms is None:
        return ["the cause did not show"]
    lines = [] if result.stands_ms is None else ["the killed controller still decided"]
    for name, (first_ms, last_ms) in limits.stopped_ms(wanted).items():
        after_ms = result.counted_ms(result.since_ms[name])
        if after_ms is None:
            lines.append(f"{name} did not come")
        elif not first_ms <= after_ms <= last_ms:
            lines.append(f"{name} after {_g(after_ms)}, not within {first_ms} .. {last_ms} ms")
    return lines


def missing(course: Course, result: Result, limits: Limits, wanted: Sequence[str]) -> list[str]:
    """[line] for each demanded effect that came too late or never, or that did not hold."""
    stage, lag_ms, since_ms = course.stage, result.lag_ms or 0, result.since_ms
    lines = []
    was_off = effects.ENABLE in result.at_first or (since_ms.get(effects.ENABLE) or 0) < 0
    if effects.STOPS in course.asks and not was_off:
        lines += _late("permit byte", result.permit_ms, lag_ms + limits.permit_ms(stage))
    for name in wanted:
        lines += _late(name, since_ms[name], lag_ms + limits.effect_ms(course, name))
        lines += _early(name, result, limits.held_ms(stage, name))
    return lines + [f"{name} does not hold" for name, holds in result.after.items() if not holds]


def _elsewhere(course: Course, result: Result) -> list[str]:
    """[line] if the stage trips at the wrong place; a cause in a rack or unit must trip there."""
    scope, racks = design.scope(course.stage), _racks(course)
    tripped = [name.partition(" ") for name, _ in result.stood]
    places = [place or "cabinet" for stage, _, place in tripped if stage == course.stage]
    wrong = [place for place in places if place.split()[0] != scope]
    if wrong:
        return [f"stage {course.stage} trips for the {wrong[0]}, not a {scope}"]
    if scope == "rack" and racks and places and not racks & set(places):
        return [f"stage {course.stage} trips for {places[0]}, not for {min(racks)}"]
    return []


def _racks(course: Course) -> set[str]:
    """Names of the racks in which the cause lies."""
    numbers = [act.arguments.get("rack") for act in course.cause]
    devices = [act.arguments.get("device", "") for act in course.cause]
    numbers += [device.removeprefix("bms_") for device in devices if device.startswith("bms_")]
    return {f"rack {number}" for number in numbers if number}


def _freed(course: Course, freed: Mapping[str, bool]) -> list[str]:
    """[line] if the stage clears, or a rack closes, without the required reset."""
    stage_id, lines = course.stage, []
    reset = design.ROWS[stage_id].reset
    if reset >= design.REMOTE and freed.get(latch.BY_ITSELF):
        lines.append(f"stage {stage_id} resets by itself; a person has to reset it")
    elif reset == design.KEY and freed.get(latch.REMOTE):
        lines.append(f"a remote reset clears stage {stage_id}; only the key may")
    if reset >= design.REMOTE and course.asks & HOLDS_OPEN and freed.get(latch.CLOSES):
        lines.append(f"a rack gets a close command while stage {stage_id} waits for a reset")
    return lines


def comes_anyway(course: Course, result: Result, limits: Limits, wanted: Sequence[str]) -> bool:
    """True if all effects come without the stage, which is not armed. False for Course.behind."""
    if course.behind or not (wanted or result.after):
        return False
    return result.lag_ms is None or not missing(course, result, limits, wanted)


def _detection(course: Course, decided_ms: float, limits: Limits) -> list[str]:
    earliest_ms = limits.earliest_ms(course.stage, course.cause)
    if decided_ms < earliest_ms:
        return [f"tripped after {_g(decided_ms)}, too early: not before {earliest_ms} ms"]
    return _late("trip", decided_ms, limits.decision_ms(course.stage))


def _late(name: str, time_ms: float | None, limit_ms: float) -> list[str]:
    if time_ms is None:
        return [f"{name} did not come"]
    return [f"{name} after {_g(time_ms)}, later than {_g(limit_ms)}"] if time_ms > limit_ms else []


def _early(name: str, result: Result, held_ms: float) -> list[str]:
    """[line] if an effect that must wait comes too early."""
    came_ms, active_ms = result.since_ms[name], result.stands_ms
    if not held_ms or came_ms is None or active_ms is None:
        return []
    waited_ms = came_ms - active_ms
    after = f"{name} {_g(waited_ms)} after its stage"
    return [f"{after}, too early: it waits {held_ms} ms"] if waited_ms < held_ms else []


def _g(time_ms: float) -> str:
    return f"{time_ms:g} ms"


def asked_for(result: Result) -> list[str]:
    """The observer's lines about openings under current that an active row demanded.

    After their time such rows open the contactors at any current. Only row 12 never does.
    """
    stages = {name.partition(" ")[0] for name, _ in result.stood}
    if not any(design.effects(stage) & {"I", "Z"} for stage in stages):
        return []
    return [line for line in result.violations if OPENED_UNDER_CURRENT in line]
