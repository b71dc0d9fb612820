"""The plan of a site as SVG: to scale, the same bytes for the same site. Metres become pixels, y
turned down.

Every unit, area, exposure and barrier is an element with an id like its key in the file
(`unit.pod_1`); what lies beyond the view is named under the plan. Distances (`distance.a.b`) are
those of distances.py. What is not met is red, dashed, and marked with an exclamation mark, so
colour is never the only sign.
"""

import math
import textwrap
from typing import NamedTuple
from xml.sax.saxutils import escape, quoteattr

from controller.siting import audit, distances, geometry, lot, report
from controller.siting.fields import NEAR_m
from controller.siting.labels import CHARACTER_px, FONT_px, LINE_px, Placer, size

WIDE_px, HIGH_px, LARGEST_px = 1000, 640, 4000
# short side of the smallest of CROWD units and more, so that its label has room; fewer: less
UNIT_px, CROWD = 44, 40
HEAD_px, EDGE_px = 88, 24
TICK_px = 12  # from an open lot line into its lot
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


def svg(site, findings):
    """The plan as the text of an SVG file."""
    found = distances.shown(findings, site)
    view = _view(site, found)
    placer = _placer(site, view, found)
    bad = _bad_names(site, findings)
    drawn, labels = [], []
    for part in (_exposures, _areas, _fence, _barriers, _units):
        shapes, texts = part(site, view, bad)
        drawn += shapes
        labels = texts + labels  # those of units are placed first
    placed = [_label(placer, [lines], *place) for lines, *place in labels]
    placed += [_distance_label(placer, view, each) for each in found]
    body = [
        f'<clipPath id="view"><rect width="{view.width_px:.1f}" '
        f'height="{view.height_px:.1f}"/></clipPath>',
        '<g clip-path="url(#view)">',
        *drawn,
        *[_distance(view, each) for each in found],
        "</g>",
        *[leader for leader, _ in placed if leader],
        *[label for _, label in placed],
    ]
    return _page(site, findings, view, body)


def _bad_names(site, findings):
    """Names of units, groups and areas in something that is not met; of a group and a model its
    units.
    """
    named = {name for finding in findings for item in finding.wrong for name in item.names}
    units = {unit.name for unit in site.units if named & {unit.name, unit.group, unit.model_name}}
    areas = {
        area.name
        for name, part in site.areas_of_fire_area.items()
        for area in part
        if named & {name, area.name}
    }
    return units | areas


def _view(site, found):
    points = [point for shape in _core(site) for point in shape.points]
    points += [point for each in found for point in (each.item.gap.start, each.item.gap.end)]
    points += [gap.end for _, _, gap in site.exposure_gaps if gap.distance_m <= NEAR_m]
    x_min, y_min, x_max, y_max = geometry.box(geometry.Shape(tuple(points)))
    margin_m = max(1.0, 0.1 * max(x_max - x_min, y_max - y_min))
    wide_m, high_m = x_max - x_min + 2 * margin_m, y_max - y_min + 2 * margin_m
    smallest_m = min([min(unit.model["size_m"]) for unit in site.units])
    unit_px = UNIT_px * min(1, len(site.units) / CROWD)
    scale = min(WIDE_px / wide_m, HIGH_px / high_m)
    scale = max(scale, min(unit_px / smallest_m, LARGEST_px / max(wide_m, high_m)))
    width_px = max(WIDE_px, wide_m * scale)
    middle_m = (x_min + x_max) / 2
    return View(middle_m - width_px / scale / 2, y_max + margin_m, scale, width_px, high_m * scale)


def _placer(site, view, found):
    """No label lies on a line of the plan."""
    placer = Placer(view.width_px, view.height_px)
    for shape in _core(site) + [exposure.shape for exposure in site.exposures]:
        for a, b in geometry.edges(shape):
            seen = geometry.clipped((a, b), view.window)
            if seen:
                placer.take_line(*map(view.at, seen))
    for each in found:
        placer.take_line(view.at(each.item.gap.start), view.at(each.item.gap.end))
    return placer


def _core(site):
    """What has to be seen whole."""
    shapes = [unit.shape for unit in site.units] + [area.shape for area in site.areas]
    shapes += [geometry.Shape(barrier.ends) for barrier in site.barriers]
    return shapes + ([geometry.polygon(site.fence["outline_m"])] if site.fence else [])


# -- elements


def _tag(name, attributes, content=None):
    words = "".join(
        [f" {key.replace('_', '-')}={quoteattr(str(value))}" for key, value in attributes.items()]
    )
    return f"<{name}{words}/>" if content is None else f"<{name}{words}>{content}</{name}>"


