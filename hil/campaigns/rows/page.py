"""The results as lines, as a Markdown page and as JSON."""

from hil.campaigns.rows import effects, verdict
from hil.campaigns.rows.course import STAGES
from hil.campaigns.rows.courses import EVERY
from hil.campaigns.rows.real import BESIDE
from hil.results import template
from hil.results.run_result import machine
from safety import matrix as m


def line(row, limits):
    """One line of the terminal for a course."""
    since_ms, stage = row.result.since_ms, row.course.stage
    ending = "met" if row.is_met else "NOT MET: " + "; ".join(row.complaints)
    if row.course.is_stopped:
        times = ", ".join([f"{name} {_s(since_ms[name])}" for name in row.wanted[:3]])
        return f"{row.course.label:11} {times}  {ending}"
    active = _of(row, row.result.stands_ms, limits.decision_ms(stage))
    slowest = [f"{name} {_effect(row, limits, name)}" for name in row.wanted[:3]]
    effects_seen = ", ".join(slowest) or "nothing to see"
    return f"{row.course.label:11} active {active} s; {effects_seen}  {ending}"


def page(rows, limits, not_done=None):
    """The Markdown page of all rows. not_done: {label: reason}, only of real processes."""
    rows = sorted(rows, key=lambda row: list(EVERY).index(row.course.label))
    plain = [row for row in rows if not row.course.is_stopped]
    wired = [_wired(row, limits) for row in rows if row.course.is_stopped]
    return template.rendered(
        "rows.txt",
        is_real=not_done is not None,
        courses=len(plain),
        stages=len({row.course.stage for row in plain}),
        met=sum(row.is_met for row in plain),
        rows=[_cells(row, limits) for row in plain],
        wired=wired,
        not_met=_each(rows, lambda row: row.complaints),
        under_current=_each(plain, lambda row: verdict.asked_for(row.result)),
        beside=_each(rows, lambda row: [", ".join(BESIDE.get(row.course.label, ()))]),
        repeated=_each(rows, lambda row: row.repeated),
        not_done=[f"- {label}: {why}" for label, why in (not_done or {}).items()],
    )


def _each(rows, words_of):
    """One line for each row with a text."""
    words = [(row.course.label, "; ".join(words_of(row))) for row in rows]
    return [f"- {label}: {own}" for label, own in words if own]


def document(rows, limits, seed, not_done=None):
    """The JSON document. not_done: {label: reason}, only of real processes.

    In real processes, a course that is not met includes the observer's events.
    """
    found = {
        "command": "rows",
        "seed": seed,
        "ok": all(row.is_met for row in rows),
        "courses": [_course(row, limits, not_done is not None) for row in rows],
    }
    if not_done is not None:
        found |= {"command": "rows --real", "not_done": not_done, **machine()}
    return found


def _course(row, limits, is_real):
    seen = {"held_back": row.machine, "repeated": row.repeated} if is_real else {}
    return {
        "course": row.course.label,
        "row": STAGES[row.course.stage][m.S_ROW],
        "stage": row.course.stage,
        "how": row.course.how,
        "inside": row.course.is_inside,
        "met": row.is_met,
        "complaints": row.complaints,
        "limits_ms": _limits(row, limits),
        **row.result.plain(),
        **seen,
        **({"timeline": row.timeline} if is_real and not row.is_met else {}),
    }


def _limits(row, limits):
    if row.course.is_stopped:
        return limits.stopped_ms(row.course, row.wanted)
    stage = row.course.stage
    return {
        "stands": [limits.earliest_ms(stage, row.course.cause), limits.decision_ms(stage)],
        "permit": limits.permit_ms(stage),
        **{name: limits.effect_ms(row.course, name) for name in row.wanted},
    }


def _cells(row, limits):
    each, result = row.course, row.result
    stops = "S" in each.asks
    permit = _of(row, result.permit_ms, limits.permit_ms(each.stage)) if stops else "-"
    also = sorted({name for name, _ in result.stood if name.partition(" ")[0] != each.stage})
    return (
        str(STAGES[each.stage][m.S_ROW]),
        each.label,
        (each.how + " *(inside)*" * each.is_inside).replace("bridge_chain", "bridged"),
        "a start" if each.starts else f"{each.power_kW:g}",
        _s(result.lag_ms),
        _of(row, result.stands_ms, limits.decision_ms(each.stage)),
        "before" if stops and effects.ENABLE in result.at_first else permit,
        _effect(row, limits, effects.POWER),
        _effect(row, limits, effects.OPENED),
        _others(row, limits),
        ", ".join(also) or "-",
        "yes" if row.is_met else "**no**",
    )


def _others(row, limits):
    """The slowest of the other effects, and all their names."""
    result, at_first = row.result, row.result.at_first
    own = (effects.ENABLE, effects.POWER, effects.OPENED)
    names = [name for name in row.wanted if name not in own]
    since = {name: result.since_ms.get(name) for name in names if name not in at_first}
    listed = [name + " (before)" * (name in at_first) for name in names]
    words = ", ".join(listed + [name for name in result.after if name not in names])
    if not since or None in since.values():
        return words or "-"
    return f"{words}: {_effect(row, limits, max(since, key=since.get))}"


def _effect(row, limits, name):
    if name not in row.wanted:
        return "-"
    since_ms = row.result.since_ms.get(name)
    if name in row.result.at_first and since_ms is not None and since_ms < 0:
        return "before"
    return _of(row, since_ms, limits.effect_ms(row.course, name))


def _wired(row, limits):
    allowed = limits.stopped_ms(row.course, row.wanted)
    cells = [
        f"{_of(row, row.result.since_ms[name], allowed[name][0])} .. {_s(allowed[name][1])}"
        for name in row.wanted
    ]
    others = [f"{name} {cell}" for name, cell in zip(row.wanted[3:], cells[3:])]
    number, met = row.course.label.partition(" ")[0], "yes" if row.is_met else "**no**"
    return number, row.course.how, *cells[:3], ", ".join(others) or "-", met


def _of(row, time_ms, limit_ms):
    """Measured / allowed, from the time when the sensor shows the cause."""
    lag_ms = row.result.lag_ms
    return f"{_s(None if None in (time_ms, lag_ms) else time_ms - lag_ms)} / {_s(limit_ms)}"


def _s(time_ms):
    return "never" if time_ms is None else f"{time_ms / 1000:.2f}"
