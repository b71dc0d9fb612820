"""A site as the rules see it: units, areas, exposures, sight, and the distances between them."""

import functools
import math
from dataclasses import dataclass

from controller.config.acceptance_text import placeholder_line
from controller.siting import fields as f, geometry
from controller.siting.things import grouped

# outlines are inner faces of walls: rooms apart by no more than the thickest wall between two touch
PARTITION_m = 0.5


@dataclass
class Site:
    """One siting file, checked. facts: the top of the file; fence: its table or None; la_r3: its
    facts; local: profiles in force; place: indoors, outdoors, or empty for a dwelling, whose units
    may be either.
    """

    path: str
    facts: dict
    units: tuple
    areas: tuple
    exposures: tuple
    barriers: tuple
    fence: dict | None
    la_r3: dict
    lengths: str = "m"  # in which report and plan print them: geometry.LENGTHS

    def __post_init__(self):
        self.mode, self.edition = self.facts["mode"], self.facts["edition"]
        self.local = self.facts["local"] or ()
        self.place = "" if self.mode == f.DWELLING else self.facts["place"] or f.OUTDOORS

    @functools.cached_property
    def placeholder_lines(self):
        """[one line] that names the papers that are an example's; [] without."""
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

    @functools.cached_property
    def total_kWh(self):
        """All units."""
        return math.fsum([unit.energy_kWh for unit in self.units])

    @functools.cached_property
    def technologies(self):
        """Those present, in the order of the table."""
        present = {unit.model["technology"] for unit in self.units}
        return tuple([each for each in f.TECHNOLOGIES if each in present])

    @functools.cached_property
    def threshold_kWh(self):
        """The lowest threshold of the technologies present."""
        return min([f.TECHNOLOGIES[each][0] for each in self.technologies])

    @functools.cached_property
    def groups(self):
        """{name: [units]}."""
        return grouped(self.units, lambda unit: unit.group)

    @functools.cached_property
    def used_areas(self):
        """Those areas that hold a unit."""
        used = {unit.area for unit in self.units}
        return tuple([area for area in self.areas if area.name in used])

    @functools.cached_property
    def areas_of_fire_area(self):
        """{name: [areas that hold a unit]}: areas open to each other are one, its name theirs
        joined by " + ".
        """
        found = [
            [area for area in self.used_areas if area in part] for part in _open_parts(self.areas)
        ]
        return {" + ".join([area.name for area in part]): part for part in found if part}

    @functools.cached_property
    def fire_areas(self):
        """{name: [units]}; units outside all areas are one fire area called outdoors."""
        names = {area.name: name for name, part in self.areas_of_fire_area.items() for area in part}
        return grouped(self.units, lambda unit: names.get(unit.area, f.OUTDOORS))

    def near_pairs(self, within_m: float) -> list:
        """Pairs of units whose boxes are within a distance, each once, in the order of the file."""
        boxes = [geometry.box(unit.shape) for unit in self.units]
        return [
            (first, second)
            for index, first in enumerate(self.units)
            for other, second in enumerate(self.units[index + 1 :], index + 1)
            if geometry.box_distance_m(boxes[index], boxes[other]) <= within_m
        ]

    @functools.cached_property
    def all_pairs(self):
        """[(unit, unit, Gap)]: all within the longest distance a rule or a test may ask for."""
        reach_m = max(3.1, *[unit.model["ul_9540a_spacing_m"] or 0 for unit in self.units])
        found = [(a, b, geometry.gap(a.shape, b.shape)) for a, b in self.near_pairs(reach_m)]
        return found or self._nearest_pair(False)

    @functools.cached_property
    def pairs(self):
        """As all_pairs, of different groups."""
        return [
            each for each in self.all_pairs if each[0].group != each[1].group
        ] or self._nearest_pair(True)

    def _nearest_pair(self, of_different_groups):
        """The two units whose boxes are nearest, where none are within reach; none where there are
        not two.
        """
        apart = [
            (geometry.box_distance_m(geometry.box(a.shape), geometry.box(b.shape)), a, b)
            for a, b in self.near_pairs(math.inf)
            if not of_different_groups or a.group != b.group
        ]
        nearest = [min(apart, key=lambda each: each[0])] if apart else []
        return [(a, b, geometry.gap(a.shape, b.shape)) for _, a, b in nearest]

    @functools.cached_property
    def exposure_gaps(self):
        """[(unit, exposure, Gap)] in the order of the file: all within NEAR_m, and each exposure's
        next one beyond.

        No rule and no drawing asks for more: where nothing is near, or what is near is reduced
        (B19), a report shows the next one. It is kept of units in areas and of the others, as row
        B34 looks at the latter only.
        """
        found = {}
        for is_held in (False, True):
            units = [
                (index, unit.shape, geometry.box(unit.shape))
                for index, unit in enumerate(self.units)
                if bool(unit.area) == is_held
            ]
            for number, exposure in enumerate(self.exposures):
                found |= {(index, number): gap for index, gap in _near_gaps(units, exposure.shape)}
        return [
            (self.units[index], self.exposures[number], found[index, number])
            for index, number in sorted(found)
        ]

    def gaps_to(self, kinds: tuple) -> list:
        """Those of exposure_gaps whose exposure is of some kinds."""
        return [each for each in self.exposure_gaps if each[1].kind in kinds]

    @functools.cached_property
    def nearest_units(self):
        """[(unit, exposure, Gap)]: of each exposure the nearest unit, in the order of the file."""
        found = grouped(self.exposure_gaps, lambda each: each[1].name)
        return [
            min(found[exposure.name], key=lambda each: each[2].distance_m)
            for exposure in self.exposures
        ]

    @functools.cached_property
    def wall_gaps(self):
        """[(unit, area, Gap to its walls)] of units in an area."""
        return [
            (unit, area, geometry.gap(unit.shape, geometry.outline(area.shape)))
            for unit in self.units
            for area in self.areas
            if area.name == unit.area
        ]

    def undeclared(self, kinds: tuple) -> list:
        """Those kinds of exposure that the file neither has nor calls absent."""
        said = {exposure.kind for exposure in self.exposures} | set(self.facts["absent"] or ())
        return [kind for kind in kinds if kind not in said]

    @functools.cached_property
    def nearest_exposure(self):
        """(unit, exposure, Gap) of the nearest thing of row B10, None without any."""
        found = self.gaps_to((*f.EXPOSED, "egress", "air_intake", "opening"))
        return min(found, key=lambda each: each[2].distance_m, default=None)

    @functools.cached_property
    def is_remote(self):
        """Outdoors and further than 30.5 m from every exposure, all kinds being said."""
        return (
            self.place == f.OUTDOORS
            and not self.undeclared(f.EXPOSED)
            and (self.nearest_exposure is None or self.nearest_exposure[2].distance_m > f.NEAR_m)
        )


