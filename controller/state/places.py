"""Facts of the page `map`: heat and alarms on the plan of the site, and ways of a fire.

A place is a unit on the plan of the site. It contains racks of this cabinet, or it belongs to
another cabinet. Without [plan] in the configuration, each unit of this cabinet is a place.

The times come from the documents of the plan: for how long a wall is rated, and over which distance
a fire test has shown no spread. Without such a document the time is unknown. `propagation`
estimates the times from cell to rack. Like that estimate, this page is for people only.
"""

from collections.abc import Iterable

from controller.journal.history import History
from controller.journal.snapshot import Shadow
from controller.rows import danger
from controller.rows.records import BY_ID
from controller.state import base, contacts, propagation, racks
from controller.state.base import Facts
from safety import heating, matrix as m

HOT = (*range(18, 25), 53)  # rows of one rack: its cells are warm, heat up, or burn
# The document that counts for the way of a fire: none, a fire test, the rating of a wall. The
# weakest comes first.
UNKNOWN, TEST, WALL = "unknown", "test", "wall"
UNIT = "unit"  # kind of a way that ends at a unit of the plan
RISE_S_MIN = 10  # in a shorter time a sensor that rounds to 0.1 K shows no rate


def facts(shadow: Shadow, history: History) -> Facts:
    """The page `map` as plain data."""
    return {
        **base.head(shadow),
        **contacts.gas(shadow),
        "contacts": contacts.states(shadow),
        **on_plan(shadow),
        "propagation": propagation.facts(shadow, history),
    }


def on_plan(shadow: Shadow) -> Facts:
    """{plan, places, unload}. plan: {name, audit, open}, None without [plan]. unload: the
    neighbours of a hot place, in the order in which their power should be reduced. A neighbour
    comes first if no document is about the way of the fire to it.
    """
    plan = shadow.reader.header.get("plan")
    place_names = plan["racks"] if plan else []
    by_place: dict[str, list[int]] = {}
    for rack in range(shadow.layout.racks):
        unit = shadow.core.facts.unit_of(rack) + 1
        name = place_names[rack] if rack < len(place_names) else f"unit {unit}"
        by_place.setdefault(name, []).append(rack)
    own_places = [_own(shadow, name, inside) for name, inside in by_place.items()]
    if plan is None:
        return {"plan": None, "places": own_places, "unload": []}
    plan_places = {place["name"]: place for place in plan["places"]}
    other_places = [_of_others(name) for name in plan_places if name not in by_place]
    for place in [*own_places, *other_places]:
        place |= _drawn(plan_places.get(place["place"]))
        place["ways"] = [_way(way) for way in plan["ways"] if way["from"] == place["place"]]
    plan_facts = {key: plan[key] for key in ("name", "audit", "open")}
    return {
        "plan": plan_facts,
        "places": [*own_places, *other_places],
        "unload": _unload(own_places, other_places),
    }


def _own(shadow: Shadow, name: str, own_racks: list[int]) -> Facts:
    """A place with racks (from 0) of this cabinet."""
    warmest = [_warmest(shadow, rack) for rack in own_racks]
    known_modules = [module for module in warmest if module["temperature_ddegC"] is not None]
    hottest = max(known_modules, key=lambda module: module["temperature_ddegC"], default=warmest[0])
    rows = _rows(shadow, own_racks)
    return {
        "place": name,
        "is_here": True,
        "racks": [rack + 1 for rack in own_racks],
        "units": sorted({shadow.core.facts.unit_of(rack) + 1 for rack in own_racks}),
        "each_rack": warmest,
        "unknown_racks": len(warmest) - len(known_modules),
        **hottest,
        "rows": rows,
        "is_alarm": bool(rows),
        **_drawn(None),
        "ways": [],
    }


def _of_others(name: str) -> Facts:
    """A place of another cabinet. This controller knows none of its values."""
    return {
        "place": name,
        "is_here": False,
        "racks": [],
        "units": [],
        "each_rack": [],
        "unknown_racks": 0,
        "rows": [],
        **dict.fromkeys(("is_alarm", "rack", "module", "temperature_ddegC", "rise_ddegC_per_min")),
    }


def _drawn(place: Facts | None) -> Facts:
    keys = ("x_mm", "y_mm", "area")
    return {key: place[key] if place else None for key in keys}


def _warmest(shadow: Shadow, rack: int) -> Facts:
    """The hottest module of a rack (from 0); None: unknown."""
    temperatures = racks.temperatures(shadow, rack)
    module, now_ddegC = temperatures["hottest_module"], temperatures["temperature_ddegC_max"]
    rise = None
    kept_s = shadow.core.facts.kept_s(rack)
    if module and now_ddegC is not None and kept_s >= RISE_S_MIN:
        before_ddegC = shadow.core.facts.oldest_reading_ddegC(rack, module - 1)
        if before_ddegC != heating.NO_HISTORY_DDEGC:
            rise = round((now_ddegC - before_ddegC) * 60 / kept_s)
    return {
        "rack": rack + 1,
        "module": module,
        "temperature_ddegC": now_ddegC,
        "rise_ddegC_per_min": rise,
    }


def _rows(shadow: Shadow, own_racks: Iterable[int]) -> list[str]:
    """Active or latched stages that show heat in these racks, and those that show fire or gas in
    the whole cabinet.
    """
    scopes = [f"rack{rack + 1}" for rack in own_racks]
    names = []
    for name in shadow.standing:
        stage, _, scope = name.partition(".")
        is_sign = not scope and danger.level(BY_ID[stage]) >= danger.SIGN
        if is_sign or scope in scopes and BY_ID[stage][m.S_ROW] in HOT:
            names.append(name)
    names.sort(key=lambda name: danger.order(base.stage_of(name)))
    return names


def _way(way: Facts) -> Facts:
    """A way with two more facts: `by`, the document that counts, and time_s, the least time by the
    rating of a wall.
    """
    is_tested = way["tested_mm"] and way["distance_mm"] >= way["tested_mm"]
    by = WALL if way["wall_min"] else TEST if is_tested else UNKNOWN
    time_s = way["wall_min"] * 60 if by == WALL else None
    return {key: fact for key, fact in way.items() if key != "from"} | {"by": by, "time_s": time_s}


def _unload(own_places: list[Facts], other_places: list[Facts]) -> list[Facts]:
    """[{place, units, next_to, by, distance_mm}], in the order in which to reduce their power."""

    def order(neighbour: Facts) -> tuple[int, int]:
        return (UNKNOWN, TEST, WALL).index(neighbour["by"]), neighbour["distance_mm"]

    places = {place["place"]: place for place in [*own_places, *other_places]}
    nearest: dict[str, Facts] = {}
    for hot in [place for place in own_places if place["is_alarm"]]:
        for way in hot["ways"]:
            place = places.get(way["to"])
            if way["kind"] != UNIT or place is None or place["is_alarm"]:
                continue
            neighbour = {"place": way["to"], "units": place["units"], "next_to": hot["place"]}
            neighbour |= {key: way[key] for key in ("by", "time_s", "distance_mm")}
            before = nearest.get(way["to"], neighbour)
            nearest[way["to"]] = min(before, neighbour, key=order)
    return sorted(nearest.values(), key=order)
