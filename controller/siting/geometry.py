"""Computes distances, containment and clipping of shapes in a plane.

A point is (x, y) in metres; y points up the plan. A distance is exact except for float rounding,
which is far below TOUCH_m.
"""

import math
from collections.abc import Iterable
from typing import NamedTuple

# Shapes within this distance touch. It is larger than the rounding of decimal input, and far below
# the precision of a tape measure.
TOUCH_m = 1e-6

LENGTHS = {"m": 1.0, "ft": 0.3048}  # units of report and plan, in metres

ROUNDING_m = 1e-9  # error of a computed point with coordinates within 100 km

# Number of bisections of a segment. They find a point to a nanometre even on the longest segment,
# which is the extended end of an open lot line.
HALVINGS = 52

Point = tuple[float, float]
Edge = tuple[Point, Point]
Box = tuple[float, float, float, float]  # x_min, y_min, x_max, y_max


def short(value_m: float, lengths: str, digits: int | None = None) -> str:
    """A length with its unit. digits: decimals; None: as few as possible."""
    value = value_m / LENGTHS[lengths]
    if digits is not None:
        return f"{value:.{digits}f} {lengths}"
    return f"{value if lengths == 'm' else round(value, 1):g} {lengths}"


class Shape(NamedTuple):
    """A point, a line or a polygon.

    points: one (a point), two or more (a line), three or more if is_closed. is_filled: the inside
    belongs to the shape.
    """

    points: tuple[Point, ...]
    is_closed: bool = False
    is_filled: bool = False


class Gap(NamedTuple):
    """The distance of two shapes, from a point of the first to a point of the second."""

    distance_m: float
    start: Point
    end: Point


def polygon(points: Iterable[Point]) -> Shape:
    """A filled polygon."""
    return Shape(tuple(points), True, True)


def rectangle(center_m: Point, size_m: Point, rotation_deg: float) -> Shape:
    """A filled rectangle, turned counter-clockwise about its center."""
    turned = math.radians(rotation_deg)
    cos, sin = math.cos(turned), math.sin(turned)
    half_x, half_y = size_m[0] / 2, size_m[1] / 2
    corners = ((-half_x, -half_y), (half_x, -half_y), (half_x, half_y), (-half_x, half_y))
    return polygon(
        [(center_m[0] + x * cos - y * sin, center_m[1] + x * sin + y * cos) for x, y in corners]
    )


def outline(shape: Shape) -> Shape:
    """The shape without its inside."""
    return shape._replace(is_filled=False)


def edges(shape: Shape) -> list[Edge]:
    """The segments of a shape as (point, point). A point has one segment of length 0."""
    points = shape.points
    if len(points) == 1:
        return [(points[0], points[0])]
    ends = points[1:] + points[:1] if shape.is_closed else points[1:]
    return list(zip(points, ends))


def box(shape: Shape) -> Box:
    """The smallest box around a shape."""
    xs, ys = zip(*shape.points, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def box_distance_m(first: Box, second: Box) -> float:
    """Distance of two boxes, which is at most the distance of the shapes in them."""
    return math.hypot(
        max(0.0, first[0] - second[2], second[0] - first[2]),
        max(0.0, first[1] - second[3], second[1] - first[3]),
    )


def gap(first: Shape, second: Shape) -> Gap:
    """The Gap of two shapes.

    It is 0 if they touch or overlap, or if a filled shape contains the other one.
    """
    for outer, inner in ((first, second), (second, first)):
        if outer.is_filled and contains(outer, inner.points[0]):
            return Gap(0.0, inner.points[0], inner.points[0])
    gaps = _edge_gaps(edges(first), edges(second))
    least_m = min(gaps).distance_m
    # Several gaps may be the shortest. Take the one farthest from a corner, so that it is drawn in
    # the middle between parallel walls.
    return max(
        [gap for gap in gaps if gap.distance_m <= least_m + ROUNDING_m],
        key=lambda gap: min(
            [math.dist(gap.start, corner) for corner in first.points]
            + [math.dist(gap.end, corner) for corner in second.points]
        ),
    )


def _edge_gaps(first_edges: list[Edge], second_edges: list[Edge]) -> list[Gap]:
    """Gaps between the edges of two shapes, in order, without those that cannot be shortest."""
    many, few = (
        (first_edges, second_edges)
        if len(first_edges) > len(second_edges)
        else (second_edges, first_edges)
    )
    around = box(Shape(tuple(point for edge in few for point in edge)))
    gaps: dict[tuple[int, int], Gap] = {}
    least_m = math.inf
    for apart_m, index in sorted(
        (box_distance_m(around, edge_box(edge)), index) for index, edge in enumerate(many)
    ):
        if apart_m > least_m + TOUCH_m:
            break
        for few_index in range(len(few)):
            first, second = (index, few_index) if many is first_edges else (few_index, index)
            gaps[first, second] = segment_gap(*first_edges[first], *second_edges[second])
            least_m = min(least_m, gaps[first, second].distance_m)
    return [gaps[pair] for pair in sorted(gaps)]


def edge_box(edge: Edge) -> Box:
    """The smallest box around an edge."""
    (x1, y1), (x2, y2) = edge
    return min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)


