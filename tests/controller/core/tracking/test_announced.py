"""Announced steps: when the guess moves, hand-over to the load, patience, debt."""

import pytest
from views import Tick, setup

from controller.core.policies.site_load import CALCULATED, MEASURED
from controller.core.policies.track import Track
from controller.core.tracking.announced import (
    A_CREDIT_W_MS,
    A_FORGIVEN_W_MS,
    A_STEP_W,
    A_WORDS,
    NEW_W_MS,
    Announced,
    Notice,
)
from controller.core.tracking.strict import S_RANGE_W, Strict

KW, TICK_MS, DELAY_MS = 1000, 20, 100  # meter of 20 ms: the battery acts 80 ms after a decision


class Bench:
    """A load of 200 kW. Times count from the announced moment, ms."""

    def __init__(self, sources=1, share_permille=1000):
        """Each source was right once, and has no credit yet."""
        self.one = Announced(TICK_MS, 20, sources, share_permille)
        for source in range(sources):
            self.one.words[A_WORDS * source + A_CREDIT_W_MS] = 0

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
        return self.one.words[A_WORDS * source + A_CREDIT_W_MS] / KW / 100  # in ms of the step


def step_at(late_ms, size_kW=100):
    return lambda at_ms: 200 + size_kW * (at_ms >= late_ms)


# the step is believed until the meter should have shown it, if it were 50 ms late
WHOLE = dict.fromkeys(range(-80, 100, 20), 100.0)
COST = -180  # of a step that never comes, ms


def test_a_new_source_is_watched_until_it_was_right_once():
    bench = Bench()
    bench.one.words[A_CREDIT_W_MS] = NEW_W_MS
    assert bench.moves() == bench.moves(step_at(160)) == {}  # it never came, or too late
    assert bench.credit() < 0
    assert bench.moves(step_at(20)) == {} and bench.credit() == 0
    assert bench.moves(step_at(20)) == dict.fromkeys(range(-80, 20, 20), 100.0)
    fresh = Announced(TICK_MS, 20, 2, 1000)
    assert [fresh.words[at + A_CREDIT_W_MS] for at in (0, A_WORDS)] == [NEW_W_MS] * 2


@pytest.mark.parametrize("sign", [1, -1])
def test_the_guess_moves_one_reaction_ahead_and_hands_over_to_the_load(sign):
    found = Bench().moves(step_at(20, 100 * sign), 100 * sign)
    assert found == dict.fromkeys(range(-80, 20, 20), 100.0 * sign)


def test_what_has_come_before_its_time_is_not_added_again():
    assert Bench().moves(step_at(-60)) == {-80: 100.0}
    halfway = Bench().moves(lambda at_ms: 200 + min(100, max(0, at_ms + 50)))
    assert halfway == {-80: 100, -60: 100, -40: 90, -20: 70, 0: 50, 20: 30, 40: 10}


def test_a_step_that_comes_in_two_parts_keeps_what_is_missing():
    bench = Bench()
    found = bench.moves(lambda at_ms: 200 + 60 * (at_ms >= 0) + 40 * (at_ms >= 100))
    assert found == dict.fromkeys(range(-80, 0, 20), 100) | dict.fromkeys(range(0, 100, 20), 40)
    assert bench.credit() == 80  # as 20 ms early


def test_a_step_of_the_other_sign_is_wrong():
    bench = Bench()
    assert bench.moves(step_at(20, -100)) == WHOLE
    assert bench.credit() == COST


def test_a_wrong_notice_ends_soon_and_puts_its_source_in_debt():
    bench = Bench()
    assert bench.moves() == WHOLE
    assert bench.credit() == COST
    assert bench.moves() == {} and bench.credit() == COST  # only watched
    assert bench.moves(step_at(20)) == {} and bench.credit() == COST
    assert bench.moves(step_at(20)) == {} and bench.credit() == 0
    assert bench.moves() == WHOLE and bench.credit() == COST


def test_each_forgiven_debt_doubles_how_often_its_source_must_be_right():
    bench, watched = Bench(), []
    for _ in range(6):
        bench.moves()
        watched.append(0)
        while bench.credit() < 0:
            bench.moves(step_at(20))
            watched[-1] += 1
    assert watched == [2, 4, 8, 15, 29, 58]  # 180 ms are forgiven, then 360, 720 ...
    for _ in range(40):
        bench.moves(step_at(20))  # what does not fit into the credit pays them
    assert bench.one.words[A_FORGIVEN_W_MS] == (180 * 63 - (40 * 100 - 400)) * 100 * KW


def test_a_wrong_step_while_watched_takes_back_a_right_one():
    bench = Bench()
    bench.moves(), bench.moves(step_at(20)), bench.moves()
    for load in (step_at(20), step_at(300)):
        bench.moves(load)
        assert bench.credit() == COST
    bench.moves(step_at(20)), bench.moves(step_at(20))
    assert bench.credit() == 0


