"""Draws the page around the plan of a site: head, scale, legend, signs."""

import textwrap
from xml.sax.saxutils import escape

from controller.documents.drawing import tag
from controller.siting import audit, geometry, report
from controller.siting.audit import Finding
from controller.siting.labels import CHARACTER_px, FONT_px
from controller.siting.plan_parts import (
    BAD,
    BARRIER,
    EXTENDED,
    FENCE,
    FURTHER,
    HOT_UNIT,
    INK,
    INTO_LOT,
    JUDGED,
    LOOKS,
    NOT_MET,
    OTHER_LOOK,
    PALE,
    UNIT,
    WALL,
    EDGE_px,
    HEAD_px,
    Look,
    SCALES_m,
    View,
    draw_line,
    is_seen,
)
from controller.siting.site import Site

STYLE = {"font_family": "DejaVu Sans Mono, Consolas, monospace", "font_size": str(FONT_px)}


def page(site: Site, findings: list[Finding], view: View, body: list[str]) -> str:
    """The drawing with head, scale and signs around it, as an SVG file."""
    legend, legend_px = _legend(site, findings, view)
    width = view.width_px + 2 * EDGE_px
    height = view.height_px + HEAD_px + legend_px + EDGE_px
    frame = tag("rect", **view.size_px, fill="none", stroke=PALE)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
            f'viewBox="0 0 {width:.0f} {height:.0f}">',
            tag("title", escape(f"Plan of {site.facts['name']}")),
            '<rect width="100%" height="100%" fill="white"/>',
            tag("g", _head(site, findings) + _north(site, width), **STYLE),
            _moved(HEAD_px, "\n".join([*body, frame])),
            _moved(HEAD_px + view.height_px, legend),
            "</svg>",
            "",
        ]
    )


def _moved(down_px: float, content: str) -> str:
    """A part of the page, within its edge and down_px from the top."""
    down = f"{down_px:.1f}" if isinstance(down_px, float) else down_px
    return tag("g", content, transform=f"translate({EDGE_px} {down})", **STYLE)


def _head(site: Site, findings: list[Finding]) -> str:
    local = "".join(f", {profile}" for profile in site.local)
    mode = f"{site.mode} {site.place}".strip()
    second = f"{site.edition}{local}; {mode}; {site.total_kWh:g} kWh in {len(site.units)} units"
    rules = f"rules: {report.headline(findings)}"
    color = BAD if audit.of(findings, audit.NOT_MET) else INK
    edge, name = EDGE_px, escape(site.facts["name"])
    return (
        tag("text", name, x=edge, y=30, font_size=20, fill=INK)
        + tag("text", escape(second), x=edge, y=52, fill=INK)
        + tag("text", rules, x=edge, y=70, fill=color)
    )


def _north(site: Site, width: float) -> str:
    arrow = tag("path", d="M0 -24 L8 14 L0 7 L-8 14 Z", fill=INK)
    letter = tag("text", "N", y=-27, text_anchor="middle", fill=INK)
    turn = f"rotate({site.facts['north_deg'] or 0:g})"
    turned = tag("g", arrow + letter, transform=turn)
    return tag("g", turned, id="north", transform=f"translate({width - 50:.0f} 42)")


def _scale_bar(view: View, lengths: str) -> tuple[str, float]:
    """(element, its width in px)."""
    bar_m = max(
        [length_m for length_m in SCALES_m if length_m * view.scale_px_per_m <= 220],
        default=SCALES_m[0],
    )
    bar_px = bar_m * view.scale_px_per_m
    path = f"M0 22 V32 H{bar_px:.1f} V22 M{bar_px / 2:.1f} 27 V32"
    bar = tag("path", d=path, fill="none", stroke=INK, stroke_width=2)
    label = geometry.short(bar_m, lengths)
    return bar + tag("text", label, x=bar_px + 8, y=32, fill=INK), bar_px


def _legend(site: Site, findings: list[Finding], view: View) -> tuple[str, float]:
    """(elements, height) of the part under the plan: scale bar, signs, rules not met, notes."""
    bar, bar_px = _scale_bar(view, site.lengths)
    signs, bottom = _signs(site, bar_px + 90, view.width_px)
    lines = list(site.live.lines) if site.live else []
    lines += report.open_lines(findings)
    beyond = [exposure for exposure in site.exposures if not is_seen(view, exposure.shape)]
    names = ", ".join(f"{exposure.name} ({exposure.kind})" for exposure in beyond)
    lines += [*site.placeholder_lines, *([f"beyond the plan: {names}"] if beyond else [])]
    lines.append(
        "Not a drawing for construction. AHJ, adopted edition, UL 9540 listing and the hazard "
        "mitigation analysis override it."
    )
    characters = int(view.width_px / CHARACTER_px)
    lines = [part for line in lines for part in textwrap.wrap(line, characters)]
    texts = [
        tag("text", escape(line), x=0, y=bottom + 34 + index * 18, fill=INK)
        for index, line in enumerate(lines)
    ]
    scale = tag("g", bar, id="scale")
    return scale + signs + "".join(texts), bottom + 40 + len(lines) * 18


def _signs(site: Site, left: float, right: float) -> tuple[str, int]:
    """(elements, lowest y) of the signs: the meaning of each kind of line on this plan."""
    x, y, drawn = left, 28, []
    for label, look in _sign_rows(site):
        if x + 36 + CHARACTER_px * len(label) > right:
            x, y = left, y + 20
        line = look._replace(fill=None, stroke_dasharray=look.stroke_dasharray or "none")
        drawn.append(draw_line((x, y), (x + 30, y), **line._asdict()))
        drawn.append(tag("text", label, x=x + 36, y=y + 4, fill=look.stroke))
        x += 58 + CHARACTER_px * len(label)
    return tag("g", "".join(drawn), id="legend"), y


def _sign_rows(site: Site) -> list[tuple[str, Look]]:
    """The words for each kind of line in this plan."""
    kinds = {exposure.kind for exposure in site.exposures}
    is_open_lot = any(exposure.facts["inside_m"] for exposure in site.exposures)
    rows: list[tuple[str, Look, object]] = [  # words, line, whether the plan has it
        ("unit", UNIT, True),
        ("distance (rule, ? unconfirmed: required)", JUDGED, True),
        ("further distance", FURTHER, True),
        ("! not met", NOT_MET, True),
        ("unit in alarm", HOT_UNIT, site.live),
        ("wall", WALL, site.areas),
        ("barrier", BARRIER, site.barriers),
        ("fence", FENCE, site.fence),
        ("tick: into the lot", INTO_LOT, is_open_lot),
        ("lot line extended", EXTENDED, is_open_lot),
        *[(kind, look, kind in kinds) for kind, look in LOOKS.items()],
        ("other exposure", OTHER_LOOK, kinds - set(LOOKS)),
    ]
    return [(label, look) for label, look, is_drawn in rows if is_drawn]
