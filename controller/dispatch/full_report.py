"""The whole report of a cabinet, for a person: powers, charge, alarms, share, release.

`report.py` reads the part that the dispatcher decides with. Everything here is checked field by
field: whoever may write to the broker may have written it.
"""

from typing import Any, NamedTuple

from controller.dispatch.report import BYTES_MAX, POWER_W_MAX, number
from controller.system import json_text
from controller.system.paths import printable

Facts = dict[str, Any]
TEXT_MAX = 700  # longest text of a report
POWER = (-POWER_W_MAX, POWER_W_MAX)
NUMBERS = {
    "uptime_ms": (0, 1 << 53),
    "battery_W": POWER,
    "grid_W": POWER,
    "load_W": POWER,
    "available_low_W": POWER,
    "available_high_W": POWER,
    "held_15min_high_W": POWER,
    "remaining_Wh": (0, POWER_W_MAX),
    "full_Wh": (0, POWER_W_MAX),
    "soc_permille": (0, 1000),
    "soh_permille": (0, 1000),
    "temperature_ddegC": (-600, 2000),
    "alarms": (0, 10_000),
}
SHARE = {"value_W": POWER, "valid_s": (0, 1 << 32)}
TEXTS = ("state", "limits_crc", "release")
OBJECTS = {"binding": ("label", "name"), "alarm": ("label", "words", "remedy")}
NAMES = (*TEXTS, *NUMBERS, *OBJECTS, "share", "clock")


class Read(NamedTuple):
    """values: each of NAMES, None for unknown, and `trouble`, why no controller is live. wrong:
    names of the fields with a value that is not allowed; they count as unknown.
    """

    values: Facts
    wrong: tuple[str, ...]


def read(payload: bytes, source: str) -> Read | str:
    """The report in a message; a text says why there is none. source: the one of the dispatcher,
    whose import maximum is `share`.
    """
    if len(payload) > BYTES_MAX:
        return f"has {len(payload)} bytes"
    try:
        found = json_text.whole(json_text.loads(payload))
    except ValueError:
        return "is not JSON"
    if not isinstance(found, dict):
        return "is no JSON object"
    wrong: list[str] = []
    values = _values(found, wrong)
    shares = found.get("share")
    share = shares.get(source) if isinstance(shares, dict) else None
    values["share"] = _share(share, wrong)
    if shares is not None and not isinstance(shares, dict):
        wrong.append("share")
    trouble = found.get("trouble")
    values["trouble"] = _text(trouble) if values["state"] is None else None
    return Read(values, tuple(wrong))


def _values(found: Facts, wrong: list[str]) -> Facts:
    """Every field but the share."""
    values: Facts = {name: _text(found.get(name)) for name in TEXTS}
    for name, ends in NUMBERS.items():
        values[name] = number(found.get(name), *ends)
    for name, parts in OBJECTS.items():
        values[name] = _object(found.get(name), parts)
    is_known = type(found.get("clock")) is bool
    values["clock"] = found.get("clock") if is_known else None
    wrong += [name for name in values if values[name] is None and found.get(name) is not None]
    return values


def _share(found: object, wrong: list[str]) -> Facts | None:
    """{value_W, valid_s, state}. None: the cabinet has no share in force."""
    if found is None:
        return None
    given = found if isinstance(found, dict) else {}
    if given.get("valid_s") is None:  # a fallback has no end
        given = {**given, "valid_s": 0}
    values = {name: number(given.get(name), *ends) for name, ends in SHARE.items()}
    if None in values.values():
        wrong.append("share")
        return None
    return {**values, "state": _text(given.get("state"))}


def _object(found: object, parts: tuple[str, ...]) -> Facts | None:
    if not isinstance(found, dict):
        return None
    return {part: _text(found.get(part)) or "" for part in parts}


def _text(value: object) -> str | None:
    return printable(value[:TEXT_MAX]) if isinstance(value, str) else None
