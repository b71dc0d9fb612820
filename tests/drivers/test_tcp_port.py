"""Modbus TCP as a port: frames in and out, other transactions, splits, hosts that are not there."""

import errno
import select
import socket
import struct

import pytest

from drivers.buses import rtu
from drivers.buses.port import RtuPort
from drivers.buses.serial_port import Arrivals
from drivers.buses.tcp_port import CONNECT_US_MAX, TcpPort
from tests.tables import cases

pytestmark = pytest.mark.wire
REQUEST = rtu.read_request("a", 7, 3, 100, 2)
REPLY = bytes((7, 3, 4, 1, 2, 3, 4))
GUARD_S = 30


class Host:
    """A server on loopback with one client."""

    def __init__(self):
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = TcpPort("{}:{}".format(*self.server.getsockname()))

    def connect(self):
        self.port.service(0)
        self.client, _ = self.server.accept()
        self.client.settimeout(GUARD_S)
        assert self.port.service(1)
        return self

    def read(self):
        assert select.select([self.port], (), (), GUARD_S)[0]
        return self.port.read()

    def head(self, transaction, content, protocol=0):
        return struct.pack(">HHH", transaction, protocol, len(content)) + content


@pytest.fixture
def host():
    made = Host()
    yield made
    made.port.close()
    made.server.close()


@cases("""number
    errno.EAFNOSUPPORT | errno.EPERM | errno.EACCES""")
def test_a_process_that_may_not_use_ip_has_a_lost_port_with_its_remedy(monkeypatch, number):
    """The unit of a service allows no IP, or not this address: its devices are silent."""

    def refuse(*_):
        raise OSError(number, "")

    monkeypatch.setattr(socket, "socket", refuse)
    port = TcpPort("192.168.1.20:502")
    port.open()
    assert port.error.startswith("Modbus TCP 192.168.1.20:502: this process may not reach it: ")
    assert (port.fileno(), port.losses, port.service(0), port.read()) == (-1, 0, False, b"")


def test_a_request_is_sent_behind_its_head_and_the_reply_comes_back_as_an_rtu_frame(host):
    host.connect()
    for transaction in (1, 2):
        assert host.port.write(REQUEST.frame)
        assert host.client.recv(100) == host.head(transaction, REQUEST.frame[:-2])
        host.client.send(host.head(transaction, REPLY))
        assert host.read() == rtu.seal(REPLY)
    assert (host.port.error, host.port.generation, host.port.losses) == ("", 1, 0)


def test_a_reply_in_single_bytes_is_given_once_it_is_whole(host):
    host.connect()
    host.port.write(REQUEST.frame)
    data = host.head(1, REPLY)
    for at in range(len(data)):
        host.client.send(data[at : at + 1])
        assert host.read() == (rtu.seal(REPLY) if at + 1 == len(data) else b"")


def test_a_reply_to_an_earlier_request_is_dropped_and_counted(host):
    host.connect()
    host.port.write(REQUEST.frame)
    host.port.write(REQUEST.frame)
    host.client.send(host.head(1, bytes(7)) + host.head(2, REPLY))
    assert host.read() == rtu.seal(REPLY) and host.port.strays == 1


@cases("""
    data
    struct.pack(">HHH", 1, 1, 7) + REPLY
    struct.pack(">HHH", 1, 0, 2) + bytes(2)
    struct.pack(">HHH", 1, 0, 255) + bytes(255)
    b""
""")
def test_what_is_no_modbus_tcp_ends_the_connection(host, data):
    host.connect()
    host.port.write(REQUEST.frame)
    host.client.send(data) if data else host.client.close()
    assert host.read() == b"" and host.port.fileno() == -1 and host.port.losses == 1
    assert host.port.error.startswith(f"Modbus TCP {host.port.path}: ")
    assert not host.port.write(REQUEST.frame), "nothing is sent later to another connection"


def test_a_lost_connection_is_made_again_with_longer_pauses(host):
    host.connect()
    host.client.close()
    host.read()
    host.server.close()
    tries, now_us = [], 0
    while now_us < 20_000_000:
        before = host.port.error
        host.port.error = "" if host.port.fileno() < 0 else before
        host.port.service(now_us)
        if host.port.error:
            tries.append(now_us)
        now_us += 20_000
    pauses_us = [after - before for before, after in zip(tries, tries[1:])]
    assert pauses_us[:3] == sorted(pauses_us[:3]) and pauses_us[-1] >= 5_000_000
    assert "refused" in host.port.error or not host.port.error


