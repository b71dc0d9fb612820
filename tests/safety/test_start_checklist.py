"""The start checklist: every item alone, their order, the counting, and items not asked."""

from array import array

import pytest
from bench import default_image
from permit_desk import Desk

from safety import matrix as m, signals as s, start_checklist as e
from safety.evaluate import D_GATE
from tests.tables import cases

AT_REST = 5  # contactors, current, relays, voltages, waiting


class Checklist(Desk):
    def __init__(self, units=1, racks=2, **fitted):
        super().__init__(racks, units, default_image(units=units, racks=racks, **fitted))
        self.checklist = self.permit.checklist

    def lose(self, group):
        return self.know(group, False)

    def count(self, name):
        evaluator = self.kernel.evaluator
        names = [m.STAGES[stage][m.S_ID] for stage in evaluator.stage]
        index = max(at for at, each in enumerate(names) if each == name)
        evaluator.set_count[index] = evaluator.busy[evaluator.block[index]] = 1
        return self

    def open_gates(self):
        features = self.kernel.features
        for gate, *_ in self.kernel.evaluator.debounce:
            if gate != m.NO_GATE:
                features.known[gate] = features.value[gate] = 1
        return self

    def find(self, at_rest=True, waiting=0, is_open=None):
        """(reason, done, total); is_open: by default as at_rest."""
        reason = self.checklist.missing(at_rest if is_open is None else is_open, at_rest, waiting)
        return reason, self.checklist.done, self.checklist.total


def items():
    """(function that spoils it, reason) in the order of naming; the last: at rest only."""
    layout = s.Layout(1, 2, 15)
    reasons = dict(zip(s.CABINET_GROUPS, [e.I_IO_1, e.I_IO_2, e.I_IO_3, e.I_METER, e.I_METER]))
    reasons.update(dict.fromkeys("gas_1 gas_2 offgas_1 offgas_2 toxic".split(), e.I_GAS))
    reasons.update(climate=e.I_CLIMATE, ups=e.I_UPS)
    groups = [(s.CABINET_GROUPS.index(name), reason) for name, reason in reasons.items()]
    groups += [(layout.unit_group(0, at), e.I_PCS) for at in range(len(s.UNIT_GROUPS))]
    for rack in range(2):
        groups += [(layout.rack_group(rack, at), e.I_BMS) for at in range(len(s.RACK_GROUPS))]
    yield lambda checklist: checklist.inp.__setitem__(s.LOCK_OUT_OK, 0), e.I_LOCKED
    yield lambda checklist: checklist.inp.__setitem__(s.PEER_CODE, 1), e.I_PEER
    for group, reason in groups:
        yield lambda checklist, group=group: checklist.lose(group), reason
    yield lambda checklist: checklist.rack(s.CELLS_ONLINE, 239, 1), e.I_CELLS
    state = s.CONTACTOR_PRECHARGE
    yield lambda checklist: checklist.rack(s.CONTACTOR_STATE, state, 1), e.I_CONTACTOR
    yield lambda checklist: checklist.rack(s.RACK_CURRENT_MA, 7000, 1), e.I_CURRENT
    yield lambda checklist: checklist.inp.__setitem__(s.PERMIT_1_CLOSED, 1), e.I_PERMIT
    yield lambda checklist: checklist.rack(s.RACK_VOLTAGE_MV, 793_001, 1), e.I_VOLTAGES
    yield lambda checklist: checklist.count("37a"), e.I_CAUSE


ITEMS = list(items())
TOTAL = len(ITEMS) + 1  # and that no time is left to wait


def spoil(checklist, *places):
    for place in places:
        if place < len(ITEMS):
            ITEMS[place][0](checklist)
    return checklist.find(waiting=1 if len(ITEMS) in places else 0)


def test_with_everything_missing_nothing_is_counted():
    checklist = Checklist()
    assert (checklist.checklist.done, spoil(checklist, *range(TOTAL))) == (
        0,
        (e.I_LOCKED, 0, TOTAL),
    )
    assert Checklist().find()[1] == TOTAL, "and nothing is remembered"


@pytest.mark.parametrize("place", range(TOTAL))
def test_items_asked_once_closed_and_under_test(place):
    """All is asked under test but the dropped relays, and the wait, which is over. Once closed no
    debounce is asked for.
    """
    checklist = Checklist()
    spoil(checklist, place)
    asked = place < TOTAL - AT_REST - 1
    reason = ITEMS[place][1] if asked else e.I_NONE
    assert checklist.find(at_rest=False) == (reason, TOTAL - AT_REST - asked, TOTAL)
    asked = place < len(ITEMS) and ITEMS[place][1] != e.I_PERMIT
    found = checklist.find(at_rest=False, is_open=True, waiting=1)
    assert found == (ITEMS[place][1] if asked else e.I_NONE, TOTAL - asked, TOTAL)


