"""Inputs not heard since the start, or only in part: they clear no latch and show no green."""

import pytest
from bench import Bench, default_image

from safety import contactors, latches, matrix as m, signals as s
from tests.tables import cases

WINDOW_S = 30  # row 22


def restarted(*names, silent=()):
    plant = Bench().set(s.RUN_REQUEST, 0)
    plant.kernel.boot(0, 0, [plant.instance(name) for name in names])
    return plant.silence(*silent)


def groups(*names):
    layout = Bench().layout
    found = {name: group for group, name in enumerate(s.CABINET_GROUPS)}
    found |= {name: layout.unit_group(0, group) for group, name in enumerate(s.UNIT_GROUPS)}
    found |= {name: layout.rack_group(0, group) for group, name in enumerate(s.RACK_GROUPS)}
    return [found[name] for name in names]


@cases("""word group
    'cells'  s.G_BMS_CELLS | 'temperatures'  s.G_BMS_TEMPERATURES""")
def test_an_unreported_group_is_not_waited_for(word, group):
    plant = Bench(racks=2, **{word + "_reported": (1, 0)})
    expected = plant.kernel.features.ages.expected
    unasked = [at for at in range(plant.layout.groups) if not expected[at]]
    assert unasked == [s.G_LOCAL, plant.layout.rack_group(1, group)]


# the last: equipment not rated for gas has its supply
TOLD = (s.FAN_ON, s.RED_LAMP_ON, s.SUPERVISORY_OK, s.AUX_LOAD_OK)
SAFE, WELL = [1, 1, 0, 0], [0, 0, 1, 1]


HEARD = "io_1 io_2 io_3 gas_1 gas_2 offgas_1 offgas_2 toxic".split()


@pytest.mark.parametrize("name", [*HEARD, *s.RACK_GROUPS])
def test_outputs_are_safe_until_all_was_heard(name):
    """A51: red on loss of data. A fire had cut the bus and power dipped: no red, fan off."""
    plant = restarted(silent=groups(name))
    for steps in (1, 1, 30):
        plant.step(steps)
        assert [plant.out[signal] for signal in TOLD] == SAFE
    assert [plant.speak().step().out[signal] for signal in TOLD] == WELL and plant.standing() == []
    # once heard, its rows react to its silence
    assert [plant.silence(*groups(name)).step().out[signal] for signal in TOLD] == WELL


@pytest.mark.parametrize("rack", range(3))
def test_each_rack_counts(rack):
    plant = Bench(racks=3)
    plant.silence(plant.layout.rack_group(rack, s.G_BMS_CHARGE))
    assert [plant.step(30).out[signal] for signal in TOLD] == SAFE
    assert [plant.speak().step().out[signal] for signal in TOLD] == WELL


@cases("""first kept
    s.CONTACTOR_FAULT  True | s.CONTACTOR_PRECHARGE  True | s.CONTACTOR_OPEN  False""")
def test_a_weld_that_reports_a_fault_after_a_restart_is_not_cleared(first, kept):
    """Whether it had been closed was forgotten: the key took back its shunt trip."""
    plant = restarted("39")
    at = plant.rack_at(s.CONTACTOR_STATE)
    plant.hold(at, first).step(10).hold(at, s.CONTACTOR_FAULT).step(400).key_reset().step()
    assert (plant.out[s.RESET_RESULT] == latches.NOT_CLEAR_YET) == kept
    assert plant.set(s.KEY_RUN_OK, 1).step().out[s.SHUNT_TRIP_ON] == kept


@pytest.mark.parametrize("unheard", range(3))
def test_an_input_before_it_was_heard_says_nothing_of_contactors(unheard):
    """0 is "open": an array before a frame came is no report. Each rack by its own frames."""
    plant = Bench(racks=3)
    plant.kernel.boot(0, 0, [])
    plant.set(s.RUN_REQUEST, 0).silence(*plant.bms_groups(unheard)).step(5).speak()
    for rack in range(3):
        plant.hold_rack(s.CONTACTOR_STATE, s.CONTACTOR_FAULT, rack)
    plant.step(2)
    mismatch = plant.kernel.contactors.mismatch
    untold = [rack for rack in range(3) if mismatch[rack] == contactors.UNKNOWN_FAULT]
    assert untold == [unheard]


@cases("""silent fitted known
    ('io_2',)  {'io_3_fitted':0}  m.IN_PART | ('io_3',)  {'io_3_fitted':0}  m.KNOWN
    ('io_2','io_3')  {'io_3_fitted':0}  m.IN_PART | ('io_3',)  {}  m.IN_PART | ()  {}  m.KNOWN
    ('meter_load',)  {'meter_load_fitted':0}  m.KNOWN""")
def test_of_several_modules_each_fitted_one_counts(silent, fitted, known):
    plant = Bench(default_image(**fitted)).silence(*groups(*silent))
    seen = plant.step(2).kernel.features.known
    assert seen[m.F_IO_SILENCE_MS] == known
    assert seen[m.F_METER_SILENCE_MS] == seen[m.F_METER_FROZEN_MS] == m.KNOWN


def told(plant, rack=0):
    return plant.of_rack(m.F_TEMPERATURE_UNEXPLAINED_DDEGC, rack)[1]


def test_a_window_is_whole_after_half_a_minute_without_a_dead_sensor():
    plant = Bench(racks=2)
    plant.silence(plant.layout.rack_group(1, s.G_BMS_TEMPERATURES)).step(5 * WINDOW_S, elapsed=10)
    assert told(plant) == m.IN_PART
    plant.speak().step(50)
    assert (told(plant), told(plant, 1)) == (m.KNOWN, m.IN_PART), "each rack's own"
    plant.set_rack(s.MODULE_TEMPERATURE_DDEGC + 3, 0)
    assert told(plant.step(50)) == m.IN_PART
    plant.set_rack(s.MODULE_TEMPERATURE_DDEGC + 3, 250)
    assert told(plant.step(5 * WINDOW_S, elapsed=10)) == m.IN_PART
    assert told(plant.step(2 * 50)) == m.KNOWN == told(plant, 1)
    # counts no further
    assert list(plant.kernel.features.racks.heating.whole_s) == [WINDOW_S, WINDOW_S]
