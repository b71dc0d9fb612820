"""Names of points in a plot, none upon another: points in one place share a label, the others get
room of their own.
"""

import math
import textwrap

from controller.siting.labels import Placer

NEAR_px, WIDE_characters = 12, 30
UNTORN = "\u00a0"


def write(axes, named, line):
    """Label points of laid-out axes. named: [(x, y, name)]; line: [(x, y)] of a curve; no label
    covers either.
    """
    placer = Placer(axes.bbox.width, axes.bbox.height)
    on_line = [_place_px(axes, *point) for point in line]
    for start, end in zip(on_line, on_line[1:], strict=False):
        placer.take_line(start, end)
    groups = grouped([(*_place_px(axes, x, y), name, (x, y)) for x, y, name in named])
    for (x_px, y_px, _), _ in groups:
        placer.take_line((x_px, y_px), (x_px, y_px))
    for (x_px, y_px, point), found in groups:
        lines, (center_x_px, center_y_px) = placer.place([found], x_px, y_px)
        axes.annotate(
            "\n".join(lines),
            point,
            (center_x_px - x_px, center_y_px - y_px),
            fontsize=7,
            ha="center",
            va="center",
            textcoords="offset pixels",
            arrowprops={
                "arrowstyle": "-",
                "color": "0.5",
                "linewidth": 0.5,
                "shrinkA": 0,
                "shrinkB": 2,
            },
        )


def grouped(placed):
    """[((x_px, y_px, point), lines of names)]: what lies within NEAR_px of the first of a group
    shares its label.

    placed: [(x_px, y_px, name, point)].
    """
    groups = []
    for x_px, y_px, name, point in placed:
        near = next(
            (names for (x, y, _), names in groups if math.dist((x, y), (x_px, y_px)) <= NEAR_px),
            None,
        )
        if near is None:
            groups.append(((x_px, y_px, point), [name]))
        elif name not in near:
            near.append(name)
    return [(place, _folded(names)) for place, names in groups]


def _folded(names):
    """Lines of names, none of them torn."""
    whole = ", ".join([name.replace(" ", UNTORN) for name in names])
    return [line.replace(UNTORN, " ") for line in textwrap.wrap(whole, WIDE_characters)]


def _place_px(axes, x, y):
    across_px, up_px = axes.transData.transform((x, y))
    return float(across_px - axes.bbox.x0), float(up_px - axes.bbox.y0)
