"""A scripted SunSpec converter, and a driver brought up with it."""

import struct

from device_suite import Bus, Sink, Slave

from controller.config import profiles
from drivers import pcs
from safety import signals as s

LENGTHS = {1: 66, 701: 153, 702: 50, 704: 65, 713: 7, 714: 43, 715: 7, 802: 62}
CHAIN = (1, 701, 702, 704, 713, 802, 715)
TICK_US = 20_000
WSET, OP_CTL, CONTROLLER_HB, RVRT = "704.24", "715.8", "715.5", "704.30"


class Converter(Slave):
    """Holding registers of a SunSpec chain, which ticks once a second; put("701.10", value)."""

    def __init__(self, chain=CHAIN, base=40000, lengths=None):
        super().__init__()
        self.at, address = {}, base + 2
        self.holding.update({base: 0x5375, base + 1: 0x6E53})
        for model in chain:
            length = {**LENGTHS, **(lengths or {})}[model]
            self.at[model] = address
            self.holding.update({address + offset: 0xFFFF for offset in range(length + 2)})
            self.holding.update({address: model, address + 1: length})
            address += length + 2
        self.holding.update({address: 0xFFFF, address + 1: 0})
        self.heartbeat = 0
        self.heartbeat_stopped = self.counts_on = False
        self._second_us = 0
        self._fill()

    def _fill(self):
        self.put("701.4", 3)
        self.put("701.6", 0, 2)
        self.put("701.10", 1000)  # x 10^2 W
        self.put("701.116", 2)
        for name, words in zip((22, 23, 24, 26, 30, 31, 33, 55), (1, 1, 2, 2, 1, 2, 2, 1)):
            self.put(f"704.{name}", 0, words)
        for name, raw in (("34", 7683), ("44", -1301), ("59", -1), ("60", -3), ("61", -1)):
            self.put("802." + name, raw)
        for name, raw in (("15", -1), ("16", 0), ("30", 1301), ("31", 768)):
            self.put("714." + name, raw)
        for name, words in (("2", 1), ("3", 2), ("5", 2), ("8", 1)):
            self.put("715." + name, 0, words)

    def address(self, name):
        model, offset = name.split(".")
        return self.at[int(model)] + int(offset)

    def put(self, name, value, words=1):
        model, offset = map(int, name.split("."))
        if model not in self.at or offset + words > self.holding[self.at[model] + 1] + 2:
            return
        for place in range(words):
            self.holding[self.address(name) + place] = value >> 16 * (words - 1 - place) & 0xFFFF

    def get(self, name, words=1):
        value = 0
        for place in range(words):
            value = value << 16 | self.holding[self.address(name) + place]
        return value

    def each_ms(self, now_us):
        if now_us - self._second_us < 1_000_000:
            return
        self._second_us = now_us
        if not self.heartbeat_stopped:
            self.heartbeat += 1
            self.put("715.3", self.heartbeat, 2)
        if self.counts_on:
            self.put("704.33", max(0, self.get("704.33", 2) - 1), 2)

    def _write(self, function, address, count, frame):
        super()._write(function, address, count, frame)
        if address <= self.address("704.31") < address + count and not self.ignore_writes:
            self.put("704.33", self.get("704.31", 2), 2)

    def written(self, name):
        found = [data for _, address, data in self.writes if address == self.address(name)]
        return [struct.unpack(f">{len(data) // 2}H", data) for data in found]


def built(slave=None, of="sunspec_pcs", **settings):
    sink = Sink()
    layout, loaded = sink.layout, profiles.load(of)
    loaded.settings.update(settings)
    places = layout.unit_input(0, 0), *groups(sink)
    device = pcs.SunSpecPcs(loaded, 1, sink, places, TICK_US)
    return Bus(device, slave or Converter()), sink


def running(slave=None, **settings):
    bus, sink = built(slave, **settings)
    bus.run(2500)
    assert bus.device.ready, (pcs.STATES[bus.device.state], bus.device.fault)
    sink.taken()
    return bus, sink


def value(sink, index):
    return sink.inp[sink.layout.unit_input(0, index)]


def groups(sink):
    layout = sink.layout
    return layout.unit_group(0, s.G_PCS_MEASURE), layout.unit_group(0, s.G_PCS_CONTROL)


def fresh_after(bus, sink, duration_ms):
    """(measure, control) that became fresh in the last 300 ms of duration_ms."""
    bus.run(duration_ms - 300)
    sink.taken()
    bus.run(300)
    taken = sink.taken()
    return tuple(group in taken for group in groups(sink))


def write_setpoint(bus, setpoint_W):
    bus.port.submit(bus.device.setpoint(setpoint_W))
    bus.run(20)
