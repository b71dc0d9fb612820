"""The loader of device profiles: a device and the places of its values, as data.

A profile is a TOML file: maker, family (the code for the device), documents, timing, settings of
the family, registers (Modbus) or frames (CAN). profile_schema.py has every key and its bounds.
"""

import functools
import math
import pathlib
import pickle
import struct
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any, cast

from drivers import profile_schema as schema, register_checks, toml_text
from drivers.profile_values import (
    INTEGER,
    REQUIRED,
    ProfileError,
    Table,
    fields_of,
    nearest,
    only_tables,
    rows_of,
    wrong,
)

Names = Iterable[str]
FOLDER = pathlib.Path(__file__).parent / "profiles"
DEPTH_MAX, NUMBER_BITS_MAX = 8, 64  # of a file; registers.MODEL.POINT.range has depth four


class Register(SimpleNamespace):
    """One value of a device: its name, the keys of its table, and the parts of its type and range.

    A SunSpec address counts from the ID register of its model. A sensor register also has
    `full_scale` (int or None), `over_range_mask` and `untrusted_mask`.
    """

    name: str
    address: int
    function: int
    type: str
    code: str  # of struct
    words: int
    sentinel: int | None  # raw value of "not implemented"
    unit: str
    scale: float
    low: float  # None without a range; the loader requires the ranges that a driver reads
    high: float


