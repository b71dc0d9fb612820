"""A schedule as a file: TOML, or CSV with one row for each slot and its start time.

    start = 2026-11-25T12:00:00Z
    slot_min = 15
    [[slot]]
    grid_cap_W = 400_000
    battery_low_W = -50_000
    battery_high_W = 0
    reserve_permille = 300

A power that is missing has no bound; a missing reserve is 0.
"""

import datetime
import re
from typing import Any, NamedTuple

from controller.core.base.schedule_table import OPEN_W, SLOT_MIN_MAX, SLOTS_MAX, Slot
from controller.hints.schedule_check import START_MIN_MAX, wrong_field
from controller.series import table, times
from controller.series.refusal import SeriesError, at_cell, shown
from drivers import toml_text

_NAMES = Slot._fields
_WHOLE = "a whole number"
_CSV = re.compile(r"\.csv(\.gz)?$", re.IGNORECASE)


class ScheduleFileError(Exception):
    """The file is no schedule: what, where, what is allowed, in one line."""


class Plan(NamedTuple):
    """start_min: UTC, minutes since 1970."""

    start_min: int
    slot_min: int
    slots: tuple[Slot, ...]


def read(path: str) -> Plan:
    """The schedule of a file, by the end of its name. Raises ScheduleFileError, OSError."""
    try:
        plan = _of_csv(path) if _CSV.search(path) else _of_toml(toml_text.read(path))
        _check(plan)
    except SeriesError as error:
        raise ScheduleFileError(str(error)) from None
    except ValueError as error:
        raise ScheduleFileError(f"{path}: {error}") from None
    return plan


def _of_toml(content: dict[str, Any]) -> Plan:
    unknown = sorted(content.keys() - {"start", "slot_min", "slot"})
    if unknown:
        raise ValueError(f"{_shown(unknown[0])} is not a known key; allowed start, slot_min, slot")
    start, rows = content.get("start"), content.get("slot", [])
    if not isinstance(start, datetime.datetime):
        raise ValueError("start is missing or no time; allowed as 2026-11-25T12:00:00Z")
    if not isinstance(rows, list) or not all([isinstance(row, dict) for row in rows]):
        raise ValueError("slot is no list of tables; allowed [[slot]] for each slot")
    slots = [_slot(number, row) for number, row in enumerate(rows, 1)]
    seconds = start.timestamp() if start.tzinfo else -1.0
    minute = _minute(seconds, start.isoformat())
    return Plan(minute, _whole("slot_min", content.get("slot_min")), tuple(slots))


def _of_csv(path: str) -> Plan:
    """Programs write schedules, so only commas part the cells, and numbers are whole."""
    starts, slots = [], []
    with table.opened(path, ",") as rows:
        start_at, clock = rows.at("start"), times.TimeCells(None)
        for number, (line, cells) in enumerate(rows, 1):
            if number > SLOTS_MAX or len(cells) < len(rows.names):
                raise SeriesError(
                    f"line {line}: slot {number} with {len(cells)} cells; allowed at most "
                    f"{SLOTS_MAX} slots, each with {len(rows.names)} cells as in the header"
                )
            with at_cell(line, "start"):
                starts.append(_minute(clock(cells[start_at]), cells[start_at]))
            named = {name: each for name, each in zip(rows.names, cells) if each.strip()}
            del named["start"]
            slots.append(_slot(number, {key: _cell(line, key, named[key]) for key in named}))
    if len(starts) < 2:
        raise ValueError("has less than two rows; allowed one row for each slot, or TOML for one")
    slot_min = starts[1] - starts[0]
    for number, start_min in enumerate(starts, 1):
        if start_min != starts[0] + (number - 1) * slot_min:
            raise ValueError(f"slot {number}: start is not {slot_min} min after the one before it")
    return Plan(starts[0], slot_min, tuple(slots))


def _cell(line: int, name: str, cell: str) -> int:
    if not re.fullmatch("[+-]?[0-9]{1,18}", cell.strip()):
        raise SeriesError(f"line {line}: {name} = {shown(cell)}; allowed {_WHOLE}")
    return int(cell.strip())


def _slot(number: int, row: dict[str, Any]) -> Slot:
    unknown = sorted(row.keys() - set(_NAMES))
    if unknown:
        allowed = ", ".join(_NAMES)
        raise ValueError(
            f"slot {number}: {_shown(unknown[0])} is not a known key; allowed {allowed}"
        )
    *powers, reserve = _NAMES
    found = {name: _whole(f"slot {number}: {name}", row.get(name, OPEN_W)) for name in powers}
    slot = Slot(**found, reserve_permille=_whole(f"slot {number}: {reserve}", row.get(reserve, 0)))
    field = wrong_field(slot) or (slot.reserve_permille < 0) * len(_NAMES)
    if field:
        name, value = _NAMES[field - 1], slot[field - 1]
        raise ValueError(f"slot {number}: {name} {value}; allowed {RANGES[field - 1]}")
    return slot


def _shown(key: str) -> str:
    """A key in a refusal; a quoted key may have a line break."""
    return key if key.isidentifier() and key.isascii() and len(key) <= 40 else ascii(key[:40])


RANGES = ("0 .. 10^9", "-10^9 .. 10^9", "battery_low_W .. 10^9", "0 .. 1000")


def _whole(name: str, value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{name} is missing or no whole number; allowed {_WHOLE}")
    return value


def _minute(seconds: float, start: object) -> int:
    if seconds < 0 or seconds % 60:
        raise ValueError(f"start {start}; allowed whole minutes with a time zone")
    return int(seconds) // 60


def _check(plan: Plan) -> None:
    if not 0 < plan.slot_min <= SLOT_MIN_MAX:
        raise ValueError(f"slot_min {plan.slot_min}; allowed 1 .. {SLOT_MIN_MAX}")
    if plan.start_min > START_MIN_MAX:
        raise ValueError("start is after the year 2099; allowed at most a week ahead")
    if len(plan.slots) > SLOTS_MAX:
        raise ValueError(f"has {len(plan.slots)} slots; allowed at most {SLOTS_MAX}")
