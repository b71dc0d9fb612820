"""The forms (allowed keys) of a device's profile: its tables, and the settings and registers of
each family of devices.
"""

from typing import Any

from controller.config import can_form, converter_form
from controller.forms.field import (
    Field,
    Form,
    choice,
    flag,
    integer,
    integers,
    is_list,
    is_text,
    number,
    passing,
    table,
    tables,
    text,
    texts,
)

# {type: (struct code, registers, raw value of "not implemented")}. A float uses NaN for it.
TYPES = {
    "u16": ("H", 1, 0xFFFF),
    "s16": ("h", 1, -0x8000),
    "enum16": ("H", 1, 0xFFFF),
    "sunssf": ("h", 1, -0x8000),
    "u32": ("I", 2, 0xFFFFFFFF),
    "s32": ("i", 2, -0x80000000),
    "bitfield32": ("I", 2, 0xFFFFFFFF),
    "float32": ("f", 2, None),
    "bit": ("", 0, None),
}
LONG_TYPES = {"u64": ("Q", 4, None), "s64": ("q", 4, None), "float64": ("d", 4, None)}
ALL_TYPES: dict[str, tuple[str, int, int | None]] = TYPES | LONG_TYPES
FLOATS = ("float32", "float64")
# Types of a generic device, without the types that only SunSpec uses.
SITE_TYPES = ("u16", "s16", "u32", "s32", "u64", "s64", *FLOATS, "bit")
_READ_FUNCTION = choice((3, 4), 3)  # of Modbus: holding registers, input registers
DIRECTIONS = ("read", "write")  # a register with "write" may also be read back


def raw_range(fields: dict[str, Any], is_masked: bool) -> tuple[int, int, str]:
    """(lowest raw value, highest raw value, why) of a register. is_masked: for the bits that the
    register's mask leaves.
    """
    kind, mask = fields["type"], fields.get("mask", 0)
    size = 1 << 16 * ALL_TYPES[kind][1]
    if is_masked and mask:
        return 0, mask // (mask & -mask), "the bits of mask from the lowest of them on"
    if kind == "bit":
        return 0, fields.get("count", 1), f"as {kind} reads"
    below = size // 2 if kind.startswith("s") else 0
    return -below, size - 1 - below, f"as {kind} reads"


def _is_stated(value: Any) -> bool:
    return is_text(value) and bool(value.strip("? "))


