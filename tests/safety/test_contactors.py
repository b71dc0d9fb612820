"""One rack's contactors: the whole table, the closing time, and forbidden commands."""

import itertools
import random
from array import array

import pytest
from bench import default_image

from safety import contactors as c, signals as s
from safety.kernel import Kernel

OPEN, CLOSING, CLOSED, FAULT = c.OPEN, c.CLOSING, c.CLOSED, c.FAULT
CLOSE_MS, REPORT_MS = 510, 190  # of the walk
CLOSE_TICKS, REPORT_TICKS = 26, 10
# rows: step and command; columns: the BMS reports open, precharge, closed, fault
EXPECTED = {
    **{(OPEN, 0): (OPEN, OPEN, OPEN, OPEN), (OPEN, 1): (CLOSING, CLOSING, CLOSED, FAULT)},
    **{(CLOSING, 0): (OPEN, OPEN, OPEN, CLOSING), (CLOSING, 1): (CLOSING, CLOSING, CLOSED, FAULT)},
    **{(CLOSED, 0): (OPEN, OPEN, OPEN, CLOSED), (CLOSED, 1): (FAULT, FAULT, CLOSED, FAULT)},
    **{(FAULT, 0): (OPEN, FAULT, FAULT, FAULT), (FAULT, 1): (FAULT, FAULT, FAULT, FAULT)},
}


class Racks:
    def __init__(self, racks=2, rated_mA=140_000, **cabinet):
        self.kernel = Kernel(default_image(racks=racks, rated_current_mA=rated_mA, **cabinet))
        self.contactors = self.kernel.contactors
        for rack in range(racks):
            self.kernel.features.ages.seen[self.kernel.layout.rack_group(rack, s.G_BMS_STATE)] = 1

    def report(self, *states):
        for rack, state in enumerate(states):
            self.kernel.inp[self.kernel.layout.rack_input(rack, s.CONTACTOR_STATE)] = state
        return self

    def carry(self, *currents_mA):
        for rack, current_mA in enumerate(currents_mA):
            self.kernel.inp[self.kernel.layout.rack_input(rack, s.RACK_CURRENT_MA)] = current_mA
            self.heard(rack, 0)
        return self

    def heard(self, rack, age_ticks):
        ages, group = self.kernel.features.ages, self.kernel.layout.rack_group(rack, s.G_BMS_PACK)
        ages.seen[group], ages.ticks[group] = age_ticks is not None, age_ticks or 0
        return self

    def told(self):
        steps, commands = self.out(s.CONTACTOR_STEP), self.out(s.CONTACTOR_CLOSE_OK)
        return list(zip(steps, commands, self.contactors.mismatch))

    def update(self, close, elapsed=1):
        self.contactors.update(elapsed, close)
        return self

    def out(self, signal):
        layout = self.kernel.layout
        return [self.kernel.out[layout.rack_output(rack, signal)] for rack in range(layout.racks)]


@pytest.mark.parametrize("step, close", list(itertools.product(range(4), range(2))))
@pytest.mark.parametrize("reported", range(4))
def test_every_transition(step, close, reported):
    racks = Racks().report(s.CONTACTOR_OPEN, reported)
    racks.contactors.step[1] = step
    racks.update(close)
    expected = EXPECTED[step, close][reported]
    assert racks.contactors.step[1] == expected == racks.out(s.CONTACTOR_STEP)[1]
    assert racks.out(s.CONTACTOR_CLOSE_OK)[1] == (1 if close and expected != FAULT else 0)


def test_the_table_names_only_what_changes_the_step():
    assert all(step != following for (step, _, _), following in c.TRANSITIONS.items())
    assert len(c.STEPS) == 4 and len(c.NEXT) == 4 * 2 * 4  # steps, commands, reports
    racks = Racks(racks=4)
    racks.contactors.step[:] = array("i", [OPEN, CLOSED, FAULT, CLOSED])
    assert [racks.contactors.count(step) for step in range(4)] == [1, 0, 2, 1]


