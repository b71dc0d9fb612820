"""The CAN server with python-can's own socketcand client, and by hand where that client is tame."""

import select
import socket
import threading

import can
import pytest

from hil.wires.can_server import OUT_BYTES_MAX, CanServer
from hil.wires.virtual_can import VirtualCan
from tests.tables import cases

pytestmark = pytest.mark.wire
HANG_S = 30


class Net:
    def __init__(self):
        self.commands = []
        self.bus = VirtualCan("can0")
        self.bus.listen(0x13F, lambda *seen: self.commands.append(seen))
        self.server = CanServer(self.bus, grace_us=0)
        self.opened = []

    def client(self):
        """A python-can bus; its constructor blocks, so it runs in a thread."""
        found, there = [], {"host": "127.0.0.1", "port": self.server.port, "tcp_tune": True}
        there |= {"interface": "socketcand", "channel": "can0"}
        thread = threading.Thread(target=lambda: found.append(can.Bus(**there)))
        thread.start()
        while not found:
            select.select([self.server], [], [], 0.01)
            self.server.service(0)
            assert thread.is_alive() or found, "the client gave up"
        thread.join(HANG_S)
        self.opened.append(found[0])
        return found[0]

    def plain(self, *lines):
        connection = socket.create_connection(("127.0.0.1", self.server.port), HANG_S)
        self.opened.append(connection)
        for line in lines:
            connection.sendall(line)
        return connection

    def raw(self, now_us=0):
        connection = self.plain(b"< open can0 >", b"< rawmode >")
        self.expect(connection, b"< hi >< ok >< ok >", now_us)
        connection.setblocking(True)
        return connection

    def expect(self, connection, wanted, now_us=0):
        got = b""
        while len(got) < len(wanted):
            got += self.heard(connection, now_us)
        assert got == wanted

    def heard(self, connection, now_us=0):
        self.serve([connection], now_us)
        connection.setblocking(False)
        try:
            return connection.recv(1 << 20)
        except BlockingIOError:
            return b""

    def serve(self, also=(), now_us=0):
        ready, _, _ = select.select([self.server, *also], [], [], HANG_S)
        assert ready, "nothing came"
        self.server.service(now_us)

    def close(self):
        for one in self.opened:
            one.shutdown() if isinstance(one, can.BusABC) else one.close()
        self.server.close()


@pytest.fixture
def net():
    net = Net()
    yield net
    net.close()


def test_frames_both_ways_in_order(net):
    client = net.client()
    sent = [(0x120 + number, bytes(range(number % 9))) for number in range(100)]
    for can_id, data in sent:
        net.bus.send(can_id, data, 2_500_000)
    net.server.service(0)
    got = [client.recv(HANG_S) for _ in sent]
    assert [(message.arbitration_id, bytes(message.data)) for message in got] == sent
    assert got[0].timestamp == pytest.approx(2.5)
    for number in range(20):
        client.send(can.Message(arbitration_id=0x13F, data=[1, number], is_extended_id=False))
    client.send(can.Message(arbitration_id=0x18FF28F4, data=[], is_extended_id=True))
    while net.bus.frames < 121:
        net.serve(now_us=7)
    assert net.commands == [(0x13F, bytes((1, number)), 7) for number in range(20)]


def test_clients_hear_each_other_and_not_themselves(net):
    first, second = net.client(), net.client()
    first.send(can.Message(arbitration_id=0x18FF28F4, data=b"12345678", is_extended_id=True))
    while net.bus.frames < 1:
        net.serve()
    message = second.recv(HANG_S)
    assert (message.arbitration_id, message.is_extended_id) == (0x18FF28F4, True)
    assert bytes(message.data) == b"12345678"
    net.bus.send(0x120, b"", 0)
    net.server.service(0)
    assert first.recv(HANG_S).arbitration_id == 0x120  # and not its own frame


def test_no_frame_before_the_grace_time_is_over(net):
    net.server.grace_us = 200_000
    client = net.raw(now_us=1_000_000)
    for now_us in (1_000_000, 1_199_999, 1_200_000):
        net.bus.send(0x120, bytes((now_us & 255,)), now_us)
        net.server.service(now_us)
    net.expect(client, b"< frame 120 1.200000 80 >", now_us=1_200_000)


@cases("""lines  answers
    [b"< rawmode >"]  b"< hi >< error unknown command >" | [b"< echo >"]  b"< hi >< echo >"
    [b"< open vcan9 >"]  b"< hi >< error could not open bus >"
    [b"< open can0 >< rawmode >"]  b"< hi >< ok >< ok >" | [b"noise < open can0 >"]  b"< hi >< ok >"
    [b"< op", b"en can0 ", b">< raw", b"mode >"]  b"< hi >< ok >< ok >"
    [b"< send 123 0 >"]  b"< hi >< error unknown command >"
""")
def test_commands(net, lines, answers):
    net.expect(net.plain(*lines), answers)


@cases("""line
    b"< send >" | b"< send 123 2 1 >" | b"< send 123 9 1 2 3 4 5 6 7 8 9 >" | b"< send xyz 0 >"
    b"< send 123 1 100 >" | b"< send 123 1 -1 >" | b"< send 2FFFFFFFF 0 >"
""")
def test_malformed_frames_are_counted_and_go_nowhere(net, line):
    client = net.raw()
    client.sendall(line + b"< send 13F 1 a >")
    while not net.commands:
        net.serve()
    assert net.commands == [(0x13F, b"\x0a", 0)] and net.server.refused == 1
    net.bus.down = True
    client.sendall(b"< send 13F 1 b >")
    while net.server.refused < 2:
        net.serve()
    assert len(net.commands) == 1


def test_a_client_that_leaves_is_forgotten_and_others_stay(net):
    first, second = net.client(), net.client()
    assert len(net.bus.ends) == 2
    first.shutdown()
    while len(net.bus.ends) == 2:
        net.serve()
    net.bus.send(0x120, b"\1", 0)
    net.server.service(0)
    assert second.recv(HANG_S).arbitration_id == 0x120
    assert len(net.bus.ends) == 1


def test_a_client_that_does_not_read_loses_whole_frames_only(net):
    client = net.raw()
    sent = 0
    while net.server.lost < 100:
        for number in range(sent, sent + 200):
            net.bus.send(number & 0x7FF, bytes(8), 0)
        sent += 200
        net.server.service(0)
        assert sent < 1_000_000, "the outbox has no end"
    waiting = max(len(one.outbox) for one in net.server._clients.values())
    assert waiting < OUT_BYTES_MAX + 100
    got = b""
    while got.count(b">") < sent - net.server.lost:
        got += net.heard(client)
    assert len(got) % len(b"< frame 000 0.000000 0000000000000000 >") == 0
    assert {line.startswith(b"< frame ") for line in got.split(b">")[:-1]} == {True}