def _drawn(view, shape, **look):
    """A shape as one element."""
    points = [view.at(point) for point in shape.points]
    if len(points) == 1:
        return _tag(
            "circle", {"cx": f"{points[0][0]:.1f}", "cy": f"{points[0][1]:.1f}", "r": 5, **look}
        )
    words = " ".join([f"{x:.1f},{y:.1f}" for x, y in points])
    return _tag("polygon" if shape.is_closed else "polyline", {"points": words, **look})


def _text(lines, x, y, color):
    """Lines of text around a center."""
    top = y - (len(lines) - 1) * LINE_px / 2 + FONT_px * 0.35
    spans = "".join(
        [
            _tag("tspan", {"x": f"{x:.1f}", "y": f"{top + index * LINE_px:.1f}"}, escape(line))
            for index, line in enumerate(lines)
        ]
    )
    return _tag("text", {"fill": color, "text_anchor": "middle"}, spans)


def _label(placer, choices, x, y, color):
    """(leader, label): the first of several choices of lines that has room, on white when it had to
    move away.
    """
    lines, (center_x, center_y) = placer.place(choices, x, y)
    width, height = size(lines)
    if (center_x, center_y) == (x, y):
        return "", _text(lines, x, y, color)
    back = _tag(
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
        leader = _tag(
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
    return leader, back + _text(lines, center_x, center_y, color)


def _is_seen(view, shape):
    x_min, y_min, x_max, y_max = view.window
    window = geometry.polygon([(x_min, y_min), (x_max, y_min), (x_max, y_max), (x_min, y_max)])
    return geometry.gap(window, shape).distance_m == 0


def _exposures(site, view, bad):
    shapes, texts = [], []
    # lines above what is filled
    for exposure in sorted(site.exposures, key=lambda each: not each.shape.is_filled):
        if not _is_seen(view, exposure.shape):
            continue
        fill, line, dashes = LOOKS.get(exposure.kind, OTHER_LOOK)
        fill = fill if exposure.shape.is_filled or len(exposure.shape.points) == 1 else "none"
        is_open_lot = bool(exposure.facts["inside_m"])
        said = lot.as_said(exposure) if is_open_lot else exposure.shape
        shapes.append(
            _drawn(
                view,
                said,
                id=f"exposure.{exposure.name}",
                fill=fill,
                stroke=line,
                stroke_width=2,
                stroke_dasharray=dashes or "none",
            )
        )
        shapes += (
            [*_drawn_on(view, exposure, line), *_lot_ticks(view, exposure, line)]
            if is_open_lot
            else []
        )
        rating = exposure.facts["wall_fire_rating_h"]
        more = f"{exposure.kind}, {rating:g} h wall" if rating else exposure.kind
        texts.append(
            (
                [exposure.name] if exposure.name == more else [exposure.name, more],
                *_seen_middle(view, exposure.shape),
                line,
            )
        )
    return shapes, texts


def _drawn_on(view, lot_line, color):
    """What is seen of an open lot line beyond the ends that the file says: thinner, for distances
    may end there.
    """
    seen = [geometry.clipped(edge, view.window) for edge in lot.beyond_said(lot_line)]
    return [
        _drawn(view, geometry.Shape(each), fill="none", stroke=color, **DRAWN_ON)
        for each in seen
        if each
    ]


def _lot_ticks(view, lot_line, color):
    """A short tick into the lot from the middle of each seen edge of an open lot line."""
    seen = [geometry.clipped(edge, view.window) for edge in geometry.edges(lot_line.shape)]
    ends = [lot.inward(lot_line, *each, TICK_px / view.scale_px_per_m) for each in seen if each]
    return [_drawn(view, geometry.Shape(each), stroke=color, stroke_width=2) for each in ends]


def _seen_middle(view, shape):
    """A point for a label: the middle of the seen part of a filled shape's box, or of the longest
    seen edge.
    """
    window = view.window
    if shape.is_filled:
        low_x, low_y, high_x, high_y = geometry.box(shape)
        start = (max(low_x, window[0]), max(low_y, window[1]))
        end = (min(high_x, window[2]), min(high_y, window[3]))
    else:
        seen = [
            each
            for each in [geometry.clipped(edge, window) for edge in geometry.edges(shape)]
            if each
        ]
        start, end = max(seen, key=lambda pair: math.dist(*pair))
    return view.at(((start[0] + end[0]) / 2, (start[1] + end[1]) / 2))


def _areas(site, view, bad):
    shapes, texts = [], []
    for area in site.areas:
        is_bad = area.name in bad
        rating = area.facts["fire_rating_h"]
        words = "walls: rating not said" if rating is None else f"walls {rating:g} h"
        shapes.append(
            _drawn(
                view,
                area.shape,
                id=f"area.{area.name}",
                fill="#fbfbf4",
                stroke=BAD if is_bad else INK,
                stroke_width=6 if rating else 3,
                stroke_dasharray="12 5" if is_bad else "none",
            )
        )
        # the upper left corner
        x, y = view.at(max(area.shape.points, key=lambda point: point[1] - point[0]))
        texts.append(
            ([("! " if is_bad else "") + area.name, words], x + 90, y + 28, BAD if is_bad else INK)
        )
    return shapes, texts


def _fence(site, view, bad):
    if not site.fence:
        return [], []
    shape = geometry.outline(geometry.polygon(site.fence["outline_m"]))
    return (
        [
            _drawn(
                view,
                shape,
                id="fence",
                fill="none",
                stroke=INK,
                stroke_width=1.5,
                stroke_dasharray="3 3",
            )
        ],
        [(["fence"], *_seen_middle(view, shape), INK)],
    )


def _barriers(site, view, bad):
    shapes, texts = [], []
    for barrier in site.barriers:
        shape = geometry.Shape(barrier.ends)
        shapes.append(
            _drawn(view, shape, id=f"barrier.{barrier.name}", stroke=BARRIER, stroke_width=6)
        )
        texts.append(
            (
                [f"{barrier.name} {barrier.fire_rating_h:g} h, {barrier.height_m:g} m high"],
                *_seen_middle(view, shape),
                BARRIER,
            )
        )
    return shapes, texts


def _units(site, view, bad):
    shapes, texts = [], []
    for unit in site.units:
        is_bad = unit.name in bad
        shapes.append(
            _drawn(
                view,
                unit.shape,
                id=f"unit.{unit.name}",
                fill="#fde5e5" if is_bad else "#dcecf9",
                stroke=BAD if is_bad else GOOD,
                stroke_width=3 if is_bad else 2,
                stroke_dasharray="7 3" if is_bad else "none",
            )
        )
        texts.append((_unit_lines(unit, is_bad), *_middle(view, unit), BAD if is_bad else GOOD))
    return shapes, texts


def _unit_lines(unit, is_bad):
    return [("! " if is_bad else "") + unit.name, f"{unit.energy_kWh:g} kWh"]


def _middle(view, unit):
    corners = unit.shape.points
    return view.at(((corners[0][0] + corners[2][0]) / 2, (corners[0][1] + corners[2][1]) / 2))


def _distance(view, distance):
    """The line of a distance."""
    item, color = distance.item, _color(distance)
    (x1, y1), (x2, y2) = view.at(item.gap.start), view.at(item.gap.end)
    line = _tag(
        "line", {"x1": f"{x1:.1f}", "y1": f"{y1:.1f}", "x2": f"{x2:.1f}", "y2": f"{y2:.1f}"}
    )
    ends = "".join(
        [
            _tag("circle", {"cx": f"{x:.1f}", "cy": f"{y:.1f}", "r": 3, "fill": color})
            for x, y in ((x1, y1), (x2, y2))
        ]
    )
    look = {
        "id": "distance." + ".".join(item.names),
        "stroke": color,
        "stroke_width": _width(distance),
        "stroke_dasharray": "none" if distance.is_met else "6 4",
    }
    return _tag("g", look, line + ends)


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
    return _label(placer, choices, (x1 + x2) / 2, (y1 + y2) / 2, _color(distance))


# -- the page around the plan


def _page(site, findings, view, body):
    legend = _legend(site, findings, view)
    width, height = view.width_px + 2 * EDGE_px, view.height_px + HEAD_px + legend[1] + EDGE_px
    style = {"font_family": "DejaVu Sans Mono, Consolas, monospace", "font_size": FONT_px}
    frame = _tag(
        "rect",
        {
            "width": f"{view.width_px:.1f}",
            "height": f"{view.height_px:.1f}",
            "fill": "none",
            "stroke": PALE,
        },
    )
    plan = _tag(
        "g", {"transform": f"translate({EDGE_px} {HEAD_px})", **style}, "\n".join([*body, frame])
    )
    foot = _tag(
        "g",
        {"transform": f"translate({EDGE_px} {HEAD_px + view.height_px:.1f})", **style},
        legend[0],
    )
    head = _tag("g", style, _head(site, findings) + _north(site, width))
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
            f'viewBox="0 0 {width:.0f} '
            f'{height:.0f}">',
            _tag("title", {}, escape(f"Plan of {site.facts['name']}")),
            '<rect width="100%" height="100%" fill="white"/>',
            head,
            plan,
            foot,
            "</svg>",
            "",
        ]
    )


