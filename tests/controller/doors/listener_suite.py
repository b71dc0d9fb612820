"""What every door survives. A class of its tests inherits one of these, with `opened(folder)`."""

import asyncio
import contextlib
import os
import socket
import threading

import pytest

from controller.doors import listener
from tests.controller.doors.doors_site import GUARD_S, Opened

FULL, SLOW = 4, 0.1
IP_BIND_ADDRESS_NO_PORT = 24  # the port is chosen with the peer: 100 000 connections find one


class Place(Opened):
    """A door at work, and raw clients of it. HALVES: beginnings of messages; FAULT: what answers a
    message; `many`: messages with their answers; `effect`: what the loop has taken.
    """

    SLOW, ROOM = listener.SLOW_READER, listener.MADE_ROOM
    is_counted = has_limits = True
    held_bytes_max = 1 << 18

    def stranger(self):
        return self.connect()

    def connect(self, receive_bytes=0, source="127.0.0.1"):
        link = socket.socket()
        link.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
        link.bind((source, 0))
        if receive_bytes:
            link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        link.settimeout(GUARD_S)
        link.connect(("127.0.0.1", self.port))
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return link

    @contextlib.contextmanager
    def crowd(self):
        with contextlib.ExitStack() as stack:
            for _ in range(3 * FULL):
                stack.enter_context(self.connect())
            yield

    @property
    def port(self):
        return self.door.listener.port

    @property
    def counts(self):
        return self.door.counts

    def hurry(self, monkeypatch, limit_s):
        monkeypatch.setattr(listener, "WRITE_S", limit_s)

    def hurry_limits(self, monkeypatch, limit_s):
        pass

    def until(self, is_so):
        for _ in range(3000):
            if is_so():
                return
            self.call(asyncio.sleep(0.01))
        raise AssertionError

    def forget(self):
        self.counts.clear()

    def meet(self, fails):
        with self.connect() as link:
            link.sendall(self.GOOD)
            assert self.after_fault(link)

    def attack(self, number):
        with self.stranger() as link, contextlib.suppress(ConnectionError):
            link.sendall(self.hostile(number))
            link.shutdown(socket.SHUT_WR)
            assert self.is_harmless(self.until_closed(link)), number

    def honest(self):
        with self.connect() as link:
            link.sendall(self.GOOD)
            assert self.is_good(self.answer(link))

    def until_closed(self, link):
        found = b""
        with contextlib.suppress(ConnectionError):
            while more := link.recv(65_536):
                found += more
        return found


def garbled(chance, data):
    """Bytes in part changed, often cut short."""
    made = bytearray(data)
    for _ in range(chance.randrange(4)):
        at = chance.randrange(len(made))
        made[at : at + chance.randrange(3)] = chance.randbytes(chance.randrange(4))
    return bytes(made[: chance.randrange(1, 2 * len(made))])


