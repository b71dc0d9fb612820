"""The simulated sensors: gas, off-gas, toxic gas, climate and UPS, register by register, and their
faults.
"""

import dev_standin
import pytest

from hil.devices import sensors
from hil.devices.registers import ModbusException
from hil.devices.sensors import TODAY_d

FC3, FC4 = 3, 4
# name: (device on a stand-in plant, its registers at first)
BUILD = {
    "gas_1": (lambda cabinet: sensors.GasDetector(cabinet, 0), [5, 0, TODAY_d + 180, TODAY_d]),
    "gas_2": (lambda cabinet: sensors.GasDetector(cabinet, 1), [148, 0, TODAY_d - 3, TODAY_d]),
    "offgas_1": (
        lambda cabinet: sensors.OffgasDetector(cabinet, 0),
        [0, 0, TODAY_d + 180, TODAY_d],
    ),
    "offgas_2": (
        lambda cabinet: sensors.OffgasDetector(cabinet, 1),
        [22, 0, TODAY_d + 180, TODAY_d],
    ),
    "toxic": (sensors.ToxicDetector, [48, 62, 0, TODAY_d + 180, TODAY_d]),
    "climate": (sensors.ClimateMonitor, [250, 442, 0]),
    "ups": (sensors.UpsMonitor, [1, 194]),
}
STATUS_AT = {
    "gas_1": 1,
    "gas_2": 1,
    "offgas_1": 1,
    "offgas_2": 1,
    "toxic": 2,
    "climate": 2,
    "ups": 0,
}
MEASURED_AT = {"toxic": [0, 1], "climate": [0, 1], "ups": [0, 1]}
DETECTORS = [name for name in BUILD if name not in ("climate", "ups")]
each = pytest.mark.parametrize("name", BUILD)


def built(name):
    cabinet = dev_standin.Cabinet()
    return BUILD[name][0](cabinet), cabinet, len(BUILD[name][1])


def change_everything(cabinet):
    """Other readings on every sensor."""
    cabinet.gas_lfl_pct, cabinet.offgas_ppm, cabinet.toxic_ppm = (
        [50.0, 50.0],
        [300.0, 300.0],
        [200.0, 300.0],
    )
    cabinet.air_degC, cabinet.humidity_permille, cabinet.ups_reserve_min = -3.0, 910.0, 20.0
    cabinet.mains_present = False


@each
def test_registers(name):
    device, _, count = built(name)
    assert device.read(FC4, 0, count) == BUILD[name][1]
    assert device.read(FC4, 1, 1) == BUILD[name][1][1:2]


@each
def test_what_is_refused(name):
    device, _, count = built(name)
    for request, code in (((FC3, 0, 1), 1), ((FC4, 0, count + 1), 2), ((FC4, count, 1), 2)):
        with pytest.raises(ModbusException) as refusal:
            device.payload(*request)
        assert refusal.value.code == code
    with pytest.raises(ModbusException):
        device.write(16, 0, [0], 0)


@each
def test_values_follow_the_plant(name):
    device, cabinet, count = built(name)
    before = device.read(FC4, 0, count)
    change_everything(cabinet)
    after = device.read(FC4, 0, count)
    for place in MEASURED_AT.get(name, [0]):
        assert after[place] != before[place]


@each
def test_frozen_repeats_what_it_measured_and_nothing_else(name):
    device, cabinet, count = built(name)
    before = device.read(FC4, 0, count)
    device.frozen = True
    change_everything(cabinet)
    assert device.read(FC4, 0, count) == before
    device.status_bits = 1 << 7
    assert device.read(FC4, STATUS_AT[name], 1) == [before[STATUS_AT[name]] | 1 << 7]
    device.frozen = False
    assert (
        device.read(FC4, 0, count)[MEASURED_AT.get(name, [0])[-1]]
        != before[MEASURED_AT.get(name, [0])[-1]]
    )


@each
def test_status_bits_and_overrides_are_added(name):
    device, _, count = built(name)
    device.status_bits = 8
    assert device.read(FC4, STATUS_AT[name], 1) == [BUILD[name][1][STATUS_AT[name]] | 8]
    device.overrides = {count - 1: 0xFFFF}
    assert device.read(FC4, count - 1, 1) == [0xFFFF]


@pytest.mark.parametrize("name", DETECTORS)
def test_a_broken_cell_and_a_date(name):
    device, cabinet, count = built(name)
    cabinet.detector_fault[name], cabinet.calibration_d[name] = True, -40_000
    words = device.read(FC4, 0, count)
    assert words[STATUS_AT[name]] == (3 if name == "toxic" else 1)
    assert words[-2:] == [0, TODAY_d]


@pytest.mark.parametrize("cell, status", [(0, 1), (1, 2), (None, 3)])
def test_one_cell_of_the_toxic_detector(cell, status):
    device, cabinet, _ = built("toxic")
    cabinet.detector_fault["toxic"], device.faulty_cell = True, cell
    assert device.read(FC4, 2, 1) == [status]


@pytest.mark.parametrize(
    "pct, word, status",
    [
        (-0.2, 0, 0),
        (10.0, 120, 0),
        (25.0, 300, 0),
        (83.3, 1000, 0),
        (83.4, 1000, 4),
        (180.0, 1000, 4),
    ],
)
def test_gas_is_shown_as_methane(pct, word, status):
    """25 % of 6 vol % are 1.5 vol %, which is 30 % of methane's 5 vol %."""
    device, cabinet, _ = built("gas_1")
    cabinet.gas_lfl_pct[0] = pct
    assert device.read(FC4, 0, 2) == [word, status]


@pytest.mark.parametrize(
    "ppm, word, status", [(-3.0, 0, 0), (19.6, 20, 0), (1000.4, 1000, 0), (1001.0, 1000, 4)]
)
def test_vapour_range(ppm, word, status):
    device, cabinet, _ = built("offgas_2")
    cabinet.offgas_ppm[1] = ppm
    assert device.read(FC4, 0, 2) == [word, status]


@pytest.mark.parametrize(
    "ppm, words",
    [
        ([1001.0, 5.0], [1000, 5, 8]),
        ([5.0, 1001.0], [5, 1000, 16]),
        ([2e4, 2e4], [1000, 1000, 24]),
        ([-1.0, -1.0], [0, 0, 0]),
    ],
)
def test_each_toxic_cell_saturates_by_itself(ppm, words):
    device, cabinet, _ = built("toxic")
    cabinet.toxic_ppm = ppm
    assert device.read(FC4, 0, 3) == words


@pytest.mark.parametrize("degC, word", [(-0.1, 0xFFFF), (-40.0, 65_136), (45.14, 451), (0.0, 0)])
def test_temperature_is_signed(degC, word):
    device, cabinet, _ = built("climate")
    cabinet.air_degC = degC
    assert device.read(FC4, 0, 1) == [word]


@pytest.mark.parametrize(
    "mains, invalid, status",
    [(True, False, 1), (False, False, 0), (True, True, 3), (False, True, 2)],
)
def test_ups_status(mains, invalid, status):
    device, cabinet, _ = built("ups")
    cabinet.mains_present, cabinet.ups_invalid = mains, invalid
    assert device.read(FC4, 0, 1) == [status]


def test_a_minute_begun_is_not_a_minute_left():
    device, cabinet, _ = built("ups")
    cabinet.ups_reserve_min = 119.99
    assert device.read(FC4, 1, 1) == [119]
