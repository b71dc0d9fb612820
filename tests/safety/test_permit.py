"""When energy is permitted: all transitions, all rules of opening, every piece of evidence, and
what never happens.
"""

import itertools

import pytest
from bench import default_image
from hypothesis import given, settings
from hypothesis import strategies as st
from permit_desk import (
    CLOSING,
    INHIBITED,
    LOAD_MA,
    READY,
    RUNNING,
    STOPPING,
    TRIPPED,
    ZERO_MA,
    Desk,
    arrange_one,
)
from rows import ticks
from started import Plant, resting, running

from safety import contactors as c
from safety import evidence
from safety import matrix as m
from safety import parameters as p
from safety import signals as s

OPEN_TICKS, ZERO_TICKS, UNKNOWN_TICKS, STOPPING_TICKS = (
    ticks(200),
    ticks(2000),
    ticks(200),
    ticks(5000),
)


# -- every transition

# The facts that may matter in a state; the others stay at what is usual in it.
MATTER = {
    INHIBITED: ("evidence", "run", "armed"),
    READY: ("evidence", "run", "armed"),
    CLOSING: ("evidence", "run", "closed", "relay", "io_known", "fault"),
    RUNNING: ("evidence", "run", "relay", "io_known", "fault"),
    STOPPING: ("run", "opened", "all_open"),
    TRIPPED: ("run", "opened", "all_open"),
}
USUAL = {
    "evidence": 1,
    "run": 1,
    "armed": 1,
    "closed": 1,
    "relay": 1,
    "io_known": 1,
    "fault": 0,
    "opened": 0,
    "all_open": 0,
}


def stops(pcs, dc):
    """A demand that ends whatever runs."""
    return pcs == m.PCS_STOP or dc >= m.DC_OPEN_AT_ZERO


# state: (condition, next) in order; the first that holds decides, else the state stays.
RULES = {
    INHIBITED: ((lambda pcs, dc, f: f["evidence"] and not pcs and not dc, READY),),
    READY: (
        (lambda pcs, dc, f: not f["evidence"] or pcs or dc, INHIBITED),
        (lambda pcs, dc, f: f["run"] and f["armed"], CLOSING),
    ),
    CLOSING: (
        (lambda pcs, dc, f: stops(pcs, dc), TRIPPED),
        (
            lambda pcs, dc, f: (
                pcs or dc or not (f["run"] and f["evidence"] and f["io_known"]) or f["fault"]
            ),
            INHIBITED,
        ),
        (lambda pcs, dc, f: f["closed"] and f["relay"], RUNNING),
    ),
    RUNNING: (
        (lambda pcs, dc, f: stops(pcs, dc), TRIPPED),
        (lambda pcs, dc, f: not (f["run"] and f["evidence"]), STOPPING),
    ),
    STOPPING: (
        (lambda pcs, dc, f: stops(pcs, dc), TRIPPED),
        (lambda pcs, dc, f: f["opened"] and f["all_open"], INHIBITED),
    ),
    TRIPPED: (
        (lambda pcs, dc, f: stops(pcs, dc), TRIPPED),
        (lambda pcs, dc, f: f["opened"] and f["all_open"], INHIBITED),
    ),
}


def arrange(desk, state, facts):
    """Bring about a state and its facts. Two racks; the second one carries the exception."""
    desk.at(state, facts["opened"])
    resting_now = state in (INHIBITED, READY)
    desk.inp[s.LOCK_OUT_OK] = facts["evidence"]
    desk.inp[s.RUN_REQUEST], desk.inp[s.ARMED_STORED] = facts["run"], facts["armed"]
    desk.inp[s.PERMIT_1_CLOSED] = 0 if resting_now else facts["relay"]
    desk.inp[s.PERMIT_2_CLOSED] = 0 if resting_now else 1
    desk.know(s.G_IO_1, facts["io_known"])
    is_open = resting_now or facts["all_open"]
    for rack in range(2):
        desk.rack(s.CONTACTOR_STATE, s.CONTACTOR_OPEN if is_open else s.CONTACTOR_CLOSED, rack)
        desk.permit.contactors.step[rack] = c.OPEN if resting_now else c.CLOSED
    if not is_open and facts["fault"]:
        desk.permit.contactors.step[1] = c.FAULT
    elif not is_open and not facts["closed"]:
        desk.permit.contactors.step[1] = c.CLOSING
        desk.rack(s.CONTACTOR_STATE, s.CONTACTOR_PRECHARGE, 1)
    elif facts["all_open"] and not resting_now:
        desk.rack(s.CONTACTOR_STATE, s.CONTACTOR_OPEN, 0)


