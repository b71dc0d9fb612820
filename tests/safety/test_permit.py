"""When energy is permitted: transitions, rules of opening, evidence, test mode, fuse."""

import itertools

import pytest
from bench import Bench, default_image
from hypothesis import given, settings, strategies as st
from permit_desk import LOAD_MA, ZERO_MA, Desk, arrange_one
from rows import ticks
from started import resting, running

from safety import (
    contactors as c,
    matrix as m,
    opening,
    permit as pt,
    signals as s,
    start_checklist,
)
from safety.bounds import LIMITS
from safety.parameters import R_BREAK_CURRENT_MA
from tests.tables import cases

INHIBITED, READY, CLOSING, RUNNING, STOPPING, TRIPPED = range(6)
OPEN_TICKS = UNKNOWN_TICKS = ticks(200)
ZERO_TICKS, STOPPING_TICKS, FUSE_TICKS = ticks(2000), ticks(5000), ticks(30_000)
BREAKER_TICKS, CLEARED_TICKS, REMOVAL_TICKS = ticks(1000), ticks(2000), ticks(4000)
RATED_W, BREAKS_MA = 250_000, 300_000
CURRENTS = ("zero", "load", "unknown")


def given_out(bench):
    return bench.out[s.STATE], bench.out[s.PCS_ENABLE_OK], bench.out[s.CONTACTOR_SUPPLY_OK]


# facts that may matter in a state; the others stay as usual
MATTER = {
    INHIBITED: "evidence run armed",
    READY: "evidence run armed",
    CLOSING: "evidence run closed relay io_known fault",
    RUNNING: "evidence run relay io_known fault",
    STOPPING: "run opened all_open",
    TRIPPED: "run opened all_open",
}
USUAL = dict.fromkeys("evidence run armed closed relay io_known".split(), 1)
USUAL.update(fault=0, opened=0, all_open=0)


def stops(pcs, dc):
    return pcs == m.PCS_STOP or dc >= m.DC_OPEN_AT_ZERO


def following(state, pcs, dc, fact):
    if stops(pcs, dc) and state > READY:
        return TRIPPED
    wanted = fact["run"] and fact["evidence"]
    if state == INHIBITED:
        return READY if fact["evidence"] and not pcs and not dc else state
    if state == READY:
        if not fact["evidence"] or pcs or dc:
            return INHIBITED
        return CLOSING if fact["run"] and fact["armed"] else state
    if state == CLOSING:
        if pcs or dc or fact["fault"] or not (wanted and fact["io_known"]):
            return INHIBITED
        return RUNNING if fact["closed"] and fact["relay"] else state
    if state == RUNNING:
        return state if wanted else STOPPING
    return INHIBITED if fact["opened"] and fact["all_open"] else state


def arrange(desk, state, facts):
    """Two racks; the second one carries the exception."""
    desk.at(state, facts["opened"]).out[s.ARM_REQUEST] = 1
    at_rest = state in (INHIBITED, READY)
    desk.set(s.LOCK_OUT_OK, facts["evidence"]).set(s.RUN_REQUEST, facts["run"])
    desk.set(s.ARMED_STORED, facts["armed"]).know(s.G_IO_1, facts["io_known"])
    desk.set(s.PERMIT_1_CLOSED, 0 if at_rest else facts["relay"])
    desk.set(s.PERMIT_2_CLOSED, 0 if at_rest else 1)
    is_open = at_rest or facts["all_open"]
    for rack in range(2):
        desk.rack(s.CONTACTOR_STATE, s.CONTACTOR_OPEN if is_open else s.CONTACTOR_CLOSED, rack)
        desk.permit.contactors.step[rack] = c.OPEN if at_rest else c.CLOSED
    if not is_open and facts["fault"]:
        desk.permit.contactors.step[1] = c.FAULT
    elif not is_open and not facts["closed"]:
        desk.permit.contactors.step[1] = c.CLOSING
        desk.rack(s.CONTACTOR_STATE, s.CONTACTOR_PRECHARGE, 1)


