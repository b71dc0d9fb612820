"""Checks the form of the header of a journal: type of each entry, and bounds of the counts.

A correct checksum does not show who wrote the file. So each count is checked before memory of its
size is allocated.
"""

from array import array
from typing import Any

import msgpack

from controller.journal.frame import Counts
from controller.rows.proof_intervals import INTERVALS
from safety import parameters as p

ARRAY_EXTENSION = 1  # msgpack extension type of an array('i')
HEADER_BYTES_MAX = 1 << 22  # the example cabinet with 3 racks has 18 684 bytes
WORDS_MAX = 1 << 16  # inputs and outputs together, because an index has 16 bits
STATE_WORDS_MAX = 1 << 20
TEXTS, NUMBERS = [str], {str: int}
FORMS: dict[str, Any] = {
    **dict.fromkeys(("safety_image", "control_image", "source_image", "site_image"), array),
    **dict.fromkeys(("source_names", "input_names", "output_names", "stage_instances"), TEXTS),
    **dict.fromkeys(("device_crcs", "proof_tests", "proof_allowed_ms", "neighbours"), NUMBERS),
    "schema": int,
    "approved": bytes,
    "chemistry": str,
    "names": {"cabinet": str},
    "not_fitted": {str: str},
    "rows_not_fitted": [int],
    "plan": {
        **dict.fromkeys(("name", "audit", "open"), str),
        "racks": TEXTS,
        "places": [{"name": str, "x_mm": int, "y_mm": int, "area": str}],
        "ways": [
            {
                **dict.fromkeys(("from", "to", "kind", "wall", "paper"), str),
                **dict.fromkeys(("distance_mm", "wall_min", "tested_mm"), int),
            }
        ],
    },
    "places": {str: {"profile": str, "wiring": str, "tests": TEXTS}},
    "buses": [{"name": str, "kind": str, "speed": int}],
    "devices": [
        {
            **dict.fromkeys(("name", "role", "bus"), str),
            **dict.fromkeys(("address", "index"), int),
            "fault_bits": NUMBERS,
            "identity": TEXTS,
            "stated": NUMBERS,
        }
    ],
}


def are_counts(counts: Counts) -> bool:
    """True for counts that a journal may have."""
    n_in, n_groups, n_out, n_state = counts
    return n_in + n_out <= WORDS_MAX and n_groups <= WORDS_MAX and n_state <= STATE_WORDS_MAX


def wrong(header: object) -> str | None:
    """Name of the first entry with a wrong form, or None. A missing entry is not wrong here: the
    reader that needs it reports it.
    """
    if not isinstance(header, dict):
        return "not a map"
    keys = [key for key in FORMS if key in header and not _fits(header[key], FORMS[key])]
    if keys:
        return keys[0]
    if len(header.get("safety_image", p.HEADER)) < len(p.HEADER):
        return "safety_image"
    planned, allowed_ms = header.get("proof_tests", {}), header.get("proof_allowed_ms", {})
    are_tests = planned.keys() == allowed_ms.keys() <= INTERVALS.keys()
    return None if are_tests else "proof_tests"


def _fits(value: Any, form: Any) -> bool:
    """True if a value has a form.

    form: a type; [form of each]; {str: form of each}; or {key: its form}, beside any other keys.
    """
    if isinstance(form, list):
        return isinstance(value, list) and all(_fits(member, form[0]) for member in value)
    if not isinstance(form, dict):
        return isinstance(value, form)
    if not isinstance(value, dict):
        return False
    if str in form:
        return all(type(key) is str and _fits(member, form[str]) for key, member in value.items())
    return all(key in value and _fits(value[key], own_form) for key, own_form in form.items())


def packed(header: dict) -> bytes:
    """Bytes of a header of ints, texts, lists, dicts and array('i'); keys in order."""

    def extend(value: object) -> msgpack.ExtType:
        if isinstance(value, array) and value.typecode == "i":
            return msgpack.ExtType(ARRAY_EXTENSION, value.tobytes())
        raise TypeError(f"a journal header cannot hold a {type(value).__name__}")

    return msgpack.packb({key: header[key] for key in sorted(header)}, default=extend)


def unpacked(data: bytes) -> dict:
    """The header of the bytes of `packed`."""

    def extend(code: int, content: bytes) -> object:
        if code == ARRAY_EXTENSION:
            return array("i", content)
        return msgpack.ExtType(code, content)

    return msgpack.unpackb(data, ext_hook=extend)
