"""The start checklist: every item alone, the order in which they are named, the counting, and what
is not asked.
"""

import pytest
from bench import default_image

from safety import evidence as e
from safety import matrix as m
from safety import parameters as p
from safety import signals as s
from safety.evaluate import D_GATE
from safety.kernel import Kernel

AT_REST = 6  # contactors, current, relays, voltages, causes, waiting


class Checklist:
    """The evidence of a complete cabinet at rest; ages and inputs by hand. fitted: cabinet
    parameters by name.
    """

    def __init__(self, units=1, racks=2, rack_words=(), **fitted):
        image = default_image(units=units, racks=racks, **fitted)
        first = len(p.HEADER) + len(p.CABINET_PARAMETERS) + units * p.UNIT_WORDS
        for rack, word, value in rack_words:
            image[first + rack * p.RACK_WORDS + word] = value
        self.kernel = Kernel(image)
        self.inp, self.layout = self.kernel.inp, self.kernel.layout
        self.ages, self.evidence = self.kernel.features.ages, self.kernel.permit.evidence
        self.ages.seen[:] = b"\1" * self.layout.groups
        self.inp[s.LOCK_OUT_OK] = 1
        for rack in range(racks):
            self.rack(s.CELLS_ONLINE, 240, rack)
            self.rack(s.RACK_VOLTAGE_MV, 790_000, rack)

    def rack(self, signal, value, rack=0):
        """Store a rack input."""
        self.inp[self.layout.rack_input(rack, signal)] = value

    def lose(self, group):
        """Let a group be silent for longer than it may."""
        self.ages.ticks[group] = self.ages.budget_ticks[group] + 1

    def count(self, name):
        """Let the last instance of a stage have seen its cause in one step."""
        evaluator = self.kernel.evaluator
        index = [
            at for at in range(evaluator.count) if m.STAGES[evaluator.stage[at]][m.S_ID] == name
        ][-1]
        evaluator.set_count[index] = evaluator.busy[evaluator.block[index]] = 1

    def open_gates(self):
        """Let every gate be known and open."""
        features = self.kernel.features
        for gate, *_ in self.kernel.evaluator.debounce:
            if gate != m.NO_GATE:
                features.known[gate] = features.value[gate] = 1
        return self

    def find(self, at_rest=True, waiting=0, is_open=None):
        """(reason, done, total); is_open: as at_rest if not said."""
        reason = self.evidence.missing(at_rest if is_open is None else is_open, at_rest, waiting)
        return reason, self.evidence.done, self.evidence.total


def rack_input(signal, value, rack=1):
    """What spoils an input of the second rack."""
    return lambda checklist: checklist.rack(signal, value, rack)


def cabinet_input(signal, value):
    """What spoils an input of the cabinet."""
    return lambda checklist: checklist.inp.__setitem__(signal, value)


def group_of(name):
    """What silences a cabinet's group."""
    return lambda checklist: checklist.lose(s.CABINET_GROUPS.index(name))


def unit_group(group, unit=0):
    """What silences a converter's group."""
    return lambda checklist: checklist.lose(checklist.layout.unit_group(unit, group))


def rack_group(group, rack=1):
    """What silences a group of the second rack's BMS."""
    return lambda checklist: checklist.lose(checklist.layout.rack_group(rack, group))


def cause(name):
    """What lets a stage see its cause, of the second rack if it is a rack's."""
    return lambda checklist: checklist.count(name)


