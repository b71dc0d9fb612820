"""Barriers of a plan: which part of a line of sight they shield."""

import functools
import math

from controller.siting.geometry import HALVINGS, TOUCH_m, edges, point_gap, segment_gap, side


def part_within(convex, edge: tuple, reach_m: float) -> list | None:
    """The part of a segment within reach_m of a convex shape as two points, None where there is
    none.
    """
    nearest = min([segment_gap(*own, *edge) for own in edges(convex)])
    if nearest.distance_m > reach_m:
        return None
    # Along a segment the distance to a convex shape falls to the nearest point and rises from there
    # on.
    return [
        _last(lambda point: _sight(convex, point).distance_m <= reach_m, nearest.end, end)
        for end in edge
    ]


def shielding(convex, part: list, barriers: dict, beyond_m: float) -> list:
    """Names of the barriers {name: (point, point)} behind which all of a segment lies; [] where any
    of it is bare.

    A barrier counts if it passes beside the convex shape, beyond_m longer at both ends. What lies
    behind it is on its far side, its shortest sight line cut by it: of a segment one piece, so what
    is left begins where that ends.
    """
    able = {name: ends for name, ends in barriers.items() if _is_along(convex, ends, beyond_m)}
    found, (start, end) = [], part
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


def _last(is_so, start, end):
    """The last point from start to end of which something is so that is so up to one point and not
    beyond it.
    """
    if is_so(end):
        return end
    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        share = (low + high) / 2
        low, high = (share, high) if is_so(_along(start, end, share)) else (low, share)
    return _along(start, end, low)


def _along(start, end, share):
    return start[0] + share * (end[0] - start[0]), start[1] + share * (end[1] - start[1])


def _sight(convex, point):
    """The shortest line from a point to the edge of a convex shape."""
    return min([point_gap(point, a, b) for a, b in edges(convex)])


def _sides(convex, barrier):
    """How far each corner is left of the line of a barrier, in metres; < 0 right of it."""
    length_m = math.dist(*barrier)
    return [side(*barrier, corner) / length_m for corner in convex.points]


def _is_along(convex, barrier, beyond_m):
    """Whether a barrier passes beside a convex shape, beyond_m longer at both ends."""
    (x1, y1), (x2, y2) = barrier
    length_m, sides = math.dist(*barrier), _sides(convex, barrier)
    if min(sides) < -TOUCH_m and max(sides) > TOUCH_m:
        return False
    along = [((x - x1) * (x2 - x1) + (y - y1) * (y2 - y1)) / length_m for x, y in convex.points]
    return min(along) >= beyond_m - TOUCH_m and max(along) <= length_m - beyond_m + TOUCH_m


def _is_behind(convex, barrier, point):
    """Whether a point lies on the far side of a barrier that passes beside, its shortest sight line
    cut.
    """
    sides, sight = _sides(convex, barrier), _sight(convex, point)
    facing = 1 if max(sides) > -min(sides) else -1
    if side(*barrier, point) * facing > TOUCH_m * math.dist(*barrier):
        return False
    return segment_gap(*barrier, sight.start, sight.end).distance_m <= TOUCH_m