@pytest.mark.parametrize("state", range(6), ids=s.STATES)
def test_every_transition(state):
    desk = Desk(racks=2)
    names = MATTER[state].split()
    for pcs, dc, *values in itertools.product(range(3), range(5), *[range(2)] * len(names)):
        facts = {**USUAL, **dict(zip(names, values))}
        arrange(desk, state, facts)
        reached, enable, supply = desk.update(pcs, dc)
        assert reached == following(state, pcs, dc, facts), (pcs, dc, facts)
        assert desk.out[desk.layout.unit_output(0, s.PCS_RUN_OK)] <= supply >= enable
        if reached in (INHIBITED, READY) or facts["opened"] and state in (STOPPING, TRIPPED):
            assert (enable, supply) == (0, 0)
        if state in (STOPPING, TRIPPED) and not supply:
            assert desk.out[s.ARM_REQUEST] == 1 - facts["all_open"], "clean once every rack is open"
        assert not (pcs == m.PCS_STOP and enable)


def test_the_permit_of_each_state():
    """(PCS enable, supply, run, arm) while nothing is demanded and current flows."""
    desk = Desk().set(s.RUN_REQUEST, 1).set(s.KEY_RUN_OK, 1)
    seen = {}
    for state in range(6):
        arrange_one(desk, state)
        reached, *permit = desk.update()
        run = desk.out[desk.layout.unit_output(0, s.PCS_RUN_OK)]
        seen[reached] = (*permit, run, desk.out[s.ARM_REQUEST])
    assert seen[READY] == (0, 0, 0, 1) and seen[CLOSING] == (0, 1, 0, 1)
    assert seen[RUNNING] == seen[STOPPING] == (1, 1, 1, 1)


def may_open(pcs, dc, rack_carries, pcs_carries, waited, removal):
    """Effects I, Z and "I at zero current" of the table, and the silence ladder's 3.2 s."""
    stopped = pcs == m.PCS_STOP
    if dc == m.DC_OPEN_ONLY_AT_ZERO:
        if removal and waited >= REMOVAL_TICKS:
            return True
        return rack_carries == "zero" or rack_carries == "unknown" and pcs_carries == "zero"
    if rack_carries == "zero" and dc >= m.DC_OPEN_AT_ZERO:
        return stopped or waited > 0
    if dc == m.DC_OPEN:
        return waited >= OPEN_TICKS
    if dc == m.DC_OPEN_AT_ZERO:
        return waited >= (UNKNOWN_TICKS if rack_carries == "unknown" and stopped else ZERO_TICKS)
    return False


@pytest.mark.parametrize("rack_carries", CURRENTS)
@pytest.mark.parametrize("pcs_carries", CURRENTS)
def test_when_a_trip_opens(rack_carries, pcs_carries):
    desk = Desk().set(s.RUN_REQUEST, 1)
    waits = (0, 1, 9, 10, 11, 99, 100, 101, 199, 200, 249, 250, 100_000)
    for pcs, dc, waited, removal in itertools.product(range(3), range(5), waits, range(2)):
        if not stops(pcs, dc):
            continue
        arrange_one(desk, TRIPPED)
        desk.at(TRIPPED, waited=waited - 1).current(rack_carries).pcs_current(pcs_carries)
        if waited == 0:
            desk.at(RUNNING)
        desk.out[s.PCS_ENABLE_OK] = 1
        _, enable, supply = desk.update(pcs, dc, removal=removal)
        opens = may_open(pcs, dc, rack_carries, pcs_carries, waited, removal)
        assert supply == (not opens), (pcs, dc, waited)
        assert enable == (supply if pcs < m.PCS_STOP else 0)


@pytest.mark.parametrize("unasked", [s.RUN_REQUEST, s.LOCK_OUT_OK])
@cases("""waited carries opens
    0  'zero'  True | 249  'load'  False | 250  'load'  True | 249  'unknown'  False
    250  'unknown'  True""")
@pytest.mark.parametrize("dc", [0, m.DC_INHIBIT])
def test_a_stop_opens_only_with_a_lock_out_or_a_stop_request(unasked, waited, carries, opens, dc):
    """Row 38b lasts for as long as its sensor is broken: the cabinet could not be serviced."""
    desk = arrange_one(Desk(), TRIPPED).at(TRIPPED, waited=waited - 1).current(carries)
    desk.inp[s.RUN_REQUEST] = desk.inp[s.LOCK_OUT_OK] = 1
    assert desk.update(m.PCS_STOP, dc) == (TRIPPED, 0, 1)
    desk.at(TRIPPED, waited=waited - 1).set(unasked, 0)
    assert desk.update(m.PCS_STOP, dc) == (TRIPPED, 0, 0 if opens else 1)


@pytest.mark.parametrize("carries, opens", [("zero", 1), ("load", 250), ("unknown", 250)])
def test_when_a_controlled_stop_opens(carries, opens):
    desk = arrange_one(Desk(), RUNNING).current(carries)
    lasted = [desk.update()[2] for _ in range(STOPPING_TICKS + 5)]
    assert lasted.index(0) == opens and not any(lasted[opens:])


