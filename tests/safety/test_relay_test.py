"""Each permit relay drops alone and is read back before any close command."""

import itertools

import pytest
from bench import Bench
from permit_desk import CLOSING, INHIBITED, RUNNING, TRIPPED
from rows import ticks
from started import resting, running

from safety import permit, signals as s, start_checklist
from tests.tables import cases

# PCS enable, contactor supply: both on, both on but not written, both on, each dropped alone, and
# last as the contactors need it
LEVELS = ((1, 1), (1, 1), (1, 1), (0, 1), (1, 1), (1, 0), (0, 1))
WITHHELD = [at == permit.EXPIRY_AT for at in range(len(LEVELS))]
# what has to be read back: what is not written any more has expired
READ = [(0, 0) if withheld else level for level, withheld in zip(LEVELS, WITHHELD)]
RELAY_TICKS, CLOSE_TICKS = ticks(1000), ticks(5000)
RELAYS = (s.PERMIT_1_CLOSED, s.PERMIT_2_CLOSED)


class SlowRelays(Bench):
    """A plant whose permit relays follow their outputs `late` steps later (1: as the bench's)."""

    def _follow(self):
        super()._follow()
        held = 1 - self.out[s.WITHHOLD_ON]
        permits = self.out[s.PCS_ENABLE_OK], self.out[s.CONTACTOR_SUPPLY_OK]
        self.told.append(tuple([each & held for each in permits]))
        for signal, value in zip(RELAYS, self.told[max(0, len(self.told) - self.late)]):
            self.inp[signal] = self.held.get(signal, value)


def starting(late=1, **topology):
    bench = resting(**topology)
    bench.__class__, bench.told, bench.late = SlowRelays, [(0, 0)], late
    return bench.set(s.RUN_REQUEST, 1)


def closing(bench, level=None):
    for _ in range(400):
        if bench.out[s.STATE] == CLOSING and level in (None, bench.kernel.permit.relays[0]):
            return bench
        bench.step()
    raise AssertionError("does not begin to close")


def test_the_levels_are_told_in_order_and_nothing_closes_before_the_last():
    bench, told, racks = starting(racks=2), [], []
    for _ in range(30):
        bench.step()
        if bench.out[s.STATE] == CLOSING:
            permits = bench.out[s.PCS_ENABLE_OK], bench.out[s.CONTACTOR_SUPPLY_OK]
            told.append((permits, bool(bench.out[s.WITHHOLD_ON])))
            racks.append([bench.rack(s.CONTACTOR_CLOSE_OK, rack) for rack in range(2)])
            # no converter runs, and the arming is not taken back
            assert bench.unit(s.PCS_RUN_OK) == 0 and bench.out[s.ARM_REQUEST] == 1
    assert bench.out[s.STATE] == RUNNING
    changes = [level for level, _ in itertools.groupby(told)]
    wanted = list(zip(LEVELS, WITHHELD))
    assert changes[: len(LEVELS)] == wanted and permit.RELAY_TEST == LEVELS
    assert permit.EXPIRY_AT == 1 and bench.out[s.WITHHOLD_ON] == 0
    first_told = racks.index([1, 1])
    assert racks == [[0, 0]] * first_told + [[1, 1]] * (len(racks) - first_told)
    assert [level for level, _ in itertools.groupby(told[:first_told])] == wanted


@pytest.mark.parametrize("level", range(len(LEVELS)))
@pytest.mark.parametrize("relay", range(2))
@pytest.mark.parametrize("stuck", range(2))
def test_a_stuck_relay_is_found_at_the_first_level_it_cannot_follow(level, relay, stuck):
    bench = closing(starting(racks=2), level).hold(RELAYS[relay], stuck)
    found = [at for at in range(level, len(LEVELS)) if READ[at][relay] != stuck]
    if not found:
        return stuck_after_the_test(bench, relay, stuck)
    while bench.kernel.permit.relays[0] < found[0]:
        assert bench.step().out[s.STATE] == CLOSING
    for _ in range(RELAY_TICKS + 2 - bench.kernel.permit.relays[1]):
        assert bench.out[s.STATE] == CLOSING
        assert not any(bench.rack(s.CONTACTOR_CLOSE_OK, rack) for rack in range(2))
        assert bench.kernel.permit.relays[0] == found[0]
        bench.step()
    assert bench.out[s.STATE] == INHIBITED and bench.kernel.permit.tried[0] == 1
    assert (bench.out[s.PCS_ENABLE_OK], bench.out[s.CONTACTOR_SUPPLY_OK]) == (0, 0)
    assert bench.rack(s.CONTACTOR_CLOSE_OK) == 0


