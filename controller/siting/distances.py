"""Which distances a plan shows: what is not met or met only as reduced, what binds each unit, each
exposure and the walls of each area, and what lies beside.

A judged distance has the rule with the least margin; a further one (rule None) is met and binds no
unit.
"""

from typing import NamedTuple

from controller.siting import audit, geometry, rules
from controller.siting.fields import NEAR_m
from controller.siting.items import Item, gap_item

# units; of more only what binds a unit is shown: of a thousand lines none could be followed
CROWD = 40


class Distance(NamedTuple):
    """item: with its gap and names; rule: None where none judged it; is_sure: no (?) at its clause;
    is_met.
    """

    rule: rules.Rule | None
    item: Item
    is_met: bool
    is_sure: bool = True


def shown(findings: list, site) -> list:
    """All distances of a plan, each pair of names once; what is not met is first, so that its label
    has most room.
    """
    least, names = _least(findings), [unit.name for unit in site.units]
    # Of a crowd only what binds. Else also what is met only because of a barrier, a wall or a test
    # (B19); and all that is not met: of two that bind the same unit the lesser shortage is one too.
    judged = [each for _, each in _judged(findings)] if len(site.units) <= CROWD else []
    # the last of a pair stays: what is not met hides that it is reduced
    judged = [
        *[each for each in judged if each.rule.id == "B19"],
        *[each for each in judged if not each.is_met],
        *binding(findings, site),
        *[each for name, each in least.items() if name not in names],
    ]
    by_names = {each.item.names: each for each in judged}
    judged = sorted(by_names.values(), key=lambda each: each.is_met)
    further = [*_exposures(site, least), *_walls(site, judged), *_neighbours(site)]
    return judged + [each for each in further if each.item.names not in by_names]


def binding(findings: list, site) -> list:
    """Of each unit the distance with the least margin within NEAR_m, each once, in the order of the
    units.
    """
    least = _least(findings)
    found = [least[unit.name] for unit in site.units if unit.name in least]
    return list({each.item.names: each for each in found}.values())


def _least(findings):
    """{name of a unit, exposure, area, fence: its judged Distance with the least margin within
    NEAR_m}.
    """
    margins, found = {}, {}
    for margin, distance in _judged(findings):
        for name in distance.item.names:
            if name not in margins or margin < margins[name]:
                margins[name] = margin
                found[name] = distance
    return found


def _judged(findings):
    """(margin, Distance) of every distance within NEAR_m that a rule judges."""
    for finding in findings:
        if finding.rule.sense == rules.SCOPE:
            continue
        for item in finding.items:
            if item.gap is not None and not item.by and item.gap.distance_m <= NEAR_m:
                margin = audit.margin(finding.rule, item)
                is_met, is_sure = margin >= -geometry.TOUCH_m, audit.is_sure(finding)
                yield margin, Distance(finding.rule, item, is_met, is_sure)


def _further(gap, *names):
    return Distance(None, gap_item(names[0], names[1], gap)._replace(names=names), True)


def _exposures(site, judged):
    """Of each exposure that no rule looked at the nearest unit, within NEAR_m."""
    return [
        _further(gap, unit.name, exposure.name)
        for unit, exposure, gap in site.nearest_units
        if exposure.name not in judged and gap.distance_m <= NEAR_m
    ]


def _walls(site, judged):
    """Of each wall at which no judged distance ends the nearest unit that faces it; of CROWD units
    at most.
    """
    found = []
    for area in site.areas if len(site.units) <= CROWD else ():
        ends = [each.item.gap.end for each in judged if area.name in each.item.names]
        units = [unit for unit in site.units if unit.area == area.name]
        for number, wall in enumerate(geometry.edges(area.shape), 1):
            line = geometry.Shape(wall)
            if units and not any([_is_on(end, line) for end in ends]):
                gap, name = min([(geometry.gap(unit.shape, line), unit.name) for unit in units])
                found += (
                    [_further(gap, name, area.name, f"wall_{number}")]
                    if _faces(gap, line, area)
                    else []
                )
    return found


def _is_on(point, shape):
    return geometry.gap(geometry.Shape((point,)), shape).distance_m <= geometry.TOUCH_m


def _faces(gap, wall, area):
    """Whether a gap ends beside the corners of its wall, within NEAR_m, with no other wall of the
    area across it.
    """
    if gap.distance_m > NEAR_m or any(
        [_is_on(gap.end, geometry.Shape((corner,))) for corner in wall.points]
    ):
        return False
    others = [each for each in geometry.edges(area.shape) if each != wall.points]
    return all(
        [
            geometry.segment_gap(gap.start, gap.end, *each).distance_m > geometry.TOUCH_m
            for each in others
        ]
    )


def _neighbours(site):
    """Pairs of units apart with no third one nearer to both than they are to each other; of at most
    CROWD units.
    """
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
            [
                max(apart_m[a, c.name], apart_m[b, c.name]) < gap.distance_m - geometry.TOUCH_m
                for c in units
                if c.name not in (a, b)
            ]
        )
    ]
