"""Reads the weather of a year by the hour: irradiance on a level surface, and outside air."""

import math
from array import array
from collections.abc import Sequence
from typing import NamedTuple

from controller.series import table, times
from controller.series.refusal import SeriesError, at_cell, listed, shown
from controller.series.text import Path
from controller.series.units import AIR, SUN, Quantity, Unit

HOURS, DAY_H = 8760, 24  # DAY_H: a time zone or a missing leap day moves a row by up to a day
SUN_W_PER_M2_MIN = 50.0  # every place on Earth has a brighter hour in a year
SUN_HOURS = 9.0, 15.0  # the middle of the sunshine lies between them in local time
KELVINS = 200.0, 340.0  # a column of degC with such values is in kelvin


class Weather(NamedTuple):
    """Values for each hour of a year. doubts: lines for the user."""

    ghi_W_per_m2: "array[float]"
    air_degC: "array[float]"
    doubts: list[str]


def read(path: Path) -> Weather:
    """The weather of a CSV file or its gzip. SeriesError: one line."""
    with table.opened(path) as sheet:
        sun_column = _column(sheet, "ghi", SUN, "ghi_W_per_m2")
        sun, air = array("d"), array("d")
        wanted = [(sun_column, SUN, sun), (_column(sheet, "air", AIR, "air_degC"), AIR, air)]
        time_at = times.columns(sheet.names, sheet.first)
        for line, cells in sheet:
            time = " ".join(cells[column] for column in time_at if column < len(cells))
            _check_hour(line, time, len(sun))
            for (place, unit), quantity, values in wanted:
                cell = cells[place] if place < len(cells) else ""
                with at_cell(line, sheet.names[place]):
                    values.append(_value(cell, sheet.has_comma, quantity, unit))
            if len(sun) > 2 * HOURS:
                raise SeriesError(f"line {line}: allowed are {HOURS} rows, the hours of a year")
        if len(sun) != HOURS:
            raise SeriesError(f"{len(sun)} rows: needed are {HOURS}, the hours of a year")
        if max(sun) < SUN_W_PER_M2_MIN:
            place, unit = sun_column
            raise SeriesError(
                f"{sheet.names[place]} reaches {max(sun) / unit.factor:g}, too low for "
                f"{unit.name}: allowed are names as ghi_W_per_m2 or ghi_kW_per_m2"
            )
        return Weather(sun, air, _doubts(sun, air))


def _check_hour(line: int, time: str, rows_before: int) -> None:
    """Compare the time of a row with its place. SeriesError: they differ by more than a day."""
    hour = times.hour_of_year(time)
    if hour is not None and DAY_H < (hour - rows_before) % HOURS < HOURS - DAY_H:
        raise SeriesError(
            f"line {line}: {shown(time)} is hour {hour} of a year, in row {rows_before + 1}: "
            f"allowed are the {HOURS} hours from 1 January on"
        )


def _column(sheet: table.Table, stem: str, quantity: Quantity, name: str) -> tuple[int, Unit]:
    """Place and unit of a quantity's column. If several columns fit, `name` is preferred."""
    names = sorted(sheet.names, key=lambda column: column != name)
    for column in names:
        unit = quantity.unit_of(column) if column.lower().startswith(stem) else None
        if unit:
            return sheet.names.index(column), unit
    raise SeriesError(f"line {sheet.line}: no column {name} in the header: {listed(sheet.names)}")


def _value(cell: str, has_comma: bool, quantity: Quantity, unit: Unit) -> float:
    value = table.number(cell, has_comma)
    if math.isnan(value):
        raise SeriesError(f"{shown(cell)}: {quantity.allowed(unit)}")
    if quantity is AIR and unit.name == "degC" and KELVINS[0] < value < KELVINS[1]:
        raise SeriesError(f"{shown(cell)}: {quantity.allowed(unit)}; a column of kelvin is air_K")
    converted = quantity.value(value, unit, cell)
    return max(converted, 0.0) if quantity is SUN else converted


def _doubts(sun: Sequence[float], air: Sequence[float]) -> list[str]:
    """Lines about a middle of the sunshine far from noon, and about air that never changes."""
    angles_rad = [math.tau * ((hour + 0.5) % 24) / 24 for hour in range(HOURS)]
    sine = math.fsum(
        irradiance * math.sin(angle_rad) for irradiance, angle_rad in zip(sun, angles_rad)
    )
    cosine = math.fsum(irradiance * math.cos(turn) for irradiance, turn in zip(sun, angles_rad))
    middle_h = math.atan2(sine, cosine) / math.tau * 24 % 24
    doubts = []
    if not SUN_HOURS[0] <= middle_h <= SUN_HOURS[1]:
        doubts.append(
            f"the middle of the sunshine is at {middle_h:.0f} h: are the rows in local time?"
        )
    if max(air) - min(air) < 1:
        doubts.append(f"the air has {air[0]:g} degC all year: is it measured?")
    return doubts
