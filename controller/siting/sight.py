"""Finds the part of an exposure that the barriers of a plan shield."""

import functools
import math
from collections.abc import Callable

from controller.siting import geometry as g
from controller.siting.geometry import Edge, Point, Shape, TOUCH_m


def part_within(convex: Shape, edge: Edge, reach_m: float) -> Edge | None:
    """The part of a segment within reach_m of a convex shape, or None."""
    nearest = min(g.segment_gap(*own_edge, *edge) for own_edge in g.edges(convex))
    if nearest.distance_m > reach_m:
        return None
    # Along a segment, the distance to a convex shape first falls to a minimum, then rises.
    start, end = [
        _last(lambda point: _sight(convex, point).distance_m <= reach_m, nearest.end, end)
        for end in edge
    ]
    return start, end


def shielding(convex: Shape, part: Edge, barriers: dict[str, Edge], beyond_m: float) -> list[str]:
    """Names of barriers that together shield a complete segment; [] if a part is not shielded.

    A barrier counts if it passes beside the convex shape and is longer by beyond_m at both ends. A
    point is shielded if it is on the far side and the barrier cuts its shortest line of sight. A
    barrier shields one piece of the segment; the next barrier must begin where this piece ends.
    """
    able = {name: ends for name, ends in barriers.items() if _is_along(convex, ends, beyond_m)}
    names: list[str] = []
    start, end = part
    while start != end or not names:
        lasts = {
            name: _last(functools.partial(_is_behind, convex, ends), start, end)
            for name, ends in able.items()
            if name not in names and _is_behind(convex, ends, start)
        }
        if not lasts:
            return []
        names.append(max(lasts, key=lambda name: math.dist(start, lasts[name])))
        start = lasts[names[-1]]
    return names


def _last(holds: Callable[[Point], bool], start: Point, end: Point) -> Point:
    """The last point from start to end at which `holds` is true. `holds` must change only once."""
    if holds(end):
        return end
    low, high = 0.0, 1.0
    for _ in range(g.HALVINGS):
        share = (low + high) / 2
        low, high = (share, high) if holds(g.between(start, end, share)) else (low, share)
    return g.between(start, end, low)


def _sight(convex: Shape, point: Point) -> g.Gap:
    """The shortest line from a point to the edge of a convex shape."""
    return min(g.point_gap(point, a, b) for a, b in g.edges(convex))


def _sides(convex: Shape, barrier: Edge) -> list[float]:
    """Distance of each corner to the line of a barrier, m; > 0 left of the line, < 0 right."""
    length_m = math.dist(*barrier)
    return [g.side(*barrier, corner) / length_m for corner in convex.points]


def _is_along(convex: Shape, barrier: Edge, beyond_m: float) -> bool:
    """True if a barrier passes beside a convex shape and is longer by beyond_m at both ends."""
    (x1, y1), (x2, y2) = barrier
    length_m, sides = math.dist(*barrier), _sides(convex, barrier)
    if min(sides) < -TOUCH_m and max(sides) > TOUCH_m:
        return False
    along = [((x - x1) * (x2 - x1) + (y - y1) * (y2 - y1)) / length_m for x, y in convex.points]
    return min(along) >= beyond_m - TOUCH_m and max(along) <= length_m - beyond_m + TOUCH_m


def _is_behind(convex: Shape, barrier: Edge, point: Point) -> bool:
    """True if a point is on the far side of a barrier that cuts its shortest line of sight."""
    sides, sight = _sides(convex, barrier), _sight(convex, point)
    facing = 1 if max(sides) > -min(sides) else -1
    if g.side(*barrier, point) * facing > TOUCH_m * math.dist(*barrier):
        return False
    return g.segment_gap(*barrier, sight.start, sight.end).distance_m <= TOUCH_m
