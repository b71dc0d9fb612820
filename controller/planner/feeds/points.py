"""Points: the values of any feed in one form, and their means over quarters of an hour.

A value holds until the next value. If a row is missing, the value before it holds only for the
shorter of the neighbouring steps. So a hole stays unknown, and is never zero.
"""

import math
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Any, NamedTuple

from controller.series import money, powers, table, times
from controller.series.meaning import BEGIN, Asked, taken
from controller.series.refusal import SeriesError, shown
from controller.series.units import AIR, POWER, PRICE, SUN, Quantity, Unit
from controller.system.utc import elapsed_s

QUARTER_S = 900
KNOWN_PART = 0.5  # if less of a quarter of an hour is known, its mean is unknown
ROWS_MAX = 100_000  # a year of quarters of an hour has 35 136
_GRAMS = ["g/kWh", "gCO2/kWh", "gCO2eq/kWh", "g_per_kWh", "gCO2_per_kWh", "kg/MWh", "kg_per_MWh"]
CARBON = Quantity("carbon", "g/kWh", 0.0, 5000.0, dict.fromkeys(_GRAMS, Unit("g/kWh", 1.0)))
POWERS = dict.fromkeys(("load", "pv", "jobs"), POWER)
HOURS = Quantity("hours of a warning", "h", 0.0, 168.0, {"h": Unit("h", 1.0)})
_OTHERS = {"prices": PRICE, "weather": SUN, "air": AIR, "carbon": CARBON, "warnings": HOURS}
QUANTITIES = POWERS | _OTHERS
WARNED = "allowed are hours up to 168, 0 to withdraw it, or an end after the begin"
NO_END = "9999"  # year of an end that many services write for none
NO_ORDER = math.inf, -math.inf  # warnings may have their times in any order
# WRONG_MAX: lines about wrong warnings. UNKNOWN_H: length of a warning whose end is unknown.
WARNINGS_MAX, WRONG_MAX, UNKNOWN_H, EVER_S, HOUR_S = 1000, 5, 24.0, 1e11, 3600.0
ABOVE_ZERO = ("pv", "weather")  # an instrument reads a little below 0 at night
Reading = tuple[str, str, str]  # place for messages, as "line 7"; time; value


class Feed(NamedTuple):
    """A table [feed.NAME]. zone: for times without an offset; keys: the keys of its format."""

    name: str
    kind: str
    format: str
    max_age_s: float
    zone: tzinfo
    currency: str
    keys: Mapping[str, Any]


class Span(NamedTuple):
    """Quarters of an hour that are wanted. since_s: end of the newest value that is known."""

    start_s: float
    quarters: int
    now_s: float
    since_s: float


class Points(NamedTuple):
    """Values; each holds from utc_s on for step_s. made_s: time of making; doubts: warnings."""

    utc_s: array
    values: array
    step_s: array
    made_s: float
    doubts: list[str]


def unit_of(kind: str, name: str) -> Unit | None:
    """The unit in a name, or the name itself as a unit; None: no unit of this kind."""
    return money.price_unit(name) if kind == "prices" else QUANTITIES[kind].unit_of(f"x {name}")


def of_readings(
    readings: Iterable[Reading],
    feed: Feed,
    unit: Unit,
    names: tuple[str, str],
    made_s: float,
    has_comma: bool = False,
) -> Points:
    """Points of rows in order of time. names: columns of time and value. Raises SeriesError."""
    if feed.kind == "warnings":
        return _warned(readings, feed, made_s)
    clock, time_is = times.TimeCells(feed.zone, name=names[0]), feed.keys.get("time_is", "")
    currency = feed.currency if feed.kind == "prices" else ""
    quantity = money.price(currency) if currency else QUANTITIES[feed.kind]
    utc_s, values, blank, first = array("d"), array("d"), 0, ""
    for where, time, cell in readings:
        name = names[0]
        if times.SPAN in time:
            time_is = time_is or BEGIN
        try:
            at_s, name = clock(time), names[1]
            value = table.number(cell, has_comma)
            if math.isnan(value) or (quantity is POWER and value in powers.BLANKS):
                blank, first = blank + 1, first or f"{where}: {shown(cell)}"
                continue
            value = quantity.value(value, unit, cell)
            if len(values) == ROWS_MAX:
                raise SeriesError(f"allowed are at most {ROWS_MAX} rows")
        except SeriesError as error:
            raise SeriesError(f"{where}: {name} = {error}") from None
        utc_s.append(at_s)
        values.append(max(0.0, value) if feed.kind in ABOVE_ZERO else value)
    if not values:
        raise SeriesError(f"no values: needed are rows of {names[0]} and {names[1]}")
    if quantity is POWER and math.fsum(values) < 0:
        raise SeriesError(f"{names[1]}: mostly below 0: allowed is above 0 for a load and for PV")
    lines = [f"{blank} rows without a number, first {first}"] if blank > 0 else []
    shown_as = names[0], f"{names[1]} {feed.keys.get('unit', '')}".strip()
    meaning = taken(utc_s, values, shown_as, unit, Asked(quantity, currency, time_is))
    return _points(meaning.begins_s, values, meaning.step_s, made_s, lines + meaning.doubts)


