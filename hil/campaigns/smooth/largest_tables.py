"""Makes the tables of `hil smooth largest`: each load, and the worst load under each rule."""

import math
from collections.abc import Sequence
from typing import Any

from controller.audit import report
from controller.audit.rules import Rule
from hil.campaigns.smooth.largest import ALONE, BUILT_IN, Case, chosen_rules
from hil.campaigns.smooth.notices import STEP_PART
from hil.runner import report as tables

WHOLE_MW, ANY_MW = 100, 1e5
SMALLER = "<"
Found = dict[str, Any]  # figures of a load, or of the worst load


def head(case: Case) -> list[str]:
    """The lines above the tables."""
    first = (
        "largest    site in MW, by the load's peak, that passes each rule, from 10 s on; "
        "(?): nobody here has read the rule in its document"
    )
    mode = "mode       load tracking alone, without chain and kernel"
    if case.has_notices:
        part = f"{100 * STEP_PART:g} % of the peak"
        return [
            first,
            f"notices    a column with `off` announces each step of at least {part}, so much too "
            "early and too late in turn; the first one is only watched",
            mode,
        ]
    racks = case.racks
    smoothing = f"floor {racks.floor_pct:g} %, {racks.ramp_pct_per_s:g} % per s"
    stated = "" if racks.range_pct is None else f"; the site states {racks.range_pct:g} % in 5 s"
    return [
        first,
        f"racks      racks, + c: capacitor of {racks.J_per_kW:g} J per kW, load meter at the "
        f"{racks.meter}; power smoothing "
        + (f"{smoothing}, {racks.hysteresis_s:g} s" if racks.floor_pct else "off"),
        f"columns    alone: no battery; racks: no battery; a path delay: load tracking{stated}; "
        f"{SMALLER}: smaller than alone",
        mode,
    ]


def of_load(row: Found) -> str:
    """The table of one load: a line for each rule, a column for each way."""
    ways, battery_kW = row["ways"], row["battery_W"] / 1000
    size = f"peak {row['peak_W'] / 1000:.0f} kW beside a battery of {battery_kW:.0f} kW"
    rows = []
    for rule in chosen_rules():
        sizes_MW = [way[rule.title] for way in ways.values()]
        cells = [_cell(size_MW, rule, is_smaller(size_MW, sizes_MW[0])) for size_MW in sizes_MW]
        rows.append((rule.title, *cells))
    lost = [f"{row['lost_pct'][name]:.2f} %" for name in ways]
    lines = [f"\n{row['load']}, {row['kind']}, {row['seconds']:.0f} s, {size}"]
    rows.append(("energy lost in the battery", *lost))
    lines += tables.table(("rule", *ways), rows)
    floor, withheld = row["lost_pct"]["floor"], row["lost_pct"]["withheld"]
    if floor or withheld:
        lines.append(
            f"power smoothing burns {floor:.2f} % of the energy, withholds {withheld:.2f} %"
        )
    return "\n".join(lines)


def worst(rows: Sequence[Found]) -> dict[str, Found]:
    """{rule: {way: {site_MW, load, smaller}}}. load: the load with the smallest site. smaller:
    loads with a smaller site than alone. A load that is too short for a rule is left out.
    """
    by_rule = {}
    for rule in chosen_rules():
        title = rule.title
        judged = [row for row in rows if row["ways"][ALONE][title] is not None]
        by_rule[title] = {way: _worst(judged, way, title) for way in rows[0]["ways"]}
    return by_rule


def _worst(rows: Sequence[Found], way: str, title: str) -> Found:
    sizes = [(row["ways"][way][title], row["load"]) for row in rows]
    size_MW = min([each_MW for each_MW, _ in sizes], default=None)
    loads = [load for each_MW, load in sizes if each_MW == size_MW]
    smaller = [
        load
        for (size_MW, load), row in zip(sizes, rows)
        if is_smaller(size_MW, row["ways"][ALONE][title])
    ]
    load = f"{len(loads)} loads" if len(loads) > 1 else "".join(loads)
    return {"site_MW": size_MW, "load": load, "smaller": smaller}


def of_worst(worst: dict[str, Found], count: int) -> str:
    """The table of the worst load under each rule, with its name."""
    rows = []
    for rule in chosen_rules():
        by_way = worst[rule.title]
        cells = [_cell(site["site_MW"], rule, len(site["smaller"])) for site in by_way.values()]
        rows.append((rule.title, *cells, _deciding(by_way)))
    title = f"\nthe smallest site of {count} loads; {SMALLER}N: N loads have less than alone"
    ways = next(iter(worst.values()))
    return "\n".join([title, *tables.table(("rule", *ways, "the load that decides"), rows)])


def _deciding(by_way: dict[str, Found]) -> str:
    ways: dict[str, list[str]] = {}
    for way, site in by_way.items():
        ways.setdefault(site["load"], []).append(way)
    if len(ways) == 1:
        return next(iter(ways)) or "-"
    return "; ".join(f"{load} ({', '.join(names)})" for load, names in ways.items())


def markdown(rows: Sequence[Found]) -> list[str]:
    """The table of controller/audit/README.md: the smallest site of the built-in loads, and in
    brackets that of all loads. Bold: smaller than alone. A rule that no way changes is left out.
    """
    built_in = [row for row in rows if row["load"] in BUILT_IN]
    ways = [*rows[0]["ways"]]
    names = [ALONE, *[name for name in ways if name.endswith("ms")], ways[-1]]
    sets = [worst(chosen) for chosen in (built_in or rows, rows)]
    lines = []
    for rule in chosen_rules():
        cells = [_pair([by_rule[rule.title] for by_rule in sets], name, rule) for name in names]
        if len(set(cells)) > 1:
            lines.append((rule.title, report.limit_words(rule), *cells))
    heads = [name.replace("f ms", " ms").replace(" +", ",") for name in names[1:]]
    heads = ["load alone", *[f"battery {name}".replace(", c", ", capacitors") for name in heads]]
    return tables.table(("rule", "it limits", *heads), lines)


def _pair(sites: Sequence[Found], name: str, rule: Rule) -> str:
    first, second = [
        f"**{text}**" if is_smaller(by_way[name]["site_MW"], by_way[ALONE]["site_MW"]) else text
        for by_way in sites
        for text in [_cell(by_way[name]["site_MW"], rule, 0)]
    ]
    return first if first == second else f"{first} ({second})"


def is_smaller(size_MW: float | None, alone_MW: float | None) -> bool:
    """True if a way to calm the load makes its largest site smaller."""
    return size_MW is not None and alone_MW is not None and size_MW < 0.999 * alone_MW


def plain(content: Any) -> Any:
    """The document with "any" for a size without a bound, because JSON has no infinity."""
    if isinstance(content, dict):
        return {name: plain(part) for name, part in content.items()}
    if isinstance(content, list):
        return [plain(part) for part in content]
    return "any" if content == math.inf else content


def _cell(size_MW: float | None, rule: Rule, smaller: int) -> str:
    """A size as text. "none": no size passes. "below", "up to": the size where the rule begins."""
    mark = "" if not smaller else f" {SMALLER}" if smaller is True else f" {SMALLER}{smaller}"
    if size_MW is None:
        return "-"
    if size_MW == rule.from_MW:
        bound = "up to" if rule.is_above else "below"
        return (f"{bound} {size_MW:g}" if size_MW else "none") + mark
    if size_MW >= ANY_MW:
        return "any"
    return (f"{size_MW:.3g}" if size_MW < WHOLE_MW else f"{size_MW:.0f}") + mark
