"""Checks the tables in a profile of family can_bms (a BMS on CAN). If the profile names a DBC file,
ids and places of signals are filled in from there.
"""

import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

from controller.config import can_form as form, dbc
from controller.config.dbc import Message, Signal
from controller.forms.reading import read_each, unknown
from controller.forms.refusal import Path, not_allowed, refuse, refuse_key
from drivers import rack_sources
from drivers.can_codec import EXTENDED, place
from drivers.profile import Rows, Table
from safety import signals as s

STANDARD_MAX = 0x7FF
OWN = ("bms_bad_frames", *rack_sources.ARRAYS)  # no signal may have these names
NAMES = tuple(name for name in rack_sources.GROUPS if name not in OWN)
NEEDED = ("rack_voltage_mV", "rack_current_mA", "soc_permille")
CURRENT_LIMITS = ("charge_current_mA_max", "discharge_current_mA_max")
# Coarsest resolution of a temperature. With steps of 1 K, each step would trip row 22 of the
# cause-and-effect matrix (0.5 K in 30 s).
STEP_DDEGC_MAX = 2
CELL_ENDS = ("cell_voltage_mV_min", "cell_voltage_mV_max")


def read(path: pathlib.Path, tables: Rows, settings: Table) -> Rows:
    """{table: {name: row}} of the tables of a profile. Raises ConfigError."""
    file = path.name
    checked = {
        name: read_each(file, (name,), tables[name], form.TABLES[name]) for name in form.TABLES
    }
    by_dbc = dbc.read(path, settings["dbc"]) if settings["dbc"] else {}
    for name, row in checked["messages"].items():
        _fill_message(file, ("messages", name), row, by_dbc)
    for name, row in checked["sent"].items():
        if row["asks"] and row["data_close"]:
            refuse_key(file, ("sent", name), row, "asks", "false: data_close commands")
        if row["extended"] is None:
            row["extended"] = row["id"] > STANDARD_MAX
        _check_seal(file, ("sent", name), row)
    for table in ("signals", "arrays", "faults"):
        for name, row in checked[table].items():
            _fill_place(file, (table, name), row, checked["messages"], by_dbc)
    if all(row["use"] != "required" for row in checked["messages"].values()):
        refuse(file, ("messages",), "has no required id", "at least one: it shows the dialect")
    check_values(file, checked, "signals", "arrays")
    _check_periods(file, checked["sent"])
    forbidden = settings["forbidden"]
    settings["forbidden"] = [
        can_id | (EXTENDED if can_id > STANDARD_MAX else 0) for can_id in forbidden
    ]
    for name, row in checked["messages"].items():
        if row["id"] in forbidden:
            not_allowed(file, ("settings", "forbidden"), row["id"], f"no id of messages.{name}")
    return checked


def _fill_message(file: str, path: Path, row: Table, by_dbc: Mapping[str, Message]) -> None:
    """Fill in the id of a message, and whether this id has 29 bits. If the row names a message of
    the DBC file, the id comes from there.
    """
    if row["dbc"]:
        if row["dbc"] not in by_dbc:
            refuse_key(file, path, row, "dbc", ", ".join(by_dbc) or "settings.dbc")
        can_id = by_dbc[row["dbc"]].can_id
        row["id"], row["extended"] = can_id & ~EXTENDED, can_id >= EXTENDED
    if row["id"] is None:
        refuse(file, (*path, "id"), "is missing", "an id, or dbc = the name of a message")
    if row["extended"] is None:
        row["extended"] = row["id"] > STANDARD_MAX
    if row["bytes_max"] < row["bytes"]:
        refuse_key(file, path, row, "bytes_max", f"{row['bytes']}..8")


def _fill_place(
    file: str, path: Path, row: Table, messages: Rows, by_dbc: Mapping[str, Message]
) -> None:
    """Fill in start and length of a row. If the row names a signal of the DBC file, they come from
    there. Refuse a place outside of the message.
    """
    if row["message"] not in messages:
        refuse_key(file, path, row, "message", ", ".join(messages))
    message = messages[row["message"]]
    key = "signals" if "signals" in row else "signal"
    signal_names = row[key] if key == "signals" else ([row["signal"]] if row["signal"] else [])
    known = by_dbc[message["dbc"]].signals if message["dbc"] else {}
    for name in signal_names:
        if name not in known:
            allowed = ", ".join(known) or "messages.NAME.dbc"
            not_allowed(file, (*path, key), name, allowed)
    if signal_names:
        _fill_signal(row, *[known[name] for name in signal_names])
    if not row["length"]:
        refuse(file, (*path, "length"), "is missing", "1..32")
    starts = row.get("starts", [row.get("start")])
    if None in starts or not starts:
        refuse(file, (*path, "start"), "is missing", "0..63, or the signal of a DBC file")
    for start in starts:
        shift, size = place(start, row["length"], row["order"])
        if shift < 0 or size > message["bytes"] and not row.get("optional"):
            allowed = f"bits within {message['bytes']} bytes, bytes of messages.{row['message']}"
            not_allowed(file, (*path, "start"), start, allowed)
    if row.get("scale") == 0:
        not_allowed(file, (*path, "scale"), 0, "any other number")
    if row.get("unit") and f"_{row['unit']}" not in path[-1]:
        refuse_key(file, path, row, "unit", "the unit of the name; use scale")
    if row["mux"] is not None and message["mux"]["start"] is None:
        refuse_key(file, path, row, "mux", f"a mux of messages.{row['message']}")


