"""Converts the state of the cabinet to SunSpec points. None becomes "not implemented".
Signs are those of SunSpec: a power above 0 discharges the battery.
"""

import textwrap
from collections.abc import Callable

from controller.core.base import reasons
from controller.doors.feed import Facts
from controller.doors.modbus.image import POINTS, Value, scaled
from safety.signals import STATES

RUNNING = "running"
INVERTER = dict(zip(STATES, (0, 7, 2, 3, 5, 6)))
THROTTLED = 4
BATTERY = dict(zip(STATES, (1, 4, 2, 3, 6, 99)))
OFF, DISCHARGING, CHARGING, HOLDING = 1, 3, 4, 6
Numbers = dict[str, int | None]
# {mode of the cabinet: 701.DERMode}
DER_MODES: dict[int | None, int] = {
    reasons.MODE_GRID: 1,
    reasons.MODE_ISLAND: 2,
    reasons.MODE_BLACK_START: 2,
}
MASK_31, MASK_15 = (1 << 31) - 1, (1 << 15) - 1  # counters of 31 and 15 bits begin again at 0
# Rows of the cause-and-effect matrix per vendor event field: bit 31 would mean "not implemented".
NAME_BITS = 31

# {row of the matrix: bit of 701.Alrm}; any other row is MANUFACTURER_ALRM
ALARM = {37: 0, 1: 6, **dict.fromkeys((17, 18, 19, 20, 21, 22, 23), 7), 25: 13}
OTHER_ALARM = 16
# {row: bit of 802.Evt1}; any other row is OTHER_ALARM, or OTHER_WARNING
EVENT = {
    **dict.fromkeys((19, 20, 21, 22, 23), 1),
    **{18: 2, 25: 3, 28: 9, 29: 9, 30: 9, 27: 10, 32: 11, 33: 11, 31: 12},
    **{34: 17, 26: 18, 38: 20, 39: 20, 15: 21, 37: 22, 40: 0, 41: 0},
}
OTHER_EVENT, OTHER_WARNING = 25, 26
RATINGS = """
702.WMaxRtg 702.WMax 702.WChaRteMaxRtg 702.WDisChaRteMaxRtg 802.WChaRteMax 802.WDisChaRteMax
""".split()
TENTHS = "701.TmpOt 713.SoC 713.SoH 802.SoC 802.SoH 802.SoCRsvMin".split()
MILLI = "802.V 802.CellVMax 802.CellVMin 802.A 802.AChaMax 802.ADisChaMax".split()
# {point: power of ten of its value's unit in the state}; 0 for all other points
EXPONENTS = {**dict.fromkeys(TENTHS, -1), **dict.fromkeys(MILLI, -3), "802.W": -6}


def of_state(state: Facts, unit: int) -> dict[str, Value]:
    """{point: value in the unit of the point}."""
    points: dict[str, Value] = {"1.DA": unit, **_texts(state)}
    for name, value in _numbers(state).items():
        points[name] = scaled(value, POINTS[name], EXPONENTS.get(name, 0))
    return points


def _texts(state: Facts) -> dict[str, Value]:
    standing = state["standing"]
    first = f"{standing[0]['stage']} {standing[0]['reason']['name']}" if standing else None
    texts = {"1.Md": state["version"].get("type"), "701.MnAlrmInfo": first}
    cut = {name: _cut(text or "", 2 * POINTS[name].registers) for name, text in texts.items()}
    return {"1.SN": state["cabinet"], **cut}


def _cut(text: str, width: int) -> str:
    """The text, cut between two words if it is too long."""
    return (
        text
        if len(text) <= width
        else textwrap.shorten(text, width, placeholder="").rstrip(" ,;:-")
    )


