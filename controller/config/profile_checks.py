"""Checks of one register of a profile that its keys alone do not state. Raises ConfigError."""

from typing import Any

from controller.config import profile_form as form
from controller.forms.reading import Path
from controller.forms.refusal import not_allowed, refuse

Table = dict[str, Any]


def check_site(file: str, path: Path, fields: Table) -> None:
    """Bits are read and written as bits; a scale of 0 loses the value; kW would count as W."""
    _check_raws(file, path, "invalid", fields)
    is_bit, unit = fields["type"] == "bit", path[-1].rpartition("_")[2]
    is_float = fields["type"] in form.FLOATS
    for key, is_wrong, allowed in (
        (
            "unit",
            fields["unit"] and not path[-1].endswith(f"_{fields['unit']}"),
            f"{unit}; use scale",
        ),
        ("type", "write" in fields["direction"] and is_float, "an integer type to write"),
    ):
        if is_wrong:
            not_allowed(file, (*path, key), fields[key], allowed)
    functions = ((1, 2), (5, 15)) if is_bit else ((3, 4), (6, 16, 23))
    for key, direction, known in zip(
        ("function", "write_function"), ("read", "write"), functions, strict=True
    ):
        if direction in fields["direction"] and fields[key] not in known:
            allowed = f"{' or '.join(map(str, known))} for this type"
            not_allowed(file, (*path, key), fields[key], allowed)
    if fields["scale"] == 0:
        not_allowed(file, (*path, "scale"), 0, "any other number")
    if fields["write_function"] == 6 and form.ALL_TYPES[fields["type"]][1] > 1:
        not_allowed(file, (*path, "write_function"), 6, "16 for a value of two registers")
    if fields["write_address"] is None:
        fields["write_address"] = fields["address"]


def check_equals(file: str, path: Path, fields: Table) -> None:
    """Require at least one value, and values that the type can have."""
    if not fields["equals"]:
        not_allowed(file, (*path, "equals"), [], "at least one value")
    _check_raws(file, path, "equals", fields)


def _check_raws(file: str, path: Path, key: str, fields: Table) -> None:
    """Refuse a raw value that the type cannot have: it would never be found."""
    kind, words = fields["type"], form.ALL_TYPES[fields["type"]][1]
    low, high = (0, 1) if kind == "bit" else (0, (1 << 16 * words) - 1)
    if kind.startswith("s"):
        low, high = -(1 << 16 * words - 1), (1 << 16 * words - 1) - 1
    for value in fields[key] if kind not in form.FLOATS else ():
        if not low <= value <= high:
            not_allowed(file, (*path, key), value, f"{low}..{high}, as {kind} reads")


def check_sensor(file: str, path: Path, fields: Table) -> None:
    """Require input registers for the one read, a range, and a full scale for saturation."""
    if fields["function"] != 4:
        not_allowed(file, (*path, "function"), fields["function"], "4, input registers")
    if fields["type"] not in ("u16", "s16"):
        not_allowed(file, (*path, "type"), fields["type"], "u16, s16")
    _check_range(file, path, fields)
    for key in ("over_range_mask", "untrusted_mask"):
        if fields[key] and fields["full_scale"] is None:
            refuse(file, (*path, "full_scale"), f"is missing; {key} needs it")
    if path[-1] in form.DATED:
        _check_plain(file, path, fields)


def check_meter(file: str, path: Path, fields: Table) -> None:
    """Require a range and the unit of the quantity: a power in kW would count as W."""
    _check_range(file, path, fields)
    _check_plain(file, path, fields)
    unit = form.METER_UNITS.get(path[-1][:-2])
    if unit is not None and fields["unit"] != unit:
        not_allowed(file, (*path, "unit"), fields["unit"], f'"{unit}"')


def _check_range(file: str, path: Path, fields: Table) -> None:
    """Require the range of a register that a driver compares with it."""
    if fields["range"] is None:
        refuse(file, (*path, "range"), "is missing", "[low, high]")


def _check_plain(file: str, path: Path, fields: Table) -> None:
    """Refuse a scale or a saturation where the driver takes the raw value: it would have no effect,
    and with a saturated date no calibration would be due.
    """
    for key in ("scale", "full_scale", "over_range_mask", "untrusted_mask"):
        plain = form.SENSOR_REGISTER[key].default
        if fields.get(key, plain) != plain:
            allowed = f"{plain or 'none'}, the raw value is used"
            not_allowed(file, (*path, key), fields[key], allowed)


def check_scale_factor(file: str, path: Path, fields: Table, points: dict[str, Table]) -> None:
    """Require that the scale factor of a SunSpec point is a point of the same model."""
    name = fields["scale_factor"]
    if name and (name not in points or points[name]["type"] != "sunssf"):
        not_allowed(file, (*path, "scale_factor"), name, "a sunssf point of the same model")
