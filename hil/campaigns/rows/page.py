"""The results as lines, as a page and as JSON."""

from hil.campaigns.report import table
from hil.campaigns.rows import effects, stopped, verdict
from hil.campaigns.rows.courses import STAGES
from hil.campaigns.rows.stopped import STOPPED
from safety import matrix as m

HEAD = """# Every row on the wire

Written by `python -m hil rows --md FILE`: byte-accurate virtual time, so the figures are the
same on every machine. The cabinet of the example site runs with the power given; then the cause
comes. When the stage stands is what the controller reports; all else is read from the wires and
from the plant. Times in seconds, as *measured / allowed*, from the moment in which the sensor shows
the cause; `sensor` says how long the plant's own sensor took (row 38a: until the third attempt had
failed; row 39: until the supply was taken back). Allowed is the site's own chain
(`controller/site/time_chain.py`) without what it assumes of sensors, and a tick for the sampling of
the plant. No stage may trip sooner than its debounce either. `before`: it showed already before the
cause; a time below that of the stage: a row that stood earlier had asked for it, or the racks' own
limits left no power. Of the other effects the slowest one's time is given. `not armed`: another
stage that would have done this one's work. `rate`: of a row about a rate, just above its own, from
where the rise begins; a jump passes none of its window.

For rows that leave power on, the other way is asked for as well at the end (what is inhibited or
derated must hold), and where a row forbids closing, a stop and a new start. Two outputs are on no
wire: `maintenance` and `operator`.

*inside*: a cause that no wire brings, at the nearest place in the controller's process. *bridged*:
the hard-wired chain, so that the program alone acts.
"""
COLUMNS = (
    "row",
    "stage",
    "injected by",
    "power, kW",
    "sensor",
    "stage stands",
    "permit byte",
    "power zero",
    "contactors open",
    "other effects",
    "also stood",
    "met",
)
WIRED_HEAD = """
## With the controller stopped

Killed; what acts is the wiring, or, for row 44, the expiry of the I/O modules (broken for rows 1,
12 and 30, so that it cannot have been that). Times in seconds, *measured / earliest .. latest*,
from the contact that opens or from the controller's end.
"""
WIRED_COLUMNS = (
    "row",
    "injected by",
    "PCS enable off",
    "power zero",
    "contactors open",
    "lapsed outputs",
    "met",
)
ROW_OF_STOPPED = {label: label.partition(" ")[0] for label in STOPPED}


def line(row, limits):
    """One course in one line for the terminal."""
    result = row.result
    ending = "met" if row.is_met else "NOT MET: " + "; ".join(row.complaints)
    if row.course.label in STOPPED:
        times = ", ".join([f"{name} {_s(result.since_ms[name])}" for name in row.wanted[:3]])
        return f"{row.course.label:11} {times}  {ending}"
    stands = _of(_from_sensor(result, result.stands_ms), limits.decision_ms(row.course.stage))
    slowest = [f"{name} {_effect(row, limits, name)}" for name in row.wanted[:3]]
    return (
        f"{row.course.label:11} stands {stands} s; {', '.join(slowest) or 'nothing to see'}  "
        f"{ending}"
    )


def page(rows, limits, head=HEAD):
    """The Markdown page of all rows. head: what is said above the table."""
    plain = [row for row in rows if row.course.label not in STOPPED]
    wired = [row for row in rows if row.course.label in STOPPED]
    plain.sort(key=lambda row: (STAGES[row.course.stage][m.S_ROW], row.course.label))
    lines = [head, _count(plain), "", *table(COLUMNS, [_cells(row, limits) for row in plain])]
    if wired:
        lines += [
            WIRED_HEAD,
            *table(WIRED_COLUMNS, [_wired(row, limits) for row in sorted(wired, key=_number)]),
        ]
    missed = [
        f"- {row.course.label}: {'; '.join(row.complaints)}"
        for row in plain + wired
        if not row.is_met
    ]
    lines += ["", "## Not met", "", *(missed or ["Nothing."])]
    flowed = [
        f"- {row.course.label}: {'; '.join(verdict.asked_for(row.result))}"
        for row in plain
        if verdict.asked_for(row.result)
    ]
    lines += [
        "",
        "## Contactors opened under current, as their row asks after its time",
        "",
        *(flowed or ["None."]),
    ]
    return "\n".join(lines) + "\n"


