"""Hints through the whole core: they only narrow, request, or oblige within the limits."""

import random
from array import array

import pytest
from hypothesis import given, settings, strategies as st
from test_core import CONFIGS, FIREBREAK, Walk, core_of, is_standing, word
from test_hint_table import KNOWN, made

from controller.core import image as images
from controller.core.base import hint_codes as codes, hint_sources, reasons, setpoint
from controller.core.policies import hint_outputs as o
from controller.core.tracking import reference
from safety import signals as s
from tests.safety import late_steps


def put(core, hints):
    at = core.layout.inputs
    core.inp[at : at + images.HINT_WORDS] = array("i", [0] * images.HINT_WORDS)
    for slot, (index, quantity, value_W, valid_ms) in enumerate(hints):
        first = at + slot * images.SLOT_WORDS
        words = index + 1, codes.KIND_OF[quantity], quantity, value_W, valid_ms, 0
        core.inp[first : first + images.SLOT_WORDS] = array("i", words)


def drawn_hints(draw, count):
    watts, valid_ms = (0, 2000, 90_000, 350_000, 10**9), (20, 400, 3000, 200_000)
    return [
        (draw.randrange(count), draw.randrange(6), draw.choice(watts), draw.choice(valid_ms))
        for _ in range(0 if draw.random() < 0.9 else draw.randrange(1, 4))
    ]


def ticked(known, seed, settings_=FIREBREAK, ticks=200):
    hinted, plain = core_of(settings_, known), core_of(settings_, ())
    walk, draw = Walk(plain, seed), random.Random(seed)
    for _ in range(ticks):
        elapsed_ticks = walk.feed(plain, hinted)
        put(hinted, drawn_hints(draw, max(1, len(known))))
        plain.tick(elapsed_ticks)
        hinted.tick(elapsed_ticks)
        yield hinted, plain


@settings(max_examples=15)
@given(KNOWN, st.integers(0, 10**6), st.sampled_from(sorted(CONFIGS)))
def test_limits_hold_and_caps_only_narrow_whatever_the_hints(drawn, seed, name):
    known = made(drawn)
    for hinted, plain in ticked(known, seed, CONFIGS[name]):
        assert hinted.kernel.out == plain.kernel.out
        low_W, high_W = (word(hinted, at) for at in LIMITS)
        assert [low_W, high_W] == [word(plain, at) for at in LIMITS]
        assert is_narrower(hinted, plain, CAPS)
        power_W = word(hinted, setpoint.O_SETPOINT_W)
        assert low_W <= power_W <= high_W and sum(hinted.setpoints()) == power_W
        check_short(hinted, known, power_W)


LIMITS = setpoint.O_LIMITS_LOW_W, setpoint.O_LIMITS_HIGH_W
CAPS = setpoint.O_CAPS_LOW_W, setpoint.O_CAPS_HIGH_W
AVAILABLE = setpoint.O_AVAILABLE_LOW_W, setpoint.O_AVAILABLE_HIGH_W


def is_narrower(hinted, plain, ends):
    low_W, high_W, least_W, most_W = [word(core, at) for core in (hinted, plain) for at in ends]
    return low_W >= least_W and high_W <= most_W


def check_short(core, known, power_W):
    """A source that may oblige and is not obeyed reads the missing power and the reason."""
    out = core.out[core.out_at["hint_table"] :]
    source, connection_W = out[o.O_IMPORT_SOURCE], core.found.connection_W
    if not source or connection_W is None:
        return
    assert known[source - 1].rank >= hint_sources.GRID_CAP
    import_W = out[o.output_at(source - 1, codes.IMPORT_W_MAX, o.F_VALUE_W)]
    missing_W = connection_W - power_W - import_W + core.found.meter_off_W
    if missing_W > 0:
        reason = word(core, setpoint.O_OBLIGATION_SHORT_REASON)
        assert reason in (reasons.GRID_CAP_HINT, reasons.GRID_IMPORT, reasons.GRID_EXPORT)
        least_W = missing_W if reason == reasons.GRID_CAP_HINT else 1  # else of a higher rank
        assert word(core, setpoint.O_OBLIGATION_SHORT_W) >= least_W


