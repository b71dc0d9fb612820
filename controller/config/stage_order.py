"""Thresholds in order: a taper ends before its stage trips, and a milder stage trips first."""

import functools
import itertools
from typing import NoReturn

from controller.config import thresholds
from controller.config.silence import entry_of
from controller.config.values import Values
from controller.forms.refusal import in_unit, not_allowed
from safety import matrix

_STAGES: tuple[tuple, ...] = matrix.STAGES


def refuse_number(
    values: Values, section: str, number: int, key: str, table: dict[str, int], allowed: str
) -> NoReturn:
    """Refuse a parameter of unit or rack `number`. table: all its parameters."""
    path, entry = entry_of(values, (section, str(number), key))
    not_allowed(entry.file if entry else values.last_file, path, table[key], allowed)


def check_ends(values: Values, number: int, table: dict[str, int]) -> None:
    """The charge taper ends at row 28 or before, the discharge taper at row 31b or before.
    Otherwise power still flows when the row trips. Exactly at the threshold the power is zero.
    """
    for stage, key, sign, side, other in (
        ("28", "charge_end_mV", 1, "at most", "at least"),
        ("31b", "discharge_end_mV", -1, "at least", "at most"),
    ):
        path = ("stage", stage, "set")
        trip_mV = values.get(*path)
        if table["cells_reported"] and table[key] * sign > trip_mV * sign:
            if path in values.entries:
                values.not_allowed(path, f"{other} {key} of rack {number}, which is {table[key]}")
            allowed = f"{side} the set of stage {stage}, which is {trip_mV}"
            refuse_number(values, "rack", number, key, table, allowed)


def check_stages(values: Values) -> None:
    """A stage clears on the milder side of its set."""
    for stage in _STAGES:
        name, sense = stage[matrix.S_ID], stage[matrix.S_SENSE]
        if name in thresholds.STAGE_SET_FROM:
            continue
        level, clear = values.get("stage", name, "set"), values.get("stage", name, "clear")
        if clear * sense >= level * sense:
            path = ("stage", name, "clear")
            blamed = path if path in values.entries else ("stage", name, "set")
            unit = values.spec(path).unit
            side = "below" if sense > 0 else "above"
            allowed = f"{side} its set, which is {in_unit(level, unit)}"
            not_allowed(values.file(*blamed), path, clear, allowed, unit=unit)


def check_ladders(values: Values) -> None:
    """Stages on one feature stay in the order of the matrix: a warning comes before a stop."""
    entries = values.entries
    for low, high in ladders(values.chemistry):
        sense = low[matrix.S_SENSE]
        path_low, path_high = [("stage", stage[matrix.S_ID], "set") for stage in (low, high)]
        if values.get(*path_low) * sense < values.get(*path_high) * sense:
            continue
        is_high = path_high in entries and (
            path_low not in entries or entries[path_high].rank >= entries[path_low].rank
        )
        path, other = (path_high, path_low) if is_high else (path_low, path_high)
        bound = in_unit(values.get(*other), values.spec(path).unit)
        side = "above" if is_high == (sense > 0) else "below"
        values.not_allowed(path, f"{side} the set of stage {other[1]}, which is {bound}")


@functools.cache
def ladders(chemistry: str) -> tuple[tuple[tuple, tuple], ...]:
    """Pairs of stages on the same feature, the milder stage first. Their thresholds differ."""
    places = (matrix.S_SCOPE, matrix.S_FEATURE, matrix.S_SENSE)
    found = []
    for low, high in itertools.permutations(_STAGES, 2):
        if low[matrix.S_ID] in thresholds.STAGE_SET_FROM:
            continue
        if [low[place] for place in places] == [high[place] for place in places]:
            sense = low[matrix.S_SENSE]
            set_low, set_high = [thresholds.levels(each, chemistry)[0] for each in (low, high)]
            if set_low * sense < set_high * sense:
                found.append((low, high))
    return tuple(found)
