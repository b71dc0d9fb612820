"""Writes the places of a plan to a file for the cabinets of the site (config/site_plan.py).

It has each unit, and the ways by which a fire may spread from it: the nearest units and exposures,
the rated wall between them, the fire test. Distances and ratings are rounded down, and tested
distances are rounded up.
"""

import json
import math

from controller.siting import geometry, reductions, report
from controller.siting.audit import Finding
from controller.siting.site import Site
from controller.siting.things import Exposure, Unit
from controller.system.paths import escaped

UNITS_NEAR, EXPOSURES_NEAR = 4, 3
LOOKED_AT = 4 * UNITS_NEAR  # nearest boxes; no box is farther than its shape
LINE_CHARACTERS = 200
SHOWN_OF_TEST = ("no_flaming_outside", "no_explosion", "neighbours_below_vent")
Way = dict[str, str | int]


def toml(site: Site, findings: list[Finding]) -> str:
    """The file as text."""
    head: Way = {"schema": 1, "name": site.facts["name"], "audit": report.headline(findings)}
    head["open"] = "; ".join(report.open_lines(findings))
    lines = ["# Made by `firebreak siting --places`: do not edit, make it anew.", *_lines(head)]
    for unit in site.units:
        x_m, y_m = geometry.middle(unit.shape.points[0], unit.shape.points[2])
        place: Way = {"name": unit.name, "x_mm": round(x_m * 1000), "y_mm": round(y_m * 1000)}
        lines += ["", "[[place]]", *_lines({**place, "area": unit.area})]
    for unit in site.units:
        for way in (*_to_units(site, unit), *_to_exposures(site, unit)):
            lines += ["", "[[way]]", *_lines(way)]
    return "\n".join([*lines, ""])


def _lines(table: Way) -> list[str]:
    """Lines of keys and values, without empty texts."""
    lines = []
    for key, value in table.items():
        if isinstance(value, str):
            value = escaped(value)[:LINE_CHARACTERS]
        if value != "":
            lines.append(f"{key} = {json.dumps(value)}")
    return lines


def _to_units(site: Site, unit: Unit) -> list[Way]:
    box = geometry.box(unit.shape)
    neighbours = [neighbour for neighbour in site.units if neighbour is not unit]
    neighbours.sort(
        key=lambda neighbour: geometry.box_distance_m(box, geometry.box(neighbour.shape))
    )
    gaps = [
        (geometry.gap(unit.shape, neighbour.shape).distance_m, neighbour)
        for neighbour in neighbours[:LOOKED_AT]
    ]
    gaps.sort(key=lambda pair: pair[0])
    return [_to_unit(site, unit, neighbour, apart_m) for apart_m, neighbour in gaps[:UNITS_NEAR]]


def _to_unit(site: Site, unit: Unit, neighbour: Unit, apart_m: float) -> Way:
    rated_h, wall = _wall(site, unit, neighbour)
    tests_m = [_tested_m(side) for side in (unit, neighbour)]
    tested_m = 0.0 if None in tests_m else max(test_m or 0.0 for test_m in tests_m)
    papers = [side.model["ul_9540a_report"] for side in (unit, neighbour)] if tested_m else []
    return {
        **_head(unit, neighbour.name, "unit", apart_m),
        **({"wall_min": int(rated_h * 60), "wall": wall} if rated_h else {}),
        **({"tested_mm": _up_mm(tested_m)} if tested_m else {}),
        "paper": ", ".join(dict.fromkeys(papers)),
    }


def _head(unit: Unit, to: str, kind: str, apart_m: float) -> Way:
    down_mm = int((apart_m + geometry.TOUCH_m) * 1000)
    return {"from": unit.name, "to": to, "kind": kind, "distance_mm": down_mm}


def _up_mm(length_m: float) -> int:
    return math.ceil((length_m - geometry.TOUCH_m) * 1000)


def _wall(site: Site, unit: Unit, neighbour: Unit) -> tuple[float, str]:
    """(rating in h, names) of the best wall, or row of barriers, that a fire must pass."""
    walls = [(0.0, "")]
    if unit.area != neighbour.area:
        rated = {area.name: area.facts["fire_rating_h"] or 0.0 for area in site.areas}
        walls += [(rated[name], f"walls of {name}") for name in (unit.area, neighbour.area) if name]
    names = reductions.shielding(site, unit, neighbour.shape, math.inf)
    if names:
        rating_h = min(barrier.fire_rating_h for barrier in site.barriers if barrier.name in names)
        walls.append((rating_h, ", ".join(names)))
    return max(walls)


def _tested_m(unit: Unit) -> float | None:
    """Distance in a UL 9540A test that shows no flames, explosion or spread; or None."""
    model = unit.model
    is_shown = all(model[f"ul_9540a_{key}"] for key in SHOWN_OF_TEST)
    return model["ul_9540a_spacing_m"] if is_shown and model["ul_9540a_report"] else None


def _to_exposures(site: Site, unit: Unit) -> list[Way]:
    near = [exposure_gap for exposure_gap in site.exposure_gaps if exposure_gap.unit is unit]
    near.sort(key=lambda exposure_gap: exposure_gap.gap.distance_m)
    return [_to_exposure(*exposure_gap) for exposure_gap in near[:EXPOSURES_NEAR]]


def _to_exposure(unit: Unit, exposure: Exposure, gap: geometry.Gap) -> Way:
    rated_h = exposure.facts["wall_fire_rating_h"] or 0
    tested_m, test = [
        unit.model[key] for key in ("exposure_spacing_tested_m", "large_scale_fire_test")
    ]
    is_tested = bool(test and tested_m)
    return {
        **_head(unit, exposure.name, exposure.kind, gap.distance_m),
        **({"wall_min": int(rated_h * 60), "wall": f"wall of {exposure.name}"} if rated_h else {}),
        **({"tested_mm": _up_mm(tested_m), "paper": test} if is_tested else {}),
    }
