"""The evaluator of all stages against a plain model of its rules, and where its counters end."""

import itertools
import random

import pytest
from bench import default_image

from safety import crc, evaluate, matrix as m, parameters as p, signals as s
from safety.evaluate import Evaluator
from safety.features import Features
from safety.kernel import Kernel
from tests.tables import cases

UNITS, RACKS = 2, 2
HOLD_TICKS = 4  # 10 s are more than a walk is calm for
SCOPES = ((s.CABINET, 1), (s.UNIT, UNITS), (s.RACK, RACKS))
LATE = (1, 1, 1, 2, 5, 1_000_000, s.TICKS_MAX)  # ticks that a step may have taken
STEPS, MOVING = 240, 8  # of a walk; instances whose features move
# steps of a cycle in which anything may happen; then all is safe until the next one
STORM, CYCLE = 25, 60
IMAGE_MAP = p.ImageMap(UNITS, RACKS, m.STAGES_PER_SCOPE)


def quick_image(chance):
    """Debounces and clear times of a few ticks, so that a walk sees each of them end."""
    image = default_image(UNITS, RACKS)
    for stage in range(len(m.STAGES)):
        words = IMAGE_MAP.stage + stage * len(p.STAGE_WORDS)
        image[words + 2] = chance.choice((0, 1, 2, 5, s.TICKS_MAX))
        image[words + 3] = chance.choice((0, 1, 2, 5))
    return image


def made(image):
    kernel = Kernel(image)
    features = Features(kernel.layout, image, IMAGE_MAP, kernel.inp, kernel.fresh, kernel.out)
    features.known[:] = bytes(len(features.known))
    return Evaluator(features), features


class Instance:
    """`feature`, `gate`: (scope, block in it, number); `came`: the later, the higher."""

    numbers = itertools.count(1)

    def __init__(self, row, place, set_ticks, clear_ticks):
        self.feature = row[m.S_SCOPE], place, row[m.S_FEATURE]
        self.gate = (row[m.S_SCOPE], place, row[m.S_GATE]) if row[m.S_GATE] != m.NO_GATE else None
        self.sense, self.set_at, self.clear_at = row[m.S_SENSE], row[m.S_SET], row[m.S_CLEAR]
        self.set_ticks, self.clear_ticks = set_ticks, clear_ticks
        self.latches = row[m.S_LATCH] != m.SELF
        self.hold_ticks = HOLD_TICKS if row[m.S_SCOPE] == m.CABINET else 0
        self.held = self.clear = self.trips = self.came = 0
        self.active = self.latched = False

    @property
    def stands(self):
        return self.active or self.latched

    def step(self, values, elapsed):
        value, known = values[self.feature]
        if known and value * self.sense >= self.set_at * self.sense:
            self.clear = 0  # also behind a closed gate: a reset would be of a cause that is there
            gate, gate_known = values[self.gate] if self.gate else (1, m.KNOWN)
            if gate_known and gate:
                self._beyond(elapsed)
        elif known == m.KNOWN and (self.held or self.stands):
            self._safe(value)
        elif self.held or self.stands:
            self.clear = 0  # a blind hour is no hour of being clear
            self.held = 0 if known == m.DOUBTED else self.held

    def _beyond(self, elapsed):
        self.held = min(self.held + elapsed, s.TICKS_MAX)
        if self.held >= self.set_ticks and not self.active:
            self.came = self.came if self.latched else next(Instance.numbers)
            self.trips += self.latches
            self.latched = self.latched or self.latches
            self.active = True

    def _safe(self, value):
        is_clear = value * self.sense <= self.clear_at * self.sense
        self.clear = min(self.clear + 1, s.TICKS_MAX) if is_clear else 0
        if is_clear and self.clear >= self.clear_ticks and self.active:
            self.active, self.held = False, 0
        if self.clear >= self.hold_ticks:
            self.held = 0


class Rules:
    def __init__(self, image):
        self.all, self.first = [], -1
        for scope, count in SCOPES:
            for place in range(count):
                for stage, row in enumerate(m.STAGES):
                    words = IMAGE_MAP.stage + stage * len(p.STAGE_WORDS)
                    if row[m.S_SCOPE] == scope:
                        self.all.append(Instance(row, place, image[words + 2], image[words + 3]))

    def name_first(self):
        latched = [index for index, one in enumerate(self.all) if one.latched]
        named = latched or [index for index, one in enumerate(self.all) if one.active]
        self.first = min(named, key=lambda index: self.all[index].came, default=-1)

    def mask(self):
        value = crc.START - sum(one.trips for one in self.all) % 65_536
        for index, one in enumerate(self.all):
            value = crc.add_number(value, index) if one.stands else value
        return value if any(one.stands for one in self.all) else 0

    def seen(self):
        every = [(one.held, one.clear, one.active, one.latched) for one in self.all]
        return every, self.first, self.mask()


