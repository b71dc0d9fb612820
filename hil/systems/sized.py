"""A configuration of any size, made from the shipped cabinet of three units.

The configuration has up to 16 units of one rating and 16 racks. A unit above 250 kW represents
several real ones, and figures of such a configuration are labelled "aggregate". Racks keep their
240 cells in series. The capacity of a rack follows from the energy.
"""

from pathlib import Path
from typing import Any, NamedTuple

from controller.config import configuration
from controller.config.cabinet_config import Config
from controller.sites import FOLDER
from controller.system import toml_text
from drivers.profile import FOLDER as PROFILES
from hil.engine import cabinet_file

TYPE, SITE = "types/firebreak_1935.toml", "three_units/site.toml"
CABINET = "three_units/cabinet.toml"
BMS, PCS, PV, METER = ("firebreak_rack", "sunspec_pcs", "sunspec_pv", "firebreak_fast_meter")
DBC = "firebreak_rack.dbc"
# Ranges of profiles become wider, because one device represents several.
WIDER = {
    BMS: (("[0, 1000000]", "[0, 3000000]"),),
    PCS: (("[-400000, 400000]", "[-4000000, 4000000]"), ("[-1000, 1000]", "[-10000, 10000]")),
    PV: (("scale = 10\n", "scale = 1000\n"), ("[-100000, 330000]", "[-10000000, 32760000]")),
    METER: (("[0, 20000]", "[0, 200000]"), ("[-9e6, 9e6]", "[-9e7, 9e7]")),
}
# The limits of the sender are wide: only schedules are sent here, and a schedule may move all the
# energy of a day.
PLANNER = {"role": "grid_cap", "priority": 1, "energy_Wh_per_h_max": 500_000_000}
RAMP_W_PER_S = 100_000  # ramp of its requests, unless the set-point has a slower one
CELLS, CELL_V, CELL_V_MIN = 240, 3.2, 2.8
# A system is simulated as several cabinets side by side, one for each CABINET_AH of its racks. The
# plant has these values for each of them.
CABINET_AH = 3 * 280.0
PER_CABINET = {
    "hvac_W": 12_000.0,
    "wall_W_per_K": 30.0,
    "free_volume_m3": 3.0,
    "aux_W": 1000.0,
    "aux_shed_W": 400.0,
    "fan_W": 350.0,
    "ups_Wh": 6000.0,
}
LEAST = 0.1  # lowest value of each key of PER_CABINET, in the unit of the key
COP = 3.0  # coefficient of performance of the cooling (assumed)
CELL_NOISE_V = 0.0007  # noise of the voltages that a BMS reports (the project's own value)
CURRENT_MARGIN = 1.15  # a rack's rated current / its current at the unit's rated power (assumed)
REAL_UNIT_W = 250_000
SIMULATED = "N. N., simulation, 2026-01-01: every device of this configuration is simulated"


class Size(NamedTuple):
    """Sizes of a system. energy_Wh: of all units; control: keys of [control]; devices: tables of
    site devices. sources: more tables of sources of hints.
    """

    units: int
    racks_per_unit: int
    rated_W: int
    energy_Wh: int
    import_W: int
    export_W: int = 0
    control: dict[str, int] = {}
    devices: dict[str, dict[str, Any]] = {}
    can_form: bool = False
    sources: dict[str, dict[str, Any]] = {}

    @property
    def power_W(self) -> int:
        """Rated power of all units."""
        return self.units * self.rated_W

    @property
    def is_aggregate(self) -> bool:
        """True if a unit represents several real ones."""
        return self.rated_W > REAL_UNIT_W

    @property
    def capacity_Ah(self) -> float:
        """Capacity of a rack."""
        racks = self.units * self.racks_per_unit
        return self.energy_Wh / racks / (CELLS * CELL_V)

    @property
    def rated_current_A(self) -> float:
        """Rated current of a rack: its current at the unit's rated power and the lowest cell
        voltage, times CURRENT_MARGIN. The racks of a unit share its power equally.
        """
        return self.rated_W / self.racks_per_unit / (CELLS * CELL_V_MIN) * CURRENT_MARGIN

    @property
    def plant(self) -> dict[str, float]:
        """Keys of the plant's configuration for this size."""
        cabinets = self.units * self.racks_per_unit * self.capacity_Ah / CABINET_AH
        return {
            "capacity_Ah": self.capacity_Ah,
            "rated_current_A": self.rated_current_A,
            "hvac_cop": COP,
            "cell_noise_V": CELL_NOISE_V,
            **{key: max(LEAST, amount * cabinets) for key, amount in PER_CABINET.items()},
        }


