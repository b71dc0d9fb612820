"""The results as lines, as a page and as JSON; of real processes also what only real time shows."""

from hil.campaigns.report import table
from hil.campaigns.rows import effects, verdict
from hil.campaigns.rows.course import STAGES
from hil.campaigns.rows.real import BESIDE
from hil.campaigns.rows.stopped import EVERY
from hil.results.run_result import machine
from safety import matrix as m

HEAD = """# Every row on the wire

Written by `python -m hil rows --md FILE`: byte-accurate virtual time, so the figures are the
same on every machine. The cabinet of the example site runs with the power given; then the cause
comes. The controller reports when the stage is active; all else is read from the wires and from
the plant. Times in seconds, as *measured / allowed*, from the moment in which the sensor shows
the cause; `sensor` says how long the plant's own sensor took (row 38a: until the third attempt had
failed; row 39: until the supply was taken back). Allowed is the shortest of what the oracle gives
(`hil/oracle.toml`), of the process safety time (`safety/hazards/log.toml`) and of the site's own
chain (`controller/config/time_chain.py`) without what it assumes of sensors, and a tick for the
sampling of the plant. No stage may trip sooner than its debounce either. `before`: it showed
already before the cause; a time below that of the stage: a row that tripped earlier asked for it,
or the racks' own limits left no power. Of the other effects the slowest one's time is given. `not
armed`: another stage that would have done this one's work. `rate`: of a row about a rate, just
above its own, from where the rise begins; a jump passes none of its window.

For rows that leave power on, the other way is asked for as well at the end (an inhibit or a derate
must hold), and where a row forbids closing, a stop and a new start. Two outputs are on no
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
    "stage active",
    "permit byte",
    "power zero",
    "contactors open",
    "other effects",
    "also tripped",
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
REAL_HEAD = """# Every row on the wire, in real processes

Written by `python -m hil rows --real --md FILE`: the controller's own process on ptys and a CAN
server, the simulated cabinet in another one, real time, so that no two runs have the same figures.
Courses, columns and limits are those of `python -m hil rows --md FILE`, but that times of stages
and of the plant are known to one step of the simulated cabinet, 10 ms, and so much is allowed.
Where the controller starts (44c, 44d, `46c start`), `sensor` is the time from the start of its
process to its first tick.

No configuration leaves a required row not armed, so every stage is armed here; where the table of
virtual time says `not armed`, the stages named below were active as well, and effects that are
seen may be theirs.
"""
UNDER_CURRENT = "Contactors opened under current, as their row asks after its time"


def line(row, limits):
    """One course in one line for the terminal."""
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
    """The Markdown page of all rows. not_done: {label: why} of real processes."""
    rows = sorted(rows, key=lambda row: list(EVERY).index(row.course.label))
    plain = [row for row in rows if not row.course.is_stopped]
    wired = [_wired(row, limits) for row in rows if row.course.is_stopped]
    met = sum(row.is_met for row in plain)
    count = f"{len(plain)} courses of {len({row.course.stage for row in plain})} stages"
    lines = [HEAD if not_done is None else REAL_HEAD]
    lines += [f"{count}: {met} met, {len(plain) - met} not.", ""]
    lines += table(COLUMNS, [_cells(row, limits) for row in plain])
    lines += [WIRED_HEAD, *table(WIRED_COLUMNS, wired)] if wired else []
    lines += ["", *_section("Not met", _each(rows, lambda row: row.complaints), "Nothing.")]
    lines += _section(UNDER_CURRENT, _each(plain, lambda row: verdict.asked_for(row.result)))
    if not_done is not None:
        beside = _each(rows, lambda row: [", ".join(BESIDE.get(row.course.label, ()))])
        lines += _section("Armed here, not armed in virtual time", beside)
        lines += _section("Repeated", _each(rows, lambda row: row.repeated))
        lines += _section("Not done", [f"- {label}: {why}" for label, why in not_done.items()])
    return "\n".join(lines).rstrip("\n") + "\n"


def _section(title, lines, none="None."):
    return [f"## {title}", "", *(lines or [none]), ""]


def _each(rows, words_of):
    """A line per row with words of its own."""
    words = [(row.course.label, "; ".join(words_of(row))) for row in rows]
    return [f"- {label}: {own}" for label, own in words if own]


def document(rows, limits, seed, not_done=None):
    """The JSON document. not_done: {label: why} of real processes; of a course of theirs that is
    not met the observer's events as well.
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
        **row.result._asdict(),
        "at_first": sorted(row.result.at_first),
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
    """Measured from the moment in which the sensor shows the cause / allowed."""
    lag_ms = row.result.lag_ms
    return f"{_s(None if None in (time_ms, lag_ms) else time_ms - lag_ms)} / {_s(limit_ms)}"


def _s(time_ms):
    return "never" if time_ms is None else f"{time_ms / 1000:.2f}"
