"""How an attempt to close ends: open at once without current, else as a stop or a trip opens."""

import itertools

import pytest
from permit_desk import CLOSING, INHIBITED, LOAD_MA, STOPPING, TRIPPED, ZERO_MA, Desk, arrange_one
from rows import ticks
from text_cases import cases

from safety import contactors as c, matrix as m, parameters as p, permit, signals as s

FUSE_TICKS = ticks(30_000)
BREAKS_MA = 300_000
WITHDRAWN = ("not wanted", "locked out")
WAYS = (*WITHDRAWN, "no evidence", "contactor fault", "relay silent", "too slow", "ramp demanded")


def closing_under(current_mA, way):
    """A desk whose first rack has closed on this current when the attempt to close ends so."""
    desk = arrange_one(Desk(racks=2), CLOSING).set(s.RUN_REQUEST, 0 if way == "not wanted" else 1)
    desk.inp[s.LOCK_OUT_OK] = 0 if way == "locked out" else 1
    desk.inp[s.PERMIT_1_CLOSED] = desk.inp[s.PERMIT_2_CLOSED] = 1
    desk.rack(s.CONTACTOR_STATE, s.CONTACTOR_CLOSED)
    desk.permit.contactors.step[0] = c.CLOSED
    desk.rack(s.RACK_CURRENT_MA, current_mA).rack(s.CONTACTOR_STATE, s.CONTACTOR_PRECHARGE, 1)
    desk.permit.contactors.step[1] = c.FAULT if way == "contactor fault" else c.CLOSING
    if way == "no evidence":
        desk.rack(s.CELLS_ONLINE, 239, 1)
    if way == "relay silent":
        desk.permit.relays[1] = desk.permit.relay_ticks + 1
    if way == "too slow":
        desk.permit.timer[0] = desk.permit.closing_ticks
    desk.out[s.PCS_ENABLE_OK] = 1
    desk.way = (m.PCS_RAMP if way == "ramp demanded" else 0, 0)
    return desk


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("current_mA", [ZERO_MA, -ZERO_MA])
def test_an_attempt_to_close_that_ends_opens_at_once(way, current_mA):
    desk = closing_under(current_mA, way)
    assert desk.update(*desk.way) == (INHIBITED, 0, 0)
    assert desk.permit.timer[1] == desk.permit.retry_ticks


def test_a_rack_still_closing_is_commanded_open():
    desk = closing_under(LOAD_MA, "not wanted")
    told = [desk.layout.rack_output(rack, s.CONTACTOR_CLOSE_OK) for rack in range(2)]
    for _ in range(3):
        assert (desk.update(*desk.way), [desk.out[at] for at in told]) == ((STOPPING, 0, 1), [1, 0])


@cases("current_mA state | 1000 INHIBITED | 1001 STOPPING | -1001 STOPPING")
def test_a_weak_contactor_waits_for_its_fuse(current_mA, state):
    desk = closing_under(current_mA, "not wanted")
    desk.kernel.image[desk.permit.contactors.words_at[0] + p.R_BREAK_CURRENT_MA] = 1000
    assert desk.update(*desk.way) == (state, 0, 1 if state == STOPPING else 0)


LOADS = [(LOAD_MA, 250), (-LOAD_MA, 250), (BREAKS_MA, 250)]
LOADS += [(BREAKS_MA + 1, FUSE_TICKS), (-BREAKS_MA - 1, FUSE_TICKS)]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("current_mA, waits", LOADS)
def test_under_a_current_it_is_a_stop_that_starts_no_converter(way, current_mA, waits):
    """Racks that equalise, or a short circuit: at zero current, after 5 s or the fuse (C65)."""
    desk = closing_under(current_mA, way)
    tried = desk.permit.tried[0]
    for _ in range(waits):
        assert desk.update(*desk.way) == (STOPPING, 0, 1)
        assert desk.out[desk.layout.unit_output(0, s.PCS_RUN_OK)] == 0
    assert desk.permit.timer[1] == max(0, desk.permit.retry_ticks - waits + 1)
    assert desk.update(*desk.way) == (STOPPING, 0, 0)
    assert desk.permit.tried[0] == tried + (way not in WITHDRAWN)
    for rack in range(2):
        desk.rack(s.CONTACTOR_STATE, s.CONTACTOR_OPEN, rack).rack(s.RACK_CURRENT_MA, 0, rack)
    assert desk.update(*desk.way) == (INHIBITED, 0, 0)


