"""Draws the parts of a plan as SVG: colours, the window in pixels, shapes, labels, distances."""

import math
from typing import NamedTuple
from xml.sax.saxutils import escape

from controller.documents.drawing import tag
from controller.siting import audit, geometry, report
from controller.siting.distances import Distance
from controller.siting.labels import FONT_px, LINE_px, Pixel, Placer, size

HEAD_px, EDGE_px = 88, 24
BAD, GOOD, INK, PALE = "#c00000", "#004a80", "#222222", "#666666"
SCALES_m = (0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000, 20_000, 50_000)


class Look(NamedTuple):
    """Attributes of a shape in SVG. An attribute that is None is left out."""

    fill: str | None
    stroke: str
    stroke_width: float = 2
    stroke_dasharray: str | None = "none"


LOOKS = {
    "lot_line": Look("none", "#7a4b00", 2, "14 4 2 4"),
    "public_way": Look("#ededed", "#5a5a5a"),
    "building": Look("#d9d4cc", "#4d4d4d"),
    "vegetation": Look("#dcebd2", "#3f7d20", 2, "2 4"),
    "egress": Look("#e3ecf7", "#3050a0", 2, "8 3"),
}
OTHER_LOOK = Look("#f3e6d8", "#8a5a2b")
INTO_LOT = Look(None, LOOKS["lot_line"].stroke, 2, None)
EXTENDED = Look("none", LOOKS["lot_line"].stroke, 1, "8 6")  # a lot line beyond the file
UNIT, BAD_UNIT = Look("#dcecf9", GOOD), Look("#fde5e5", BAD, 3, "7 3")
HOT_UNIT = Look("#ffb3a7", BAD, 6)  # in alarm, according to live values
WALL, FENCE = Look("none", INK, 6), Look("none", INK, 1.5, "3 3")
BARRIER = Look(None, "#5b2c83", 6, None)
JUDGED, FURTHER, NOT_MET = Look(None, INK), Look(None, PALE, 1), Look(None, BAD, 3, "6 4")


class View(NamedTuple):
    """The window in metres, and its scale to pixels."""

    x_min: float
    y_max: float
    scale_px_per_m: float
    width_px: float
    height_px: float

    def at(self, point: geometry.Point) -> Pixel:
        """A point of the file in pixels."""
        return (
            (point[0] - self.x_min) * self.scale_px_per_m,
            (self.y_max - point[1]) * self.scale_px_per_m,
        )

    @property
    def size_px(self) -> dict[str, float]:
        """Attributes of a rectangle as large as the window."""
        return {"width": self.width_px, "height": self.height_px}

    @property
    def window(self) -> geometry.Box:
        """The window in metres."""
        return (
            self.x_min,
            self.y_max - self.height_px / self.scale_px_per_m,
            self.x_min + self.width_px / self.scale_px_per_m,
            self.y_max,
        )


def draw_line(start: Pixel, end: Pixel, **look: str | float | None) -> str:
    """A straight line."""
    return tag("line", x1=start[0], y1=start[1], x2=end[0], y2=end[1], **look)


def draw_shape(view: View, shape: geometry.Shape, look: Look, id: str | None = None) -> str:
    """A shape as one element."""
    points = [view.at(point) for point in shape.points]
    if len(points) == 1:
        ((x, y),) = points
        return tag("circle", cx=x, cy=y, r=5, id=id, **look._asdict())
    coordinates = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    name = "polygon" if shape.is_closed else "polyline"
    return tag(name, points=coordinates, id=id, **look._asdict())


def draw_text(lines: list[str], x: float, y: float, color: str) -> str:
    """Lines of text around a center."""
    top = y - (len(lines) - 1) * LINE_px / 2 + FONT_px * 0.35
    spans = [
        tag("tspan", escape(line), x=x, y=top + index * LINE_px) for index, line in enumerate(lines)
    ]
    return tag("text", "".join(spans), fill=color, text_anchor="middle")


def draw_label(
    placer: Placer, choices: list[list[str]], x: float, y: float, color: str
) -> tuple[str, str]:
    """(leader, label) of the first choice that has room.

    A label away from (x, y) gets a white background.
    """
    lines, (center_x, center_y) = placer.place(choices, x, y)
    if (center_x, center_y) == (x, y):
        return "", draw_text(lines, x, y, color)
    width, height = size(lines)
    corner = {"x": center_x - width / 2, "y": center_y - height / 2}
    back = tag("rect", **corner, fill="white", width=width, height=height, fill_opacity="0.85")
    leader = ""
    if math.dist((x, y), (center_x, center_y)) > 2.2 * LINE_px:
        leader = draw_line((x, y), (center_x, center_y), stroke=color, stroke_width=0.7)
    return leader, back + draw_text(lines, center_x, center_y, color)


def is_seen(view: View, shape: geometry.Shape) -> bool:
    """True if a part of a shape is in the window."""
    x_min, y_min, x_max, y_max = view.window
    window = geometry.polygon([(x_min, y_min), (x_max, y_min), (x_max, y_max), (x_min, y_max)])
    return geometry.gap(window, shape).distance_m == 0


# -- distances


def distance_line(view: View, distance: Distance) -> str:
    """The line of a distance with a dot at each end."""
    look, ends = _look(distance), _ends(view, distance)
    dots = [tag("circle", cx=x, cy=y, r=3, fill=look.stroke) for x, y in ends]
    return tag(
        "g",
        "".join([draw_line(*ends), *dots]),
        id="distance." + ".".join(distance.item.names),
        **look._asdict(),
    )


def distance_label(placer: Placer, view: View, distance: Distance, lengths: str) -> tuple[str, str]:
    """The label of a distance at its middle, as draw_label returns it."""
    mark = "" if distance.is_met else "! "
    choices = [[mark + text] for text in _distance_words(distance, lengths)]
    middle = geometry.middle(*_ends(view, distance))
    return draw_label(placer, choices, *middle, _look(distance).stroke)


def _ends(view: View, distance: Distance) -> tuple[Pixel, Pixel]:
    return view.at(distance.gap.start), view.at(distance.gap.end)


def _look(distance: Distance) -> Look:
    if distance.rule is None:
        return FURTHER
    return JUDGED if distance.is_met else NOT_MET


def _distance_words(distance: Distance, lengths: str) -> list[str]:
    """Words from long to short, such as "1.881 m (B19?: 0.914)", "1.881 m B19?", "1.881 m?".

    A distance without a rule is only "3.462 m".
    """
    apart = report.number(distance.gap.distance_m, "m", lengths)
    if distance.rule is None:
        return [apart]
    doubt = "" if distance.is_sure else "?"
    rule = f"{distance.rule.id}{doubt}"
    limit = report.number(audit.limit_of(distance.rule, distance.item), "m", lengths).split()[0]
    return [f"{apart} ({rule}: {limit})", f"{apart} {rule}", f"{apart}{doubt}"]