def _check_seal(file: str, path: Path, row: Table) -> None:
    """Refuse a counter or a check byte that has no room in the data."""
    counter, check_bits = row["counter"], 8 if row["check"] else 0
    counter_bits = 0 if counter["start"] is None else counter["start"] + counter["length"]
    shortest = min([row["data"], row["data_close"] or row["data"]], key=len)
    if counter_bits + check_bits > 4 * len(shortest):
        bytes_min = (counter_bits + check_bits + 7) // 8
        allowed = f"{bytes_min} bytes and more, for its counter and check"
        not_allowed(file, (*path, "data"), shortest, allowed)


def _fill_signal(row: Table, signal: Signal, *siblings: Signal) -> None:
    """Copy place and scale of a DBC signal into the row. siblings: further values of an array."""
    row["start"], row["length"] = signal.start, signal.bits
    if "starts" in row:
        row["starts"] = [signal.start, *[sibling.start for sibling in siblings]]
    row["order"] = "big" if signal.is_big else "little"
    row["mux"] = signal.mux if row["mux"] is None else row["mux"]
    if "scale" in row:
        scale = row["scale"]
        row["signed"] = signal.is_signed
        row["offset"] = float(signal.add) * scale + row["offset"]
        row["scale"] = float(signal.factor) * scale


def check_values(file: str, tables: Rows, table: str, of_arrays: str) -> None:
    """Refuse signals and arrays that together do not describe a rack. table, of_arrays: names of
    the tables of signals and of arrays in the file.
    """
    signals, arrays = tables["signals"], tables["arrays"]
    for key, names in (("signals", NAMES), ("arrays", tuple(rack_sources.ARRAYS))):
        for name in tables[key]:
            if name not in names:
                unknown(file, (key, name), names)
    for name in NEEDED:
        if name not in signals:
            refuse(file, (table, name), "is missing; the family needs it")
    if not tables["faults"]:
        refuse(file, ("faults",), "is empty", "the fault bits that the BMS reports")
    for name, row in signals.items():
        low, high = next(
            (input_row[2:4] for input_row in s.RACK_INPUTS if input_row[0] == name), row["range"]
        )
        if name == "rack_voltage_mV" and rack_sources.CHARGE_MV in signals:
            low = -high  # the value is compared with the limits of the rack
        if not low <= row["range"][0] <= row["range"][1] <= high:
            refuse_key(file, (table, name), row, "range", f"within {low}..{high}")
    cell_ends = [name for name in CELL_ENDS if name in signals]
    array = f"{of_arrays}.{rack_sources.CELLS}"
    if cell_ends and rack_sources.CELLS in arrays:
        allowed = f"keep {array} or the two, {' and '.join(CELL_ENDS)}"
        refuse(file, (table, cell_ends[0]), f"is beside {array}, which gives it too", allowed)
    if len(cell_ends) == 1:
        allowed = f"both of {' and '.join(CELL_ENDS)}, or {array}"
        refuse(file, (table, cell_ends[0]), "is alone", allowed)
    step_ddegC = arrays.get(rack_sources.TEMPERATURES, {"scale": 0})["scale"]
    if abs(step_ddegC) > STEP_DDEGC_MAX:
        path = (of_arrays, rack_sources.TEMPERATURES, "scale")
        not_allowed(file, path, step_ddegC, f"{STEP_DDEGC_MAX} and finer, or no such array")


def _check_periods(file: str, sent: Rows) -> None:
    """Refuse a period that is no multiple of the shortest period. The driver counts in shortest
    periods.
    """
    shortest = min([row["period_ms"] for row in sent.values()] or [1])
    for name, row in sent.items():
        if row["period_ms"] % shortest:
            allowed = f"a multiple of {shortest}, the shortest of [sent]"
            refuse_key(file, ("sent", name), row, "period_ms", allowed)


def lacks(profile: Any) -> Iterator[str]:
    """A line for each value that a BMS of this profile does not report, with the consequence."""
    if not reports(profile, "temperatures_reported"):
        yield "no module temperatures: not_fitted.bms_temperatures names who accepted it"
    if not reports(profile, "cells_reported"):
        yield "no cell voltages: not_fitted.bms_cells names who accepted it"
    elif rack_sources.CELLS not in profile.arrays and "cells_online" not in profile.signals:
        yield "highest and lowest cell alone: every cell counts as online (row 45 is not armed)"
    if lacks_limits(profile):
        yield (
            "no limit of the current of a direction: the rated current of the rack counts "
            "(not_fitted.bms_limits)"
        )
    has_heartbeat = "heartbeat" in profile.registers
    if not has_heartbeat and all(
        row["counter"]["start"] is None for row in profile.messages.values()
    ):
        yield "no counter: a BMS that repeats its frames is found by its values alone (row 54)"
    if "contactor_state" not in profile.signals:
        yield "no contactor state: taken from their supply; a welded one shows by its current"
    if not has_close(profile):
        yield "no command to its contactors: they follow their supply alone"


def lacks_limits(profile: Any) -> bool:
    """True for the profile of a BMS on CAN that does not report both limits of its current."""
    return bool(profile.signals) and not {*CURRENT_LIMITS} <= {*profile.signals}


def reports(profile: Any, fact: str) -> bool:
    """True if a BMS of this profile reports the values of `fact`, a key of stage_states.LACKING."""
    names = {*profile.signals, *profile.arrays}
    return {
        "cells_reported": bool(names & {*CELL_ENDS, rack_sources.CELLS}),
        "temperatures_reported": rack_sources.TEMPERATURES in names,
        "insulation_reported": "insulation_kohm" in names,
        "sensors_reported": {"sensors_invalid_max", "cells_online"} <= names,
    }[fact]


def has_close(profile: Any) -> bool:
    """True if the BMS takes a command to close its contactors."""
    return any(row["data_close"] for row in profile.sent.values())
