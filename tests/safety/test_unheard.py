"""What was not heard since the start, or only in part, is not known to be well: it clears no latch,
shows no green.
"""

import pytest
from bench import default_image
from started import Plant, running

from safety import contactors, latches
from safety import matrix as m
from safety import parameters as p
from safety import signals as s

CLEAR_TICKS = 250  # reset_clear_ms
WINDOW_S = 30  # row 22


def restarted(*names, silent=()):
    """A cabinet at rest after a restart, with latches of the run before; silent: groups that nobody
    hears.
    """
    plant = Plant()
    plant.inp[s.RUN_REQUEST] = 0
    plant.kernel.boot(0, 0, [plant.instance(name) for name in names])
    plant.silent |= set(silent)
    return plant


def answer(plant, kind=m.REMOTE):
    """What a reset of what is seen now comes to."""
    if kind == m.KEY:
        plant.inp[s.KEY_RUN_OK] = 0
        plant.step()
    plant.reset(kind)
    plant.step()
    plant.inp[s.KEY_RUN_OK] = 1
    return latches.RESULTS[plant.out[s.RESET_RESULT]]


def groups(*names):
    """Freshness groups of a cabinet with one unit and one rack, by name."""
    layout = Plant().layout
    found = {name: group for group, name in enumerate(s.CABINET_GROUPS)}
    found |= {name: layout.unit_group(0, group) for group, name in enumerate(s.UNIT_GROUPS)}
    found |= {name: layout.rack_group(0, group) for group, name in enumerate(s.RACK_GROUPS)}
    return [found[name] for name in names]


# latch, what is dead after the restart
DEAD = (
    ("14", ("gas_1", "gas_2")),
    ("40c", ("bms_limits",)),
    ("40c", s.RACK_GROUPS),
    ("41b", ("pcs_control",)),
    ("41b", ("pcs_measure",)),
    ("49", ("io_2",)),
    ("49", ("io_3",)),
    ("53", ("offgas_2",)),
    ("53", ("offgas_1", "offgas_2")),
    ("53", ("toxic",)),
    ("53", ("bms_cells",)),
    ("53", ("bms_temperatures",)),
)


@pytest.mark.parametrize("name, silent", DEAD)
def test_the_latch_of_what_is_dead_stands_after_a_restart_too(name, silent):
    """The age of what was never heard was 0, which counted as well: row 14 was reset beside two
    dead detectors.
    """
    kind = m.STAGES[[stage[m.S_ID] for stage in m.STAGES].index(name)][m.S_LATCH]
    plant = restarted(name, silent=groups(*silent)).step(40 * 50)
    assert name in plant.standing()
    assert answer(plant, kind) == "not clear yet"
    plant.silent.clear()
    plant.step((WINDOW_S + 2) * 50 + CLEAR_TICKS)
    assert answer(plant, kind) == "done" and plant.step().standing() == []


@pytest.mark.parametrize(
    "parameter, silent",
    [
        ("io_3_fitted", ("io_3",)),
        ("meter_load_fitted", ("meter_load",)),
        ("gas_detectors", ("gas_1", "gas_2")),
        ("offgas_detectors", ("offgas_1", "offgas_2")),
        ("toxic_fitted", ("toxic",)),
        ("climate_fitted", ("climate",)),
        ("ups_fitted", ("ups",)),
    ],
)
def test_what_a_cabinet_has_not_is_not_waited_for(parameter, silent):
    plant = Plant(default_image(**{parameter: 0}))
    plant.silent |= set(groups(*silent))
    ages = plant.step(2).kernel.features.ages
    assert [group for group in range(plant.layout.groups) if not ages.expected[group]] == [
        *groups(*silent),
        s.G_LOCAL,
    ]
    assert ages.heard(0, plant.layout.groups) == m.KNOWN and plant.out[s.RED_LAMP_ON] == 0


