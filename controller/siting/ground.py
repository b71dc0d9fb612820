"""Checks outlines on the ground: overlap, containment, and faults of an outline."""

import math
from collections.abc import Iterator

from controller.siting import geometry as g
from controller.siting.geometry import Point, Shape, TOUCH_m


def shrunk(rectangle: Shape) -> Shape:
    """A rectangle made smaller, so that it no longer meets shapes that it only touches."""
    corners = rectangle.points
    return rectangle._replace(
        points=tuple(
            _inward(corner, corners[index - 1], corners[(index + 1) % 4])
            for index, corner in enumerate(corners)
        )
    )


def _inward(corner: Point, *neighbours: Point) -> Point:
    """A corner moved in along both its sides, by the same distance even in a thin rectangle."""
    steps = [4 * TOUCH_m / math.dist(corner, neighbour) for neighbour in neighbours]
    x, y = [
        corner[axis]
        + math.fsum(
            step * (neighbour[axis] - corner[axis])
            for step, neighbour in zip(steps, neighbours, strict=True)
        )
        for axis in (0, 1)
    ]
    return x, y


def overlaps(rectangle: Shape, shape: Shape) -> bool:
    """True if a rectangle and a filled shape overlap, and do not only touch."""
    if g.box_distance_m(g.box(rectangle), g.box(shape)) > 0:
        return False
    return g.gap(shrunk(rectangle), shape).distance_m == 0


def share_ground(first: Shape, second: Shape) -> bool:
    """True if two polygons share more than an edge or a corner."""
    if g.box_distance_m(g.box(first), g.box(second)) > 0:
        return False
    if any(
        g.crosses(*edge, *other_edge) for edge in g.edges(first) for other_edge in g.edges(second)
    ):
        return True
    return any(
        [_is_inside(second, point) for point in _probes(first)]
        + [_is_inside(first, point) for point in _probes(second)]
    )


def _probes(polygon: Shape) -> Iterator[Point]:
    """Corners of a polygon, and points just inside its edges.

    A shape that covers a part of the polygon contains one of them.
    """
    for a, b in g.edges(polygon):
        length_m = math.dist(a, b)
        x, y = g.middle(a, b)
        along = (4 * TOUCH_m / length_m * (b[0] - a[0]), 4 * TOUCH_m / length_m * (b[1] - a[1]))
        yield a
        yield from [
            point
            for point in ((x - along[1], y + along[0]), (x + along[1], y - along[0]))
            if _is_inside(polygon, point)
        ]


def _is_inside(polygon: Shape, point: Point) -> bool:
    """True if a point is inside, and not on the edge."""
    return (
        g.contains(polygon, point)
        and g.gap(g.outline(polygon), Shape((point,))).distance_m > TOUCH_m
    )


def is_within(rectangle: Shape, closed: Shape) -> bool:
    """True if a rectangle is completely inside a closed shape; it may touch the edge."""
    smaller = shrunk(rectangle)
    return (
        g.contains(closed, smaller.points[0]) and g.gap(smaller, g.outline(closed)).distance_m > 0
    )


def fault_of_outline(points: tuple[Point, ...]) -> str:
    """The fault of a polygon in words, or ""."""
    if len(points) < 3:
        return f"has {len(points)} points"
    shape = g.polygon(points)
    sides = g.edges(shape)
    for a, b in sides:
        if math.dist(a, b) <= TOUCH_m:
            return (
                f"has the point {_words(a)} twice in a row (do not repeat the first point at the "
                "end)"
            )
    boxes = [g.edge_box(side) for side in sides]
    for index, (a, b) in enumerate(sides):
        for later, (c, d) in enumerate(sides[index + 1 :], index + 1):
            if g.box_distance_m(boxes[index], boxes[later]) <= TOUCH_m and _meet_wrongly(
                a, b, c, d
            ):
                return (
                    f"crosses or touches itself: {_words(a)} to {_words(b)} and {_words(c)} to "
                    f"{_words(d)}"
                )
    return ""


def _meet_wrongly(a: Point, b: Point, c: Point, d: Point) -> bool:
    """True if two edges of an outline meet, except neighbours at their common end."""
    if b == c or d == a:
        shared, first, second = (b, a, d) if b == c else (a, b, c)
        return (
            min(g.point_gap(first, shared, second), g.point_gap(second, shared, first)).distance_m
            <= TOUCH_m
        )
    return g.segment_gap(a, b, c, d).distance_m <= TOUCH_m


def _words(point: Point) -> str:
    return f"[{point[0]:g}, {point[1]:g}]"