@pytest.mark.parametrize("state", range(6), ids=s.STATES)
def test_every_transition(state):
    desk = Desk(racks=2)
    names = MATTER[state]
    for pcs, dc, *values in itertools.product(range(3), range(5), *[range(2)] * len(names)):
        facts = {**USUAL, **dict(zip(names, values))}
        arrange(desk, state, facts)
        expected = next(
            (following for holds, following in RULES[state] if holds(pcs, dc, facts)), state
        )
        reached, enable, supply = desk.update(pcs, dc)
        assert s.STATES[reached] == s.STATES[expected], (pcs, dc, facts)
        assert enable <= supply
        if reached in (INHIBITED, READY):
            assert (enable, supply) == (0, 0)
        if facts["opened"] and state in (STOPPING, TRIPPED):
            assert (enable, supply) == (0, 0)
        if pcs == m.PCS_STOP:
            assert enable == 0
        assert desk.out[desk.layout.unit_output(0, s.PCS_RUN_OK)] <= supply


def test_the_permit_of_each_state():
    """(PCS enable, supply, run, arm) while nothing is demanded and current flows."""
    desk = Desk()
    desk.inp[s.RUN_REQUEST] = desk.inp[s.KEY_RUN_OK] = 1
    seen = {}
    for state in range(6):
        arrange_one(desk, state)
        desk.update()
        seen[s.STATES[desk.out[s.STATE]]] = (
            desk.out[s.PCS_ENABLE_OK],
            desk.out[s.CONTACTOR_SUPPLY_OK],
            desk.out[desk.layout.unit_output(0, s.PCS_RUN_OK)],
            desk.out[s.ARM_REQUEST],
        )
    assert seen["ready"] == (0, 0, 0, 1)
    assert seen["closing"] == (0, 1, 0, 1)
    assert seen["running"] == seen["stopping"] == (1, 1, 1, 1)


# -- the rules of opening

WAITED = (0, 1, 9, 10, 11, 99, 100, 101, 249, 250, 100_000)


def may_open(pcs, dc, rack_carries, pcs_carries, waited):
    """Effects I, Z and "I at zero current" of the table, the silence ladder's 3.2 s; nothing else
    opens.
    """
    stopped = pcs == m.PCS_STOP
    if dc == m.DC_OPEN_ONLY_AT_ZERO:
        return rack_carries == "zero" or rack_carries == "unknown" and pcs_carries == "zero"
    if rack_carries == "zero" and dc >= m.DC_OPEN_AT_ZERO:
        return stopped or waited > 0
    if dc == m.DC_OPEN:
        return waited >= OPEN_TICKS
    if dc == m.DC_OPEN_AT_ZERO:
        return waited >= (UNKNOWN_TICKS if rack_carries == "unknown" and stopped else ZERO_TICKS)
    return False


@pytest.mark.parametrize("rack_carries", ["zero", "load", "unknown"])
@pytest.mark.parametrize("pcs_carries", ["zero", "load", "unknown"])
def test_when_a_trip_opens(rack_carries, pcs_carries):
    desk = Desk()
    desk.inp[s.RUN_REQUEST] = 1
    for pcs, dc, waited in itertools.product(range(3), range(5), WAITED):
        if not stops(pcs, dc):
            continue
        arrange_one(desk, TRIPPED)
        desk.at(TRIPPED, waited=waited - 1)
        desk.current(rack_carries)
        desk.pcs_current(pcs_carries)
        if waited == 0:
            desk.at(RUNNING)
        desk.out[s.PCS_ENABLE_OK] = 1
        _, enable, supply = desk.update(pcs, dc)
        assert supply == (0 if may_open(pcs, dc, rack_carries, pcs_carries, waited) else 1), (
            pcs,
            dc,
            waited,
        )
        assert enable == (supply if pcs < m.PCS_STOP else 0)


