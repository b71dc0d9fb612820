"""Draws a plan as SVG: price, powers, battery and stored energy over 48 hours.

Measured values are solid lines, planned values dashed lines. A phone gets its own narrow picture,
because the text of a wide picture becomes too small there. A gap in a line is an unknown value.
"""

import html
import math
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from controller.console.pages import plan_words as words
from controller.console.pages.plan_words import QUARTER, Plan, Row

INK, FAINT, PALE = "#22272e", "#68717c", "#e3e6ea"
# Okabe and Ito's palette, which colour-blind readers can distinguish
GRID, BATTERY, STORED, PRICE, PV = "#0072b2", "#d55e00", "#009e73", "#aa3377", "#b07d00"
HOURS, GAP_px, LEFT_px, RIGHT_px, HEAD_px, FOOT_px = 48, 12, 46, 8, 20, 34
WIDE_px, PHONE_px = 1100, 380
STEPS = (1, 2, 5, 10)
CUT_px = 18  # half of the width of a text such as "12:00" at the time axis


class Line(NamedTuple):
    """A line of a picture. Each value has the time at which its quarter of an hour begins. name:
    the name in the legend, or "" to leave the line out there.
    """

    name: str
    colour: str
    values: Sequence[tuple[datetime, float | None]]
    is_planned: bool = False


class Axes(NamedTuple):
    """The common time axis."""

    begin: datetime
    end: datetime
    now: datetime
    width_px: int

    def x(self, time: datetime) -> float:
        """Place of a time, px."""
        part = (time - self.begin) / (self.end - self.begin)
        return LEFT_px + part * (self.width_px - LEFT_px - RIGHT_px)


def chart(plan: Plan, width_px: int) -> str:
    """The picture as SVG text. "" if the plan has no row."""
    actual, slots = words.ordered(plan["actual"]), words.ordered(plan["slots"])
    times = [words.time_of(row) for row in (*actual, *slots)]
    if not times:
        return ""
    begin, now = min(times), words.time_of(plan)
    end = min(max(times) + QUARTER, begin + timedelta(hours=HOURS))
    axes = Axes(begin, end, now, width_px)
    shown = [[row for row in rows if words.time_of(row) < end] for rows in (actual, slots)]
    parts, top_px = [], 4
    for title, height_px, lines in _panels(plan, *shown):
        parts.append(_panel(axes, (top_px, height_px), title, lines))
        top_px += HEAD_px + height_px + GAP_px
    size = f"0 0 {width_px} {top_px + FOOT_px - GAP_px}"
    times_shown = _times(axes, (4, top_px - GAP_px))
    return (
        f'<svg viewBox="{size}" role="img" font-size="12" fill="{INK}">'
        f"<title>The plan over {HOURS} hours</title>{times_shown}{''.join(parts)}</svg>"
    )


def _panels(
    plan: Plan, actual: list[Row], slots: list[Row]
) -> list[tuple[str, int, Sequence[Line]]]:
    """(title, height in px, lines) from top to bottom."""
    currency = plan["currency"][: words.CURRENCY_MAX]
    pv = _lines("PV", PV, "pv_W", 1000, actual, slots)
    pv = pv if any(value for line in pv for _, value in line.values) else ()
    return [
        (f"{currency} per kWh", 80, _lines("price", PRICE, "price_per_kWh", 1, actual, slots)),
        (
            "kW",
            190,
            (
                *_lines("load", INK, "load_W", 1000, actual, slots),
                *pv,
                *_lines("grid", GRID, "grid_W", 1000, actual, slots, planned="planned_grid_W"),
                Line("cap", FAINT, _values(slots, "cap_W", 1000), True),
            ),
        ),
        (
            "kW, above 0 discharges",
            110,
            _lines(
                "battery", BATTERY, "battery_W", 1000, actual, slots, planned="planned_battery_W"
            ),
        ),
        ("kWh", 80, _lines("stored", STORED, "stored_Wh", 1000, actual, slots)),
    ]


def _lines(
    name: str,
    colour: str,
    key: str,
    divisor: float,
    actual: list[Row],
    slots: list[Row],
    planned: str = "",
) -> tuple[Line, ...]:
    """The measured line and the planned line. planned: the key under which a measured row has the
    value that was planned for it, or "".
    """
    before = _values(actual, planned, divisor) if planned else []
    ahead = [*before, *_values(slots, key, divisor)]
    return Line(name, colour, _values(actual, key, divisor)), Line("", colour, ahead, True)


