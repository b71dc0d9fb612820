"""The hint table against a model that works with absolute times, and its rules one by one."""

import functools
from array import array
from itertools import product

import pytest
from hypothesis import given, strategies as st
from views import Tick, setup

from controller.config import sources
from controller.core import image as images
from controller.core.base import answers, hint_codes as codes, hint_sources, reasons, setpoint
from controller.core.policies import hint_outputs as o, hint_table as t
from tests.tables import cases

TICK_MS = 20
QUANTITIES = tuple(codes.QUANTITIES)
WIDE_W = answers.WIDE_W


def source(
    index=0, role="grid_cap", priority=1, valid_s_max=300, ramp=25_000, energy_Wh=100_000, **more
):
    """more: fallbacks charge, discharge, import_, export in W."""
    keys = {"charge": 1, "discharge": 2, "import_": 4, "export": 5}
    watts = dict.fromkeys(QUANTITIES) | {keys[name]: value for name, value in more.items()}
    ranks = index, role, priority, valid_s_max, 10, ramp, energy_Wh
    return sources.Source(f"s{index}", *ranks, watts)


@functools.cache
def slots(*hints):
    """Inputs that hold these hints: (source, kind, quantity, value_W, valid_ms[, start_ms])."""
    width = images.SLOT_WORDS
    words = [word for index, *rest in hints for word in [index + 1, *rest, 0][:width]]
    return array("i", words + [0] * (images.HINT_WORDS - len(words)))


class Bench:
    def __init__(self, *known):
        made = setup(TICK_MS, known=known)
        ramp_W = made.settings["setpoint_ramp_W_per_s"] * TICK_MS // 1000
        self.table, self.chain = t.HintTable(made), setpoint.Chain(ramp_W)
        self.connection_W = 300_000

    def tick(self, *hints, ticks=1, elapsed=1):
        for _ in range(ticks):
            self.chain.begin()
            known = Tick(hints=(slots(*hints), 0), part_W=self.connection_W)
            for answer in self.table.step(known, known, elapsed):
                self.chain.take(answer)
            hints = ()
        return self

    @property
    def obliged(self):
        for each in self.chain.obligations.standing:
            assert each.rank == t.GRID_CAP_HINT
            assert each.low_reason == each.high_reason == reasons.GRID_CAP_HINT
            return each.low_W, each.high_W
        return None

    def field(self, quantity, field=o.F_VALUE_W, index=0):
        return self.table.out[o.output_at(index, quantity, field)]

    def state(self, quantity, index=0):
        return o.STATES[self.field(quantity, o.F_STATE, index)]

    @property
    def caps(self):
        return -self.chain.caps.low_W, self.chain.caps.high_W


def cap(value_W, valid_s=10, index=0, quantity=codes.CHARGE_W_MAX):
    return index, codes.KIND_OF[quantity], quantity, value_W, int(valid_s * 1000)


def test_a_cap_narrows_for_as_long_as_it_is_valid_and_no_tick_longer():
    bench = Bench(source()).tick(cap(5000, 1))
    assert bench.caps == (5000, WIDE_W) and bench.table.out[o.O_CHARGE_SOURCE] == 1
    named = bench.chain.caps.low_reason, bench.chain.caps.high_reason
    assert named == (reasons.HINT_CAP, reasons.NONE)
    assert bench.tick(ticks=49).caps == (5000, WIDE_W)
    assert bench.tick().caps == (WIDE_W, WIDE_W)
    assert bench.state(codes.CHARGE_W_MAX) == "none" and bench.table.out[o.O_CHARGE_SOURCE] == 0


@pytest.mark.parametrize("value_W, acts_W", [(-1, 0), (-(2**31), 0), (0, 0), (2**31 - 1, WIDE_W)])
def test_a_value_beyond_its_range_never_turns_round(value_W, acts_W):
    """evcc-io/evcc 25545 accepted a negative limit."""
    assert Bench(source()).tick(cap(value_W)).caps[0] == acts_W