# In the order in which they are named: what is spoilt, the reason; the last six are asked at rest
# only.
ITEMS = (
    (cabinet_input(s.LOCK_OUT_OK, 0), e.I_LOCKED),
    (cabinet_input(s.PEER_CODE, 1), e.I_PEER),
    (group_of("io_1"), e.I_IO_1),
    (group_of("io_2"), e.I_IO_2),
    (group_of("io_3"), e.I_IO_3),
    (group_of("meter_grid"), e.I_METER),
    (group_of("meter_load"), e.I_METER),
    (group_of("gas_1"), e.I_GAS),
    (group_of("gas_2"), e.I_GAS),
    (group_of("offgas_1"), e.I_GAS),
    (group_of("offgas_2"), e.I_GAS),
    (group_of("toxic"), e.I_GAS),
    (group_of("climate"), e.I_CLIMATE),
    (group_of("ups"), e.I_UPS),
    *[(unit_group(group), e.I_PCS) for group in range(len(s.UNIT_GROUPS))],
    *[
        (rack_group(group, rack), e.I_BMS)
        for rack in range(2)
        for group in range(len(s.RACK_GROUPS))
    ],
    (rack_input(s.CELLS_ONLINE, 239), e.I_CELLS),
    (rack_input(s.CONTACTOR_STATE, s.CONTACTOR_PRECHARGE), e.I_CONTACTOR),
    (rack_input(s.RACK_CURRENT_MA, 7000), e.I_CURRENT),
    (cabinet_input(s.PERMIT_1_CLOSED, 1), e.I_PERMIT),
    (rack_input(s.RACK_VOLTAGE_MV, 793_001), e.I_VOLTAGES),
    (cause("37a"), e.I_CAUSE),
)


def spoil(checklist, *places):
    """Spoil these items; returns what `find` then says at rest."""
    for place in places:
        if place < len(ITEMS):
            ITEMS[place][0](checklist)
    return checklist.find(waiting=1 if len(ITEMS) in places else 0)


def test_with_everything_missing_nothing_is_counted():
    checklist = Checklist()
    assert spoil(checklist, *range(len(ITEMS) + 1)) == (e.I_LOCKED, 0, len(ITEMS) + 1)
    assert Checklist().find()[1] == len(ITEMS) + 1, "and nothing is remembered"


@pytest.mark.parametrize("place", range(len(ITEMS) + 1))
def test_what_is_asked_once_something_is_closed(place):
    checklist = Checklist()
    spoil(checklist, place)
    asked = place < len(ITEMS) + 1 - AT_REST
    total = len(ITEMS) + 1
    assert checklist.find(at_rest=False) == (
        ITEMS[place][1] if asked else e.I_NONE,
        total - AT_REST - (1 if asked else 0),
        total,
    )


@pytest.mark.parametrize("place", range(len(ITEMS) + 1))
def test_what_is_asked_while_the_permit_relays_are_under_test(place):
    """All but that the relays are dropped, which the test itself picks up, and the wait that is
    over.
    """
    checklist = Checklist()
    spoil(checklist, place)
    total = len(ITEMS) + 1
    asked = place < len(ITEMS) and ITEMS[place][1] != e.I_PERMIT
    reason = ITEMS[place][1] if asked else e.I_NONE
    assert checklist.find(at_rest=False, is_open=True, waiting=1) == (
        reason,
        total - (1 if asked else 0),
        total,
    )


# -- what is not fitted is not asked

NOT_FITTED = (
    ({"io_3_fitted": 0}, {"io_3"}),
    ({"meter_load_fitted": 0}, {"meter_load"}),
    ({"gas_detectors": 1}, {"gas_2"}),
    ({"gas_detectors": 0}, {"gas_1", "gas_2"}),
    ({"offgas_detectors": 1}, {"offgas_2"}),
    ({"offgas_detectors": 0}, {"offgas_1", "offgas_2"}),
    ({"toxic_fitted": 0}, {"toxic"}),
    ({"climate_fitted": 0}, {"climate"}),
    ({"ups_fitted": 0}, {"ups"}),
)


@pytest.mark.parametrize("fitted, unasked", NOT_FITTED)
def test_what_is_not_fitted_is_neither_asked_nor_counted(fitted, unasked):
    total = len(ITEMS) + 1 - len(unasked)
    for name in s.CABINET_GROUPS[:-1]:
        checklist = Checklist(**fitted)
        group_of(name)(checklist)
        missing = name not in unasked
        assert (checklist.find()[0] != e.I_NONE) == missing, name
        assert checklist.find()[1:] == (total - (1 if missing else 0), total)


