"""Barriers of a plan: the part of an exposure that they shield."""

import functools
import math
from collections.abc import Callable

from controller.siting import geometry


def part_within(
    convex: geometry.Shape, edge: geometry.Edge, reach_m: float
) -> geometry.Edge | None:
    """The part of a segment within reach_m of a convex shape, or None."""
    nearest = min([geometry.segment_gap(*own, *edge) for own in geometry.edges(convex)])
    if nearest.distance_m > reach_m:
        return None
    # Along a segment the distance to a convex shape falls to the nearest point and rises after it.
    start, end = [
        _last(lambda point: _sight(convex, point).distance_m <= reach_m, nearest.end, end)
        for end in edge
    ]
    return start, end


def shielding(
    convex: geometry.Shape, part: geometry.Edge, barriers: dict[str, geometry.Edge], beyond_m: float
) -> list[str]:
    """Names of barriers that together shield a whole segment; [] if a part of it is not shielded.

    A barrier counts if it passes beside the convex shape and is beyond_m longer at both ends. A
    point is shielded if it is on the far side and the barrier cuts its shortest sight line. One
    barrier shields one piece of a segment, so the rest begins at the end of that piece.
    """
    able = {name: ends for name, ends in barriers.items() if _is_along(convex, ends, beyond_m)}
    found: list[str] = []
    start, end = part
    while start != end or not found:
        lasts = {
            name: _last(functools.partial(_is_behind, convex, ends), start, end)
            for name, ends in able.items()
            if name not in found and _is_behind(convex, ends, start)
        }
        if not lasts:
            return []
        found.append(max(lasts, key=lambda name: math.dist(start, lasts[name])))
        start = lasts[found[-1]]
    return found


def _last(
    holds: Callable[[geometry.Point], bool], start: geometry.Point, end: geometry.Point
) -> geometry.Point:
    """The last point from start to end for which a condition holds, which stops holding once."""
    if holds(end):
        return end
    low, high = 0.0, 1.0
    for _ in range(geometry.HALVINGS):
        share = (low + high) / 2
        low, high = (share, high) if holds(geometry.between(start, end, share)) else (low, share)
    return geometry.between(start, end, low)


def _sight(convex: geometry.Shape, point: geometry.Point) -> geometry.Gap:
    """The shortest line from a point to the edge of a convex shape."""
    return min([geometry.point_gap(point, a, b) for a, b in geometry.edges(convex)])


def _sides(convex: geometry.Shape, barrier: geometry.Edge) -> list[float]:
    """Distance of each corner to the line of a barrier, m; > 0 left of the line, < 0 right."""
    length_m = math.dist(*barrier)
    return [geometry.side(*barrier, corner) / length_m for corner in convex.points]


def _is_along(convex: geometry.Shape, barrier: geometry.Edge, beyond_m: float) -> bool:
    """Whether a barrier passes beside a convex shape and is beyond_m longer at both ends."""
    (x1, y1), (x2, y2) = barrier
    length_m, sides = math.dist(*barrier), _sides(convex, barrier)
    if min(sides) < -geometry.TOUCH_m and max(sides) > geometry.TOUCH_m:
        return False
    along = [((x - x1) * (x2 - x1) + (y - y1) * (y2 - y1)) / length_m for x, y in convex.points]
    return (
        min(along) >= beyond_m - geometry.TOUCH_m
        and max(along) <= length_m - beyond_m + geometry.TOUCH_m
    )


def _is_behind(convex: geometry.Shape, barrier: geometry.Edge, point: geometry.Point) -> bool:
    """Whether a point is on the far side of a barrier that cuts its shortest sight line."""
    sides, sight = _sides(convex, barrier), _sight(convex, point)
    facing = 1 if max(sides) > -min(sides) else -1
    if geometry.side(*barrier, point) * facing > geometry.TOUCH_m * math.dist(*barrier):
        return False
    return geometry.segment_gap(*barrier, sight.start, sight.end).distance_m <= geometry.TOUCH_m
