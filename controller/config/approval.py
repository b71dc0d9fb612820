"""Describes what a person approves before a cabinet may start: the limit image (all safety limits),
and the contacts, address and profile of each device.

Each number has a name. So a later version of the program can still say which number has changed.
"""

import functools
import zlib
from array import array
from typing import Any, Protocol

import msgpack

from controller.config.cabinet_config import Config
from controller.core.base.instances import stage_instances
from controller.rows import matrix_words, records
from controller.rows.records import BY_ID
from safety import matrix as m, parameters as p, peer, signals as s
from safety.image_check import topology

IMAGE_BYTES_MAX = 1 << 22
# Name of the CRC of all tables of the kernel. They belong to the approval, because thresholds alone
# do not describe a stage of the cause-and-effect matrix.
PROGRAM = "program"
ABSENT = "absent"
_TABLES = (("unit", p.UNIT_PARAMETERS), ("rack", p.RACK_PARAMETERS))
_IN_MATRIX = dict(zip(p.STAGE_WORDS, (m.S_SET, m.S_CLEAR, m.S_SET_MS, m.S_CLEAR_MS), strict=True))
Numbers = dict[str, int]  # by name
_LABELS = {
    "set": "trips at",
    "clear": "clears at",
    "set_ticks": "trips after",
    "clear_ticks": "clears after",
}


class Approval(Protocol):
    """Says whether the image that runs is approved. run/approval.py has the real one."""

    @property
    def is_given(self) -> bool:
        """True if the image that runs is the approved one."""


def devices(config: Config) -> Numbers:
    """{name of a device: its CRC}. The CRC covers role, index, address, contacts and profile, and
    also the files that the profile names.
    """
    device_crcs = {}
    for device in config.devices:
        path, place = device.profile.path, (device.role, device.index, device.address)
        crc = zlib.crc32(repr((place, device.inputs, device.outputs)).encode())
        crc = zlib.crc32(path.read_bytes(), crc)
        for name in device.profile.documents:
            beside = path.parent / name
            crc = zlib.crc32(beside.read_bytes(), crc) if beside.is_file() else crc
        device_crcs[f"device {device.name}"] = crc
    return device_crcs


def path_identity(config: Config) -> str:
    """CRC in hex over everything between the meters and the converters. A measured delay is valid
    only as long as this CRC stays the same.
    """
    buses = [(bus.name, bus.baud_Bd, bus.bitrate_bps) for bus in config.buses]
    path = (list(config.control_image), sorted(devices(config).items()), buses)
    return f"{zlib.crc32(repr(path).encode()):08x}"


def of(config: Config) -> Numbers:
    """{name: number} of a configuration: its limit image and devices, as a person approves them."""
    return named(config.safety_image, devices(config))


def named(image: "array[int]", device_crcs: Numbers) -> Numbers:
    """{name: number} of a limit image and of the devices.

    Raises ValueError if the image does not fit this program.
    """
    layout, _ = topology(image)
    units, racks = layout.units, layout.racks
    names = [*p.HEADER, *[f"cabinet.{row[0]}" for row in p.CABINET_PARAMETERS]]
    for (scope, table), count in zip(_TABLES, (units, racks)):
        names += [f"{scope} {number + 1}.{row[0]}" for number in range(count) for row in table]
    names += [f"stage {name}.{word}" for name in BY_ID for word in p.STAGE_WORDS]
    names += [f"armed {name}" for name in stage_instances(s.Layout(units, racks, 0))]
    numbers = dict(zip(names, image, strict=True))
    return {**numbers, PROGRAM: _program_crc(), **device_crcs}


@functools.cache
def _program_crc() -> int:
    """CRC of the program's tables. It takes 10 ms and is computed once, because the tables never
    change while the program runs.
    """
    return peer.table_crc()


def shipped(numbers: Numbers) -> Numbers:
    """The numbers that a limit image with these names has if no site changes a number. The first
    approval of a cabinet is compared with them.
    """
    defaults_of = dict(numbers)
    tables: dict[str, tuple[Any, ...]] = {"cabinet": p.CABINET_PARAMETERS} | dict(_TABLES)
    defaults = {(scope, row[0]): row[4] for scope, table in tables.items() for row in table}
    for name in defaults_of:
        kind, subject, word = _parts(name)
        if kind == "armed":
            defaults_of[name] = 1
        elif kind == "stage":
            number = int(BY_ID[subject][_IN_MATRIX[word]])
            is_time = word.endswith("_ticks")
            defaults_of[name] = p.ticks(number, defaults_of["tick_ms"]) if is_time else number
        else:
            defaults_of[name] = defaults.get((kind, word), defaults_of[name])
    return defaults_of


