"""The process image through bytes and through values, word by word, from the same seed."""

import functools
from pathlib import Path

import pytest
from slow import whole
from whole_box import of_cabinets

from controller.config import configuration
from controller.sites import EXAMPLE, FOLDER, PV_GENSET, PYLONTECH
from hil.engine.simulate import VirtualRig
from hil.scenarios.scenario import Action
from hil.values.rig import ValueRig
from safety import signals as s
from tests.controller.run.cabinet_bench import believed

THREE_UNITS = FOLDER / "three_units" / "cabinet.toml"
HASHES = s.GRID_RAW_HASH, s.LOAD_RAW_HASH
METERS = s.GRID_POWER_W, s.LOAD_POWER_W
FAULT_S, REPAIR_S = 4.0, 5.0


@functools.cache
def config(file, tick_ms):
    """Settings without the test of the grid meter, whose steps would hide a difference of words."""
    return believed(configuration.load(file, tick_ms=tick_ms))


def pair(file, tick_ms, actions=()):
    made = config(file, tick_ms)
    # a meter that shows more than the small cabinet's connection carries would be unknown
    load_W = 8_000.0 if file == PYLONTECH else 200_000.0 * made.units
    return [kind(made, lambda t_s: load_W, 1, actions) for kind in (VirtualRig, ValueRig)]


def differing(rigs):
    """[(place, word of bytes, of values)], then those of the ages in ticks."""
    cores = [rig.controller.cabinet.core for rig in rigs]
    words = enumerate(zip(*[core.inp for core in cores]))
    found = [(at, *pair) for at, pair in words if pair[0] != pair[1] and at not in HASHES]
    ages = enumerate(zip(*[core.kernel.features.ages.ticks for core in cores]))
    return found, [(at, *pair) for at, pair in ages if pair[0] != pair[1]]


@pytest.mark.parametrize(
    "file, running_s",
    # a BMS without a counter is believed after two periods, its contactors 2 s after their supply
    [(EXAMPLE, 6), (PYLONTECH, 10), (PV_GENSET, 6), (THREE_UNITS, 6)],
    ids=lambda each: each.parent.name if isinstance(each, Path) else "",
)
def test_at_20_ms_every_word_and_every_age_is_equal(file, running_s):
    rigs = pair(file, 20)
    for until_s in (1, 3, running_s):
        for rig in rigs:
            rig.run(until_s)
        assert differing(rigs) == ([], [])
    assert [rig.controller.cabinet.core.out[s.STATE] for rig in rigs] == [s.RUNNING] * 2


@of_cabinets("file", [EXAMPLE, THREE_UNITS])
def test_at_100_ms_only_the_noise_of_the_meters_differs(file):
    rigs = pair(file, 100)
    for until_s in (1, 4, 9):
        for rig in rigs:
            rig.run(until_s)
        words, ages = differing(rigs)
        places = rigs[0].controller.cabinet.image.places
        jitters = places["grid_quality"].start, places["load_quality"].stop
        at_W, others = {*METERS}, {*range(*jitters)}
        assert {at for at, *_ in words} <= at_W | others and are_near(words)
        assert all(abs(one - other) <= 1 for _, one, other in ages)  # the order on the slow bus


def are_near(words):
    """A meter's noise is 0.04 % of a load that a set-point follows in part. 0: with a fault, value
    mode reads a meter once in 100 ms, so a grid voltage is older than three periods.
    """
    return all(other == 0 or abs(one - other) <= 0.005 * abs(one) for _, one, other in words)


# A fault of each kind of device: the age grows, the words stop, or other words come. Faults that
# leave the cabinet running share a run.
FAULTS = (
    [("io_1", "inputs_stuck", {"5": 0})],
    [("io_2", "silent", True), ("pcs_1", "frozen", True)],
    [("gas_1", "status_bits", 1), ("meter_grid", "frozen", True)],
    [("bms_2", "frozen", True)],
    [("meter_load", "reversed_phases", 1), ("pcs_1", "heartbeat_stopped", True)],
    [("pcs_1", "readback_offset_W", 3000), ("bms_3", "deaf", True)],
    [("bms_1", "counter_frozen", True), ("bms_3", "overrides", {"CELLS.cell_voltage_max": 3700})],
    [("bms_2", "silent", True)],
)


# A silent device at 20 ms, a meter and a counter at 100 ms; all others with --whole.
SHORT = FAULTS[2], FAULTS[6]
RUNS = [(FAULTS[1], 20), *[(each, 100) for each in SHORT]]
RUNS += whole(*[(each, 20) for each in FAULTS if each != FAULTS[1]])
RUNS += whole(*[(each, 100) for each in FAULTS if each not in SHORT])


def name_of(value):
    return "+".join(each[1] for each in value) if isinstance(value, list) else str(value)


@pytest.mark.parametrize("faults, tick_ms", RUNS, ids=name_of)
def test_a_fault_of_a_device_gives_the_same_words(faults, tick_ms):
    actions = [fault_at(FAULT_S, *fault) for fault in faults]
    actions += [fault_at(REPAIR_S, *fault, False) for *fault, value in faults if value is True]
    rigs = pair(EXAMPLE, tick_ms, actions)
    for until_s in (FAULT_S + 0.5, REPAIR_S + 1):
        for rig in rigs:
            rig.run(until_s)
        words, ages = differing(rigs)
        assert not words or tick_ms == 100 and are_near(words)
        assert all(abs(one - other) <= tick_ms // 100 for _, one, other in ages)
    first, second = trips(rigs)
    assert first == second


def trips(rigs):
    return [[(trip["stage"], trip["t_s"]) for trip in rig.trips.trips] for rig in rigs]


def fault_at(at_s, device, fault, value):
    arguments = {"device": device, "fault": fault, "value": value}
    return Action(round(at_s * 1e6), "device_fault", "fault", arguments)


def test_a_run_with_a_changing_load_ends_with_the_same_state_words():
    made = configuration.load(EXAMPLE)
    rigs = [
        kind(made, lambda t_s: 200_000.0 + 40_000.0 * (int(t_s) % 3), 1)
        for kind in (VirtualRig, ValueRig)
    ]
    socs = [[rack.soc for rack in rig.run(15).plant.racks] for rig in rigs]
    assert socs[0] == socs[1] and socs[0][0] != 0.5
    assert differing(rigs) == ([], [])


def test_a_killed_controller_writes_nothing_and_a_new_one_runs():
    actions = [Action(6_000_000, "controller_kill", "kill", {})]
    actions.append(Action(9_000_000, "controller_start", "start", {}))
    rigs = pair(EXAMPLE, 20, actions)
    for rig in rigs:
        rig.run(14)
    words, ages = differing(rigs)
    assert not words and all(abs(one - other) <= 2 for _, one, other in ages)


def test_noise_on_a_bus_is_refused():
    with pytest.raises(ValueError, match="noise on a bus needs its bytes"):
        noise = {"bus": "io", "seed": 1, "flip_permille": 5}
        pair(EXAMPLE, 20, [Action(20_000, "noise", "noise", noise)])[1].run(1)


@pytest.mark.parametrize("bus", ["io", "can0"])
def test_a_bus_that_is_cut_is_silent_in_both(bus):
    fault = "down" if bus == "can0" else "cut"
    arguments = {"bus": bus, "fault": fault, "value": True}
    rigs = pair(EXAMPLE, 20, [Action(6_000_000, "wire_fault", "cut", arguments)])
    for rig in rigs:
        rig.run(7.5)
    first, second = trips(rigs)
    assert first == second != []
