"""The measured path delay: kept in the store, and given to the core of the next start."""

from array import array
from dataclasses import replace

import pytest
from cabinet_bench import CONFIG, READY, Bench

from controller.config import approval
from controller.core.image import places
from controller.store import two_copies

PATH = approval.path_identity(CONFIG)


def started(measured, state=two_copies.CLEAN, settings=CONFIG):
    record = replace(READY, path_delay=measured, cabinets=(CONFIG.names[-1][1],))
    return Bench(two_copies.Loaded(state, record, 1, []), settings).tick(20)


def given_ms(bench):
    """The delay in the core's input, which is also the delay that tracking uses."""
    core = bench.cabinet.core
    (stored_ms,) = core.inp[places(core.layout, ())["path_delay"]]
    assert core.found.path_delay_ms == stored_ms
    return stored_ms


def changed(**control):
    found = CONFIG.control | control
    return replace(CONFIG, control=found, control_image=array("i", found.values()))


def test_a_start_uses_what_an_earlier_run_has_measured():
    assert given_ms(started((PATH, 182))) == 182
    assert given_ms(started(("", 0))) == 0


@pytest.mark.parametrize("state", [two_copies.UNREADABLE, two_copies.ARMED])
def test_the_delay_of_a_store_that_may_be_another_cabinets_is_not_used(state):
    expected_ms = 0 if state == two_copies.UNREADABLE else 182
    assert given_ms(started((PATH, 182), state)) == expected_ms


@pytest.mark.parametrize("name, value", [("track_sample_ms", 40), ("meter_delay_difference_ms", 9)])
def test_a_delay_of_another_configuration_is_not_used_but_kept(name, value):
    bench = started((PATH, 182), settings=changed(**{name: value}))
    assert given_ms(bench) == 0
    assert bench.keeper.records[-1].path_delay == (PATH, 182)


def test_a_measured_delay_is_stored_once():
    bench = started((PATH, 182))
    before = len(bench.keeper.records)
    proof = bench.cabinet.core.functions["meter_sign"]
    proof.state.delay_ms = 171
    assert bench.tick(5).keeper.records[-1].path_delay == (PATH, 171)
    assert len(bench.keeper.records) == before + 1
    assert bench.cabinet.core.found.path_delay_ms == 171


def test_another_speed_of_a_bus_is_another_path(files):
    site = files.load()
    assert approval.path_identity(site) == approval.path_identity(files.load())
    load_bus = '[bus.meter_load]\nkind = "rtu"\nbaud_Bd = '
    other = files.replace("site", f"{load_bus}115200", f"{load_bus}57600").load()
    assert approval.path_identity(other) != approval.path_identity(site)