def _values(rows: list[Row], key: str, divisor: float) -> list[tuple[datetime, float | None]]:
    values = [(words.time_of(row), row[key]) for row in rows]
    return [(moment, None if value is None else value / divisor) for moment, value in values]


def _panel(axes: Axes, place_px: tuple[int, int], title: str, lines: Sequence[Line]) -> str:
    """One panel with its scale. place_px: top and height."""
    top_px, height_px = place_px[0] + HEAD_px, place_px[1]
    known = [value for line in lines for _, value in line.values if value is not None]
    low, high = min([0.0, *known]), max([0.0, *known])
    high = high if high > low else low + 1.0
    step = _step((high - low) / 4)

    def y(value: float) -> float:
        return top_px + height_px * (high - value) / (high - low)

    scale = range(math.ceil(low / step), math.floor(high / step) + 1)
    right_px = axes.width_px - RIGHT_px
    marks = [
        f'<path d="M{LEFT_px} {y(at * step):.1f}H{right_px}" stroke="{PALE if at else FAINT}"/>'
        f'<text x="{LEFT_px - 5}" y="{y(at * step) + 4:.1f}" text-anchor="end">{at * step:g}</text>'
        for at in scale
    ]
    return "".join([*marks, _legend(title, lines, place_px[0]), _path(axes, y, lines)])


def _legend(title: str, lines: Sequence[Line], top_px: int) -> str:
    """The names of the lines, each in the colour of its line, then the unit."""
    names = "".join(
        f'<tspan fill="{line.colour}" font-weight="600">{line.name}</tspan>  '
        for line in lines
        if line.name
    )
    text = f'{names}<tspan fill="{FAINT}">{html.escape(title)}</tspan>'
    return f'<text x="{LEFT_px}" y="{top_px + 13}" xml:space="preserve">{text}</text>'


def _path(axes: Axes, y: Callable[[float], float], lines: Sequence[Line]) -> str:
    """The lines as steps. An unknown value breaks a line."""
    paths = []
    for line in lines:
        steps, before = list[str](), None
        for moment, value in line.values:
            if value is not None:
                begin = f"M{axes.x(moment):.1f} {y(value):.1f}"
                steps.append(f"V{y(value):.1f}" if before == moment else begin)
                steps.append(f"H{axes.x(moment + QUARTER):.1f}")
            before = None if value is None else moment + QUARTER
        look = (
            'stroke-dasharray="4 3" stroke-width="1.3"' if line.is_planned else 'stroke-width="2"'
        )
        if steps:
            paths.append(f'<path d="{"".join(steps)}" fill="none" stroke="{line.colour}" {look}/>')
    return "".join(paths)


def _times(axes: Axes, span_px: tuple[int, int]) -> str:
    """The time axis: hours, a line at each midnight, and a line for now."""
    every_h = 6 if axes.width_px >= WIDE_px else 12
    top_px, low_px = span_px
    marks, at = list[str](), axes.begin.replace(minute=0)
    while at <= axes.end:
        if at >= axes.begin and at.hour % every_h == 0:
            x_px = f"{axes.x(at):.1f}"
            day = f'<tspan x="{x_px}" dy="14">{at:%a} {at.day}</tspan>' if not at.hour else ""
            marks.append(f'<path d="M{x_px} {top_px}V{low_px}" stroke="{FAINT if day else PALE}"/>')
            text = f'<text x="{x_px}" y="{low_px + 15}" text-anchor="middle">{at:%H:%M}{day}</text>'
            marks += [text] if axes.x(at) < axes.width_px - CUT_px else []
        at += timedelta(hours=1)
    if axes.begin <= axes.now <= axes.end:
        x_px = f"{axes.x(axes.now):.1f}"
        marks.append(
            f'<path d="M{x_px} {top_px}V{low_px}" stroke="#c0272d"/>'
            f'<text x="{axes.x(axes.now) + 4:.1f}" y="{top_px + 10}" fill="#c0272d">now</text>'
        )
    return "".join(marks)


def _step(least: float) -> float:
    """The smallest step of 1, 2 or 5 times a power of ten that is not below `least`."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(factor * power for factor in STEPS if factor * power >= least * 0.999)
