"""Builds the simulated cabinet from the topology of the site: plant, devices and bus slaves.

The plant is the physics of the cabinet. `slaves` has one object for each RTU bus, which answers for
all devices of that bus. `bms` has a list of simulated BMSs for each CAN bus. The wires are in
simulate.py and wired_cabinet.py.
"""

from collections.abc import Collection
from typing import Any

from controller.config import schema, wired
from controller.config.bus_schema import Bus
from controller.config.cabinet_config import Config
from controller.config.devices import Device
from hil.devices import io_module, mirrored_sensors, sunspec_chain
from hil.devices.io_module import IoModule
from hil.devices.mirrored import MirroredDevice
from hil.devices.mirrored_bms import MirroredBms
from hil.devices.mirrored_pcs import Asked, MirroredPcs
from hil.devices.mirrored_register_bms import MirroredRegisterBms
from hil.devices.native_bms import NativeBms
from hil.devices.power_meter import FastMeter, Sdm630
from hil.devices.pylontech_bms import PylontechBms
from hil.devices.registers import RegisterDevice
from hil.devices.rtu_slave import RtuSlave
from hil.devices.sensors import SENSORS
from hil.devices.simulated_bms import SimulatedBms
from hil.devices.sunspec_pcs import SunSpecPcs
from hil.engine import coverage
from hil.loads.trace import Power
from hil.observer.wiring import ENABLE, SUPPLY, UNSEEN, Place, UnitWiring, Wiring
from hil.plant.cabinet import CabinetPlant
from hil.site.racks import Racks
from hil.site.site import PARTS, Site
from hil.wires.virtual_can import VirtualCan

NOMINAL_V = 3.2  # voltage of an LFP cell, to turn energy into capacity
METERS = {"firebreak_fast_meter": FastMeter, "sdm630": Sdm630}  # {name of the profile: device}
# The start checklist. Before a start, these contacts must be closed if they are wired, and these
# devices must answer.
CHECKLIST_CONTACTS = (
    "estop_1",
    "estop_2",
    "fire_alarm",
    "suppression",
    "gas_relay",
    "key_run",
    "bms_fault",
    "cell_voltage",
)
CHECKLIST_ROLES = ("io_1", "io_2", "io_3", "gas_1", "gas_2", "offgas_1", "offgas_2", "toxic")


def contact_name(signal: str) -> str:
    """The plant's contact for an input signal; "" (a spare input) stays ""."""
    return signal.removesuffix("_ok").removesuffix("_closed").removesuffix("_code")


def coil_name(output: str) -> str:
    """The plant's coil for a mapped output. A "!" inverts the output, so "!fan_on" is the coil
    fan_off.
    """
    plain = output.removeprefix("!").removesuffix("_ok").removesuffix("_on")
    return plain + "_off" if output.startswith("!") else plain


def rack_sizes(config: Config) -> tuple[dict[str, float], ...]:
    """Sizes of each rack in the plant, from the configuration.

    The energy of the cabinet is divided in proportion to cells times rated current.
    """
    tables = config.rack_tables
    cells_mA = sum([rack["cells"] * rack["rated_current_mA"] for rack in tables])
    Ah_per_mA = config.control["energy_Wh"] / NOMINAL_V / cells_mA
    return tuple(
        {
            "modules": coverage.modules_of(rack),
            "cells_per_module": rack["cells"] // coverage.modules_of(rack),
            "rated_current_A": rack["rated_current_mA"] / 1000,
            "capacity_Ah": float(round(Ah_per_mA * rack["rated_current_mA"])),
        }
        for rack in tables
    )


def unit_sizes(config: Config) -> tuple[dict[str, float], ...]:
    """Sizes of each unit in the plant: rated power, and the times in the converter's profile."""
    sizes = []
    for index, unit in enumerate(config.unit_tables):
        settings, rated_W = config.topology.required("pcs", index).profile.settings, unit["rated_W"]
        sizes.append(
            {
                "pcs_rated_W": float(rated_W),
                "pcs_dead_time_s": settings["dead_time_ms"] / 1000,
                "pcs_ramp_W_per_s": rated_W / (max(settings["ramp_ms"], 1) / 1000),
            }
        )
    return tuple(sizes)