@cases("""current_mA pcs dc opens
    ZERO_MA m.PCS_RAMP m.DC_OPEN_AT_ZERO 0 | ZERO_MA m.PCS_STOP m.DC_OPEN_ONLY_AT_ZERO 0
    LOAD_MA m.PCS_STOP m.DC_OPEN ticks(200) | LOAD_MA m.PCS_RAMP m.DC_OPEN_AT_ZERO ticks(2000)
    BREAKS_MA+1 m.PCS_STOP m.DC_OPEN FUSE_TICKS | LOAD_MA m.PCS_STOP m.DC_OPEN_ONLY_AT_ZERO None""")
def test_a_trip_while_closing_opens_as_its_demand_says(current_mA, pcs, dc, opens):
    """Row 12 at zero current only, however long: an arc in gas."""
    desk = closing_under(current_mA, "too slow")
    for _ in range(FUSE_TICKS + 9 if opens is None else opens):
        assert desk.update(pcs, dc) == (TRIPPED, 0, 1)
    if opens is not None:
        assert desk.update(pcs, dc) == (TRIPPED, 0, 0)


@pytest.mark.parametrize("step", range(5))
def test_in_the_relay_test_nothing_is_closed_and_nothing_is_waited_for(step):
    desk = closing_under(BREAKS_MA + 1, "not wanted")
    desk.permit.relays[0] = step
    assert desk.update() == (INHIBITED, 0, 0)


# -- what a relay's level is believed from

LEVELS = tuple(itertools.product(range(2), repeat=2))


@pytest.mark.parametrize("known", LEVELS)
@pytest.mark.parametrize("levels", LEVELS)
def test_a_relay_is_read_back_only_on_modules_that_are_known(levels, known):
    desk = Desk()
    for group, is_known in zip((s.G_IO_1, s.G_IO_2), known):
        desk.know(group, is_known)
    desk.inp[s.PERMIT_1_CLOSED], desk.inp[s.PERMIT_2_CLOSED] = levels
    for wanted in LEVELS:
        assert bool(desk.permit._read_back(*wanted)) == (all(known) and wanted == levels)


@pytest.mark.parametrize("step", range(len(permit.RELAY_TEST)))
@pytest.mark.parametrize("told", LEVELS)
@pytest.mark.parametrize("reported", LEVELS)
def test_a_step_of_the_relay_test_is_sent_before_it_is_read(step, told, reported):
    desk, wanted = Desk(), permit.RELAY_TEST[step]
    desk.permit.relays[0], desk.permit.relays[1] = step, 7
    desk.out[s.PCS_ENABLE_OK], desk.out[s.CONTACTOR_SUPPLY_OK] = told
    desk.inp[s.PERMIT_1_CLOSED], desk.inp[s.PERMIT_2_CLOSED] = reported
    desk.permit._test_relays(3)
    done = told == reported == wanted
    assert list(desk.permit.relays) == ([step + 1, 0] if done else [step, 10])
    assert (desk.out[s.PCS_ENABLE_OK], desk.out[s.CONTACTOR_SUPPLY_OK]) == wanted


def test_the_time_of_a_step_stays_a_small_number():
    desk = Desk()
    for _ in range(2):
        desk.permit._test_relays(s.TICKS_MAX)
    assert desk.permit.relays[1] == s.TICKS_MAX


@pytest.mark.parametrize("step", range(len(permit.RELAY_TEST) + 1))
@cases("""rack_step reported running
    c.CLOSED (1,1) True | c.CLOSING (1,1) False | c.CLOSED (0,1) False | c.CLOSED (1,0) False""")
def test_it_runs_when_all_is_tested_closed_and_read_back(step, rack_step, reported, running):
    desk = closing_under(0, "")
    desk.permit.relays[0] = step
    desk.permit.contactors.step[1] = rack_step
    desk.inp[s.PERMIT_1_CLOSED], desk.inp[s.PERMIT_2_CLOSED] = reported
    tested = step == len(permit.RELAY_TEST)
    assert desk.permit._from_closing(0) == (s.RUNNING if tested and running else CLOSING)
