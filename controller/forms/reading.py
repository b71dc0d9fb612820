"""Reads a TOML file and checks its tables by their forms. A form lists the keys of a table and
their allowed values. Raises a ConfigError with one line if a file is refused.
"""

import difflib
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any, NoReturn

from controller.forms.field import REQUIRED, Field, Form, allowed_text, check_value, choice, few
from controller.forms.refusal import ConfigError, Path, dotted, is_secret, refuse, shown
from controller.system import regular_file, toml_text

Values = dict[str, Any]  # the keys of a table, and their values


def file_text(path: str, bytes_max: int, allowed: str, name: str = "") -> str:
    """The text of a regular file. allowed: text about the allowed content, for error lines. name:
    the file's name in error lines, or "" for its path. Raises ConfigError, toml_text.TomlError.
    """
    try:
        data = regular_file.read(path, bytes_max + 1, regular_file.link_opener)
    except OSError as error:
        raise ConfigError(f"{name or path}: cannot be read: {error.strerror}") from error
    if len(data) > bytes_max:
        raise ConfigError(f"{name or path}: has more than {bytes_max} bytes; allowed {allowed}")
    return toml_text.text_of(data, bytes_max)


def tables_of(
    path: str, allowed: str, bytes_max: int = toml_text.BYTES_MAX, name: str = ""
) -> Values:
    """The tables of a file. allowed, name: see `file_text`. Raises ConfigError."""
    try:
        return toml_text.loads(file_text(path, bytes_max, allowed, name), bytes_max)
    except toml_text.TomlError as error:
        raise ConfigError(f"{name or path}: is {error}") from None


def read(file: str, path: Path, table: Any, form: Form, also: Collection[str] = ()) -> Values:
    """{key: checked value or default} of a table. also: names beside those of the form that the
    error line for an unknown key may propose. Raises ConfigError.
    """
    if not isinstance(table, dict):
        refuse(file, path, "is not a table", f"[{path[0]}]")
    for key in table:
        if key not in form:
            unknown(file, (*path, str(key)), (*form, *also))
    return {key: _value(file, (*path, key), table, field) for key, field in form.items()}


def read_variant(
    file: str,
    path: Path,
    table: Any,
    key: str,
    forms: Mapping[str, Form],
    common: Form = MappingProxyType({}),
) -> Values:
    """Read a table that has one of several forms. The value of `key` in the table selects the form.
    common: keys that belong to every form. See also `read`.
    """
    kind = {key: choice(forms)}
    content = table if isinstance(table, dict) else {}
    name = read(file, path, {key: content[key]} if key in content else {}, kind)[key]
    return read(file, path, table, kind | dict(common) | dict(forms[name]))


def read_each(file: str, path: Path, tables: Any, form: Form) -> dict[str, Values]:
    """{name: values} of a table of tables, each read by `read`. Raises ConfigError."""
    check_tables(file, path, tables)
    return {name: read(file, (*path, name), table, form) for name, table in tables.items()}


def check_tables(file: str, path: Path, tables: Any) -> None:
    """Refuse a value that is not a table of tables."""
    named = tables.items() if isinstance(tables, dict) else [("", tables)]
    for name, part in named:
        if isinstance(part, dict):
            continue
        text = "a value" if is_secret(name) else shown(part)
        detail = f": {name} is {text}" if name else ""
        refuse(file, path, f"is not a table of tables{detail}", f"[{dotted((*path, 'NAME'))}]")


def together(file: str, path: Path, values: Values, *names: str) -> None:
    """Refuse a table that has only some of the keys that belong together. Raises ConfigError."""
    missing = [name for name in names if not values[name]]
    if missing and len(missing) < len(names):
        refuse(file, (*path, missing[0]), "is missing", f"all of {', '.join(names)}, or none")


def unknown(file: str, path: Path, names: Collection[str]) -> NoReturn:
    """Refuse an unknown key. The line names the nearest known key, or all keys if none is near."""
    nearest = difflib.get_close_matches(path[-1], names, 1, 0.5)
    refuse(file, path, "is not a known key", "" if nearest else few(names), nearest)


def _value(file: str, path: Path, table: Mapping[str, Any], field: Field) -> Any:
    value = table.get(path[-1], field.default)
    if value is REQUIRED:
        refuse(file, path, "is missing", allowed_text(field))
    if path[-1] in table:
        check_value(file, path, value, field)
    if field.kind == "table" and field.allowed and value is not None:
        return read(file, path, value, field.allowed[0])
    if field.kind == "tables" and field.allowed:
        return [
            read(file, (*path, str(number)), part, field.allowed[0])
            for number, part in enumerate(value, 1)
        ]
    return value