def packed(numbers: Numbers) -> bytes:
    """The numbers with their names as bytes for the store."""
    return zlib.compress(msgpack.packb(numbers))


def unpacked(content: bytes) -> Numbers:
    """The numbers from the bytes of `packed`. {} for any other content."""
    try:
        stream = zlib.decompressobj()
        numbers = msgpack.unpackb(stream.decompress(content, IMAGE_BYTES_MAX))
    except (zlib.error, ValueError, msgpack.UnpackException):
        return {}
    if not stream.eof or not isinstance(numbers, dict) or "tick_ms" not in numbers:
        return {}
    types = {(type(name), type(number)) for name, number in numbers.items()}
    return numbers if types == {(str, int)} else {}


def code(old: Numbers, new: Numbers) -> int:
    """The number that a person types to approve: it identifies this pair of images."""
    return zlib.crc32(msgpack.packb([sorted(old.items()), sorted(new.items())]))


def differences(old: Numbers, new: Numbers) -> list[str]:
    """A line for each change. First come the stages that are no longer armed on a rack or unit,
    then those that are armed now, then changed numbers.
    """
    changed = {name for name in old.keys() | new.keys() if old.get(name) != new.get(name)}
    armed = sorted([key for key in changed if _parts(key)[0] == "armed"], key=_place)
    lines = []
    for label, level in (("NO LONGER ARMED", 0), ("armed now", 1)):
        lines += [f"{label}: {_instance(key)}" for key in armed if new.get(key, 0) == level]
    order = {name: place for place, name in enumerate([*new, *old])}
    rest = sorted(changed.difference(armed), key=order.__getitem__)
    return lines + [_line(key, old, new) for key in rest]


def waiting(approved: Approval) -> list[str]:
    """[line that says why a start is refused], or [] if the image is approved."""
    if approved.is_given:
        return []
    return ["this limit image is not approved: `firebreak approve` shows what has changed"]


def _parts(name: str) -> tuple[str, str, str]:
    """(kind, number or name, word): "rack 2.cells" is ("rack", "2", "cells")."""
    scope, _, word = name.partition(".")
    kind, _, subject = scope.partition(" ")
    return kind, subject, word


def _place(name: str) -> tuple[int, str]:
    """Sort key of a name. It keeps the racks and units of one stage together, in matrix order."""
    stage = _parts(name)[1]
    return (list(BY_ID).index(stage) if stage in BY_ID else len(BY_ID), name)


def _instance(name: str) -> str:
    """ "stage 29 of rack 2, cell over-voltage"."""
    _, stage, where = _parts(name)
    return _stage(stage) + (f", {where[:4]} {where[4:]}" if where else "")


def _stage(stage: str) -> str:
    row = f", {records.ROWS[BY_ID[stage][m.S_ROW]].name}" if stage in BY_ID else ""
    return f"stage {stage}{row}"


def _line(name: str, old: Numbers, new: Numbers) -> str:
    kind, subject, word = _parts(name)
    crcs = f"{_crc(name, old)} -> {_crc(name, new)}"
    if name == PROGRAM:
        return f"the safety program: its tables have CRC {crcs}"
    if kind == "device":
        return f"device {subject}: contacts, address or profile changed: CRC {crcs}"
    before, after = [_value(kind, subject, word, numbers, name) for numbers in (old, new)]
    scope = name.partition(".")[0]
    key = f"{_stage(subject)}: {_LABELS.get(word, word)}" if kind == "stage" else f"{scope}: {word}"
    return f"{key.removesuffix(': ')} {before} -> {after}"


def _crc(name: str, numbers: Numbers) -> str:
    return f"{numbers[name]:08X}" if name in numbers else ABSENT


def _value(kind: str, subject: str, word: str, numbers: Numbers, name: str) -> str:
    """A number of an image in words, with its unit if this version knows the stage."""
    if name not in numbers:
        return ABSENT
    number = numbers[name]
    if kind != "stage":
        return str(number)
    if word.endswith("_ticks"):
        return matrix_words.after(number * numbers["tick_ms"])
    if subject not in BY_ID:
        return str(number)
    return matrix_words.quantity(records.feature_name(BY_ID[subject]), number)
