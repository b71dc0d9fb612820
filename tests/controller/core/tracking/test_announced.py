"""Announced steps: when the guess moves, hand-over to the load, patience, debt."""

import pytest
from views import Tick, setup

from controller.core.policies.notices import Notice
from controller.core.policies.site_load import CALCULATED, MEASURED
from controller.core.policies.track import Track
from controller.core.tracking.announced import A_CREDIT_W_MS, A_STEP_W, Announced

KW, TICK_MS, DELAY_MS = 1000, 20, 100  # meter of 20 ms: the battery acts 80 ms after a decision


class Bench:
    """A load of 200 kW. Times count from the announced moment, ms."""

    def __init__(self, sources=1, share_permille=1000):
        self.one = Announced(TICK_MS, 20, sources, share_permille)

    def moves(self, load_kW=lambda at_ms: 200, step_kW=100, begin_ms=-300, source=0, gone_ms=999):
        """{ms: kW by which the guess leads the load}, where it does."""
        found = {}
        for at_ms in range(begin_ms, 260, TICK_MS):
            load_W, left_ms = load_kW(at_ms) * KW, max(0, -at_ms)
            notices = (Notice(source, step_kW * KW, left_ms, 1000),) if at_ms < gone_ms else ()
            guess_W = self.one.ahead_W(load_W, load_W, notices, 1, DELAY_MS)
            if guess_W != load_W:
                found[at_ms] = (guess_W - load_W) / KW
        return found

    def credit(self, source=0):
        return self.one.words[6 * source + A_CREDIT_W_MS] / KW / 100  # in ms of the step


def step_at(late_ms, size_kW=100):
    return lambda at_ms: 200 + size_kW * (at_ms >= late_ms)


@pytest.mark.parametrize("sign", [1, -1])
def test_the_guess_moves_one_reaction_ahead_and_hands_over_to_the_load(sign):
    found = Bench().moves(step_at(20, 100 * sign), 100 * sign)
    assert found == dict.fromkeys(range(-80, 20, 20), 100.0 * sign)


def test_what_has_come_before_its_time_is_not_added_again():
    assert Bench().moves(step_at(-60)) == {-80: 100.0}
    halfway = Bench().moves(lambda at_ms: 200 + min(100, max(0, at_ms + 50)))
    assert halfway == {-80: 100, -60: 100, -40: 90, -20: 70, 0: 50, 20: 30, 40: 10}


def test_a_wrong_notice_ends_when_the_meter_should_show_it_and_puts_its_source_in_debt():
    bench = Bench()
    assert list(bench.moves()) == list(range(-80, 20, 20))  # a path delay
    assert bench.credit() == -100
    assert bench.moves() == {} and bench.credit() == -100  # only watched
    assert bench.moves(step_at(20)) == {} and bench.credit() == 0
    assert len(bench.moves()) == 5 and bench.credit() == -100


def test_a_source_with_credit_may_be_late():
    bench = Bench()
    assert max(bench.moves(step_at(70))) == 0 and bench.credit() == 100
    assert max(bench.moves(step_at(70))) == 60 and bench.credit() == 200
    assert max(bench.moves()) == 80 and bench.credit() == 20  # 180 ms of the step
    for _ in range(9):
        bench.moves(step_at(20))
    assert bench.credit() == 400


def test_a_step_that_is_too_small_is_wrong():
    bench = Bench()
    bench.moves(step_at(20, 70))
    assert bench.credit() == -154  # 100 before it came, 0.3 of 180 after
    larger = Bench()
    larger.moves(step_at(20, 150))
    assert larger.credit() == 100


def test_a_notice_that_goes_or_comes_at_once_does_not_act():
    assert Bench().moves(gone_ms=-100) == {}
    assert Bench().moves(begin_ms=0) == {}
    bench = Bench()
    bench.moves(begin_ms=-200, gone_ms=-180)
    bench.one.begin()
    assert not bench.one.words[A_STEP_W]


def test_load_tracking_forgets_a_step_when_another_meter_shows_the_load():
    control = Track(setup())
    control.announced = Announced(TICK_MS, 20, 1, 1000)
    seen = Tick(load_W=200 * KW, load_source=MEASURED, left_low_W=-250 * KW, left_high_W=250 * KW)
    seen.soc_permille = 550, 550
    for left_ms, source, is_kept in ((200, MEASURED, True), (180, CALCULATED, False)):
        seen.notices, seen.load_source = (Notice(0, 100 * KW, left_ms, 1000),), source
        control.step(seen, seen, 1)
        assert bool(control.announced.words[A_STEP_W]) is is_kept


def test_two_sources_that_announce_one_moment_count_once():
    one = Announced(TICK_MS, 20, 2, 500)
    notices = [Notice(source, 100 * KW, 60, 1000) for source in (1, 0)]
    assert one.ahead_W(200 * KW, 200 * KW, notices, 1, DELAY_MS) == 250 * KW  # half of the load