def stuck_after_the_test(bench, relay, stuck):
    """Only the relay that it asks for is read at the last level."""
    assert (relay, stuck) in ((0, 0), (1, 1))
    if relay == 1:
        assert bench.step(20).out[s.STATE] == RUNNING
        return
    while bench.out[s.STATE] == CLOSING:
        last = bench.kernel.permit.timer[0]
        bench.step()
    # time for each relay, for it, and for the contactors
    assert last == CLOSE_TICKS + RELAY_TICKS * (len(LEVELS) + 1)
    assert bench.out[s.STATE] == INHIBITED and bench.kernel.permit.tried[0] == 1


@pytest.mark.parametrize("group", [s.G_IO_1, s.G_IO_2])
def test_a_module_that_is_not_heard_ends_the_attempt(group):
    bench = closing(starting(), 2).silence(group)
    bench.held.update({signal: bench.inp[signal] for signal in RELAYS})
    assert bench.step(ticks(500) - 1).out[s.STATE] == CLOSING and bench.kernel.permit.relays[0] == 2
    assert bench.step().out[s.STATE] == TRIPPED and bench.standing() == ["49"]
    assert bench.out[s.CONTACTOR_SUPPLY_OK] == 0 == bench.kernel.permit.tried[0]


def test_a_rack_that_closes_by_itself_lets_no_expiry_be_tested():
    """Pylontech racks close 0.5 s after their supply: in the middle of the test."""
    bench, told = closing(starting(close_command_fitted=0)), []
    while bench.out[s.STATE] == CLOSING:
        assert bench.step().out[s.WITHHOLD_ON] == 0
        told.append((bench.out[s.PCS_ENABLE_OK], bench.out[s.CONTACTOR_SUPPLY_OK]))
    levels = [level for level, _ in itertools.groupby(told)]
    assert bench.out[s.STATE] == RUNNING and levels[:-1] == [(1, 1), (0, 1), (1, 1), (1, 0), (0, 1)]


def test_a_relay_may_take_a_second_however_soon_outputs_expire():
    bench = closing(starting(permit_expiry_ms=40), 3).hold(s.PERMIT_1_CLOSED, 1)
    assert bench.step(ticks(1000)).out[s.STATE] == CLOSING
    assert bench.step(2).out[s.STATE] != CLOSING


@cases("""expiry_ms waits_ms
    500  1000 | 200  700 | 40  540""")
def test_an_expiry_that_is_longer_than_set_ends_the_attempt(expiry_ms, waits_ms):
    """The read-back may take 0.5 s more: relays, off-delay, bus."""
    bench = closing(starting(permit_expiry_ms=expiry_ms), permit.EXPIRY_AT)
    bench.held.update(dict.fromkeys(RELAYS, 1))
    waited = 0
    while bench.out[s.STATE] == CLOSING:
        waited, _ = waited + 1, bench.step()
    assert waited == ticks(waits_ms) + 2 and bench.kernel.permit.tried[0] == 1
    assert bench.out[s.WITHHOLD_ON] == 0


def fail(bench, way="relay"):
    closing(bench)
    if way == "relay":
        bench.hold(s.PERMIT_1_CLOSED, 0)
    elif way == "request":
        bench.set(s.RUN_REQUEST, 0)
    elif way == "evidence":
        bench.set_rack(s.CELLS_ONLINE, 239)
    elif way == "contactor":
        while bench.kernel.permit.relays[0] < len(LEVELS):  # before, it is evidence that is missing
            bench.step()
        bench.hold_rack(s.CONTACTOR_STATE, s.CONTACTOR_FAULT)
    while bench.out[s.STATE] == CLOSING:
        bench.step()
    bench.held.clear()
    bench.set(s.RUN_REQUEST, 1).set_rack(s.CELLS_ONLINE, 240)
    bench.kernel.permit.timer[1] = 1
    return bench