def under_load_in_gas():
    return running().load(100_000).set(s.GAS_1_LFL_PERMILLE, 250).step()


def test_gas_at_25_pct_never_opens_under_load():
    bench = under_load_in_gas()
    assert bench.out[s.PCS_ENABLE_OK] == 0 and bench.out[s.FAN_ON] == 1
    bench.wait(ticks(60_000))
    assert bench.out[s.CONTACTOR_SUPPLY_OK] == 1, "row 12 waits for zero current without limit"
    assert bench.load(6_999).step().out[s.CONTACTOR_SUPPLY_OK] == 0
    assert bench.out[s.SHUNT_TRIP_ON] == 0


def given_until_open(bench):
    """[(breaker told to trip, supply)] of every step until the contactors open."""
    found = []
    while not found or found[-1][1] and len(found) < FUSE_TICKS + 10:
        bench.step()
        found.append((bench.out[s.SHUNT_TRIP_ON], bench.out[s.CONTACTOR_SUPPLY_OK]))
    return found


@pytest.mark.parametrize("cause", [s.ESTOP_1_OK, s.ESTOP_2_OK, s.FIRE_ALARM_OK, s.SUPPRESSION_OK])
def test_rows_1_to_3_open_in_gas_after_the_breaker_had_its_time(cause):
    """87 A flowed for 215 s in 60 % LFL with E-stop and fire alarm given."""
    given = given_until_open(under_load_in_gas().set(cause, 0))
    assert given.index((1, 1)) == BREAKER_TICKS - 1 and len(given) == REMOVAL_TICKS
    assert given[-1] == (0, 0) and set(given[BREAKER_TICKS - 1 : -1]) == {(1, 1)}


def test_after_the_breaker_a_converter_that_tells_a_current_holds_nothing():
    bench = under_load_in_gas().load(0)
    bench.hold_unit(s.PCS_DC_CURRENT_MA, 100_000)
    given = given_until_open(bench)
    assert given.index((1, 1)) == BREAKER_TICKS - 1 and len(given) == CLEARED_TICKS


@cases("""removal dc breaks
    1  m.DC_OPEN  1 | 0  m.DC_OPEN  0 | 1  m.DC_OPEN_AT_ZERO  1""")
def test_a_breaker_opens_what_only_the_fuse_may(removal, dc, breaks):
    desk = under_a_short()
    while desk.update(m.PCS_STOP, dc, removal=removal)[2]:
        assert desk.permit.needs_breaker(dc, removal) == breaks
    assert desk.permit.opening.waited[opening.W_FUSE] == FUSE_TICKS
    assert not desk.permit.needs_breaker(dc, removal)


@pytest.mark.parametrize("state", [INHIBITED, READY, CLOSING, RUNNING])
def test_no_breaker_trips_where_nothing_waits_to_open(state):
    """A detector that shows gas for an hour in a cabinet at rest."""
    desk = arrange_one(Desk(), state)
    desk.permit.opening.waited[opening.W_DEMAND] = s.TICKS_MAX
    assert not desk.permit.needs_breaker(m.DC_OPEN_ONLY_AT_ZERO, 1)


def test_bms_silence_ladder():
    bench = running()
    full_W = bench.unit(s.DISCHARGE_W_MAX)
    bench.silent |= bench.bms_groups()
    assert bench.step(ticks(500) - 1).standing() == [] and bench.unit(s.DISCHARGE_W_MAX) == full_W
    assert bench.step().standing() == ["40a"]
    falling = [bench.step().unit(s.DISCHARGE_W_MAX) for _ in range(ticks(500) - 1)]
    assert falling == sorted(falling, reverse=True) and falling[0] > falling[-1] > 0
    assert bench.step().unit(s.DISCHARGE_W_MAX) == 0 and bench.standing() == ["40a", "40b"]
    bench.step(ticks(2000) - 1)
    assert (bench.out[s.PCS_ENABLE_OK], bench.step().standing()) == (1, ["40a", "40b", "40c"])
    assert given_out(bench.step(ticks(200) - 1)) == (TRIPPED, 0, 1)
    assert bench.step().out[s.CONTACTOR_SUPPLY_OK] == 0, "3.2 s: the current is not known"