class Profile(SimpleNamespace):
    """A checked profile: its path, the keys of its top and of [timing], and its tables by name."""

    path: pathlib.Path
    maker: str
    model: str
    family: str
    documents: list[str]
    period_ms: int
    turnaround_ms: int
    timeout_ms: int
    gap_ms: int
    settings: dict[str, Any]
    registers: dict[str, Register]  # of SunSpec as "704.WSet"
    identity: dict[str, Register]  # each with `equals`, of a generic device
    frames: dict[str, dict[str, Table]]
    fault_bits: dict[str, dict[str, int]]  # meaning: {name: bit}

    def mask(self, meaning: str) -> int:
        """The bits of one of schema.MEANINGS, as a number."""
        return sum([1 << bit for bit in self.fault_bits[meaning].values()])

    def block(self, names: list[str]) -> tuple[int, int, struct.Struct]:
        """(first address, registers, Struct) of one read of the named registers.

        The Struct unpacks exactly their values. ProfileError when a register is missing, overlaps
        or is not in rising order.
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


def load(name: str) -> Profile:
    """The profile `name` (a file in drivers/profiles without .toml, or a path). ProfileError in one
    line.
    """
    path = _path_of(name)
    try:
        pickled = _pickled(path, toml_text.file_text(path))
    except toml_text.TomlError as error:
        raise wrong(path, str(error)) from None
    except OSError as error:
        raise wrong(path, f"cannot be read: {error.strerror}") from error
    return cast(Profile, pickle.loads(pickled))


# up to 16 racks share a profile, and each device gets its own copy: unpickling is the fastest copy
@functools.lru_cache(maxsize=32)
def _pickled(path: pathlib.Path, text: str) -> bytes:
    """The checked profile of a text, pickled. Raises toml_text.TomlError, ProfileError."""
    data = toml_text.loads(text)
    _check_form(path, data)
    return pickle.dumps(_checked(path, data))


def _check_form(path: pathlib.Path, data: Table) -> None:
    """Refuse a readable file that cannot be walked or printed: too deep, or a huge hex number."""
    level: list[Any] = [data]
    for _ in range(DEPTH_MAX):
        inside = [
            each for one in level for each in (one.values() if isinstance(one, dict) else one)
        ]
        if any(isinstance(each, int) and each.bit_length() > NUMBER_BITS_MAX for each in inside):
            raise wrong(path, f"not usable TOML: a number of more than {NUMBER_BITS_MAX} bits")
        level = [each for each in inside if isinstance(each, (dict, list))]
    if level:
        raise wrong(path, "not usable TOML: nested too deeply")


def _path_of(name: str) -> pathlib.Path:
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


def _checked(path: pathlib.Path, data: Table) -> Profile:
    family = data.get("family")
    if not isinstance(family, str) or family not in schema.FAMILIES:
        found = "missing" if family is None else repr(family)
        near = nearest(str(family), schema.FAMILIES)
        raise wrong(path, f"family: {found}; allowed {', '.join(schema.FAMILIES)}{near}")
    settings_schema, required, optional = schema.FAMILIES[family]
    tables = ("timing", "settings", "registers", "identity", "frames", "fault_bits")
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
    needed, is_bms = required(settings), family.endswith("_bms")
    if family != schema.SITE_DEVICE:  # controller/config knows the names of its role
        _check_names(path, "registers.", registers, () if is_bms else needed, optional)
    _check_names(path, "frames.", frames, needed if is_bms else (), ())
    bits = _fault_bits(path, family, data.get("fault_bits", {}))
    own = {"settings": settings, "registers": registers, "frames": frames, "fault_bits": bits}
    own["identity"] = _identity(path, family, data.get("identity", {}))
    return Profile(path=path, **top, **timing, **own)


def _fault_bits(path: pathlib.Path, family: str, data: Table) -> Table:
    """{meaning: {name: bit}} with every meaning, and each bit once."""
    meanings = schema.MEANINGS if family in schema.REPORT_FAULTS else ()
    only_tables(path, "fault_bits.", data)
    _check_names(path, "fault_bits.", data, meanings, ())
    seen: dict[int, str] = {}
    for meaning, table in data.items():
        places = {name: f"fault_bits.{meaning}.{name}" for name in table}
        rule = (INTEGER, 0, schema.BIT_MAX, REQUIRED)
        fields_of(path, f"fault_bits.{meaning}.", table, dict.fromkeys(table, rule))
        for name, bit in table.items():
            other = seen.setdefault(bit, places[name])
            if other != places[name]:
                raise wrong(path, f"{places[name]}: {bit}; allowed a bit of its own ({other})")
    return data


def _check_names(
    path: pathlib.Path, prefix: str, present: Names, required: Names, optional: Names
) -> None:
    for name in present:
        if name not in required and name not in optional:
            raise wrong(
                path, f"{prefix}{name}: unknown name{nearest(name, (*required, *optional))}"
            )
    for name in required:
        if name not in present:
            raise wrong(path, f"{prefix}{name}: missing; the family needs it")


def _registers(path: pathlib.Path, family: str, data: Table) -> dict[str, Register]:
    """{name: Register}; a SunSpec profile has its registers one level deeper, by model."""
    if family in schema.SENSORS:
        rows = rows_of(path, "registers.", data, schema.SENSOR_REGISTER)
        for name, fields in rows.items():
            register_checks.check_sensor_register(path, f"registers.{name}", fields)
            if name in schema.DATED:
                register_checks.check_plain_register(path, f"registers.{name}", fields)
    elif family == schema.SITE_DEVICE:
        rows = rows_of(path, "registers.", data, schema.SITE_REGISTER)
        for name, fields in rows.items():
            register_checks.check_site_register(path, name, fields)
    elif family != "sunspec_pcs":
        rows = rows_of(path, "registers.", data, schema.REGISTER)
        for name, fields in rows.items() if family == "meter" else ():
            register_checks.check_range(path, f"registers.{name}", fields)
            register_checks.check_plain_register(path, f"registers.{name}", fields)
            register_checks.check_meter_unit(path, name, fields)
    else:
        rows = {}
        for model, table in only_tables(path, "registers.", data).items():
            points = rows_of(path, f"registers.{model}.", table, schema.POINT)
            for name, fields in points.items():
                register_checks.check_scale_factor(
                    path, f"registers.{model}.{name}", fields["scale_factor"], points
                )
                rows[f"{model}.{name}"] = fields
    return {name: _register(name, fields) for name, fields in rows.items()}


def _identity(path: pathlib.Path, family: str, data: Table) -> dict[str, Register]:
    if data and family != schema.SITE_DEVICE:
        raise wrong(path, f"identity: family {family}; allowed with family {schema.SITE_DEVICE}")
    found = {}
    for name, fields in rows_of(path, "identity.", data, schema.IDENTITY).items():
        register_checks.check_equals(path, f"identity.{name}", fields)
        plain = {key: rule[3] for key, rule in schema.SITE_REGISTER.items()}
        plain |= {"direction": "read", "range": [-math.inf, math.inf]}
        found[name] = _register(name, plain | fields)
    return found


def _register(name: str, fields: Table) -> Register:
    code, words, sentinel = schema.ALL_TYPES[fields["type"]]
    low, high = fields["range"] or (None, None)
    own = {"name": name, "address": fields.get("offset"), "low": low, "high": high}
    return Register(code=code, words=words, sentinel=sentinel, **{**own, **fields})
