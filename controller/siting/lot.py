"""The lot: how far its line goes, on which side of it a unit is, and the keys that decide both."""

import math

from controller.config.refusal import refuse
from controller.siting import geometry, ground

# how far the ends of an open line are drawn on: past every coordinate a file may say
BEYOND_m = 1_000_000
CLOSED = "outline_m with the whole lot"
SIDE = f"a point inside the lot, or {CLOSED}"


def check(path: str, name: str, table: dict) -> None:
    """Refuse a lot line without a clear inside, and the inside point of anything else."""
    where, inside_m = ("exposure", name), table["inside_m"]
    is_lot_line = table["kind"] == "lot_line"
    if is_lot_line and table["point_m"] is not None:
        refuse(path, (*where, "point_m"), "is no line", f"line_m with inside_m, or {CLOSED}")
    if not is_lot_line or table["line_m"] is None:
        if inside_m is not None:
            allowed = 'a lot line (kind = "lot_line") with line_m'
            refuse(path, (*where, "inside_m"), "is not set here", allowed)
        return
    if inside_m is None:
        refuse(path, (*where, "inside_m"), "is missing", SIDE)
    line = drawn_on(geometry.Shape(table["line_m"]))
    if _meets_itself(line):
        problem = "meets itself when its ends are drawn on straight"
        refuse(path, (*where, "line_m"), problem, CLOSED)
    if geometry.gap(line, geometry.Shape((inside_m,))).distance_m <= geometry.TOUCH_m:
        problem = "lies on the lot line, or straight beyond its end"
        refuse(path, (*where, "inside_m"), problem, SIDE)


def holds(lot_line, rectangle) -> bool:
    """Whether a rectangle lies wholly on the lot's side of a lot line."""
    if lot_line.shape.is_closed:
        return ground.is_within(rectangle, lot_line.shape)
    smaller = ground.shrunk(rectangle)
    return geometry.gap(smaller, lot_line.shape).distance_m > 0 and _is_same_side(
        lot_line.shape, lot_line.facts["inside_m"], smaller.points[0]
    )


def inward(lot_line, start: tuple, end: tuple, reach_m: float) -> tuple:
    """(middle of a part of an open lot line, the point reach_m from it square into the lot)."""
    (x1, y1), (x2, y2) = start, end
    length_m, middle = math.dist(start, end) or 1.0, geometry.middle(start, end)
    across = (-(y2 - y1) / length_m, (x2 - x1) / length_m)
    left, right = [
        (middle[0] + step * across[0], middle[1] + step * across[1]) for step in (reach_m, -reach_m)
    ]
    return middle, left if _is_same_side(
        lot_line.shape, lot_line.facts["inside_m"], left
    ) else right


def drawn_on(line):
    """An open line with its first and last segment drawn on straight: two sides everywhere, one
    distance to all of it.

    Its points are those of the line with one BEYOND_m past either end. A lot does not stop where
    its drawing does: what tells the sides and what measures the distance have to mean the same
    line.
    """
    first, last = _beyond(*line.points[1::-1]), _beyond(*line.points[-2:])
    return line._replace(points=(first, *line.points, last))


def as_drawn(lot_line):
    """The part of an open lot line that is in the file."""
    return lot_line.shape._replace(points=lot_line.shape.points[1:-1])


def _beyond(start, end):
    length_m = math.dist(start, end)
    return tuple([b + BEYOND_m * (b - a) / length_m for a, b in zip(start, end, strict=True)])


def _meets_itself(line):
    """Whether edges of an open line meet that do not follow each other."""
    edges = geometry.edges(line)
    return any(
        [
            geometry.segment_gap(*one, *other).distance_m <= geometry.TOUCH_m
            for index, one in enumerate(edges)
            for other in edges[index + 2 :]
        ]
    )


def _is_same_side(line, start, end):
    """Whether a step between two points that are not on the line crosses it an even number of
    times.

    A corner of the line on the step counts with the left side, so that it counts once for the two
    edges that share it.
    """
    crossed = [
        (a, b)
        for a, b in geometry.edges(line)
        if (geometry.side(start, end, a) > 0) != (geometry.side(start, end, b) > 0)
        and (geometry.side(a, b, start) > 0) != (geometry.side(a, b, end) > 0)
    ]
    return len(crossed) % 2 == 0
