"""The one rule by which a change of an operator takes effect and is stored."""

import pytest
from cabinet_bench import Keeper

from controller.run import operator_commands as oc
from controller.run.stored_value import StoredValue

OLD, NEW = "old", "new"
BOTH = pytest.mark.parametrize("change", ["take_effect", "store_first"])


class Change:
    """A value and a store that acknowledges the first `keeper.durable` records."""

    def __init__(self, change, is_awaited=True, value=NEW):
        self.shown, self.keeper = [], Keeper([], durable=0)
        self.value = StoredValue(OLD, self.shown.append)
        self.ask(change, is_awaited, value)

    def ask(self, change, is_awaited=True, value=NEW):
        getattr(self.value, change)(value, is_awaited)

    def submit(self):
        self.value.submitted(self.keeper.submit(self.value.chosen))
        return self

    def settle(self, elapsed_ms=20):
        return self.value.settle(self.keeper, elapsed_ms)

    @property
    def now(self):
        return self.value.in_effect, self.value.chosen


def test_nothing_asked_is_nothing_answered():
    value, shown = StoredValue(OLD), []
    assert value.settle(Keeper([]), 20) == 0 and (value.in_effect, value.is_new) == (OLD, False)
    assert StoredValue(OLD, shown.append).chosen == OLD and shown == [OLD]


@BOTH
@pytest.mark.parametrize("is_awaited", [True, False])
def test_a_change_takes_effect_before_it_is_stored_or_after(change, is_awaited):
    act = Change(change, is_awaited)
    first = NEW if change == "take_effect" else OLD
    assert act.value.is_new and act.settle() == 0 and act.now == (first, NEW)
    act.submit()
    assert not act.value.is_new and act.settle() == 0 and act.now == (first, NEW)
    act.keeper.durable = 1
    assert act.settle() == (oc.ACCEPTED if is_awaited else 0) and act.now == (NEW, NEW)
    assert act.settle() == 0 and act.shown == [OLD, NEW]


def test_no_later_record_is_waited_for_and_a_second_change_takes_no_answer_away():
    for change in ("store_first", "take_effect"):
        act = Change(change).submit()
        if change == "store_first":
            act.submit()
        else:
            act.ask(change, False)
        act.keeper.durable = 1
        assert act.settle() == oc.ACCEPTED


@BOTH
@pytest.mark.parametrize("is_awaited", [True, False])
@pytest.mark.parametrize("is_submitted", [True, False])
def test_a_store_that_fails_voids_what_is_not_in_effect(change, is_awaited, is_submitted):
    act = Change(change, is_awaited)
    if is_submitted:
        act.submit()
    act.keeper.ok = False
    is_void = change == "store_first"
    answer = oc.NOT_STORED if is_void else oc.UNSTORED
    assert act.settle() == answer * is_awaited and act.settle() == 0
    assert act.now == ((OLD, OLD) if is_void else (NEW, NEW))
    assert act.value.is_new == (is_void or not is_submitted), "the next record says it"


@BOTH
def test_nobody_waits_longer_than_the_deadline(change):
    act = Change(change).submit()
    assert act.settle(oc.STORED_MS) == 0
    assert act.settle(1) == (oc.UNSTORED if change == "take_effect" else oc.NOT_STORED)
    act.keeper.durable = 9
    assert act.settle() == 0 and act.now == ((NEW, NEW) if change == "take_effect" else (OLD, OLD))


def test_a_change_that_nobody_awaits_has_no_deadline_and_each_request_has_the_whole_time():
    act = Change("store_first", False).submit()
    assert act.settle(10 * oc.STORED_MS) == 0
    act.keeper.durable = 1
    assert act.settle() == 0 and act.now == (NEW, NEW)
    for change, late in (("store_first", oc.NOT_STORED), ("take_effect", oc.UNSTORED)):
        act = Change(change).submit()
        act.settle(oc.STORED_MS)
        act.ask(change)
        assert act.settle(oc.STORED_MS) == 0 and act.settle(1) == late


@BOTH
def test_what_is_so_already_is_answered_and_not_new(change):
    act = Change(change, value=OLD)
    assert not act.value.is_new and act.settle() == oc.ACCEPTED


@pytest.mark.parametrize("is_awaited", [True, False])
def test_what_takes_effect_overrules_what_is_not_stored_yet(is_awaited):
    act = Change("store_first").submit()
    act.ask("take_effect", is_awaited, "safe")
    assert act.now == ("safe", "safe") and act.settle() == oc.OVERRULED and act.settle() == 0
    act.submit()
    act.keeper.durable = 2
    assert act.settle() == oc.ACCEPTED * is_awaited and act.now == ("safe", "safe")


def test_what_is_voided_is_in_no_later_record_and_answered_to_who_waits():
    act = Change("store_first").submit()
    assert act.value.void(7) == 7 and act.now == (OLD, OLD) and act.value.is_new
    act.submit()
    assert act.value.void(7) == 0 and not act.value.is_new
    act.keeper.durable = 2
    assert act.settle() == 0 and act.shown == [OLD]