@pytest.mark.parametrize("way", ["request", "evidence"])
def test_a_withdrawn_attempt_is_no_failure_and_no_success(way):
    bench = starting()
    for _ in range(4):
        fail(bench, way)
    assert bench.kernel.permit.tried[0] == 0
    for each in ("relay", way, "relay", way):
        assert "38a" not in fail(bench, each).step(3).standing()
    assert bench.kernel.permit.tried[0] == 2
    assert "38a" in fail(bench).step(3).standing()


def test_a_success_forgets_the_failures_before_it():
    bench = fail(fail(starting())).step(30)
    assert bench.out[s.STATE] == RUNNING and bench.kernel.permit.tried[0] == 0
    bench.set(s.RUN_REQUEST, 0).step(10).set(s.RUN_REQUEST, 1)
    assert "38a" not in fail(fail(bench)).step(3).standing()


@pytest.mark.parametrize("level", range(len(LEVELS)))
@cases("""where signal value reason
    'set'  s.SMOKE_1_OK  0  'I_CAUSE' | 'set'  s.TOXIC_PPM  180  'I_CAUSE'
    'set_rack'  s.INSULATION_KOHM  20  'I_CAUSE'
    'set_rack'  s.RACK_VOLTAGE_MV  690_000  'I_VOLTAGES'""")
def test_a_cause_in_the_relay_test_ends_the_attempt(level, where, signal, value, reason):
    """Its debounce would end after the contactors had closed."""
    bench = closing(starting(racks=2), level)
    getattr(bench, where)(signal, value, *(1,) * (where == "set_rack"))
    for _ in range(3):
        bench.step()
        assert not any(bench.rack(s.CONTACTOR_CLOSE_OK, rack) for rack in range(2))
    stopped = INHIBITED, getattr(start_checklist, reason)
    assert (bench.out[s.STATE], bench.out[s.INHIBIT_REASON]) == stopped


def test_a_contactor_that_is_closed_at_the_start_arms_nothing():
    bench = Bench(racks=2).hold_rack(s.CONTACTOR_STATE, s.CONTACTOR_CLOSED, 1)
    for _ in range(50):
        assert bench.step().out[s.ARM_REQUEST] == 0


@cases("""reported trips
    s.CONTACTOR_FAULT  True | s.CONTACTOR_CLOSED  True | s.CONTACTOR_PRECHARGE  True
    s.CONTACTOR_OPEN  False""")
def test_a_rack_that_was_closed_and_does_not_report_open_is_row_39(reported, trips):
    bench = running(racks=2).set(s.RUN_REQUEST, 0).hold_rack(s.CONTACTOR_STATE, reported, 1)
    assert ("39" in bench.step(ticks(1500)).standing()) == trips


@pytest.mark.parametrize("reported", [s.CONTACTOR_OPEN, s.CONTACTOR_PRECHARGE, s.CONTACTOR_FAULT])
@pytest.mark.parametrize("then", [None, s.CONTACTOR_CLOSED])
def test_a_contactor_that_opens_by_itself_is_row_39(reported, then):
    """A supply that fails, a BMS that opens its rack. A contactor that is back has no command."""
    bench = running(racks=2)
    state = bench.rack_at(s.CONTACTOR_STATE, 1)
    bench.hold(state, reported).step(1)
    assert bench.rack(s.CONTACTOR_CLOSE_OK, 0) == 1 and bench.rack(s.CONTACTOR_CLOSE_OK, 1) == 0
    if then is not None:
        bench.held[state] = then
    bench.step(ticks(300) - 1)
    assert not bench.standing() and bench.out[s.STATE] == RUNNING and bench.out[s.HORN_ON] == 0
    assert bench.step().standing() == ["39"] and bench.out[s.STATE] == TRIPPED
    assert (bench.out[s.PCS_ENABLE_OK], bench.out[s.SHUNT_TRIP_ON]) == (0, 1)
    assert (bench.out[s.HORN_ON], bench.step(ticks(200) + 1).out[s.CONTACTOR_SUPPLY_OK]) == (1, 0)


def test_the_contactors_are_watched_during_the_relay_test():
    """Row 39 counts the time since a rack's command to open, also in the test."""
    bench = closing(starting(racks=2), 1)
    before = list(bench.kernel.contactors.open_ticks)
    bench.step(elapsed=3)
    assert bench.out[s.STATE] == CLOSING and bench.kernel.permit.relays[0] < len(LEVELS)
    assert list(bench.kernel.contactors.open_ticks) == [ticks_open + 3 for ticks_open in before]
