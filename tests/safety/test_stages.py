"""What every stage inherits: its threshold, its debounce, its hysteresis, its latch, its demand,
and silence.

The stages are driven through the evaluator's feature arrays, so each row is tested the same way
whatever feeds it.
"""

import pytest
from bench import Bench, default_image, disarm
from started import running

from safety import matrix as m
from safety import parameters as p
from safety import signals as s
from safety.evaluate import D_GATE, Evaluator
from safety.features import Features

TICK_MS = 20
STAGES = range(len(m.STAGES))
IDS = [stage[m.S_ID] for stage in m.STAGES]
DEBOUNCED = [index for index in STAGES if m.STAGES[index][m.S_SET_MS] > TICK_MS]
GATED = [index for index in STAGES if m.STAGES[index][m.S_GATE] != m.NO_GATE]


def only(indices):
    """Parametrise `stage` with these stages alone."""
    return pytest.mark.parametrize(
        "stage", indices, indirect=True, ids=[IDS[index] for index in indices]
    )


class Stage:
    """One stage instance of an evaluator whose features are set by hand."""

    def __init__(self, index, racks=2):
        image = default_image(racks=racks)
        bench = Bench(image)
        kernel = bench.kernel
        image_map = p.ImageMap(1, racks, m.STAGES_PER_SCOPE)
        self.features = Features(
            bench.layout, image, image_map, kernel.inp, kernel.fresh, kernel.out
        )
        self.evaluator = Evaluator(bench.layout, image, image_map, self.features)
        self.row = m.STAGES[index]
        self.instance = [
            i for i in range(self.evaluator.count) if self.evaluator.stage[i] == index
        ][-1]
        self.image, self.feature = image, self.evaluator.watch[self.instance][0]
        self.gate = self.evaluator.debounce[self.instance][D_GATE]
        self.set_ticks = p.ticks(self.row[m.S_SET_MS], TICK_MS)
        self.features.changed[self.evaluator.block[self.instance]] = 1
        self.feed(self.safe(), gate=1)

    def safe(self):
        """A value on the safe side."""
        return self.row[m.S_CLEAR] - self.row[m.S_SENSE]

    def feed(self, value, known=1, gate=1):
        """Set the feature, and its gate if it has one."""
        self.features.value[self.feature] = value
        self.features.known[self.feature] = known
        if self.gate >= 0:
            self.features.value[self.gate] = gate
            self.features.known[self.gate] = 1

    def step(self, steps=1, elapsed=1):
        """Evaluate `steps` times."""
        for _ in range(steps):
            self.evaluator.update(elapsed)
        return self

    def hold(self, waited_ticks):
        """Let so many ticks pass; all but the last hundred in one late step, which counts in
        full.
        """
        if waited_ticks > 200:
            self.step(1, elapsed=waited_ticks - 100)
            waited_ticks = 100
        return self.step(waited_ticks)

    def active(self):
        """Whether the instance is active."""
        return bool(self.evaluator.active[self.instance])

    def latched(self):
        """Whether the instance is latched."""
        return bool(self.evaluator.latched[self.instance])


@pytest.fixture(params=STAGES, ids=IDS)
def stage(request):
    return Stage(request.param)


def test_trips_at_its_threshold_and_not_before(stage):
    sense, at = stage.row[m.S_SENSE], stage.row[m.S_SET]
    stage.feed(at - sense)
    assert not stage.hold(stage.set_ticks + 3).active()
    stage.feed(at)
    assert stage.hold(max(1, stage.set_ticks)).active()


def test_trips_beyond_its_threshold(stage):
    stage.feed(stage.row[m.S_SET] + stage.row[m.S_SENSE])
    assert stage.hold(max(1, stage.set_ticks)).active()


@only(DEBOUNCED)
def test_debounce_is_exact(stage):
    stage.feed(stage.row[m.S_SET])
    assert not stage.hold(stage.set_ticks - 1).active()
    assert stage.step().active()


@only(DEBOUNCED)
def test_one_good_value_restarts_the_debounce(stage):
    stage.feed(stage.row[m.S_SET])
    stage.hold(stage.set_ticks - 1)
    stage.feed(stage.safe())
    stage.step()
    stage.feed(stage.row[m.S_SET])
    assert not stage.hold(stage.set_ticks - 1).active()


def test_late_steps_count_in_full(stage):
    stage.feed(stage.row[m.S_SET])
    assert stage.step(1, elapsed=max(1, stage.set_ticks)).active()


def test_unknown_neither_trips_nor_clears_nor_forgets(stage):
    stage.feed(stage.row[m.S_SET], known=0)
    assert not stage.hold(stage.set_ticks + 500).active()
    stage.feed(stage.row[m.S_SET])
    stage.hold(max(1, stage.set_ticks))
    stage.feed(stage.safe(), known=0)
    assert stage.step(1000).active()


