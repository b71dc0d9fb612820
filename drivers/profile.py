"""Device profiles: what a device is and where its values lie, as data. This file is the schema and
the loader.

A profile is a TOML file: who made the device, its family (the code that speaks to it), its
documents, timing, the family's settings, and registers (Modbus) or frames (CAN). Every key is known
and bounded here; anything else is refused in one line that says file, key, what is allowed, and the
nearest right key.
"""

import copy
import difflib
import functools
import pathlib
import struct
import tomllib

FOLDER = pathlib.Path(__file__).parent / "profiles"

# type: (struct code, registers, raw value that means "not implemented"); a float says so with NaN.
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
DIRECTIONS = ("read", "write")  # "write" may be read back as well

REQUIRED = object()
DEPTH_MAX, NUMBER_BITS_MAX = 8, 64  # of a file: registers.MODEL.POINT.range is four deep
STRING, INTEGER, NUMBER, INTEGERS, STRINGS, RANGE = (
    "text",
    "a whole number",
    "a number",
    "whole numbers",
    "texts",
    "[low, high]",
)

# key: (kind, low or choices, high, default)
TOP = {
    "maker": (STRING, None, None, REQUIRED),
    "model": (STRING, None, None, REQUIRED),
    "family": (STRING, None, None, REQUIRED),
    "documents": (STRINGS, None, None, REQUIRED),
}
TIMING = {
    "period_ms": (INTEGER, 5, 60_000, REQUIRED),
    "turnaround_ms": (INTEGER, 0, 1000, REQUIRED),
    "timeout_ms": (INTEGER, 5, 10_000, REQUIRED),
    "gap_ms": (INTEGER, 0, 1000, 0),
}
REGISTER = {
    "address": (INTEGER, 0, 65535, REQUIRED),
    "type": (STRING, tuple(TYPES), None, REQUIRED),
    "function": (INTEGER, 1, 16, REQUIRED),
    "count": (INTEGER, 1, 2000, 1),
    "scale": (NUMBER, 1e-9, 1e9, 1),
    "unit": (STRING, None, None, ""),
    "range": (RANGE, None, None, None),
    "direction": (STRING, DIRECTIONS, None, REQUIRED),
}
SENSOR_REGISTER = REGISTER | {  # of the families of sensor.py
    "full_scale": (INTEGER, 1, 65535, None),
    "over_range_mask": (INTEGER, 0, 65535, 0),
    "untrusted_mask": (INTEGER, 0, 65535, 0),
}
POINT = {
    "offset": (INTEGER, 2, 1000, REQUIRED),
    "type": (STRING, tuple(TYPES), None, REQUIRED),
    "scale_factor": (STRING, None, None, ""),
    "unit": (STRING, None, None, ""),
    "range": (RANGE, None, None, None),
    "direction": (STRING, DIRECTIONS, None, REQUIRED),
}
FRAME_SIGNAL = {
    "signal": (STRING, None, None, REQUIRED),
    "scale": (NUMBER, 1e-9, 1e9, 1),
    "range": (RANGE, None, None, REQUIRED),
}
PHASES = (1, 2, 3)


class ProfileError(ValueError):
    """A profile that cannot be used: one line with file, key and what is allowed."""


class Register:
    """One value of a device. `low`, `high` in `unit`; `address` counts from the model's ID register
    for SunSpec.
    """

    __slots__ = (
        "name",
        "address",
        "type",
        "code",
        "words",
        "sentinel",
        "function",
        "count",
        "scale",
        "scale_factor",
        "unit",
        "low",
        "high",
        "direction",
        "full_scale",
        "over_range_mask",
        "untrusted_mask",
    )

    def __init__(self, name, fields):
        self.name = name
        self.address = fields["address"] if "address" in fields else fields["offset"]
        self.type = fields["type"]
        self.code, self.words, self.sentinel = TYPES[self.type]
        self.function = fields.get("function", 3)
        self.count = fields.get("count", 1)
        self.scale = fields.get("scale", 1)
        self.scale_factor = fields.get("scale_factor", "")
        self.unit = fields["unit"]
        self.low, self.high = fields["range"] or (None, None)
        self.direction = fields["direction"]
        self.full_scale, self.over_range_mask = (
            fields.get("full_scale"),
            fields.get("over_range_mask", 0),
        )
        self.untrusted_mask = fields.get("untrusted_mask", 0)


