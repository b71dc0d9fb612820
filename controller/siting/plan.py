"""Draws the plan of a site as SVG, to scale. The same site always gives the same bytes.

The id of each thing is its key in the file (`unit.pod_1`). A distance that is not met is red,
dashed, and has an exclamation mark, because colour must not be the only sign.
"""

import math
from collections.abc import Iterator

from controller.documents.drawing import tag
from controller.siting import distances, geometry, lot
from controller.siting.audit import Finding
from controller.siting.distances import Distance
from controller.siting.fields import NEAR_m
from controller.siting.geometry import Edge, Shape
from controller.siting.labels import Pixel, Placer
from controller.siting.live import LiveUnit
from controller.siting.plan_page import page
from controller.siting.plan_parts import (
    BAD,
    BAD_UNIT,
    BARRIER,
    EXTENDED,
    FENCE,
    HOT_UNIT,
    INK,
    INTO_LOT,
    LOOKS,
    OTHER_LOOK,
    UNIT,
    Look,
    View,
    distance_label,
    distance_line,
    draw_label,
    draw_shape,
    is_seen,
)
from controller.siting.site import Site
from controller.siting.things import Area, Exposure, Unit

WIDE_px, HIGH_px, LARGEST_px = 1000.0, 640.0, 4000.0
# On a plan with CROWD units or more, the short side of the smallest unit has at least this length,
# so that its label has room. With fewer units, the least length is in proportion to their number.
# LARGEST_px comes first.
UNIT_px, CROWD = 44, 40
TICK_px = 12  # length of the short line that shows on which side of an open lot line the lot is
NO_VALUES = LiveUnit(("no live values",), False)

Label = tuple[list[str], float, float, str]  # lines, x, y, color
Drawn = Iterator[tuple[str, Label | None]]  # (element, label)


def svg(site: Site, findings: list[Finding]) -> str:
    """The plan as the text of an SVG file."""
    shown = distances.shown(findings, site)
    view = _view(site, shown)
    placer = _placer(site, view, shown)
    bad = _bad_names(site, findings)
    drawn: list[str] = []
    labels: list[Label] = []
    for part in (_exposures, _areas, _fence, _barriers, _units):
        marks = list(part(site, view, bad))
        drawn += [shape for shape, _ in marks]
        # labels of units are placed first
        labels = [label for _, label in marks if label] + labels
    placed = [draw_label(placer, [lines], x, y, color) for lines, x, y, color in labels]
    placed += [distance_label(placer, view, distance, site.lengths) for distance in shown]
    body = [
        tag("clipPath", tag("rect", **view.size_px), id="view"),
        '<g clip-path="url(#view)">',
        *drawn,
        *[distance_line(view, distance) for distance in shown],
        "</g>",
        *[leader for leader, _ in placed if leader],
        *[label for _, label in placed],
    ]
    return page(site, findings, view, body)


def _bad_names(site: Site, findings: list[Finding]) -> set[str]:
    """Names of units and areas that do not meet a rule, or whose group or model does not."""
    named = {name for finding in findings for item in finding.wrong for name in item.names}
    units = {unit.name for unit in site.units if named & {unit.name, unit.group, unit.model_name}}
    areas = {
        area.name
        for name, part in site.areas_of_fire_area.items()
        for area in part
        if named & {name, area.name}
    }
    return units | areas


def _view(site: Site, shown: list[Distance]) -> View:
    points = [point for shape in _core(site) for point in shape.points]
    points += [point for distance in shown for point in (distance.gap.start, distance.gap.end)]
    points += [gap.end for _, _, gap in site.exposure_gaps if gap.distance_m <= NEAR_m]
    x_min, y_min, x_max, y_max = geometry.box(Shape(tuple(points)))
    margin_m = max(1.0, 0.1 * max(x_max - x_min, y_max - y_min))
    wide_m, high_m = x_max - x_min + 2 * margin_m, y_max - y_min + 2 * margin_m
    smallest_m = min(min(unit.model["size_m"]) for unit in site.units)
    unit_px = UNIT_px * min(1, len(site.units) / CROWD)
    scale = min(WIDE_px / wide_m, HIGH_px / high_m)
    scale = max(scale, min(unit_px / smallest_m, LARGEST_px / max(wide_m, high_m)))
    width_px = max(WIDE_px, wide_m * scale)
    middle_m = (x_min + x_max) / 2
    return View(middle_m - width_px / scale / 2, y_max + margin_m, scale, width_px, high_m * scale)


def _placer(site: Site, view: View, shown: list[Distance]) -> Placer:
    """A placer that keeps labels away from the lines of the plan."""
    placer = Placer(view.width_px, view.height_px)
    for shape in _core(site) + [exposure.shape for exposure in site.exposures]:
        for a, b in geometry.edges(shape):
            seen = geometry.clipped((a, b), view.window)
            if seen:
                placer.take_line(*map(view.at, seen))
    for distance in shown:
        placer.take_line(view.at(distance.gap.start), view.at(distance.gap.end))
    return placer


