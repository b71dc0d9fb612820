"""One rack's contactors: the whole table, the closing time, and what is never commanded."""

import itertools

import pytest
from bench import default_image

from safety import contactors as c
from safety import parameters as p
from safety import signals as s
from safety.kernel import Kernel

OPEN, CLOSING, CLOSED, FAULT = c.OPEN, c.CLOSING, c.CLOSED, c.FAULT
CLOSE_TICKS = 250  # 5 s
# From what the states mean; rows: step and command, columns: the BMS reports open, precharge, closed, fault.
EXPECTED = {
    (OPEN, 0): (OPEN, OPEN, OPEN, OPEN),
    (OPEN, 1): (CLOSING, CLOSING, CLOSED, FAULT),
    (CLOSING, 0): (OPEN, OPEN, OPEN, CLOSING),
    (CLOSING, 1): (CLOSING, CLOSING, CLOSED, FAULT),
    (CLOSED, 0): (OPEN, OPEN, OPEN, CLOSED),
    (CLOSED, 1): (FAULT, CLOSED, CLOSED, FAULT),
    (FAULT, 0): (OPEN, FAULT, FAULT, FAULT),
    (FAULT, 1): (FAULT, FAULT, FAULT, FAULT),
}


class Racks:
    """The contactors of a cabinet, with reports set by hand."""

    def __init__(self, racks=2, **cabinet):
        self.kernel = Kernel(default_image(racks=racks, **cabinet))
        self.contactors = self.kernel.contactors

    def report(self, *states):
        """What each rack's BMS reports."""
        for rack, state in enumerate(states):
            self.kernel.inp[self.kernel.layout.rack_input(rack, s.CONTACTOR_STATE)] = state
        return self

    def update(self, close, elapsed=1):
        """One step."""
        self.contactors.update(elapsed, close)
        return self

    def out(self, signal):
        """A rack output of every rack."""
        return [self.kernel.out[self.kernel.layout.rack_output(rack, signal)]
                for rack in range(self.kernel.layout.racks)]


@pytest.mark.parametrize("step, close, reported", list(itertools.product(range(4), range(2), range(4))))
def test_every_transition(step, close, reported):
    racks = Racks().report(s.CONTACTOR_OPEN, reported)
    racks.contactors.step[1] = step
    racks.update(close)
    expected = EXPECTED[step, close][reported]
    assert racks.contactors.step[1] == expected == racks.out(s.CONTACTOR_STEP)[1]
    assert racks.out(s.CONTACTOR_CLOSE_OK)[1] == (1 if close and expected != FAULT else 0)


def test_the_table_names_only_what_changes_the_step():
    assert all(step != following for (step, _, _), following in c.TRANSITIONS.items())
    assert len(c.STEPS) == 4


@pytest.mark.parametrize("close_ms, elapsed", [(5000, 1), (500, 1), (5000, 3), (5010, 1)])
def test_closing_is_given_its_time_and_not_a_tick_more(close_ms, elapsed):
    racks = Racks(contactor_close_ms_max=close_ms).report(s.CONTACTOR_CLOSED, s.CONTACTOR_PRECHARGE)
    for _ in range(p.ticks(close_ms, 20) // elapsed):
        assert racks.update(1, elapsed).out(s.CONTACTOR_STEP) == [CLOSED, CLOSING]
    racks.update(1, elapsed)
    assert racks.out(s.CONTACTOR_STEP) == [CLOSED, FAULT]
    assert racks.out(s.CONTACTOR_CLOSE_OK) == [1, 0]


def test_the_time_begins_anew_with_each_attempt():
    racks = Racks(racks=1)
    for _ in range(CLOSE_TICKS):
        racks.update(1)
    racks.update(0)
    assert racks.contactors.closing_ticks[0] == 0
    for _ in range(CLOSE_TICKS):
        assert racks.update(1).contactors.step[0] == CLOSING
    assert racks.update(1).contactors.step[0] == FAULT


def test_a_fault_stays_until_the_command_is_gone_and_the_rack_reports_open():
    racks = Racks(racks=1).report(s.CONTACTOR_FAULT).update(1)
    for state in (s.CONTACTOR_OPEN, s.CONTACTOR_PRECHARGE, s.CONTACTOR_CLOSED):
        assert racks.report(state).update(1).contactors.step[0] == FAULT
    assert racks.report(s.CONTACTOR_CLOSED).update(0).contactors.step[0] == FAULT
    assert racks.report(s.CONTACTOR_OPEN).update(0).contactors.step[0] == OPEN


def test_a_rack_that_opens_by_itself_is_not_closed_again():
    racks = Racks(racks=1).report(s.CONTACTOR_CLOSED).update(1)
    assert racks.report(s.CONTACTOR_OPEN).update(1).out(s.CONTACTOR_CLOSE_OK) == [0]
    assert racks.report(s.CONTACTOR_CLOSED).update(1).out(s.CONTACTOR_CLOSE_OK) == [0]


@pytest.mark.parametrize("reports", list(itertools.product(range(4), repeat=3)))
def test_all_open_means_every_rack(reports):
    racks = Racks(racks=3).report(*reports)
    assert racks.contactors.all_reported_open() == (set(reports) == {s.CONTACTOR_OPEN})


def test_counting():
    racks = Racks(racks=4)
    racks.contactors.step[:] = type(racks.contactors.step)("i", [OPEN, CLOSED, FAULT, CLOSED])
    assert [racks.contactors.count(step) for step in range(4)] == [1, 0, 2, 1]
