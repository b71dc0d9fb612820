"""Meters, detectors and monitors that mirror their profile, for profiles without a document here
(families meter, gas, offgas, toxic, climate, ups). As in mirrored.py, this proves no decoding.
"""

import struct
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hil.devices import registers
from hil.devices.mirrored import MirroredDevice
from hil.devices.power_meter import Phases, PowerMeter
from hil.devices.registers import ModbusException
from hil.devices.sensors import TODAY_d
from hil.plant.cabinet import CabinetPlant
from hil.site.part import SitePart

PPM = 1e6
# family: the plant's values in the unit of the registers; `which`: the first or second detector
VALUES: dict[str, Callable[[CabinetPlant, int, dict[str, Any]], dict[str, float]]] = {
    "gas": lambda its, which, settings: {
        "concentration": its.gas_lfl_pct[which]
        * (10 * its.vent_lfl_share * PPM / settings["calibrated_lfl_vol_ppm"])
    },
    "offgas": lambda its, which, _: {"vapour": its.offgas_ppm[which]},
    "toxic": lambda its, *_: dict(zip(("hydrogen", "carbon_monoxide"), its.toxic_ppm)),
    "climate": lambda its, *_: dict(
        air_temperature=its.air_degC * 10, humidity=its.humidity_permille
    ),
    "ups": lambda its, *_: {"reserve": int(its.ups.reserve_min)},
}


class SensorPart(SitePart):
    """The values of one detector or monitor, for a MirroredDevice."""

    def __init__(self, plant: CabinetPlant, role: str, profile: dict[str, Any]) -> None:
        """role: "gas_2" and so on; profile: its content."""
        super().__init__({})
        self._plant, self._role, self._profile = plant, role, profile

    def signals(self) -> dict[str, float]:
        """{register: value}; a value above the full scale sets its over-range bit."""
        plant, settings = self._plant, self._profile["settings"]
        family, which = self._profile["family"], int(self._role.endswith("_2"))
        values, status = VALUES[family](plant, which, settings), self._status(settings)
        for name, value in values.items():
            register = self._profile["registers"][name]
            most = register.get("full_scale", value)
            values[name] = min(value, most)
            status |= register.get("over_range_mask", 0) * (value > most)
        if self._role in plant.calibration_d:
            values["today"] = TODAY_d
            values["calibration_due"] = TODAY_d + plant.calibration_d[self._role]
        return {**values, "status": status}

    def _status(self, settings: dict[str, Any]) -> int:
        """Bits of health: each mask has a meaning in the profile."""
        plant = self._plant
        faults = settings.get("fault_mask", 0) & ~settings.get("warming_mask", 0)
        status = faults * plant.detector_fault.get(self._role, False)
        if "good_mask" in settings:
            status |= settings["good_mask"] * plant.ups.mains
            status |= settings["invalid_mask"] * plant.ups.invalid
        return status


def sensor(plant: CabinetPlant, role: str, path: Path) -> MirroredDevice:
    """The detector or monitor of this role, by the profile at `path`."""
    profile = tomllib.loads(path.read_text(encoding="utf-8"))
    return MirroredDevice(SensorPart(plant, role, profile), path)


class MirroredMeter(PowerMeter):
    """A PowerMeter with the registers of a profile of the family meter."""

    TURNAROUND_US = 2000
    READ_REGISTERS_MAX = 125

    def __init__(self, plant: CabinetPlant, shows: str, seed: int | str, path: Path) -> None:
        profile = tomllib.loads(path.read_text(encoding="utf-8"))
        self._map, self._phases = profile["registers"], profile["settings"]["phases"]
        self.REFRESH_US = profile["settings"]["refresh_ms"] * 1000
        self.REGISTERS = 2 + max([each["address"] for each in self._map.values()])
        super().__init__(plant, shows, seed)

    def payload(self, function: int, address: int, count: int) -> bytes:
        """The registers of the last refresh, by the profile's function."""
        if function != self._map["power_1"]["function"]:
            raise ModbusException(registers.ILLEGAL_FUNCTION)
        return self.shown(self.image, 0, address, count)

    def _show(self, phases: Phases, elapsed_us: int) -> None:
        """Write the phases that the meter has; the first one carries what the others would."""
        rest = slice(self._phases, None)
        for name, values, more in (
            ("voltage", phases.volts_V, 0.0),
            ("current", phases.amps_A, sum(phases.amps_A[rest])),
            ("power", phases.powers_W, sum(phases.powers_W[rest])),
            ("power_factor", phases.factors, 0.0),
        ):
            for phase in range(self._phases):
                value = values[phase] + more * (phase == 0)
                at = 2 * self._map[f"{name}_{phase + 1}"]["address"]
                struct.pack_into(">f", self.image, at, value)
