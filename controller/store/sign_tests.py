"""Finds the units that need a sign test, from the ledger and the CRCs of their devices.

A sign test shows that a device counts charge and discharge with the right sign. The sign depends on
device, profile and firmware. So a record counts only for the devices that it names by their CRC
(config/approval.py: place, contacts and profile). After a replacement, or another serial number of
a device, a further record, which names no CRC, makes the test due again.

The controller refuses a start while a unit has neither a passed test nor an acceptance by a named
person. The ledger keeps this acceptance, and the test stays due. A failed test cannot be accepted.
Before a place where the ledger lacks records, no test counts as passed.
"""

import zlib
from array import array
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from controller.store.proof_lines import ACCEPTED, LOST, PASSED, SIGN, Record
from safety import parameters as p
from safety.image_check import topology

NEVER, OTHER, FAILED, DONE = "never done", "of other devices", "failed", "passed"
METERS = "meter_grid", "meter_load"


def codes(
    image: "array[int]", crcs: Mapping[str, int], devices: Iterable[tuple[str, str, int]]
) -> list[str]:
    """The code of each unit: CRC over its converter, racks and meters.

    crcs: result of approval.devices. devices: (name, role, index) of each device.
    """
    layout, image_map = topology(image)
    unit_of_rack = [
        image[image_map.rack + rack * p.RACK_WORDS + p.R_UNIT] for rack in range(layout.racks)
    ]
    parts: list[list[tuple[str, int]]] = [[] for _ in range(layout.units)]
    for name, role, index in devices:
        part = (name, crcs.get(f"device {name}", 0))
        units = {"pcs": [index], "bms": unit_of_rack[index : index + 1] if index >= 0 else []}
        for unit in range(layout.units) if role in METERS else units.get(role, []):
            parts[unit].append(part)
    return [f"{zlib.crc32(repr(sorted(of_unit)).encode()):08X}" for of_unit in parts]


def row_of(unit: int) -> str:
    """Name of a unit (from 1) in the ledger."""
    return f"u{unit}"


def unit_of(row: str) -> int:
    """Number of the unit with this name in the ledger."""
    return int(row.removeprefix("u"))


def remark_of(code: str, results: str) -> str:
    """The remark of a record: the code of the devices, then the result of each device."""
    return f"devices {code}; {results}"


def units(unit_codes: Sequence[str], records: Sequence[Record]) -> list[dict[str, Any]]:
    """{unit, code, state: NEVER .. DONE or ACCEPTED, date, tester} of each unit (from 1)."""
    last: dict[str, Record] = {}
    for earlier in records:
        if earlier.kind == LOST:
            last.clear()
        elif earlier.kind == SIGN:
            last[earlier.row] = earlier
    states = []
    for unit, code in enumerate(unit_codes, 1):
        record = last.get(row_of(unit))
        states.append(
            {
                "unit": unit,
                "code": code,
                "state": _state(record, code),
                "date": record and record.date,
                "tester": record and record.tester,
            }
        )
    return states


def _state(record: Record | None, code: str) -> str:
    if record is None:
        return NEVER
    if not record.remark.startswith(remark_of(code, "")):
        return OTHER
    return {PASSED: DONE, ACCEPTED: ACCEPTED}.get(record.result, FAILED)


def due(states: Sequence[Mapping[str, Any]]) -> list[int]:
    """Units (from 1) whose sign test is due."""
    return [unit["unit"] for unit in states if unit["state"] != DONE]


def held(states: Sequence[Mapping[str, Any]]) -> list[int]:
    """Units (from 1) without a passed or accepted sign test. They prevent a start."""
    return [unit["unit"] for unit in states if unit["state"] not in (DONE, ACCEPTED)]


def summary(states: Sequence[Mapping[str, Any]]) -> str:
    """ "sign test of unit 1, 2", or ""."""
    late = due(states)
    return f"sign test of unit {', '.join(map(str, late))}" if late else ""
