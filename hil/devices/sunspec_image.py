"""The register image of the inverter, laid out by pysunspec2's definitions, in raw values.

A point without a value reads as "not implemented".
"""

import struct
from collections.abc import Callable
from typing import Any, NamedTuple

import sunspec2.device

BASE_ADDRESS = 40000  # first of the three addresses in the SunSpec specification
MARKER = b"SunS"
END = b"\xff\xff\x00\x00"

# Register types with a fixed struct code; the length of a string comes from the model.
CODES = {
    **dict.fromkeys(("int16", "sunssf"), "h"),
    **dict.fromkeys(("uint16", "acc16", "enum16", "bitfield16", "count", "pad"), "H"),
    **dict.fromkeys(("uint32", "acc32", "enum32", "bitfield32"), "I"),
    **dict.fromkeys(("uint64", "acc64"), "Q"),
    "int32": "i",
    "int64": "q",
}

# Points of the inverter's models after its start. Names: sunspec/models (pysunspec2).
MODE_PERCENT, MODE_WATTS = 0, 1
STOP, START, ENTER_STANDBY, EXIT_STANDBY = range(4)  # 715 OpCtl
HOLDING = 6  # 802 ChaSt
LITHIUM_ION = 4
CELLS_AH, RACK_kWh = 280, 215  # for a rack of 240 cells

RATES = ("WMax", "VAMax", "WChaRteMax", "WDisChaRteMax")
RATED = (*RATES, *(f"{name}Rtg" for name in RATES))
RATINGS = {"VNomRtg": 400, "VNom": 400, "V_SF": 0, "PF_SF": -3, "A_SF": 0, "S_SF": 0}
MEASURED = {
    "ACType": 2,
    "TotWhInj": 0,
    "TotWhAbs": 0,
    "Var": 0,
    "PF": 1000,
    "A_SF": -1,
    "V_SF": -1,
    "Hz_SF": -3,
    "PF_SF": -3,
    "Tmp_SF": -1,
    "TotWh_SF": 0,
    "TotVarh_SF": 0,
}
CONTROL = {
    "WSetEna": 0,
    "WSetMod": MODE_WATTS,
    "WSet": 0,
    "WSetRvrt": 0,
    "WSetPct": 0,
    "WSetPctRvrt": 0,
    "WSetEnaRvrt": 0,
    "WSetRvrtTms": 0,
    "WSetRvrtRem": 0,
    "WRmp": 100,
    "AntiIslEna": 1,
    "WSet_SF": 0,
    "WSetPct_SF": -1,
}
BATTERY = {
    "Typ": LITHIUM_ION,
    "LocRemCtl": 0,
    "AlmRst": 0,
    "State": 1,
    "ChaSt": HOLDING,
    "SetOp": 1,
    "SetInvState": 1,
    "Evt1": 0,
    "Evt2": 0,
    "EvtVnd1": 0,
    "EvtVnd2": 0,
    "AHRtg_SF": 0,
    "WHRtg_SF": 3,
    "SoC_SF": -2,
    "SoH_SF": -2,
    "V_SF": -1,
    "CellV_SF": -3,
    "A_SF": -1,
    "AMax_SF": -1,
}
REMOTE = {"LocRemCtl": 0, "DERHb": 0, "ControllerHb": 0, "AlarmReset": 0, "OpCtl": STOP}


class Place(NamedTuple):
    """One point. address: first register; registers: their count; code: struct code."""

    name: str
    address: int
    registers: int
    code: str
    writable: bool


class Block(NamedTuple):
    """Consecutive points in registers [first, after). pack(data, offset, *values) writes them."""

    pack: Callable[..., None]
    offset: int
    first: int
    after: int


