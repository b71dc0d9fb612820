"""Writes the results of `hil rows` as lines, as a Markdown page and as JSON."""

from collections.abc import Callable, Iterable
from typing import Any

from controller.rows.records import BY_ID
from hil.campaigns.rows import effects, verdict
from hil.campaigns.rows.course import Course
from hil.campaigns.rows.courses import EVERY
from hil.campaigns.rows.limits import Limits
from hil.campaigns.rows.real import BESIDE
from hil.campaigns.rows.verdict import Row
from hil.results import template
from hil.results.run_result import machine
from safety import matrix as m


def line(row: Row, limits: Limits) -> str:
    """The line that the terminal shows for a course."""
    since_ms, stage = row.result.since_ms, row.course.stage
    ending = "met" if row.is_met else "NOT MET: " + "; ".join(row.complaints)
    if row.course.is_by_wiring_alone:
        times = ", ".join(f"{name} {_s(since_ms[name])}" for name in row.wanted[:3])
        return f"{row.course.label:11} {times}  {ending}"
    active = _of(row, row.result.stands_ms, limits.decision_ms(stage))
    times = ", ".join(f"{name} {_effect(row, limits, name)}" for name in row.wanted[:3])
    return f"{row.course.label:11} active {active} s; {times or 'nothing to see'}  {ending}"


def page(rows: list[Row], limits: Limits, not_done: dict[str, str] | None = None) -> str:
    """The Markdown page of all rows. not_done: {label: reason}, for real processes only."""
    rows = sorted(rows, key=lambda row: list(EVERY).index(row.course.label))
    plain = [row for row in rows if not row.course.is_by_wiring_alone]
    wired = [_wired(row, limits) for row in rows if row.course.is_by_wiring_alone]
    return template.rendered(
        "rows.txt",
        is_real=not_done is not None,
        courses=len(plain),
        stages=len({row.course.stage for row in plain}),
        met=sum(row.is_met for row in plain),
        rows=[_cells(row, limits) for row in plain],
        wired=wired,
        not_met=_bullets(rows, lambda row: row.complaints),
        under_current=_bullets(plain, lambda row: verdict.asked_for(row.result)),
        beside=_bullets(rows, lambda row: BESIDE.get(row.course.label, ()), ", "),
        repeated=_bullets(rows, lambda row: row.repeated),
        not_done=[f"- {label}: {why}" for label, why in (not_done or {}).items()],
    )


def _bullets(
    rows: list[Row], texts_of: Callable[[Row], Iterable[str]], separator: str = "; "
) -> list[str]:
    """A line for each row that has a text."""
    texts = [(row.course.label, separator.join(texts_of(row))) for row in rows]
    return [f"- {label}: {text}" for label, text in texts if text]


def document(
    rows: list[Row], limits: Limits, seed: int, not_done: dict[str, str] | None = None
) -> dict[str, Any]:
    """The JSON document. not_done: {label: reason}, for real processes only."""
    fields = {
        "command": "rows",
        "seed": seed,
        "ok": all(row.is_met for row in rows),
        "courses": [_course(row, limits, not_done is not None) for row in rows],
    }
    if not_done is not None:
        fields |= {"command": "rows --real", "not_done": not_done, **machine()}
    return fields


def _course(row: Row, limits: Limits, is_real: bool) -> dict[str, Any]:
    fields = {
        "course": row.course.label,
        "row": BY_ID[row.course.stage][m.S_ROW],
        "stage": row.course.stage,
        "how": row.course.how,
        "inside": row.course.is_inside,
        "met": row.is_met,
        "complaints": row.complaints,
        "limits_ms": _limits(row, limits),
        **row.result._asdict(),
    }
    if is_real:
        fields |= {"held_back": row.delays, "repeated": row.repeated}
        if not row.is_met:
            fields["timeline"] = row.timeline
    return fields


def _limits(row: Row, limits: Limits) -> dict[str, Any]:
    if row.course.is_by_wiring_alone:
        return limits.stopped_ms(row.wanted)
    stage = row.course.stage
    return {
        "stands": [limits.earliest_ms(stage, row.course.cause), limits.decision_ms(stage)],
        "permit": limits.permit_ms(stage),
        **{name: limits.effect_ms(row.course, name) for name in row.wanted},
    }


def _cells(row: Row, limits: Limits) -> tuple[str, ...]:
    course, result = row.course, row.result
    stops = effects.STOPS in course.asks
    permit = _of(row, result.permit_ms, limits.permit_ms(course.stage)) if stops else "-"
    also = sorted({name for name, _ in result.stood if name.partition(" ")[0] != course.stage})
    return (
        str(BY_ID[course.stage][m.S_ROW]),
        course.label,
        _how(course),
        "a start" if course.starts else f"{course.power_kW:g}",
        _s(result.lag_ms),
        _of(row, result.stands_ms, limits.decision_ms(course.stage)),
        "before" if stops and effects.ENABLE in result.at_first else permit,
        _effect(row, limits, effects.POWER),
        _effect(row, limits, effects.OPENED),
        _others(row, limits),
        ", ".join(also) or "-",
        "yes" if row.is_met else "**no**",
    )


def _how(course: Course) -> str:
    note = " *(inside)*" if course.is_inside else ""
    return course.how.replace("bridge_chain", "bridged") + note


def _others(row: Row, limits: Limits) -> str:
    """The time of the slowest of the other effects, and the names of all of them."""
    result, at_first = row.result, row.result.at_first
    with_column = (effects.ENABLE, effects.POWER, effects.OPENED)
    names = [name for name in row.wanted if name not in with_column]
    since_ms = {name: result.since_ms.get(name) for name in names if name not in at_first}
    listed = [name + (" (before)" if name in at_first else "") for name in names]
    text = ", ".join(listed + [name for name in result.after if name not in names])
    if not since_ms or None in since_ms.values():
        return text or "-"
    slowest = max(since_ms, key=lambda name: since_ms[name] or 0.0)
    return f"{text}: {_effect(row, limits, slowest)}"


def _effect(row: Row, limits: Limits, name: str) -> str:
    if name not in row.wanted:
        return "-"
    since_ms = row.result.since_ms.get(name)
    if name in row.result.at_first and since_ms is not None and since_ms < 0:
        return "before"
    return _of(row, since_ms, limits.effect_ms(row.course, name))


def _wired(row: Row, limits: Limits) -> tuple[str, ...]:
    allowed = limits.stopped_ms(row.wanted)
    cells = [
        f"{_of(row, row.result.since_ms[name], allowed[name][0])} .. {_s(allowed[name][1])}"
        for name in row.wanted
    ]
    remaining = [f"{name} {cell}" for name, cell in zip(row.wanted[3:], cells[3:])]
    number, met = row.course.label.partition(" ")[0], "yes" if row.is_met else "**no**"
    return number, row.course.how, *cells[:3], ", ".join(remaining) or "-", met


def _of(row: Row, time_ms: float | None, limit_ms: float) -> str:
    """The measured and the allowed time, counted from when the sensor shows the cause."""
    return f"{_s(row.result.counted_ms(time_ms))} / {_s(limit_ms)}"


def _s(time_ms: float | None) -> str:
    return "never" if time_ms is None else f"{time_ms / 1000:.2f}"