def test_a_flickering_sensor_still_trips(stage):
    stage.feed(stage.row[m.S_SET])
    stage.hold(max(0, stage.set_ticks - 100))
    for _ in range(min(100, max(1, stage.set_ticks))):
        stage.feed(stage.row[m.S_SET])
        stage.step()
        stage.feed(stage.row[m.S_SET], known=0)
        stage.step()
    assert stage.active()


def test_clears_only_beyond_its_hysteresis_and_latches_as_the_row_says(stage):
    stage.feed(stage.row[m.S_SET])
    stage.hold(max(1, stage.set_ticks))
    stage.feed(stage.row[m.S_CLEAR] + stage.row[m.S_SENSE])
    between = stage.row[m.S_CLEAR] + stage.row[m.S_SENSE] != stage.row[m.S_SET]
    if between:
        assert stage.step(1000).active(), "cleared inside the hysteresis"
    stage.feed(stage.row[m.S_CLEAR])
    clear_ticks = p.ticks(stage.row[m.S_CLEAR_MS], TICK_MS)
    if clear_ticks > 1:
        assert stage.step(clear_ticks - 1).active(), "cleared too early"
    assert not stage.step(1 if clear_ticks else 1).active()
    assert stage.latched() == (stage.row[m.S_LATCH] != m.SELF)


@only(GATED)
def test_a_closed_gate_holds_the_row_back(stage):
    stage.feed(stage.row[m.S_SET], gate=0)
    assert not stage.hold(stage.set_ticks + 100).active()
    stage.feed(stage.row[m.S_SET], gate=1)
    assert not stage.hold(stage.set_ticks - 1).active()
    assert stage.step().active()


def test_an_unarmed_stage_is_blind(stage):
    disarm(stage.evaluator, stage.image, [stage.instance])
    stage.feed(stage.row[m.S_SET])
    assert not stage.hold(stage.set_ticks + 100).active()


def test_a_single_trip_is_the_first_out(stage):
    disarm(
        stage.evaluator,
        stage.image,
        [at for at in range(stage.evaluator.count) if at != stage.instance],
    )
    stage.feed(stage.row[m.S_SET])
    stage.hold(max(1, stage.set_ticks))
    assert stage.evaluator.first_out[0] == stage.instance


def test_a_latching_stage_takes_the_first_out_from_a_warning_but_not_from_another_latch():
    stage = Stage(IDS.index("40a"))
    stage.feed(1)
    assert stage.step().evaluator.first_out[0] == stage.instance
    stage.feed(2)
    stage.step()
    assert stage.evaluator.first_out[0] == stage.instance + 1
    stage.feed(3)
    assert stage.step().evaluator.first_out[0] == stage.instance + 1


@pytest.mark.parametrize("index", STAGES, ids=IDS)
def test_its_demand_reaches_the_outputs(index):
    bench = running()
    evaluator = bench.kernel.evaluator
    instance = list(evaluator.stage).index(index)
    evaluator.active[instance] = evaluator.latched[instance] = 1
    evaluator.busy[evaluator.block[instance]] = 1
    bench.kernel.features.known[evaluator.watch[instance][0]] = 0
    bench.kernel._combine()
    assert list(bench.kernel.demand) == list(m.STAGES[index][m.S_DEMAND])
    assert list(bench.kernel.unit_demand) == list(m.STAGES[index][m.S_DEMAND])


def test_demands_of_two_stages_combine_by_the_highest_level():
    bench = Bench(racks=2)
    evaluator = bench.kernel.evaluator
    for first in range(0, evaluator.count, 5):
        for second in range(0, evaluator.count, 7):
            for index in range(evaluator.count):
                evaluator.active[index] = 1 if index in (first, second) else 0
            evaluator.busy[:] = b"\1" * len(evaluator.busy)
            bench.kernel._combine()
            rows = [m.STAGES[evaluator.stage[index]][m.S_DEMAND] for index in (first, second)]
            assert list(bench.kernel.demand) == [max(pair) for pair in zip(*rows)]


def test_every_row_has_a_clause_and_every_stage_a_row():
    assert {stage[m.S_ROW] for stage in m.STAGES} == set(m.CLAUSES)
    assert len(set(IDS)) == len(IDS)


def test_stages_stand_in_the_order_of_their_scopes():
    scopes = [stage[m.S_SCOPE] for stage in m.STAGES]
    assert scopes == sorted(scopes)
    assert set(scopes) == {s.CABINET, s.UNIT, s.RACK}


def test_clear_lies_on_the_safe_side_of_set():
    for stage in m.STAGES:
        assert stage[m.S_CLEAR] * stage[m.S_SENSE] < stage[m.S_SET] * stage[m.S_SENSE], stage[
            m.S_ID
        ]