@pytest.mark.parametrize("unasked", [s.RUN_REQUEST, s.LOCK_OUT_OK])
@pytest.mark.parametrize(
    "waited, carries, opens",
    [
        (0, "zero", True),
        (249, "load", False),
        (250, "load", True),
        (249, "unknown", False),
        (250, "unknown", True),
    ],
)
@pytest.mark.parametrize("dc", [0, m.DC_INHIBIT])
def test_a_stop_alone_opens_nothing_but_a_lock_out_or_a_stop_request_does(
    unasked, waited, carries, opens, dc
):
    """Row 38b may stand for as long as its sensor is broken: nobody could work on the cabinet."""
    desk = Desk()
    arrange_one(desk, TRIPPED)
    desk.at(TRIPPED, waited=waited - 1)
    desk.current(carries)
    desk.inp[s.RUN_REQUEST] = desk.inp[s.LOCK_OUT_OK] = 1
    assert desk.update(m.PCS_STOP, dc) == (TRIPPED, 0, 1)
    desk.at(TRIPPED, waited=waited - 1)
    desk.inp[unasked] = 0
    assert desk.update(m.PCS_STOP, dc) == (TRIPPED, 0, 0 if opens else 1)


@pytest.mark.parametrize(
    "rack_carries, opens", [("zero", 1), ("load", STOPPING_TICKS), ("unknown", STOPPING_TICKS)]
)
def test_when_a_controlled_stop_opens(rack_carries, opens):
    desk = Desk()
    arrange_one(desk, RUNNING)
    desk.current(rack_carries)
    lasted = [desk.update()[2] for _ in range(STOPPING_TICKS + 5)]
    assert lasted.index(0) == opens
    assert set(lasted[opens:]) == {0}


CURRENTS = ("zero", "load", "unknown")


@pytest.mark.parametrize("first, second, third", list(itertools.product(CURRENTS, repeat=3)))
def test_zero_current_means_every_rack(first, second, third):
    """A rack that carries current outranks one that is not known."""
    desk = Desk(racks=3)
    for rack, kind in enumerate((first, second, third)):
        desk.rack(s.CONTACTOR_STATE, s.CONTACTOR_CLOSED, rack)
        desk.current(kind, rack)
    kinds = {first, second, third}
    assert desk.permit.contactors.current_zero() == (
        0 if "load" in kinds else -1 if "unknown" in kinds else 1
    )


@pytest.mark.parametrize("silent", range(3))
def test_a_report_speaks_for_its_own_rack(silent):
    """One that is silent and was closed last may carry anything, whatever its neighbours report."""
    desk = Desk(racks=3)
    for rack in range(3):
        desk.rack(
            s.CONTACTOR_STATE, s.CONTACTOR_CLOSED if rack == silent else s.CONTACTOR_OPEN, rack
        )
        desk.current("unknown" if rack == silent else "zero", rack)
    assert desk.permit.contactors.current_zero() == -1


@pytest.mark.parametrize(
    "current_mA, zero", [(ZERO_MA, 1), (-ZERO_MA, 1), (LOAD_MA, 0), (-LOAD_MA, 0)]
)
def test_zero_current_is_less_than_five_percent(current_mA, zero):
    desk = Desk()
    desk.rack(s.CONTACTOR_STATE, s.CONTACTOR_CLOSED)
    desk.rack(s.RACK_CURRENT_MA, current_mA)
    assert desk.permit.contactors.current_zero() == zero


@pytest.mark.parametrize(
    "rack, current_mA, zero", [(1, 499, True), (1, -500, False), (0, 6999, True), (0, 7000, False)]
)
def test_five_percent_of_each_racks_own_rating_at_rest_and_when_opening(rack, current_mA, zero):
    image = default_image(racks=2)
    image[
        p.ImageMap(1, 2, m.STAGES_PER_SCOPE).rack + len(p.RACK_PARAMETERS) + p.R_RATED_CURRENT_MA
    ] = 10_000
    bench = Plant(image)
    bench.set_rack(s.RACK_CURRENT_MA, current_mA, rack)
    assert bench.kernel.permit.contactors.current_zero() == -1, "never seen"
    bench.step(ticks(300) - 1)
    assert bench.kernel.permit.contactors.current_zero() == (1 if zero else 0)
    assert bench.out[s.INHIBIT_REASON] == (evidence.I_NONE if zero else evidence.I_CURRENT)


