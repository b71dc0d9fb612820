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
# {mode of the cabinet: 701.DERMode}
FORMS: dict[int | None, int] = {
    reasons.MODE_GRID: 1,
    reasons.MODE_ISLAND: 2,
    reasons.MODE_BLACK_START: 2,
}
U32, U16 = (1 << 31) - 1, (1 << 15) - 1  # masks of counters, which begin again at 0
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


def of_state(state: Facts, unit: int) -> dict[str, Value]:
    """{point: value in the unit of the point}."""
    points: dict[str, Value] = {"1.DA": unit, **_texts(state)}
    for (name, exponent), value in _numbers(state).items():
        points[name] = scaled(value, POINTS[name], exponent)
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


def _numbers(state: Facts) -> dict[tuple[str, int], int | None]:
    """{(point, power of ten of the value's unit): value}."""
    seconds = state["uptime_ms"] // 1000
    lifetime = (state["record"] or {}).get("lifetime") or {}
    charge = state["soc_permille_min"]
    stored = None if charge is None else state["full_Wh"] * charge // 1000
    local = int(state["locked_out_by"] is not None)
    return {
        **_run(state),
        ("701.W", 0): state["battery_W"],
        ("701.TotWhInj", 0): lifetime.get("given_Wh"),
        ("701.TotWhAbs", 0): lifetime.get("taken_Wh"),
        ("701.TmpOt", -1): state["temperature_ddegC_max"],
        **{(f"702.{name}", 0): state["rated_W"] for name in ("WMaxRtg", "WMax")},
        **{(f"702.{name}MaxRtg", 0): state["rated_W"] for name in ("WChaRte", "WDisChaRte")},
        ("702.WChaRteMax", 0): -state["available_low_W"],
        ("702.WDisChaRteMax", 0): state["available_high_W"],
        ("713.WHRtg", 0): state["rated_Wh"],
        ("713.WHAvail", 0): stored,
        ("713.SoC", -1): charge,
        ("713.SoH", -1): state["soh_permille_min"],
        ("715.LocRemCtl", 0): local,
        ("715.DERHb", 0): seconds & U32,
        ("802.LocRemCtl", 0): local,
        ("802.Hb", 0): seconds & U16,
        ("802.WHRtg", 0): state["rated_Wh"],
        **{(f"802.{name}", 0): state["rated_W"] for name in ("WChaRteMax", "WDisChaRteMax")},
        ("802.SoC", -1): charge,
        ("802.SoH", -1): state["soh_permille_min"],
        ("802.SoCRsvMin", -1): state["reserve_permille"],
        **_racks(state["racks"]),
    }


def _run(state: Facts) -> dict[tuple[str, int], int | None]:
    """Run state and alarms."""
    name, mode = state["state"], (state["mode"] or {}).get("code")
    is_running, rows = name == RUNNING, [row["row"] for row in state["standing"]]
    inverter = THROTTLED if is_running and state["binding"] else INVERTER.get(name)
    counts = state["interlocks"]
    other_bit = OTHER_EVENT if counts["tripped"] else OTHER_WARNING
    return {
        ("701.St", 0): int(is_running),
        ("701.InvSt", 0): inverter,
        ("701.ConnSt", 0): int(is_running and mode == reasons.MODE_GRID),
        ("701.DERMode", 0): FORMS.get(mode),
        ("701.Alrm", 0): _bits([ALARM.get(row, OTHER_ALARM) for row in rows]),
        ("713.Sta", 0): 2 if counts["tripped"] else int(bool(rows)),
        ("802.State", 0): BATTERY.get(name),
        ("802.ChaSt", 0): _flow(state["battery_W"]) if is_running else OFF,
        ("802.Evt1", 0): _bits([EVENT.get(row, other_bit) for row in rows]),
        ("802.EvtVnd1", 0): _bits([row - 1 for row in rows if row <= NAME_BITS]),
        ("802.EvtVnd2", 0): _bits([row - 1 - NAME_BITS for row in rows if row > NAME_BITS]),
    }


def _flow(battery_W: int | None) -> int | None:
    if battery_W is None:
        return None
    return DISCHARGING if battery_W > 0 else CHARGING if battery_W < 0 else HOLDING


def _bits(numbers: list[int]) -> int:
    return sum({1 << number for number in numbers})


def _racks(racks: list[Facts]) -> dict[tuple[str, int], int | None]:
    """The values of model 802. A value is None while one of the racks does not report it."""
    online = [rack for rack in racks if rack["is_online"]]

    def of(name: str, end: Callable[[list[int]], int], some: list[Facts]) -> int | None:
        values = [rack[name] for rack in some]
        return end(values) if values and None not in values else None

    highest, lowest = "cell_voltage_mV_max", "cell_voltage_mV_min"
    return {
        ("802.V", -3): of("rack_voltage_mV", lambda values: sum(values) // len(values), online),
        ("802.CellVMax", -3): (top := of(highest, max, racks)),
        ("802.CellVMaxStr", 0): _which(racks, highest, top),
        ("802.CellVMin", -3): (bottom := of(lowest, min, racks)),
        ("802.CellVMinStr", 0): _which(racks, lowest, bottom),
        ("802.A", -3): of("rack_current_mA", sum, racks),
        ("802.W", -6): _power_uW(racks),
        ("802.AChaMax", -3): of("charge_current_mA_max", sum, online),
        ("802.ADisChaMax", -3): of("discharge_current_mA_max", sum, online),
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
