"""Reads and checks the profile of a device: a TOML file that says how a type of device is read and
written. profile_form.py has the allowed keys. A profile with a mistake is refused in one line.
"""

import difflib
import functools
import math
import pathlib
import pickle
from collections.abc import Iterable

from controller.config import (
    can_form,
    can_profile,
    converter_form,
    converter_profile,
    meter_profile,
    profile_evidence,
    profile_form as form,
    register_bms_profile,
    sunspec_places,
    wear_profile,
)
from controller.forms.field import integer
from controller.forms.reading import check_tables, file_text, read, read_each, unknown
from controller.forms.refusal import ConfigError, Path, not_allowed, refuse, refuse_key
from controller.system import toml_text
from drivers.profile import FOLDER, Profile, Register, Table, Wanted, shipped
from drivers.rack_sources import FAULT

Names = Iterable[str]
_MASKS = ("over_range_mask", "untrusted_mask")  # for a saturated and for an untrusted value
_NOT_OF_DATES = ("scale", "full_scale", *_MASKS)


def load(name: str) -> Profile:
    """The profile `name`: a name of drivers/profiles, or a path of a file. Raises ConfigError."""
    path = _path_of(name)
    try:
        text = file_text(str(path), toml_text.BYTES_MAX, "one device", path.name)
        return Profile(**pickle.loads(_pickled(path, text)))
    except toml_text.TomlError as error:
        raise ConfigError(f"{path.name}: is {error}") from None


@functools.lru_cache(maxsize=32)  # returns a pickle, so that each device gets its own copy
def _pickled(path: pathlib.Path, text: str) -> bytes:
    """The checked profile. Raises toml_text.TomlError, ConfigError."""
    return pickle.dumps(vars(profile_evidence.checked(_checked(path, toml_text.loads(text)))))


def _path_of(name: str) -> pathlib.Path:
    path = pathlib.Path(name)
    if path.suffix == ".toml":
        if not path.is_file():
            raise ConfigError(f"{name}: no such profile file")
        return path
    path = FOLDER / f"{name}.toml"
    if not path.is_file():
        known = shipped()
        near = difflib.get_close_matches(name, known, 1)
        nearest = f'; nearest "{near[0]}"' if near else ""
        raise ConfigError(f"{name}: no such profile; allowed {', '.join(known)}{nearest}")
    return path


def _checked(path: pathlib.Path, data: Table) -> Profile:
    file = path.name
    family_table = {"family": data["family"]} if "family" in data else {}
    family = read(file, (), family_table, {"family": form.TOP["family"]})["family"]
    top = read(file, (), data, form.TOP)
    settings = top["settings"] = read(file, ("settings",), top["settings"], form.FAMILIES[family])
    models: list[Wanted] = []
    registers = _registers(file, family, top["registers"], models)
    if family == "meter":
        meter_profile.check(file, settings, registers)
    elif family not in (form.SITE_DEVICE, form.REGISTER_BMS):
        # for a site device, site_devices.py checks the names by its role
        optional: Names = form.OPTIONAL.get(family, ())
        if family == form.REGISTER_PCS:
            optional = converter_profile.optional(registers)
        _check_names(file, "registers", registers, form.NEEDED.get(family, ()), optional)
    if family in form.BY_REGISTERS:
        sunspec_places.check_factors(file, settings, registers)
        sunspec_places.check_apart(file, registers)
    bits = _fault_bits(file, family, top["fault_bits"], registers)
    identity = _identity(file, family, top["identity"], models)
    parts = {"registers": registers, "fault_bits": bits, "identity": identity, "models": models}
    parts |= _can(path, family, top, settings)
    if family == form.REGISTER_BMS:
        parts |= register_bms_profile.parts(file, top | parts)
    parts |= _sequences(file, family, top | parts, models)
    parts |= {"serial": sunspec_places.serial(file, family, top["serial"], models)}
    return wear_profile.resolved(Profile(path=path, **{**top, **top.pop("timing"), **parts}))


def _can(path: pathlib.Path, family: str, top: Table, settings: Table) -> Table:
    """The tables of a BMS on CAN. In a profile of another family these tables are refused."""
    if family == form.CAN_BMS:
        return can_profile.read(path, top, settings)
    foreign = [
        table_name
        for table_name in can_form.TABLES
        if (family, table_name) != (form.REGISTER_BMS, "sent")
    ]
    for name in filter(top.get, foreign):
        refuse(path.name, (name,), f"is not a table of family {family}", form.CAN_BMS)
    return {name: {} for name in foreign}


