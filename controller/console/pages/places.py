"""The page `map`. It has one block of lines for each place of the site's plan, with distances to
other places. "-" means unknown.
"""

from controller.console.pages.alarms import ahead
from controller.console.pages.status import VALUE_WORDS, contact, gas
from controller.console.pages.text import (
    HEIGHT,
    Parts,
    filled,
    folded,
    head,
    pages,
    scaled,
    wrapped,
)
from controller.state.base import Facts
from controller.state.places import TEST, UNIT, WALL

NO_PLAN = (
    "The configuration has no [plan]: `firebreak siting PLAN --places FILE` makes it. Without it "
    "the distances between units are not known here."
)
SHOWN = ("door", "smoke", "heat", "fire_panel", "gas_relay", "airflow")
ORDER_LINES, WAYS_LINES = 3, 6


def parts(facts: Facts) -> Parts:
    """The places (state/places.py) as parts of a page."""
    blocks = [_above(facts), *map(_block, facts["places"])]
    return pages(facts, filled(blocks, HEIGHT - len(head(facts)) - 1))


def _above(facts: Facts) -> list[str]:
    plan, states = facts["plan"], facts["contacts"]
    text = NO_PLAN
    if plan:
        unmet = f" ({plan['open']})" if plan["open"] else ""
        text = f"{plan['name']}; audit: {plan['audit']}{unmet}."
    seen = [contact(name, states[name]) for name in SHOWN if states[name] in VALUE_WORDS]
    return [
        *folded("PLAN", text, 3),
        *folded("HERE", f"{', '.join([*gas(facts), *seen])}.", 3),
        *ahead(facts["propagation"]),
        *_order(facts["unload"]),
    ]


def _order(unload: list[Facts]) -> list[str]:
    """A line for the time while a place is in alarm. It lists neighbouring places whose power
    should be reduced, the most urgent first.
    """
    if not unload:
        return []
    texts = [f"{_whose(place)}, {_apart(place)} from {place['next_to']}" for place in unload]
    return folded("UNLOAD", f"first {'; then '.join(texts)}.", ORDER_LINES)


def _whose(place: Facts) -> str:
    units = " ".join(map(str, place["units"]))
    return f"{place['place']} ({f'unit {units}' if units else 'another cabinet'})"


def _apart(way: Facts) -> str:
    return f"{way['distance_mm'] / 1000:.3f} m"


def _block(place: Facts) -> list[str]:
    position = ""
    if place["x_mm"] is not None:
        room = f" in {place['area']}" if place["area"] else ""
        position = f" at {place['x_mm'] / 1000:.1f}, {place['y_mm'] / 1000:.1f} m{room}"
    return [
        *wrapped(f"{place['place']}{position}: {_values(place)}", 7),
        *folded("", "; ".join(_ways(place["ways"])), WAYS_LINES),
    ]


def _ways(ways: list[Facts]) -> list[str]:
    """Texts about how a fire may spread from a place to others. Places with equal words share a
    text.
    """
    ends_by_text: dict[str, list[str]] = {}
    for way in ways:
        kind = "" if way["kind"] in (UNIT, way["to"]) else f" ({way['kind']})"
        ends_by_text.setdefault(_paper(way), []).append(f"{way['to']}{kind} {_apart(way)}")
    return [f"to {', '.join(ends)}: {text}" for text, ends in ends_by_text.items()]


def _values(place: Facts) -> str:
    if not place["is_here"]:
        return "of another cabinet, its values are not known here"
    hottest = "- C"
    if place["temperature_ddegC"] is not None:
        rise = scaled(place["rise_ddegC_per_min"], 10)
        sign = "+" if (place["rise_ddegC_per_min"] or 0) > 0 else ""
        where = f"(rack {place['rack']} module {place['module']}), {sign}{rise} K/min"
        hottest = f"{scaled(place['temperature_ddegC'], 10)} C {where}"
    texts = [f"racks {' '.join(map(str, place['racks']))}", f"hottest {hottest}"]
    if place["unknown_racks"]:
        texts.append(f"{place['unknown_racks']} racks unknown")
    if place["rows"]:
        first, _, rack_number = place["rows"][0].partition(".rack")
        more = len(place["rows"]) - 1
        rack = f" rack {rack_number}" if rack_number else ""
        texts.append(f"ALARM row {first}{rack}{f' and {more} more' if more else ''}")
    return ", ".join(texts)


def _paper(way: Facts) -> str:
    if way["by"] == WALL:
        return f"{way['wall_min']} min or later, by the rating of {way['wall']}"
    if way["by"] == TEST:
        return f"no spread over {way['tested_mm'] / 1000:.3f} m in {way['paper']}"
    return "time unknown"
