"""How an attempt to close ends: open at once, but above the breaking capacity only after the fuse (C65)."""

import pytest
from permit_desk import CLOSING, INHIBITED, STOPPING, TRIPPED, Desk, arrange_one
from rows import ticks

from safety import contactors as c
from safety import matrix as m
from safety import signals as s

FUSE_TICKS = ticks(30_000)
BREAKS_MA = 300_000
WAYS = ("not wanted", "locked out", "evidence withdrawn", "contactor fault", "relay silent", "too slow",
        "ramp demanded")


def closing_under(current_mA, way):
    """A desk whose first rack has closed on this current when the attempt to close ends in a way."""
    desk = Desk(racks=2)
    arrange_one(desk, CLOSING)
    desk.inp[s.RUN_REQUEST] = 0 if way == "not wanted" else 1
    desk.inp[s.LOCK_OUT_OK] = 0 if way == "locked out" else 1
    desk.inp[s.PERMIT_1_CLOSED] = desk.inp[s.PERMIT_2_CLOSED] = 1
    desk.rack(s.CONTACTOR_STATE, s.CONTACTOR_CLOSED)
    desk.permit.contactors.step[0] = c.CLOSED
    desk.rack(s.RACK_CURRENT_MA, current_mA)
    desk.rack(s.CONTACTOR_STATE, s.CONTACTOR_PRECHARGE, 1)
    desk.permit.contactors.step[1] = c.FAULT if way == "contactor fault" else c.CLOSING
    if way == "evidence withdrawn":
        desk.rack(s.CELLS_ONLINE, 239, 1)
    if way == "relay silent":
        desk.permit.relays[1] = desk.permit.relay_ticks + 1
    if way == "too slow":
        desk.permit.timer[0] = desk.permit.closing_ticks
    desk.out[s.PCS_ENABLE_OK] = 1
    desk.way = (m.PCS_RAMP if way == "ramp demanded" else 0, 0)
    return desk


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("current_mA", [BREAKS_MA, -BREAKS_MA])
def test_an_attempt_to_close_that_ends_opens_at_once(way, current_mA):
    desk = closing_under(current_mA, way)
    assert desk.update(*desk.way) == (INHIBITED, 0, 0)
    assert desk.permit.timer[1] == desk.permit.retry_ticks


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("current_mA", [BREAKS_MA + 1, -BREAKS_MA - 1])
def test_on_a_short_circuit_it_waits_for_the_fuse_and_starts_no_converter(way, current_mA):
    desk = closing_under(current_mA, way)
    tried = desk.permit.tried[0]
    for _ in range(FUSE_TICKS):
        assert desk.update(*desk.way) == (STOPPING, 0, 1)
        assert desk.out[desk.layout.unit_output(0, s.PCS_RUN_OK)] == 0
    assert desk.permit.timer[1] == max(0, desk.permit.retry_ticks - FUSE_TICKS + 1)
    assert desk.update(*desk.way) == (STOPPING, 0, 0)
    assert desk.permit.tried[0] == tried + (way in ("contactor fault", "relay silent", "too slow"))
    for rack in range(2):
        desk.rack(s.CONTACTOR_STATE, s.CONTACTOR_OPEN, rack)
        desk.rack(s.RACK_CURRENT_MA, 0, rack)
    assert desk.update(*desk.way) == (INHIBITED, 0, 0)


@pytest.mark.parametrize("current_mA, supply", [(BREAKS_MA, 0), (BREAKS_MA + 1, 1)])
def test_a_trip_while_closing_opens_at_once_or_waits_likewise(current_mA, supply):
    desk = closing_under(current_mA, "too slow")
    assert desk.update(m.PCS_RAMP, m.DC_OPEN_AT_ZERO) == (TRIPPED, 0, supply)


@pytest.mark.parametrize("step", range(5))
def test_in_the_relay_test_nothing_is_closed_and_nothing_is_waited_for(step):
    desk = closing_under(BREAKS_MA + 1, "not wanted")
    desk.permit.relays[0] = step
    assert desk.update() == (INHIBITED, 0, 0)