def segment_gap(a: Point, b: Point, c: Point, d: Point) -> Gap:
    """Gap of the segments a-b and c-d. If they are parallel, it is in the middle of both."""
    if crosses(a, b, c, d):
        before, after = side(c, d, a), side(c, d, b)
        crossing = between(a, b, before / (before - after))
        return Gap(0.0, crossing, crossing)
    gaps = [point_gap(a, c, d), point_gap(b, c, d)]
    gaps += [
        Gap(gap.distance_m, gap.end, gap.start) for gap in (point_gap(c, a, b), point_gap(d, a, b))
    ]
    least = min(gaps)
    facing = [gap for gap in gaps if _is_shift(least, gap)]
    low, high = min(facing, key=lambda gap: gap.start), max(facing, key=lambda gap: gap.start)
    return Gap(least.distance_m, middle(low.start, high.start), middle(low.end, high.end))


def _is_shift(first: Gap, second: Gap) -> bool:
    """Whether two gaps have the same length and direction."""
    return (
        math.dist(
            (second.end[0] - second.start[0], second.end[1] - second.start[1]),
            (first.end[0] - first.start[0], first.end[1] - first.start[1]),
        )
        <= ROUNDING_m
    )


def middle(a: Point, b: Point) -> Point:
    """The point in the middle between two points."""
    return (a[0] + b[0]) / 2, (a[1] + b[1]) / 2


def between(a: Point, b: Point, share: float) -> Point:
    """The point at a fraction `share` (0 to 1) of the way from a to b."""
    return a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1])


def point_gap(point: Point, a: Point, b: Point) -> Gap:
    """Gap of a point and the segment a-b."""
    along_x, along_y = b[0] - a[0], b[1] - a[1]
    square = along_x * along_x + along_y * along_y
    share = (
        0.0 if square == 0 else ((point[0] - a[0]) * along_x + (point[1] - a[1]) * along_y) / square
    )
    nearest = between(a, b, min(1.0, max(0.0, share)))
    return Gap(math.dist(point, nearest), point, nearest)


def side(a: Point, b: Point, point: Point) -> float:
    """Twice the area of the triangle: > 0 if the point is left of the line a-b, < 0 if right."""
    return (b[0] - a[0]) * (point[1] - a[1]) - (b[1] - a[1]) * (point[0] - a[0])


def crosses(a: Point, b: Point, c: Point, d: Point) -> bool:
    """True if the segments a-b and c-d cross inside both, not at an end. Their gap is then 0."""
    return (
        side(a, b, c) * side(a, b, d) < 0
        and side(c, d, a) * side(c, d, b) < 0
        # if they are far apart on one straight line, the signs of `side` are only rounding errors
        and box_distance_m(edge_box((a, b)), edge_box((c, d))) == 0
    )


def contains(shape: Shape, point: Point) -> bool:
    """True if a point is inside a closed shape. The edge counts as inside."""
    if box_distance_m(box(shape), (*point, *point)) > TOUCH_m:
        return False
    if min(point_gap(point, a, b).distance_m for a, b in edges(shape)) <= TOUCH_m:
        return True
    is_inside = False
    for (x1, y1), (x2, y2) in edges(shape):
        if (y1 > point[1]) != (y2 > point[1]) and point[0] < x1 + (point[1] - y1) * (x2 - x1) / (
            y2 - y1
        ):
            is_inside = not is_inside
    return is_inside


def clipped(edge: Edge, window: Box) -> Edge | None:
    """The part of a segment inside a window, or None."""
    (x1, y1), (x2, y2) = edge
    first, last = 0.0, 1.0
    for start, along, low, high in (
        (x1, x2 - x1, window[0], window[2]),
        (y1, y2 - y1, window[1], window[3]),
    ):
        if along == 0:
            if not low <= start <= high:
                return None
            continue
        enter, leave = sorted(((low - start) / along, (high - start) / along))
        first, last = max(first, enter), min(last, leave)
    return (between(*edge, first), between(*edge, last)) if first <= last else None
