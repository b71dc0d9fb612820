"""Parts of a plan as SVG: colours, the window in pixels, elements, texts and labels."""

import math
from typing import NamedTuple
from xml.sax.saxutils import escape, quoteattr

from controller.siting import geometry
from controller.siting.labels import FONT_px, LINE_px, size

HEAD_px, EDGE_px = 88, 24
# an open lot line beyond the ends that the file says
DRAWN_ON = {"stroke_width": 1, "stroke_dasharray": "8 6"}
BAD, GOOD, INK, PALE, BARRIER = "#c00000", "#004a80", "#222222", "#666666", "#5b2c83"
SCALES_m = (0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000, 20_000, 50_000)
# kind: (fill, line, dashes)
LOOKS = {
    "lot_line": ("none", "#7a4b00", "14 4 2 4"),
    "public_way": ("#ededed", "#5a5a5a", ""),
    "building": ("#d9d4cc", "#4d4d4d", ""),
    "vegetation": ("#dcebd2", "#3f7d20", "2 4"),
    "egress": ("#e3ecf7", "#3050a0", "8 3"),
}
OTHER_LOOK = ("#f3e6d8", "#8a5a2b", "")


class View(NamedTuple):
    """The window in metres, and how it becomes pixels."""

    x_min: float
    y_max: float
    scale_px_per_m: float
    width_px: float
    height_px: float

    def at(self, point):
        """A point of the file in pixels."""
        return (
            (point[0] - self.x_min) * self.scale_px_per_m,
            (self.y_max - point[1]) * self.scale_px_per_m,
        )

    @property
    def window(self):
        """(x_min, y_min, x_max, y_max) in metres."""
        return (
            self.x_min,
            self.y_max - self.height_px / self.scale_px_per_m,
            self.x_min + self.width_px / self.scale_px_per_m,
            self.y_max,
        )


def tag(name, attributes, content=None):
    """An SVG element; underscores of its attributes become hyphens."""
    words = "".join(
        [f" {key.replace('_', '-')}={quoteattr(str(value))}" for key, value in attributes.items()]
    )
    return f"<{name}{words}/>" if content is None else f"<{name}{words}>{content}</{name}>"


def draw_shape(view, shape, **look):
    """A shape as one element."""
    points = [view.at(point) for point in shape.points]
    if len(points) == 1:
        return tag(
            "circle", {"cx": f"{points[0][0]:.1f}", "cy": f"{points[0][1]:.1f}", "r": 5, **look}
        )
    words = " ".join([f"{x:.1f},{y:.1f}" for x, y in points])
    return tag("polygon" if shape.is_closed else "polyline", {"points": words, **look})


def draw_text(lines, x, y, color):
    """Lines of text around a center."""
    top = y - (len(lines) - 1) * LINE_px / 2 + FONT_px * 0.35
    spans = "".join(
        [
            tag("tspan", {"x": f"{x:.1f}", "y": f"{top + index * LINE_px:.1f}"}, escape(line))
            for index, line in enumerate(lines)
        ]
    )
    return tag("text", {"fill": color, "text_anchor": "middle"}, spans)


def draw_label(placer, choices, x, y, color):
    """(leader, label): the first of several choices of lines that has room, on white when it had to
    move away.
    """
    lines, (center_x, center_y) = placer.place(choices, x, y)
    width, height = size(lines)
    if (center_x, center_y) == (x, y):
        return "", draw_text(lines, x, y, color)
    back = tag(
        "rect",
        {
            "x": f"{center_x - width / 2:.1f}",
            "y": f"{center_y - height / 2:.1f}",
            "fill": "white",
            "width": f"{width:.1f}",
            "height": f"{height:.1f}",
            "fill_opacity": "0.85",
        },
    )
    leader = ""
    if math.dist((x, y), (center_x, center_y)) > 2.2 * LINE_px:
        leader = tag(
            "line",
            {
                "x1": f"{x:.1f}",
                "y1": f"{y:.1f}",
                "x2": f"{center_x:.1f}",
                "y2": f"{center_y:.1f}",
                "stroke": color,
                "stroke_width": "0.7",
            },
        )
    return leader, back + draw_text(lines, center_x, center_y, color)


def is_seen(view, shape):
    """Whether any of a shape lies in the window."""
    x_min, y_min, x_max, y_max = view.window
    window = geometry.polygon([(x_min, y_min), (x_max, y_min), (x_max, y_max), (x_min, y_max)])
    return geometry.gap(window, shape).distance_m == 0