@pytest.mark.parametrize("answers", (None, -1, 1))
def test_a_connection_without_answers_is_closed_after_three_requests(host, answers):
    """None: a mute device; -1, 1: each answer has the number of another request."""
    host.connect()
    for request in range(1, 4):
        assert host.port.write(REQUEST.frame)
        host.client.recv(100)
        if answers:
            host.client.send(host.head(request + answers, REPLY))
            assert host.read() == b""
    assert host.port.losses == 0, "the third may still be answered"
    assert not host.port.write(REQUEST.frame)
    assert (host.port.fileno(), host.port.losses) == (-1, 1)
    assert host.port.error == f"Modbus TCP {host.port.path}: no answer to 3 requests in a row"
    assert host.client.recv(100) == b""


def test_an_answer_of_any_unit_keeps_the_connection(host):
    host.connect()
    for number in range(1, 10):
        assert host.port.write(REQUEST.frame)
        host.client.recv(100)
        if number % 3 == 0:
            host.client.send(host.head(number, bytes((8, 0x83, 11))))
            assert host.read()
    assert host.port.losses == 0


@pytest.mark.parametrize("is_mute", (False, True))
def test_a_silent_unit_ends_no_connection_over_which_another_unit_answers(host, is_mute):
    """The silent unit is asked ten times as often. A mute gateway answers for neither."""
    host.connect()
    other = rtu.read_request("b", 8, 3, 100, 2)
    for number in range(100):
        request = REQUEST if number % 10 else other
        if not host.port.write(request.frame):
            break
        host.client.recv(100)
        if request is other and not (is_mute and number > 50):
            host.client.send(host.head(number + 1, bytes((8,)) + REPLY[1:]))
            assert host.read()
    assert (host.port.losses, number) == ((1, 61) if is_mute else (0, 99))


def test_the_pauses_between_mute_connections_grow_until_an_answer(host):
    now_us, opened_us = 0, []
    while len(opened_us) < 8:
        host.port.service(now_us)
        client, _ = host.server.accept()
        while not host.port.service(now_us):
            now_us += 1000
        opened_us.append(now_us)
        for _ in range(4):
            host.port.write(REQUEST.frame)
        assert host.port.fileno() == -1
        while not host.port._socket:
            now_us += 10_000
            host.port.service(now_us)
        client.close()
    pauses_us = [after - before for before, after in zip(opened_us, opened_us[1:])]
    assert pauses_us == sorted(pauses_us) and pauses_us[-1] >= 5_000_000
    client, _ = host.server.accept()
    assert host.port.service(now_us)
    host.port.write(REQUEST.frame)
    host.client = client
    client.send(host.head(host.port._transaction, REPLY))
    assert host.read() == rtu.seal(REPLY) and host.port.error == ""
    client.close()
    host.read()
    host.port.service(now_us + 5_000_000)
    host.server.accept()
    assert host.port.service(now_us + 5_000_001)


@pytest.mark.parametrize("unit_id", (0, 7, 255))
def test_the_engine_takes_the_reply_of_any_unit(host, unit_id):
    """A device that is reached directly has the unit id 0 or 255."""
    host.connect()
    heard = []
    request = rtu.read_request("a", unit_id, 3, 0, 1, lambda pdu, now_us: heard.append(pdu))
    engine = RtuPort("tcp", 1_000_000)
    engine.submit(request)
    host.port.write(engine.poll(0))
    assert host.client.recv(100)[6] == unit_id
    host.client.send(host.head(1, bytes((unit_id, 3, 2, 0, 7))))
    engine.receive(host.read(), 5000)
    assert heard == [bytes((3, 2, 0, 7))] and engine.statistics[unit_id].ok == 1


class Unready:
    """A poll that reports nothing."""

    def register(self, *_):
        pass

    def poll(self, _):
        return []


def test_a_host_that_never_answers_is_given_up(monkeypatch):
    port = TcpPort("127.0.0.1:9")
    monkeypatch.setattr(socket.socket, "connect_ex", lambda *_: errno.EINPROGRESS)
    monkeypatch.setattr(select, "poll", Unready)
    port.open()
    assert not port.service(1000) and port.error == ""
    assert not port.service(1000 + CONNECT_US_MAX - 1) and port.error == ""
    assert not port.service(1000 + CONNECT_US_MAX) and "timed out" in port.error


def test_arrivals_sees_the_bytes_and_the_end(host):
    host.connect()
    arrivals = Arrivals()
    arrivals.add(host.port)
    for act in (lambda: host.client.send(host.head(1, REPLY)), lambda: host.client.close()):
        act()
        assert select.select([arrivals], (), (), GUARD_S)[0]
        assert arrivals.ports() == [host.port]
        host.port.read()
    arrivals.close()