def _core(site: Site) -> list[Shape]:
    """The shapes that the plan shows completely."""
    shapes = [unit.shape for unit in site.units] + [area.shape for area in site.areas]
    shapes += [Shape(barrier.ends) for barrier in site.barriers]
    return shapes + ([geometry.polygon(site.fence["outline_m"])] if site.fence else [])


# -- elements


def _exposures(site: Site, view: View, bad: set[str]) -> Drawn:
    # filled shapes first, lines above them
    for exposure in sorted(site.exposures, key=lambda exposure: not exposure.shape.is_filled):
        if not is_seen(view, exposure.shape):
            continue
        shape, look = exposure.shape, LOOKS.get(exposure.kind, OTHER_LOOK)
        is_open_lot = bool(exposure.facts["inside_m"])
        has_inside = shape.is_filled or len(shape.points) == 1
        drawn = draw_shape(
            view,
            lot.as_in_file(exposure) if is_open_lot else shape,
            look if has_inside else look._replace(fill="none"),
            f"exposure.{exposure.name}",
        )
        rating = exposure.facts["wall_fire_rating_h"]
        more = f"{exposure.kind}, {rating:g} h wall" if rating else exposure.kind
        lines = list(dict.fromkeys([exposure.name, more]))
        yield drawn, (lines, *_seen_middle(view, shape), look.stroke)
        if is_open_lot:
            yield from [(drawing, None) for drawing in _open_lot(view, exposure)]


def _open_lot(view: View, lot_line: Exposure) -> Iterator[str]:
    """The visible extension of an open lot line. At each visible edge, a short line points into the
    lot.
    """
    seen = _seen_edges(view, lot_line.shape)
    for edge in filter(None, (seen[0], seen[-1])):
        yield draw_shape(view, Shape(edge), EXTENDED)
    for edge in filter(None, seen):
        tick = lot.inward(lot_line, *edge, TICK_px / view.scale_px_per_m)
        yield draw_shape(view, Shape(tick), INTO_LOT)


def _seen_edges(view: View, shape: Shape) -> list[Edge | None]:
    """The visible part of each edge, or None."""
    return [geometry.clipped(edge, view.window) for edge in geometry.edges(shape)]


def _seen_middle(view: View, shape: Shape) -> Pixel:
    """Middle of the visible part of a filled shape's box, or of the longest visible edge."""
    if not shape.is_filled:
        edges = filter(None, _seen_edges(view, shape))
        return view.at(geometry.middle(*max(edges, key=lambda pair: math.dist(*pair))))
    x_min, y_min, x_max, y_max = geometry.box(shape)
    x_low, y_low, x_high, y_high = view.window
    start = (max(x_min, x_low), max(y_min, y_low))
    return view.at(geometry.middle(start, (min(x_max, x_high), min(y_max, y_high))))


def _areas(site: Site, view: View, bad: set[str]) -> Drawn:
    for area in site.areas:
        is_bad, rating = area.name in bad, area.facts["fire_rating_h"]
        walls = "walls: no rating given" if rating is None else f"walls {rating:g} h"
        color, dashes = (BAD, "12 5") if is_bad else (INK, "none")
        look = Look("#fbfbf4", color, 6 if rating else 3, dashes)
        # the upper left corner
        x, y = view.at(max(area.shape.points, key=lambda point: point[1] - point[0]))
        label = ([_marked(area, is_bad), walls], x + 90, y + 28, color)
        yield draw_shape(view, area.shape, look, f"area.{area.name}"), label


def _fence(site: Site, view: View, bad: set[str]) -> Drawn:
    if site.fence:
        shape = geometry.outline(geometry.polygon(site.fence["outline_m"]))
        label = (["fence"], *_seen_middle(view, shape), FENCE.stroke)
        yield draw_shape(view, shape, FENCE, "fence"), label


def _barriers(site: Site, view: View, bad: set[str]) -> Drawn:
    for barrier in site.barriers:
        shape, high = Shape(barrier.ends), geometry.short(barrier.height_m, site.lengths)
        text = f"{barrier.name} {barrier.fire_rating_h:g} h, {high} high"
        label = ([text], *_seen_middle(view, shape), BARRIER.stroke)
        yield draw_shape(view, shape, BARRIER, f"barrier.{barrier.name}"), label


def _units(site: Site, view: View, bad: set[str]) -> Drawn:
    for unit in site.units:
        is_bad, corners = unit.name in bad, unit.shape.points
        look = BAD_UNIT if is_bad else UNIT
        lines = [_marked(unit, is_bad), f"{unit.energy_kWh:g} kWh"]
        if site.live:
            live = site.live.units.get(unit.name, NO_VALUES)
            look = HOT_UNIT if live.is_alarm else look
            lines += live.lines
        label = (lines, *view.at(geometry.middle(corners[0], corners[2])), look.stroke)
        yield draw_shape(view, unit.shape, look, f"unit.{unit.name}"), label


def _marked(place: Unit | Area, is_bad: bool) -> str:
    return ("! " if is_bad else "") + place.name
