"""Parts of a plan as SVG: colours, the window in pixels, shapes, labels and distances."""

import math
from typing import NamedTuple
from xml.sax.saxutils import escape, quoteattr

from controller.siting import audit, geometry, report
from controller.siting.distances import Distance
from controller.siting.labels import FONT_px, LINE_px, Pixel, Placer, size

HEAD_px, EDGE_px = 88, 24
EXTENDED_WIDTH, EXTENDED_DASHES = 1, "8 6"  # the extension of an open lot line
BAD, GOOD, INK, PALE, BARRIER = "#c00000", "#004a80", "#222222", "#666666", "#5b2c83"
SCALES_m = (0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000, 20_000, 50_000)


class Look(NamedTuple):
    """Colours of the inside and the line of an exposure, and the dashes of the line."""

    fill: str
    line: str
    dashes: str = "none"


LOOKS = {
    "lot_line": Look("none", "#7a4b00", "14 4 2 4"),
    "public_way": Look("#ededed", "#5a5a5a"),
    "building": Look("#d9d4cc", "#4d4d4d"),
    "vegetation": Look("#dcebd2", "#3f7d20", "2 4"),
    "egress": Look("#e3ecf7", "#3050a0", "8 3"),
}
OTHER_LOOK = Look("#f3e6d8", "#8a5a2b")


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
    def window(self) -> geometry.Box:
        """The window in metres."""
        return (
            self.x_min,
            self.y_max - self.height_px / self.scale_px_per_m,
            self.x_min + self.width_px / self.scale_px_per_m,
            self.y_max,
        )


def tag(name: str, content: str | None = None, /, **attributes: str | float) -> str:
    """An SVG element. Underscores of its attributes become hyphens."""
    words = "".join(
        [f" {key.replace('_', '-')}={quoteattr(str(value))}" for key, value in attributes.items()]
    )
    return f"<{name}{words}/>" if content is None else f"<{name}{words}>{content}</{name}>"


def line_ends(x1: float, y1: float, x2: float, y2: float) -> dict[str, str]:
    """Attributes of a line."""
    return {"x1": f"{x1:.1f}", "y1": f"{y1:.1f}", "x2": f"{x2:.1f}", "y2": f"{y2:.1f}"}


def draw_shape(view: View, shape: geometry.Shape, **look: str | float) -> str:
    """A shape as one element."""
    points = [view.at(point) for point in shape.points]
    if len(points) == 1:
        x, y = points[0]
        return tag("circle", cx=f"{x:.1f}", cy=f"{y:.1f}", r=5, **look)
    words = " ".join([f"{x:.1f},{y:.1f}" for x, y in points])
    return tag("polygon" if shape.is_closed else "polyline", points=words, **look)


def draw_text(lines: list[str], x: float, y: float, color: str) -> str:
    """Lines of text around a center."""
    top = y - (len(lines) - 1) * LINE_px / 2 + FONT_px * 0.35
    spans = "".join(
        [
            tag("tspan", escape(line), x=f"{x:.1f}", y=f"{top + index * LINE_px:.1f}")
            for index, line in enumerate(lines)
        ]
    )
    return tag("text", spans, fill=color, text_anchor="middle")


def draw_label(
    placer: Placer, choices: list[list[str]], x: float, y: float, color: str
) -> tuple[str, str]:
    """(leader, label) of the first choice of lines that has room. A label that had to move is on
    white.
    """
    lines, (center_x, center_y) = placer.place(choices, x, y)
    width, height = size(lines)
    if (center_x, center_y) == (x, y):
        return "", draw_text(lines, x, y, color)
    back = tag(
        "rect",
        x=f"{center_x - width / 2:.1f}",
        y=f"{center_y - height / 2:.1f}",
        fill="white",
        width=f"{width:.1f}",
        height=f"{height:.1f}",
        fill_opacity="0.85",
    )
    leader = ""
    if math.dist((x, y), (center_x, center_y)) > 2.2 * LINE_px:
        ends = line_ends(x, y, center_x, center_y)
        leader = tag("line", **ends, stroke=color, stroke_width="0.7")
    return leader, back + draw_text(lines, center_x, center_y, color)


def is_seen(view: View, shape: geometry.Shape) -> bool:
    """Whether a part of a shape is in the window."""
    x_min, y_min, x_max, y_max = view.window
    window = geometry.polygon([(x_min, y_min), (x_max, y_min), (x_max, y_max), (x_min, y_max)])
    return geometry.gap(window, shape).distance_m == 0


# -- distances


def distance_line(view: View, distance: Distance) -> str:
    """The line of a distance with a dot at each end."""
    color, (start, end) = _color(distance), _ends(view, distance)
    line = tag("line", **line_ends(*start, *end))
    dots = [tag("circle", cx=f"{x:.1f}", cy=f"{y:.1f}", r=3, fill=color) for x, y in (start, end)]
    return tag(
        "g",
        line + "".join(dots),
        id="distance." + ".".join(distance.item.names),
        stroke=color,
        stroke_width=1 if distance.rule is None else 2 if distance.is_met else 3,
        stroke_dasharray="none" if distance.is_met else "6 4",
    )


def distance_label(placer: Placer, view: View, distance: Distance, lengths: str) -> tuple[str, str]:
    """The label of draw_label, at the middle of a distance. lengths: of geometry.LENGTHS."""
    mark = "" if distance.is_met else "! "
    choices = [[mark + words] for words in _distance_words(distance, lengths)]
    middle = geometry.middle(*_ends(view, distance))
    return draw_label(placer, choices, *middle, _color(distance))


def _ends(view: View, distance: Distance) -> tuple[Pixel, Pixel]:
    return view.at(distance.gap.start), view.at(distance.gap.end)


def _color(distance: Distance) -> str:
    if distance.rule is None:
        return PALE
    return INK if distance.is_met else BAD


def _distance_words(distance: Distance, lengths: str) -> list[str]:
    """Long to short: "1.881 m (B19?: 0.914)", "1.881 m B19?", "1.881 m?". A further distance
    has only "3.462 m".
    """
    apart = report.number(distance.gap.distance_m, "m", lengths)
    if distance.rule is None:
        return [apart]
    doubt = "" if distance.is_sure else "?"
    rule = f"{distance.rule.id}{doubt}"
    limit = report.number(audit.limit_of(distance.rule, distance.item), "m", lengths).split()[0]
    return [f"{apart} ({rule}: {limit})", f"{apart} {rule}", f"{apart}{doubt}"]
