"""The report of a cabinet, as its MQTT door publishes it, checked field by field."""

from typing import NamedTuple

from controller.system import json_text

BYTES_MAX = 4096
POWER_W_MAX = 1_000_000_000
# of each number its lowest and highest value; anything else counts as unknown
RANGES = {
    "battery_W": (-POWER_W_MAX, POWER_W_MAX),
    "grid_W": (-POWER_W_MAX, POWER_W_MAX),
    "load_W": (-POWER_W_MAX, POWER_W_MAX),
    "pv_W": (0, POWER_W_MAX),
    "discharge_W_max": (0, POWER_W_MAX),
    "soc_permille": (0, 1000),
    "soh_permille": (0, 1000),
    "temperature_ddegC": (-600, 2000),
    "remaining_Wh": (0, POWER_W_MAX),
}


class Report(NamedTuple):
    """Values of a cabinet; None: unknown. discharge_W_max: what its limits leave of a discharge."""

    state: str | None
    battery_W: int | None
    grid_W: int | None
    load_W: int | None
    pv_W: int | None
    discharge_W_max: int | None
    soc_permille: int | None
    soh_permille: int | None
    temperature_ddegC: int | None
    remaining_Wh: int | None  # above the reserve for peaks


NOTHING = Report(None, *[None] * len(RANGES))


def report_of(payload: bytes) -> Report | None:
    """The report of a message. None: it is no report."""
    if len(payload) > BYTES_MAX:
        return None
    try:
        found = json_text.whole(json_text.loads(payload))
    except ValueError:
        return None
    if not isinstance(found, dict):
        return None
    state = found.get("state")
    if not isinstance(state, str):
        return NOTHING
    return Report(state, *[number(found.get(name), *ends) for name, ends in RANGES.items()])


def number(value: object, low: int, high: int) -> int | None:
    """The value if it is a whole number in this range, else None."""
    return value if type(value) is int and low <= value <= high else None
