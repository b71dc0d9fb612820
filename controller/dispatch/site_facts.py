"""Facts of a whole fleet: sums, silent cabinets, alarms, differences.

`wrong` has a sentence for each fault that a person must look at; `notes` are worth knowing.
"""

from collections.abc import Callable, Iterable
from operator import itemgetter
from typing import Any

from controller.dispatch.overview import Overview
from controller.forms.message import Facts
from controller.rows import danger

Cabinets = dict[str, Facts]  # by name
NAMES_MAX = 8  # names in a sentence
LEAST_SHORT_W = 1000
# An import is above its share by the larger of these: meters err, and reports are up to 9 s old.
ABOVE_W, ABOVE_PERMILLE = 10_000, 50
SILENCE_TEXTS = {
    "offline": "offline, because the door is gone from the broker",
    "not heard": "the broker has no report",
    "silent": "no report for 20 s",
    "no controller": "the door runs and the controller does not",
}


def of(overview: Overview, now_us: int) -> Facts:
    """All facts of `firebreak fleet`."""
    cabinets, fleet = overview.cabinets(now_us), overview.fleet
    dispatcher = overview.dispatcher(now_us)
    shared = overview.state if dispatcher["is_live"] else {}
    facts: Facts = {
        "source": fleet.source,
        "connection_W": fleet.connection_W,
        "is_common": fleet.is_common,
        "import_W": import_W(cabinets, fleet.is_common),
        "import_known_W": sum(known_W(cabinets)),
        "import_known": len(known_W(cabinets)),
        "load_short_W": shared.get("short_W"),
        "held_back_W": shared.get("held_back_W"),
        "dispatcher": dispatcher,
        "cabinets": dict(sorted(cabinets.items(), key=_worst_first)),
        "alarms": alarms(cabinets),
        "silent": [name for name, cabinet in cabinets.items() if not cabinet["is_live"]],
        "odd_messages": dict(overview.odd),
    }
    return {**facts, "wrong": list(_wrong(facts)), "notes": list(_notes(facts))}


def live(cabinets: Cabinets) -> list[Facts]:
    """The cabinets that report."""
    return [cabinet for cabinet in cabinets.values() if cabinet["is_live"]]


