"""Device profiles: what a device is and where its values lie, as data. This file is the loader.

A profile is a TOML file: who made the device, its family (the code that speaks to it), its
documents, timing, the family's settings, registers (Modbus) or frames (CAN). profile_schema.py
knows every key and its bounds.
"""

import functools
import pathlib
import pickle
import struct
import tomllib
from types import SimpleNamespace

from drivers import profile_schema as schema
from drivers.profile_values import (
    INTEGER,
    REQUIRED,
    ProfileError,
    fields_of,
    nearest,
    only_tables,
    rows_of,
    wrong,
)

FOLDER = pathlib.Path(__file__).parent / "profiles"
DEPTH_MAX, NUMBER_BITS_MAX = 8, 64  # of a file: registers.MODEL.POINT.range is four deep


class Register(SimpleNamespace):
    """One value of a device: `name` and the keys of its table, of its type `code`, `words` and
    `sentinel`, of its range `low` and `high`, in `unit`. `address` counts from the model's ID
    register for SunSpec.
    """


class Profile(SimpleNamespace):
    """A checked profile: `path`, the keys of its top and of [timing]; `settings`, `registers` and
    `frames` are dicts by name; SunSpec registers are named "704.WSet". `fault_bits`: {meaning:
    {name: bit}}.
    """

    def mask(self, meaning: str) -> int:
        """The bits of one of schema.MEANINGS, as a number."""
        return sum([1 << bit for bit in self.fault_bits[meaning].values()])

    def block(self, names: list) -> tuple:
        """(first address, registers, Struct) of one read that holds the named registers, given in
        rising order.

        The Struct unpacks exactly their values. ProfileError when one is missing, they overlap or
        do not rise.
        """
        for name in names:
            if name not in self.registers:
                raise wrong(
                    self.path, f"registers.{name}: missing; it is read with the others of its block"
                )
        first = end = self.registers[names[0]].address
        layout = ">"
        for name in names:
            register = self.registers[name]
            if register.address < end:
                raise wrong(
                    self.path,
                    f"registers.{name}: address {register.address} must be "
                    f"{end} or more to be read with registers.{names[0]}",
                )
            layout += f"{(register.address - end) * 2}x{register.code}"
            end = register.address + register.words
        return first, end - first, struct.Struct(layout)


