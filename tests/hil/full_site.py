"""A site with everything fitted, the drivers of its devices on real frames, a configuration."""

from array import array
from types import SimpleNamespace

from controller.config import profiles
from drivers.bms import NativeBms
from drivers.buses.receiver import Receiver
from drivers.io import IoModule
from drivers.pcs import SunSpecPcs
from drivers.sensor import Sensor
from hil.engine.cabinet import SimulatedCabinet
from safety import signals as s

MODULES, RACKS = 15, 2
IO_1 = (
    *("estop_1_ok", "fire_alarm_ok", "suppression_ok", "gas_relay_ok", "airflow_ok", "key_run_ok"),
    *("permit_1_closed", "door_ok"),
)
IO_2 = (
    *("estop_2_ok", "bms_fault_ok", "permit_2_closed", "cell_voltage_ok", "smoke_1_ok"),
    *("smoke_2_ok", "heat_ok", "fire_trouble_ok"),
)
IO_3 = (
    "damper_ok",
    "",
    "leak_ok",
    "coolant_ok",
    "supervised_ok",
    "hvac_ok",
    "",
    "key_service_closed",
)
NONE = ("",) * 8
IO_1_OUTPUTS = ("pcs_enable_ok", "!fan_on", "horn_on", "lamp_on", "", "", "", "")
IO_2_OUTPUTS = ("contactor_supply_ok", "!red_lamp_on", "supervisory_ok", "pre_alarm_on")
IO_2_OUTPUTS = (*IO_2_OUTPUTS, "shunt_trip_on", "", "", "")
INPUTS = [row[0] for row in s.CABINET_INPUTS]
# sensor: its profile, {value: signal}
SENSORS = {}
for line in """
    gas_1 gas_detector concentration=gas_1_lfl_permille
    gas_2 gas_detector concentration=gas_2_lfl_permille
    offgas_1 offgas_detector vapour=offgas_1_ppm
    offgas_2 offgas_detector vapour=offgas_2_ppm
    toxic toxic_detector hydrogen=toxic_ppm carbon_monoxide=toxic_ppm
    climate climate_monitor air_temperature=air_temperature_ddegC humidity=humidity_permille
    ups ups_monitor reserve=ups_reserve_min ok=mains_ok
""".strip().splitlines():
    name, of_sensor, *values = line.split()
    if "detector" in of_sensor:
        values += [f"ok={name}_ok", f"calibration_d={name}_calibration_d"]
    SENSORS[name] = of_sensor, dict(value.split("=") for value in values)


PROFILES = {"pcs": "sunspec_pcs", "bms": "firebreak_rack"}
PROFILES |= dict.fromkeys(("io_1", "io_2", "io_3"), "io_8in_8out")
PROFILES |= {role: of_sensor for role, (of_sensor, _) in SENSORS.items()}


def _device(role, address, inputs=NONE, outputs=NONE, index=-1):
    what = {"role": role, "address": address, "index": index, "inputs": inputs, "outputs": outputs}
    return SimpleNamespace(**what, profile=profiles.load(PROFILES[role]))


def config():
    racks = range(RACKS)
    on = {
        "io": [
            _device("io_1", 4, IO_1, IO_1_OUTPUTS),
            _device("io_2", 5, IO_2, IO_2_OUTPUTS),
            _device("io_3", 6, IO_3),
        ],
        "air": [_device(role, 10 + number) for number, role in enumerate(SENSORS)],
        "pcs": [_device("pcs", 3, index=0)],
        "can0": [_device("bms", 1 + rack, index=rack) for rack in racks],
    }
    for name, devices in on.items():
        for device in devices:
            device.bus = name
    kinds = {name: "can" if name == "can0" else "rtu" for name in on}
    wire = {"baud_Bd": 19_200, "character_bits": 10}
    buses = [SimpleNamespace(name=name, kind=kind, **wire) for name, kind in kinds.items()]
    size = {"units": 1, "racks": RACKS, "rack_units": (0, 0)}
    topology = SimpleNamespace(**size, buses=buses, on_bus=on.__getitem__, not_fitted={})
    topology.required = lambda role, index: on[role][index]
    return SimpleNamespace(
        topology=topology,
        control={"energy_Wh": 430_000},
        hma={"hard_wired_rows": [1, 2, 3, 12, 30, 44]},
        cabinet={"grid_import_W_max": 500_000, "grid_export_W_max": 0},
        unit_tables=[{"rated_W": 250_000}],
        rack_tables=[{"cells": 240, "modules": MODULES, "rated_current_mA": 140_000}] * RACKS,
    )


