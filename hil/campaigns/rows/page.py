"""Writes the results of `hil rows` as lines, as a Markdown page and as JSON."""

from collections.abc import Callable, Iterable
from typing import Any

from controller.rows.records import BY_ID
from hil.campaigns.rows import effects, verdict
from hil.campaigns.rows.course import Course
from hil.campaigns.rows.courses import EVERY
from hil.campaigns.rows.limits import Limits
from hil.campaigns.rows.real import BESIDE
from hil.campaigns.rows.verdict import Outcome
from hil.results import template
from hil.results.run_result import machine
from safety import matrix as m


def line(outcome: Outcome, limits: Limits) -> str:
    """The line that the terminal shows for a course."""
    since_ms, stage = outcome.result.since_ms, outcome.course.stage
    ending = "met" if outcome.is_met else "NOT MET: " + "; ".join(outcome.complaints)
    if outcome.course.is_by_wiring_alone:
        times = ", ".join(f"{name} {_s(since_ms[name])}" for name in outcome.wanted[:3])
        return f"{outcome.course.label:11} {times}  {ending}"
    active = _of(outcome, outcome.result.stands_ms, limits.decision_ms(stage))
    times = ", ".join(f"{name} {_effect(outcome, limits, name)}" for name in outcome.wanted[:3])
    return f"{outcome.course.label:11} active {active} s; {times or 'nothing to see'}  {ending}"


def page(outcomes: list[Outcome], limits: Limits, not_done: dict[str, str] | None = None) -> str:
    """The Markdown page of the outcomes. not_done: {label: reason}, for real processes only."""
    outcomes = sorted(outcomes, key=lambda outcome: list(EVERY).index(outcome.course.label))
    plain = [outcome for outcome in outcomes if not outcome.course.is_by_wiring_alone]
    wired = [_wired(outcome, limits) for outcome in outcomes if outcome.course.is_by_wiring_alone]
    return template.rendered(
        "rows.txt",
        is_real=not_done is not None,
        courses=len(plain),
        stages=len({outcome.course.stage for outcome in plain}),
        met=sum(outcome.is_met for outcome in plain),
        rows=[_cells(outcome, limits) for outcome in plain],
        wired=wired,
        not_met=_bullets(outcomes, lambda outcome: outcome.complaints),
        under_current=_bullets(plain, lambda outcome: verdict.asked_for(outcome.result)),
        beside=_bullets(outcomes, lambda outcome: BESIDE.get(outcome.course.label, ()), ", "),
        repeated=_bullets(outcomes, lambda outcome: outcome.repeated),
        not_done=[f"- {label}: {why}" for label, why in (not_done or {}).items()],
    )


def _bullets(
    outcomes: list[Outcome], texts_of: Callable[[Outcome], Iterable[str]], separator: str = "; "
) -> list[str]:
    """A line for each outcome that has a text."""
    texts = [(outcome.course.label, separator.join(texts_of(outcome))) for outcome in outcomes]
    return [f"- {label}: {text}" for label, text in texts if text]


def document(
    outcomes: list[Outcome], limits: Limits, seed: int, not_done: dict[str, str] | None = None
) -> dict[str, Any]:
    """The JSON document. not_done: {label: reason}, for real processes only."""
    fields = {
        "command": "rows",
        "seed": seed,
        "ok": all(outcome.is_met for outcome in outcomes),
        "courses": [_course(outcome, limits, not_done is not None) for outcome in outcomes],
    }
    if not_done is not None:
        fields |= {"command": "rows --real", "not_done": not_done, **machine()}
    return fields


def _course(outcome: Outcome, limits: Limits, is_real: bool) -> dict[str, Any]:
    fields = {
        "course": outcome.course.label,
        "row": BY_ID[outcome.course.stage][m.S_ROW],
        "stage": outcome.course.stage,
        "how": outcome.course.how,
        "inside": outcome.course.is_inside,
        "met": outcome.is_met,
        "complaints": outcome.complaints,
        "limits_ms": _limits(outcome, limits),
        **outcome.result._asdict(),
    }
    if is_real:
        fields |= {"held_back": outcome.delays, "repeated": outcome.repeated}
        if not outcome.is_met:
            fields["timeline"] = outcome.timeline
    return fields


