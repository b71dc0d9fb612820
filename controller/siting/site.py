"""Holds a site as the rules use it: units, areas, exposures, barriers, and their distances."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from controller.forms.acceptance_text import placeholder_line
from controller.siting import fields as f, geometry
from controller.siting.geometry import Box, Gap, Shape
from controller.siting.live import Live
from controller.siting.things import Area, Barrier, Exposure, Table, Unit, grouped

# The thickest wall between two rooms. An outline is the inner face of the walls, so two rooms
# within this distance touch.
PARTITION_m = 0.5

UnitPair = tuple[Unit, Unit, Gap]


class ExposureGap(NamedTuple):
    """The gap of a unit and an exposure."""

    unit: Unit
    exposure: Exposure
    gap: Gap


@dataclass
class Site:
    """A checked siting file. facts: keys at its top. place: "" for a dwelling (both places)."""

    path: str
    facts: Table
    units: tuple[Unit, ...]
    areas: tuple[Area, ...]
    exposures: tuple[Exposure, ...]
    barriers: tuple[Barrier, ...]
    fence: Table | None
    la_r3: Table
    lengths: str = "m"  # unit of report and plan, a key of geometry.LENGTHS
    live: Live | None = None  # values that the plan shows

    def __post_init__(self) -> None:
        self.mode: str = self.facts["mode"]
        self.edition: str = self.facts["edition"]
        self.local: tuple[str, ...] = self.facts["local"] or ()
        self.place = "" if self.mode == f.DWELLING else self.facts["place"] or f.OUTDOORS

    @cached_property
    def placeholder_lines(self) -> list[str]:
        """[one line] with the papers that are copied from an example, or []."""
        tables = {
            "": self.facts,
            **{f"area.{area.name}.": area.facts for area in self.areas},
            **{f"model.{unit.model_name}.": unit.model for unit in self.units},
        }
        papers = {**f.SITE, **f.AREA, **f.MODEL}
        texts = {
            where + key: value
            for where, table in tables.items()
            for key, value in table.items()
            if papers[key].kind == "named"
        }
        return placeholder_line("papers of the plan", texts)

    @cached_property
    def total_kWh(self) -> float:
        """Energy of all units."""
        return math.fsum(unit.energy_kWh for unit in self.units)

    @cached_property
    def technologies(self) -> tuple[str, ...]:
        """The technologies of all units, in the order of the table."""
        present = {unit.model["technology"] for unit in self.units}
        return tuple(technology for technology in f.TECHNOLOGIES if technology in present)

    @cached_property
    def threshold_kWh(self) -> float:
        """The lowest threshold of these technologies."""
        return min(f.TECHNOLOGIES[technology].threshold_kWh for technology in self.technologies)

    @cached_property
    def groups(self) -> dict[str, list[Unit]]:
        """{name of a group: [units]}."""
        return grouped(self.units, lambda unit: unit.group)

    @cached_property
    def used_areas(self) -> tuple[Area, ...]:
        """The areas with a unit."""
        used = {unit.area for unit in self.units}
        return tuple(area for area in self.areas if area.name in used)

    @cached_property
    def areas_of_fire_area(self) -> dict[str, list[Area]]:
        """{names joined by " + ": areas that have a unit and are open to each other}."""
        parts = [
            [area for area in self.used_areas if area in part] for part in _open_parts(self.areas)
        ]
        return {" + ".join(area.name for area in part): part for part in parts if part}

    @cached_property
    def fire_areas(self) -> dict[str, list[Unit]]:
        """{name: [units]}. All units outside areas form one fire area, "outdoors"."""
        names = {area.name: name for name, part in self.areas_of_fire_area.items() for area in part}
        return grouped(self.units, lambda unit: names.get(unit.area, f.OUTDOORS))

    def near_pairs(self, within_m: float) -> list[tuple[Unit, Unit]]:
        """Pairs of units whose boxes are within a distance, each pair once, in file order."""
        boxes = [geometry.box(unit.shape) for unit in self.units]
        return [
            (first, second)
            for index, first in enumerate(self.units)
            for later, second in enumerate(self.units[index + 1 :], index + 1)
            if geometry.box_distance_m(boxes[index], boxes[later]) <= within_m
        ]

    @cached_property
    def all_pairs(self) -> list[UnitPair]:
        """Pairs within the longest distance that a rule can require, or else the nearest pair."""
        reach_m = max(3.1, *[unit.model["ul_9540a_spacing_m"] or 0 for unit in self.units])
        near = [(a, b, geometry.gap(a.shape, b.shape)) for a, b in self.near_pairs(reach_m)]
        return near or self._nearest_pair(False)

    @cached_property
    def pairs(self) -> list[UnitPair]:
        """The pairs of all_pairs with different groups, or else the nearest such pair."""
        apart = [(a, b, gap) for a, b, gap in self.all_pairs if a.group != b.group]
        return apart or self._nearest_pair(True)

    def _nearest_pair(self, of_different_groups: bool) -> list[UnitPair]:
        """[the two units with the nearest boxes], or [] for fewer than two units."""
        apart = [
            (geometry.box_distance_m(geometry.box(a.shape), geometry.box(b.shape)), a, b)
            for a, b in self.near_pairs(math.inf)
            if not of_different_groups or a.group != b.group
        ]
        nearest = [min(apart, key=lambda pair: pair[0])] if apart else []
        return [(a, b, geometry.gap(a.shape, b.shape)) for _, a, b in nearest]

    @cached_property
    def exposure_gaps(self) -> list[ExposureGap]:
        """All gaps within NEAR_m, and the next longer one of each exposure, in file order.

        The report shows the next gap if no unit is near, or if all near gaps are reduced (B19).
        Units in areas have their own next gap, because row B34 covers only units outside areas.
        """
        gaps: dict[tuple[int, int], Gap] = {}
        for is_held in (False, True):
            units = [
                (index, unit.shape, geometry.box(unit.shape))
                for index, unit in enumerate(self.units)
                if bool(unit.area) == is_held
            ]
            for number, exposure in enumerate(self.exposures):
                gaps |= {(index, number): gap for index, gap in _near_gaps(units, exposure.shape)}
        return [
            ExposureGap(self.units[index], self.exposures[number], gaps[index, number])
            for index, number in sorted(gaps)
        ]

    def gaps_to(self, kinds: tuple[str, ...]) -> list[ExposureGap]:
        """The exposure_gaps to exposures of these kinds."""
        return [near for near in self.exposure_gaps if near.exposure.kind in kinds]

    @cached_property
    def nearest_units(self) -> list[ExposureGap]:
        """The nearest unit of each exposure, in the order of the file."""
        by_exposure = grouped(self.exposure_gaps, lambda near: near.exposure.name)
        return [
            min(by_exposure[exposure.name], key=lambda near: near.gap.distance_m)
            for exposure in self.exposures
        ]

    @cached_property
    def wall_gaps(self) -> list[tuple[Unit, Area, Gap]]:
        """[(unit, area, Gap to the walls of the area)] of units in an area."""
        return [
            (unit, area, geometry.gap(unit.shape, geometry.outline(area.shape)))
            for unit in self.units
            for area in self.areas
            if area.name == unit.area
        ]

    def undeclared(self, kinds: tuple[str, ...]) -> list[str]:
        """The kinds of exposure that the file neither has nor declares absent."""
        declared = {exposure.kind for exposure in self.exposures} | set(self.facts["absent"] or ())
        return [kind for kind in kinds if kind not in declared]

    @cached_property
    def nearest_exposure(self) -> ExposureGap | None:
        """The nearest exposure that counts for row B10, or None."""
        near = self.gaps_to((*f.EXPOSED, "egress", "air_intake", "opening"))
        return min(near, key=lambda nearest: nearest.gap.distance_m, default=None)

    @cached_property
    def is_remote(self) -> bool:
        """True outdoors, if all kinds of exposure are declared and none is within 30.5 m."""
        return (
            self.place == f.OUTDOORS
            and not self.undeclared(f.EXPOSED)
            and (self.nearest_exposure is None or self.nearest_exposure.gap.distance_m > f.NEAR_m)
        )


def _near_gaps(units: list[tuple[int, Shape, Box]], shape: Shape) -> Iterator[tuple[int, Gap]]:
    """(index, Gap) of each unit within NEAR_m of a shape, and of the nearest one beyond that."""
    around, beyond_m = geometry.box(shape), math.inf
    apart = sorted(
        (geometry.box_distance_m(box, around), index, unit_shape)
        for index, unit_shape, box in units
    )
    for least_m, index, unit_shape in apart:
        if least_m > beyond_m + geometry.TOUCH_m:
            return
        gap = geometry.gap(unit_shape, shape)
        beyond_m = min(beyond_m, gap.distance_m) if gap.distance_m > f.NEAR_m else beyond_m
        yield index, gap


def _open_parts(areas: tuple[Area, ...]) -> list[list[Area]]:
    """Lists of areas that are open to each other, directly or through other areas of the list."""
    parts: list[list[Area]] = []
    for area in areas:
        touched = [part for part in parts if any(_is_open_to(area, member) for member in part)]
        parts = [part for part in parts if part not in touched]
        parts.append([member for part in touched for member in part] + [area])
    return parts


def _is_open_to(area: Area, neighbour: Area) -> bool:
    """True if two areas are wall to wall and no wall has the required rating.

    A missing rating counts as 0.
    """
    if max(member.facts["fire_rating_h"] or 0 for member in (area, neighbour)) >= f.SEPARATION_h:
        return False
    reach_m = PARTITION_m + geometry.TOUCH_m
    return (
        geometry.box_distance_m(geometry.box(area.shape), geometry.box(neighbour.shape)) <= reach_m
        and geometry.gap(area.shape, neighbour.shape).distance_m <= reach_m
    )
