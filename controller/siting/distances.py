"""Chooses the distances that the drawing of a plan shows.

If several rules cover a distance, the rule with the least margin judges it.
"""

from collections.abc import Iterator
from typing import NamedTuple

from controller.siting import audit, geometry, rules
from controller.siting.audit import Finding
from controller.siting.fields import NEAR_m
from controller.siting.geometry import Gap, Point, Shape
from controller.siting.items import Item
from controller.siting.site import Site
from controller.siting.things import Area

# With more units than this, the plan shows only binding distances, because a thousand lines are
# unreadable.
CROWD = 40


class Distance(NamedTuple):
    """A distance. gap: as drawn. rule: the judging rule, or None if no rule covers it.

    is_sure: the clause of the rule is confirmed, so it has no (?).
    """

    rule: rules.Rule | None
    item: Item
    gap: Gap
    is_met: bool = True
    is_sure: bool = True


def shown(findings: list[Finding], site: Site) -> list[Distance]:
    """All distances of a plan, each pair once. Distances that are not met come first."""
    least, names = _least(findings), [unit.name for unit in site.units]
    # With few units the plan shows more than the binding distance of each unit. It also shows the
    # distances that are not met, or met only with a barrier, a wall or a test (rule B19).
    all_judged = [distance for _, distance in _judged(findings)]
    few = all_judged if len(site.units) <= CROWD else []
    # If a pair occurs twice, the later one counts: "not met" replaces "reduced".
    judged = [
        *[distance for distance in few if distance.rule and distance.rule.id == "B19"],
        *[distance for distance in few if not distance.is_met],
        *binding(findings, site),
        *[distance for name, distance in least.items() if name not in names],
    ]
    by_names = {distance.item.names: distance for distance in judged}
    judged = sorted(by_names.values(), key=lambda distance: distance.is_met)
    further = [*_exposures(site, least), *_walls(site, judged), *_neighbours(site)]
    return judged + [distance for distance in further if distance.item.names not in by_names]


def binding(findings: list[Finding], site: Site) -> list[Distance]:
    """The distance with the least margin of each unit, within NEAR_m; each distance once."""
    least = _least(findings)
    nearest = [least[unit.name] for unit in site.units if unit.name in least]
    return list({distance.item.names: distance for distance in nearest}.values())


def _least(findings: list[Finding]) -> dict[str, Distance]:
    """{name of a unit, exposure, area or fence: its judged Distance with the least margin}."""
    margins: dict[str, float] = {}
    nearest: dict[str, Distance] = {}
    for margin, distance in _judged(findings):
        for name in distance.item.names:
            if name not in margins or margin < margins[name]:
                margins[name] = margin
                nearest[name] = distance
    return nearest


def _judged(findings: list[Finding]) -> Iterator[tuple[float, Distance]]:
    """(margin, Distance) of every distance within NEAR_m that a rule judges."""
    for finding in findings:
        if finding.rule.sense == rules.SCOPE:
            continue
        for item in finding.items:
            if item.gap is not None and not item.judged_by and item.gap.distance_m <= NEAR_m:
                margin = audit.margin(finding.rule, item)
                is_met, is_sure = margin >= -geometry.TOUCH_m, audit.is_sure(finding)
                yield margin, Distance(finding.rule, item, item.gap, is_met, is_sure)


def _further(gap: Gap, *names: str) -> Distance:
    return Distance(None, Item(gap.distance_m, names, gap=gap), gap)


def _exposures(site: Site, judged: dict[str, Distance]) -> list[Distance]:
    """The nearest unit, within NEAR_m, of each exposure that no rule covers."""
    return [
        _further(gap, unit.name, exposure.name)
        for unit, exposure, gap in site.nearest_units
        if exposure.name not in judged and gap.distance_m <= NEAR_m
    ]


def _walls(site: Site, judged: list[Distance]) -> list[Distance]:
    """The distance from each wall to the nearest unit.

    A wall at which a judged distance ends is left out.
    """
    distances: list[Distance] = []
    for area in site.areas if len(site.units) <= CROWD else ():
        ends = [distance.gap.end for distance in judged if area.name in distance.item.names]
        units = [unit for unit in site.units if unit.area == area.name]
        for number, wall in enumerate(geometry.edges(area.shape), 1):
            line = geometry.Shape(wall)
            if units and not any(_is_on(end, line) for end in ends):
                gap, name = min((geometry.gap(unit.shape, line), unit.name) for unit in units)
                if _faces(gap, line, area):
                    distances.append(_further(gap, name, area.name, f"wall_{number}"))
    return distances


def _is_on(point: Point, shape: Shape) -> bool:
    return geometry.gap(geometry.Shape((point,)), shape).distance_m <= geometry.TOUCH_m


def _faces(gap: Gap, wall: Shape, area: Area) -> bool:
    """True if a gap ends between the corners of its wall and crosses no other wall.

    A gap longer than NEAR_m does not count.
    """
    if gap.distance_m > NEAR_m or any(
        _is_on(gap.end, geometry.Shape((corner,))) for corner in wall.points
    ):
        return False
    other_edges = [edge for edge in geometry.edges(area.shape) if edge != wall.points]
    return all(
        geometry.segment_gap(gap.start, gap.end, *edge).distance_m > geometry.TOUCH_m
        for edge in other_edges
    )


def _neighbours(site: Site) -> list[Distance]:
    """Pairs of units. A pair is left out if a third unit lies nearer to both of its units."""
    units = site.units if len(site.units) <= CROWD else ()
    gaps = {
        (a.name, b.name): geometry.gap(a.shape, b.shape)
        for index, a in enumerate(units)
        for b in units[index + 1 :]
    }
    apart_m = {pair: gap.distance_m for names, gap in gaps.items() for pair in (names, names[::-1])}
    return [
        _further(gap, a, b)
        for (a, b), gap in gaps.items()
        if geometry.TOUCH_m < gap.distance_m <= NEAR_m
        and not any(
            max(apart_m[a, c.name], apart_m[b, c.name]) < gap.distance_m - geometry.TOUCH_m
            for c in units
            if c.name not in (a, b)
        )
    ]