def _sizes(config: Config) -> dict[str, Any]:
    """Keys of the plant's config that the cabinet's configuration determines."""
    topology = config.topology
    return {
        "units": topology.units,
        "racks": topology.racks,
        "unit_of_rack": topology.rack_units,
        "of_racks": rack_sizes(config),
        "of_units": unit_sizes(config),
        "wired_rows": tuple(wired.rows(config)),
    }


def _feed(config: Config, load: Power | None) -> Power | None:
    """The load, with capacitors added if the load meter measures behind them."""
    meter = config.topology.device("meter_load")
    J_per_kW = meter.settings.get(schema.BUFFER, 0) if meter else 0
    if load is None or not J_per_kW:
        return load
    rated_W = config.cabinet["grid_import_W_max"] + sum(
        [unit["rated_W"] for unit in config.unit_tables]
    )
    return Racks(load, {"rated_W": rated_W, "J_per_kW": J_per_kW}, True)


class SimulatedCabinet:
    """The parts of one cabinet: `plant`; `devices` by their names in scenarios; `slaves` by RTU
    bus; `bms` by CAN bus.
    """

    def __init__(
        self,
        config: Config,
        load: Power | None,
        seed: int,
        plant_config: dict[str, Any] | None = None,
        site: Site | None = None,
        foreign: Collection[str] = (),
    ) -> None:
        """load: t_s -> W, or None with a site; plant_config: keys of the plant's config; foreign:
        buses without simulated devices (external.py).
        """
        topology, self.foreign = config.topology, frozenset(foreign)
        sizes = {**_sizes(config), **(plant_config or {})}
        self.plant = CabinetPlant(sizes, _feed(config, load), seed, site)
        for unit, forms in zip(self.plant.pcs, topology.forming):
            unit.can_form = forms
        self.rated_A = [rack["rated_current_mA"] / 1000 for rack in config.rack_tables]
        self.rack_nodes: dict[Place, int] = {}  # {(bus, node): rack}; only a BMS with a node
        grid = config.cabinet
        self.connection_W = grid["grid_import_W_max"], grid["grid_export_W_max"]
        self.devices: dict[str, Any] = {}
        self.slaves: dict[str, RtuSlave] = {}
        self.bms: dict[str, list[SimulatedBms]] = {}
        self.places: dict[str, Place] = {}  # {device: (RTU bus, unit id)}
        for bus in [bus for bus in topology.buses if bus.name not in self.foreign]:
            devices = topology.on_bus(bus.name)
            if bus.kind != "can":
                self._add_slave(bus, devices, seed)
            else:
                self.bms[bus.name] = [self._add_bms(device) for device in devices]
        # The other devices inherit a tick that does nothing.
        self._ticking = [
            device
            for device in self.devices.values()
            if type(device).tick is not RegisterDevice.tick
        ]

    def _add_slave(self, bus: Bus, devices: list[Device], seed: int) -> None:
        units = {}
        for device in devices:
            name = coverage.simulated_name(device)
            unit = self.devices[name] = units[device.address] = self._device(device, seed)
            stated_us = device.profile.turnaround_ms * 1000
            unit.TURNAROUND_US = min(unit.TURNAROUND_US, stated_us)  # from its data sheet
            if device.profile.serial["registers"]:
                unit.serial_at = sunspec_chain.serial_at(device.profile.path)
            self.places[name] = (bus.name, device.address)
        turnaround_us = max([0, *[unit.TURNAROUND_US for unit in units.values()]])
        self.slaves[bus.name] = RtuSlave(units, bus.baud_Bd, turnaround_us, bus.character_bits)

    def _device(self, device: Device, seed: int) -> RegisterDevice:
        plant, role = self.plant, device.role
        if role.startswith("io_"):
            contacts = [contact_name(name) for name in device.inputs]
            coils = [coil_name(name) for name in device.outputs]
            addresses = io_module.DOCUMENTED
            if not coverage.is_documented(device):
                addresses = io_module.mirrored(device.profile.path)
            return IoModule(plant, contacts, coils, addresses)
        if role in SENSORS:
            if coverage.is_documented(device):
                return SENSORS[role](plant)
            return mirrored_sensors.sensor(plant, role, device.profile.path)
        if role.startswith("meter_"):
            return self._meter(device, seed)
        if role in PARTS:
            part = plant.site.part(role, device.settings)
            plant.air_devices.append(part)
            return MirroredDevice(part, device.profile.path)
        if role == "bms":
            rack = plant.racks[device.index]
            return MirroredRegisterBms(rack, device.address, device.profile.path)
        if device.profile.family == "register_pcs":
            return MirroredPcs(plant, device.index, device.profile.path)
        return SunSpecPcs(plant, device.index, _racks(plant, device.index))

    def _meter(self, device: Device, seed: int) -> RegisterDevice:
        path, refresh_us = device.profile.path, device.profile.settings["refresh_ms"] * 1000
        power_name = device.role.removeprefix("meter_")
        arguments = self.plant, power_name, f"{seed}/{device.role}"
        if coverage.is_documented(device):
            return METERS[path.stem](*arguments, refresh_us)
        return mirrored_sensors.MirroredMeter(*arguments, path, refresh_us)

    def _add_bms(self, device: Device) -> SimulatedBms:
        rack = self.plant.racks[device.index]
        bms: SimulatedBms
        if not coverage.is_documented(device):
            bms = MirroredBms(rack, device.address, device.profile)
        elif device.profile.settings["dbc"]:
            self.rack_nodes[device.bus, device.address] = device.index
            bms = NativeBms(rack, device.address)
        else:
            bms = PylontechBms(rack)
        self.devices[f"bms_{device.index + 1}"] = bms
        return bms

    def join(self, can: VirtualCan) -> None:
        """Let each BMS on this bus receive its command frames."""
        for bms in self.bms[can.name]:
            for can_id in bms.command_ids:
                can.listen(can_id, bms.receive)

    def tick(self, now_us: int, cans: dict[str, VirtualCan]) -> None:
        """Advance the devices' own timers. Each BMS sends on its bus. cans: {bus: VirtualCan}."""
        for device in self._ticking:
            device.tick(now_us)
        for name, can in cans.items():
            can.now_us = now_us
            for bms in self.bms[name]:
                if bms.next_us is None or bms.next_us <= now_us:
                    for can_id, data in bms.frames(now_us):
                        can.send(can_id, data, now_us)