def test_every_converter_must_be_at_zero():
    desk = Desk(racks=2, units=2)
    assert desk.permit._pcs_current_zero()
    desk.inp[desk.layout.unit_input(1, s.PCS_DC_CURRENT_MA)] = 5001
    assert not desk.permit._pcs_current_zero()


@pytest.mark.parametrize("unit", [0, 1])
def test_a_converter_that_is_not_known_is_not_at_zero(unit):
    desk = Desk(racks=2, units=2)
    desk.know(desk.layout.unit_group(unit, s.G_PCS_MEASURE), False)
    assert not desk.permit._pcs_current_zero()


# -- the evidence


def groups_by_name(layout):
    """{name: index} of every freshness group but the local one."""
    found = {name: index for index, name in enumerate(s.CABINET_GROUPS) if index != s.G_LOCAL}
    for unit in range(layout.units):
        found.update(
            {
                f"{name}.{unit}": layout.unit_group(unit, index)
                for index, name in enumerate(s.UNIT_GROUPS)
            }
        )
    for rack in range(layout.racks):
        found.update(
            {
                f"{name}.{rack}": layout.rack_group(rack, index)
                for index, name in enumerate(s.RACK_GROUPS)
            }
        )
    return found


REASONS = {
    "io_1": evidence.I_IO_1,
    "io_2": evidence.I_IO_2,
    "io_3": evidence.I_IO_3,
    "meter_": evidence.I_METER,
    "gas_": evidence.I_GAS,
    "offgas_": evidence.I_GAS,
    "toxic": evidence.I_GAS,
    "climate": evidence.I_CLIMATE,
    "ups": evidence.I_UPS,
    "pcs_": evidence.I_PCS,
    "bms_": evidence.I_BMS,
}
GROUPS = groups_by_name(s.Layout(2, 2, 15))


@pytest.mark.parametrize("name", GROUPS)
def test_nothing_starts_without_each_group(name):
    reason = next(code for start, code in REASONS.items() if name.startswith(start))
    never = Plant(units=2, racks=2)
    never.silent.add(GROUPS[name])
    assert never.step(20).out[s.INHIBIT_REASON] == reason
    gone = resting(units=2, racks=2)
    gone.inp[s.RUN_REQUEST] = 1
    gone.held[s.ARMED_STORED] = 0  # so that it stays ready
    gone.silent.add(GROUPS[name])
    assert gone.step(gone.kernel.features.ages.budget_ticks[GROUPS[name]] - 1).out[s.STATE] == READY
    gone.step(2).held[s.ARMED_STORED] = 1
    for bench in (never, gone):
        for _ in range(20):
            bench.step()
            assert bench.out[s.STATE] == INHIBITED and bench.out[s.CONTACTOR_SUPPLY_OK] == 0
    assert gone.out[s.INHIBIT_REASON] in (reason, evidence.I_INTERLOCK)


def test_a_trip_that_is_reset_before_it_opened_still_opens_and_gives_nothing_back():
    """PCS silent for 3 s under load: a stop that opens nothing. Its reset ends in open contactors,
    then a new start.
    """
    bench = running()
    bench.load(100_000)
    bench.silent.add(bench.layout.unit_group(0, s.G_PCS_MEASURE))
    bench.wait(ticks(3000))
    assert bench.standing() == ["41a", "41b"]
    bench.silent.clear()
    bench.step(ticks(5000))
    assert (bench.out[s.STATE], bench.out[s.PCS_ENABLE_OK], bench.out[s.CONTACTOR_SUPPLY_OK]) == (
        TRIPPED,
        0,
        1,
    )
    bench.reset().step(3)
    assert bench.standing() == []
    assert bench.out[s.CONTACTOR_SUPPLY_OK] == 0, (
        "it has waited longer than a controlled stop may take"
    )
    bench.load(0)
    assert bench.step(20).out[s.STATE] == RUNNING


@pytest.mark.parametrize("state", [STOPPING, TRIPPED])
@pytest.mark.parametrize(
    "before, pcs, enable", [(1, 0, 1), (1, 1, 1), (0, 0, 0), (0, 1, 0), (1, 2, 0)]
)
def test_a_pcs_enable_is_kept_for_a_ramp_and_never_given_back(state, before, pcs, enable):
    desk = Desk()
    arrange_one(desk, state)
    desk.out[s.PCS_ENABLE_OK] = before
    assert desk.update(pcs, m.DC_OPEN_AT_ZERO if state == TRIPPED else 0) == (
        TRIPPED if pcs == m.PCS_STOP or state == TRIPPED else STOPPING,
        enable,
        1,
    )
    assert desk.out[desk.layout.unit_output(0, s.PCS_RUN_OK)] == enable


