"""What every stage inherits: its threshold, its debounce, its hysteresis, its latch, its demand,
and silence.

The stages are driven through the evaluator's feature arrays, so each row is tested the same way
whatever feeds it.
"""

import pytest
from bench import Bench, default_image

from safety import matrix as m
from safety import parameters as p
from safety import signals as s
from safety.evaluate import D_GATE, Evaluator
from safety.features import Features

TICK_MS = 20
STAGES = range(len(m.STAGES))
IDS = [stage[m.S_ID] for stage in m.STAGES]
DEBOUNCED = [index for index in STAGES if m.STAGES[index][m.S_SET_MS] > TICK_MS]


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


def test_every_stage_has_a_name_of_its_own():
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