@pytest.mark.parametrize(
    "word, group",
    [(p.R_CELLS_REPORTED, s.G_BMS_CELLS), (p.R_TEMPERATURES_REPORTED, s.G_BMS_TEMPERATURES)],
)
@pytest.mark.parametrize("rack", range(2))
def test_what_a_rack_does_not_report_is_asked_of_the_other_rack_alone(word, group, rack):
    for silent in range(2):
        checklist = Checklist(rack_words=((rack, word, 0),))
        checklist.lose(checklist.layout.rack_group(silent, group))
        assert checklist.find() == (
            (e.I_NONE, len(ITEMS), len(ITEMS))
            if silent == rack
            else (e.I_BMS, len(ITEMS) - 1, len(ITEMS))
        )


@pytest.mark.parametrize(
    "reported, online, missing", [(1, 240, False), (1, 239, True), (1, 241, True), (0, 0, False)]
)
def test_cells_online_are_exactly_those_of_the_rack(reported, online, missing):
    checklist = Checklist(rack_words=((1, p.R_CELLS_REPORTED, reported),))
    checklist.rack(s.CELLS_ONLINE, online, 1)
    assert (checklist.find()[0] == e.I_CELLS) == missing


# -- the edges of what is asked at rest


@pytest.mark.parametrize("report", range(4))
@pytest.mark.parametrize("rack", range(2))
def test_every_rack_reports_open(report, rack):
    checklist = Checklist()
    checklist.rack(s.CONTACTOR_STATE, report, rack)
    assert checklist.find()[0] == (e.I_NONE if report == s.CONTACTOR_OPEN else e.I_CONTACTOR)


@pytest.mark.parametrize(
    "current_mA, reason",
    [(6999, e.I_NONE), (-6999, e.I_NONE), (7000, e.I_CURRENT), (-7000, e.I_CURRENT)],
)
@pytest.mark.parametrize("rack", range(2))
def test_every_rack_carries_less_than_five_percent(current_mA, reason, rack):
    checklist = Checklist()
    checklist.rack(s.RACK_CURRENT_MA, current_mA, rack)
    assert checklist.find()[0] == reason


@pytest.mark.parametrize("first", range(2))
@pytest.mark.parametrize("second", range(2))
def test_both_permit_relays_are_dropped(first, second):
    checklist = Checklist()
    checklist.inp[s.PERMIT_1_CLOSED], checklist.inp[s.PERMIT_2_CLOSED] = first, second
    assert checklist.find()[0] == (e.I_PERMIT if first or second else e.I_NONE)


@pytest.mark.parametrize(
    "units, changed, reason",
    [
        (1, {0: 3000}, e.I_NONE),
        (1, {0: 3001}, e.I_VOLTAGES),
        (1, {3: -3001}, e.I_VOLTAGES),
        (2, {0: 9000, 2: 9000}, e.I_NONE),
        (2, {0: 3001}, e.I_VOLTAGES),
        (2, {3: 3001}, e.I_VOLTAGES),
    ],
)
def test_voltages_of_the_racks_on_each_bus(units, changed, reason):
    checklist = Checklist(units=units, racks=4)
    for rack, more_mV in changed.items():
        checklist.rack(s.RACK_VOLTAGE_MV, 790_000 + more_mV, rack)
    assert checklist.find()[0] == reason


@pytest.mark.parametrize("stage", m.STAGES, ids=[stage[m.S_ID] for stage in m.STAGES])
def test_the_cause_of_a_row_that_would_keep_it_open_is_waited_for(stage):
    checklist = Checklist()
    checklist.open_gates().count(stage[m.S_ID])
    holds = stage[m.S_DEMAND][m.D_DC] or stage[m.S_DEMAND][m.D_PCS]
    assert checklist.find()[0] == (e.I_CAUSE if holds else e.I_NONE)
    assert checklist.find(at_rest=False)[0] == e.I_NONE, "what begins later is debounced"
    checklist.kernel.evaluator.active[:] = b"\1" * checklist.kernel.evaluator.count
    assert checklist.find()[0] == e.I_NONE, "what stands is an interlock, not a missing item"