def test_the_key_out_of_run_is_a_controlled_stop():
    bench = running()
    bench.inp[s.KEY_RUN_OK] = 0
    assert bench.step().out[s.STATE] == TRIPPED and bench.unit(s.PCS_RUN_OK) == 1
    assert bench.step(20).out[s.STATE] == TRIPPED and bench.out[s.CONTACTOR_SUPPLY_OK] == 0
    assert bench.standing() == ["47"]
    bench.inp[s.KEY_RUN_OK] = 1
    assert bench.step(20).out[s.STATE] == RUNNING and bench.standing() == []


def test_clean_is_said_only_when_everything_has_said_that_it_is_open():
    bench = running()
    bench.welded = True
    bench.inp[s.RUN_REQUEST] = 0
    for _ in range(50):
        bench.step()
        assert bench.out[s.ARM_REQUEST] == 1
    assert bench.out[s.CONTACTOR_SUPPLY_OK] == 0
    bench.welded = False
    assert bench.step(2).out[s.ARM_REQUEST] == 0


@pytest.mark.parametrize("group", ["meter_grid", "gas_1", "pcs_measure.0", "bms_limits.0"])
def test_evidence_that_is_withdrawn_while_closing_ends_the_attempt(group):
    bench = Plant(units=2, racks=2)
    bench.held[bench.rack_at(s.CONTACTOR_STATE, 1)] = s.CONTACTOR_OPEN
    bench.step(10)
    assert bench.out[s.STATE] == CLOSING and bench.out[s.CONTACTOR_SUPPLY_OK] == 1
    bench.silent.add(GROUPS[group])
    budget = bench.kernel.features.ages.budget_ticks[GROUPS[group]]
    assert bench.step(budget + 1).out[s.STATE] == INHIBITED
    assert bench.out[s.CONTACTOR_SUPPLY_OK] == 0 and not bench.rack(s.CONTACTOR_CLOSE_OK, 0)


def test_cells_that_go_missing_while_closing_end_the_attempt():
    bench = Plant(racks=2)
    bench.held[bench.rack_at(s.CONTACTOR_STATE, 1)] = s.CONTACTOR_OPEN
    bench.step(5).set_rack(s.CELLS_ONLINE, 239, 1)
    assert (
        bench.step().out[s.STATE] == INHIBITED and bench.out[s.INHIBIT_REASON] == evidence.I_CELLS
    )


def test_a_cause_that_ends_before_its_debounce_lets_the_start_go_on():
    bench = Plant(racks=2)
    bench.inp[s.SMOKE_1_OK] = 0
    assert bench.step(20).out[s.INHIBIT_REASON] == evidence.I_CAUSE
    bench.inp[s.SMOKE_1_OK] = 1
    assert bench.step(20).out[s.STATE] == RUNNING


def test_closing_waits_a_bounded_time_for_the_permit_relay():
    bench = Plant()
    bench.held[s.PERMIT_1_CLOSED] = 0
    states = [bench.step().out[s.STATE] for _ in range(ticks(1000) + 10)]
    assert RUNNING not in states and states[-1] == INHIBITED
    assert bench.out[s.INHIBIT_REASON] == evidence.I_WAIT and bench.out[s.CONTACTOR_SUPPLY_OK] == 0
    attempt = [index for index, state in enumerate(states) if state == CLOSING]
    assert len(attempt) == ticks(1000) + 1
    since = len(states) - states.index(INHIBITED, states.index(CLOSING))
    bench.step(ticks(10_000) - since)
    assert bench.out[s.STATE] == INHIBITED, "ten seconds between two attempts"
    assert bench.step().out[s.STATE] == READY
    bench.held.clear()
    assert bench.step(20).out[s.STATE] == RUNNING


# -- what never happens, over random courses of events

