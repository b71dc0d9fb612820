"""Reads `doors.toml`: which doors are open, and for which sources. No table means no door.

[source.site_ems]      # as in [source.site_ems] of site.toml; its key lies beside this file
key = "site_ems.key"
[mqtt.plant]           # KIND.NAME; the keys of each kind: form.py in the kind's folder
"""

import importlib
import os
import re
from typing import Any, NamedTuple

from controller.core.base import hint_codes as h
from controller.forms.field import choice, integer, text
from controller.forms.reading import Values, read_each, tables_of, unknown
from controller.forms.refusal import Path, refuse, shown

FILE = "/etc/firebreak/doors/doors.toml"
KINDS = ("mqtt", "modbus", "http", "local", "alarms")
NAME, NAME_WORDS = re.compile("[A-Za-z0-9_-]{1,32}"), "1 to 32 letters, digits, _ and -"
MAY = h.ROLES[:3]  # without the role operator, which is for a person at the cabinet
SOURCE = {
    "key": text(
        "",
        note="File beside doors.toml with the key that `firebreak key create` printed. Without it "
        "only signed hints come in.",
    ),
    "may": choice(MAY, MAY[0], "The most that this source may send through doors."),
    "hints_per_min_max": integer(
        1, 600, 60, "Of this source, in each process; of signed ones five times as many."
    ),
}


class Source(NamedTuple):
    """A source. key_path: "" without a key. may: the most that it may send through doors, even if
    site.toml allows more.
    """

    name: str
    key_path: str
    may: str
    hints_per_min_max: int


class Settings(NamedTuple):
    """The complete file. doors: {kind: {name: values of [KIND.NAME]}}. path: path of the file."""

    path: str
    sources: dict[str, Source]
    doors: dict[str, dict[str, Values]]

    def beside(self, name: str) -> str:
        """The path of a file that doors.toml names."""
        return os.path.join(os.path.dirname(self.path), name)


def load(path: str) -> Settings:
    """The file, after all checks. ConfigError: one line."""
    tables = tables_of(path, "the tables of doors.toml")
    for kind in tables:
        if kind not in (*KINDS, "source"):
            unknown(path, (kind,), (*KINDS, "source"))
        if isinstance(tables[kind], dict):
            _check_names(path, kind, tables[kind])
    folder = os.path.dirname(os.path.abspath(path))
    sources = {
        name: Source(
            name,
            table["key"] and os.path.join(folder, table["key"]),
            table["may"],
            table["hints_per_min_max"],
        )
        for name, table in read_each(path, ("source",), tables.get("source", {}), SOURCE).items()
    }
    doors = {
        kind: read_each(path, (kind,), tables[kind], form(kind).FORM)
        for kind in tables
        if kind in KINDS
    }
    settings = Settings(os.path.join(folder, os.path.basename(path)), sources, doors)
    for kind, door in doors.items():
        for name, values in door.items():
            form(kind).check(settings, (kind, name), values)
    return settings


def _check_names(path: str, kind: str, tables: dict[str, Any]) -> None:
    """Refuse a name with wrong characters, because names become parts of lines and file names."""
    for name in tables:
        if not NAME.fullmatch(str(name)):
            refuse(
                path, (kind,), f"has the name {shown(name)}", f"[{kind}.NAME], NAME of {NAME_WORDS}"
            )


def form(kind: str) -> Any:
    """The module `form` of a kind.

    It imports no library of the kind, so that a file can be checked without the library.
    """
    return importlib.import_module(f"controller.doors.{kind}.form")


def source_of(settings: Settings, path: Path, name: str) -> Source:
    """The source that a door names. Raises ConfigError."""
    if not isinstance(name, str) or name not in settings.sources:
        names = ", ".join(settings.sources) or "none is in this file"
        refuse(
            settings.path,
            path,
            f"names the source {name!r}",
            f"a [source.NAME] of this file: {names}",
        )
    return settings.sources[name]


def keyed_source_of(settings: Settings, path: Path, name: str) -> Source:
    """The source that a door names, if the door can sign for it. Raises ConfigError."""
    source = source_of(settings, path, name)
    if not source.key_path:
        allowed = f"the key file of this source, because [{'.'.join(path[:2])}] signs its hints"
        refuse(settings.path, ("source", name, "key"), "is missing", allowed)
    return source