def test_zero_current_means_every_rack():
    """A current that is not known is none while the rack's own fresh report says open."""
    desk, reports = Desk(racks=2), (s.CONTACTOR_OPEN, s.CONTACTOR_CLOSED)
    of_a_rack = list(itertools.product(CURRENTS, reports, (0, 1)))
    for racks in itertools.product(of_a_rack, repeat=2):
        for rack, (kind, report, is_fresh) in enumerate(racks):
            desk.rack(s.CONTACTOR_STATE, report, rack).current(kind, rack)
            desk.know(desk.layout.rack_group(rack, s.G_BMS_STATE), is_fresh)
        kinds = {kind for kind, *told in racks if kind != "unknown" or told != [0, 1]}
        expected = 0 if "load" in kinds else -1 if "unknown" in kinds else 1
        assert desk.permit.contactors.current_zero() == expected, racks


@cases("""rack current_mA zero
    1  499  1 | 1  -500  0 | 0  6999  1 | 0  -6999  1 | 0  LOAD_MA  0 | 0  -7000  0""")
def test_zero_current_is_less_than_five_percent_of_each_racks_rating(rack, current_mA, zero):
    bench = Bench(racks=2, rated_current_mA=(140_000, 10_000))
    bench.set_rack(s.RACK_CURRENT_MA, current_mA, rack)
    assert bench.kernel.permit.contactors.current_zero() == -1, "never seen"
    bench.step(ticks(300) - 1)
    assert bench.kernel.permit.contactors.current_zero() == zero
    assert bench.out[s.INHIBIT_REASON] == (
        start_checklist.I_NONE if zero else start_checklist.I_CURRENT
    )


@cases("""of_1_mA of_2_mA zero
    0  13_999  1 | 0  14_000  0 | -14_000  0  0 | -13_999  0  1""")
def test_zero_current_needs_every_converter_that_is_heard(of_1_mA, of_2_mA, zero):
    """5 % of the racks behind it, 2 x 140 A: BMS that tell 0 opened contactors at 87 A."""
    bench = Bench(racks=4, units=2).step(ticks(300))
    for unit, current_mA in enumerate((of_1_mA, of_2_mA)):
        bench.hold_unit(s.PCS_DC_CURRENT_MA, current_mA, unit)
    assert bench.step().kernel.permit.contactors.current_zero() == zero
    bench.silence(*[bench.layout.unit_group(unit, s.G_PCS_MEASURE) for unit in range(2)])
    bench.step(ticks(2000) + 1)
    assert bench.kernel.permit.contactors.current_zero() == 1, "a silent one is row 41's"


@cases("""unit current_mA zero
    0  6999  1 | 0  7000  0 | 1  499  1 | 1  500  0""")
def test_zero_current_of_a_converter_is_that_of_its_own_racks(unit, current_mA, zero):
    bench = Bench(racks=2, units=2, rated_current_mA=(140_000, 10_000)).step(ticks(300))
    bench.hold_unit(s.PCS_DC_CURRENT_MA, current_mA, unit).step()
    assert bench.kernel.permit.contactors.current_zero() == zero


def test_every_converter_must_be_known_and_at_zero():
    desk = Desk(racks=2, units=2)
    assert desk.permit.opening._pcs_current_zero()
    assert not desk.set_unit(s.PCS_DC_CURRENT_MA, 5001, 1).permit.opening._pcs_current_zero()
    for unit in range(2):
        desk = Desk(racks=2, units=2).know(desk.layout.unit_group(unit, s.G_PCS_MEASURE), False)
        assert not desk.permit.opening._pcs_current_zero()


LAYOUT = s.Layout(2, 2, 15)
GROUPS = {name: at for at, name in enumerate(s.CABINET_GROUPS) if at != s.G_LOCAL}
for names, of_block in (s.UNIT_GROUPS, LAYOUT.unit_group), (s.RACK_GROUPS, LAYOUT.rack_group):
    for block, name in itertools.product(range(2), names):
        GROUPS[f"{name}.{block}"] = of_block(block, names.index(name))
STARTS = "io_1 io_2 io_3 meter_ gas_ offgas_ toxic climate ups pcs_ bms_".split()
CODES = "IO_1 IO_2 IO_3 METER GAS GAS GAS CLIMATE UPS PCS BMS".split()
REASONS = {start: getattr(start_checklist, "I_" + code) for start, code in zip(STARTS, CODES)}