def load(name: str):
    """The profile `name` (a file in drivers/profiles without .toml, or a path). ProfileError in one
    line.
    """
    path = _path_of(name)
    try:
        pickled = _pickled(path, path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise wrong(path, f"not TOML: {error}") from error
    except OSError as error:
        raise wrong(path, f"cannot be read: {error.strerror}") from error
    return pickle.loads(pickled)


# up to 16 racks have one BMS, and each device gets a copy of its own: a pickle gives it fastest
@functools.lru_cache(maxsize=32)
def _pickled(path, text):
    """The checked profile of a text, pickled."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise wrong(path, f"not TOML: {error}") from error
    except ValueError:  # of a decimal that is longer than Python reads
        raise wrong(path, "not usable TOML: a number is too long") from None
    except RecursionError:
        raise wrong(path, "not usable TOML: nested too deeply") from None
    _check_form(path, data)
    return pickle.dumps(_checked(path, data))


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
            raise wrong(path, f"not usable TOML: a number of more than {NUMBER_BITS_MAX} bits")
        level = [each for each in inside if isinstance(each, (dict, list))]
    if level:
        raise wrong(path, "not usable TOML: nested too deeply")


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
            f"{name}: no such profile{nearest(str(name), known)}; there are {', '.join(known)}"
        )
    return path


def _checked(path, data):
    family = data.get("family")
    if not isinstance(family, str) or family not in schema.FAMILIES:
        raise wrong(
            path,
            f"family: {family!r}; allowed {', '.join(schema.FAMILIES)}"
            + nearest(str(family), schema.FAMILIES),
        )
    settings_schema, required, optional = schema.FAMILIES[family]
    tables = ("timing", "settings", "registers", "frames", "fault_bits")
    only_tables(path, "", {name: data[name] for name in tables if name in data})
    top = fields_of(
        path,
        "",
        {key: value for key, value in data.items() if key not in tables},
        schema.TOP,
        tables,
    )
    timing = fields_of(path, "timing.", data.get("timing", {}), schema.TIMING)
    settings = fields_of(path, "settings.", data.get("settings", {}), settings_schema)
    registers = _registers(path, family, data.get("registers", {}))
    frames = {
        frame: rows_of(path, f"frames.{frame}.", table, schema.FRAME_SIGNAL)
        for frame, table in only_tables(path, "frames.", data.get("frames", {})).items()
    }
    _check_names(
        path,
        "registers.",
        registers,
        required(settings) if not family.endswith("_bms") else (),
        optional,
    )
    _check_names(path, "frames.", frames, required(settings) if family.endswith("_bms") else (), ())
    bits = _fault_bits(path, family, data.get("fault_bits", {}))
    own = {"settings": settings, "registers": registers, "frames": frames, "fault_bits": bits}
    return Profile(path=path, **top, **timing, **own)


def _fault_bits(path, family, data):
    """{meaning: {name: bit}}: all meanings, each bit once."""
    meanings = schema.MEANINGS if family in schema.TELLS_FAULTS else ()
    only_tables(path, "fault_bits.", data)
    _check_names(path, "fault_bits.", data, meanings, ())
    seen: dict = {}
    for meaning, table in data.items():
        places = {name: f"fault_bits.{meaning}.{name}" for name in table}
        rule = (INTEGER, 0, schema.BIT_MAX, REQUIRED)
        fields_of(path, f"fault_bits.{meaning}.", table, dict.fromkeys(table, rule))
        for name, bit in table.items():
            other = seen.setdefault(bit, places[name])
            if other != places[name]:
                raise wrong(path, f"{places[name]}: {bit}; allowed a bit of its own ({other})")
    return data


def _check_names(path, prefix, present, required, optional):
    for name in present:
        if name not in required and name not in optional:
            raise wrong(
                path, f"{prefix}{name}: unknown name{nearest(name, (*required, *optional))}"
            )
    for name in required:
        if name not in present:
            raise wrong(path, f"{prefix}{name}: missing; the family needs it")


def _registers(path, family, data):
    """{name: Register}; the tables of a SunSpec profile are one level deeper, by model."""
    if family in schema.SENSORS:
        rows = rows_of(path, "registers.", data, schema.SENSOR_REGISTER)
        for name, fields in rows.items():
            _check_sensor_register(path, f"registers.{name}", fields)
            if name in schema.DATED:
                _check_plain_register(path, f"registers.{name}", fields)
    elif family != "sunspec_pcs":
        rows = rows_of(path, "registers.", data, schema.REGISTER)
        for name, fields in rows.items() if family == "meter" else ():
            _check_range(path, f"registers.{name}", fields)
            _check_plain_register(path, f"registers.{name}", fields)
            _check_meter_unit(path, name, fields)
    else:
        rows = {}
        for model, table in only_tables(path, "registers.", data).items():
            points = rows_of(path, f"registers.{model}.", table, schema.POINT)
            for name, fields in points.items():
                _check_scale_factor(
                    path, f"registers.{model}.{name}", fields["scale_factor"], points
                )
                rows[f"{model}.{name}"] = fields
    return {name: _register(name, fields) for name, fields in rows.items()}


def _register(name, fields):
    code, words, sentinel = schema.TYPES[fields["type"]]
    low, high = fields["range"] or (None, None)
    own = {"name": name, "address": fields.get("offset"), "low": low, "high": high}
    return Register(code=code, words=words, sentinel=sentinel, **{**own, **fields})


def _check_sensor_register(path, place, fields):
    """One read takes them all, every value has a range, and saturation needs to know what it is to
    read.
    """
    if fields["function"] != 4:
        raise wrong(path, f"{place}.function: {fields['function']}; allowed 4, input registers")
    if fields["type"] not in ("u16", "s16"):
        raise wrong(path, f"{place}.type: {fields['type']!r}; allowed u16, s16")
    _check_range(path, place, fields)
    for key in ("over_range_mask", "untrusted_mask"):
        if fields[key] and fields["full_scale"] is None:
            raise wrong(path, f"{place}.full_scale: missing; {key} needs it")


def _check_range(path, place, fields):
    if fields["range"] is None:
        raise wrong(path, f"{place}.range: missing; allowed [low, high]")


def _check_plain_register(path, place, fields):
    """Bits, dates and what a meter tells are taken as they are: a scale would be said and have no
    effect, and a date that saturates would be a calibration that is never due.
    """
    for key in ("scale", "full_scale", "over_range_mask", "untrusted_mask"):
        plain = schema.SENSOR_REGISTER[key][3]
        if fields.get(key, plain) != plain:
            raise wrong(
                path,
                f"{place}.{key}: {fields[key]}; allowed {plain or 'none'}, it is taken as it is",
            )


def _check_meter_unit(path, name, fields):
    """A power in kW would be taken as W, so that the grid meter shows a thousandth."""
    unit = schema.METER_UNITS.get(name[:-2])
    if unit is not None and fields["unit"] != unit:
        raise wrong(path, f"registers.{name}.unit: {fields['unit']!r}; allowed {unit!r}")


def _check_scale_factor(path, place, name, points):
    if name and (name not in points or points[name]["type"] != "sunssf"):
        raise wrong(
            path, f"{place}.scale_factor: {name!r}; allowed a sunssf point of the same model"
        )
