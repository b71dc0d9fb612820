"""Row B19: when a distance to an exposure may be reduced, and to what. IFC 2018 knows the test
only.
"""

from controller.siting import fields as f, geometry, sight

REDUCED_m = f.SPACING_m
# how much higher than the unit, and longer at both ends, a barrier has to be
BEYOND_m = f.FIVE_FEET_m
BARRIER_h, WALL_h = 1, 2


def reduced(site, unit, exposure, gap, full_m: float) -> tuple | None:
    """(distance in m, by what) to which the distance of a pair nearer than full_m is reduced; None
    where nothing reduces it, or nothing needs to.
    """
    if gap.distance_m >= full_m - geometry.TOUCH_m:
        return None
    if site.edition != f.IFC_2018:
        if _is_wall(exposure.facts):
            return REDUCED_m, f"{WALL_h} h wall of {exposure.name}"
        names = _shielding(site, unit, exposure, full_m)
        if names:
            return REDUCED_m, "behind " + ", ".join(names)
    tested_m, test = unit.model["exposure_spacing_tested_m"], unit.model["large_scale_fire_test"]
    if tested_m is None or not test:
        return None
    return max(REDUCED_m, tested_m), f"by test {test}"


def _is_wall(facts):
    return (
        (facts["wall_fire_rating_h"] or 0) >= WALL_h
        and bool(facts["wall_noncombustible"])
        and bool(facts["wall_without_openings"])
    )


def _shielding(site, unit, exposure, full_m):
    """Names of the barriers that shield all of the exposure nearer than full_m; empty when any of
    it is bare.
    """
    fitting = {
        barrier.name: barrier.ends
        for barrier in site.barriers
        if barrier.fire_rating_h >= BARRIER_h
        and barrier.height_m >= unit.model["height_m"] + BEYOND_m - geometry.TOUCH_m
    }
    names = []
    for edge in geometry.edges(exposure.shape) if fitting else ():
        near = sight.part_within(unit.shape, edge, full_m - geometry.TOUCH_m)
        if near is None:
            continue
        behind = sight.shielding(unit.shape, near, fitting, BEYOND_m)
        if not behind:
            return []
        names += behind
    return list(dict.fromkeys(names))
