"""Gas detector family: concentration, health bits, calibration days."""

import struct

import pytest
from device_suite import ModbusSuite, Sink, Slave

from drivers import profile
from drivers.gas import GasDetector
from safety import signals

DUE, TODAY = 20_800, 20_500


def detector():
    sink = Sink()
    return GasDetector(profile.load("gas_detector"), 1, sink, signals.GAS_1_LFL_PERMILLE, signals.GAS_1_OK,
                       signals.GAS_1_CALIBRATION_D, signals.G_GAS_1), sink


def fed(*registers):
    """(device, sink) after one reply with these four registers."""
    device, sink = detector()
    (request, _), = device.periodic()
    request.on_reply(bytes((4, 8)) + struct.pack(">4H", *registers), 0)
    return device, sink


class TestSuite(ModbusSuite):
    absurd = {0: 10_001, 2: 0xFFFF, 3: 0}
    settle_ms = 1500

    def build(self):
        device, sink = detector()
        return device, Slave(inputs={0: 105, 1: 0, 2: DUE, 3: TODAY}), sink, signals.G_GAS_1


def test_values():
    _, sink = fed(105, 0, DUE, TODAY)
    assert sink.inp[signals.GAS_1_LFL_PERMILLE] == 105
    assert sink.inp[signals.GAS_1_OK] == 1
    assert sink.inp[signals.GAS_1_CALIBRATION_D] == 300
    assert sink.taken() == {signals.G_GAS_1}


@pytest.mark.parametrize("concentration", [0, 100, 249, 250, 999, 1000])
def test_the_whole_scale_is_taken(concentration):
    assert fed(concentration, 0, DUE, TODAY)[1].inp[signals.GAS_1_LFL_PERMILLE] == concentration


@pytest.mark.parametrize("status, ok", [(0, 1), (1, 0), (2, 0), (4, 1), (8, 0), (16, 0), (32, 1), (0xFFE0, 1), (31, 0)])
def test_each_fault_bit(status, ok):
    _, sink = fed(0, status, DUE, TODAY)
    assert sink.inp[signals.GAS_1_OK] == ok and sink.taken() == {signals.G_GAS_1}


@pytest.mark.parametrize("concentration, status", [(1001, 0), (10_000, 0), (0, 4), (600, 4)])
def test_a_saturated_cell_reads_full_scale_and_never_unknown(concentration, status):
    """Most gas is exactly when the cell is over range: row 12 must see it."""
    sink = fed(concentration, status, DUE, TODAY)[1]
    assert (sink.inp[signals.GAS_1_LFL_PERMILLE], sink.inp[signals.GAS_1_OK]) == (1000, 1)


@pytest.mark.parametrize("due, today, days", [(TODAY, TODAY, 0), (TODAY - 1, TODAY, -1), (65534, 1, 36500),
                                              (1, 65534, -36500)])
def test_calibration_days(due, today, days):
    assert fed(0, 0, due, today)[1].inp[signals.GAS_1_CALIBRATION_D] == days


@pytest.mark.parametrize("registers", [(10_001, 0, DUE, TODAY), (0xFFFF, 1, DUE, TODAY), (0, 0, 0xFFFF, TODAY),
                                       (0, 0, DUE, 0)])
def test_refused_whole(registers):
    device, sink = fed(*registers)
    assert device.refused == 1 and not sink.taken() and not any(sink.inp)