TIMING = {
    "period_ms": integer(5, 60_000),
    "turnaround_ms": integer(0, 1000),
    "timeout_ms": integer(5, 10_000),
    "gap_ms": integer(0, 1000, 0),
}
REGISTER = {
    "address": integer(0, 65535),
    "type": choice(TYPES),
    "function": integer(1, 16),
    "count": integer(1, 2000, 1),
    "scale": number(1e-9, 1e9, 1),
    "unit": text(""),
    "range": can_form.bounds(None),
    "direction": choice(DIRECTIONS),
}
SENSOR_REGISTER = REGISTER | {  # for the families of sensor.py
    "full_scale": integer(1, 65535, None),
    "over_range_mask": integer(0, 65535, 0),
    "untrusted_mask": integer(0, 65535, 0),
}
# Register of a generic device: value = raw * scale + offset, or the entry of `values`.
SITE_REGISTER = {
    "direction": choice(("read", "write", "read write")),
    "type": choice(SITE_TYPES),
    **converter_form.PLACE,
    "function": choice((1, 2, 3, 4), 3),
    "write_address": integer(0, 65535, None),
    "write_function": choice((5, 6, 15, 16, 23), 16),
    "read_back": flag(False),  # read the written registers and compare
    "count": integer(1, 32, 1),
    "count_by": text(""),  # the parameter of the role that says how many bits are used
    "scale_by": text(""),  # a parameter of the role by which `scale` is multiplied
    "scale_from": text(""),  # the register of a power of ten by which `scale` is multiplied
    "with_words": integers(0, 65535, []),  # registers that follow the value in the same write
    # these words if an installer has fixed the limit for ever; -1: any word
    "fixed_words": integers(-1, 65535, []),
    "complement": flag(False),  # true: the next register holds 65535 minus the value
    "repeat_ms": integer(100, 600_000, None),  # wear_profile.py has the defaults
    **converter_form.OWN_STORED,
    "pause_ms": integer(20, 60_000, 250),  # between two writes of a value that changes
    **converter_form.ORDERS,
    **can_form.SCALE,
    "unit": text(""),
    "range": can_form.bounds(),
    "invalid": integers(-(1 << 63), (1 << 64) - 1, []),
    "mask": converter_form.MASK,
    "values": can_form.STATES,
}
_WRITTEN = (
    "write_address",
    "write_function",
    "read_back",
    "with_words",
    "fixed_words",
    "complement",
    "repeat_ms",
    "pause_ms",
    "count_by",
    "stored",
)
# the registers that are read from a converter
PCS_REGISTER = {key: field for key, field in SITE_REGISTER.items() if key not in _WRITTEN}
PCS_REGISTER["direction"] = choice(("read",), "read")
PCS_REGISTER["scale_by"] = converter_form.SETPOINT_VALUE["scale_by"]
PCS_REGISTER["positive"] = choice(("", *converter_form.POSITIVE), "")
# registers of a BMS; `count` of an array is the most values that the device has
BMS_REGISTER = PCS_REGISTER | {"count": integer(1, 1024, 1), "period_ms": integer(10, 60_000, 0)}
del BMS_REGISTER["scale_by"], BMS_REGISTER["positive"]
# {key: default} for the keys that the form of a register does not have
PLAIN = {key: field.default for key, field in SITE_REGISTER.items()} | {"direction": "read"}
METER_REGISTER = {
    "direction": choice(("read",), "read"),
    "type": choice(SITE_TYPES[:-1]),
    "function": _READ_FUNCTION,
    **converter_form.PLACE,
    **{
        key: SITE_REGISTER[key]
        for key in (*converter_form.ORDERS, *can_form.SCALE, "invalid", "unit", "scale_from")
    },
    "range": can_form.bounds(None),
}
SERIAL = {
    **converter_form.PLACE,
    "address": integer(0, 65535, 0),
    "registers": integer(0, 16, 0),  # 0: the serial number cannot be read
    "function": _READ_FUNCTION,
    "form": choice(("text", "number"), "text"),
}
# Registers that identify a device. The raw value must be one of `equals`.
IDENTITY = {
    "type": choice(("u16", "s16", "u32", "s32", "u64", "s64")),
    **converter_form.PLACE,
    "function": _READ_FUNCTION,
    **converter_form.ORDERS,
    "mask": converter_form.MASK,
    "equals": integers(-(1 << 63), (1 << 64) - 1),
}
POINT = {
    "offset": integer(2, 1000),
    "type": choice(TYPES),
    "scale_factor": text(""),
    "unit": text(""),
    "range": can_form.bounds(None),
    "direction": choice(DIRECTIONS),
}
# Meanings of a fault bit. trip: the device has failed or must be opened. warn: a warning. info: a
# state without an alarm. A bit without a name in the profile is a warning.
TRIP, WARN, INFO = MEANINGS = ("trip", "warn", "info")
BIT_MAX = 29  # a signal holds thirty bits
_MASK = integer(1, 65535)  # bits of the register `status`
_MASKS = {"fault_mask": _MASK, "warming_mask": integer(1, 65535, 0)}
CAN_BMS, REGISTER_BMS = "can_bms", "register_bms"
REPORT_FAULTS = ("sunspec_pcs", "register_pcs", CAN_BMS, REGISTER_BMS)
DATED = ("status", "calibration_due", "today")
SENSORS = ("gas", "offgas", "toxic", "climate", "ups")  # served by sensor.py

SITE_DEVICE, REGISTER_PCS, SUNSPEC_PCS = "site_device", "register_pcs", "sunspec_pcs"
BY_REGISTERS = (SITE_DEVICE, REGISTER_PCS, REGISTER_BMS)
IDENTIFIED = ("meter", SITE_DEVICE, REGISTER_PCS, REGISTER_BMS)  # families with [identity]
DISCOVERED = (*IDENTIFIED, "sunspec_pcs")  # families whose registers may be in SunSpec models