@pytest.mark.parametrize(
    "parameter, second", [("gas_detectors", s.G_GAS_2), ("offgas_detectors", s.G_OFFGAS_2)]
)
def test_of_one_detector_the_second_is_not_waited_for(parameter, second):
    assert [
        list(
            Plant(default_image(**{parameter: count})).kernel.features.ages.expected[
                second - 1 : second + 1
            ]
        )
        for count in range(3)
    ] == [[0, 0], [1, 0], [1, 1]]


@pytest.mark.parametrize(
    "word, group",
    [(p.R_CELLS_REPORTED, s.G_BMS_CELLS), (p.R_TEMPERATURES_REPORTED, s.G_BMS_TEMPERATURES)],
)
def test_what_a_bms_does_not_tell_is_not_waited_for(word, group):
    image = default_image(racks=2)
    image[p.ImageMap(1, 2, m.STAGES_PER_SCOPE).rack + p.RACK_WORDS + word] = 0
    plant = Plant(image)
    assert [
        at for at in range(plant.layout.groups) if not plant.kernel.features.ages.expected[at]
    ] == [s.G_LOCAL, plant.layout.rack_group(1, group)]


# -- what is shown outside

# the last: what is not rated for gas has its supply
TOLD = (s.FAN_ON, s.RED_LAMP_ON, s.SUPERVISORY_OK, s.AUX_LOAD_OK)
SAFE, WELL = [1, 1, 0, 0], [0, 0, 1, 1]


@pytest.mark.parametrize(
    "name",
    ["io_1", "io_2", "io_3", "gas_1", "gas_2", "offgas_1", "offgas_2", "toxic", *s.RACK_GROUPS],
)
def test_until_all_was_heard_it_shows_what_it_shows_without_a_controller(name):
    """A51: red on loss of data. A fire had cut the bus, power dipped: no red, fan off, fire panel
    told of nothing.
    """
    plant = restarted(silent=groups(name))
    for _ in range(3):
        plant.step(100)
        assert [plant.out[signal] for signal in TOLD] == SAFE
    plant.silent.clear()
    assert [plant.step().out[signal] for signal in TOLD] == WELL and plant.standing() == []
    plant.silent |= set(groups(name))
    assert [plant.step().out[signal] for signal in TOLD] == WELL, (
        "once heard, its rows say what its silence does"
    )


@pytest.mark.parametrize("rack", range(3))
def test_each_rack_counts(rack):
    plant = Plant(racks=3)
    plant.silent.add(plant.layout.rack_group(rack, s.G_BMS_CHARGE))
    assert [plant.step(100).out[signal] for signal in TOLD] == SAFE
    plant.silent.clear()
    assert [plant.step().out[signal] for signal in TOLD] == WELL


@pytest.mark.parametrize("name", ["meter_grid", "meter_load", "climate", "ups", *s.UNIT_GROUPS])
def test_what_tells_responders_nothing_keeps_no_lamp_red(name):
    assert [restarted(silent=groups(name)).step(100).out[signal] for signal in TOLD] == WELL


# -- a window that is not full, a sensor that is dead


def heating(plant, seconds, per_s):
    """Let a module heat by so many K a second; returns what stood, of each second."""
    at, found = plant.rack_at(s.MODULE_TEMPERATURE_DDEGC + 3), []
    for _ in range(seconds):
        plant.warmth = getattr(plant, "warmth", 250.0) + 10 * per_s
        plant.inp[at] = round(plant.warmth)
        plant.step(50)
        found.append(plant.standing())
    return found


@pytest.mark.parametrize("name, per_s, kind", [("22", 1.6 / 60, m.REMOTE), ("23a", 0.11, m.KEY)])
def test_a_module_that_heats_on_through_a_restart_is_not_cleared(name, per_s, kind):
    """Row 22 was reset six seconds after a restart, for its window of 30 s was empty, and charged
    at 107 kW.
    """
    plant = restarted(name)
    heating(plant, 8, per_s)
    assert answer(plant, kind) == "not clear yet"
    stood = heating(plant, 40, per_s)
    assert all(name in each for each in stood) and answer(plant, kind) == "not clear yet"


