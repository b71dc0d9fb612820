"""Checks of one register table of a profile that its keys alone do not state. Each may raise
ProfileError.
"""

import pathlib

from drivers import profile_schema as schema
from drivers.profile_values import Table, wrong


def check_site_register(path: pathlib.Path, name: str, fields: Table) -> None:
    """Bits are read and written as bits, registers as registers; a scale of 0 loses the value; a
    power in kW would count as W; an invalid value that the type cannot have would never be found.
    """
    place = f"registers.{name}"
    _check_raws(path, place, "invalid", fields)
    if fields["unit"] and not name.endswith(f"_{fields['unit']}"):
        unit = name.rpartition("_")[2]
        raise wrong(path, f"{place}.unit: {fields['unit']!r}; allowed {unit!r}; use scale")
    if "write" in fields["direction"] and fields["type"] in schema.FLOATS:
        raise wrong(path, f"{place}.type: {fields['type']!r}; allowed an integer type to write")
    is_bit = fields["type"] == "bit"
    functions = ((1, 2), (5, 15)) if is_bit else ((3, 4), (6, 16, 23))
    for key, allowed in zip(("function", "write_function"), functions):
        is_used = ("write" if key == "write_function" else "read") in fields["direction"]
        if is_used and fields[key] not in allowed:
            words = " or ".join(map(str, allowed))
            raise wrong(path, f"{place}.{key}: {fields[key]}; allowed {words} for this type")
    if fields["scale"] == 0:
        raise wrong(path, f"{place}.scale: 0; allowed any other number")
    if fields["write_function"] == 6 and schema.ALL_TYPES[fields["type"]][1] > 1:
        raise wrong(path, f"{place}.write_function: 6; allowed 16 for a value of two registers")
    if fields["write_address"] is None:
        fields["write_address"] = fields["address"]


def check_equals(path: pathlib.Path, place: str, fields: Table) -> None:
    """Require at least one value, and values that the type can have."""
    if not fields["equals"]:
        raise wrong(path, f"{place}.equals: []; allowed at least one value")
    _check_raws(path, place, "equals", fields)


def _check_raws(path: pathlib.Path, place: str, key: str, fields: Table) -> None:
    """Refuse a raw value that the type cannot have: it would never be found."""
    kind, words = fields["type"], schema.ALL_TYPES[fields["type"]][1]
    low, high = (0, 1) if kind == "bit" else (0, (1 << 16 * words) - 1)
    if kind.startswith("s"):
        low, high = -(1 << 16 * words - 1), (1 << 16 * words - 1) - 1
    for value in fields[key] if kind not in schema.FLOATS else ():
        if not low <= value <= high:
            raise wrong(path, f"{place}.{key}: {value}; allowed {low}..{high}, as {kind} reads")


def check_sensor_register(path: pathlib.Path, place: str, fields: Table) -> None:
    """Require input registers for the one read, a range, and a full scale for saturation."""
    if fields["function"] != 4:
        raise wrong(path, f"{place}.function: {fields['function']}; allowed 4, input registers")
    if fields["type"] not in ("u16", "s16"):
        raise wrong(path, f"{place}.type: {fields['type']!r}; allowed u16, s16")
    check_range(path, place, fields)
    for key in ("over_range_mask", "untrusted_mask"):
        if fields[key] and fields["full_scale"] is None:
            raise wrong(path, f"{place}.full_scale: missing; {key} needs it")


def check_range(path: pathlib.Path, place: str, fields: Table) -> None:
    """Require the range of a register that a driver compares with it."""
    if fields["range"] is None:
        raise wrong(path, f"{place}.range: missing; allowed [low, high]")


def check_plain_register(path: pathlib.Path, place: str, fields: Table) -> None:
    """Refuse a scale or a saturation for bits, dates and meter values: the driver takes the raw
    value. A scale would have no effect, and with a saturated date no calibration would be due.
    """
    for key in ("scale", "full_scale", "over_range_mask", "untrusted_mask"):
        plain = schema.SENSOR_REGISTER[key][3]
        if fields.get(key, plain) != plain:
            raise wrong(
                path,
                f"{place}.{key}: {fields[key]}; allowed {plain or 'none'}, the raw value is used",
            )


def check_meter_unit(path: pathlib.Path, name: str, fields: Table) -> None:
    """Refuse other units: a power in kW would count as W, a thousandth of the real power."""
    unit = schema.METER_UNITS.get(name[:-2])
    if unit is not None and fields["unit"] != unit:
        raise wrong(path, f"registers.{name}.unit: {fields['unit']!r}; allowed {unit!r}")


def check_scale_factor(path: pathlib.Path, place: str, name: str, points: dict[str, Table]) -> None:
    """Require that the scale factor of a SunSpec point is a point of the same model."""
    if name and (name not in points or points[name]["type"] != "sunssf"):
        raise wrong(
            path, f"{place}.scale_factor: {name!r}; allowed a sunssf point of the same model"
        )
