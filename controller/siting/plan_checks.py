"""Whether the things of a siting file fit together on the ground."""

import itertools

from controller.site.refusal import refuse
from controller.siting import fields as f
from controller.siting import ground, lot


def _check_plan(path, site):
    """Things that cannot be where the file says they are."""
    for first, second in itertools.combinations(site.areas, 2):
        # what is in one room would count in two fire areas
        if ground.share_ground(first.shape, second.shape):
            refuse(
                path,
                ("area", second.name),
                f"overlaps area.{first.name}",
                "areas that touch at most",
            )
    for first, second in site.near_pairs(0.0):
        if ground.overlaps(first.shape, second.shape):
            refuse(
                path,
                ("unit", second.name),
                f"overlaps unit.{first.name}",
                "units that touch at most",
            )
    for unit in site.units:
        if not unit.area and (site.place == f.INDOORS or site.mode == f.ROOFTOP):
            refuse(path, ("unit", unit.name), "lies in no area", "inside one [area.NAME]")
        for exposure in site.exposures:
            if exposure.kind == "lot_line":
                lot.check_unit(path, unit, exposure)
            elif exposure.kind == "building" and site.is_open_air and not unit.area:
                _check_outside(path, unit, exposure)


def _check_outside(path, unit, building):
    if building.shape.is_filled and ground.overlaps(unit.shape, building.shape):
        refuse(
            path,
            ("unit", unit.name),
            f"lies in or across exposure.{building.name}, a building",
            'outside it; a room is an [area.NAME] of a file with place = "indoors"',
        )
