"""Facts of a whole fleet: sums, silent cabinets, alarms, differences.

`wrong` has a sentence for each thing that a person must look at; `notes` are worth knowing.
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
ABOVE_W, ABOVE_PERMILLE = 10_000, 50  # meters err, and a report is up to 9 s old
WORDS = {
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
    found: Facts = {
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
    return {**found, "wrong": list(_wrong(found)), "notes": list(_notes(found))}


def live(cabinets: Cabinets) -> list[Facts]:
    """The cabinets that report."""
    return [cabinet for cabinet in cabinets.values() if cabinet["is_live"]]


def import_W(cabinets: Cabinets, is_common: bool) -> int | None:
    """Import of the connection as the live cabinets see it; None: unknown. All cabinets of a
    common load see one grid meter, so the value in the middle counts. Else each part must be known.
    """
    seen_W = known_W(cabinets)
    if is_common:
        return sorted(seen_W)[len(seen_W) // 2] if seen_W else None
    return sum(seen_W) if len(seen_W) == len(cabinets) else None


def known_W(cabinets: Cabinets) -> list[int]:
    """The known imports of the live cabinets."""
    return [each["grid_W"] for each in live(cabinets) if each["grid_W"] is not None]


def _worst_first(item: tuple[str, Facts]) -> tuple[int, bool, bool, int, bool, str]:
    """Sort key: signs of fire or gas, then silent cabinets, then alarms, then the others."""
    name, each = item
    level = each["danger_level"]
    has_alarm = bool(each["alarms"] or each["alarm"])
    rest = not has_alarm, -level, not each["problem"], name
    return (-level if level >= danger.SIGN else 0, each["is_live"], *rest)


def alarms(cabinets: Cabinets) -> list[Facts]:
    """Each alarm once, the most dangerous first, with the cabinets that report it. A cabinet
    reports only its worst one.
    """
    found: dict[tuple[Any, ...], Facts] = {}
    for name, cabinet in cabinets.items():
        if not cabinet["alarm"]:
            continue
        row = found.setdefault(
            tuple(cabinet["alarm"].values()), {**cabinet["alarm"], "cabinets": {}}
        )
        row["danger_level"] = cabinet["danger_level"]
        row["cabinets"][name] = cabinet["alarms"]
    return sorted(found.values(), key=lambda row: (-row["danger_level"], row["label"]))


def _by_value(cabinets: Cabinets, value: Callable[[Facts], Any]) -> dict[Any, list[str]]:
    """{value: names of the cabinets that have it}, the most frequent value first."""
    found: dict[Any, list[str]] = {}
    for name, cabinet in sorted(cabinets.items()):
        if value(cabinet):
            found.setdefault(value(cabinet), []).append(name)
    return dict(sorted(found.items(), key=lambda item: (-len(item[1]), item[0])))


def listed(names: Iterable[str]) -> str:
    """Names in a sentence."""
    every = list(names)
    more = len(every) - NAMES_MAX
    return ", ".join(every[:NAMES_MAX]) + (f" and {more} more" if more > 0 else "")


def _wrong(found: Facts) -> Iterable[str]:
    cabinets, dispatcher = found["cabinets"], found["dispatcher"]
    for silence, words in WORDS.items():
        names = [
            f"{name} ({cabinet['trouble']})" if cabinet["trouble"] else name
            for name, cabinet in cabinets.items()
            if cabinet["silence"] == silence
        ]
        if names:
            yield f"{words}: {len(names)} of {len(cabinets)}, {listed(names)}"
    for problem, names in _by_value(cabinets, itemgetter("problem")).items():
        yield f"no share for {listed(names)}: {problem}"
    if words := _powers(cabinets, "short_W", itemgetter("short_W")):
        yield f"load short, the battery cannot keep the share: {words}"
    if words := _powers(cabinets, "import_W", _is_above):
        yield f"import above the share, by reports that may be seconds old: {words}"
    own_W = dispatcher["connection_W"]
    if dispatcher["is_live"] and own_W != found["connection_W"]:
        what = "an unknown power" if own_W is None else f"{own_W} W"
        yield f"the dispatcher shares {what}, and this file says {found['connection_W']} W"
    if (found["load_short_W"] or 0) >= LEAST_SHORT_W:
        yield "the load is above what connection and batteries give; reduce the load"
    unsaid = [] if found["load_short_W"] is not None else ["the connection"]
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
    known_W = found["import_known_W"] if found["import_W"] is None else found["import_W"]
    if known_W > found["connection_W"]:
        yield "the import is above the connection; reduce the load"


def _powers(cabinets: Cabinets, field: str, is_so: Callable[[Facts], Any]) -> str:
    """Names and powers of the cabinets for which it is so."""
    so = [(name, cabinet[field]) for name, cabinet in cabinets.items() if is_so(cabinet)]
    return listed([f"{name} ({power_W / 1000:.1f} kW)" for name, power_W in so])


def _binding(each: Facts) -> str | None:
    found = each["binding"]
    return f"{found['label']} {found['name']}" if each["is_live"] and found else None


def _is_lent(each: Facts) -> bool:
    return each["is_live"] and not each["problem"]


def _joining(each: Facts) -> str | None:
    ready = each["ready_permille"]
    return None if ready in (None, 1000) or not each["is_live"] else f"{ready // 10} %"


def _is_apart(each: Facts) -> bool:
    return each["is_live"] and each["reported_share_W"] not in (None, each["share_W"])


def _is_above(each: Facts) -> bool:
    """True if a cabinet imports clearly more than its share: not only while a share falls."""
    import_W, share_W = each["import_W"], each["share_W"]
    most_W = share_W + max(ABOVE_W, share_W * ABOVE_PERMILLE // 1000)
    return each["is_live"] and import_W is not None and import_W > most_W


def _notes(found: Facts) -> Iterable[str]:
    cabinets = found["cabinets"]
    if words := _powers(cabinets, "reported_share_W", _is_apart):
        yield f"another share in the last report, which may be seconds old: {words}"
    if all(cabinet["silence"] == "not heard" for cabinet in cabinets.values()):
        yield "nothing was heard: may this user of the broker read firebreak/+/report"
    for words, names in _by_value(cabinets, _binding).items():
        yield f"held back by {words}: {listed(names)}"
    for field, words in (("release", "release"), ("limits_crc", "limits CRC")):
        values = _by_value(cabinets, itemgetter(field))
        if len(values) > 1:
            each = [f"{value} on {listed(names)}" for value, names in values.items()]
            yield f"versions differ: {words} {'; '.join(each[:NAMES_MAX])}"
    for words, names in _by_value(cabinets, _joining).items():
        yield f"joins or leaves, {words} of its battery counts: {listed(names)}"
    for names in _by_value(cabinets, lambda each: each["is_clock_trusted"] is False).values():
        yield f"clock not trusted, schedules do not act: {listed(names)}"
    odd = [f"{words} ({count})" for words, count in found["odd_messages"].items()]
    if odd:
        yield f"messages that do not count: {listed(odd)}"
