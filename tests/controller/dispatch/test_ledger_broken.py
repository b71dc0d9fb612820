"""Each broken version of the share rule that a model checker found, as its counterexample.

The shipped ledger keeps the connection in each of these courses of events. The broken version of
the ledger, or of a cabinet, exceeds it in its own course. Cabinet 0 first gets what can be lent.
"""

import pytest
from share_world import CONNECTION_W, FALLBACK_W, world

from controller.dispatch import ledger
from controller.dispatch.ledger import Ledger, Lent

ALL_W = 700  # of a cabinet with 100 W of fallback


class RaiseEarly(Ledger):
    """What was sent last counts as in force."""

    def hold_W(self, at, now_us):
        share = self.shares[at]
        last_W = [each.value_W for each in share.lent.values()][-1:] or [share.in_force.value_W]
        return max(share.fallback_W, *last_W)


class ByValue(Ledger):
    """An answer counts for the last hint of its value, not for that of its sequence."""

    def answered(self, at, sequence, value_W, left_ms, now_us):
        same = [key for key, each in self.shares[at].lent.items() if each.value_W == value_W]
        return super().answered(at, max([sequence, *same]), value_W, left_ms, now_us)


class WithoutWindow(Ledger):
    """A hint counts as if it were taken when it is sent."""

    def sent(self, at, sequence, value_W, now_us):
        super().sent(at, sequence, value_W, now_us)
        self.shares[at].lent[sequence] = Lent(value_W, now_us + 1020 * ledger.VALID_MS)