class Walk:
    def __init__(self, seed):
        self.chance = random.Random(seed)
        image = quick_image(self.chance)
        self.rules = Rules(image)
        self.evaluator, self.features = made(image)
        self.near, self.safe, self.count = {}, {}, 0
        for one in self.rules.all:
            safe = self.safe.get(one.feature, one.clear_at)
            self.safe[one.feature] = min(one.clear_at, safe, key=one.sense.__mul__)
            edges = itertools.product((one.set_at, one.clear_at), (-one.sense, 0, one.sense))
            self.near.setdefault(one.feature, set()).update(map(sum, edges))
            if one.gate:
                self.near.setdefault(one.gate, set()).update((0, 1))
        self.values = {feature: (0, 0) for feature in self.near}
        gated = [one for one in self.rules.all if one.gate]
        some = self.chance.sample(self.rules.all, MOVING) + self.chance.sample(gated, 2)
        self.moving = sorted({at for one in some for at in (one.feature, one.gate) if at})

    def at(self, feature):
        """(place in the arrays, scope block) of a feature."""
        scope, place, number = feature
        before = sum(count * len(m.FEATURES[scope]) for scope, count in SCOPES[:scope])
        block = sum(count for _, count in SCOPES[:scope]) + place
        return before + place * len(m.FEATURES[scope]) + number, block

    def disturb(self):
        self.features.changed[:] = bytes(len(self.features.changed))
        self.count += 1
        is_calm, share = self.count % CYCLE > STORM, self.chance.choice((0, 0.1, 0.3))
        for feature in self.moving:
            if self.chance.random() < share:
                value = self.chance.choice(sorted(self.near[feature]))
                known = self.chance.choice((0, 1, 1, 1, 2, 3))
                if is_calm:
                    value, known = self.safe.get(feature, 0), m.KNOWN
                at, block = self.at(feature)
                self.values[feature] = value, known
                self.features.value[at], self.features.known[at] = value, known
                self.features.changed[block] = 1

    def step(self):
        elapsed = self.chance.choice(LATE)
        self.evaluator.update(elapsed)
        for one in self.rules.all:
            one.step(self.values, elapsed)
        if self.chance.random() < 0.5:
            for index, one in enumerate(self.rules.all):
                if one.latched and not one.active:
                    one.latched = False
                    self.evaluator.latched[index] = 0
        self.evaluator.refresh_first_out()
        self.rules.name_first()

    def seen(self):
        it = self.evaluator
        marks = map(bool, it.active), map(bool, it.latched)
        every = list(zip(it.set_count, it.clear_count, *marks, strict=True))
        return every, it.first_out[0], it.cause_mask()


@pytest.mark.parametrize("seed", range(8))
def test_every_step_is_what_the_rules_say(seed, monkeypatch):
    monkeypatch.setattr(evaluate, "HOLD_MS", HOLD_TICKS * 20)
    walk, firsts = Walk(seed), set()
    for step in range(STEPS):
        walk.disturb()
        walk.step()
        assert walk.seen() == walk.rules.seen(), f"step {step}"
        firsts.add(walk.rules.first)
    assert -1 in firsts and len(firsts) > 3, "the walk saw little"


LEAK, HOT = "42a 2000", "20b 2000"  # of the cabinet, of a rack


@cases("""stage open_ticks clear_ticks rounds trips
    LEAK  99  1  2  True | LEAK  99  499  2  True | LEAK  99  500  9  False
    LEAK  99  501  9  False | LEAK  10  499  9  False | LEAK  10  499  10  True
    HOT  99  1  9  False | HOT  100  1  1  True""")
def test_a_contact_that_chatters_trips_by_what_it_is_open_in_all(
    stage, open_ticks, clear_ticks, rounds, trips
):
    """A leak contact that was open for 1.8 s in each 2 s was never told."""
    evaluator, features = made(default_image(UNITS, RACKS))
    stages = [each[m.S_ID] for each in m.STAGES]
    index = evaluator.stage.index(stages.index(stage.split()[0]))
    feature, sense, set_at, _ = evaluator.watch[index]
    features.known[feature] = m.KNOWN
    levels = set_at * sense, evaluator.debounce[index][1] * sense
    for _ in range(rounds):
        for level, count in zip(levels, (open_ticks, clear_ticks), strict=True):
            features.value[feature] = level
            for _ in range(count):
                features.changed[evaluator.block[index]] = 1
                evaluator.update(1)
    assert evaluator.latched[index] == trips