def observed_wiring(cabinet: SimulatedCabinet) -> Wiring:
    """The observer's Wiring: converters with their racks, contacts, start checklist."""
    places, names = cabinet.places, ("io_1", "io_2", "io_3")
    modules = {places[name]: cabinet.devices[name] for name in names if name in places}
    inputs = {place: module.contact_names for place, module in modules.items()}
    return Wiring(
        units=tuple([_unit(cabinet, number) for number in range(len(cabinet.plant.pcs))]),
        rack_rated_A=tuple(cabinet.rated_A),
        rack_nodes=cabinet.rack_nodes,
        connection_W=cabinet.connection_W,
        grid_meter=places.get("meter_grid", UNSEEN),
        inputs=inputs,
        coils={
            (*place, module.at.coils + bit): name
            for place, module in modules.items()
            for bit, name in enumerate(module.coil_names)
            if name in (ENABLE, SUPPLY)
        },
        checklist_units=tuple([places[name] for name in CHECKLIST_ROLES if name in places]),
        checklist_contacts={
            place: sum([1 << bit for bit, name in enumerate(names) if name in CHECKLIST_CONTACTS])
            for place, names in inputs.items()
        },
    )


def _racks(plant: CabinetPlant, number: int) -> list[int]:
    """The racks of a unit. Units and racks count from 0."""
    return [rack for rack, unit in enumerate(plant.config.unit_of_rack) if unit == number]


def _unit(cabinet: SimulatedCabinet, number: int) -> UnitWiring:
    """The wiring of the unit with this number, counted from 0."""
    name, plant = f"pcs_{number + 1}", cabinet.plant
    rated_W, place = plant.pcs[number].rated_W, cabinet.places.get(name, UNSEEN)
    wiring = UnitWiring(
        wset_address=-1,
        opctl_address=-1,
        place=place,
        racks=tuple(_racks(plant, number)),
        rated_W=rated_W,
        power_address=-1,
        power_scale_W=1.0,
    )
    if place == UNSEEN:
        return wiring
    device = cabinet.devices[name]
    if isinstance(device, MirroredPcs):
        return wiring._replace(write_decoder=Asked(device.data, rated_W))
    points = ("704.WSet", "715.OpCtl", "701.W")
    wset, opctl, power = [device.image.places[point].address for point in points]
    return wiring._replace(
        wset_address=wset, opctl_address=opctl, power_address=power, power_scale_W=10**device.scale
    )
