"""Reads and merges the layers of a configuration: type, site, cabinet. A later layer may only
tighten a value.

A layer is one TOML file. With the key `extends` it names the layer before it, so a cabinet names
its site and a site names its type. The merge gives a flat dictionary `{("rack", "1",
"rated_current_mA"): Entry(value, file)}`. schema.py explains the keys.
"""

import difflib
import os
from collections.abc import Iterator
from typing import Any, NamedTuple

from controller.config import schema
from controller.core.parameters import RENAMED, RETIRED
from controller.forms import field as forms
from controller.forms.reading import read, tables_of
from controller.forms.refusal import ConfigError, Path, dotted, not_allowed, refuse, shown

SCHEMA = 1
LAYERS = ("type", "site", "cabinet")
FREE_NAME = (
    "a name of a-z, 0-9 and _ that begins with a letter, at most 32 characters (16 for a source)"
)
META = {
    "schema": forms.passing(
        lambda value: type(value) is int and value == SCHEMA,
        f'{SCHEMA}; to migrate the file see "Other schemas" in controller/config/CONFIGURATION.md',
    ),
    "layer": forms.choice(LAYERS),
    "extends": forms.text(""),
    "name": forms.matching(forms.LINE, "a name for this layer, on one line of ASCII"),
}


class Layer(NamedTuple):
    """One file. rank: its place in LAYERS. name: its own name. content: its tables without META."""

    file: str
    rank: int
    name: str
    content: dict[str, Any]


def read_chain(path: str) -> list[Layer]:
    """The file at `path` and all layers that it extends, the type first. Raises ConfigError."""
    if not path:
        raise ConfigError("no file is named; allowed the path of a cabinet.toml")
    chain: list[Layer] = []
    seen = set()
    while path:
        if "\0" in path:
            raise ConfigError(f"{path}: cannot be read: no file has such a name")
        real_path = os.path.realpath(path)
        if real_path in seen:
            raise ConfigError(f"{path}:extends: leads back to itself")
        seen.add(real_path)
        layer, above = _read(path)
        if chain and layer.rank >= chain[-1].rank:
            allowed = " or ".join(LAYERS[: chain[-1].rank]) or "nothing"
            not_allowed(path, ("layer",), LAYERS[layer.rank], f"{allowed} above {chain[-1].file}")
        chain.append(layer)
        path = os.path.normpath(os.path.join(os.path.dirname(path), above)) if above else ""
    if chain[-1].rank != 0:
        refuse(chain[-1].file, ("extends",), "is missing", "the file of the layer above it")
    return chain[::-1]


def leave_out(chain: list[Layer], file: str, key: Path) -> None:
    """Take a key or a table out of the layer of this file."""
    table: Any = next((layer.content for layer in chain if layer.file == file), {})
    for name in key[:-1]:
        table = table.get(name, {}) if isinstance(table, dict) else {}
    if isinstance(table, dict):
        table.pop(key[-1], None)


def carry_over(chain: list[Layer]) -> list[str]:
    """Rename or remove the keys of an earlier version in `chain`. Returns a line for each key."""
    lines = []
    for layer in chain:
        control = layer.content.get("control")
        control = control if isinstance(control, dict) else {}
        for key in [key for key in control if key in RETIRED or key in RENAMED]:
            value, where = control.pop(key), f"{layer.file}:control.{key}"
            if key in RENAMED:
                control[RENAMED[key]] = value
                lines.append(f"{where}: write {RENAMED[key]} = {shown(value)} in its place")
            else:
                lines.append(f"{where}: remove it: {RETIRED[key]}")
    return lines


def _read(path: str) -> tuple[Layer, str]:
    """(Layer, extends) of one file."""
    content = tables_of(path, "one layer of a cabinet")
    meta = read(path, (), {key: content.pop(key) for key in META if key in content}, META)
    return Layer(path, LAYERS.index(meta["layer"]), meta["name"], content), meta["extends"]


def leaves(content: dict[str, Any], path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """(path, value) of every value that is not a table, and (path, {}) of every empty table."""
    for key, value in content.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, (*path, key))
        else:
            yield (*path, key), value


def merge(chain: list[Layer], chemistry: str) -> dict[Path, forms.Entry]:
    """Flat {path: Entry} of all layers. chemistry: of the cells; it decides defaults and ranges."""
    values: dict[Path, forms.Entry] = {}
    for layer in chain:
        for path, value in leaves(layer.content):
            spec = schema.spec_of(path, chemistry)
            if spec is None:
                _check_names(layer.file, path)
                if value != {}:
                    refuse(layer.file, path, f"{shown(value)} is not allowed", "a section")
                values.setdefault(path, forms.Entry({}, layer.file, layer.rank))
                continue
            _check_role(layer.file, path, values)
            forms.check_value(layer.file, path, value, spec)
            if path in values:
                forms.check_tighter(layer.file, path, value, values[path], spec)
            values[path] = forms.Entry(value, layer.file, layer.rank)
    return values


# The error line about a misplaced key of these sections says where the key belongs.
PLAIN = ("cabinet", "control")


def _check_role(file: str, path: Path, values: dict[Path, forms.Entry]) -> None:
    """Refuse a key that devices with this role do not have. The role itself is checked later."""
    role, of_roles = values.get((*path[:-1], "role")), schema.OF_ROLES.get(path[-1])
    if path[0] == "device" and role and of_roles and role.value not in of_roles:
        problem = f"is not a key of a device with role {role.value}"
        refuse(file, path, problem, f"with role {', '.join(of_roles)}")


def _check_names(file: str, path: Path) -> None:
    """Refuse the first part of the path that is unknown, and propose the nearest known name."""
    if path[0] == "control" and path[-1] in RETIRED:
        refuse(file, path, f"is a retired key: {RETIRED[path[-1]]}; remove it")
    if path[0] == "control" and path[-1] in RENAMED:
        refuse(file, path, "has another name now", RENAMED[path[-1]])
    for depth in range(1, len(path) + 1):
        names = schema.names_at(path[:depth])
        if path[depth - 1] not in names:
            wrong = path[depth - 1]
            near = [] if wrong.isdigit() else difflib.get_close_matches(wrong, names, 1, 0.5)
            nearest = [dotted((*path[: depth - 1], near[0]))] if near else []
            sections = [section for section in PLAIN if wrong in schema.names_at((section, wrong))]
            nearest = [f"{section}.{wrong}" for section in sections[:1]] or nearest
            allowed = "" if nearest else forms.few(names) or FREE_NAME
            refuse(file, path[:depth], "is not a known key", allowed, nearest)
