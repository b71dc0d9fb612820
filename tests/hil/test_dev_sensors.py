"""The simulated sensors, register by register, and their faults."""

import dev_standin
import pytest
from dev_standin import read, refused

from hil.devices.sensors import SENSORS, TODAY_d
from tests.tables import table

FC3, FC4 = 3, 4
# name: (its registers at first, places of the measured ones, place of the status)
REGISTERS = {
    "gas_1": ([5, 0, TODAY_d + 180, TODAY_d], [0], 1),
    "gas_2": ([148, 0, TODAY_d - 3, TODAY_d], [0], 1),
    "offgas_1": ([0, 0, TODAY_d + 180, TODAY_d], [0], 1),
    "offgas_2": ([22, 0, TODAY_d + 180, TODAY_d], [0], 1),
    "toxic": ([48, 62, 0, TODAY_d + 180, TODAY_d], [0, 1], 2),
    "climate": ([250, 442, 0], [0, 1], 2),
    "ups": ([1, 194], [0, 1], 0),
}
each = pytest.mark.parametrize("name", REGISTERS)


def built(name, **changes):
    plant = dev_standin.plant()
    vars(plant).update(changes)
    return SENSORS[name](plant), plant


@each
def test_registers_and_refusals(name):
    device, _ = built(name)
    words = REGISTERS[name][0]
    assert read(device, FC4, 0, len(words)) == words and read(device, FC4, 1, 1) == words[1:2]
    assert refused(device.payload, FC3, 0, 1) == 1
    assert refused(device.payload, FC4, 0, len(words) + 1) == 2
    assert refused(device.payload, FC4, len(words), 1) == 2
    assert refused(device.write, 16, 0, [0], 0) == 1


@each
def test_values_follow_the_plant_unless_frozen_and_the_status_always(name):
    device, plant = built(name)
    words, measured, status = REGISTERS[name]
    read(device, FC4, 0, 1)
    device.frozen = True
    plant.gas_lfl_pct = plant.offgas_ppm = plant.toxic_ppm = [50.0, 60.0]
    plant.air_degC, plant.humidity_permille = -3.0, 910.0
    plant.ups.mains, plant.ups.reserve_min = False, 20.0
    assert read(device, FC4, 0, len(words)) == words
    device.status_bits = 1 << 7
    assert read(device, FC4, status, 1) == [words[status] | 1 << 7]
    device.status_bits, device.frozen = 0, False
    after = read(device, FC4, 0, len(words))
    assert [place for place, word in enumerate(after) if word != words[place]] == measured
    device.overrides = {len(words) - 1: 0xFFFF}
    assert read(device, FC4, len(words) - 1, 1) == [0xFFFF]


def test_ranges_signs_and_status():
    # 25 % of 6 vol % are 1.5 vol %, which is 30 % of methane's 5 vol %
    for name, key, value, words in table("""
    gas_1 | gas_lfl_pct | [-0.2] | [0, 0] ; gas_1 | gas_lfl_pct | [25.0] | [300, 0]
    gas_1 | gas_lfl_pct | [83.3] | [1000, 0] ; gas_1 | gas_lfl_pct | [83.4] | [1000, 4]
    offgas_2 | offgas_ppm | [0, -3.0] | [0, 0] ; offgas_2 | offgas_ppm | [0, 19.6] | [20, 0]
    offgas_2 | offgas_ppm | [0, 1000.4] | [1000, 0]
    offgas_2 | offgas_ppm | [0, 1001.0] | [1000, 4]
    toxic | toxic_ppm | [1001.0, 5.0] | [1000, 5, 8] ; toxic | toxic_ppm | [-1.0, -1.0] | [0, 0, 0]
    toxic | toxic_ppm | [5.0, 1001.0] | [5, 1000, 16]
    toxic | toxic_ppm | [2e4, 2e4] | [1000, 1000, 24]
    climate | air_degC | -0.1 | [0xFFFF] ; climate | air_degC | -40.0 | [65_136]
    climate | air_degC | 45.14 | [451]
"""):
        assert read(built(name, **{key: value})[0], FC4, 0, len(words)) == words, (name, value)
    for mains, invalid, status in table("""
    True | False | 1 ; False | False | 0 ; True | True | 3 ; False | True | 2
"""):
        device, plant = built("ups")
        plant.ups.mains, plant.ups.invalid, plant.ups.reserve_min = mains, invalid, 119.99
        assert read(device, FC4, 0, 2) == [status, 119]
    for name in dev_standin.DETECTORS:
        device, plant = built(name)
        plant.detector_fault[name], plant.calibration_d[name] = True, -40_000
        words, _, status = REGISTERS[name]
        after = read(device, FC4, 0, len(words))
        assert after[status] == (3 if name == "toxic" else 1) and after[-2:] == [0, TODAY_d]
    for cell, status in ((0, 1), (1, 2), (None, 3)):
        device, plant = built("toxic")
        plant.detector_fault["toxic"], device.faulty_cell = True, cell
        assert read(device, FC4, 2, 1) == [status]