@settings(max_examples=15)
@given(KNOWN, st.integers(0, 10**6))
def test_available_power_is_never_wider_without_obligations(drawn, seed):
    """victronenergy/dynamic-ess 78: feed-in despite being disabled."""
    known = [source for source in made(drawn) if source.rank < hint_sources.GRID_CAP]
    for hinted, plain in ticked(known, seed) if known else ():
        assert is_narrower(hinted, plain, AVAILABLE)


def test_hints_without_a_source_change_nothing_but_the_inputs():
    for hinted, plain in ticked((), 3, ticks=300):
        assert hinted.out == plain.out and hinted.state_words() == plain.state_words()


class Steady:
    """A running core of the example site with good inputs; tick takes hints as put() does."""

    def __init__(self, before=None):
        self.core, self.gives_W = core_of(FIREBREAK), None
        self.walk = Walk(self.core, 7, unrest=0)
        if before is None:
            self.tick(ticks=20)
            self.tick(ticks=300, elapsed=5)
        else:
            self.core.load_state(before.core.state_words())
            self.core.out[:] = before.core.out
            self.core.kernel.out[:] = before.core.kernel.out
            self.walk.inp[:], self.walk.ticks = before.walk.inp, before.walk.ticks
        assert self.core.out[s.STATE] == s.RUNNING

    def tick(self, *hints, ticks=1, load_W=300_000, silent=(), elapsed=1):
        for _ in range(ticks):
            self.walk.feed(self.core)
            for group in silent:
                self.core.fresh[group] = 0
            self.core.inp[s.LOAD_POWER_W] = load_W
            self.core.inp[s.GRID_POWER_W] = 300_000 - self.setpoint_W
            for signal, gives_W in ((s.PCS_POWER_W, self.gives_W), (s.PCS_SENT_W, None)):
                power_W = self.setpoint_W if gives_W is None else gives_W
                self.core.inp[self.core.layout.unit_input(0, signal)] = power_W
            self.core.inp[self.core.layout.unit_input(0, s.PCS_STATE)] = s.PCS_RUNNING
            put(self.core, hints)
            self.core.tick(elapsed)
            late_steps.forget(self.core.kernel)
            hints = ()
        return self

    @property
    def setpoint_W(self):
        return word(self.core, setpoint.O_SETPOINT_W)

    def word(self, index):
        return word(self.core, index)

    @property
    def request(self):
        places = setpoint.O_REQUEST_BASE_W, setpoint.O_REQUEST_BASE_REASON
        return *map(self.word, places), self.hint(o.O_CONTROL_SOURCE)

    def hint(self, index):
        return self.core.out[self.core.out_at["hint_table"] + index]


SCHEDULER, SITE_EMS = 1, 2


@pytest.fixture(scope="module")
def start():
    """A core that has been running for 30 s."""
    return Steady()


@pytest.fixture
def steady(start):
    return Steady(start)


def test_a_request_moves_the_battery_and_says_who_is_in_control(steady):
    """longzheng/open-dynamic-export 132, evcc-io/evcc 33063."""
    steady.tick((SCHEDULER, codes.POWER_W, 100_000, 20_000), ticks=250)
    assert steady.request == (100_000, reasons.HINT, SCHEDULER + 1)
    assert abs(steady.setpoint_W - 100_000) < 2000
    steady.tick(ticks=250, elapsed=4)
    assert steady.request == (0, reasons.NONE, 0) and abs(steady.setpoint_W) < 3000


def test_a_step_of_the_load_goes_on_top_of_a_request(steady):
    steady.tick((SCHEDULER, codes.POWER_W, 50_000, 60_000), ticks=200)
    before_W = steady.setpoint_W
    assert 20_000 < steady.tick(load_W=330_000).setpoint_W - before_W < 50_000


