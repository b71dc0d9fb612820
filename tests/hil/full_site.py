"""The example's cabinet, with everything fitted, and its drivers on real frames."""

from device_suite import Sink

from controller.config import configuration, families
from controller.sites import EXAMPLE
from drivers.buses.receiver import Receiver
from hil.engine import coverage
from hil.engine.cabinet import SimulatedCabinet
from safety import signals as s

CONFIG = configuration.load(EXAMPLE)
RACKS = CONFIG.racks


class Site(Sink):
    """`inp` and `fresh` are written by the drivers; the meters are not read."""

    def __init__(self, **plant_config):
        super().__init__(racks=RACKS)
        self.cabinet = SimulatedCabinet(CONFIG, lambda t_s: 300_000.0, 1, plant_config)
        self.plant = self.cabinet.plant
        self.now_us = 0
        drivers = families.build(CONFIG, self)
        named = {coverage.simulated_name(each): drivers[each.name] for each in CONFIG.devices}
        self.racks = [named.pop(f"bms_{rack + 1}") for rack in range(RACKS)]
        self.drivers = {name: each for name, each in named.items() if "meter" not in name}

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


def exchange(slave, request, now_us):
    for _, frame in slave.receive(request.frame, now_us):
        receiver = Receiver()
        receiver.expect(request)
        pdu = receiver.feed(frame)
        if pdu is None or pdu[0] & 0x80:
            request.on_failure("refused", 0, now_us)
        else:
            request.on_reply(pdu, now_us)