@cases("""
    hint
    (1, codes.CAP, codes.CHARGE_W_MAX, 0, 1000) | (-5, codes.CAP, codes.CHARGE_W_MAX, 0, 1000)
    (0, codes.GRID_CAP, codes.CHARGE_W_MAX, 0, 1000) | (0, codes.CAP, codes.POWER_W, 0, 1000)
    (0, codes.CAP, 6, 0, 1000) | (0, 0, 0, 0, 1000) | (0, 5, 1, 0, 1000)
    (0, codes.CAP, codes.CHARGE_W_MAX, 0, 0) | (0, codes.CAP, codes.CHARGE_W_MAX, 0, -1)
    (0, codes.REQUEST, codes.POWER_W, 9000, 1000)
""")
def test_what_no_accepted_hint_can_be_changes_nothing(hint):
    bench = Bench(source(role="cap", priority=0, charge=3000)).tick()
    before = array("i", bench.table.out)
    assert bench.tick(hint).table.out == before and bench.caps == (3000, WIDE_W)


class Model:
    """The same rules in absolute time: it computes what is in force and counts nothing down."""

    def __init__(self, known):
        self.known, self.now = known, 0
        self.value, self.until, self.fallen, self.heard_until = {}, {}, {}, {}

    def tick(self, hints, elapsed):
        self.now += elapsed
        for key in [key for key, until in self.until.items() if until <= self.now]:
            del self.until[key]
            if not self.fallen.get(key) and self.known[key[0]].fallback[key[1]] is not None:
                self.fallen[key] = True
                self.heard_until.pop(key[0], None)
        for index, kind, quantity, value_W, valid_ms in hints:
            until = self.now - (-min(valid_ms, self.known[index].valid_s_max * 1000) // TICK_MS)
            if kind == codes.HEARTBEAT:
                self.heard_until[index] = until
                self.fallen.update({key: False for key in self.until if key[0] == index})
            elif kind != codes.REQUEST or self.known[index].rank >= hint_sources.REQUEST:
                self.value[index, quantity], self.until[index, quantity] = value_W, until
                if self.heard_until.get(index, 0) > self.now:
                    self.fallen[index, quantity] = False

    def valid_s(self, index, quantity):
        key = index, quantity
        is_fallen = self.fallen.get(key) and self.value[key] >= self.known[index].fallback[quantity]
        if key not in self.until or is_fallen:
            return 0
        return -(-(self.until[key] - self.now) * TICK_MS // 1000)

    def in_force_W(self, index, quantity):
        key, fallback_W = (index, quantity), self.known[index].fallback[quantity]
        if key in self.until and not self.fallen.get(key):
            return self.value[key]
        if fallback_W is not None:
            return min(fallback_W, self.value[key]) if key in self.until else fallback_W
        return None

    def expected(self, connection_W):
        """{quantity: [W in force]} for the chain; connection_W: None while it is unknown."""
        found = {quantity: [WIDE_W] for quantity in QUANTITIES}
        narrows = {
            codes.IMPORT_W_MAX: (codes.CHARGE_W_MAX, -1),
            codes.EXPORT_W_MAX: (codes.DISCHARGE_W_MAX, 1),
        }
        for index, each in enumerate(self.known):
            for quantity in QUANTITIES:
                value_W = self.in_force_W(index, quantity)
                if value_W is None:
                    continue
                if quantity in narrows and each.rank < hint_sources.GRID_CAP:
                    quantity, way = narrows[quantity]
                    room_W = -value_W if connection_W is None else way * connection_W
                    value_W = max(0, (value_W + room_W) // 100 * 100)
                found[quantity].append(value_W)
        return found


WATTS = st.integers(0, 400_000)
KNOWN = st.lists(
    st.tuples(st.sampled_from(codes.ROLES), st.integers(1, 8), *[st.none() | WATTS] * 4),
    min_size=1,
    max_size=3,
)
HINT = st.tuples(st.integers(0, 2), st.integers(0, 5), WATTS, st.integers(1, 9000))
TICKS = st.lists(st.tuples(st.lists(HINT, max_size=3), st.integers(1, 200)), max_size=25)


def made(drawn):
    names = "valid_s_max", "charge", "discharge", "import_", "export"
    return [
        source(index, role, index + 1, **dict(zip(names, watts)))
        for index, (role, *watts) in enumerate(drawn)
    ]


@given(KNOWN, TICKS, st.none() | st.integers(-400_000, 400_000))
def test_the_table_does_what_the_model_says(drawn, ticks, connection_W):
    known = made(drawn)
    bench, model = Bench(*known), Model(known)
    bench.connection_W = connection_W
    for hints, elapsed in ticks:
        hints = [
            (index % len(known), codes.KIND_OF[quantity], quantity, value_W, valid_ms)
            for index, quantity, value_W, valid_ms in hints
        ]
        bench.tick(*hints, elapsed=elapsed)
        model.tick(hints, elapsed)
        check_fields(bench, model)
        check_answers(bench, model, connection_W)


def check_fields(bench, model):
    for index in range(len(model.known)):
        assert bench.table.alive(index) == (model.heard_until.get(index, 0) > model.now)
        for quantity in [each for each in QUANTITIES if each != codes.POWER_W]:
            value_W, state = model.in_force_W(index, quantity), bench.state(quantity, index)
            assert (state == "none") == (value_W is None)
            assert bench.field(quantity, index=index) == (value_W or 0)
            assert bench.field(quantity, o.F_VALID_S, index) == model.valid_s(index, quantity)


def check_answers(bench, model, connection_W):
    watts, out = model.expected(connection_W), bench.table.out
    least = {quantity: min(every) for quantity, every in watts.items()}
    assert bench.caps == (least[codes.CHARGE_W_MAX], least[codes.DISCHARGE_W_MAX])
    import_W, export_W = least[codes.IMPORT_W_MAX], least[codes.EXPORT_W_MAX]
    maxima = (o.O_IMPORT_SOURCE, codes.IMPORT_W_MAX), (o.O_EXPORT_SOURCE, codes.EXPORT_W_MAX)
    for place, quantity in maxima:
        assert (out[place] > 0) == (len(watts[quantity]) > 1)
        assert not out[place] or model.in_force_W(out[place] - 1, quantity) == least[quantity]
    for place, quantity in (
        (o.O_CHARGE_SOURCE, codes.CHARGE_W_MAX),
        (o.O_DISCHARGE_SOURCE, codes.DISCHARGE_W_MAX),
    ):
        assert (out[place] > 0) == (len(watts[quantity]) > 1)
    if connection_W is None or min(import_W, export_W) == WIDE_W:
        assert bench.obliged is None
        return
    low_W, high_W = bench.obliged
    assert low_W <= connection_W <= high_W or min(import_W, export_W) < 100
    assert import_W == WIDE_W or 0 <= low_W - connection_W + import_W < 100
    assert export_W == WIDE_W or 0 <= connection_W + export_W - high_W < 100


def test_every_published_word_has_its_name_and_its_place():
    names, count = t.HintTable.output_names(3), o.output_count(3)
    assert len(names) == len(set(names)) == count and names[:6] == list(o.HINT_OUTPUTS)
    valid_at = o.output_at(2, codes.IMPORT_W_MAX, o.F_VALID_S)
    assert names[valid_at] == "source_2.import_W_max_valid_s"
    assert names[o.output_at(0, codes.CHARGE_W_MAX, 0)] == "source_0.charge_W_max_value_W"
    places = [o.output_at(*each) for each in product(range(3), QUANTITIES, range(3))]
    assert places == list(range(6, count))
    for name in o.HINT_OUTPUTS:
        assert o.HINT_OUTPUTS[getattr(o, "O_" + name.removeprefix("hint_").upper())] == name