@cases("""fitted unasked
    {'io_3_fitted':0}  {'io_3'} | {'meter_load_fitted':0}  {'meter_load'}
    {'ups_fitted':0}  {'ups'} | {'gas_detectors':1}  {'gas_2'}
    {'gas_detectors':0}  {'gas_1','gas_2'} | {'offgas_detectors':1}  {'offgas_2'}
    {'offgas_detectors':0}  {'offgas_1','offgas_2'} | {'toxic_fitted':0}  {'toxic'}
    {'climate_fitted':0}  {'climate'}""")
def test_equipment_not_fitted_is_neither_asked_nor_counted(fitted, unasked):
    total = TOTAL - len(unasked)
    for group, name in enumerate(s.CABINET_GROUPS[:-1]):
        checklist = Checklist(**fitted).lose(group)
        missing = name not in unasked
        assert (checklist.find()[0] != e.I_NONE) == missing, name
        assert checklist.find()[1:] == (total - (1 if missing else 0), total)


@cases("""word group
    'cells'  s.G_BMS_CELLS | 'temperatures'  s.G_BMS_TEMPERATURES""")
@pytest.mark.parametrize("rack", range(2))
def test_unreported_groups_are_asked_of_other_racks_only(word, group, rack):
    for silent in range(2):
        checklist = Checklist(**{word + "_reported": (rack, 1 - rack)})
        checklist.lose(checklist.layout.rack_group(silent, group))
        checklist.rack(s.CELLS_ONLINE, 0 if word == "cells" else 240, rack)
        expected = e.I_NONE if silent == rack else e.I_BMS
        assert checklist.find() == (expected, TOTAL - 1 - (silent != rack), TOTAL - 1)


@cases("""signal value reason
    s.CELLS_ONLINE  240  e.I_NONE | s.CELLS_ONLINE  239  e.I_CELLS
    s.CELLS_ONLINE  241  e.I_CELLS | s.RACK_CURRENT_MA  6999  e.I_NONE
    s.RACK_CURRENT_MA  -6999  e.I_NONE | s.RACK_CURRENT_MA  7000  e.I_CURRENT
    s.RACK_CURRENT_MA  -7000  e.I_CURRENT | s.CONTACTOR_STATE  s.CONTACTOR_OPEN  e.I_NONE
    s.CONTACTOR_STATE  1  e.I_CONTACTOR | s.CONTACTOR_STATE  2  e.I_CONTACTOR
    s.CONTACTOR_STATE  3  e.I_CONTACTOR""")
@pytest.mark.parametrize("rack", range(2))
def test_every_rack_is_whole_open_and_carries_less_than_five_percent(signal, value, reason, rack):
    checklist = Checklist().rack(signal, value, rack)
    assert checklist.find()[0] == reason


@pytest.mark.parametrize("first", range(2))
@pytest.mark.parametrize("second", range(2))
def test_both_permit_relays_are_dropped(first, second):
    checklist = Checklist().set(s.PERMIT_1_CLOSED, first).set(s.PERMIT_2_CLOSED, second)
    assert checklist.find()[0] == (e.I_PERMIT if first or second else e.I_NONE)


@cases("""units changed reason
    1  {0:3000}  e.I_NONE | 1  {0:3001}  e.I_VOLTAGES | 1  {3:-3001}  e.I_VOLTAGES
    2  {0:9000,2:9000}  e.I_NONE | 2  {0:3001}  e.I_VOLTAGES | 2  {3:3001}  e.I_VOLTAGES""")
def test_voltages_of_the_racks_on_each_bus(units, changed, reason):
    checklist = Checklist(units=units, racks=4)
    for rack, more_mV in changed.items():
        checklist.rack(s.RACK_VOLTAGE_MV, 790_000 + more_mV, rack)
    assert checklist.find()[0] == reason