GATED = [stage for stage in m.STAGES if stage[m.S_GATE] != m.NO_GATE and stage[m.S_DEMAND][m.D_PCS]]


@pytest.mark.parametrize("stage", GATED, ids=[stage[m.S_ID] for stage in GATED])
def test_what_was_counted_before_its_gate_closed_holds_nothing(stage):
    checklist = Checklist()
    evaluator = checklist.kernel.evaluator
    checklist.count(stage[m.S_ID])
    index = max(at for at in range(evaluator.count) if m.STAGES[evaluator.stage[at]] is stage)
    gate, known, value = (
        evaluator.debounce[index][D_GATE],
        evaluator.features.known,
        evaluator.features.value,
    )
    for gate_known, gate_open, reason in ((1, 1, e.I_CAUSE), (1, 0, e.I_NONE), (0, 1, e.I_NONE)):
        known[gate], value[gate] = gate_known, gate_open
        assert checklist.find()[0] == reason


@pytest.mark.parametrize(
    "name, feature, bad, good", [("48a", m.F_DOOR_OK, 0, 1), ("51", m.F_PEER_CODE, 1, 0)]
)
def test_what_counts_only_while_something_is_energised_is_waited_for_before(
    name, feature, bad, good
):
    """With the door open both permit relays were closed for their test every 10 s, without end."""
    checklist = Checklist()
    features = checklist.kernel.features
    for known, value, reason in ((1, bad, e.I_CAUSE), (1, good, e.I_NONE), (0, bad, e.I_NONE)):
        features.known[feature], features.value[feature] = known, value
        assert checklist.find()[0] == reason
    assert sorted(
        m.STAGES[checklist.kernel.evaluator.stage[index]][m.S_ID]
        for index in checklist.evidence.asleep
    ) == ["48a", "51"]


def test_only_what_counts_itself_is_a_cause_that_may_come():
    """Its neighbour in the block stands, or has seen nothing."""
    checklist = Checklist().open_gates()
    evaluator = checklist.kernel.evaluator
    held = [index for indices in checklist.evidence.holding for index in indices]
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


def test_nothing_is_counted_before_it_is_asked():
    assert Checklist().evidence.done == 0


@pytest.mark.parametrize(
    "others_mV, rack_mV, expected",
    [
        (0, 0, e.I_VOLTAGES),
        (999, 999, e.I_VOLTAGES),
        (1000, 1000, e.I_NONE),
        (1000, 999, e.I_VOLTAGES),
        (790_000, 0, e.I_VOLTAGES),
    ],
)
def test_a_rack_without_voltage_is_joined_to_nothing(others_mV, rack_mV, expected):
    """At 0 V racks that are apart agree, and no insulation per volt can be judged (row 37)."""
    checklist = Checklist()
    checklist.evidence.spread_mV_max = 1000
    for rack in range(2):
        checklist.rack(s.RACK_VOLTAGE_MV, rack_mV if rack else others_mV, rack)
    assert checklist.find()[0] == expected


def test_a_quiet_block_is_not_searched_for_causes():
    checklist = Checklist()
    checklist.count("37a")
    for block in range(len(checklist.kernel.evaluator.busy)):
        checklist.kernel.evaluator.busy[block] = 0
    assert checklist.find()[0] == e.I_NONE, (
        "nothing counts in it: the search is what makes a step long"
    )


def test_every_reason_has_a_name():
    assert len(set(e.INHIBIT_REASONS)) == len(e.INHIBIT_REASONS) == e.I_CAUSE + 1
    assert (
        e.INHIBIT_REASONS[e.I_LOCKED] == "locked out"
        and e.INHIBIT_REASONS[e.I_UPS] == "ups monitor"
    )
