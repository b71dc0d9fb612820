"""The contactor state machine: times at 20 ms, weld, pre-charge failure."""

from hil.plant import bms, contactors
from hil.plant.contactors import CLOSED, FAULT, OPEN, PRECHARGE

DT_S = 0.02


def _states(one, steps, hold=True, difference_V=0.0):
    return [(one.step(DT_S, hold, difference_V), one.state)[1] for _ in range(steps)]


def _closed():
    one = contactors.Contactors()
    one.command = True
    _states(one, 30)
    assert one.state == CLOSED and one.conducting
    return one


def test_contactors_close_open_and_weld():
    one = contactors.Contactors()
    assert _states(one, 50) == [OPEN] * 50
    one.command = True
    assert _states(one, 50, hold=False) == [OPEN] * 50
    assert _states(one, 5) + _states(one, 1, hold=False) == [PRECHARGE] * 5 + [OPEN]
    assert _states(one, 27) == [PRECHARGE] * 25 + [CLOSED] * 2
    ends = {7.9: CLOSED, 8.0: CLOSED, 8.1: PRECHARGE, -8.0: CLOSED, -8.1: PRECHARGE}
    for difference_V, state in ends.items():
        one = contactors.Contactors()
        one.command = True
        assert _states(one, 40, difference_V=difference_V)[-1] == state
    one = contactors.Contactors()
    one.command = True
    states = _states(one, 152, difference_V=100.0)
    assert states == [PRECHARGE] * 150 + [FAULT] * 2
    assert one.fault_bits == bms.FAULT_PRECHARGE and not one.conducting
    one.command = False
    assert _states(one, 1) == [OPEN]
    assert one.fault_bits == 0
    for gone in ("command", "supply"):
        one = _closed()
        one.command = gone != "command"
        assert _states(one, 3, hold=gone != "supply") == [CLOSED, OPEN, OPEN]
        assert not one.conducting
    one = _closed()
    for _ in range(5):
        assert _states(one, 1, hold=False) == [CLOSED]
        assert _states(one, 1) == [CLOSED]
    one = _closed()
    one.welded = True
    one.command = False
    assert _states(one, 3) == [CLOSED, FAULT, FAULT]
    assert one.conducting and one.fault_bits == bms.FAULT_WELD
    one.welded = False
    assert _states(one, 1) == [OPEN]
    assert not one.conducting and one.fault_bits == 0
