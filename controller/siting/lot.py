"""Handles the lot line: extends it, finds its inner side, and checks its keys in the file."""

import math

from controller.forms.refusal import refuse
from controller.siting import geometry as g, ground
from controller.siting.geometry import Point, Shape
from controller.siting.things import Exposure, Table

# length by which an open line is extended at both ends: longer than any coordinate in a file
BEYOND_m = 1_000_000
CLOSED = "outline_m with the whole lot"
SIDE = f"a point inside the lot, or {CLOSED}"


def check(path: str, name: str, table: Table) -> None:
    """Refuse a lot line without a clear inside, and `inside_m` of any other exposure."""
    where, inside_m = ("exposure", name), table["inside_m"]
    is_lot_line = table["kind"] == "lot_line"
    if is_lot_line and table["point_m"] is not None:
        refuse(path, (*where, "point_m"), "is not a line", f"line_m with inside_m, or {CLOSED}")
    if not is_lot_line or table["line_m"] is None:
        if inside_m is not None:
            allowed = 'a lot line (kind = "lot_line") with line_m'
            refuse(path, (*where, "inside_m"), "is not set here", allowed)
        return
    if inside_m is None:
        refuse(path, (*where, "inside_m"), "is missing", SIDE)
    line = extended(g.Shape(table["line_m"]))
    if _meets_itself(line):
        problem = "meets itself when both ends are extended straight"
        refuse(path, (*where, "line_m"), problem, CLOSED)
    if g.gap(line, g.Shape((inside_m,))).distance_m <= g.TOUCH_m:
        problem = "lies on the lot line, or on its straight extension"
        refuse(path, (*where, "inside_m"), problem, SIDE)


def holds(lot_line: Exposure, rectangle: Shape) -> bool:
    """True if a complete rectangle is on the inner side of a lot line."""
    if lot_line.shape.is_closed:
        return ground.is_within(rectangle, lot_line.shape)
    smaller = ground.shrunk(rectangle)
    return g.gap(smaller, lot_line.shape).distance_m > 0 and _is_same_side(
        lot_line.shape, lot_line.facts["inside_m"], smaller.points[0]
    )


def inward(lot_line: Exposure, start: Point, end: Point, reach_m: float) -> g.Edge:
    """(middle of a part of an open lot line, the point reach_m from there inside the lot)."""
    (x1, y1), (x2, y2) = start, end
    length_m, middle = math.dist(start, end) or 1.0, g.middle(start, end)
    across = (-(y2 - y1) / length_m, (x2 - x1) / length_m)
    left, right = [
        (middle[0] + step * across[0], middle[1] + step * across[1]) for step in (reach_m, -reach_m)
    ]
    return middle, left if _is_same_side(
        lot_line.shape, lot_line.facts["inside_m"], left
    ) else right


def extended(line: Shape) -> Shape:
    """An open line with both ends extended by BEYOND_m, because the lot continues there."""
    first, last = _beyond(*line.points[1::-1]), _beyond(*line.points[-2:])
    return line._replace(points=(first, *line.points, last))


def as_in_file(lot_line: Exposure) -> Shape:
    """The part of an open lot line that is in the file."""
    return lot_line.shape._replace(points=lot_line.shape.points[1:-1])


def _beyond(start: Point, end: Point) -> Point:
    length_m = math.dist(start, end)
    x, y = [b + BEYOND_m * (b - a) / length_m for a, b in zip(start, end, strict=True)]
    return x, y


def _meets_itself(line: Shape) -> bool:
    """True if two edges of an open line meet that are not neighbours."""
    edges = g.edges(line)
    return any(
        g.segment_gap(*edge, *later_edge).distance_m <= g.TOUCH_m
        for index, edge in enumerate(edges)
        for later_edge in edges[index + 2 :]
    )


def _is_same_side(line: Shape, start: Point, end: Point) -> bool:
    """True if a segment crosses the line an even number of times. Neither end may be on the line.

    A corner of the line on the segment counts as left of it. Otherwise the corner would count once
    for each of its two edges.
    """
    crossed = [
        (a, b)
        for a, b in g.edges(line)
        if (g.side(start, end, a) > 0) != (g.side(start, end, b) > 0)
        and (g.side(a, b, start) > 0) != (g.side(a, b, end) > 0)
    ]
    return len(crossed) % 2 == 0