def _warned(readings: Iterable[Reading], feed: Feed, made_s: float) -> Points:
    """Points above 0 where a row warns of an outage, and 0 everywhere else. The rows are all
    warnings in force. If two rows have the same start, the longer one counts; a later row of 0 h
    withdraws both. A wrong row makes a line. It still counts if its start is known, because without
    it a storm would look safe.
    """
    lasts_s, doubts = dict[float, float](), list[str]()
    for where, time, cell in readings:
        try:
            begin_s, also_s = _moments_s(time, feed.zone)
        except SeriesError as error:
            doubts.append(f"{where} does not count: {error}")
            continue
        hours = _hours(cell, begin_s, feed.zone)
        # a row is in force when its file is written, so no bound ends it before
        gone_h = max(0.0, elapsed_s(begin_s, made_s) / HOUR_S)
        most_h = HOURS.high + gone_h
        if not HOURS.low <= hours <= most_h:
            hours = most_h if hours > most_h else UNKNOWN_H + gone_h
            doubts.append(f"{where}: {shown(cell)}: {WARNED}: it counts for {hours:g} h")
        longer_s = max(lasts_s.get(begin_s, 0.0), also_s - begin_s + hours * HOUR_S)
        lasts_s[begin_s] = longer_s if hours else 0.0
        if max(len(lasts_s), len(doubts)) > WARNINGS_MAX:
            raise SeriesError(f"allowed are at most {WARNINGS_MAX} warnings")
    doubts[WRONG_MAX:] = [f"{len(doubts)} warnings are wrong"] if len(doubts) > WRONG_MAX else []
    utc_s, step_s = array("d", [0.0, *lasts_s]), array("d", [EVER_S, *lasts_s.values()])
    return Points(utc_s, array("d", [0.0] + [1.0] * len(lasts_s)), step_s, made_s, doubts)


def _hours(cell: str, begin_s: float, zone: tzinfo) -> float:
    """Hours of a warning by a cell with its hours or its end; NaN: unknown."""
    hours = table.number(cell, False)
    try:
        if math.isnan(hours):
            by_end = (_moments_s(cell, zone)[1] - begin_s) / HOUR_S
            return by_end or math.nan  # an end at the begin withdraws nothing
        return hours
    except SeriesError:
        return math.inf if cell.strip().startswith(NO_END) else math.nan


def _moments_s(cell: str, zone: tzinfo) -> tuple[float, float]:
    """The earlier and the later moment of a local time that exists twice, otherwise its one moment
    twice. A local time that the clock skips counts as an hour later. SeriesError: no time.
    """
    first_s = times.TimeCells(zone, NO_ORDER)(cell)
    moments_s = first_s, first_s + HOUR_S
    shown_as = {f"{datetime.fromtimestamp(moment_s, zone):%d %H:%M}" for moment_s in moments_s}
    return moments_s if len(shown_as) == 1 else (first_s, first_s)


def of_quarters(values: Mapping[float, float], made_s: float, doubts: Sequence[str] = ()) -> Points:
    """Points of {start of a quarter of an hour: value}."""
    utc_s = array("d", sorted(values))
    ordered_values = array("d", [values[begin_s] for begin_s in utc_s])
    return _points(utc_s, ordered_values, array("d", [QUARTER_S]) * len(utc_s), made_s, doubts)


def _points(
    utc_s: array, values: array, step_s: array, made_s: float, doubts: Sequence[str]
) -> Points:
    """Points in order of time. Values that end before made_s are as old as their end."""
    return Points(utc_s, values, step_s, min(made_s, utc_s[-1] + step_s[-1]), list(doubts))


def slots(points: Points, start_s: float, count: int) -> list[float]:
    """The mean of each quarter of an hour from start_s on; NaN: unknown."""
    sums, known_s = [0.0] * count, [0.0] * count
    for at_s, value, step_s in zip(points.utc_s, points.values, points.step_s):
        for slot, part_s in parts_s(at_s - start_s, at_s + step_s - start_s, count):
            sums[slot] += value * part_s
            known_s[slot] += part_s
    least_s = KNOWN_PART * QUARTER_S
    return [total / part if part >= least_s else math.nan for total, part in zip(sums, known_s)]


def parts_s(begin_s: float, end_s: float, count: int) -> Iterator[tuple[int, float]]:
    """(quarter of an hour, its seconds between the two times), only for the first `count` quarters.
    Both times count from the start of quarter 0.
    """
    for slot in range(max(0, int(begin_s // QUARTER_S)), min(count, math.ceil(end_s / QUARTER_S))):
        slot_s = slot * QUARTER_S
        yield slot, min(end_s, slot_s + QUARTER_S) - max(begin_s, slot_s)


def merged(files: Sequence[tuple[str, Points]], span: Span, zone: tzinfo) -> Points:
    """Points of several files, oldest first. If two files have a value, the later file counts."""
    kept, doubts = dict[float, float](), list[str]()
    for name, points in files:
        replaced = []
        for slot, value in enumerate(slots(points, span.start_s, span.quarters)):
            at_s = span.start_s + slot * QUARTER_S
            if value == value:
                if not math.isclose(kept.get(at_s, value), value, abs_tol=1e-9):
                    replaced.append(at_s)
                kept[at_s] = value
        doubts += [f"{name}: {line}" for line in points.doubts]
        if replaced:
            since = times.local(replaced[0], zone)
            doubts.append(f"{name} replaces {len(replaced)} values of older files from {since} on")
    if not kept:
        raise SeriesError("no value near now: needed are files of the days around today")
    return of_quarters(kept, max([points.made_s for _, points in files]), doubts)