def cabinets(size: Size, count: int, sources: dict[str, dict[str, Any]]) -> list[Size]:
    """The sizes of `count` equal cabinets. The first one has the site devices."""
    cabinet = size._replace(
        units=size.units // count,
        energy_Wh=size.energy_Wh // count,
        control={**size.control, "share_permille": 1000 // count},
        sources=sources,
    )
    return [cabinet, *[cabinet._replace(devices={})] * (count - 1)]


def load(size: Size, folder: Path, tick_ms: int | None = None) -> Config:
    """The checked configuration, written into `folder`. ConfigError: one line."""
    return configuration.load(str(write(size, folder)), tick_ms=tick_ms)


def write(size: Size, folder: Path) -> Path:
    """Write type, site and cabinet; returns the path of the cabinet."""
    layers = [toml_text.read(FOLDER / name) for name in (TYPE, SITE, CABINET)]
    _fill(size, *layers)
    for profile, changes in WIDER.items():
        text = (PROFILES / f"{profile}.toml").read_text(encoding="utf-8")
        for small, large in changes:
            text = text.replace(small, large)
        (folder / f"{profile}.toml").write_text(text, encoding="utf-8")
    (folder / DBC).write_bytes((PROFILES / DBC).read_bytes())
    for layer, name in zip(layers, ("type", "site", "cabinet")):
        (folder / f"{name}.toml").write_text(cabinet_file.toml(layer), encoding="utf-8")
    return folder / "cabinet.toml"


def _fill(size: Size, type_: dict, site: dict, cabinet: dict) -> None:
    racks = range(1, size.units * size.racks_per_unit + 1)
    unit_of = {rack: (rack - 1) // size.racks_per_unit + 1 for rack in racks}
    for table in ("unit", "rack"):
        type_[table] = {"all": type_[table]["all"]}
    power = ("rated_W", "installer_charge_W_max", "installer_discharge_W_max")
    type_["unit"]["all"] |= dict.fromkeys(power, size.rated_W) | {"can_form": size.can_form}
    type_["unit"] |= {str(unit): {"dc_bus": f"dc_{unit}"} for unit in range(1, size.units + 1)}
    current_mA = round(size.rated_current_A * 1000)
    type_["rack"]["all"] |= {"rated_current_mA": current_mA, "break_current_mA": 2 * current_mA}
    type_["rack"] |= {str(rack): {"dc_bus": f"dc_{unit_of[rack]}"} for rack in racks}
    type_["control"] = {**type_["control"], "energy_Wh": size.energy_Wh}
    cabinet.pop("plan", None)  # the plan in the shipped file is for another size
    site["extends"], cabinet["extends"] = "type.toml", "site.toml"
    site["not_fitted"]["site_device_map"] = SIMULATED
    cabinet["name"] = f"{size.units} x {size.rated_W // 1000} kW"
    limits = {"grid_import_W_max": size.import_W, "grid_export_W_max": size.export_W}
    site["control"] |= limits | size.control
    ramp_W_per_s = size.control.get("setpoint_ramp_W_per_s", RAMP_W_PER_S)
    planner = {**PLANNER, "request_ramp_W_per_s": min(RAMP_W_PER_S, ramp_W_per_s)}
    site["source"] = {"planner": planner, **size.sources}
    for name in ("meter_grid", "meter_load"):
        site["device"][name]["profile"] = f"{METER}.toml"
    _wire(size, type_, site, cabinet)


def _wire(size: Size, type_: dict, site: dict, cabinet: dict) -> None:
    """Devices and buses: one CAN bus, and a serial line for each converter."""
    buses, devices = type_["bus"], type_["device"]
    for name in [name for name in devices if name.startswith(("bms_", "pcs_"))]:
        del devices[name]
    for name in [name for name in buses if name.startswith("pcs")]:
        del buses[name]
        del cabinet["bus"][name]
    for rack in range(1, size.units * size.racks_per_unit + 1):
        devices[f"bms_{rack}"] = {
            "role": "bms",
            "rack": rack,
            "profile": f"{BMS}.toml",
            "bus": "can0",
            "node": rack,
        }
    for unit in range(1, size.units + 1):
        line = {"kind": "rtu", "baud_Bd": 115_200}
        buses[f"pcs_{unit}"], cabinet["bus"][f"pcs_{unit}"] = line, _port(f"pcs_{unit}")
        devices[f"pcs_{unit}"] = {
            "role": "pcs",
            "unit": unit,
            "profile": f"{PCS}.toml",
            "bus": f"pcs_{unit}",
            "unit_id": 1,
            "setpoint_ms": 20,
        }
    if size.devices:
        site["bus"]["site"], cabinet["bus"]["site"] = dict(line), _port("site")
        site["device"] |= {
            name: {**device, "bus": "site", "unit_id": number}
            for number, (name, device) in enumerate(size.devices.items(), 1)
        }


def _port(name: str) -> dict[str, str]:
    return {"port": f"/dev/serial/by-path/simulated-{name}"}


def devices_of(site: dict[str, Any], heater_W: int) -> dict[str, dict[str, Any]]:
    """The site devices that the controller commands: PV, generator set, heater."""
    devices = {}
    for role, profile in (("pv", "sunspec_pv.toml"), ("genset", "dse_genset")):
        if role in site:
            rated_W = round(site[role]["rated_W"])
            devices[role] = {"role": role, "profile": profile, "rated_W": rated_W}
    if heater_W:
        devices["heater"] = {"role": "heater", "profile": "heater_contact", "rated_W": heater_W}
    return devices