def test_a_request_beyond_available_power_is_held_back_and_winds_nothing_up(steady):
    high_W = steady.word(setpoint.O_AVAILABLE_HIGH_W)
    steady.tick((SCHEDULER, codes.POWER_W, 10**9, 30_000), ticks=500, elapsed=2)
    assert (steady.setpoint_W, steady.word(setpoint.O_REQUEST_BASE_W)) == (high_W, 10**9)
    assert steady.word(setpoint.O_BINDING_REASON) != reasons.NONE
    steady.tick((SCHEDULER, codes.POWER_W, 0, 20_000), ticks=300, elapsed=2)  # 250 kW at 25 kW/s
    assert abs(steady.setpoint_W) < 3000


@pytest.mark.parametrize("sign", [1, -1])
def test_while_a_converter_gives_less_upstream_reads_what_is_measured(steady, sign):
    """The end away from its set-point stays; so do both when it obeys again."""
    steady.gives_W = sign * 40_000
    steady.tick((SCHEDULER, codes.POWER_W, sign * 150_000, 60_000), ticks=600)
    assert is_standing(steady.core, "56b.unit1") and abs(steady.setpoint_W) > 90_000
    ends = list(map(steady.word, AVAILABLE))[::sign]
    assert ends[-1] == sign * 40_000 and -sign * ends[0] > 100_000
    steady.gives_W = None
    steady.tick(ticks=400)
    ends = list(map(steady.word, AVAILABLE))
    assert not is_standing(steady.core, "56b.unit1") and -ends[0] > 100_000 < ends[1]


def test_load_tracking_works_in_what_a_request_leaves(steady):
    """Its reference is held to the grid power that the request leaves."""
    steady.tick((SCHEDULER, codes.POWER_W, 150_000, 60_000), ticks=300, elapsed=5)
    state = steady.core.functions["track"].reference.words
    for at, end in zip((reference.R_HIGH, reference.R_LOW), AVAILABLE):
        grid_W = 300_000 - (steady.word(end) - 150_000)
        assert state[at] >> 16 == pytest.approx(grid_W, abs=100)


def test_without_any_meter_the_request_stays_and_nothing_is_exported(steady):
    steady.tick((SCHEDULER, codes.POWER_W, 100_000, 60_000), ticks=500)
    assert steady.tick(ticks=5, load_W=340_000).setpoint_W > 130_000
    steady.tick(ticks=150, load_W=340_000, silent=(s.G_METER_LOAD, s.G_METER_GRID))
    assert steady.word(setpoint.O_REQUEST_FAST_REASON) == reasons.LOAD_UNKNOWN
    assert steady.request == (100_000, reasons.HINT, SCHEDULER + 1)
    assert steady.setpoint_W == 0


def test_the_state_of_charge_is_not_brought_back_while_a_request_is_in_force(steady):
    steady.walk.set_rack(s.SOC_PERMILLE, 500, 500, 500)
    steady.tick((SCHEDULER, codes.POWER_W, 0, 120_000), ticks=300, elapsed=5)
    assert abs(steady.setpoint_W) < 500
    assert steady.tick(ticks=600, elapsed=10).setpoint_W < -300


def test_a_grid_cap_moves_the_battery_within_the_limits(steady):
    assert steady.hint(o.O_IMPORT_SOURCE) == SITE_EMS + 1  # the fallback
    steady.tick((SITE_EMS, codes.IMPORT_W_MAX, 200_000, 2000))
    assert steady.setpoint_W >= 95_000
    assert steady.word(setpoint.O_OBLIGATION_REASON) == reasons.GRID_CAP_HINT
    steady.tick((SITE_EMS, codes.IMPORT_W_MAX, 0, 2000), ticks=5)
    assert steady.setpoint_W == steady.word(setpoint.O_LIMITS_HIGH_W)
    assert steady.word(setpoint.O_OBLIGATION_SHORT_REASON) == reasons.GRID_CAP_HINT
    assert steady.word(setpoint.O_OBLIGATION_SHORT_W) > 40_000
    value_at = o.output_at(SITE_EMS, codes.IMPORT_W_MAX, o.F_VALUE_W)
    assert steady.tick(ticks=100).hint(value_at) == 450_000