def _limits(outcome: Outcome, limits: Limits) -> dict[str, Any]:
    if outcome.course.is_by_wiring_alone:
        return limits.stopped_ms(outcome.wanted)
    stage = outcome.course.stage
    return {
        "stands": [limits.earliest_ms(stage, outcome.course.cause), limits.decision_ms(stage)],
        "permit": limits.permit_ms(stage),
        **{name: limits.effect_ms(outcome.course, name) for name in outcome.wanted},
    }


def _cells(outcome: Outcome, limits: Limits) -> tuple[str, ...]:
    course, result = outcome.course, outcome.result
    stops = effects.STOPS in course.asks
    permit = _of(outcome, result.permit_ms, limits.permit_ms(course.stage)) if stops else "-"
    also = sorted({name for name, _ in result.stood if name.partition(" ")[0] != course.stage})
    return (
        str(BY_ID[course.stage][m.S_ROW]),
        course.label,
        _how(course),
        "a start" if course.starts else f"{course.power_kW:g}",
        _s(result.lag_ms),
        _of(outcome, result.stands_ms, limits.decision_ms(course.stage)),
        "before" if stops and effects.ENABLE in result.at_first else permit,
        _effect(outcome, limits, effects.POWER),
        _effect(outcome, limits, effects.OPENED),
        _others(outcome, limits),
        ", ".join(also) or "-",
        "yes" if outcome.is_met else "**no**",
    )


def _how(course: Course) -> str:
    note = " *(inside)*" if course.is_inside else ""
    return course.how.replace("bridge_chain", "bridged") + note


def _others(outcome: Outcome, limits: Limits) -> str:
    """The time of the slowest of the other effects, and the names of all of them."""
    result, at_first = outcome.result, outcome.result.at_first
    with_column = (effects.ENABLE, effects.POWER, effects.OPENED)
    names = [name for name in outcome.wanted if name not in with_column]
    since_ms = {name: result.since_ms.get(name) for name in names if name not in at_first}
    listed = [name + (" (before)" if name in at_first else "") for name in names]
    text = ", ".join(listed + [name for name in result.after if name not in names])
    if not since_ms or None in since_ms.values():
        return text or "-"
    slowest = max(since_ms, key=lambda name: since_ms[name] or 0.0)
    return f"{text}: {_effect(outcome, limits, slowest)}"


def _effect(outcome: Outcome, limits: Limits, name: str) -> str:
    if name not in outcome.wanted:
        return "-"
    since_ms = outcome.result.since_ms.get(name)
    if name in outcome.result.at_first and since_ms is not None and since_ms < 0:
        return "before"
    return _of(outcome, since_ms, limits.effect_ms(outcome.course, name))


def _wired(outcome: Outcome, limits: Limits) -> tuple[str, ...]:
    allowed = limits.stopped_ms(outcome.wanted)
    cells = [
        f"{_of(outcome, outcome.result.since_ms[name], allowed[name][0])} .. {_s(allowed[name][1])}"
        for name in outcome.wanted
    ]
    remaining = [f"{name} {cell}" for name, cell in zip(outcome.wanted[3:], cells[3:])]
    number, met = outcome.course.label.partition(" ")[0], "yes" if outcome.is_met else "**no**"
    return number, outcome.course.how, *cells[:3], ", ".join(remaining) or "-", met


def _of(outcome: Outcome, time_ms: float | None, limit_ms: float) -> str:
    """The measured and the allowed time, counted from when the sensor shows the cause."""
    return f"{_s(outcome.result.counted_ms(time_ms))} / {_s(limit_ms)}"


def _s(time_ms: float | None) -> str:
    return "never" if time_ms is None else f"{time_ms / 1000:.2f}"