class ModelChain:
    """Models from 40000 on: [(model id, {point: raw value})]. Points are named "704.WSet"."""

    base = BASE_ADDRESS

    def __init__(self, models: list[tuple[int, dict[str, Any]]]) -> None:
        self.places: dict[str, Place] = {}
        self.by_address: dict[int, Place] = {}
        # {point: (packer, offset)}
        self._packers: dict[str, tuple[struct.Struct, int]] = {}
        data = bytearray(MARKER)
        for model_id, values in models:
            model = sunspec2.device.Model(model_id, data=values)
            if model.error_info:
                raise ValueError(f"SunSpec model {model_id}: {model.error_info}")
            self._add(model_id, model, self.base + len(data) // 2)
            data += model.get_mb()
        self.data = data + END

    def _add(self, model_id: int, model: sunspec2.device.Model, address: int) -> None:
        for prefix, group in _groups(model):
            for name, point in group.points.items():
                registers = int(point.len)
                place = Place(
                    name=f"{model_id}.{prefix}{name}",
                    address=address + point.offset,
                    registers=registers,
                    code=CODES.get(point.pdef["type"], f"{registers * 2}s"),
                    writable=point.pdef.get("access") == "RW",
                )
                self.places[place.name] = place
                offset = (place.address - self.base) * 2
                self._packers[place.name] = struct.Struct(">" + place.code), offset
                self.by_address[place.address] = place

    def put(self, name: str, raw: int) -> None:
        """Store the raw value of a point."""
        packer, offset = self._packers[name]
        packer.pack_into(self.data, offset, raw)

    def get(self, name: str) -> int:
        """The raw value of a point."""
        packer, offset = self._packers[name]
        return packer.unpack_from(self.data, offset)[0]

    def block(self, model_id: int, first: str, last: str) -> Block:
        """The consecutive points from `first` to `last`, to be written together."""
        start, end = [self.places[f"{model_id}.{name}"].address for name in (first, last)]
        places = [self.by_address[a] for a in sorted(self.by_address) if start <= a <= end]
        pack = struct.Struct(">" + "".join(place.code for place in places)).pack_into
        return Block(
            pack, (start - self.base) * 2, start, places[-1].address + places[-1].registers
        )

    def touched(self, address: int, count: int) -> list[Place] | None:
        """The points of a write. None if it cuts a point or touches a gap or a read-only point."""
        places, end = [], address + count
        while address < end:
            place = self.by_address.get(address)
            if place is None or not place.writable or address + place.registers > end:
                return None
            places.append(place)
            address += place.registers
        return places


def _groups(model: sunspec2.device.Model) -> list[tuple[str, Any]]:
    """[(name prefix, group)]: the model itself and its groups ("Prt1." if a group repeats)."""
    groups = [("", model)]
    for name, group in model.groups.items():
        if isinstance(group, list):
            groups += [(f"{name}{number}.", member) for number, member in enumerate(group, 1)]
        else:
            groups.append((f"{name}.", group))
    return groups


def power_scale(rated_W: float) -> int:
    """Smallest power-of-ten scale factor with which 1.3 x the rating fits 16 signed bits."""
    return next((scale for scale in range(10) if 1.3 * rated_W / 10**scale <= 32767), 10)


def models(rated_W: float, racks: int) -> list[tuple[int, dict[str, Any]]]:
    """[(model, {point: value})] of an inverter with this many racks."""
    scale = power_scale(rated_W)
    rating = round(rated_W / 10**scale)
    power_SF = dict.fromkeys(("W_SF", "VA_SF", "Var_SF"), scale)
    battery = {
        **BATTERY,
        **dict.fromkeys(("WChaRteMax", "WDisChaRteMax"), rating),
        **dict.fromkeys(("WChaDisChaMax_SF", "W_SF"), scale),
        "AHRtg": CELLS_AH * racks,
        "WHRtg": RACK_kWh * racks,
    }
    return [
        (1, {"Mn": "Firebreak rig", "Md": "PCS 7xx", "Vr": "1", "SN": "PCS-1", "DA": 1}),
        (701, MEASURED | power_SF),
        (702, RATINGS | dict.fromkeys(RATED, rating) | power_SF),
        (704, CONTROL),
        (715, REMOTE),
        (802, battery),
    ]