def _head(site, findings):
    title = _tag(
        "text", {"x": EDGE_px, "y": 30, "font_size": 20, "fill": INK}, escape(site.facts["name"])
    )
    local = "".join([f", {each}" for each in site.local])
    mode = f"{site.mode} {site.place}".strip()
    second = f"{site.edition}{local}; {mode}; {site.total_kWh:g} kWh in {len(site.units)} units"
    is_bad = any([each.verdict == audit.NOT_MET for each in findings])
    return (
        title
        + _tag("text", {"x": EDGE_px, "y": 52, "fill": INK}, escape(second))
        + _tag(
            "text",
            {"x": EDGE_px, "y": 70, "fill": BAD if is_bad else INK},
            f"rules: {report.headline(findings)}",
        )
    )


def _north(site, width):
    arrow = _tag("path", {"d": "M0 -24 L8 14 L0 7 L-8 14 Z", "fill": INK})
    turned = _tag(
        "g",
        {"transform": f"rotate({site.facts['north_deg'] or 0:g})"},
        arrow + _tag("text", {"y": -27, "text_anchor": "middle", "fill": INK}, "N"),
    )
    return _tag("g", {"id": "north", "transform": f"translate({width - 50:.0f} 42)"}, turned)


def _legend(site, findings, view):
    """(elements, height) under the plan: scale bar, signs, what is not met, what lies beyond, what
    is not claimed.
    """
    bar_m = max(
        [each for each in SCALES_m if each * view.scale_px_per_m <= 220], default=SCALES_m[0]
    )
    bar_px = bar_m * view.scale_px_per_m
    bar = _tag(
        "path",
        {
            "d": f"M0 22 V32 H{bar_px:.1f} V22 M{bar_px / 2:.1f} 27 V32",
            "fill": "none",
            "stroke": INK,
            "stroke_width": 2,
        },
    )
    bar += _tag("text", {"x": f"{bar_px + 8:.1f}", "y": 32, "fill": INK}, f"{bar_m:g} m")
    signs, bottom = _signs(site, bar_px + 90, view.width_px)
    lines = [
        f"{verdict}: {' '.join([each.rule.id for each in findings if each.verdict == verdict])}"
        for verdict in (audit.NOT_MET, audit.NEEDS_FACT)
        if any([each.verdict == verdict for each in findings])
    ]
    lines += site.placeholder_lines + _beyond(site, view)
    lines.append(
        "Not a drawing for construction. AHJ, adopted edition, UL 9540 listing and the "
        "hazard mitigation "
        "analysis override it."
    )
    characters = int(view.width_px / CHARACTER_px)
    lines = [part for line in lines for part in textwrap.wrap(line, characters)]
    texts = "".join(
        [
            _tag("text", {"x": 0, "y": bottom + 34 + index * 18, "fill": INK}, escape(line))
            for index, line in enumerate(lines)
        ]
    )
    return _tag("g", {"id": "scale"}, bar) + signs + texts, bottom + 40 + len(lines) * 18