class WithoutDrift(Ledger):
    """All clocks run alike."""

    def sent(self, at, sequence, value_W, now_us):
        super().sent(at, sequence, value_W, now_us)
        self.shares[at].lent[sequence] = Lent(value_W, now_us + 62_100_000)

    def answered(self, at, sequence, value_W, left_ms, now_us):
        return super().answered(at, sequence, value_W, left_ms * 100 // 102, now_us)


class BelowFallback(Ledger):
    """What a fallback does not use now is lent too."""

    def most_W(self, at):
        return self.connection_W

    def hold_W(self, at, now_us):
        share = self.shares[at]
        every = [share.in_force, *share.lent.values()]
        now_W = [each.value_W for each in every if now_us < each.until_us]
        return max(now_W, default=share.fallback_W)

    def fits(self, at, value_W, now_us):
        others_W = [self.hold_W(each, now_us) for each in range(3) if each != at]
        return now_us >= self._known_us and value_W + sum(others_W) <= self.connection_W


class WithoutWait(Ledger):
    """A dispatcher that starts takes all cabinets for idle."""

    def __init__(self, *given):
        super().__init__(*given)
        self._known_us, self._is_taken = 0, False


class WithoutFence(Ledger):
    """Once the wait of a take-over is over, a silent cabinet counts with its fallback."""

    def __init__(self, *given):
        super().__init__(*given)
        self._is_taken = False


class WithoutCount(Ledger):
    """An answer to the heartbeat of a take-over counts as: nothing is in force."""

    def answered(self, at, sequence, value_W, left_ms, now_us):
        if self._is_taken and not self.shares[at].is_heard:
            value_W, left_ms = self.shares[at].fallback_W, 0
        return super().answered(at, sequence, value_W, left_ms, now_us)


def started(make=Ledger, **cabinet):
    """A world whose dispatcher is past its wait and has read each cabinet."""
    found = world(make, **cabinet)
    by = found.starts()
    found.passes(ledger.lasts_us() + 1)
    for at in range(3):
        found.reports(by, at)
    return found, by


def lent(found, by, at, value_W=ALL_W):
    """A value arrives and its answer is read; False: it was not allowed."""
    sent = found.sends(by, at, value_W)
    report = sent and found.arrives(sent)
    if report:
        found.told(by, at, report)
    return bool(report)


def raised_before_the_answer(found, by):
    assert lent(found, by, 0)
    found.sends(by, 0, 100)  # is lost
    lent(found, by, 1)


def an_old_answer_of_the_same_value(found, by):
    before = found.arrives(found.sends(by, 0, None))
    assert lent(found, by, 0)
    found.sends(by, 0, 100)  # is lost
    found.read(by, 0, before)
    lent(found, by, 1)


def taken_late(found, by):
    late = found.sends(by, 0, ALL_W)
    found.passes(2_000_000)
    assert found.arrives(late)
    found.passes(1020 * ledger.VALID_MS - 1_900_000)
    lent(found, by, 1)


def arrives_after_its_end(found, by):
    late = found.sends(by, 0, ALL_W)
    found.passes(ledger.lasts_us() + 1)
    lent(found, by, 1)
    found.arrives(late)


def a_slow_clock(found, by):
    late = found.sends(by, 0, ALL_W)
    found.passes(2_000_000)
    assert found.arrives(late)
    found.passes(60_101_000)
    lent(found, by, 1)


def a_lease_below_the_fallback_ends(found, by):
    lent(found, by, 2, 0)
    lent(found, by, 0, 800)
    found.passes(30_000_000)
    lent(found, by, 0, 800)
    found.passes(31_000_000)


def restarted(found, by):
    assert lent(found, by, 0)
    again = found.starts()
    for at in (1, 2):
        found.reports(again, at)
    lent(found, again, 1)


def taken_over_at_once(found, by):
    assert lent(found, by, 0)
    second = found.starts(taken=True)
    found.reports(second, 1)
    lent(found, second, 1)


def the_earlier_one_renews(found, by, **taken):
    """Cabinet 0 never hears of the second dispatcher."""
    second = found.starts(**(taken or {"taken": True}))
    if taken:
        found.dispatchers.insert(0, by)
    for _ in range(4):
        assert lent(found, by, 0)
        found.passes(20_000_000)
    for at in (1, 2):
        found.reports(second, at)
        lent(found, second, at, None)
    lent(found, second, 1)


def restarted_after_a_take_over(found, by):
    """The right rule is not asked to hold here: such a restart has to say that it took over."""
    the_earlier_one_renews(found, by, taken=False)


def the_value_of_the_earlier_one(found, by):
    second = found.starts(taken=True)
    found.passes(ledger.lasts_us() + 1)
    assert lent(found, by, 0)
    for at in range(3):
        found.reports(second, at)
        lent(found, second, at, None)
    lent(found, second, 1)


def the_earlier_one_has_counted_further(found, by):
    second = found.starts(taken=True)
    found.passes(ledger.lasts_us() + 1)
    for at in range(3):
        found.reports(second, at)
        lent(found, second, at, None)
    assert lent(found, second, 1)
    for _ in range(5):
        lent(found, by, 0)


def a_reboot_after_a_take_over(found, by):
    second = found.starts(taken=True)
    found.passes(ledger.lasts_us() + 1)
    for at in range(3):
        found.reports(second, at)
        lent(found, second, at, None)
    assert lent(found, second, 1)
    found.cabinets[0].reboots()
    found.reports(by, 0)
    lent(found, by, 0)


def an_epoch_that_was_not_stored(found, by):
    """Each cabinet answers the second dispatcher, and forgets it at a reboot."""
    for each in found.cabinets:
        each.stores_late = True
    second = found.starts(taken=True)
    found.passes(ledger.lasts_us() + 1)
    for at in range(3):
        found.reports(second, at)
        lent(found, second, at, None)
    lent(found, second, 1)
    found.cabinets[0].reboots()
    found.reports(by, 0)
    lent(found, by, 0)


BROKEN = [
    (raised_before_the_answer, RaiseEarly, {}),
    (an_old_answer_of_the_same_value, ByValue, {}),
    (taken_late, WithoutWindow, {}),
    (arrives_after_its_end, Ledger, {"has_window": False}),
    (a_slow_clock, WithoutDrift, {"rates": (0.98, 1.0, 1.0)}),
    (a_lease_below_the_fallback_ends, BelowFallback, {}),
    (restarted, WithoutWait, {}),
    (taken_over_at_once, WithoutWait, {}),
    (the_earlier_one_renews, WithoutFence, {}),
    (the_value_of_the_earlier_one, WithoutCount, {}),
    (the_earlier_one_has_counted_further, Ledger, {"has_epochs": False}),
    (a_reboot_after_a_take_over, Ledger, {"is_epoch_kept": False}),
    (an_epoch_that_was_not_stored, Ledger, {"waits_for_store": False}),
]


@pytest.mark.parametrize("course, make, cabinet", BROKEN, ids=[each[0].__name__ for each in BROKEN])
def test_a_broken_version_exceeds_and_the_rule_keeps(course, make, cabinet):
    rates = {key: each for key, each in cabinet.items() if key == "rates"}
    right, by = started(**rates)
    course(right, by)
    assert right.worst_W <= CONNECTION_W
    wrong, by = started(make, **cabinet)
    course(wrong, by)
    assert wrong.worst_W > CONNECTION_W


def test_a_restart_after_a_take_over_has_to_say_so():
    found, by = started()
    restarted_after_a_take_over(found, by)
    assert found.worst_W > CONNECTION_W
    assert sum(FALLBACK_W) < CONNECTION_W


def test_a_cabinet_that_only_answers_takes_no_more_memory_with_time():
    by = Ledger(1000, [200], 1, 0, False)
    for now_s in range(1000):
        by.answered(0, by.next_sequence(), 200, 60_000, now_s * 1_000_000)
        by.forget_ended(now_s * 1_000_000)
    assert len(by._ends) <= 64


def test_what_a_hold_has_kept_is_free_at_its_end():
    """No plan has looked for ended values since: the ledger finds the end by itself."""
    found, by = started()
    assert found.sends(by, 0, ALL_W)
    assert by.room_W(1, found.now_us) == 100
    found.passes(63_469_387)
    assert by.room_W(1, found.now_us) == 100
    found.passes(1)
    assert by.room_W(1, found.now_us) == ALL_W