@pytest.mark.parametrize("name", GROUPS)
def test_nothing_starts_without_each_group(name):
    reason = next(code for start, code in REASONS.items() if name.startswith(start))
    never = Bench(units=2, racks=2).silence(GROUPS[name])
    assert never.step(14).out[s.INHIBIT_REASON] == reason and never.out[s.LATCHED_COUNT] == 0
    gone = resting(units=2, racks=2).set(s.RUN_REQUEST, 1)
    gone.held[s.ARMED_STORED] = 0  # so that it stays ready
    gone.silent.add(GROUPS[name])
    budget = gone.kernel.features.ages.budget_ticks[GROUPS[name]]
    assert gone.wait(budget - 1).out[s.STATE] == READY
    gone.step(2).held[s.ARMED_STORED] = 1
    for bench in (never, gone):
        for _ in range(5):
            assert given_out(bench.step()) == (INHIBITED, 0, 0)
    assert gone.out[s.INHIBIT_REASON] in (reason, start_checklist.I_INTERLOCK)


@pytest.mark.parametrize("state", [RUNNING, STOPPING])
@cases("""pcs dc reason
    0  0  start_checklist.I_NONE | m.PCS_RAMP  0  start_checklist.I_NONE
    m.PCS_RAMP  m.DC_INHIBIT  start_checklist.I_INTERLOCK""")
def test_past_the_start_only_what_forbids_closing_is_named(state, pcs, dc, reason):
    desk = arrange_one(Desk(), state).rack(s.CELLS_ONLINE, 0).set(s.RUN_REQUEST, 1)
    desk.update(pcs, dc)
    assert desk.out[s.INHIBIT_REASON] == reason


def test_evidence_is_counted_at_rest_and_while_closing():
    desk = Desk().set(s.KEY_RUN_OK, 0)
    for state in range(6):
        desk.at(state)
        desk.out[s.EVIDENCE_COUNT] = -7
        desk.update()
        counted = desk.permit.checklist.done if state <= CLOSING else -7
        assert desk.out[s.EVIDENCE_COUNT] == counted and desk.permit.checklist.done != -7


def test_a_cause_that_ends_before_its_debounce_lets_the_start_go_on():
    bench = Bench(racks=2).set(s.SMOKE_1_OK, 0)
    assert bench.step(20).out[s.INHIBIT_REASON] == start_checklist.I_CAUSE
    assert bench.set(s.SMOKE_1_OK, 1).step(20).out[s.STATE] == RUNNING


def tripped_long_ago():
    """41b has stopped the PCS and latched: the contactors stay closed, without current."""
    bench = running()
    bench.silent = {bench.layout.unit_group(0, s.G_PCS_MEASURE)}
    bench.step(175)
    bench.silent = set()
    assert bench.wait(3000).standing() == ["41a", "41b"] and given_out(bench) == (TRIPPED, 0, 1)
    return bench


def test_a_trip_that_is_reset_before_it_opened_still_opens():
    bench = tripped_long_ago().step(ticks(5000)).load(100_000).reset().step(3)
    assert bench.standing() == []
    # it has waited longer than a controlled stop may take
    assert (bench.out[s.CONTACTOR_SUPPLY_OK], bench.load(0).step(20).out[s.STATE]) == (0, RUNNING)


@cases("""signal debounce_ms waited_ms
    s.LEAK_OK  2000  2000 | s.CELL_VOLTAGE_OK  200  200""")
def test_a_demand_to_open_has_its_own_time_in_an_old_trip(signal, debounce_ms, waited_ms):
    bench = tripped_long_ago().load(60_000).set(signal, 0).step(ticks(debounce_ms))
    assert len(bench.standing()) == 3
    assert bench.step(ticks(waited_ms) - 1).out[s.CONTACTOR_SUPPLY_OK] == 1
    assert bench.step().out[s.CONTACTOR_SUPPLY_OK] == 0


@pytest.mark.parametrize("state", [STOPPING, TRIPPED])
@cases("""before pcs enable
    1  0  1 | 1  1  1 | 0  0  0 | 0  1  0 | 1  2  0""")
def test_a_pcs_enable_is_kept_for_a_ramp_and_never_given_back(state, before, pcs, enable):
    desk = arrange_one(Desk(), state)
    desk.out[s.PCS_ENABLE_OK] = before
    reached = TRIPPED if pcs == m.PCS_STOP else state
    dc = m.DC_OPEN_AT_ZERO if state == TRIPPED else 0
    assert desk.update(pcs, dc) == (reached, enable, 1)
    assert desk.out[desk.layout.unit_output(0, s.PCS_RUN_OK)] == enable


