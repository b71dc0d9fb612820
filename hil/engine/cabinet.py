"""The simulated cabinet: plant, devices and slaves, built from the site's topology.

simulate.py joins `slaves` (one per RTU bus) and `bms` (per CAN bus) to virtual wires, wires/real.py
to real ones.
"""

from collections.abc import Callable
from typing import Any

from controller.config import wired
from controller.config.configuration import Config
from controller.config.devices import Device
from controller.config.topology import Bus
from hil.devices.fast_meter import FastMeter
from hil.devices.io_module import IoModule
from hil.devices.mirrored import MirroredDevice
from hil.devices.native_bms import NativeBms
from hil.devices.pylontech_bms import PylontechBms
from hil.devices.registers import RegisterDevice
from hil.devices.rtu_slave import RtuSlave
from hil.devices.sdm630 import Sdm630
from hil.devices.sensors import (
    ClimateMonitor,
    GasDetector,
    OffgasDetector,
    ToxicDetector,
    UpsMonitor,
)
from hil.devices.sunspec_pcs import SunSpecPcs
from hil.observer.wiring import ENABLE, SUPPLY, Wiring
from hil.plant.cabinet import CabinetPlant
from hil.site.parts import PARTS
from hil.site.site import Site
from hil.wires.virtual_can import VirtualCan

SENSORS = {
    "gas_1": lambda plant: GasDetector(plant, 0),
    "gas_2": lambda plant: GasDetector(plant, 1),
    "offgas_1": lambda plant: OffgasDetector(plant, 0),
    "offgas_2": lambda plant: OffgasDetector(plant, 1),
    "toxic": ToxicDetector,
    "climate": ClimateMonitor,
    "ups": UpsMonitor,
}
METERS = {"firebreak_fast_meter": FastMeter, "sdm630": Sdm630}  # by the name of the profile
# The start checklist: these contacts must be closed, where they are wired, and the devices heard.
CHECKLIST_CONTACTS = (
    *("estop_1", "estop_2", "fire_alarm", "suppression", "gas_relay", "key_run", "bms_fault"),
    "cell_voltage",
)
CHECKLIST_ROLES = (
    *("io_1", "io_2", "io_3", "gas_1", "gas_2", "offgas_1", "offgas_2", "toxic"),
    "pcs_1",
)


def contact_name(signal: str) -> str:
    """Plant contact of an input signal; "" (a spare input) stays ""."""
    return signal.removesuffix("_ok").removesuffix("_closed")


def coil_name(output: str) -> str:
    """Plant coil of a mapped output: "!fan_on" is the coil fan_off."""
    plain = output.removeprefix("!").removesuffix("_ok").removesuffix("_on")
    return plain + "_off" if output.startswith("!") else plain