def test_a_step_may_be_late_and_what_it_saves_is_credit():
    bench = Bench()
    bench.moves(step_at(20))
    assert max(bench.moves(step_at(70))) == 60 and bench.credit() == 140  # 60 ms late: ticks
    assert bench.moves() == WHOLE and bench.credit() == 140 + COST
    assert bench.moves(step_at(20)) == {} and bench.credit() == 0
    for _ in range(9):
        bench.moves(step_at(20))
    assert bench.credit() == 400


@pytest.mark.parametrize("at_ms, kms", [(20, 100), (60, 60), (70, 40), (90, 20), (160, COST)])
def test_a_late_step_saves_less(at_ms, kms):
    bench = Bench()
    bench.moves(step_at(at_ms))
    assert bench.credit() == kms


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


def tracking():
    """(load tracking, what it sees): a load of 200 kW, and 250 kW are available both ways."""
    control = Track(setup())
    control.announced = Bench().one
    seen = Tick(load_W=200 * KW, load_source=MEASURED, left_low_W=-250 * KW, left_high_W=250 * KW)
    seen.soc_permille = 550, 550
    return control, seen


def test_load_tracking_forgets_a_step_when_another_meter_shows_the_load():
    control, seen = tracking()
    for left_ms, source, is_kept in ((200, MEASURED, True), (180, CALCULATED, False)):
        seen.notices, seen.load_source = (Notice(0, 100 * KW, left_ms, 1000),), source
        control.step(seen, seen, 1)
        assert bool(control.announced.words[A_STEP_W]) is is_kept


@pytest.mark.parametrize("range_kW, kW", [(150, 0), (199, 0), (250, 50), (300, 100)])
def test_under_a_stated_range_a_step_moves_what_may_be_wrong(range_kW, kW):
    """The step shows twice at most, and the load has swung by 100 kW before."""
    strict = Strict(range_kW * KW, 20, 4)
    assert strict.room_W(100 * KW) == kW * KW
    strict.words[S_RANGE_W] = 120 * KW
    assert strict.room_W(100 * KW) == max(0, kW - 40) * KW
    one, notice = Bench().one, Notice(0, 100 * KW, 40, 1000)
    strict.words[S_RANGE_W] = 0
    found_W = one.ahead_W(200 * KW, 200 * KW, (notice,), 1, DELAY_MS, strict.room_W)
    assert found_W == (200 + kW) * KW


def test_two_sources_that_announce_one_moment_count_once():
    one = Bench(sources=2, share_permille=500).one
    notices = [Notice(source, 100 * KW, 40, 1000) for source in (1, 0)]
    assert one.ahead_W(200 * KW, 200 * KW, notices, 1, DELAY_MS) == 250 * KW  # half of the load


def crossed(other_kW, apart_ms, later_kW=0, other_credit=0):
    """{ms: kW by which the guess leads}, credits: 100 kW at 0, another source's step later."""
    bench, found = Bench(sources=2), {}
    bench.one.words[A_WORDS + A_CREDIT_W_MS] = other_credit
    for at_ms in range(-300, 500, TICK_MS):
        load_W = (200 + 100 * (at_ms >= 20) + later_kW * (at_ms >= apart_ms + 20)) * KW
        steps = enumerate(((100, 0), (other_kW, apart_ms)))
        notices = [Notice(at, kW * KW, max(0, on - at_ms), 1000) for at, (kW, on) in steps]
        if guess_W := bench.one.ahead_W(load_W, load_W, notices, 1, DELAY_MS) - load_W:
            found[at_ms] = guess_W / KW
    return found, [bench.credit(source) for source in range(2)]


@pytest.mark.parametrize("apart_ms", [0, 20, 60])
def test_opposite_steps_of_two_sources_at_nearly_one_time_do_not_act(apart_ms):
    """Both right: a pulse shorter than the error of a notice moved the battery for 240 ms."""
    assert crossed(-100, apart_ms, -100) == ({}, [0, 0])


def test_steps_that_are_apart_small_or_of_a_source_in_debt_stop_no_other():
    assert crossed(-100, 200, -100)[1] == [100, 100]
    alone = crossed(0, 0)
    assert alone == (dict.fromkeys(range(-80, 20, 20), 100.0), [100, 0])
    for other in (-12, 0), (-100, 0, 0, -1):
        found, (credit, _) = crossed(*other)
        assert (found, credit) == (alone[0], alone[1][0])
    assert crossed(-13, 0)[0] == {}


def test_a_sag_withdraws_what_a_step_adds_before_it_has_come():
    """It would stay for the whole sag: of a wrong notice 32 path delays of the step."""
    (control, seen), asked_W = tracking(), []
    for at_ms in range(-300, 20, TICK_MS):
        seen.notices = (Notice(0, 100 * KW, max(0, -at_ms), 1000),)
        seen.grid_voltage_permille = 600 if at_ms >= 0 else 1000
        asked_W.append(control.step(seen, seen, 1)[0].power_W)
    *_, before_W, in_sag_W = asked_W
    assert before_W - asked_W[0] == 100 * KW and abs(in_sag_W - asked_W[0]) <= KW