class Profile:
    """A checked profile. `settings` and `registers` are dicts by name; SunSpec registers are named
    "704.WSet".
    """

    __slots__ = (
        "path",
        "maker",
        "model",
        "family",
        "documents",
        "period_ms",
        "turnaround_ms",
        "timeout_ms",
        "gap_ms",
        "settings",
        "registers",
        "frames",
    )

    def __init__(self, path, top, timing, settings, registers, frames):
        self.path = path
        self.maker, self.model, self.family = top["maker"], top["model"], top["family"]
        self.documents = top["documents"]
        self.period_ms, self.turnaround_ms = timing["period_ms"], timing["turnaround_ms"]
        self.timeout_ms, self.gap_ms = timing["timeout_ms"], timing["gap_ms"]
        self.settings = settings
        self.registers = registers
        self.frames = frames

    def block(self, names):
        """(first address, registers, Struct) of one read that holds the named registers, given in
        rising order.

        The Struct unpacks exactly their values. ProfileError when one is missing, they overlap or
        do not rise.
        """
        for name in names:
            if name not in self.registers:
                raise ProfileError(
                    f"{self.path.name}: registers.{name}: missing; it is read with "
                    f"the others of its "
                    "block"
                )
        first = end = self.registers[names[0]].address
        layout = ">"
        for name in names:
            register = self.registers[name]
            if register.address < end:
                raise ProfileError(
                    f"{self.path.name}: registers.{name}: address "
                    f"{register.address} must be "
                    f"{end} or more to be read with registers.{names[0]}"
                )
            layout += f"{(register.address - end) * 2}x{register.code}"
            end = register.address + register.words
        return first, end - first, struct.Struct(layout)


