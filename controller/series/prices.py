"""Reads prices from a file, as means of equal slots that begin at a local time.

The time is the first column with times, or else the first column. The price is the first column
whose name has a unit of a price, or else a word for a price, or else any other column than the
time. The step between rows may change once, as on 1 October 2025. Each price holds until the next
row.
"""

import itertools
import math
import re
from array import array
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, tzinfo
from typing import NamedTuple

from controller.series import meaning, money, table, times
from controller.series.refusal import SeriesError, at_cell, listed, shown
from controller.series.text import Path
from controller.series.units import PER_MWH, PRICE, Quantity, Unit

HOUR_S = 3600.0
ROWS_MAX = 200_000  # 366 days of 5 min are 105 408
STEPS_S = (300.0, 600.0, 900.0, 1800.0, 3600.0)
_PRICE = re.compile("price|preis|pris|cost|tarif")


class Prices(NamedTuple):
    """Money per kWh for each slot. column: name of the price column; doubts: lines."""

    column: str
    per_kWh: "array[float]"
    doubts: list[str]


class _Rows(NamedTuple):
    """Rows near the wanted time.

    per_kWh: NaN where there is no number. ends_s: first and last time of the file.
    """

    times_s: "array[float]"
    per_kWh: "array[float]"
    lines: "array[int]"
    ends_s: list[float]


def read(path: Path, start: datetime, zone_name: str, slot_s: float, count: int) -> Prices:
    """Prices of `count` slots from `start`, a local time of the zone. SeriesError: one line."""
    zone = times.zone_of(zone_name)
    from_s = start.replace(tzinfo=zone).timestamp()
    span_s = from_s, from_s + count * slot_s
    with table.opened(path) as sheet:
        if len(sheet.names) < 2:
            raise SeriesError(
                f"line {sheet.line}: one column ({listed(sheet.names)}): allowed are a time and a "
                f"price, parted by , ; or tab"
            )
        time_at = times.columns(sheet.names, sheet.first) or (0,)
        place, unit = _column(sheet, time_at)
        stated = [cell for name, cell in zip(sheet.names, sheet.first) if money.says(name)]
        column = " ".join([sheet.names[place], *stated])
        unit = unit or money.price_unit(column)
        quantity = money.price(column if money.currencies(column) else "")
        rows = _rows(sheet, time_at, (place, unit or PER_MWH, quantity), zone, span_s)
        names = sheet.named(time_at), column
        numbers = [price for price in rows.per_kWh if price == price]
        taken = meaning.taken(rows.times_s, numbers, names, unit, meaning.Asked(PRICE))
        rows = rows._replace(times_s=taken.begins_s)
        _check_even(rows, zone)
        slots = _means(rows, taken.step_s, from_s, slot_s, count, zone)
        return Prices(column, slots, taken.doubts)


def _column(sheet: table.Table, time_at: Sequence[int]) -> tuple[int, Unit | None]:
    cells = enumerate(sheet.first)
    is_time = {*time_at, *[place for place, cell in cells if times.is_time(cell)]}
    candidates = [place for place in range(len(sheet.names)) if place not in is_time] or [1]
    for place in candidates:
        unit = money.price_unit(sheet.names[place])
        if unit:
            return place, unit
    named = [place for place in candidates if _PRICE.search(sheet.names[place].lower())]
    return (named or candidates)[0], None


def _rows(
    sheet: table.Table,
    time_at: Sequence[int],
    price_column: tuple[int, Unit, Quantity],
    zone: tzinfo,
    span_s: times.Span,
) -> _Rows:
    place, unit, quantity = price_column
    wanted_s = span_s[0] - HOUR_S, span_s[1] + HOUR_S
    clock = times.TimeCells(zone, wanted_s, sheet.named(time_at))
    rows = _Rows(array("d"), array("d"), array("q"), [math.inf, -math.inf])
    for line, cells in sheet:
        with at_cell(line, sheet.names[time_at[0]]):
            time_s = clock(" ".join(cells[column] for column in time_at if column < len(cells)))
        rows.ends_s[:] = min(rows.ends_s[0], time_s), max(rows.ends_s[1], time_s)
        if not wanted_s[0] <= time_s <= wanted_s[1]:
            continue
        cell = cells[place] if place < len(cells) else ""
        with at_cell(line, sheet.names[place]):
            value = table.number(cell, sheet.has_comma)
            price = value if math.isnan(value) else quantity.value(value, unit, cell)
            if math.isnan(price) and wanted_s[0] < time_s < span_s[1]:
                raise SeriesError(f"{shown(cell)}: {quantity.allowed(unit)}")
            if len(rows.lines) == ROWS_MAX:
                raise SeriesError(f"{shown(cell)}: allowed are at most {ROWS_MAX} rows of a run")
        rows.times_s.append(time_s)
        rows.per_kWh.append(price)
        rows.lines.append(line)
    if rows.ends_s[0] == math.inf:
        raise SeriesError("no prices: allowed is a header, then rows of a time and a price")
    return rows


def _check_even(rows: _Rows, zone: tzinfo) -> None:
    """Check that no row is missing. SeriesError: a row is missing."""
    steps = [after - before for before, after in itertools.pairwise(rows.times_s)]
    runs = [(step, len(list(group))) for step, group in itertools.groupby(steps)]
    is_even = len(runs) < 2 or (len(runs) == 2 and min(count for _, count in runs) > 1)
    if not is_even or not {step for step, _ in runs} <= set(STEPS_S):
        usual_s = Counter(steps).most_common(1)[0][0]
        odd = next((index for index, step in enumerate(steps) if step != usual_s), 0)
        missing_s, line = rows.times_s[odd] + min(steps[odd], usual_s), rows.lines[odd + 1]
        if steps[odd] > usual_s:
            raise SeriesError(f"line {line}: no price for {times.local(missing_s, zone)} before it")
        raise SeriesError(
            f"line {line}: {times.local(missing_s, zone)} is {steps[odd] / 60:g} min after the row "
            f"before: allowed are 5, 10, 15, 30 or 60 min, and one change of it"
        )


def _means(
    rows: _Rows, holds_s: Sequence[float], from_s: float, slot_s: float, count: int, zone: tzinfo
) -> "array[float]":
    """The mean of each slot. SeriesError: a slot without a price, with its time."""
    means, covered_s = array("d", bytes(8 * count)), array("d", bytes(8 * count))
    for time_s, hold_s, price in zip(rows.times_s, holds_s, rows.per_kWh):
        begin = max(0, math.floor((time_s - from_s) / slot_s))
        for slot in range(begin, min(count, math.ceil((time_s + hold_s - from_s) / slot_s))):
            begin_s = from_s + slot * slot_s
            part_s = min(time_s + hold_s, begin_s + slot_s) - max(time_s, begin_s)
            means[slot] += price if part_s == slot_s else price * part_s / slot_s
            covered_s[slot] += part_s
    for slot, total_s in enumerate(covered_s):
        if total_s < slot_s - 1e-3:  # allow for rounding of the sum
            times_s = from_s + slot * slot_s, *rows.ends_s
            missing, first, last = [times.local(time_s, zone) for time_s in times_s]
            raise SeriesError(f"no price for {missing}; the file has {first} .. {last}")
    return means
