"""Lays out the models of a simulated SunSpec device, which its profile names, as one chain.

This module and the driver share no code. The lengths are those of pysunspec2's definitions.
"""

import struct
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import sunspec2.device

from hil.devices.sunspec_image import BASE_ADDRESS, MARKER

COMMON, COMMON_LENGTH, END = 1, 66, 0xFFFF
WORDS = {"u16": "H", "s16": "h", "u32": "I", "s32": "i", "u64": "Q", "s64": "q"}
WORDS |= {"float32": "f", "float64": "d"}
Table = dict[str, Any]


def read(profile: Path, base: int = BASE_ADDRESS, order: Sequence[int] = ()) -> Table:
    """The TOML of a profile, with the addresses that a device would have. The headers of the models
    are in its identity. order: ids of models that come first; the others follow in rising order.
    """
    content = tomllib.loads(Path(profile).read_text(encoding="utf-8"))
    placed = [table for table in _tables(content) if "model" in table]
    if not placed:
        return content
    keys = {_key(table) for table in placed} | {(COMMON, 1)}
    rank = {model: position for position, model in enumerate(order)}
    chain = sorted(keys, key=lambda key: (rank.get(key[0], len(order)), key[1], key[0]))
    headers = {base: int.from_bytes(MARKER, "big")}  # {address: model id and length, 16 bits each}
    addresses, address = {}, base + 2
    for key in chain:
        addresses[key] = address
        length = _length(key, placed)
        headers[address] = key[0] << 16 | length
        address += 2 + length
    headers[address] = END << 16
    for table in placed:
        model_address = addresses[_key(table)]
        table["address"] += model_address
        if "write_address" in table:
            table["write_address"] += model_address
        del table["model"]
    identity = content.setdefault("identity", {})
    for start, number in headers.items():
        identity[f"chain_{start}"] = {"type": "u32", "address": start, "equals": [number]}
    return content


def serial_at(profile: Path) -> range:
    """The registers of the serial number. The profile must have a serial number."""
    serial = read(profile)["serial"]
    return range(serial["address"], serial["address"] + serial["registers"])


def _tables(content: Table) -> Iterator[Table]:
    """Every table of a profile that may contain an address."""
    for name in ("registers", "identity", "sent"):
        yield from content.get(name, {}).values()
    for name in ("setpoint", "setup", "start", "stop"):
        yield from content.get(name, [])
    for name in ("heartbeat", "serial"):
        if name in content:
            yield content[name]


def count_of(register: Table) -> int:
    """Number of 16-bit registers that a value of this type takes."""
    return struct.calcsize(WORDS[register["type"]]) // 2


def _key(table: Table) -> tuple[int, int]:
    """(model id, instance). If the profile lists several ids, this device has the last."""
    model = table["model"]
    return (model[-1] if isinstance(model, list) else model), table.get("instance", 1)


def _length(key: tuple[int, int], placed: list[Table]) -> int:
    """Length of the model's definition, or more if the profile uses a repeated group."""
    if key[0] == COMMON:
        return COMMON_LENGTH
    tables = [table for table in placed if _key(table) == key]
    kinds = [WORDS.get(table.get("type", "u16"), "H") for table in tables]
    ends = [table["address"] + struct.calcsize(kind) // 2 for table, kind in zip(tables, kinds)]
    return max(len(sunspec2.device.Model(key[0]).get_mb()) // 2, *ends) - 2
