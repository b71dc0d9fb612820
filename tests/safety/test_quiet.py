"""A step in which nothing happens leaves out the work whose result is known: short ticks."""

import pytest
from started import running

from safety import matrix as m, signals as s


class Calls:
    def __init__(self, owner, name):
        self.count, self.inner = 0, getattr(owner, name)
        setattr(owner, name, self)

    def __call__(self, *args):
        self.count += 1
        return self.inner(*args)


class Writes(list):
    count = 0

    def __setitem__(self, at, word):
        self.count += 1
        super().__setitem__(at, word)


class Reads(bytearray):
    count = 0

    def __getitem__(self, at):
        self.count += 1
        return super().__getitem__(at)


def counted(bench, steps=1):
    kernel = bench.kernel
    owners = {"_combine_anew": kernel, "publish_causes": kernel.latches}
    owners.update(dict.fromkeys(("_block", "_any_hit"), kernel.evaluator))
    owners.update(dict.fromkeys(("_limits", "_rack_limits", "_publish"), kernel.bounds))
    owners["_rack"] = kernel.bounds.racks
    watched = {name: Calls(owner, name) for name, owner in owners.items()}
    bench.step(steps)
    for call in watched.values():
        setattr(call.inner.__self__, call.inner.__name__, call.inner)
    return {name: call.count for name, call in watched.items()}


QUIET = "_combine_anew publish_causes _block _limits _rack_limits _publish".split()
LEFT_OUT = dict.fromkeys(QUIET, 0)


def test_news_that_say_the_same_are_compared_and_without_news_only_the_cabinets():
    bench = running(racks=2, units=2)
    assert counted(bench, 5) == {**LEFT_OUT, "_any_hit": 25, "_rack": 10}
    bench.silent = set(range(bench.layout.groups))
    bench.step()
    assert counted(bench, 5) == {**LEFT_OUT, "_any_hit": 5, "_rack": 0}


def test_an_unknown_value_is_no_reason_to_evaluate():
    bench = running()
    evaluator, features = bench.kernel.evaluator, bench.kernel.features
    for feature, sense, set_at, _ in evaluator.armed[0]:
        value, features.value[feature] = features.value[feature], set_at * sense
        assert evaluator._any_hit(0)
        known, features.known[feature] = features.known[feature], 0
        assert not evaluator._any_hit(0)
        features.value[feature], features.known[feature] = value, known


@pytest.mark.parametrize("rack, unit", [(0, 0), (1, 1), (2, 0)])
def test_news_of_one_rack_are_worked_out_for_it_alone(rack, unit):
    bench = running(racks=3, units=2)
    bench.silent = set(range(bench.layout.groups)) - bench.bms_groups(rack)
    bench.step()
    assert counted(bench) == {**LEFT_OUT, "_any_hit": 2, "_rack": 1}
    bench.set_rack(s.CHARGE_CURRENT_MA_MAX, 50_000, rack)
    calls = counted(bench)
    assert (calls["_rack"], calls["_rack_limits"], calls["_limits"]) == (1, 4, 4)
    bench.inp[s.TEST_REQUEST] = 1  # a demand is worked out in every step
    calls = counted(bench.step(2), 5)
    assert (calls["_limits"], calls["_rack_limits"]) == (20, 0)


def test_causes_are_published_only_when_they_change():
    bench = running()
    bench.silent = {s.G_METER_GRID}
    published = 0
    while not bench.standing():
        published = counted(bench)["publish_causes"]
    assert published == 1
    bench.step(50, elapsed=20)
    published = sum(counted(bench)["publish_causes"] for _ in range(100))
    assert (counted(bench)["_combine_anew"], published) == (1, 0)
    bench.silent = set()
    published = sum(counted(bench)["publish_causes"] for _ in range(200))
    assert not bench.standing() and bench.out[s.CAUSE_MASK] == 0 and published == 1
    assert counted(bench)["_combine_anew"] == counted(bench)["publish_causes"] == 0


def test_a_latch_that_waits_for_its_reset_is_published_once():
    bench = running().set(s.ESTOP_1_OK, 0).set(s.ESTOP_2_OK, 0).step(10)
    bench.inp[s.ESTOP_1_OK] = bench.inp[s.ESTOP_2_OK] = 1
    gone = sum(counted(bench)["publish_causes"] for _ in range(500))
    assert (gone, bench.out[s.ACTIVE_COUNT], bench.out[s.LATCHED_COUNT]) == (1, 0, 2)
    mask, bench.out[s.CAUSE_MASK] = bench.out[s.CAUSE_MASK], 0
    seen = bench.set(s.ESTOP_1_OK, 0).set(s.ESTOP_2_OK, 0).step(10).out[s.CAUSE_MASK]
    # the same rows tripped again: another event
    assert seen not in (0, mask) and bench.out[s.ACTIVE_COUNT] == 2


