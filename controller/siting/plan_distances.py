"""Distances of a plan as SVG: a line between two shapes and its label."""

from controller.siting import audit, report
from controller.siting.plan_parts import BAD, INK, PALE, draw_label, tag


def _distance(view, distance):
    """The line of a distance."""
    item, color = distance.item, _color(distance)
    (x1, y1), (x2, y2) = view.at(item.gap.start), view.at(item.gap.end)
    line = tag("line", {"x1": f"{x1:.1f}", "y1": f"{y1:.1f}", "x2": f"{x2:.1f}", "y2": f"{y2:.1f}"})
    ends = "".join(
        [
            tag("circle", {"cx": f"{x:.1f}", "cy": f"{y:.1f}", "r": 3, "fill": color})
            for x, y in ((x1, y1), (x2, y2))
        ]
    )
    look = {
        "id": "distance." + ".".join(item.names),
        "stroke": color,
        "stroke_width": _width(distance),
        "stroke_dasharray": "none" if distance.is_met else "6 4",
    }
    return tag("g", look, line + ends)


def _color(distance):
    if distance.rule is None:
        return PALE
    return INK if distance.is_met else BAD


def _width(distance):
    if distance.rule is None:
        return 1
    return 2 if distance.is_met else 3


def _distance_words(distance):
    """From long to short: "1.881 m (B19?: 0.914)", "1.881 m B19?", "1.881 m?"; of a further
    distance "3.462 m" only.
    """
    apart = report.number(distance.item.gap.distance_m, "m")
    if distance.rule is None:
        return [apart]
    doubt = "" if distance.is_sure else "?"
    rule = f"{distance.rule.id}{doubt}"
    limit = report.number(audit.limit_of(distance.rule, distance.item), "m").removesuffix(" m")
    return [f"{apart} ({rule}: {limit})", f"{apart} {rule}", f"{apart}{doubt}"]


def _distance_label(placer, view, distance):
    """As _label, at the middle of a distance."""
    item = distance.item
    (x1, y1), (x2, y2) = view.at(item.gap.start), view.at(item.gap.end)
    mark = "" if distance.is_met else "! "
    choices = [[mark + words] for words in _distance_words(distance)]
    return draw_label(placer, choices, (x1 + x2) / 2, (y1 + y2) / 2, _color(distance))
