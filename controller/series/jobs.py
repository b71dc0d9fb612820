"""Reads jobs from a file: when each job is sent, how long it runs, and its power."""

import math
from typing import NamedTuple

from controller.series import table
from controller.series.refusal import SeriesError, at_cell, listed, shown
from controller.series.text import Path
from controller.series.units import DURATION, POWER, Quantity, Unit

COLUMNS = (("at_", DURATION), ("for_", DURATION), ("power_", POWER))
NEEDED = "at_s, for_s, power_W"
JOBS_MAX = 1_000_000


class Job(NamedTuple):
    """A job of a file. line: its line number in the file."""

    at_s: float
    for_s: float
    power_W: float
    line: int


def read(path: Path) -> list[Job]:
    """The jobs of a CSV file or its gzip, in the order of the file. SeriesError: one line."""
    with table.opened(path) as sheet:
        places = [_column(sheet, stem, quantity) for stem, quantity in COLUMNS]
        jobs: list[Job] = []
        for line, cells in sheet:
            at_s, for_s, power_W = [
                _value(sheet, line, cells, place, quantity, unit)
                for (place, unit), (_, quantity) in zip(places, COLUMNS)
            ]
            jobs.append(Job(at_s, for_s, power_W, line))
            if len(jobs) > JOBS_MAX:
                raise SeriesError(f"line {line}: allowed are at most {JOBS_MAX} jobs")
        if not jobs:
            raise SeriesError(f"no jobs: allowed are rows of {NEEDED}")
        return jobs


def _column(sheet: table.Table, stem: str, quantity: Quantity) -> tuple[int, Unit]:
    for place, name in enumerate(sheet.names):
        unit = quantity.unit_of(name) if name.startswith(stem) else None
        if unit:
            return place, unit
    raise SeriesError(
        f"line {sheet.line}: no column {stem}: needed are {NEEDED}, not {listed(sheet.names)}"
    )


def _value(
    sheet: table.Table, line: int, cells: list[str], place: int, quantity: Quantity, unit: Unit
) -> float:
    cell = cells[place] if place < len(cells) else ""
    with at_cell(line, sheet.names[place]):
        value = table.number(cell, sheet.has_comma)
        if math.isnan(value) or value < 0:
            raise SeriesError(f"{shown(cell)}: allowed is a number from 0 on")
        return quantity.value(value, unit, cell)