def test_the_remaining_energy_is_that_of_the_lowest_rack_above_the_reserve(steady):
    """The racks report a state of health of 990 permille."""
    words = steady.core.state_words()
    assert steady.hint(o.O_REMAINING_WH) == 638_550 * (550 - 150) // 1000
    for soc_permille, above in ((400, 250), (100, 0), (400, 250)):
        steady.walk.set_rack(s.SOC_PERMILLE, 550, soc_permille)
        assert steady.tick().hint(o.O_REMAINING_WH) == 638_550 * above // 1000
    steady.core.load_state(words)
    assert steady.tick().hint(o.O_REMAINING_WH) == 638_550 * 250 // 1000


def test_unknown_energy_is_not_none_left():
    core = core_of(FIREBREAK, ())
    remaining_at = core.out_at["hint_table"] + o.O_REMAINING_WH
    walk = Walk(core, 1, unrest=0)
    walk.set_rack(s.SOC_PERMILLE, 0, 0, 0)
    assert core.out[remaining_at] == 0
    for is_known in (False, True):
        walk.feed(core)
        core.fresh[:] = core.fresh if is_known else bytes(len(core.fresh))
        core.tick(1)
        assert core.out[remaining_at] == is_known - 1


def test_slots_fill_in_order_and_empty_with_the_freeze():
    image = images.ProcessImage(FIREBREAK.layout(), FIREBREAK.site_devices)
    inp, fresh = array("i", image.inp), bytearray(image.fresh)
    hint = codes.CAP, codes.CHARGE_W_MAX
    slots = [
        image.add_hint(codes.HintSlot(index + 1, *hint, 1000 + index, 2000)) for index in range(9)
    ]
    assert slots == [*range(8), None]
    image.freeze(inp, fresh)
    at = image.layout.inputs
    assert list(inp[at + 6 : at + 11]) == [2, codes.CAP, codes.CHARGE_W_MAX, 1001, 2000]
    assert not any(image.inp[at : images.places(image.layout, ())["peer"].start])
    assert image.add_hint(codes.HintSlot(1, codes.CAP, codes.CHARGE_W_MAX, 1, 1)) == 0


@pytest.mark.parametrize(
    ("times_ms", "late_ms", "left_ms"),
    [((2000, 0), 0, (2000, 0)), ((2000, 0), 1999, (1, 0)), ((2000, 0), 2001, (0, 0))]
    + [((2000, 500), 499, (2000, 1)), ((2000, 500), 501, (1999, 0)), ((2000, 500), 2501, (0, 0))],
)
def test_a_hint_that_waits_for_a_late_tick_ends_when_it_should(times_ms, late_ms, left_ms):
    image = images.ProcessImage(FIREBREAK.layout(), FIREBREAK.site_devices)
    for _ in range(2):
        image.add_hint(codes.HintSlot(1, codes.CAP, codes.CHARGE_W_MAX, 1000, *times_ms))
    inp, at = array("i", image.inp), image.layout.inputs
    image.freeze(inp, bytearray(image.fresh), late_ms)
    assert [tuple(inp[end - 2 : end]) for end in (at + 6, at + 12)] == [left_ms] * 2
    assert not any(inp[at + 12 : images.places(image.layout, ())["peer"].start])


@pytest.mark.parametrize("value_W, valid_ms", [(2**31, 2**32 - 1), (-(2**31), -1)])
def test_no_number_of_a_datagram_breaks_the_image(value_W, valid_ms):
    image = images.ProcessImage(FIREBREAK.layout(), FIREBREAK.site_devices)
    assert image.add_hint(codes.HintSlot(1, 255, 255, value_W, valid_ms)) == 0