def _sequences(file: str, family: str, top: Table, models: list[Wanted]) -> Table:
    """The set-point, the sequences and the heartbeat of a converter with plain registers."""
    if family == form.REGISTER_PCS:
        return converter_profile.parts(file, top, functools.partial(_plain_register, models))
    for name in (*converter_form.SEQUENCES, "heartbeat"):
        if top[name]:
            refuse(file, (name,), f"is not a table of family {family}", form.REGISTER_PCS)
    return {}


def _fault_bits(file: str, family: str, data: Table, registers: Names) -> Table:
    """{meaning: {name: bit}}. Refuse a bit with two names, and a fault register without a bit."""
    check_tables(file, ("fault_bits",), data)
    meanings = form.MEANINGS if family in form.REPORT_FAULTS else ()
    if family in (form.REGISTER_PCS, form.CAN_BMS, form.REGISTER_BMS):  # each may be missing
        data = {**{meaning: {} for meaning in meanings}, **data}
    _check_names(file, "fault_bits", data, meanings, ())
    seen: dict[int, str] = {}
    for meaning, table in data.items():
        path = ("fault_bits", meaning)
        read(file, path, table, dict.fromkeys(table, integer(0, form.BIT_MAX)))
        for name, bit in table.items():
            if bit in seen:
                allowed = f"a bit of its own ({seen[bit]} has this one)"
                not_allowed(file, (*path, name), bit, allowed)
            seen[bit] = ".".join((*path, name))
    named = [name for table in data.values() for name in table]
    for name in registers:
        if name.startswith(FAULT) and name.removeprefix(FAULT) not in named:
            refuse(file, ("registers", name), "has no bit in fault_bits", ", ".join(named))
    return data


def _check_names(file: str, table: str, present: Names, required: Names, optional: Names) -> None:
    for name in present:
        if name not in required and name not in optional:
            unknown(file, (table, name), (*required, *optional))
    for name in required:
        if name not in present:
            refuse(file, (table, name), "is missing; the family needs it")


def _registers(file: str, family: str, data: Table, models: list[Wanted]) -> dict[str, Register]:
    """{name: Register}. In a SunSpec profile the registers are one level deeper, below
    their model.
    """
    path, registers = ("registers",), {}
    if family == "sunspec_pcs":
        check_tables(file, path, data)
        for model, table in data.items():
            points = read_each(file, (*path, model), table, form.POINT)
            for name, fields in points.items():
                _check_scale_factor(file, (*path, model, name), fields, points)
                registers[f"{model}.{name}"] = _register(models, f"{model}.{name}", fields)
        return registers
    keys, check = {
        **dict.fromkeys(form.SENSORS, (form.SENSOR_REGISTER, _check_sensor)),
        form.SITE_DEVICE: (form.SITE_REGISTER, _check_site),
        form.REGISTER_PCS: (form.PCS_REGISTER, _check_site),
        form.REGISTER_BMS: (form.BMS_REGISTER, _check_site),
        "meter": (form.METER_REGISTER, _check_meter),
    }.get(family, (form.REGISTER, None))
    for name, fields in read_each(file, path, data, keys).items():
        if family in form.BY_REGISTERS:
            fields = form.PLAIN | fields
        if check:
            check(file, (*path, name), fields)
        registers[name] = _register(models, name, fields)
    return registers


def _identity(file: str, family: str, data: Table, models: list[Wanted]) -> dict[str, Register]:
    if data and family not in form.IDENTIFIED:
        allowed = " or ".join(form.IDENTIFIED)
        refuse(file, ("identity",), f"is not a table of family {family}", allowed)
    registers = {}
    for name, fields in read_each(file, ("identity",), data, form.IDENTITY).items():
        path = ("identity", name)
        if not fields["equals"]:
            refuse_key(file, path, fields, "equals", "at least one value")
        _check_raws(file, path, "equals", fields)
        registers[name] = _plain_register(models, name, fields)
    return registers


def _plain_register(models: list[Wanted], name: str, fields: Table) -> Register:
    """A register with the defaults of a generic device. Every value is in its range."""
    return _register(models, name, form.PLAIN | {"range": [-math.inf, math.inf]} | fields)


