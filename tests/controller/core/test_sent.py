"""The set-point that was sent, from the bytes on their way."""

from array import array

from hypothesis import given, strategies as some

from controller.core.base.scaled_gate import ScaledGate
from controller.core.base.sent import NOTHING, SENT, Sent
from drivers.buses import rtu
from drivers.buses.port import RtuPort
from safety.signals import INT_MAX
from tests.tables import cases

WSET = 40_024


class Pcs:
    def __init__(self, exponent=0, address=WSET):
        self.setpoint_address, self.setpoint_exponent = address, exponent


def sent(frame, exponent=0, address=WSET):
    """(W, code) after one frame."""
    inp = array("i", [7, 7, NOTHING])
    Sent(ScaledGate(1, Pcs(exponent, address)).sent, inp, 1, 2).see(frame)
    assert inp[0] == 7
    return tuple(inp[1:])


def write(address, *values, unit_id=1):
    return rtu.write_request(16, "write", unit_id, address, values).frame


def words(raw):
    return raw >> 16 & 0xFFFF, raw & 0xFFFF


@given(some.integers(-INT_MAX, INT_MAX))
def test_the_value_is_the_one_in_the_frame(raw):
    assert sent(write(WSET, *words(raw))) == (raw, SENT)


@cases("""
    exponent  raw  watts
    0  -5  -5 | 3  81  81_000 | 2  -815  -81_500 | -1  19  1 | -1  -19  -1 | -3  81_500_999  81_500
    None  0  0 | 0  -(2**31)  -INT_MAX | 3  2**31 - 1  INT_MAX
""")
def test_the_scale_is_the_converters_and_rounds_toward_zero(exponent, raw, watts):
    assert sent(write(WSET, *words(raw)), exponent) == (watts, SENT)


def test_a_longer_write_that_covers_it_counts():
    """Setting a converter up again writes 0 W among its other settings."""
    assert sent(write(WSET - 2, 1, 1, 0, 0, 0, 0)) == (0, SENT)
    assert sent(write(WSET - 2, 1, 1, 0, 300)) == (300, SENT)


@cases("""
    frame
    write(WSET - 2, 1, 1, 9) | write(WSET - 1, 1) | write(WSET + 1, 0, 9)
    write(WSET - 9, 1, 2, 3) | rtu.write_request(6, "write", 1, WSET, [9]).frame
    rtu.read_request("read", 1, 3, WSET, 2).frame
""")
def test_what_does_not_hold_the_whole_of_it_says_nothing(frame):
    assert sent(frame) == (7, NOTHING)
    # the registers are still unknown
    assert sent(write(WSET, 0, 9), address=None) == (7, NOTHING)


def test_a_frame_that_waited_while_the_address_was_forgotten_is_seen():
    """A stop waits behind a time-out; meanwhile the converter is lost and discovered anew."""
    pcs, inp = Pcs(exponent=2), array("i", [0, NOTHING])
    watcher = Sent(ScaledGate(1, pcs).sent, inp, 0, 1)
    watcher.see(write(WSET, 0, 300))
    pcs.setpoint_address = pcs.setpoint_exponent = None
    watcher.see(write(WSET, 0, 100))
    assert list(inp) == [10_000, SENT]
    pcs.setpoint_address, pcs.setpoint_exponent = WSET + 10, 0
    watcher.see(write(WSET, 0, 5))
    assert list(inp) == [10_000, SENT]
    watcher.see(write(WSET + 10, 0, 5))
    assert list(inp) == [5, SENT]


def test_a_refusal_leaves_the_power_that_stands():
    inp = array("i", [0, NOTHING])
    watcher = Sent(ScaledGate(1, Pcs()).sent, inp, 0, 1)
    watcher.see(write(WSET, 0, 300))
    watcher.refuse(608)
    assert list(inp) == [300, 608]
    watcher.see(write(WSET, 0, 100))
    assert list(inp) == [100, SENT]


def test_a_port_tells_of_a_frame_when_it_is_handed_to_the_wire():
    port, heard = RtuPort("pcs", 115_200), []
    port.watch[1] = [heard.append]
    port.submit(rtu.write_request(16, "a", 1, WSET, (0, 300)))
    port.submit(rtu.write_request(16, "b", 2, WSET, (0, 9)))
    assert heard == []
    assert port.poll(0) == write(WSET, 0, 300) and heard == [write(WSET, 0, 300)]
    assert port.poll(port.wake_us) in (b"", write(WSET, 0, 9, unit_id=2))
    port.poll(port.wake_us)
    assert heard == [write(WSET, 0, 300)]