def document(rows, limits, seed):
    """The JSON document."""
    return {
        "command": "rows",
        "seed": seed,
        "ok": all(row.is_met for row in rows),
        "courses": [
            {
                "course": row.course.label,
                "row": STAGES[row.course.stage][m.S_ROW],
                "stage": row.course.stage,
                "how": row.course.how,
                "inside": row.course.is_inside,
                "met": row.is_met,
                "complaints": row.complaints,
                "limits_ms": _limits(row, limits),
                **row.result._asdict(),
                "at_first": sorted(row.result.at_first),
            }
            for row in rows
        ],
    }


def _limits(row, limits):
    if row.course.label in STOPPED:
        return stopped.limits_ms(row.course, limits.config)
    stage = row.course.stage
    return {
        "stands": [limits.earliest_ms(stage, row.course.cause), limits.decision_ms(stage)],
        "permit": limits.permit_ms(stage),
        **{name: limits.effect_ms(stage, name) for name in row.wanted},
    }


def _count(rows):
    stages = {row.course.stage for row in rows}
    met = sum([row.is_met for row in rows])
    return f"{len(rows)} courses of {len(stages)} stages: {met} met, {len(rows) - met} not."


def _number(row):
    return int(row.course.label.partition(" ")[0])


def _cells(row, limits):
    each, result = row.course, row.result
    stage = STAGES[each.stage]
    how = each.how + (" *(inside)*" if each.is_inside else "")
    stops = stage[m.S_DEMAND][m.D_PCS] == m.PCS_STOP
    permit = (
        _of(_from_sensor(result, result.permit_ms), limits.permit_ms(each.stage)) if stops else "-"
    )
    if stops and effects.ENABLE in result.at_first:
        permit = "before"
    also = sorted({name for name, _ in result.stood if name.partition(" ")[0] != each.stage})
    return (
        str(stage[m.S_ROW]),
        each.label,
        how.replace("bridge_chain", "bridged"),
        _power(each),
        _s(result.lag_ms),
        _of(_from_sensor(result, result.stands_ms), limits.decision_ms(each.stage)),
        permit,
        _effect(row, limits, effects.POWER),
        _effect(row, limits, effects.OPENED),
        _others(row, limits),
        ", ".join(also) or "-",
        "yes" if row.is_met else "**no**",
    )


def _power(each):
    return "a start" if each.starts else f"{each.power_kW:g}"


def _others(row, limits):
    """The slowest of the other effects, and all their names."""
    names = [
        name for name in row.wanted if name not in (effects.ENABLE, effects.POWER, effects.OPENED)
    ]
    since = {
        name: row.result.since_ms.get(name) for name in names if name not in row.result.at_first
    }
    words = [name + (" (before)" if name in row.result.at_first else "") for name in names]
    words += [name for name in row.result.after if name not in names]
    if not since or None in since.values():
        return ", ".join(words) or "-"
    name = max(since, key=since.get)
    return f"{', '.join(words)}: {_effect(row, limits, name)}"


def _effect(row, limits, name):
    if name not in row.wanted:
        return "-"
    since_ms = row.result.since_ms.get(name)
    if name in row.result.at_first and since_ms is not None and since_ms < 0:
        return "before"
    return _of(_from_sensor(row.result, since_ms), limits.effect_ms(row.course.stage, name))


def _wired(row, limits):
    result, allowed = row.result, stopped.limits_ms(row.course, limits.config)
    cells = [
        f"{_s(_from_sensor(result, result.since_ms[name]))} / {_s(allowed[name][0])} .. "
        f"{_s(allowed[name][1])}"
        for name in row.wanted
    ]
    others = [f"{name} {cell}" for name, cell in zip(row.wanted[3:], cells[3:])]
    return (
        ROW_OF_STOPPED[row.course.label],
        row.course.how,
        *cells[:3],
        ", ".join(others) or "-",
        "yes" if row.is_met else "**no**",
    )


def _from_sensor(result, time_ms):
    return None if time_ms is None or result.lag_ms is None else time_ms - result.lag_ms


def _of(time_ms, limit_ms):
    return f"{_s(time_ms)} / {_s(limit_ms)}"


def _s(time_ms):
    return "never" if time_ms is None else f"{time_ms / 1000:.2f}"