def _near_gaps(units, shape):
    """(index, Gap) of those of [(index, shape, box)] within NEAR_m of a shape, and of the next one
    beyond.
    """
    around, beyond_m = geometry.box(shape), math.inf
    apart = sorted(
        [
            (geometry.box_distance_m(box, around), index, unit_shape)
            for index, unit_shape, box in units
        ]
    )
    for least_m, index, unit_shape in apart:
        if least_m > beyond_m + geometry.TOUCH_m:
            return
        gap = geometry.gap(unit_shape, shape)
        beyond_m = min(beyond_m, gap.distance_m) if gap.distance_m > f.NEAR_m else beyond_m
        yield index, gap


def _open_parts(areas):
    """Lists of areas, in each list those open to each other, straight or through others of it."""
    parts = []
    for area in areas:
        touched = [part for part in parts if any(_is_open_to(area, other) for other in part)]
        parts = [part for part in parts if part not in touched]
        parts.append([each for part in touched for each in part] + [area])
    return parts


def _is_open_to(area, other):
    """Whether two areas stand wall to wall and neither is rated enough; a missing rating is
    none.
    """
    if max(each.facts["fire_rating_h"] or 0 for each in (area, other)) >= f.SEPARATION_h:
        return False
    reach_m = PARTITION_m + geometry.TOUCH_m
    return (
        geometry.box_distance_m(geometry.box(area.shape), geometry.box(other.shape)) <= reach_m
        and geometry.gap(area.shape, other.shape).distance_m <= reach_m
    )