def import_W(cabinets: Cabinets, is_common: bool) -> int | None:
    """Import of the connection by the live cabinets; None: unknown. The cabinets of a common load
    see one grid meter, so the median counts. Otherwise the import of each cabinet must be known.
    """
    seen_W = known_W(cabinets)
    if is_common:
        return sorted(seen_W)[len(seen_W) // 2] if seen_W else None
    return sum(seen_W) if len(seen_W) == len(cabinets) else None


def known_W(cabinets: Cabinets) -> list[int]:
    """The known imports of the live cabinets."""
    return [cabinet["grid_W"] for cabinet in live(cabinets) if cabinet["grid_W"] is not None]


def _worst_first(named: tuple[str, Facts]) -> tuple[int, bool, bool, int, bool, str]:
    """Sort key: signs of fire or gas, then silent cabinets, then alarms, then the others."""
    name, cabinet = named
    level = cabinet["danger_level"]
    has_alarm = bool(cabinet["alarms"] or cabinet["alarm"])
    rest = not has_alarm, -level, not cabinet["problem"], name
    return (-level if level >= danger.SIGN else 0, cabinet["is_live"], *rest)


def alarms(cabinets: Cabinets) -> list[Facts]:
    """Each alarm once, the most dangerous first, with the cabinets that report it. A cabinet
    reports only its worst alarm.
    """
    rows: dict[tuple[Any, ...], Facts] = {}
    for name, cabinet in cabinets.items():
        if not cabinet["alarm"]:
            continue
        row = rows.setdefault(
            tuple(cabinet["alarm"].values()), {**cabinet["alarm"], "cabinets": {}}
        )
        row["danger_level"] = cabinet["danger_level"]
        row["cabinets"][name] = cabinet["alarms"]
    return sorted(rows.values(), key=lambda row: (-row["danger_level"], row["label"]))


def _by_value(cabinets: Cabinets, value: Callable[[Facts], Any]) -> dict[Any, list[str]]:
    """{value: names of the cabinets that have it}, the most frequent value first."""
    names_by_value: dict[Any, list[str]] = {}
    for name, cabinet in sorted(cabinets.items()):
        if value(cabinet):
            names_by_value.setdefault(value(cabinet), []).append(name)
    return dict(sorted(names_by_value.items(), key=lambda item: (-len(item[1]), item[0])))


def listed(names: Iterable[str]) -> str:
    """Names in a sentence."""
    all_names = list(names)
    more = len(all_names) - NAMES_MAX
    return ", ".join(all_names[:NAMES_MAX]) + (f" and {more} more" if more > 0 else "")


def _wrong(facts: Facts) -> Iterable[str]:
    cabinets, dispatcher = facts["cabinets"], facts["dispatcher"]
    for silence, text in SILENCE_TEXTS.items():
        names = [
            f"{name} ({cabinet['trouble']})" if cabinet["trouble"] else name
            for name, cabinet in cabinets.items()
            if cabinet["silence"] == silence
        ]
        if names:
            yield f"{text}: {len(names)} of {len(cabinets)}, {listed(names)}"
    for problem, names in _by_value(cabinets, itemgetter("problem")).items():
        yield f"no share for {listed(names)}: {problem}"
    if text := _powers(cabinets, "short_W", itemgetter("short_W")):
        yield f"load short, the battery cannot keep the share: {text}"
    if text := _powers(cabinets, "import_W", _is_above):
        yield f"import above the share, by reports that may be seconds old: {text}"
    shared_W = dispatcher["connection_W"]
    if dispatcher["is_live"] and shared_W != facts["connection_W"]:
        shared_power = "an unknown power" if shared_W is None else f"{shared_W} W"
        yield f"the dispatcher shares {shared_power}, and this file says {facts['connection_W']} W"
    if (facts["load_short_W"] or 0) >= LEAST_SHORT_W:
        yield "the load is above what connection and batteries give; reduce the load"
    unsaid = [] if facts["load_short_W"] is not None else ["the connection"]
    unsaid += [
        name
        for name, cabinet in cabinets.items()
        if cabinet["short_W"] is None and _is_lent(cabinet)
    ]
    if dispatcher["is_live"] and unsaid:
        yield f"the dispatcher does not say whether the load is short at {listed(unsaid)}"
    lacking = [
        name
        for name, cabinet in cabinets.items()
        if cabinet["is_live"] and cabinet["import_W"] is None
    ]
    if lacking:
        yield f"the import is unknown at {listed(lacking)}"
    known_W = facts["import_known_W"] if facts["import_W"] is None else facts["import_W"]
    if known_W > facts["connection_W"]:
        yield "the import is above the connection; reduce the load"


def _powers(cabinets: Cabinets, field: str, is_shown: Callable[[Facts], Any]) -> str:
    """Names and powers of the cabinets for which is_shown is true."""
    fitting = [(name, cabinet[field]) for name, cabinet in cabinets.items() if is_shown(cabinet)]
    return listed([f"{name} ({power_W / 1000:.1f} kW)" for name, power_W in fitting])


def _binding(cabinet: Facts) -> str | None:
    binding = cabinet["binding"]
    return f"{binding['label']} {binding['name']}" if cabinet["is_live"] and binding else None


def _is_lent(cabinet: Facts) -> bool:
    return cabinet["is_live"] and not cabinet["problem"]


def _joining(cabinet: Facts) -> str | None:
    ready = cabinet["ready_permille"]
    return None if ready in (None, 1000) or not cabinet["is_live"] else f"{ready // 10} %"


def _is_apart(cabinet: Facts) -> bool:
    return cabinet["is_live"] and cabinet["reported_share_W"] not in (None, cabinet["share_W"])


def _is_above(cabinet: Facts) -> bool:
    """True if a cabinet imports clearly more than its share."""
    import_W, share_W = cabinet["import_W"], cabinet["share_W"]
    most_W = share_W + max(ABOVE_W, share_W * ABOVE_PERMILLE // 1000)
    return cabinet["is_live"] and import_W is not None and import_W > most_W


def _notes(facts: Facts) -> Iterable[str]:
    cabinets = facts["cabinets"]
    if text := _powers(cabinets, "reported_share_W", _is_apart):
        yield f"another share in the last report, which may be seconds old: {text}"
    if all(cabinet["silence"] == "not heard" for cabinet in cabinets.values()):
        yield "nothing was heard: may this user of the broker read firebreak/+/report"
    for text, names in _by_value(cabinets, _binding).items():
        yield f"held back by {text}: {listed(names)}"
    for field, text in (("release", "release"), ("limits_crc", "limits CRC")):
        values = _by_value(cabinets, itemgetter(field))
        if len(values) > 1:
            versions = [f"{value} on {listed(names)}" for value, names in values.items()]
            yield f"versions differ: {text} {'; '.join(versions[:NAMES_MAX])}"
    for text, names in _by_value(cabinets, _joining).items():
        yield f"joins or leaves, {text} of its battery counts: {listed(names)}"
    for names in _by_value(cabinets, lambda cabinet: cabinet["is_clock_trusted"] is False).values():
        yield f"clock not trusted, schedules do not act: {listed(names)}"
    texts = [f"{message} ({count})" for message, count in facts["odd_messages"].items()]
    if texts:
        yield f"messages that do not count: {listed(texts)}"
