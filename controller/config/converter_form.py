"""The form (allowed keys) of the profile of a converter with plain Modbus registers, family
register_pcs. profile_form.py has the keys of its registers.
"""

from typing import Any

from controller.config import can_form
from controller.forms.field import (
    Field,
    choice,
    flag,
    integer,
    integers,
    number,
    passing,
    tables,
    text,
)
from drivers import wear

# Whether the device stores each written value in flash or EEPROM, which wears out. Older profiles
# say true and false.
STORED = {True: wear.YES, False: wear.NO} | {kind: kind for kind in wear.STORED}


def _is_stored(value: Any) -> bool:
    return type(value) in (bool, str) and value in STORED


def _stored(default: str | None) -> Field:
    return passing(_is_stored, '"yes", "no" or "not stated"', default)


# In [settings] these keys apply to every write of the device. In another table they apply to one
# frame, step, command or register.
WEAR = {"stored": _stored(wear.NOT_STATED), "writes_per_day_max": integer(0, 86_400, 0)}
# For families in which each write is a set-point or a permit. No budget of writes may delay these.
UNBOUNDED = {"stored": choice((wear.NO, wear.NOT_STATED), wear.NOT_STATED)}
OWN_STORED = {"stored": _stored(None)}
TYPES = ("u16", "s16", "u32", "s32", "u64", "s64", "float32", "float64")
POSITIVE = ("discharge", "charge", "both")  # the direction that a register counts as positive
SEQUENCES = ("setpoint", "setup", "start", "stop")
WRITE_FUNCTION = choice((6, 16))  # of Modbus: one register, several registers
RAW_MIN, RAW_MAX = -(1 << 31), (1 << 32) - 1  # of a value in one or two registers
MASK = integer(0, RAW_MAX, 0)
ORDERS = dict.fromkeys(("word_order", "byte_order"), choice(("big", "little"), "big"))


def _are_models(value: Any) -> bool:
    models = value if isinstance(value, list) else [value]
    return bool(models) and all(type(model) is int and 1 <= model < 0xFFFF for model in models)


# Where a register is. With `model` the address counts from the ID register of that SunSpec model.
# If several ids are named, the device has one of them. `instance`: number of the model in the
# chain.
PLACE = {
    "address": integer(0, 65535),
    "model": passing(_are_models, "a SunSpec model id 1..65534, or a list of them", None),
    "instance": integer(1, 60, 1),
}
BASE_ADDRESSES = integers(0, 65000, [40000, 50000, 0])  # where "SunS" may lie, in this order
# How registers are read: how many in one read, and how many unused ones may be read between two
# used ones.
READS = {
    "registers_per_read_max": integer(1, 125, 32),
    "gap_registers_max": integer(0, 100, 0),
    "base_addresses": BASE_ADDRESSES,
}
TIMES = {  # times that every converter has
    "restart_silence_ms": integer(500, 60_000),
    "retry_ms": integer(100, 60_000),
    "dead_time_ms": integer(0, 5000),
    "ramp_ms": integer(0, 60_000),
}
SETTINGS = {
    "control_period_ms": integer(20, 5000),
    "heartbeat_ms_max": integer(200, 60_000, 1500),
    **TIMES,
    "repeat_ms": integer(0, 600_000),  # period to repeat all set-point frames; 0: never
    # pause between two set-point frames; a power of 0 does not wait for it
    "setpoint_pause_ms": integer(0, 5000, 0),
    "read_back": flag(),  # the registers of the set-point can be read with function 3
    # the messages that restart the watchdog of the device
    "watchdog": choice(("none", "setpoint", "heartbeat", "reads")),
    "watchdog_s": number(0, 86_400),  # after this time the device does what `on_loss` says
    "on_loss": text(),
    "holds_faults": flag(False),  # the device shows a fault until [[start]] clears it
    "enable_input": flag(False),  # its document names a contact that stops the device
    **WEAR,
    **READS,
}
# A value in a frame of a set-point of a converter.
SETPOINT_ROLES = ("power", "magnitude", "charge", "discharge", "mode", "constant")
_RAW = integer(RAW_MIN, RAW_MAX, None)
SETPOINT_VALUE = {
    "role": choice(SETPOINT_ROLES),
    "type": choice(TYPES),
    **ORDERS,
    **can_form.SCALE,
    "scale_by": choice(("", "rated_W"), ""),
    **dict.fromkeys(("charge", "discharge", "idle"), _RAW),  # for the role "mode"
    "equals": _RAW,  # for the role "constant"
    "release": _RAW,  # never written: this value would let the device choose its own power
}
SETPOINT = {**PLACE, "function": WRITE_FUNCTION, "values": tables(SETPOINT_VALUE), **OWN_STORED}
# A step of the set-up, the start or the stop of a converter. Functions 3 and 4 read until a value
# matches, 6 and 16 write.
STEP = {
    **PLACE,
    "function": choice((3, 4, 6, 16)),
    "type": choice(("u16", "s16", "u32", "s32"), "u16"),
    "word_order": ORDERS["word_order"],
    "mask": MASK,
    "value": _RAW,
    "read_back": flag(False),
    "release": _RAW,
    "repeat_ms": integer(0, 600_000, 0),  # for a step of a start; 0: it is written once
    "equals": integers(RAW_MIN, RAW_MAX, []),
    "timeout_ms": integer(100, 600_000, 10_000),
    "fault": text(""),
    **OWN_STORED,
}
HEARTBEAT = {
    **PLACE,
    "function": WRITE_FUNCTION,
    "period_ms": integer(100, 60_000),
    "count_max": integer(2, 65535, 65535),
    **OWN_STORED,
}
# A write to a BMS on Modbus.
_WORDS = integers(0, 65535, [])
SENT = {
    **PLACE,
    "function": WRITE_FUNCTION,
    "data": _WORDS,
    "data_close": _WORDS,
    "count_max": integer(0, 65535, 0),
    "period_ms": integer(0, 60_000, 1000),
    **OWN_STORED,
}
TABLES = {
    "register_pcs.setpoint.": SETPOINT,
    "register_pcs.setpoint.values.": SETPOINT_VALUE,
    "register_pcs.setup,start,stop.": STEP,
    "register_pcs.heartbeat.": HEARTBEAT,
}