@pytest.mark.parametrize("silent_s", [1, 12, 35])
def test_a_module_that_heats_on_through_a_silence_is_not_cleared(silent_s):
    plant, rate = running(), 1.8 / 60
    heating(plant, 45, rate)
    assert plant.standing() == ["22"]
    plant.silent |= plant.bms_groups()
    heating(plant, silent_s, rate)
    plant.silent.clear()
    for _ in range(8):
        heating(plant, 5, rate)
        assert answer(plant) == "not clear yet"


@pytest.mark.parametrize("dead_ticks", [0, 40, 60])
def test_a_hot_sensor_that_drops_out_to_nought_goes_on_counting(dead_ticks):
    """A module of 75 degC dead for 0.8 of 1.6 s: the others were known to be well, and 21a never
    tripped.
    """
    bench = running().alone("21a")
    at = bench.rack_at(s.MODULE_TEMPERATURE_DDEGC + 3)
    for tick in range(4 * 80):
        bench.inp[at] = 0 if tick % 80 < dead_ticks else 750
        bench.step()
    assert bench.standing() == ["21a"]


# -- two weak signs


def signs():
    """A cabinet with 95 % of the sign of row 7 and 95 % of that of row 34."""
    bench = running().alone("53")
    bench.inp[s.OFFGAS_1_PPM] = bench.inp[s.OFFGAS_2_PPM] = 19
    bench.set_rack(s.CELL_VOLTAGE_MV_MIN, 3000)
    bench.set_rack(s.CELL_VOLTAGE_MV_MAX, 3380)
    return bench


def test_a_sign_that_flickers_does_not_begin_the_debounce_anew():
    """The cells were late for a few ticks every 3.6 s: row 53 began its 4 s anew each time, for a
    minute.
    """
    bench = signs()
    group = bench.layout.rack_group(0, s.G_BMS_CELLS)
    for tick in range(3 * 180):
        bench.silent = {group} if tick % 180 >= 153 else set()
        bench.step()
    assert bench.standing() == ["53"]


@pytest.mark.parametrize("silent", [("offgas_1",), ("offgas_1", "offgas_2"), ("bms_cells",)])
def test_a_sign_that_fell_silent_clears_nothing(silent):
    bench = signs().step(300)
    assert bench.standing() == ["53"]
    bench.silent |= set(groups(*silent))
    bench.set_rack(s.CELL_VOLTAGE_MV_MIN, 3380)
    bench.step(20 * 50)
    assert answer(bench) == "not clear yet"


# -- contactors


@pytest.mark.parametrize(
    "first, kept",
    [(s.CONTACTOR_FAULT, True), (s.CONTACTOR_PRECHARGE, True), (s.CONTACTOR_OPEN, False)],
)
def test_a_weld_that_reports_a_fault_after_a_restart_is_not_cleared(first, kept):
    """Whether they had been closed was forgotten: the key took back the shunt trip of a rack that
    may be welded.
    """
    plant = restarted("39")
    at = plant.rack_at(s.CONTACTOR_STATE)
    plant.held[at] = first
    plant.step(10)
    plant.held[at] = s.CONTACTOR_FAULT
    plant.step(400)
    assert (answer(plant, m.KEY) == "not clear yet") == kept
    assert plant.step().out[s.SHUNT_TRIP_ON] == kept


@pytest.mark.parametrize("unheard", range(3))
def test_an_input_before_it_was_heard_says_nothing_of_contactors(unheard):
    """Nought is "open": what stands in an array before a frame came was never told. Each rack by
    its own frames.
    """
    plant = Plant(racks=3)
    plant.kernel.boot(0, 0, [])
    plant.inp[s.RUN_REQUEST] = 0
    plant.silent |= plant.bms_groups(unheard)
    plant.step(5)
    plant.silent.clear()
    for rack in range(3):
        plant.held[plant.rack_at(s.CONTACTOR_STATE, rack)] = s.CONTACTOR_FAULT
    plant.step(2)
    assert [plant.kernel.contactors.mismatch[rack] == contactors.UNTOLD for rack in range(3)] == [
        rack == unheard for rack in range(3)
    ]