def test_the_key_out_of_run_is_a_controlled_stop():
    bench = running().set(s.KEY_RUN_OK, 0)
    assert bench.step().out[s.STATE] == TRIPPED and bench.unit(s.PCS_RUN_OK) == 1
    assert given_out(bench.step(20)) == (TRIPPED, 0, 0) and bench.standing() == ["47a"]
    assert bench.set(s.KEY_RUN_OK, 1).step(20).standing() == []
    assert bench.out[s.STATE] == READY
    assert (
        bench.set(s.RUN_REQUEST, 0).step(2).set(s.RUN_REQUEST, 1).step(20).out[s.STATE] == RUNNING
    )


@pytest.mark.parametrize("held, limit_ms", [("permit", 1000), ("contactor", 5000)])
def test_closing_takes_a_bounded_time(held, limit_ms):
    bench = Bench()
    at = s.PERMIT_1_CLOSED if held == "permit" else bench.rack_at(s.CONTACTOR_STATE)
    bench.held[at] = 0
    states = [bench.step().out[s.STATE] for _ in range(ticks(limit_ms) + 20)]
    assert RUNNING not in states and given_out(bench) == (INHIBITED, 0, 0)
    assert bench.out[s.INHIBIT_REASON] == start_checklist.I_WAIT
    if held == "permit":
        assert states.count(CLOSING) == ticks(1000) + 1
    since = len(states) - states.index(INHIBITED, states.index(CLOSING))
    bench.step(ticks(10_000) - since)
    assert bench.out[s.STATE] == INHIBITED, "ten seconds between two attempts"
    assert bench.step().out[s.STATE] == READY
    bench.held.clear()
    assert bench.step(20).out[s.STATE] == RUNNING