def _signs(site, left, right):
    """(what the lines mean, the lowest y): as many signs as the site has things."""
    kinds = [exposure.kind for exposure in site.exposures]
    signs = [
        ("unit", GOOD, 2, "none"),
        ("distance (rule, ? unconfirmed: required)", INK, 2, "none"),
        ("further distance", PALE, 1, "none"),
        ("! not met", BAD, 3, "6 4"),
    ]
    signs += [("wall", INK, 6, "none")] if site.areas else []
    signs += [("barrier", BARRIER, 6, "none")] if site.barriers else []
    signs += [("fence", INK, 1.5, "3 3")] if site.fence else []
    signs += (
        _open_lot_signs()
        if any([exposure.facts["inside_m"] for exposure in site.exposures])
        else []
    )
    signs += [
        (kind, LOOKS[kind][1], 2, LOOKS[kind][2] or "none") for kind in LOOKS if kind in kinds
    ]
    signs += [("other exposure", OTHER_LOOK[1], 2, "none")] if set(kinds) - set(LOOKS) else []
    x, y, parts = left, 28, []
    for words, color, width, dashes in signs:
        if x + 36 + CHARACTER_px * len(words) > right:
            x, y = left, y + 20
        parts.append(
            _tag(
                "line",
                {
                    "x1": f"{x:.1f}",
                    "y1": y,
                    "x2": f"{x + 30:.1f}",
                    "y2": y,
                    "stroke": color,
                    "stroke_width": width,
                    "stroke_dasharray": dashes,
                },
            )
        )
        parts.append(_tag("text", {"x": f"{x + 36:.1f}", "y": y + 4, "fill": color}, words))
        x += 58 + CHARACTER_px * len(words)
    return _tag("g", {"id": "legend"}, "".join(parts)), y


def _open_lot_signs():
    color = LOOKS["lot_line"][1]
    return [
        ("tick: into the lot", color, 2, "none"),
        ("lot line drawn on", color, DRAWN_ON["stroke_width"], DRAWN_ON["stroke_dasharray"]),
    ]


def _beyond(site, view):
    """One line for what is too far away to be drawn."""
    words = [
        f"{each.name} ({each.kind})" for each in site.exposures if not _is_seen(view, each.shape)
    ]
    return [f"beyond the plan: {', '.join(words)}"] if words else []
