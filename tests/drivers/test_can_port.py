"""A CAN port: bounded reading, error frames, a full queue, bus-off, a lost interface."""

import errno

import can
import pytest

from drivers.buses import can_port as c
from drivers.buses.can_port import CanPort, CanPortError, open_can
from tests.tables import cases


def frame(can_id, data=b"12345678", **kinds):
    kinds.setdefault("is_extended_id", False)
    return can.Message(arbitration_id=can_id, data=data, **kinds)


def error_frame(kind, controller=0):
    return frame(kind, bytes((0, controller, 0, 0, 0, 0, 0, 0)), is_error_frame=True)


class FakeBus:
    def __init__(self, waiting=(), failures=()):
        self.waiting, self.failures = list(waiting), list(failures)
        self.sent, self.shut = [], 0

    def recv(self, timeout):
        assert timeout == 0
        item = self.waiting.pop(0) if self.waiting else None
        if isinstance(item, Exception):
            raise item
        return item

    def send(self, message):
        if self.failures:
            failure = self.failures.pop(0)
            if failure is not None:
                raise failure
        self.sent.append(message)

    def shutdown(self):
        self.shut += 1


def test_frames_in_order_with_ids_and_data():
    waiting = [frame(0x101, bytearray(b"\x01")), frame(0x18FF50E5, b"", is_extended_id=True)]
    port = CanPort(FakeBus(waiting))
    frames = port.drain()
    assert frames == [(0x101, b"\x01"), (0x18FF50E5 | c.EXTENDED, b"")]
    assert type(frames[0][1]) is bytes, "equal payloads compare and hash"
    assert (port.received, port.foreign, port.state) == (2, 0, c.ACTIVE)
    assert port.drain() == []


@pytest.mark.parametrize("waiting, limit, taken", [(0, 5, 0), (4, 5, 4), (5, 5, 5), (6, 5, 5)])
def test_a_drain_is_bounded(waiting, limit, taken):
    """python-can #176: an unbounded read starves the rest of the loop."""
    bus = FakeBus([frame(n) for n in range(waiting)])
    port = CanPort(bus)
    assert [can_id for can_id, _ in port.drain(limit)] == list(range(taken))
    assert len(bus.waiting) == waiting - taken


def test_other_ids_and_remote_frames_are_foreign():
    other, remote = frame(2, is_extended_id=True), frame(1, b"", is_remote_frame=True)
    port = CanPort(FakeBus([frame(1), frame(2), other, remote]))
    port.accept([1])
    assert port.drain() == [(1, b"12345678")]
    assert (port.received, port.foreign) == (1, 3)
    port.accept([2 | c.EXTENDED])
    port._bus.waiting = [frame(1), frame(2), frame(2, b"x", is_extended_id=True)]
    assert port.drain() == [(2 | c.EXTENDED, b"x")]


@cases("""kind  controller  state
    # numbers of linux/can/error.h
    0x004  0x04  c.WARNING
    0x004  0x08  c.WARNING
    0x004  0x10  c.PASSIVE
    0x004  0x20  c.PASSIVE
    0x004  0x01  c.ACTIVE  # receive buffer overflow: an error, no change of state
    # no acknowledge; data[1] means nothing without the controller bit
    0x020  0  c.ACTIVE
    0x080  0x30  c.ACTIVE
    0x040  0  c.BUS_OFF
    0x044  0x20  c.BUS_OFF""")
def test_error_frames_are_state_and_never_data(kind, controller, state):
    """esphome-jk-bms-can #23: error counters and bus state for the technician."""
    port = CanPort(FakeBus([error_frame(kind, controller)]))
    assert port.drain() == []
    assert (port.state, port.error_frames, port.bus_offs) == (state, 1, int(state == c.BUS_OFF))


def test_an_error_frame_without_data_is_counted():
    errors = [frame(0x004, data, is_error_frame=True) for data in (b"", b"\x20", b"\x00\x20")]
    port = CanPort(FakeBus(errors))
    assert port.drain(2) == [] and (port.error_frames, port.state) == (2, c.ACTIVE)
    assert port.drain() == [] and port.state == c.PASSIVE


