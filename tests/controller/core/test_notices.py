"""Notices: they are stored, replaced, and end; the price notice only narrows PV."""

import pytest
from test_hint_table import slots, source
from views import Tick, setup

from controller.core.base import hint_codes as codes
from controller.core.policies.notices import Notices
from controller.core.tracking.announced import Notice
from tests.tables import cases

PRICE, STEP = codes.PRICE_IS_NEGATIVE, codes.STEP_W


class Bench:
    def __init__(self):
        known = (source(), source(1, "cap", 0, valid_s_max=60))
        self.function, self.view = Notices(setup(known=known)), Tick()

    def tick(self, *notices, elapsed=1):
        """Notices: (source, quantity, value, valid_ms, start_ms)."""
        words = [(index, codes.NOTICE, *rest) for index, *rest in notices]
        self.view.hints = slots(*words), 0
        assert self.function.step(self.view, self.view, elapsed) == ()
        return self

    @property
    def steps(self):
        return [(each.step_W, each.start_ms) for each in self.view.notices]


@cases("""
    valid_ms  elapsed  still
    1000  49  True | 1000  50  False | 20  1  False | 40  1  True | 61_000  2999  True
    61_000  3000  False
""")
def test_the_price_is_negative_until_the_notice_ends(valid_ms, elapsed, still):
    bench = Bench()
    assert not bench.tick().view.is_price_negative
    assert bench.tick((1, PRICE, 1, valid_ms, 0)).view.is_price_negative
    assert bench.tick(elapsed=elapsed).view.is_price_negative == still


def test_one_source_of_several_is_enough_and_each_ends_only_its_own_notice():
    bench = Bench().tick((0, PRICE, 1, 9000, 0), (1, PRICE, 1, 9000, 0))
    assert bench.tick((0, PRICE, 0, 9000, 0)).view.is_price_negative
    assert not bench.tick((1, PRICE, 0, 9000, 0)).view.is_price_negative
    assert bench.function.state.is_any == 0


def test_a_step_to_come_counts_down_and_ends_after_its_validity():
    bench = Bench().tick((0, STEP, 400_000, 2000, 60_000))
    assert bench.view.notices == (Notice(0, 400_000, 60_000, 62_000),)
    assert bench.tick(elapsed=2999).view.notices == (Notice(0, 400_000, 20, 2020),)
    assert bench.tick(elapsed=50).view.notices == (Notice(0, 400_000, 0, 1020),)
    assert bench.tick(elapsed=51).view.notices == ()


@pytest.mark.parametrize("shift_ms, count", [(-1000, 1), (1000, 1), (1040, 2), (-1040, 2)])
def test_a_later_notice_of_the_same_moment_replaces_the_earlier_one(shift_ms, count):
    bench = Bench().tick((0, STEP, 1000, 5000, 60_000), (0, STEP, 2000, 5000, 60_000 + shift_ms))
    assert len(bench.steps) == count and (2000, 60_000 + shift_ms) in bench.steps
    bench.tick((0, STEP, 0, 5000, 60_000 + shift_ms))
    assert len(bench.steps) == count - 1
    assert len(bench.tick((1, STEP, 1, 5000, 60_000)).steps) == count


def test_of_more_steps_than_a_source_may_have_the_nearest_stay():
    bench = Bench()
    for start_ms in (10_000, 40_000, 20_000, 30_000):
        bench.tick((0, STEP, 1, 5000, start_ms), elapsed=0)
    assert bench.tick((0, STEP, 7, 5000, 45_000), elapsed=0).steps[1] == (1, 40_000)
    bench.tick((0, STEP, 0, 5000, 5000), (0, STEP, 7, 5000, 15_000), elapsed=0)
    assert sorted(start_ms for _, start_ms in bench.steps) == [10_000, 15_000, 20_000, 30_000]


@cases("""
    notice
    (2, PRICE, 1, 1000, 0) | (-1, PRICE, 1, 1000, 0) | (0, PRICE, 1, 0, 0) | (0, 5, 1, 1000, 0)
""")
def test_what_no_accepted_notice_can_be_is_ignored(notice):
    bench = Bench().tick(notice)
    assert not bench.view.is_price_negative and bench.view.notices == ()