class HostileSuite:
    VALUES: dict = {}

    @pytest.fixture(scope="class")
    @classmethod
    def shared(cls, tmp_path_factory):
        with cls.opened(tmp_path_factory.mktemp("door"), **cls.VALUES) as place:
            yield place

    @pytest.fixture
    def place(self, shared):
        shared.forget()
        return shared

    def test_a_fault_of_the_program_ends_one_client_with_one_line(self, place, monkeypatch, capfd):
        capfd.readouterr()
        with monkeypatch.context() as broken:
            broken.setattr(*place.FAULT, fails := raises(RuntimeError("secret")))
            for _ in "12":
                place.meet(fails)
        place.honest()
        (line,) = capfd.readouterr().err.splitlines()
        assert "RuntimeError at " in line and "secret" not in line

    @pytest.mark.timeout(3600)
    @pytest.mark.parametrize("count", [200, pytest.param(100_000, marks=pytest.mark.whole)])
    def test_hostile_messages_change_nothing_and_honest_ones_go_on(self, place, count):
        before = place.effect()
        for number in range(count):
            place.attack(number)
            if number % (count // 4) == 0:
                place.honest()
        assert place.effect() == before


class ListenerSuite(HostileSuite):
    """Clients of a listening address or path. WRONG: [(bytes, their refusal)]."""

    VALUES = {"connections_max": 64}  # more than a test opens

    def test_bytes_one_by_one_and_many_messages_at_once_are_answered_in_order(self, place):
        with place.connect() as link:
            for byte in place.GOOD:
                link.sendall(bytes([byte]))
            assert place.is_good(place.answer(link))
            sent, wanted = place.many()
            link.sendall(sent)
            assert [place.answer(link) for _ in wanted] == wanted

    def test_half_a_message_disturbs_nobody(self, place, monkeypatch):
        for half in place.HALVES:
            with place.connect() as link:
                link.sendall(half)
                place.honest()
                if place.GOOD.startswith(half):
                    link.sendall(place.GOOD[len(half) :])
                    assert place.is_good(place.answer(link))
        with monkeypatch.context() as short:
            place.hurry_limits(short, SLOW)
            for half in (*place.HALVES, place.GOOD) if place.has_limits else ():
                with place.connect() as link:
                    link.sendall(half)
                    assert half != place.GOOD or place.is_good(place.answer(link))
                    assert place.until_closed(link) == b""
        if place.has_limits:
            assert place.counts.total() >= len(place.HALVES) + 1

    def test_what_is_no_message_is_refused_and_counted(self, place):
        for data, wanted in self.WRONG:
            before = place.counts.total()
            with place.connect() as link:
                link.sendall(data)
                assert place.refusal(link) == wanted, data
            assert place.counts.total() == before + place.is_counted, data
            place.honest()

    def test_a_client_that_does_not_read_delays_nobody_and_is_dropped(self, place, monkeypatch):
        place.hurry(monkeypatch, SLOW)
        with place.connect(4096) as deaf:
            deaf.setblocking(False)
            with pytest.raises((BlockingIOError, ConnectionError)):
                while True:
                    deaf.send(place.GOOD * 50)
            place.honest()
            held = [each.writer.transport for each in place.door.listener.connections]
            assert max(each.get_write_buffer_size() for each in held) <= place.held_bytes_max
            place.until(lambda: place.counts[place.SLOW] == 1)
            deaf.settimeout(GUARD_S)
            place.until_closed(deaf)

    def test_clients_that_stop_at_any_moment_keep_no_descriptor(self, place, monkeypatch):
        """What a closed connection still has to send must not keep it open."""
        place.hurry(monkeypatch, SLOW)
        held = place.door.listener.connections
        place.until(lambda: not held)
        before = len(os.listdir("/proc/self/fd"))
        with contextlib.ExitStack() as stack:
            for count in range(1, 13):  # some of them end within the buffer of the door
                link = stack.enter_context(place.connect(4096))
                link.sendall(place.GOOD * count)
                link.shutdown(socket.SHUT_WR)
            for half in (b"", *place.HALVES, place.GOOD):
                with place.connect() as dying:
                    dying.sendall(half)
            place.honest()  # all that came before it are accepted by then
            place.until(lambda: not held and len(os.listdir("/proc/self/fd")) <= before + 12)
        place.honest()

    def test_a_crowd_takes_no_more_places_than_there_are_and_locks_nobody_out(self, tmp_path):
        with self.opened(tmp_path, connections_max=FULL) as place, place.crowd():
            for _ in range(5):
                place.honest()
            assert len(place.door.listener.connections) <= FULL
            assert place.counts[place.ROOM]

    def test_a_connection_that_cannot_be_accepted_is_survived(self, place, monkeypatch):
        with monkeypatch.context() as full:
            full.setattr(listener, "FULL_S", 0.01)
            full.setattr(socket.socket, "accept", raises(OSError("too many open files")))
            link = place.connect()
            place.until(lambda: True)
        with link:
            link.sendall(place.GOOD)
            assert place.is_good(place.answer(link))


def raises(error):
    """A function that raises. `called`: a semaphore that counts its calls."""

    def fails(*_, **__):
        fails.called.release()
        raise error

    fails.called = threading.Semaphore(0)
    return fails