@cases("""fault  recovery  state
    error_frame(0x040)  error_frame(0x100)  c.ACTIVE
    error_frame(0x040)  error_frame(0x004, 0x40)  c.ACTIVE
    error_frame(0x040)  frame(5)  c.ACTIVE
    error_frame(0x004, 0x20)  frame(5)  c.PASSIVE  # a frame does not end error passive
    error_frame(0x004, 0x20)  error_frame(0x004, 0x08)  c.WARNING""")
def test_bus_off_and_recovery_are_counted(fault, recovery, state):
    """can-utils #262/#344, python-can #1495: bus-off lasts with restart-ms 0, not with 100."""
    port = CanPort(FakeBus([fault, None, recovery]))
    port.drain()
    assert port.send(1, b""), "the queue has room: that is no sign of another node"
    assert port.state == (c.BUS_OFF if state == c.ACTIVE else c.PASSIVE)
    port.drain()
    assert (port.state, port.bus_offs) == (state, int(state == c.ACTIVE))
    port._bus.waiting = [fault]
    port.drain()
    assert port.bus_offs == 2 * int(state == c.ACTIVE)


def test_an_error_frame_of_an_interface_that_is_back_ends_the_loss():
    port = CanPort(FakeBus([OSError(100, "Network is down"), error_frame(0x004, 0x20)]))
    assert port.drain() == [] and port.state == c.DOWN and port.error
    port.drain()
    assert (port.state, port.error) == (c.PASSIVE, "")


@cases("""can_id  extended
    0x7FF  False | 0x1FFFFFFF + c.EXTENDED  True | 0x305 + c.EXTENDED  True""")
def test_a_frame_goes_out_as_it_is(can_id, extended):
    bus = FakeBus()
    port = CanPort(bus)
    assert port.send(can_id, b"\x00\x01")
    (message,) = bus.sent
    assert (message.arbitration_id, message.is_extended_id) == (can_id & ~c.EXTENDED, extended)
    assert (bytes(message.data), port.sent, port.full) == (b"\x00\x01", 1, 0)


@cases("""failure  full  state
    can.CanOperationError("Transmit buffer full")  1  c.ACTIVE
    can.CanOperationError("Failed to transmit: x", errno.ENOBUFS)  1  c.ACTIVE
    OSError(errno.ENOBUFS, "No buffer space available")  1  c.ACTIVE
    OSError(errno.ENETDOWN, "Network is down")  0  c.DOWN""")
def test_a_full_queue_is_counted_and_no_loss(failure, full, state):
    """python-can #2004 and #310, can-utils #400, farm-ng/tractor #91: ENOBUFS at once."""
    port = CanPort(FakeBus(failures=[failure]))
    assert port.send(1, b"") is False
    assert (port.full, port.sent, port.losses, port.state) == (full, 0, 1 - full, state)
    assert port.send(1, b"") is True


@cases(r"""failure  text
    can.CanOperationError("Failed to receive", errno.ENETDOWN)  "the interface is down"
    OSError(errno.ENODEV, "No such device")  "no such interface"
    can.CanOperationError("Failed: [1]\nTraceback")  "Failed: [1] Traceback"
    can.CanOperationError("Failed to receive", errno.EPIPE)  "Broken pipe"
""")
def test_a_lost_interface_is_a_state_not_a_crash(failure, text):
    """victronenergy/venus #1032, python-can #1495: frames from before the loss are kept."""
    port = CanPort(FakeBus([frame(1), OSError(errno.EIO, "first"), failure]))
    assert port.drain() == [(1, b"12345678")]
    assert port.drain() == []
    assert (port.state, port.losses) == (c.DOWN, 1)
    assert port.error.startswith(text) and "\n" not in port.error
    assert port.service(0) is False


@pytest.mark.parametrize("recover", [lambda port: port.drain(), lambda port: port.send(1, b"")])
def test_an_interface_that_was_only_set_down_works_again_by_itself(recover):
    port = CanPort(FakeBus([can.CanOperationError("x", errno.ENETDOWN), frame(1)]))
    port.drain()
    assert port.state == c.DOWN
    recover(port)
    assert (port.state, port.error) == (c.ACTIVE, "") and port.service(0)


