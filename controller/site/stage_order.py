"""Thresholds of stages in order: a taper ends before its stage trips, a milder stage trips before
a stronger one.
"""

import functools

from controller.site import schema
from controller.site.refusal import in_unit, not_allowed
from controller.site.silence import said_of
from safety import matrix


def blame(values, section, number, key):
    """(file, path) of a parameter of unit or rack `number`."""
    path, entry = said_of(values, (section, str(number), key))
    return (entry.file if entry else values.last_file), path


def _check_ends(values, number, table):
    """Charging must have ended where row 28 forbids it, discharging where row 31b does: beyond, the
    taper ends nothing.

    Both may end at the very threshold, as the defaults do: nothing flows there that the row would
    have to stop.
    """
    for stage, key, sign, side in (
        ("28", "charge_end_mV", 1, "at most"),
        ("31b", "discharge_end_mV", -1, "at least"),
    ):
        trip_mV, path = values.get("stage", stage, "set"), ("stage", stage, "set")
        if not table["cells_reported"] or table[key] * sign <= trip_mV * sign:
            continue
        if path in values.entries:
            other = "at least" if sign > 0 else "at most"
            not_allowed(
                values.file(*path),
                path,
                trip_mV,
                f"{other} {key} of rack {number}, which is {table[key]}",
                unit=values.spec(path).unit,
            )
        file, path = blame(values, "rack", number, key)
        not_allowed(file, path, table[key], f"{side} the set of stage {stage}, which is {trip_mV}")


def _check_stages(values):
    for stage in matrix.STAGES:
        name, sense = stage[matrix.S_ID], stage[matrix.S_SENSE]
        if name in schema.STAGE_SET_FROM:
            continue
        level, clear = values.get("stage", name, "set"), values.get("stage", name, "clear")
        if clear * sense >= level * sense:
            path = ("stage", name, "clear")
            file = (
                values.file(*path) if path in values.entries else values.file("stage", name, "set")
            )
            unit = values.spec(path).unit
            not_allowed(
                file,
                path,
                clear,
                f"{'below' if sense > 0 else 'above'} its set, which is {in_unit(level, unit)}",
                unit=unit,
            )


def _check_ladders(values):
    """Stages on one feature stay in the order of the matrix: what stops may not come before what
    warns.
    """
    for low, high in ladders(values.chemistry):
        (path_low, set_low), (path_high, set_high) = [
            (("stage", stage[matrix.S_ID], "set"), values.get("stage", stage[matrix.S_ID], "set"))
            for stage in (low, high)
        ]
        if set_low * low[matrix.S_SENSE] < set_high * low[matrix.S_SENSE]:
            continue
        side = ("above", "below") if low[matrix.S_SENSE] > 0 else ("below", "above")
        entries = values.entries
        later = path_high in entries and (
            path_low not in entries or entries[path_high].rank >= entries[path_low].rank
        )
        path, other, which = (path_high, low, 0) if later else (path_low, high, 1)
        unit, bound = values.spec(path).unit, set_high if which else set_low
        not_allowed(
            values.file(*path),
            path,
            values.get(*path),
            f"{side[which]} the set of stage {other[matrix.S_ID]}, which is {in_unit(bound, unit)}",
            unit=unit,
        )


@functools.cache
def ladders(chemistry):
    """((stage, the next one that takes more), ...) of stages on the same feature whose thresholds
    differ.
    """
    found = []
    for low in matrix.STAGES:
        for high in matrix.STAGES:
            same = all(
                low[index] == high[index]
                for index in (matrix.S_SCOPE, matrix.S_FEATURE, matrix.S_SENSE)
            )
            levels = [
                schema.thresholds(stage, chemistry)[0] * stage[matrix.S_SENSE]
                for stage in (low, high)
            ]
            if same and low[matrix.S_ID] not in schema.STAGE_SET_FROM and levels[0] < levels[1]:
                found.append((low, high))
    return tuple(found)