def load(name):
    """The profile `name` (a file in drivers/profiles without .toml, or a path). ProfileError in one
    line.
    """
    path = _path_of(name)
    try:
        data = _parsed(path, path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise ProfileError(f"{path.name}: not TOML: {error}") from error
    except OSError as error:
        raise ProfileError(f"{path.name}: cannot be read: {error.strerror}") from error
    return _checked(path, copy.deepcopy(data))


# up to 16 racks have one BMS: parsing it for each was 30 % of reading a site
@functools.lru_cache(maxsize=32)
def _parsed(path, text):
    """The tables of a profile's text, as it was read: each device gets a copy of its own."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ProfileError(f"{path.name}: not TOML: {error}") from error
    except ValueError:  # of a decimal that is longer than Python reads
        raise ProfileError(
            f"{path.name}: not TOML of ours: a number with thousands of digits"
        ) from None
    except RecursionError:
        raise ProfileError(f"{path.name}: not TOML of ours: nested too deeply") from None
    _check_form(path, data)
    return data


def _check_form(path, data):
    """Refuse what can be read but neither walked nor printed: a key with ever more dots, a
    hexadecimal number.
    """
    level = [data]
    for _ in range(DEPTH_MAX):
        inside = [
            each for one in level for each in (one.values() if isinstance(one, dict) else one)
        ]
        if any(isinstance(each, int) and each.bit_length() > NUMBER_BITS_MAX for each in inside):
            raise ProfileError(
                f"{path.name}: not TOML of ours: a number of more than {NUMBER_BITS_MAX} bits"
            )
        level = [each for each in inside if isinstance(each, (dict, list))]
    if level:
        raise ProfileError(f"{path.name}: not TOML of ours: nested too deeply")


def _path_of(name):
    path = pathlib.Path(name)
    if path.suffix == ".toml":
        if not path.is_file():
            raise ProfileError(f"{name}: no such profile file")
        return path
    path = FOLDER / f"{name}.toml"
    if not path.is_file():
        known = sorted(entry.stem for entry in FOLDER.glob("*.toml"))
        raise ProfileError(
            f"{name}: no such profile{_nearest(str(name), known)}; there are {', '.join(known)}"
        )
    return path


def _checked(path, data):
    family = data.get("family")
    if not isinstance(family, str) or family not in FAMILIES:
        raise ProfileError(
            f"{path.name}: family: {family!r}; allowed {', '.join(FAMILIES)}"
            + _nearest(str(family), FAMILIES)
        )
    settings_schema, required, optional = FAMILIES[family]
    tables = ("timing", "settings", "registers", "frames")
    _tables(path, "", {name: data[name] for name in tables if name in data})
    top = _table(
        path, "", {key: value for key, value in data.items() if key not in tables}, TOP, tables
    )
    timing = _table(path, "timing.", data.get("timing", {}), TIMING)
    settings = _table(path, "settings.", data.get("settings", {}), settings_schema)
    registers = _registers(path, family, data.get("registers", {}))
    frames = {
        frame: _named(path, f"frames.{frame}.", table, FRAME_SIGNAL)
        for frame, table in _tables(path, "frames.", data.get("frames", {})).items()
    }
    _check_names(
        path,
        "registers.",
        registers,
        required(settings) if not family.endswith("_bms") else (),
        optional,
    )
    _check_names(path, "frames.", frames, required(settings) if family.endswith("_bms") else (), ())
    return Profile(path, top, timing, settings, registers, frames)


def _check_names(path, prefix, present, required, optional):
    for name in present:
        if name not in required and name not in optional:
            raise ProfileError(
                f"{path.name}: {prefix}{name}: unknown name{_nearest(name, (*required, *optional))}"
            )
    for name in required:
        if name not in present:
            raise ProfileError(f"{path.name}: {prefix}{name}: missing; the family needs it")


def _registers(path, family, data):
    """{name: Register}; the tables of a SunSpec profile are one level deeper, by model."""
    if family in SENSORS:
        rows = _named(path, "registers.", data, SENSOR_REGISTER)
        for name, fields in rows.items():
            _check_sensor_register(path, f"registers.{name}", fields)
            if name in _DATED:
                _check_plain_register(path, f"registers.{name}", fields)
    elif family != "sunspec_pcs":
        rows = _named(path, "registers.", data, REGISTER)
        for name, fields in rows.items() if family == "meter" else ():
            _check_range(path, f"registers.{name}", fields)
            _check_plain_register(path, f"registers.{name}", fields)
    else:
        rows = {}
        for model, table in _tables(path, "registers.", data).items():
            points = _named(path, f"registers.{model}.", table, POINT)
            for name, fields in points.items():
                _check_scale_factor(
                    path, f"registers.{model}.{name}", fields["scale_factor"], points
                )
                rows[f"{model}.{name}"] = fields
    return {name: Register(name, fields) for name, fields in rows.items()}


def _check_sensor_register(path, place, fields):
    """One read takes them all, every value has a range, and saturation needs to know what it is to
    read.
    """
    if fields["function"] != 4:
        raise ProfileError(
            f"{path.name}: {place}.function: {fields['function']}; allowed 4, input registers"
        )
    if fields["type"] not in ("u16", "s16"):
        raise ProfileError(f"{path.name}: {place}.type: {fields['type']!r}; allowed u16, s16")
    _check_range(path, place, fields)
    for key in ("over_range_mask", "untrusted_mask"):
        if fields[key] and fields["full_scale"] is None:
            raise ProfileError(f"{path.name}: {place}.full_scale: missing; {key} needs it")


def _check_range(path, place, fields):
    if fields["range"] is None:
        raise ProfileError(f"{path.name}: {place}.range: missing; allowed [low, high]")


def _check_plain_register(path, place, fields):
    """Bits, dates and what a meter tells are taken as they are: a scale would be said and have no
    effect, and a date that saturates would be a calibration that is never due.
    """
    for key in ("scale", "full_scale", "over_range_mask", "untrusted_mask"):
        plain = SENSOR_REGISTER[key][3]
        if fields.get(key, plain) != plain:
            raise ProfileError(
                f"{path.name}: {place}.{key}: {fields[key]}; allowed "
                f"{plain or 'none'}, it is taken as "
                "it is"
            )


def _check_scale_factor(path, place, name, points):
    if name and (name not in points or points[name]["type"] != "sunssf"):
        raise ProfileError(
            f"{path.name}: {place}.scale_factor: {name!r}; allowed a sunssf point of the same model"
        )


def _tables(path, prefix, data):
    for name, table in data.items():
        if not isinstance(table, dict):
            raise ProfileError(f"{path.name}: {prefix}{name}: {table!r}; allowed a table")
    return data


def _named(path, prefix, data, schema):
    return {
        name: _table(path, f"{prefix}{name}.", table, schema)
        for name, table in _tables(path, prefix, data).items()
    }


def _table(path, prefix, data, schema, more=()):
    """data checked against schema, defaults filled in."""
    for key in data:
        if key not in schema:
            raise ProfileError(
                f"{path.name}: {prefix}{key}: unknown key{_nearest(key, tuple(schema) + more)}"
            )
    return {
        key: _value(path, prefix + key, data.get(key, rule[3]), rule)
        for key, rule in schema.items()
    }


def _value(path, place, value, rule):
    kind, low, high, _ = rule
    if value is REQUIRED:
        raise ProfileError(f"{path.name}: {place}: missing; allowed {_allowed(kind, low, high)}")
    # None: only a default can be
    if value is None or _IS[kind](value) and _within(value, low, high):
        return value
    raise ProfileError(f"{path.name}: {place}: {value!r}; allowed {_allowed(kind, low, high)}")


def _within(value, low, high):
    if low is None:
        return True
    if isinstance(low, tuple):
        return value in low
    return all(low <= item <= high for item in (value if isinstance(value, list) else [value]))


def _allowed(kind, low, high):
    if low is None:
        return kind
    if isinstance(low, tuple):
        return ", ".join(map(str, low))
    return f"{kind} from {low} to {high}"


def _is_integer(value):
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value):
    return isinstance(value, float) or _is_integer(value)


def _is_range(value):
    return (
        isinstance(value, list)
        and len(value) == 2
        and all(map(_is_number, value))
        and value[0] <= value[1]
    )


_IS = {
    STRING: lambda value: isinstance(value, str),
    INTEGER: _is_integer,
    NUMBER: _is_number,
    INTEGERS: lambda value: isinstance(value, list) and all(map(_is_integer, value)),
    STRINGS: lambda value: isinstance(value, list) and all(isinstance(item, str) for item in value),
    RANGE: _is_range,
}


def _nearest(key, keys):
    found = difflib.get_close_matches(key, list(keys), 1)
    return f", did you mean {found[0]}?" if found else ""


def _meter_registers(settings):
    return [
        f"{quantity}_{phase + 1}"
        for quantity in ("voltage", "current", "power", "power_factor")
        for phase in range(settings["phases"])
    ]


_MASK = (INTEGER, 1, 65535, REQUIRED)  # bits of the register `status`
_WARMING_MASK = (INTEGER, 1, 65535, 0)
_DATED = ("status", "calibration_due", "today")
SENSORS = ("gas", "offgas", "toxic", "climate", "ups")  # served by sensor.py

# family: (settings, function of the settings -> registers (or frames) it cannot do without, those
# it may have)
FAMILIES = {
    "meter": (
        {
            "phases": (INTEGER, PHASES, None, REQUIRED),
            "nominal_voltage_V": (NUMBER, 50, 1000, REQUIRED),
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
    # fault_mask: bits that say the values are not to be trusted; good_mask: bits that must be 1;
    # invalid_mask: bits with which the reading is refused, so that it ages; warming_mask: likewise
    # while no other of fault_mask is set.
    "gas": (
        {
            "fault_mask": _MASK,
            "warming_mask": _WARMING_MASK,
            "calibrated_lfl_vol_ppm": (INTEGER, 1000, 1_000_000, REQUIRED),
        },
        lambda settings: ("concentration", *_DATED),
        (),
    ),
    "offgas": (
        {"fault_mask": _MASK, "warming_mask": _WARMING_MASK},
        lambda settings: ("vapour", *_DATED),
        (),
    ),
    "toxic": (
        {"fault_mask": _MASK, "warming_mask": _WARMING_MASK},
        lambda settings: ("hydrogen", "carbon_monoxide", *_DATED),
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
