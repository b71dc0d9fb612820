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
STEP_FACTORS = (1, 2, 5, 10)
CUT_px = 18  # half of the width of a text such as "12:00" at the time axis


class Line(NamedTuple):
    """A line of a picture. Each value has the time at which its quarter of an hour begins. name:
    its name in the legend, or "" for a line that is not in the legend.
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
        fraction = (time - self.begin) / (self.end - self.begin)
        return LEFT_px + fraction * (self.width_px - LEFT_px - RIGHT_px)


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
        parts.append(_panel(axes, top_px, height_px, title, lines))
        top_px += HEAD_px + height_px + GAP_px
    size = f"0 0 {width_px} {top_px + FOOT_px - GAP_px}"
    time_axis = _times(axes, 4, top_px - GAP_px)
    return (
        f'<svg viewBox="{size}" role="img" font-size="12" fill="{INK}">'
        f"<title>The plan over {HOURS} hours</title>{time_axis}{''.join(parts)}</svg>"
    )


def _panels(
    plan: Plan, actual: list[Row], slots: list[Row]
) -> list[tuple[str, int, Sequence[Line]]]:
    """(title, height in px, lines) of each panel, from top to bottom."""
    currency = plan["currency"][: words.CURRENCY_MAX]
    pv = _lines("PV", PV, "pv_W", 1000, actual, slots)
    has_pv = any(value for line in pv for _, value in line.values)
    return [
        (f"{currency} per kWh", 80, _lines("price", PRICE, "price_per_kWh", 1, actual, slots)),
        (
            "kW",
            190,
            (
                *_lines("load", INK, "load_W", 1000, actual, slots),
                *(pv if has_pv else ()),
                *_lines("grid", GRID, "grid_W", 1000, actual, slots),
                Line("cap", FAINT, _values(slots, "cap_W", 1000), True),
            ),
        ),
        (
            "kW, above 0 discharges",
            110,
            _lines("battery", BATTERY, "battery_W", 1000, actual, slots),
        ),
        ("kWh", 80, _lines("stored", STORED, "stored_Wh", 1000, actual, slots)),
    ]


def _lines(
    name: str, colour: str, key: str, divisor: float, actual: list[Row], slots: list[Row]
) -> tuple[Line, ...]:
    """The measured line and the planned line. A measured row may have a planned value too."""
    planned = _values(actual, f"planned_{key}", divisor) + _values(slots, key, divisor)
    return Line(name, colour, _values(actual, key, divisor)), Line("", colour, planned, True)


def _values(rows: list[Row], key: str, divisor: float) -> list[tuple[datetime, float | None]]:
    values = [(words.time_of(row), row.get(key)) for row in rows]
    return [(moment, None if value is None else value / divisor) for moment, value in values]


def _panel(axes: Axes, top_px: int, height_px: int, title: str, lines: Sequence[Line]) -> str:
    """One panel with its scale. height_px: without the legend."""
    known = [value for line in lines for _, value in line.values if value is not None]
    low, high = min([0.0, *known]), max([0.0, *known])
    high = high if high > low else low + 1.0
    step = _step((high - low) / 4)

    def y(value: float) -> float:
        return top_px + HEAD_px + height_px * (high - value) / (high - low)

    multiples = range(math.ceil(low / step), math.floor(high / step) + 1)
    right_px = axes.width_px - RIGHT_px
    marks = [
        f'<path d="M{LEFT_px} {y(mark):.1f}H{right_px}" stroke="{PALE if mark else FAINT}"/>'
        f'<text x="{LEFT_px - 5}" y="{y(mark) + 4:.1f}" text-anchor="end">{mark:g}</text>'
        for mark in [multiple * step for multiple in multiples]
    ]
    return "".join([*marks, _legend(title, lines, top_px), _path(axes, y, lines)])


def _legend(title: str, lines: Sequence[Line], top_px: int) -> str:
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
        steps, previous_end = list[str](), None
        for moment, value in line.values:
            if value is not None:
                begin = f"M{axes.x(moment):.1f} {y(value):.1f}"
                steps.append(f"V{y(value):.1f}" if previous_end == moment else begin)
                steps.append(f"H{axes.x(moment + QUARTER):.1f}")
            previous_end = None if value is None else moment + QUARTER
        style = (
            'stroke-dasharray="4 3" stroke-width="1.3"' if line.is_planned else 'stroke-width="2"'
        )
        if steps:
            paths.append(f'<path d="{"".join(steps)}" fill="none" stroke="{line.colour}" {style}/>')
    return "".join(paths)


def _times(axes: Axes, top_px: int, bottom_px: int) -> str:
    """The time axis: hours, a line at each midnight, and a line for now."""
    spacing_h = 6 if axes.width_px >= WIDE_px else 12
    marks, time = list[str](), axes.begin.replace(minute=0)
    while time <= axes.end:
        if time >= axes.begin and time.hour % spacing_h == 0:
            x_px = f"{axes.x(time):.1f}"
            day = f'<tspan x="{x_px}" dy="14">{time:%a} {time.day}</tspan>' if not time.hour else ""
            colour, text = FAINT if day else PALE, f"{time:%H:%M}{day}"
            marks.append(f'<path d="M{x_px} {top_px}V{bottom_px}" stroke="{colour}"/>')
            if axes.x(time) < axes.width_px - CUT_px:
                place = f'x="{x_px}" y="{bottom_px + 15}"'
                marks.append(f'<text {place} text-anchor="middle">{text}</text>')
        time += timedelta(hours=1)
    if axes.begin <= axes.now <= axes.end:
        x_px = f"{axes.x(axes.now):.1f}"
        marks.append(
            f'<path d="M{x_px} {top_px}V{bottom_px}" stroke="#c0272d"/>'
            f'<text x="{axes.x(axes.now) + 4:.1f}" y="{top_px + 10}" fill="#c0272d">now</text>'
        )
    return "".join(marks)


def _step(step_min: float) -> float:
    """The smallest step of 1, 2 or 5 times a power of ten that is not below `step_min`."""
    power = 10.0 ** math.floor(math.log10(step_min))
    return next(factor * power for factor in STEP_FACTORS if factor * power >= step_min * 0.999)
