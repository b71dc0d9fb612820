"""The forms (allowed keys) of the tables in a profile of family can_bms. These tables describe the
messages, signals, arrays, fault bits and sent frames of a BMS on CAN.
"""

import re
from typing import Any

from controller.forms.field import (
    REQUIRED,
    Field,
    choice,
    flag,
    integer,
    integers,
    is_row,
    matching,
    number,
    passing,
    table,
    text,
    texts,
)

ID_MAX = (1 << 29) - 1
VALUE_MAX = 10**9  # largest value of a signal, because a word of the process image has 30 bits
_ORDER = choice(("little", "big"), "little")


def _are_states(value: Any) -> bool:
    return isinstance(value, dict) and all(
        re.fullmatch("0|-?[1-9][0-9]*", raw) and type(state) is int and abs(state) <= VALUE_MAX
        for raw, state in value.items()
    )


def _is_range(value: Any) -> bool:
    return is_row(value, ((-VALUE_MAX, VALUE_MAX),) * 2) and value[0] <= value[1]


def bounds(default: Any = REQUIRED) -> Field:
    """The field for the allowed range [low, high] of a value."""
    return passing(_is_range, f"[low, high] within {-VALUE_MAX}..{VALUE_MAX}", default)


_START = integer(0, 63, None)  # first bit in a frame
_COUNTER = {"start": _START, "length": integer(1, 16, 8)}
_RAW = table({**_COUNTER, "order": _ORDER}, {})  # place of a multiplexer or counter in a frame
STATES = passing(_are_states, "a table {raw value = value}, both whole numbers", {})
_MUX = integer(0, 65535, None)


def _hex(default: Any = REQUIRED) -> Field:
    meaning = "0 to 8 bytes in hexadecimal"
    return matching(re.compile(r"([0-9a-fA-F]{2}){0,8}"), meaning, default)


RACK_SETTINGS = {  # settings that every BMS has, on CAN or Modbus
    "cells_per_module": integer(1, 32, 16),
    "rack_current_mA_max": integer(1000, 3_000_000, 1_000_000),
    "voltage_permille_min": integer(100, 1000, 700),
    "voltage_permille_max": integer(1000, 2000, 1250),
    "stopped_ms": integer(100, 60_000, 3000),
    "close_ms": integer(0, 5000, 2000),
    "sign_readings": integer(2, 100, 5),
}
SETTINGS = {
    "forbidden": integers(0, ID_MAX, []),
    "node_stride": integer(0, 1 << 20, 0),
    "dbc": text(""),
    **RACK_SETTINGS,
}
MESSAGE = {
    "id": integer(0, ID_MAX, None),
    "dbc": text(""),  # name of the message in the DBC file, which then gives the id
    "extended": flag(None),
    "ids": integer(1, 256, 1),
    "id_step": integer(0, 1 << 20, 1),
    "use": choice(("required", "optional"), "required"),
    "bytes": integer(1, 8, 8),
    "bytes_max": integer(1, 8, 8),
    "period_ms": integer(10, 60_000, 0),
    "mux": _RAW,
    "mux_values": integer(1, 256, 1),
    "counter": _RAW,
    "check": choice(("", "crc8_j1850", "sum8"), ""),
}
_PLACE = {"message": text(), "length": integer(1, 32, 0), "order": _ORDER, "mux": _MUX}
SCALE = {  # on CAN or Modbus: value = raw x scale + offset
    "scale": number(-1e9, 1e9, 1),
    "offset": number(-1e9, 1e9, 0),
}
_VALUE = {
    "signed": flag(False),
    **SCALE,
    "unit": text(""),
    "range": bounds(),
    "invalid": integers(-(1 << 31), (1 << 32) - 1, []),
    "values": STATES,
    "otherwise": integer(-VALUE_MAX, VALUE_MAX, None),  # for a raw value not in `values`
    "magnitude": flag(False),
}
SIGNAL = {
    **_PLACE,
    **_VALUE,
    "signal": text(""),  # name of the signal in the DBC file, which gives the place
    "start": _START,
    "optional": flag(False),
}
ARRAY = {
    **_PLACE,
    **_VALUE,
    "starts": integers(0, 63, []),
    "signals": texts([]),  # names in the DBC file, which give the places
}
FAULT = {
    **_PLACE,
    "signal": text(""),
    "start": _START,
    "bit": integer(0, 29),
    "optional": flag(False),  # the bits of a shorter frame count as 0
    "form": choice(("bits", "any", "zeros", "pairs", "any pair"), "bits"),
}
SENT = {
    "id": integer(0, ID_MAX),
    "extended": flag(None),
    "addressed": flag(False),
    "data": _hex(),
    "data_close": _hex(""),
    # true: the frame commands nothing, so it may be sent before the rack's first frame came
    "asks": flag(False),
    "period_ms": integer(10, 60_000, 1000),
    "counter": table(_COUNTER, {}),
    "check": MESSAGE["check"],
}
TABLES = {"messages": MESSAGE, "signals": SIGNAL, "arrays": ARRAY, "faults": FAULT, "sent": SENT}