def _register(models: list[Wanted], name: str, fields: Table) -> Register:
    """Make a register. If the register lies in a SunSpec model, add this model to `models`."""
    code, word_count, sentinel = form.ALL_TYPES[fields["type"]]
    low, high = fields["range"] or (None, None)
    own = {"name": name, "address": fields.get("offset"), "low": low, "high": high}
    register = Register(code=code, words=word_count, sentinel=sentinel, **{**own, **fields})
    return sunspec_places.place(models, register)


def _check_site(file: str, path: Path, fields: Table) -> None:
    """Check a register of a generic device. Refuse functions that do not fit its type, and a scale
    of 0, which loses the value. Refuse a unit other than that of its name: kW would count as W.
    """
    for raws in ("invalid", "values"):
        _check_raws(file, path, raws, fields)
    is_bit, unit = fields["type"] == "bit", path[-1].rpartition("_")[2]
    if fields["unit"] and not path[-1].endswith(f"_{fields['unit']}"):
        refuse_key(file, path, fields, "unit", f"{unit}; use scale")
    if "write" in fields["direction"] and fields["type"] in form.FLOATS:
        refuse_key(file, path, fields, "type", "an integer type to write")
    for key, direction, known in (
        ("function", "read", (1, 2) if is_bit else (3, 4)),
        ("write_function", "write", (5, 15) if is_bit else (6, 16, 23)),
    ):
        if direction in fields["direction"] and fields[key] not in known:
            allowed = f"{' or '.join(map(str, known))} for this type"
            refuse_key(file, path, fields, key, allowed)
    _check_scale(file, path, fields)
    size = fields["count"] if is_bit else form.ALL_TYPES[fields["type"]][1]
    more, function = len(fields["with_words"]) + fields["complement"], fields["write_function"]
    if function in (5, 6) and size + more > 1:
        refuse_key(file, path, fields, "write_function", f"{function + 10} for more than one")
    if fields["write_address"] is None:
        fields["write_address"] = fields["address"]


def _check_raws(file: str, path: Path, key: str, fields: Table) -> None:
    """Refuse a raw value that the type or the mask cannot have, because it would never be read."""
    low, high, why = form.raw_range(fields, is_masked=key != "invalid")
    for value in map(int, fields[key]) if fields["type"] not in form.FLOATS else ():
        if not low <= value <= high:
            not_allowed(file, (*path, key), value, f"{low}..{high}, {why}")


def _check_sensor(file: str, path: Path, fields: Table) -> None:
    """Require an input register of one word with a range. A mask needs a full scale too."""
    if fields["function"] != 4:
        refuse_key(file, path, fields, "function", "4, input registers")
    if fields["type"] not in ("u16", "s16"):
        refuse_key(file, path, fields, "type", "u16, s16")
    if fields["range"] is None:
        refuse(file, (*path, "range"), "is missing", "[low, high]")
    for key in _MASKS:
        if fields[key] and fields["full_scale"] is None:
            refuse(file, (*path, "full_scale"), f"is missing; {key} needs it")
    # With a scale or a mask, the date of the next calibration would be wrong.
    for key in _NOT_OF_DATES if path[-1] in form.DATED else ():
        plain = form.SENSOR_REGISTER[key].default
        if fields.get(key, plain) != plain:
            refuse_key(file, path, fields, key, f"{plain or 'none'}, the raw value is used")


def _check_meter(file: str, path: Path, fields: Table) -> None:
    """Check a register of a meter. Refuse a power in kW, which would count as W, and a scale of 0,
    which loses the value.
    """
    meter_profile.fill(file, path, fields)
    _check_raws(file, path, "invalid", fields)
    _check_scale(file, path, fields)


def _check_scale(file: str, path: Path, fields: Table) -> None:
    if fields["scale"] == 0:
        not_allowed(file, (*path, "scale"), 0, "any other number")


def _check_scale_factor(file: str, path: Path, fields: Table, points: dict[str, Table]) -> None:
    """Require that the scale factor of a SunSpec point is a point of the same model."""
    name = fields["scale_factor"]
    if name and (name not in points or points[name]["type"] != "sunssf"):
        refuse_key(file, path, fields, "scale_factor", "a sunssf point of the same model")