def test_a_lost_interface_is_reopened_with_longer_pauses():
    opened = []

    def reopen():
        if len(opened) < 7:
            opened.append(None)
            raise CanPortError("CAN can0 (socketcan): no such interface")
        return FakeBus([frame(7)])

    port, now_us = CanPort(FakeBus(), reopen=reopen), 10**9
    for losses in (1, 2):
        old, waits_us = port._bus, []
        old.waiting = [OSError(errno.ENODEV, "gone")]
        port.drain()
        while not port.service(now_us):
            waits_us.append(port._retry.due_us - now_us)
            assert port.service(port._retry.due_us - 1) is False and len(opened) == len(waits_us)
            assert port.error == "CAN can0 (socketcan): no such interface"
            now_us = port._retry.due_us
        assert waits_us == [200_000 * n for n in (1, 2, 4, 8, 16)] + [5_000_000] * 2
        assert (port.state, port.error, old.shut, port.losses) == (c.ACTIVE, "", 8, losses)
        assert port.drain() == [(7, b"12345678")]
        opened.clear()


@cases("""interface  text
    "nonsense"  "CAN can9 (nonsense): CAN interface 'nonsense' not supported"
    "socketcand"  "CAN can9 (socketcand): "
""")
def test_a_failed_open_gives_one_line(interface, text):
    with pytest.raises(CanPortError) as failure:
        open_can(interface, "can9", 500_000)
    assert str(failure.value).startswith(text) and "\n" not in str(failure.value)


@cases("""number  text
    errno.ENODEV  "no such interface"
    errno.EPERM  "not permitted"
""")
def test_reasons_of_the_system(number, text, monkeypatch):
    def refuse(**_):
        raise OSError(number, "as the kernel says it")

    monkeypatch.setattr(c.can, "Bus", refuse)
    with pytest.raises(CanPortError, match=text):
        open_can("socketcan", "can0", 500_000)


def test_a_kernel_without_can_gives_a_lost_port_that_is_opened_later(monkeypatch):
    """The racks are silent and the pages say why; the controller does not end again and again."""
    made = [OSError(errno.EAFNOSUPPORT, ""), OSError(errno.EAFNOSUPPORT, ""), FakeBus()]

    def next_bus(**_):
        found = made.pop(0)
        if isinstance(found, OSError):
            raise found
        return found

    monkeypatch.setattr(c.can, "Bus", next_bus)
    port = open_can("socketcan", "can0", 500_000)
    assert (port.state, port.losses) == (c.DOWN, 0) and "this kernel has no CAN" in port.error
    assert port.drain() == [] and not port.send(1, b"") and port.fileno() == -1
    assert not port.service(0) and port.service(port._retry.due_us) and port.state == c.ACTIVE
    made[:] = [OSError(errno.EAFNOSUPPORT, "")]
    with pytest.raises(CanPortError):
        open_can("socketcand", "can0", 500_000)  # such a port is never opened again


@pytest.mark.parametrize("interface, reopened", [("socketcan", True), ("socketcand", False)])
def test_only_socketcan_is_reopened(interface, reopened, monkeypatch):
    """The connect of socketcand may block for 10 s, which the loop cannot wait."""
    asked = []

    def open_bus(**settings):
        asked.append(settings)
        return FakeBus([OSError(errno.ENODEV, "gone")])

    monkeypatch.setattr(c.can, "Bus", open_bus)
    port = open_can(interface, "can0", 500_000, host="localhost")
    given = dict(interface=interface, channel="can0", bitrate=500_000, host="localhost")
    assert asked == [{**given, "ignore_config": True}]
    port.drain()
    assert port.service(0) is reopened


def test_two_ports_on_a_real_python_can_bus():
    one, two = (open_can("virtual", "test_can_port", 500_000) for _ in range(2))
    assert one.send(0x123, b"12345678") and one.send(0x1806E5F4 | c.EXTENDED, b"\x01")
    assert two.drain() == [(0x123, b"12345678"), (0x1806E5F4 | c.EXTENDED, b"\x01")]
    assert one.drain() == [] and one.fileno() == -1
    one.close()
    two.close()
    bus = FakeBus()
    bus.fileno = lambda: 5
    port = CanPort(bus)
    assert port.fileno() == 5
    port.close()
    assert bus.shut == 1