def test_a_test_has_five_percent_unless_a_limit_is_tighter():
    bench = running(units=2, racks=4).set(s.TEST_REQUEST, 1)
    for rack in (1, 3):
        bench.set_rack(s.CHARGE_CURRENT_MA_MAX, 1000, rack)
    bench.step()
    for way, reason in ((s.CHARGE_W_MAX, s.CHARGE_REASON), (s.DISCHARGE_W_MAX, s.DISCHARGE_REASON)):
        assert (bench.unit(way), LIMITS[bench.unit(reason)]) == (RATED_W // 20, "test")
    assert bench.unit(s.CHARGE_W_MAX, 1) == 1422
    assert LIMITS[bench.unit(s.CHARGE_REASON, 1)] == "bms_current"
    bench.inp[s.TEST_REQUEST] = 0
    # full power comes back slowly
    assert RATED_W // 20 < bench.step().unit(s.CHARGE_W_MAX) < RATED_W // 19
    assert given_out(bench.set(s.TEST_REQUEST, 1).set(s.ESTOP_1_OK, 0).step()) == (TRIPPED, 0, 0)


def test_a_test_ends_by_itself_in_a_controlled_stop():
    bench = running().load(100_000).set_rack(s.CELL_VOLTAGE_MV_MIN, 3280)  # the cells show it
    bench.set(s.TEST_REQUEST, 1).wait(ticks(60_000) - 3)
    for state in (RUNNING, RUNNING, RUNNING, STOPPING):
        assert given_out(bench.step()) == (state, 1, 1)


# C65: above its breaking capacity no contactor opens; the fuse is waited for
@cases("""rack current_mA above
    0  300_001  True | 0  300_000  False | 1  1001  True | 1  1000  False | 1  -1001  True""")
def test_each_rack_has_a_breaking_capacity_of_its_own(rack, current_mA, above):
    image = default_image(racks=2, break_current_mA=(300_000, 1000))
    desk = Desk(racks=2, image=image).rack(s.RACK_CURRENT_MA, current_mA, rack)
    assert desk.permit.contactors.above_breaking() == above


def test_a_short_circuit_while_running_waits_for_the_fuse():
    bench = running().load(1_000_000).step(ticks(100))
    assert bench.standing() == ["36"] and bench.out[s.STATE] == TRIPPED
    assert given_out(bench.wait(FUSE_TICKS - 1)) == (TRIPPED, 0, 1)
    assert bench.step().out[s.CONTACTOR_SUPPLY_OK] == 0


def under_a_short():
    desk = arrange_one(Desk(racks=2), TRIPPED).at(TRIPPED, waited=0)
    for rack, current_mA in enumerate((LOAD_MA, BREAKS_MA + 1)):
        desk.rack(s.CONTACTOR_STATE, s.CONTACTOR_CLOSED, rack)
        desk.rack(s.RACK_CURRENT_MA, current_mA, rack)
    assert desk.update(2, m.DC_OPEN)[2] == 1
    return desk


def test_times_stay_small_numbers():
    desk = under_a_short()
    for _ in range(3):
        desk.update(2, m.DC_OPEN, elapsed=s.TICKS_MAX - 1)
    assert list(desk.permit.opening.waited) == [s.TICKS_MAX, s.TICKS_MAX]
    desk = Desk().set(s.TEST_REQUEST, 1)
    for _ in range(3):
        desk.update(elapsed=s.TICKS_MAX)
    assert desk.permit.timer[0] == desk.permit.tried[1] == s.TICKS_MAX


def test_waiting_counts_every_tick_after_its_step():
    found, times = [], Desk().permit.opening
    for elapsed, is_due in ((5, True), (7, True), (3, True), (4, False), (9, True), (1, True)):
        times._wait(opening.W_DEMAND, elapsed, is_due)
        found.append(list(times.waited))
    assert found == [[opening.NOT_WAITING, waited] for waited in (0, 7, 10, -1, 0, 1)]


EVENT = st.tuples(
    *map(st.sampled_from, ([0, 0, 0, 1, 2], [0, 0, 0, 1, 2, 3, 4], CURRENTS, CURRENTS)),
    *(st.sampled_from(["follow", "follow", "follow", "welded", "open"]), st.booleans()),
    *(st.sampled_from([1, 1, 3, 40]), st.integers(1, 6)),
)


class Observer:
    """Checks a desk by its outputs, reports and demands; it does not know the permit's state."""

    def __init__(self, desk):
        self.desk = desk
        self.supply = self.enable = self.armed = 0
        self.dropped = self.lost = False

    def see(self, complete, dc, carries, is_open):
        """complete, is_open: before the step. In the relay test no permit moves a contactor."""
        out = self.desk.out
        close = out[self.desk.layout.rack_output(0, s.CONTACTOR_CLOSE_OK)]
        enable, supply = out[s.PCS_ENABLE_OK] & close, out[s.CONTACTOR_SUPPLY_OK] & close
        assert supply == close, "told to close without the supply"
        if supply and not self.supply:
            assert complete and not dc, "closed before the evidence"
            assert is_open and not self.dropped, "supplied again before everything reported open"
            assert not enable, "PCS enabled together with the supply"
            self.lost = False
        assert not (enable and not self.enable and self.lost), "PCS enable given back"
        self.lost |= bool(self.enable and not enable)
        armed = out[s.ARM_REQUEST]
        assert armed or not out[s.CONTACTOR_SUPPLY_OK], "energised but called clean"
        assert armed or not self.armed or is_open, "called clean before everything reported open"
        if self.supply and not supply:
            self.dropped = True
            under_load = carries == "load" and self.enable
            assert dc != m.DC_OPEN_ONLY_AT_ZERO or not under_load, "row 12 opened under current"
        self.dropped &= not is_open
        self.supply, self.enable, self.armed = supply, enable, armed


def follow(desk, watch, pcs, dc, *event):
    rack_carries, pcs_carries, report, run, elapsed = event
    out, inp = desk.out, desk.inp
    commanded = out[desk.layout.rack_output(0, s.CONTACTOR_CLOSE_OK)]
    closed = {"follow": commanded, "welded": 1, "open": 0}[report]
    carries = rack_carries if closed else "zero"
    desk.rack(s.CONTACTOR_STATE, s.CONTACTOR_CLOSED if closed else s.CONTACTOR_OPEN)
    desk.current(carries).pcs_current(pcs_carries if closed else "zero")
    held = 1 - out[s.WITHHOLD_ON]
    inp[s.PERMIT_1_CLOSED] = out[s.PCS_ENABLE_OK] & held
    inp[s.PERMIT_2_CLOSED] = out[s.CONTACTOR_SUPPLY_OK] & held
    inp[s.ARMED_STORED], inp[s.RUN_REQUEST] = out[s.ARM_REQUEST], int(run)
    complete = desk.permit.missing(pcs, dc) == start_checklist.I_NONE
    desk.update(pcs, dc, elapsed)
    watch.see(complete, dc, carries, not closed)


@given(st.lists(EVENT, min_size=4, max_size=14))
@settings(max_examples=150)
def test_what_never_happens(events):
    desk = Desk().set(s.RUN_REQUEST, 1).set(s.KEY_RUN_OK, 1)
    watch = Observer(desk)
    for _ in range(18):
        follow(desk, watch, 0, 0, "zero", "zero", "follow", True, 1)
    assert desk.out[s.STATE] == RUNNING and watch.enable == 1
    for *event, steps in events:
        for _ in range(steps):
            follow(desk, watch, *event)


WITHDRAWN = ("not wanted", "locked out")
WAYS = (*WITHDRAWN, "no evidence", "contactor fault", "relay silent", "too slow", "ramp demanded")


def closing_under(current_mA, way):
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


@cases("""current_mA state
    1000  INHIBITED | 1001  STOPPING | -1001  STOPPING""")
def test_a_weak_contactor_waits_for_its_fuse(current_mA, state):
    desk = closing_under(current_mA, "not wanted")
    desk.kernel.image[desk.permit.contactors.words_at[0] + R_BREAK_CURRENT_MA] = 1000
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
    ZERO_MA  m.PCS_RAMP  m.DC_OPEN_AT_ZERO  0 | ZERO_MA  m.PCS_STOP  m.DC_OPEN_ONLY_AT_ZERO  0
    LOAD_MA  m.PCS_STOP  m.DC_OPEN  ticks(200)
    LOAD_MA  m.PCS_RAMP  m.DC_OPEN_AT_ZERO  ticks(2000)
    BREAKS_MA+1  m.PCS_STOP  m.DC_OPEN  FUSE_TICKS
    LOAD_MA  m.PCS_STOP  m.DC_OPEN_ONLY_AT_ZERO  None""")
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


LEVELS = tuple(itertools.product(range(2), repeat=2))


def test_a_relay_is_read_back_only_on_modules_that_are_known():
    desk = Desk()
    for known, levels, wanted in itertools.product(LEVELS, repeat=3):
        for group, is_known in zip((s.G_IO_1, s.G_IO_2), known):
            desk.know(group, is_known)
        desk.inp[s.PERMIT_1_CLOSED], desk.inp[s.PERMIT_2_CLOSED] = levels
        found = bool(desk.permit._read_back(*wanted))
        assert found == (all(known) and wanted == levels), (known, levels, wanted)


@pytest.mark.parametrize("step", range(len(pt.RELAY_TEST)))
def test_a_step_of_the_relay_test_is_sent_before_it_is_read(step):
    desk, wanted = Desk(), pt.RELAY_TEST[step]
    is_expiry = step == pt.EXPIRY_AT
    read = (0, 0) if is_expiry else wanted
    for told, reported, is_withheld in itertools.product(LEVELS, LEVELS, (0, 1)):
        desk.inp[s.PERMIT_1_CLOSED], desk.inp[s.PERMIT_2_CLOSED] = reported
        desk.permit.relays[0], desk.permit.relays[1] = step, 7
        desk.out[s.PCS_ENABLE_OK], desk.out[s.CONTACTOR_SUPPLY_OK] = told
        desk.out[s.WITHHOLD_ON] = is_withheld
        desk.permit._test_relays(3)
        done = told == wanted and reported == read and is_withheld == is_expiry
        after = [step + 1, 0] if done else [step, 10]
        assert list(desk.permit.relays) == after
        assert desk.out[s.WITHHOLD_ON] == (after[0] == pt.EXPIRY_AT)
        assert (desk.out[s.PCS_ENABLE_OK], desk.out[s.CONTACTOR_SUPPLY_OK]) == wanted


def test_the_time_of_a_step_stays_a_small_number():
    desk = Desk()
    for _ in range(2):
        desk.permit._test_relays(s.TICKS_MAX)
    assert desk.permit.relays[1] == s.TICKS_MAX


@pytest.mark.parametrize("step", range(len(pt.RELAY_TEST) + 1))
@cases("""rack_step reported running
    c.CLOSED  (1,1)  True | c.CLOSING  (1,1)  False | c.CLOSED  (0,1)  False
    c.CLOSED  (1,0)  False""")
def test_it_runs_when_all_is_tested_closed_and_read_back(step, rack_step, reported, running):
    desk = closing_under(0, "")
    desk.permit.relays[0] = step
    desk.permit.contactors.step[1] = rack_step
    desk.inp[s.PERMIT_1_CLOSED], desk.inp[s.PERMIT_2_CLOSED] = reported
    tested = step == len(pt.RELAY_TEST)
    assert desk.permit._from_closing(0) == (s.RUNNING if tested and running else CLOSING)