def test_only_a_token_that_was_spent_grows_older():
    bench = running()
    latches = bench.kernel.latches
    for spent in range(len(latches.token_age) + 1):
        hour = latches.hour_ticks
        ages = latches.token_age = Writes([hour - 1] * spent + [hour] * (3 - spent))
        latches.update(1, bench.inp)
        assert (ages.count, ages) == (spent, [latches.hour_ticks] * 3)


def test_demands_are_computed_until_the_cabinet_has_stopped():
    bench = running(units=2, racks=2)
    for rack in range(2):
        bench.hold_rack(s.CONTACTOR_STATE, s.CONTACTOR_CLOSED, rack)
    bench.set(s.RUN_REQUEST, 0).step(2)
    assert [bench.out[s.STATE], bench.kernel.standing[0]] == [s.STOPPING, 1]
    calls = counted(bench)
    assert (calls["_combine_anew"], calls["publish_causes"]) == (1, 0)
    bench.held.clear()
    while bench.out[s.STATE] != s.READY:
        bench.step()
    assert counted(bench.step())["_combine_anew"] == 0 and not any(bench.kernel.unit_demand)


def test_only_blocks_in_which_something_stands_are_asked_for_demands():
    bench = running(racks=3)
    bench.silent = {s.G_METER_GRID}
    bench.step(1000)
    evaluator = bench.kernel.evaluator
    assert evaluator.busy[0] and not any(evaluator.busy[1:])
    evaluator.active = Reads(evaluator.active)
    bench.kernel._combine()
    assert evaluator.active.count == evaluator.block_first[1]


def test_a_quiet_stage_beside_an_active_one_is_not_written():
    bench = running()
    bench.silent = {s.G_METER_GRID}
    assert bench.step(50).standing() == ["50a"]
    evaluator = bench.kernel.evaluator
    evaluator.active, evaluator.set_count = Reads(evaluator.active), Writes(evaluator.set_count)
    evaluator._block(0, 1)
    # each instance is asked whether it is active, and the active one what comes of it, too
    assert (evaluator.active.count, evaluator.set_count.count) == (evaluator.block_first[1] + 1, 1)


def test_a_value_behind_a_closed_gate_keeps_no_block_busy():
    """Row 48: the door is open while no contactor is closed."""
    bench = running().set(s.RUN_REQUEST, 0).step(50).set(s.DOOR_OK, 0).step(50)
    feature, _, _, instance = bench.kernel.evaluator.watch[bench.instance("48a")]
    features, evaluator = bench.kernel.features, bench.kernel.evaluator
    assert features.known[feature] == 1
    assert features.value[feature] == features.value[m.F_ENERGISED] == 0
    assert (evaluator.set_count[instance], evaluator._block(0, 1)) == (0, 0)


@pytest.mark.parametrize("signal, first", [(s.ESTOP_1_OK, 0), (s.FIRE_ALARM_OK, 3)])
def test_who_was_first_is_asked_when_a_stage_trips_and_not_later(signal, first):
    bench = running()
    asked = Calls(bench.kernel.evaluator, "note_first")
    may_open = Calls(bench.kernel.permit, "_may_open")
    bench.set(signal, 0).step(100)
    assert bench.out[s.CONTACTOR_SUPPLY_OK] == 0 < may_open.count < 20, "asked until it is open"
    count, stages = asked.count, len(bench.standing())
    assert 0 < count == stages and bench.out[s.FIRST_OUT_INSTANCE] == first
    assert len(bench.step(5).standing()) == stages and asked.count == count


def test_the_mask_looks_only_into_blocks_in_which_something_stands():
    bench = running(units=2, racks=2)
    bench.silent = bench.bms_groups(1)
    evaluator = bench.step(30).kernel.evaluator
    assert bench.standing() == ["40a"]
    mask, evaluator.active = evaluator.cause_mask(), Reads(evaluator.active)
    assert evaluator.cause_mask() == mask != 0
    assert evaluator.active.count == evaluator.block_first[-1] - evaluator.block_first[-2]


def test_gas_is_voted_on_once_a_step_with_news_and_from_its_silence_on():
    bench = running()
    votes, ages = Calls(bench.kernel.features.gas, "_vote"), bench.kernel.features.ages
    bench.step(3)
    assert votes.count == 3
    bench.silent = {group for group, _ in bench.kernel.features.gas.detectors}
    most = min(ages.budget_ticks[group] for group in bench.silent)
    bench.step(most)
    assert votes.count == 3
    bench.step(2)
    assert votes.count == 5