# The settings of each family.
# fault_mask: bits that make the values invalid.
# good_mask: bits that must be 1.
# invalid_mask: bits with which the driver refuses the reading; the values then become stale.
# warming_mask: bits with the effect of invalid_mask, while no other bit of fault_mask is set.
FAMILIES = {
    "meter": {
        "phases": choice((0, 1, 2, 3)),  # 0: the meter has only a total power
        "nominal_voltage_V": number(50, 1000, None),
        # each value of the meter is a mean over this time, and the next one comes after this time
        "refresh_ms": integer(5, 60_000),
        "power_tolerance_permille": integer(10, 500),
        "power_tolerance_W": number(0, 10_000),
        "inverted": flag(False),  # positive is export
        "registers_per_read_max": integer(1, 125, 125),
        "gap_registers_max": integer(0, 125, 125),
        "base_addresses": converter_form.BASE_ADDRESSES,
    },
    "io": converter_form.UNBOUNDED
    | {"expiry_ms": integer(40, 500), "check_period_ms": integer(100, 60_000)},
    "gas": _MASKS | {"calibrated_lfl_vol_ppm": integer(1000, 1_000_000)},
    "offgas": _MASKS,
    "toxic": _MASKS,
    "climate": {"invalid_mask": _MASK},
    "ups": {"good_mask": _MASK, "invalid_mask": _MASK},
    "sunspec_pcs": {
        "base_addresses": integers(0, 65000),
        "control_period_ms": integer(20, 5000),
        "scale_period_ms": integer(100, 60_000),
        "heartbeat_ms_max": integer(1100, 10_000),
        "reversion_s": integer(1, 60),
        **converter_form.TIMES,
        "dc_port": integer(0, 15, 0),
        **converter_form.UNBOUNDED,
    },
    SITE_DEVICE: {"role": text(), **converter_form.READS, **converter_form.WEAR},
    REGISTER_PCS: converter_form.SETTINGS,
    CAN_BMS: can_form.SETTINGS,
    REGISTER_BMS: {
        **can_form.RACK_SETTINGS,
        **converter_form.READS,
        **converter_form.WEAR,
        "heartbeat_ms_max": integer(200, 60_000, 3000),
        # unit id of its replies minus unit id of the requests
        "reply_id_offset": integer(-255, 255, 0),
    },
}
# The registers that a profile of the family must have. For a meter see meter_profile.py, for a
# generic device site_devices.py.
NEEDED = {
    "io": ("inputs", "coils", "output_expiry"),
    "gas": ("concentration", *DATED),
    "offgas": ("vapour", *DATED),
    "toxic": ("hydrogen", "carbon_monoxide", *DATED),
    "climate": ("air_temperature", "humidity", "status"),
    "ups": ("reserve", "status"),
    "sunspec_pcs": (
        *"701.InvSt 701.Alrm 701.W 701.W_SF 704.WSetEna 704.WSetMod 704.WSet 704.WSetRvrt".split(),
        *"704.WSetEnaRvrt 704.WSetRvrtTms 704.WSetRvrtRem 704.WSet_SF 715.LocRemCtl".split(),
        *"715.DERHb 715.ControllerHb 715.OpCtl".split(),
    ),
    REGISTER_PCS: ("power_W", "dc_voltage_mV"),
}
OPTIONAL = {
    "sunspec_pcs": "701.DERMode 802.V 802.A 802.V_SF 802.A_SF 714.DCA 714.DCV 714.DCA_SF "
    "714.DCV_SF".split()
}


PROVEN = ("simulated only", "hardware")
# A reading that proves the register map: of a device, in a document, made from the map, or none.
EVIDENCE = ("captured", "documented", "constructed", "none")
MAP_ONLY = EVIDENCE[2:]
TABLES = ("settings", "registers", "identity", "fault_bits", "heartbeat", *can_form.TABLES)
_STATED = passing(_is_stated, "a text")  # a skeleton has "?" where a text is to be filled in
TOP = {
    "maker": _STATED,
    "model": _STATED,
    "family": choice(FAMILIES),
    "documents": passing(lambda value: is_list(value, _is_stated), "a list of texts"),
    "proven": choice(PROVEN, PROVEN[0]),
    "evidence": choice(EVIDENCE, EVIDENCE[-1]),
    "evidence_of": texts([]),
    **dict.fromkeys(TABLES, table(default={})),
    **dict.fromkeys(converter_form.SEQUENCES, tables(default=[])),
    "timing": table(TIMING, {}),
    "serial": table(SERIAL, {}),
}


def every_table() -> dict[str, Form]:
    """{"families.table.": its form}. "sensors" means all of SENSORS, NAME any name."""
    return {
        "": {key: field for key, field in TOP.items() if field.kind[:5] != "table"},
        "timing.": TIMING,
        "serial.": SERIAL,
        **{f"{family}.settings.": settings for family, settings in FAMILIES.items()},
        "io.registers.NAME.": REGISTER,
        "meter.registers.NAME.": METER_REGISTER,
        "sensors.registers.NAME.": SENSOR_REGISTER,
        "site_device.registers.NAME.": SITE_REGISTER,
        "register_pcs.registers.NAME.": PCS_REGISTER,
        "register_bms.registers.NAME.": BMS_REGISTER,
        "meter,site_device,register_pcs,register_bms.identity.NAME.": IDENTITY,
        **converter_form.TABLES,
        "sunspec_pcs.registers.MODEL.NAME.": POINT,
        **{f"{CAN_BMS}.{name}.NAME.": form for name, form in can_form.TABLES.items()},
        f"{REGISTER_BMS}.sent.NAME.": converter_form.SENT,
    }


def every_key() -> list[tuple[str, Field]]:
    """(key, Field) of every key of a profile."""
    prefixed = every_table().items()
    return [(prefix + key, field) for prefix, form in prefixed for key, field in form.items()]