class Rack:
    def __init__(self):
        self.step, self.closing_ticks, self.open_ticks = OPEN, 0, 0
        self.was_closed, self.lost = None, False

    def update(self, elapsed, close, more, report, carries):
        asked = 1 if close and (more or self.step == CLOSED) else 0
        following = EXPECTED[self.step, asked][report]
        if carries and asked and self.step == CLOSED and report == s.CONTACTOR_OPEN:
            following = CLOSED
        self.lost = following == FAULT and (self.lost or self.step == CLOSED)
        self.closing_ticks = self.closing_ticks + elapsed if following == CLOSING else 0
        self.step = FAULT if self.closing_ticks > CLOSE_TICKS else following
        command = 1 if asked and self.step != FAULT else 0
        self.open_ticks = 0 if command else self.open_ticks + (elapsed if self.open_ticks else 1)
        self.was_closed = {s.CONTACTOR_OPEN: 0, s.CONTACTOR_CLOSED: 1}.get(report, self.was_closed)
        may_be = {s.CONTACTOR_OPEN: 0, s.CONTACTOR_FAULT: bool(self.was_closed)}
        may_be_closed = may_be.get(report, 1)
        still = may_be_closed and self.open_ticks > REPORT_TICKS
        untold = c.UNKNOWN_FAULT if report == s.CONTACTOR_FAULT and self.was_closed is None else 0
        return self.step, command, c.LOST if self.lost else c.STILL_CLOSED if still else untold


@pytest.mark.parametrize("seed", range(6))
def test_every_step_is_what_the_rules_say_of_racks(seed):
    chance, rated_mA = random.Random(seed), (140_000, 20_000, 280_000)
    racks = Racks(3, rated_mA, contactor_close_ms_max=CLOSE_MS, contactor_report_ms=REPORT_MS)
    rules, reports = [Rack() for _ in rated_mA], [s.CONTACTOR_OPEN] * 3
    close, more, seen = 0, 1, set()
    if seed % 2:
        reports = [s.CONTACTOR_FAULT] * 3  # from the start: their last state is unknown
    for _ in range(1000):
        if chance.random() < 0.1:  # command and reports may change in one step
            close, more = chance.choice((0, 1)), chance.choice((0, 1, 1, 1))
            reports = [chance.choice((0, 1, 2, 3, was, was)) for was in reports]
        elapsed = chance.choice((1, 1, 1, 4))
        currents_mA, expected = [], []
        for rule, report, rated in zip(rules, reports, rated_mA):
            current_mA = chance.choice((0, 1, -1)) * (rated // 20 - chance.choice((0, 1)))
            carries = abs(current_mA) * 20 >= rated
            expected.append(rule.update(elapsed, close, more, report, carries))
            currents_mA.append(current_mA)
        racks.report(*reports).carry(*currents_mA).contactors.update(elapsed, close, more)
        assert racks.told() == expected
        seen.update(expected)
    steps, commands, mismatches = [set(column) for column in zip(*seen)]
    assert (steps, commands) == ({OPEN, CLOSING, CLOSED, FAULT}, {0, 1})
    assert mismatches == {0, c.STILL_CLOSED, c.LOST} | ({c.UNKNOWN_FAULT} if seed % 2 else set())


@pytest.mark.parametrize("rack", range(2))
@pytest.mark.parametrize("age_ticks, kept", [(0, True), (25, True), (26, False), (None, False)])
def test_an_unknown_current_does_not_outrank_a_report(rack, age_ticks, kept):
    """bms_warn_ms is 25 ticks. Only the report is left: open, so the command is withdrawn."""
    racks = Racks().report(s.CONTACTOR_OPEN, s.CONTACTOR_OPEN).carry(140_000, 140_000)
    racks.heard(rack, age_ticks).contactors.step[:] = array("i", [CLOSED, CLOSED])
    told = racks.update(1).told()
    assert told[rack] == ((CLOSED, 1, 0) if kept else (FAULT, 0, c.LOST))
    assert told[1 - rack] == (CLOSED, 1, 0), "each rack by a current of its own"


def test_times_stay_small_numbers_however_late_a_step_is():
    racks = Racks(1).report(s.CONTACTOR_PRECHARGE)
    racks.update(1, elapsed=s.INT_MAX)
    assert list(racks.contactors.closing_ticks) == [s.TICKS_MAX]
    assert racks.told()[0][:2] == (FAULT, 0)
    racks.update(0, elapsed=s.INT_MAX)
    assert list(racks.contactors.open_ticks) == [s.TICKS_MAX]


def test_all_open_means_every_rack():
    racks = Racks(racks=3)
    for reports in itertools.product(range(4), repeat=3):
        found = racks.report(*reports).kernel.features.all_reported_open()
        assert found == (set(reports) == {s.CONTACTOR_OPEN}), reports
