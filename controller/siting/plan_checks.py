"""Checks that the things of a siting file fit together on the ground."""

import itertools

from controller.forms.refusal import refuse
from controller.siting import fields as f, ground, lot
from controller.siting.site import Site
from controller.siting.things import Exposure, Unit

OUTSIDE = 'outside it; a room is an [area.NAME] of a file with place = "indoors"'


def check_plan(path: str, site: Site) -> None:
    """Refuse things that cannot be at the place that the file gives."""
    for first, second in itertools.combinations(site.areas, 2):
        # a unit in both areas would be counted in two fire areas
        if ground.share_ground(first.shape, second.shape):
            problem = f"overlaps area.{first.name}"
            refuse(path, ("area", second.name), problem, "areas that touch at most")
    for earlier, later in site.near_pairs(0.0):
        if ground.overlaps(earlier.shape, later.shape):
            problem = f"overlaps unit.{earlier.name}"
            refuse(path, ("unit", later.name), problem, "units that touch at most")
    # in a file with rooms or a roof, buildings may be around or under the units
    is_open_air = site.mode == f.DWELLING or (site.place == f.OUTDOORS and site.mode in f.OPEN_AIR)
    for unit in site.units:
        where = ("unit", unit.name)
        if not unit.area and (site.place == f.INDOORS or site.mode == f.ROOFTOP):
            refuse(path, where, "lies in no area", "inside one [area.NAME]")
        for exposure in site.exposures:
            # a unit may touch the lot line
            if exposure.kind == "lot_line" and not lot.holds(exposure, unit.shape):
                problem = f"lies outside or across exposure.{exposure.name}"
                refuse(path, where, problem, "inside the lot line")
            elif is_open_air and not unit.area and _is_in_building(unit, exposure):
                problem = f"lies in or across exposure.{exposure.name}, a building"
                refuse(path, where, problem, OUTSIDE)


def _is_in_building(unit: Unit, exposure: Exposure) -> bool:
    return (
        exposure.kind == "building"
        and exposure.shape.is_filled
        and ground.overlaps(unit.shape, exposure.shape)
    )
