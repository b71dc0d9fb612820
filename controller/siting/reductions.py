"""Checks whether a barrier, a wall or a fire test allows a reduced distance to an exposure.

This is rule B19 (rules.py). IFC 2018 allows a reduction only by the test.
"""

from controller.siting import fields as f, geometry, sight
from controller.siting.site import Site
from controller.siting.things import Exposure, Table, Unit

REDUCED_m = f.SPACING_m
# a barrier must be higher than the unit by this length, and longer by it at both ends
BEYOND_m = f.FIVE_FEET_m
BARRIER_h, WALL_h = 1, 2


def reduced(
    site: Site, unit: Unit, exposure: Exposure, gap: geometry.Gap, full_m: float
) -> tuple[float, str] | None:
    """(allowed distance in m, reason) for a pair nearer than full_m, or None."""
    if gap.distance_m >= full_m - geometry.TOUCH_m:
        return None
    if site.edition != f.IFC_2018:
        if _is_wall(exposure.facts):
            return REDUCED_m, f"{WALL_h} h wall of {exposure.name}"
        names = shielding(site, unit, exposure.shape, full_m)
        if names:
            return REDUCED_m, "behind " + ", ".join(names)
    tested_m, test = unit.model["exposure_spacing_tested_m"], unit.model["large_scale_fire_test"]
    if tested_m is None or not test:
        return None
    return max(REDUCED_m, tested_m), f"by test {test}"


def _is_wall(facts: Table) -> bool:
    rating_h, *flags = [facts[key] for key in f.WALL]
    return (rating_h or 0) >= WALL_h and all(flags)


def shielding(site: Site, unit: Unit, shape: geometry.Shape, full_m: float) -> list[str]:
    """Names of barriers that together shield the part of a shape within full_m.

    It is [] if a part is not shielded.
    """
    fitting = {
        barrier.name: barrier.ends
        for barrier in site.barriers
        if barrier.fire_rating_h >= BARRIER_h
        and barrier.height_m >= unit.model["height_m"] + BEYOND_m - geometry.TOUCH_m
    }
    names: list[str] = []
    for edge in geometry.edges(shape) if fitting else ():
        near = sight.part_within(unit.shape, edge, full_m - geometry.TOUCH_m)
        if near is None:
            continue
        behind = sight.shielding(unit.shape, near, fitting, BEYOND_m)
        if not behind:
            return []
        names += behind
    return list(dict.fromkeys(names))