@cases("""before elapsed after
    s.TICKS_MAX-2  1  s.TICKS_MAX-1 | s.TICKS_MAX-1  1  s.TICKS_MAX
    s.TICKS_MAX  1  s.TICKS_MAX | s.TICKS_MAX-1  1_000_000  s.TICKS_MAX""")
def test_counters_stop_where_an_integer_is_still_small(before, elapsed, after):
    """A cause that lasts for years, and one that is gone for years and was never reset."""
    evaluator, features = made(default_image(UNITS, RACKS))
    feature, sense, set_at, _ = evaluator.watch[0]
    features.known[feature] = features.changed[0] = 1
    features.value[feature] = set_at * sense
    evaluator.set_count[0] = before
    evaluator.update(elapsed)
    assert (evaluator.set_count[0], evaluator.clear_count[0], evaluator.latched[0]) == (after, 0, 1)
    features.value[feature] = evaluator.debounce[0][1] * sense
    evaluator.clear_count[0] = before
    evaluator.update(elapsed)
    assert (evaluator.set_count[0], evaluator.clear_count[0]) == (0, min(before + 1, s.TICKS_MAX))


def test_whatever_was_latched_alone_before_the_restart_is_the_first_out():
    kernel = Kernel(default_image(UNITS, RACKS))
    evaluator = kernel.evaluator
    for index in range(evaluator.count):
        kernel.boot(0, 0, (index,))
        assert evaluator.first_out[0] == index
        evaluator.first_out[0] = -1
        evaluator.refresh_first_out()
        assert evaluator.first_out[0] == index
        evaluator.latched[index] = 0
        evaluator.refresh_first_out()
        assert evaluator.first_out[0] == -1 and evaluator.cause_mask() == 0


def test_the_number_of_trips_comes_round():
    evaluator, features = made(default_image(UNITS, RACKS))
    feature, sense, set_at, _ = evaluator.watch[0]
    features.known[feature] = features.changed[0] = 1
    evaluator.trips[0] = 2**29 - 2
    for trips in (2**29 - 1, 0, 1):
        features.value[feature] = set_at * sense
        evaluator.update(s.TICKS_MAX)
        assert evaluator.trips[0] == trips
        assert evaluator.cause_mask() == crc.add_number(crc.START - trips, 0)
        features.value[feature] = evaluator.debounce[0][1] * sense
        evaluator.update(1)


def tripped(evaluator, features, index):
    feature, sense, set_at, _ = evaluator.watch[index]
    features.value[feature], features.known[feature] = set_at * sense, m.KNOWN
    features.changed[:] = b"\1" * len(features.changed)
    evaluator.update(s.TICKS_MAX)
    features.value[feature] = evaluator.debounce[index][1] * sense
    assert evaluator.latched[index]


def names(*found):
    ids = [m.STAGES[stage][m.S_ID] for stage in made(default_image(UNITS, RACKS))[0].stage]
    return [ids.index(name) for name in found]


@pytest.mark.parametrize("order", [*itertools.permutations(("1a", "22", "23a"))])
def test_after_a_reset_the_earliest_of_the_others_is_first_out(order):
    """The reset after a runaway and an E-stop of row 22 showed "emergency stop"."""
    evaluator, features = made(default_image(UNITS, RACKS))
    places = names(*order)
    for place in places:
        tripped(evaluator, features, place)
    tripped(evaluator, features, places[1])  # again, under its latch: its order does not change
    for place in places:
        assert evaluator.first_out[0] == place
        evaluator.latched[place] = evaluator.active[place] = 0
        evaluator.refresh_first_out()
    assert evaluator.first_out[0] == -1
    kernel = Kernel(default_image(UNITS, RACKS))
    kernel.boot(0, 0, places)
    for place in places:
        assert kernel.evaluator.first_out[0] == place
        kernel.evaluator.latched[place] = 0
        kernel.evaluator.refresh_first_out()


@pytest.mark.parametrize("last, numbers", [(s.TICKS_MAX - 2, (-1, 0)), (s.TICKS_MAX - 1, (0, 0))])
def test_the_order_stops_at_a_small_integer_and_the_lowest_index_leads(last, numbers):
    evaluator, features = made(default_image(UNITS, RACKS))
    evaluator.last[0] = last
    first, second = names("1a", "23a")
    tripped(evaluator, features, second)
    tripped(evaluator, features, first)
    assert [evaluator.order[at] - s.TICKS_MAX for at in (second, first)] == [*numbers]
    evaluator.first_out[0] = -1
    evaluator.refresh_first_out()
    assert evaluator.first_out[0] == (second if numbers[0] else first)