EVENTS = st.lists(
    st.tuples(
        st.sampled_from([0, 0, 0, 1, 2]),
        st.sampled_from([0, 0, 0, 1, 2, 3, 4]),
        st.sampled_from(CURRENTS),
        st.sampled_from(CURRENTS),
        st.sampled_from(["follow", "follow", "follow", "welded", "open"]),
        st.booleans(),
        st.sampled_from([1, 1, 3, 40]),
        st.integers(1, 6),
    ),
    min_size=4,
    max_size=14,
)


class Observer:
    """Watches a desk from outside; it knows outputs, reports and demands, not the permit's
    state.
    """

    def __init__(self, desk):
        self.desk = desk
        self.supply = self.enable = self.armed = 0
        self.dropped = self.lost = False

    def see(self, complete, dc, carries, is_open):
        """Check one step. complete: all evidence there before it; is_open: what was reported before
        it.

        While no rack is told to close (the test of the relays), neither permit moves anything.
        """
        told = self.desk.out[self.desk.layout.rack_output(0, s.CONTACTOR_CLOSE_OK)]
        enable, supply = (
            self.desk.out[s.PCS_ENABLE_OK] & told,
            self.desk.out[s.CONTACTOR_SUPPLY_OK] & told,
        )
        assert supply == told, "told to close without the supply"
        if supply and not self.supply:
            assert complete and not dc, "closed before the evidence"
            assert is_open and not self.dropped, "supplied again before everything reported open"
            assert not enable, "PCS enabled together with the supply"
            self.lost = False
        if enable and not self.enable:
            assert not self.lost, "PCS enable given back without a new start"
        if self.enable and not enable:
            self.lost = True
        armed = self.desk.out[s.ARM_REQUEST]
        assert armed or not self.desk.out[s.CONTACTOR_SUPPLY_OK], "energised but called clean"
        if self.armed and not armed:
            assert is_open, "called clean before everything reported open"
        if self.supply and not supply:
            self.dropped = True
            in_closing = not self.enable
            assert dc != m.DC_OPEN_ONLY_AT_ZERO or carries != "load" or in_closing, (
                "row 12 opened under current"
            )
        if self.dropped and is_open:
            self.dropped = False
        self.supply, self.enable, self.armed = supply, enable, armed


@given(EVENTS)
@settings(max_examples=150)
def test_what_never_happens(events):
    desk = Desk()
    desk.inp[s.RUN_REQUEST] = desk.inp[s.KEY_RUN_OK] = 1
    watch = Observer(desk)
    for _ in range(14):
        follow(desk, watch, 0, 0, ("zero", "zero", "follow", True, 1))
    for pcs, dc, current, pcs_current, report, run, elapsed, steps in events:
        for _ in range(steps):
            follow(desk, watch, pcs, dc, (current, pcs_current, report, run, elapsed))


def follow(desk, watch, pcs, dc, event):
    """One step in which relays and contactors follow the outputs, or fail to."""
    current, pcs_current, report, run, elapsed = event
    out, inp = desk.out, desk.inp
    commanded = out[desk.layout.rack_output(0, s.CONTACTOR_CLOSE_OK)]
    closed = {"follow": commanded, "welded": 1, "open": 0}[report]
    desk.rack(s.CONTACTOR_STATE, s.CONTACTOR_CLOSED if closed else s.CONTACTOR_OPEN)
    desk.current(current if closed else "zero")
    desk.pcs_current(pcs_current if closed else "zero")
    inp[s.PERMIT_1_CLOSED], inp[s.PERMIT_2_CLOSED] = (
        out[s.PCS_ENABLE_OK],
        out[s.CONTACTOR_SUPPLY_OK],
    )
    inp[s.ARMED_STORED], inp[s.RUN_REQUEST] = out[s.ARM_REQUEST], 1 if run else 0
    complete = desk.permit.missing(pcs, dc) == evidence.I_NONE
    desk.update(pcs, dc, elapsed)
    watch.see(complete, dc, current if closed else "zero", not closed)


def test_the_course_of_events_reaches_running():
    desk = Desk()
    desk.inp[s.RUN_REQUEST] = desk.inp[s.KEY_RUN_OK] = 1
    watch = Observer(desk)
    for _ in range(14):
        follow(desk, watch, 0, 0, ("zero", "zero", "follow", True, 1))
    assert desk.out[s.STATE] == RUNNING and watch.enable == 1