class Site:
    def __init__(self, **plant_config):
        self.layout = s.Layout(1, RACKS, MODULES)
        self.inp, self.fresh = array("i", [0] * self.layout.inputs), bytearray(self.layout.groups)
        self.cabinet = SimulatedCabinet(config(), lambda t_s: 300_000.0, 1, plant_config)
        self.plant = self.cabinet.plant
        self.now_us = 0
        places = self.cabinet.places
        self.drivers = {name: self._driver(name, unit_id) for name, (_, unit_id) in places.items()}
        of_rack, racks = profiles.load("firebreak_rack"), range(RACKS)
        self.racks = [NativeBms(of_rack, rack, 1 + rack, self, self.layout) for rack in racks]

    def _driver(self, name, unit_id):
        if name == "pcs_1":
            groups = [self.layout.unit_group(0, at) for at in (s.G_PCS_MEASURE, s.G_PCS_CONTROL)]
            unit_at = self.layout.unit_input(0, 0)
            return SunSpecPcs(
                profiles.load("sunspec_pcs"), unit_id, self, unit_at, *groups, 100_000
            )
        group = s.CABINET_GROUPS.index(name)
        if name in SENSORS:
            of_sensor, signals = SENSORS[name]
            at = {value: INPUTS.index(signal) for value, signal in signals.items()}
            return Sensor(profiles.load(of_sensor), unit_id, self, at, group, lfl_vol_ppm=60_000)
        signals = {"io_1": IO_1, "io_2": IO_2, "io_3": IO_3}[name]
        inputs = [INPUTS.index(signal) if signal else -1 for signal in signals]
        return IoModule(profiles.load("io_8in_8out"), unit_id, self, inputs, group, NONE)

    def advance(self, seconds, dt_s=0.1):
        for _ in range(round(seconds / dt_s)):
            self.now_us += round(dt_s * 1e6)
            self.plant.step(dt_s)
            self.cabinet.tick(self.now_us, {})
            self._poll()
        return self

    def _poll(self):
        for name, driver in self.drivers.items():
            slave = self.cabinet.slaves[self.cabinet.places[name][0]]
            for _ in range(8 if name == "pcs_1" else 0):
                for request in driver.service(self.now_us):
                    exchange(slave, request, self.now_us)
            for request, _ in driver.periodic():
                exchange(slave, request, self.now_us)
        for bms, driver in zip(self.cabinet.bms["can0"], self.racks):
            for can_id, data in bms.frames(self.now_us):
                driver.on_frame(can_id, data, self.now_us)

    def close(self):
        for coil in ("pcs_enable", "contactor_supply", "fan_off"):
            self.plant.set_coil(coil, True)
        for rack in self.plant.racks:
            rack.command_close(True)
        return self.advance(2)

    def value(self, name, rack=0):
        """The signal of that name (of the rack from 0, or a module's temperature "module_3")."""
        if name.startswith("module_"):
            place = s.MODULE_TEMPERATURE_DDEGC + int(name[7:]) - 1
            return self.inp[self.layout.rack_input(rack, place)]
        for rows, at in (
            (s.CABINET_INPUTS, lambda i: i),
            (s.UNIT_INPUTS, lambda i: self.layout.unit_input(0, i)),
            (s.RACK_INPUTS, lambda i: self.layout.rack_input(rack, i)),
        ):
            for index, row in enumerate(rows):
                if row[0] == name:
                    return self.inp[at(index)]
        raise KeyError(name)

    def taken(self):
        groups = {group for group in range(self.layout.groups) if self.fresh[group]}
        self.fresh[:] = bytes(self.layout.groups)
        return groups


def exchange(slave, request, now_us):
    for _, frame in slave.receive(request.frame, now_us):
        receiver = Receiver()
        receiver.expect(request)
        pdu = receiver.feed(frame)
        if pdu is None or pdu[0] & 0x80:
            request.on_failure("refused", 0, now_us)
        else:
            request.on_reply(pdu, now_us)