def test_a_cause_that_would_keep_it_open_is_waited_for():
    checklist = Checklist().open_gates()
    evaluator = checklist.kernel.evaluator
    for stage in m.STAGES:
        holds = stage[m.S_DEMAND][m.D_DC] or stage[m.S_DEMAND][m.D_PCS]
        expected = e.I_CAUSE if holds else e.I_NONE
        assert checklist.count(stage[m.S_ID]).find()[0] == expected, stage[m.S_ID]
        assert checklist.find(at_rest=False)[0] == e.I_NONE, "what begins later is debounced"
        evaluator.active[:] = b"\1" * evaluator.count
        assert checklist.find()[0] == e.I_NONE, "what stands is an interlock, not a missing item"
        for flags in (evaluator.active, evaluator.busy):
            flags[:] = bytes(len(flags))
        evaluator.set_count[:] = array("i", [0] * evaluator.count)


GATED = [stage for stage in m.STAGES if stage[m.S_GATE] != m.NO_GATE and stage[m.S_DEMAND][m.D_PCS]]


@pytest.mark.parametrize("stage", GATED, ids=[stage[m.S_ID] for stage in GATED])
def test_a_count_behind_a_closed_gate_holds_nothing(stage):
    checklist = Checklist()
    evaluator = checklist.kernel.evaluator
    checklist.count(stage[m.S_ID])
    index = max(at for at in range(evaluator.count) if m.STAGES[evaluator.stage[at]] is stage)
    gate, features = evaluator.debounce[index][D_GATE], evaluator.features
    for gate_known, gate_open, reason in ((1, 1, e.I_CAUSE), (1, 0, e.I_NONE), (0, 1, e.I_NONE)):
        features.known[gate], features.value[gate] = gate_known, gate_open
        assert checklist.find()[0] == reason


@cases("""name feature bad good
    '48a'  m.F_DOOR_OK  0  1 | '51'  m.F_PEER_CODE  1  0""")
def test_a_cause_that_counts_only_while_energised_is_waited_for(name, feature, bad, good):
    """Both permit relays were closed, with the door open, for their test every 10 s."""
    checklist = Checklist()
    features = checklist.kernel.features
    for known, value, reason in ((1, bad, e.I_CAUSE), (1, good, e.I_NONE), (0, bad, e.I_NONE)):
        features.known[feature], features.value[feature] = known, value
        assert checklist.find()[0] == reason
        assert checklist.find(at_rest=False)[0] == reason, "in pre-charge too"
    stages = [checklist.kernel.evaluator.stage[index] for index in checklist.checklist.asleep]
    assert sorted(m.STAGES[stage][m.S_ID] for stage in stages) == ["48a", "51"]


def test_a_quiet_block_is_not_searched_for_causes():
    """The search is what makes a step long."""
    checklist = Checklist().count("37a")
    assert checklist.find()[0] == e.I_CAUSE
    checklist.kernel.evaluator.busy[:] = bytes(len(checklist.kernel.evaluator.busy))
    assert checklist.find()[0] == e.I_NONE


def test_only_what_counts_itself_is_a_cause_that_may_come():
    checklist = Checklist().open_gates()
    evaluator = checklist.kernel.evaluator
    held = [index for indices in checklist.checklist.holding for index in indices]
    for index in held:
        evaluator.busy[evaluator.block[index]] = evaluator.set_count[index] = 1
        for other in (index - 1, index + 1):
            evaluator.active[other % evaluator.count] = 1
        assert checklist.find()[0] == e.I_CAUSE
        evaluator.active[:] = bytes(evaluator.count)
        evaluator.active[index] = 1
        assert checklist.find()[0] == e.I_NONE
        evaluator.active[index] = evaluator.set_count[index] = 0
    assert held


@cases("""others_mV rack_mV expected
    0  0  e.I_VOLTAGES | 999  999  e.I_VOLTAGES | 1000  1000  e.I_NONE
    1000  999  e.I_VOLTAGES | 790_000  0  e.I_VOLTAGES""")
def test_a_rack_without_voltage_is_joined_to_nothing(others_mV, rack_mV, expected):
    """Racks at 0 V that are apart agree, and no insulation per volt can be judged (row 37)."""
    checklist = Checklist()
    checklist.checklist.spread_mV_max = 1000
    for rack in range(2):
        checklist.rack(s.RACK_VOLTAGE_MV, rack_mV if rack else others_mV, rack)
    assert checklist.find()[0] == expected


def test_every_reason_has_a_name():
    assert len(set(e.INHIBIT_REASONS)) == len(e.INHIBIT_REASONS) == e.I_CAUSE + 1
    assert e.INHIBIT_REASONS[e.I_LOCKED] == "locked out"
    assert e.INHIBIT_REASONS[e.I_UPS] == "ups monitor"