@pytest.mark.parametrize(
    "silent, fitted, known",
    [
        (("io_2",), {"io_3_fitted": 0}, m.IN_PART),
        (("io_3",), {"io_3_fitted": 0}, m.KNOWN),
        (("io_2", "io_3"), {"io_3_fitted": 0}, m.IN_PART),
        (("io_3",), {}, m.IN_PART),
        ((), {}, m.KNOWN),
    ],
)
def test_of_several_modules_each_counts_that_there_is(silent, fitted, known):
    plant = Plant(default_image(**fitted))
    plant.silent |= set(groups(*silent))
    assert plant.step(2).kernel.features.known[m.F_IO_SILENCE_MS] == known


def test_a_meter_that_is_not_there_is_not_missed():
    plant = Plant(default_image(meter_load_fitted=0))
    plant.silent |= set(groups("meter_load"))
    known = plant.step(2).kernel.features.known
    assert known[m.F_METER_SILENCE_MS] == known[m.F_METER_FROZEN_MS] == m.KNOWN


def told(plant, rack=0):
    """What is known of the rise of a rack's modules within half a minute."""
    features = plant.kernel.features
    return features.known[
        features.rack_base + rack * m.RACK_FEATURE_COUNT + m.F_TEMPERATURE_UNEXPLAINED_DDEGC
    ]


def test_a_window_is_whole_after_half_a_minute_and_no_more_with_a_dead_sensor():
    plant = Plant(racks=2)
    plant.silent.add(plant.layout.rack_group(1, s.G_BMS_TEMPERATURES))
    plant.step(50 * WINDOW_S)
    assert told(plant) == m.IN_PART
    plant.silent.clear()
    plant.step(50)
    assert (told(plant), told(plant, 1)) == (m.KNOWN, m.IN_PART), "each rack's own"
    plant.set_rack(s.MODULE_TEMPERATURE_DDEGC + 3, 0)
    assert told(plant.step(50)) == m.IN_PART
    plant.set_rack(s.MODULE_TEMPERATURE_DDEGC + 3, 250)
    assert told(plant.step(50 * WINDOW_S)) == m.IN_PART
    assert told(plant.step(2 * 50)) == m.KNOWN == told(plant, 1)
    assert list(plant.kernel.features.racks.heating.whole_s) == [WINDOW_S, WINDOW_S], (
        "counts no further"
    )


# -- a fan that is off


def test_a_fan_that_does_not_blow_is_not_shown_to_be_well_by_being_off():
    """A start in which the BMS came late had let it run: no airflow, row 15; then it was off, and
    the row was reset.
    """
    plant = restarted(silent=groups(*s.RACK_GROUPS))
    plant.held[s.AIRFLOW_OK] = 0
    plant.step(12 * 50)
    assert plant.standing() == ["15a"]
    plant.silent.clear()
    plant.step(20 * 50)
    assert answer(plant) == "not clear yet" and plant.out[s.FAN_ON] == 1
    del plant.held[s.AIRFLOW_OK]
    plant.step(6 * 50)
    assert answer(plant) == "done" and plant.step(2).out[s.FAN_ON] == 0


def test_of_two_detectors_that_come_late_one_alone_is_not_all_gas_detection_lost():
    plant = restarted(silent=groups("gas_2"))
    plant.inp[s.GAS_1_OK] = 0
    assert plant.step(20 * 50).standing() == ["13a"]
    plant.silent.clear()
    plant.inp[s.GAS_2_OK] = 0
    assert plant.step(12 * 50).standing() == ["13a", "14"]
