"""Meters, detectors and monitors that answer by their profile instead of a document.

Families: meter, gas, offgas, toxic, climate, ups. A run proves only the wiring: see mirrored.py.
"""

import math
import tomllib
from collections.abc import Callable
from pathlib import Path

from hil.devices import registers, sunspec_chain
from hil.devices.mirrored import MirroredDevice, put
from hil.devices.power_meter import Phases, PowerMeter
from hil.devices.registers import ModbusException
from hil.devices.sensors import TODAY_d
from hil.devices.sunspec_chain import Table
from hil.plant.cabinet import CabinetPlant
from hil.site.grid import PHASE_V
from hil.site.part import SitePart

PPM = 1e6
# {quantity: exponent} of a meter with registers for scale factors: 3 MW must fit into 16 bits
EXPONENTS = {"power": 2, "current": -1, "voltage": -1, "frequency": -2, "power_factor": -3}
# {family: values of the plant, in the unit of the registers}; `detector`: 0 or 1
VALUES: dict[str, Callable[[CabinetPlant, int, Table], dict[str, float]]] = {
    "gas": lambda plant, detector, settings: {
        "concentration": plant.gas_lfl_pct[detector]
        * (10 * plant.vent_lfl_share * PPM / settings["calibrated_lfl_vol_ppm"])
    },
    "offgas": lambda plant, detector, _: {"vapour": plant.offgas_ppm[detector]},
    "toxic": lambda plant, *_: dict(zip(("hydrogen", "carbon_monoxide"), plant.toxic_ppm)),
    "climate": lambda plant, *_: dict(
        air_temperature=plant.air_degC * 10, humidity=plant.humidity_permille
    ),
    "ups": lambda plant, *_: {"reserve": int(plant.ups.reserve_min)},
}


class SensorPart(SitePart):
    """The values of one detector or monitor, for a MirroredDevice."""

    def __init__(self, plant: CabinetPlant, role: str, profile: Table) -> None:
        """role: for example "gas_2"; profile: its content."""
        super().__init__({})
        self._plant, self._role, self._profile = plant, role, profile

    def signals(self) -> dict[str, float]:
        """{register: value}. A value above the full scale sets the over-range bit."""
        plant, settings = self._plant, self._profile["settings"]
        family, detector = self._profile["family"], int(self._role.endswith("_2"))
        values, status = VALUES[family](plant, detector, settings), self._status(settings)
        for name, value in values.items():
            register = self._profile["registers"][name]
            full_scale = register.get("full_scale", value)
            values[name] = min(value, full_scale)
            status |= register.get("over_range_mask", 0) * (value > full_scale)
        if self._role in plant.calibration_d:
            values["today"] = TODAY_d
            values["calibration_due"] = TODAY_d + plant.calibration_d[self._role]
        return {**values, "status": status}

    def _status(self, settings: Table) -> int:
        """The health bits of the status, by the masks of the profile."""
        plant = self._plant
        faults = settings.get("fault_mask", 0) & ~settings.get("warming_mask", 0)
        status = faults * plant.detector_fault.get(self._role, False)
        if "good_mask" in settings:
            status |= settings["good_mask"] * plant.ups.mains
            status |= settings["invalid_mask"] * plant.ups.invalid
        return status


def sensor(plant: CabinetPlant, role: str, path: Path) -> MirroredDevice:
    """The detector or monitor for this role, with the profile at `path`."""
    profile = tomllib.loads(path.read_text(encoding="utf-8"))
    return MirroredDevice(SensorPart(plant, role, profile), path)


class MirroredMeter(PowerMeter):
    """A PowerMeter with the registers of a profile of the family `meter`."""

    TURNAROUND_US = 2000

    def __init__(
        self, plant: CabinetPlant, shows: str, seed: int | str, path: Path, refresh_us: int = 0
    ) -> None:
        profile = sunspec_chain.read(path)
        self._map, self._phases = profile["registers"], profile["settings"]["phases"] or 3
        self._sign = -1 if profile["settings"].get("inverted") else 1
        # ratio of the transformer at the meter's voltage input; the power stays the same
        self.ratio = profile["settings"].get("nominal_voltage_V", PHASE_V) / PHASE_V
        self.REFRESH_US = profile["settings"]["refresh_ms"] * 1000
        self._images = {function: bytearray(0x20000) for function in (3, 4)}
        self._exponents = {
            register["scale_from"]: exponent
            for name, register in self._map.items()
            for quantity, exponent in EXPONENTS.items()
            if name.rpartition("_")[0] == quantity and "scale_from" in register
        }
        for register in profile.get("identity", {}).values():
            self._put(register, register["equals"][0])
        super().__init__(plant, shows, seed, refresh_us)

    def payload(self, function: int, address: int, count: int) -> bytes:
        """The registers of the last refresh, by the function that the profile names."""
        if function not in self._images:
            raise ModbusException(registers.ILLEGAL_FUNCTION)
        return self.shown(self._images[function], 0, address, count)

    def _show(self, phases: Phases, elapsed_us: int) -> None:
        """Write the phases that the meter has. The first phase carries the current and power of the
        phases that the meter lacks.
        """
        missing_phases = slice(self._phases, None)
        total_W = self._sign * math.fsum(phases.powers_W)
        energy_kWh = self._count(total_W, elapsed_us)
        values = {
            "power_W": total_W,
            "frequency": self.cabinet.grid_frequency_Hz,
            **dict(zip(("energy_import", "energy_export"), energy_kWh)),
        }
        for name, by_phase, added, factor in (
            ("voltage", phases.volts_V, 0.0, self.ratio),
            ("current", phases.amps_A, math.fsum(phases.amps_A[missing_phases]), 1 / self.ratio),
            ("power", phases.powers_W, math.fsum(phases.powers_W[missing_phases]), self._sign),
            ("power_factor", phases.factors, 0.0, 1),
        ):
            for phase in range(self._phases):
                value = by_phase[phase] + added * (phase == 0)
                values[f"{name}_{phase + 1}"] = factor * value
        for name, register in self._map.items():
            exponent = self._exponents.get(register.get("scale_from", ""), 0)
            value = values.get(name, self._exponents.get(name, 0)) / 10**exponent
            self._put(register, value)

    def _put(self, register: Table, value: float) -> None:
        raw = (value - register.get("offset", 0)) / register.get("scale", 1)
        if not register["type"].startswith("float"):
            raw = round(raw) if math.isfinite(raw) else register.get("invalid", [0])[0]
        put(self._images[register.get("function", 3)], 2 * register["address"], register, raw)
