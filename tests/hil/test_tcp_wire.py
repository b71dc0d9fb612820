"""The rig's Modbus TCP wire with the controller's TCP port, engine and generic family."""

import select

import pytest
from device_suite import Sink

from controller.config import profiles
from drivers.buses.port import RtuPort
from drivers.buses.tcp_port import TcpPort
from drivers.site_device import SiteDevice
from hil.devices.mirrored import MirroredDevice
from hil.devices.rtu_slave import RtuSlave
from hil.site.branches import BranchMeter
from hil.wires.tcp_wire import TcpWire
from hil.wires.virtual import DOWN, UP, Noise

pytestmark = pytest.mark.wire
GUARD_S = 30


class Bench:
    """A meter of a branch with 12 345 W behind a TCP wire, and its driver."""

    def __init__(self):
        em24 = profiles.load("em24")
        em24.identity = {}  # one read is enough here
        part = BranchMeter({})
        part.power_W = 12_345.0
        self.taps = []
        slave = RtuSlave({1: MirroredDevice(part, em24.path)}, 1_000_000, 5000, 10)
        self.wire = TcpWire(1_000_000, on_down=slave.receive, tap=self._tap)
        self.port, self.engine = TcpPort(self.wire.slave_name), RtuPort("lan", 1_000_000)
        self.sink = Sink()
        device = SiteDevice(em24, 1, self.sink, (0, 0), ["power_W"], {})
        for request, period_us in device.periodic():
            self.engine.add(request, period_us)

    def _tap(self, time_us, direction, data):
        self.taps.append(direction)

    def connect(self, now_us=0):
        """Connect as the loop does, and let the wire accept."""
        self.port.service(now_us)
        self.serve(now_us)
        assert self.port.service(now_us + 1)
        return self

    def serve(self, now_us):
        assert select.select([self.wire], (), (), GUARD_S)[0]
        self.wire.service(now_us)

    def ask(self, now_us):
        """One request, at this time, down to the device and its reply onto the wire."""
        self.port.write(self.engine.poll(now_us))
        self.serve(now_us)
        while self.wire.next_us < now_us + 1_000_000:
            self.wire.service(self.wire.next_us)

    def take(self, now_us):
        assert select.select([self.port], (), (), GUARD_S)[0]
        self.engine.receive(self.port.read(), now_us)

    def close(self):
        self.port.close()
        self.wire.close()


@pytest.fixture
def bench():
    made = Bench()
    yield made
    made.close()


def test_a_value_goes_from_the_plant_to_the_process_image(bench):
    bench.connect().ask(0)
    bench.take(20_000)
    assert bench.sink.inp[0] == 12_345 and bench.sink.fresh[0] == 1
    assert bench.taps == [DOWN, UP]


def test_the_wire_takes_a_controller_that_comes_back(bench):
    bench.connect().ask(0)
    bench.port.close()
    bench.wire.service(100_000)
    bench.connect(1_000_000).ask(1_000_000)
    bench.take(1_020_000)
    assert bench.sink.inp[0] == 12_345


def test_a_disturbed_reply_is_dropped_and_not_sent(bench):
    """TCP has its own checksum, so a flipped bit on the way never reaches the controller."""
    bench.wire.line.noise = Noise(1, flip_permille=1000)
    bench.connect().ask(0)
    assert not select.select([bench.port], (), (), 0)[0]
