"""The schema of profiles as data: their tables, and the settings and registers of each family."""

from collections.abc import Callable
from typing import Any

from drivers.profile_values import (
    BOOL,
    INTEGER,
    INTEGERS,
    NUMBER,
    RANGE,
    REQUIRED,
    STATES,
    STRING,
    STRINGS,
    VALUE_MAX,
    Rule,
)

# type: (struct code, registers, raw value of "not implemented"). A float uses NaN for that.
TYPES: dict[str, tuple[str, int, int | None]] = {
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
# of the generic family, which knows no type that is special to SunSpec
SITE_TYPES = ("u16", "s16", "u32", "s32", "u64", "s64", *FLOATS, "bit")
DIRECTIONS = ("read", "write")  # "write" may be read back as well

# key: (kind, low or choices, high, default)
TOP: dict[str, Rule] = {
    "maker": (STRING, None, None, REQUIRED),
    "model": (STRING, None, None, REQUIRED),
    "family": (STRING, None, None, REQUIRED),
    "documents": (STRINGS, None, None, REQUIRED),
}
TIMING: dict[str, Rule] = {
    "period_ms": (INTEGER, 5, 60_000, REQUIRED),
    "turnaround_ms": (INTEGER, 0, 1000, REQUIRED),
    "timeout_ms": (INTEGER, 5, 10_000, REQUIRED),
    "gap_ms": (INTEGER, 0, 1000, 0),
}
REGISTER: dict[str, Rule] = {
    "address": (INTEGER, 0, 65535, REQUIRED),
    "type": (STRING, tuple(TYPES), None, REQUIRED),
    "function": (INTEGER, 1, 16, REQUIRED),
    "count": (INTEGER, 1, 2000, 1),
    "scale": (NUMBER, 1e-9, 1e9, 1),
    "unit": (STRING, None, None, ""),
    "range": (RANGE, -VALUE_MAX, VALUE_MAX, None),
    "direction": (STRING, DIRECTIONS, None, REQUIRED),
}
SENSOR_REGISTER: dict[str, Rule] = REGISTER | {  # for the families of sensor.py
    "full_scale": (INTEGER, 1, 65535, None),
    "over_range_mask": (INTEGER, 0, 65535, 0),
    "untrusted_mask": (INTEGER, 0, 65535, 0),
}
# of a generic device: value = raw * scale + offset, or the entry of `values`
SITE_REGISTER: dict[str, Rule] = {
    "direction": (STRING, ("read", "write", "read write"), None, REQUIRED),
    "type": (STRING, SITE_TYPES, None, REQUIRED),
    "address": (INTEGER, 0, 65535, REQUIRED),
    "function": (INTEGER, (1, 2, 3, 4), None, 3),
    "write_address": (INTEGER, 0, 65535, None),
    "write_function": (INTEGER, (5, 6, 15, 16, 23), None, 16),
    "read_back": (BOOL, None, None, False),  # read the written registers and compare
    "count": (INTEGER, 1, 32, 1),
    "count_by": (STRING, None, None, ""),  # a parameter of the role: so many of the `count` bits
    "scale_by": (STRING, None, None, ""),  # a parameter of the role by which `scale` is multiplied
    "with_words": (INTEGERS, 0, 65535, []),  # registers that follow the value in the same write
    "complement": (BOOL, None, None, False),  # the next register is 65535 less the value's
    "repeat_ms": (INTEGER, 100, 600_000, 1000),
    "pause_ms": (INTEGER, 20, 60_000, 250),  # between two writes of a value that changes
    "word_order": (STRING, ("big", "little"), None, "big"),
    "byte_order": (STRING, ("big", "little"), None, "big"),
    "scale": (NUMBER, -1e9, 1e9, 1),
    "offset": (NUMBER, -1e9, 1e9, 0),
    "unit": (STRING, None, None, ""),
    "range": (RANGE, -VALUE_MAX, VALUE_MAX, REQUIRED),
    "invalid": (INTEGERS, -(1 << 63), (1 << 64) - 1, []),
    "mask": (INTEGER, 0, (1 << 32) - 1, 0),
    "values": (STATES, None, None, {}),
}
# registers that tell a generic device from others: the raw value must be one of `equals`
IDENTITY: dict[str, Rule] = {
    "type": (STRING, ("u16", "s16", "u32", "s32", "u64", "s64"), None, REQUIRED),
    "address": (INTEGER, 0, 65535, REQUIRED),
    "function": (INTEGER, (3, 4), None, 3),
    "word_order": (STRING, ("big", "little"), None, "big"),
    "byte_order": (STRING, ("big", "little"), None, "big"),
    "mask": (INTEGER, 0, (1 << 32) - 1, 0),
    "equals": (INTEGERS, -(1 << 63), (1 << 64) - 1, REQUIRED),
}
POINT: dict[str, Rule] = {
    "offset": (INTEGER, 2, 1000, REQUIRED),
    "type": (STRING, tuple(TYPES), None, REQUIRED),
    "scale_factor": (STRING, None, None, ""),
    "unit": (STRING, None, None, ""),
    "range": (RANGE, -VALUE_MAX, VALUE_MAX, None),
    "direction": (STRING, DIRECTIONS, None, REQUIRED),
}
FRAME_SIGNAL: dict[str, Rule] = {
    "signal": (STRING, None, None, REQUIRED),
    "scale": (NUMBER, 1e-9, 1e9, 1),
    "range": (RANGE, -VALUE_MAX, VALUE_MAX, REQUIRED),
}
# Meanings of a fault bit of a device: the device has failed or must be opened; a warning; a state
# without an alarm. A bit without a name in the profile is a warning.
TRIP, WARN, INFO = MEANINGS = ("trip", "warn", "info")
BIT_MAX = 29  # a signal holds thirty bits
PHASES = (1, 2, 3)
METER_UNITS = {"voltage": "V", "current": "A", "power": "W", "power_factor": ""}


def _meter_registers(settings: dict[str, Any]) -> list[str]:
    return [
        f"{quantity}_{phase + 1}" for quantity in METER_UNITS for phase in range(settings["phases"])
    ]


_MASK = (INTEGER, 1, 65535, REQUIRED)  # bits of the register `status`
_WARMING_MASK = (INTEGER, 1, 65535, 0)
REPORT_FAULTS = ("sunspec_pcs", "native_bms", "pylontech_bms")
DATED = ("status", "calibration_due", "today")
SENSORS = ("gas", "offgas", "toxic", "climate", "ups")  # served by sensor.py

SITE_DEVICE = "site_device"

# (settings, function of the settings -> required registers or frames, optional ones)
Family = tuple[dict[str, Rule], Callable[[dict[str, Any]], Any], tuple[str, ...]]
FAMILIES: dict[str, Family] = {
    "meter": (
        {
            "phases": (INTEGER, PHASES, None, REQUIRED),
            "nominal_voltage_V": (NUMBER, 50, 1000, REQUIRED),
            # each value is the mean over this time, and is valid for this time
            "refresh_ms": (INTEGER, 5, 60_000, REQUIRED),
            "power_tolerance_permille": (INTEGER, 10, 500, REQUIRED),
            "power_tolerance_W": (NUMBER, 0, 10_000, REQUIRED),
        },
        _meter_registers,
        (),
    ),
    "io": (
        {
            "expiry_ms": (INTEGER, 40, 500, REQUIRED),
            "check_period_ms": (INTEGER, 100, 60_000, REQUIRED),
        },
        lambda settings: ("inputs", "coils", "output_expiry"),
        (),
    ),
    # fault_mask: bits that make the values invalid. good_mask: bits that must be 1. invalid_mask:
    # bits with which the driver refuses the reading, so that it becomes stale. warming_mask:
    # likewise, while no other bit of fault_mask is set.
    "gas": (
        {
            "fault_mask": _MASK,
            "warming_mask": _WARMING_MASK,
            "calibrated_lfl_vol_ppm": (INTEGER, 1000, 1_000_000, REQUIRED),
        },
        lambda settings: ("concentration", *DATED),
        (),
    ),
    "offgas": (
        {"fault_mask": _MASK, "warming_mask": _WARMING_MASK},
        lambda settings: ("vapour", *DATED),
        (),
    ),
    "toxic": (
        {"fault_mask": _MASK, "warming_mask": _WARMING_MASK},
        lambda settings: ("hydrogen", "carbon_monoxide", *DATED),
        (),
    ),
    "climate": (
        {"invalid_mask": _MASK},
        lambda settings: ("air_temperature", "humidity", "status"),
        (),
    ),
    "ups": (
        {"good_mask": _MASK, "invalid_mask": _MASK},
        lambda settings: ("reserve", "status"),
        (),
    ),
    "sunspec_pcs": (
        {
            "base_addresses": (INTEGERS, 0, 65000, REQUIRED),
            "control_period_ms": (INTEGER, 20, 5000, REQUIRED),
            "scale_period_ms": (INTEGER, 100, 60_000, REQUIRED),
            "heartbeat_ms_max": (INTEGER, 1100, 10_000, REQUIRED),
            "reversion_s": (INTEGER, 1, 60, REQUIRED),
            "restart_silence_ms": (INTEGER, 500, 60_000, REQUIRED),
            "retry_ms": (INTEGER, 100, 60_000, REQUIRED),
            "dead_time_ms": (INTEGER, 0, 5000, REQUIRED),
            "ramp_ms": (INTEGER, 0, 60_000, REQUIRED),
            "dc_port": (INTEGER, 0, 15, 0),
        },
        lambda settings: (
            "701.InvSt",
            "701.Alrm",
            "701.W",
            "701.W_SF",
            "704.WSetEna",
            "704.WSetMod",
            "704.WSet",
            "704.WSetRvrt",
            "704.WSetEnaRvrt",
            "704.WSetRvrtTms",
            "704.WSetRvrtRem",
            "704.WSet_SF",
            "715.LocRemCtl",
            "715.DERHb",
            "715.ControllerHb",
            "715.OpCtl",
        ),
        (
            "701.DERMode",
            "802.V",
            "802.A",
            "802.V_SF",
            "802.A_SF",
            "714.DCA",
            "714.DCV",
            "714.DCA_SF",
            "714.DCV_SF",
        ),
    ),
    SITE_DEVICE: (
        {
            "role": (STRING, None, None, REQUIRED),
            "registers_per_read_max": (INTEGER, 1, 125, 32),
            "gap_registers_max": (INTEGER, 0, 100, 0),
        },
        lambda settings: (),
        (),
    ),
    "native_bms": (
        {
            "dbc": (STRING, None, None, REQUIRED),
            "node_stride": (INTEGER, 1, 1024, REQUIRED),
            "temperatures_ms_max": (INTEGER, 50, 60_000, REQUIRED),
        },
        lambda settings: ("STATE", "CELLS", "PACK", "LIMITS", "CHARGE", "TEMPERATURES_0"),
        (),
    ),
    "pylontech_bms": (
        {
            "voltage_scale_mV": (INTEGER, (10, 100), None, REQUIRED),
            "current_positive": (STRING, ("charge", "discharge"), None, REQUIRED),
            "voltage_permille_min": (INTEGER, 100, 1000, REQUIRED),
            "voltage_permille_max": (INTEGER, 1000, 2000, REQUIRED),
            "rack_current_mA_max": (INTEGER, 1000, 3_000_000, REQUIRED),
            "flags_ms_max": (INTEGER, 100, 60_000, REQUIRED),
            "foreign_ids": (INTEGERS, 0, 0x7FF, REQUIRED),
        },
        lambda settings: (),
        (),
    ),
}
