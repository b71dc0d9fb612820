"""A schedule as a file: TOML, or CSV with one row for each slot and its start time.

    start = 2026-11-25T12:00:00Z
    slot_min = 15
    [[slot]]
    grid_cap_W = 400_000
    battery_low_W = -50_000
    battery_high_W = 0
    reserve_permille = 300

A slot without one of the powers has no such bound. A slot without a reserve has the reserve 0.
"""

import datetime
import re
from typing import Any, NamedTuple

from controller.core.base.schedule_table import OPEN_W, SLOT_MIN_MAX, SLOTS_MAX, Slot
from controller.forms import field, reading
from controller.forms.refusal import ConfigError, Path, refuse
from controller.hints.hint_check import SLOT_RANGES, START_MIN_MAX, wrong_field
from controller.series import table, times
from controller.series.refusal import SeriesError, at_cell, shown
from controller.system import toml_text

_CSV = re.compile(r"\.csv(\.gz)?$", re.IGNORECASE)
_WHOLE = re.compile("[+-]?[0-9]{1,18}")
_MINUTES = "whole minutes with a time zone, as 2026-11-25T12:00:00Z"


class ScheduleFileError(Exception):
    """The file is no schedule. One line says what is wrong, where, and what is allowed."""


class Plan(NamedTuple):
    """start_min: UTC, minutes since 1970."""

    start_min: int
    slot_min: int
    slots: tuple[Slot, ...]


def _is_minute(value: Any) -> bool:
    is_time = isinstance(value, datetime.datetime) and value.tzinfo is not None
    return is_time and value.timestamp() >= 0 and value.timestamp() % 60 == 0


_SLOT = {
    name: field.integer(*ends, 0 if name == "reserve_permille" else OPEN_W)
    for name, ends in SLOT_RANGES.items()
}
_FORM = {
    "start": field.passing(_is_minute, _MINUTES),
    "slot_min": field.integer(1, SLOT_MIN_MAX),
    "slot": field.tables(_SLOT, []),
}


def read(path: str) -> Plan:
    """The schedule of a file (CSV or TOML by its name). Raises ScheduleFileError, OSError."""
    try:
        plan = _of_csv(path) if _CSV.search(path) else _of_toml(path)
        if plan.start_min > START_MIN_MAX:
            raise ValueError("start is after the year 2099; allowed at most a week ahead")
        if len(plan.slots) > SLOTS_MAX:
            raise ValueError(f"has {len(plan.slots)} slots; allowed at most {SLOTS_MAX}")
    except (SeriesError, ConfigError) as error:
        raise ScheduleFileError(str(error)) from None
    except ValueError as error:
        raise ScheduleFileError(f"{path}: {error}") from None
    return plan


def _of_toml(path: str) -> Plan:
    values = reading.read(path, (), toml_text.read(path), _FORM)
    numbered = enumerate(values["slot"], 1)
    slots = [_slot(path, ("slot", str(number)), slot) for number, slot in numbered]
    return Plan(int(values["start"].timestamp()) // 60, values["slot_min"], tuple(slots))


def _of_csv(path: str) -> Plan:
    """The schedule of a CSV file. Only commas separate cells, and numbers are whole, because
    programs write such files.
    """
    starts_min, slots = [], []
    with table.opened(path, ",") as rows:
        start_at, clock = rows.at("start"), times.TimeCells(None)
        for number, (line, cells) in enumerate(rows, 1):
            if number > SLOTS_MAX or len(cells) < len(rows.names):
                raise SeriesError(
                    f"line {line}: slot {number} with {len(cells)} cells; allowed at most "
                    f"{SLOTS_MAX} slots, each with {len(rows.names)} cells as in the header"
                )
            with at_cell(line, "start"):
                start_s = clock(cells[start_at])
                if start_s % 60:
                    raise SeriesError(f"{shown(cells[start_at])}; allowed {_MINUTES}")
            starts_min.append(int(start_s) // 60)
            named = {name: _number(cell) for name, cell in zip(rows.names, cells) if cell.strip()}
            del named["start"]
            where = f"{path}: line {line}"
            slots.append(_slot(where, (), reading.read(where, (), named, _SLOT)))
    if len(starts_min) < 2:
        raise ValueError("has less than two rows; allowed one row for each slot, or TOML for one")
    slot_min = starts_min[1] - starts_min[0]
    for number, start_min in enumerate(starts_min, 1):
        if start_min != starts_min[0] + (number - 1) * slot_min:
            raise ValueError(f"slot {number}: start is not {slot_min} min after the one before it")
    if slot_min > SLOT_MIN_MAX:
        raise ValueError(f"slots of {slot_min} min; allowed 1 .. {SLOT_MIN_MAX}")
    return Plan(starts_min[0], slot_min, tuple(slots))


def _number(cell: str) -> int | str:
    """The whole number of a cell. Any other content stays as it is."""
    return int(cell) if _WHOLE.fullmatch(cell.strip()) else cell


def _slot(file: str, path: Path, values: dict[str, int]) -> Slot:
    slot = Slot(**values)
    if wrong_field(slot):  # each field is in range, so the ends of the band are swapped
        name, low_W, high_W = "battery_high_W", *slot[1:3]
        refuse(file, (*path, name), f"{high_W} is not allowed", f"battery_low_W ({low_W}) or more")
    return slot