def _numbers(state: Facts) -> Numbers:
    """{point: value in the unit of the state}."""
    uptime_s = state["uptime_ms"] // 1000
    lifetime = (state["record"] or {}).get("lifetime") or {}
    charge = state["soc_permille_min"]
    stored = None if charge is None else state["full_Wh"] * charge // 1000
    local = int(state["locked_out_by"] is not None)
    return {
        **_run(state),
        "701.W": state["battery_W"],
        "701.TotWhInj": lifetime.get("given_Wh"),
        "701.TotWhAbs": lifetime.get("taken_Wh"),
        "701.TmpOt": state["temperature_ddegC_max"],
        **dict.fromkeys(RATINGS, state["rated_W"]),
        "702.WChaRteMax": -state["available_low_W"],
        "702.WDisChaRteMax": state["available_high_W"],
        "713.WHRtg": state["rated_Wh"],
        "713.WHAvail": stored,
        "713.SoC": charge,
        "713.SoH": state["soh_permille_min"],
        "715.LocRemCtl": local,
        "715.DERHb": uptime_s & MASK_31,
        "802.LocRemCtl": local,
        "802.Hb": uptime_s & MASK_15,
        "802.WHRtg": state["rated_Wh"],
        "802.SoC": charge,
        "802.SoH": state["soh_permille_min"],
        "802.SoCRsvMin": state["reserve_permille"],
        **_racks(state["racks"]),
    }


def _run(state: Facts) -> Numbers:
    name, mode = state["state"], (state["mode"] or {}).get("code")
    is_running, rows = name == RUNNING, [row["row"] for row in state["standing"]]
    inverter = THROTTLED if is_running and state["binding"] else INVERTER.get(name)
    counts = state["interlocks"]
    other_bit = OTHER_EVENT if counts["tripped"] else OTHER_WARNING
    return {
        "701.St": int(is_running),
        "701.InvSt": inverter,
        "701.ConnSt": int(is_running and mode == reasons.MODE_GRID),
        "701.DERMode": DER_MODES.get(mode),
        "701.Alrm": _bits([ALARM.get(row, OTHER_ALARM) for row in rows]),
        "713.Sta": 2 if counts["tripped"] else int(bool(rows)),
        "802.State": BATTERY.get(name),
        "802.ChaSt": _flow(state["battery_W"]) if is_running else OFF,
        "802.Evt1": _bits([EVENT.get(row, other_bit) for row in rows]),
        "802.EvtVnd1": _bits([row - 1 for row in rows if row <= NAME_BITS]),
        "802.EvtVnd2": _bits([row - 1 - NAME_BITS for row in rows if row > NAME_BITS]),
    }


def _flow(battery_W: int | None) -> int | None:
    if battery_W is None:
        return None
    return DISCHARGING if battery_W > 0 else CHARGING if battery_W < 0 else HOLDING


def _bits(numbers: list[int]) -> int:
    return sum({1 << number for number in numbers})


def _racks(racks: list[Facts]) -> Numbers:
    """The values of model 802. A value is None while one of the racks does not report it."""
    online = [rack for rack in racks if rack["is_online"]]

    def of(name: str, end: Callable[[list[int]], int], some: list[Facts]) -> int | None:
        values = [rack[name] for rack in some]
        return end(values) if values and None not in values else None

    highest, lowest = "cell_voltage_mV_max", "cell_voltage_mV_min"
    return {
        "802.V": of("rack_voltage_mV", lambda values: sum(values) // len(values), online),
        "802.CellVMax": (top := of(highest, max, racks)),
        "802.CellVMaxStr": _which(racks, highest, top),
        "802.CellVMin": (bottom := of(lowest, min, racks)),
        "802.CellVMinStr": _which(racks, lowest, bottom),
        "802.A": of("rack_current_mA", sum, racks),
        "802.W": _power_uW(racks),
        "802.AChaMax": of("charge_current_mA_max", sum, online),
        "802.ADisChaMax": of("discharge_current_mA_max", sum, online),
    }


def _which(racks: list[Facts], name: str, value: int | None) -> int | None:
    """Number of the first rack with this value; None if there is none."""
    numbers = [rack["rack"] for rack in racks if value is not None and rack[name] == value]
    return numbers[0] if numbers else None


def _power_uW(racks: list[Facts]) -> int | None:
    """DC power of all racks, uW."""
    pairs = [(rack["rack_voltage_mV"], rack["rack_current_mA"]) for rack in racks]
    if any(None in pair for pair in pairs):
        return None
    return sum(voltage * current for voltage, current in pairs)