class SimulatedCabinet:
    """`plant`, `devices` by scenario name, `slaves` by RTU bus name, `bms` by CAN bus name."""

    def __init__(
        self,
        config: Config,
        load: Callable[[float], Any] | None,
        seed: int,
        plant_config: dict[str, Any] | None = None,
        site: Site | None = None,
    ) -> None:
        """load: t_s -> W, or None with a site; plant_config: keys of the plant's config."""
        topology = config.topology
        rack, unit = config.rack_tables[0], config.unit_tables[0]
        modules = max(1, config.modules)
        sizes = {
            "units": topology.units,
            "racks": topology.racks,
            "unit_of_rack": topology.rack_units,
            "modules": modules,
            "cells_per_module": max(1, rack["cells"] // modules),
            "rated_current_A": rack["rated_current_mA"] / 1000,
            "pcs_rated_W": float(unit["rated_W"]),
            "wired_rows": tuple(wired.rows(config)),
        }
        self.plant = CabinetPlant({**sizes, **(plant_config or {})}, load, seed, site)
        self.connection_W = tuple(
            [config.cabinet[f"grid_{way}_W_max"] for way in ("import", "export")]
        )
        self.devices, self.slaves, self.bms = {}, {}, {}
        self.places = {}  # device name: (RTU bus, unit id)
        for bus in topology.buses:
            if bus.kind != "can":
                self._add_slave(bus, topology.on_bus(bus.name), seed)
            else:
                self.bms[bus.name] = [self._add_bms(device) for device in topology.on_bus(bus.name)]

        self._ticking = [
            device
            for device in self.devices.values()
            if type(device).tick is not RegisterDevice.tick
        ]

    def _add_slave(self, bus: Bus, devices: list[Device], seed: int) -> None:
        units = {}
        for device in devices:
            is_numbered = device.role == "pcs" or device.role in PARTS
            name = f"{device.role}_{device.index + 1}" if is_numbered else device.role
            self.devices[name] = units[device.address] = self._device(device, seed)
            self.places[name] = (bus.name, device.address)
        turnaround_us = max([0, *[unit.TURNAROUND_US for unit in units.values()]])
        self.slaves[bus.name] = RtuSlave(units, bus.baud_Bd, turnaround_us, bus.character_bits)

    def _device(self, device: Device, seed: int) -> RegisterDevice:
        plant, role = self.plant, device.role
        if role.startswith("io_"):
            contacts = [contact_name(name) for name in device.inputs]
            return IoModule(plant, contacts, [coil_name(name) for name in device.outputs])
        if role in SENSORS:
            return SENSORS[role](plant)
        if role.startswith("meter_"):
            return self._meter(device, seed)
        if role in PARTS:
            part = plant.site.part(role, device.settings)
            return MirroredDevice(part, device.profile.path)
        racks = [rack for rack, of in enumerate(plant.config.unit_of_rack) if of == device.index]
        return SunSpecPcs(plant, device.index, racks)

    def _meter(self, device: Device, seed: int) -> RegisterDevice:
        name = device.profile.path.stem
        if name not in METERS:
            raise ValueError(
                f"device.{device.name}.profile: the rig simulates no meter {name}; "
                f"allowed {', '.join(METERS)}"
            )
        shows = device.role.removeprefix("meter_")
        return METERS[name](self.plant, shows, f"{seed}/{device.role}")

    def _add_bms(self, device: Device) -> NativeBms | PylontechBms:
        rack = self.plant.racks[device.index]
        native = device.profile.family == "native_bms"
        bms = NativeBms(rack, device.address) if native else PylontechBms(rack)
        self.devices[f"bms_{device.index + 1}"] = bms
        return bms

    def join(self, can: VirtualCan) -> None:
        """Let each BMS hear its command frames on its bus (a VirtualCan)."""
        for bms in self.bms[can.name]:
            can.listen(bms.command_id, bms.receive)

    def tick(self, now_us: int, cans: dict[str, VirtualCan]) -> None:
        """Run the devices' own timers; each BMS sends on its bus. cans: {bus: VirtualCan}."""
        for device in self._ticking:
            device.tick(now_us)
        for name, can in cans.items():
            can.now_us = now_us
            for bms in self.bms[name]:
                if bms.next_us is None or bms.next_us <= now_us:
                    for can_id, data in bms.frames(now_us):
                        can.send(can_id, data, now_us)


def observed_wiring(cabinet: SimulatedCabinet) -> Wiring:
    """The observer's Wiring: set-point and operation of the converter, contacts, checklist."""
    places, of = cabinet.devices["pcs_1"].image.places, cabinet.places
    wiring = Wiring(
        places["704.WSet"].address,
        places["715.OpCtl"].address,
        of["pcs_1"][1],
        len(cabinet.plant.racks),
        cabinet.plant.config.pcs_rated_W,
        cabinet.plant.config.rated_current_A,
    )
    modules = {
        of[name][1]: device for name, device in cabinet.devices.items() if name.startswith("io_")
    }
    wiring.connection_W, wiring.grid_meter = cabinet.connection_W, of.get("meter_grid", ("", 0))
    wiring.power_address = places["701.W"].address
    wiring.power_scale_W = 10 ** cabinet.devices["pcs_1"].scale
    wiring.inputs = {unit: module.contact_names for unit, module in modules.items()}
    wiring.coils = {
        (unit, bit): name
        for unit, module in modules.items()
        for bit, name in enumerate(module.coil_names)
        if name in (ENABLE, SUPPLY)
    }
    wiring.checklist_units = tuple([of[name] for name in CHECKLIST_ROLES if name in of])
    wiring.checklist_contacts = {
        unit: sum([1 << bit for bit, name in enumerate(names) if name in CHECKLIST_CONTACTS])
        for unit, names in wiring.inputs.items()
    }
    return wiring
