"""Resets: none acts before it is stored, no cut of power frees what was latched."""

import random
from array import array

import pytest
from cabinet_bench import (
    NAMES,
    READY,
    RUN_TICKS,
    STORED_TICKS,
    Bench,
    found,
    restarted,
    running,
    with_peer,
)
from power_loss import cuts, disk_with, found_on, save_after_load
from slow import slow

from controller.core import image
from controller.core.base import standby
from controller.run import operator_commands
from controller.run.record_feed import TRIPS_UNSTORED_MAX
from controller.run.reset import PASSED_ON
from controller.store import two_copies
from safety import latches, matrix, signals as s
from tests.tables import cases

NO_RESET = [0, 0]
KEY_OUT, PRESSED = {s.KEY_RUN_OK: 0}, {s.ESTOP_1_OK: 0, s.ESTOP_2_OK: 0}
# The answer once the cause is back: an E-stop trips in that tick, another event than that seen.
RETURNED = {matrix.KEY: latches.CHANGED, matrix.REMOTE: latches.NOT_CLEAR_YET}
KINDS = pytest.mark.parametrize("kind", [matrix.REMOTE, matrix.KEY])


def tripped(kind=matrix.REMOTE):
    bench = running()
    if kind == matrix.KEY:
        bench.field.wrong.update(PRESSED)
        bench.tick(30)
        bench.field.wrong = dict(KEY_OUT)
    else:
        bench.trip()
    return bench.clear()


def waiting(kind=matrix.REMOTE):
    bench = tripped(kind).hold().reset(kind)
    assert bench.answers == [] and bench.stored.latches == {} and bench.latched
    return bench


def again(bench, kind):
    bench.field.wrong.update(PRESSED if kind == matrix.KEY else {bench.cell_at: 3700})
    return bench


def gone(bench, kind):
    bench.field.wrong = dict(KEY_OUT) if kind == matrix.KEY else {}
    return bench


def is_untouched(bench, held):
    assert bench.latched == bench.stored.latches.keys() == held
    return bench.stored.token_ages_ms == [] and bench.out[s.RESETS_LEFT] == 3


@KINDS
def test_a_reset_takes_effect_only_when_the_store_has_acknowledged_it(kind):
    bench = waiting(kind)
    held, spent = bench.latched, [0] * (kind == matrix.REMOTE)
    assert bench.stored.token_ages_ms == spent
    bench.tick(50)
    assert (bench.latched, bench.out[s.RESETS_LEFT], bench.answers) == (held, 3, [])
    bench.release(1).tick()
    assert bench.told(s.RESET_KIND) == kind and bench.out[s.RESET_RESULT] == latches.DONE
    assert bench.told("void_reset") == NO_RESET, "the kernel says how it ended"
    assert bench.latched == set() and bench.answers == [latches.DONE]
    assert bench.out[s.RESETS_LEFT] == 3 - len(spent) and bench.stored.latches == {}
    assert bench.stored.token_ages_ms == spent


def test_the_record_of_a_waiting_reset_spends_the_token_that_is_free():
    bench = tripped().hold()
    bench.kernel.latches.token_age[2] = 50
    assert sorted(bench.reset().stored.token_ages_ms) == [0, 1020]
    bench = tripped().hold()
    bench.kernel.latches.token_age[:] = array("i", [50, 60, 10**8])
    assert sorted(bench.reset().stored.token_ages_ms) == [0, 1020, 1220]


@KINDS
def test_a_reset_that_cannot_be_stored_is_void_and_says_so(kind):
    bench = waiting(kind)
    held, bench.keeper.ok = bench.latched, False
    bench.tick()
    assert bench.told("void_reset") == [kind, operator_commands.NOT_STORED]
    assert is_untouched(bench, held)
    bench.reset(kind)
    assert bench.answers == [operator_commands.NOT_STORED] * 2 and is_untouched(bench, held)


@KINDS
@pytest.mark.parametrize("missing_ticks", [0, 1, 3])
def test_a_reset_asked_for_when_the_five_seconds_end_is_void_unless_stored_in_time(
    kind, missing_ticks
):
    bench = tripped()
    bench.field.wrong.update(KEY_OUT)
    count = bench.kernel.evaluator.clear_count
    count[NAMES.index("29.rack1")] = bench.kernel.latches.clear_ticks - missing_ticks - 1
    bench.tick().hold().reset(kind)
    for _ in range(STORED_TICKS):
        assert "29.rack1" in bench.latched and bench.out[s.RESETS_LEFT] == 3
        assert bench.answers == [latches.NOT_CLEAR_YET] * bool(missing_ticks)
        bench.tick()
    answer = latches.NOT_CLEAR_YET if missing_ticks else operator_commands.NOT_STORED
    assert bench.answers == [answer] and bench.stored.token_ages_ms == []
    assert "29.rack1" in bench.stored.latches
    bench.release().tick(10)
    assert "29.rack1" in bench.latched and bench.out[s.RESETS_LEFT] == 3
    assert bench.reset(kind).answers[1:] == [latches.DONE], "the next one is judged anew"


@cases("""
    is_clear  kind           key  mask   answer
    False     matrix.REMOTE  1    None   latches.NOT_CLEAR_YET
    True      matrix.REMOTE  1    12345  latches.CHANGED
    True      matrix.KEY     1    None   latches.KEY_NEEDED
    True      matrix.KEY     0    None   latches.DONE
""")
def test_what_would_be_refused_is_answered_at_once_and_stores_nothing(
    is_clear, kind, key, mask, answer
):
    bench = running().trip()
    bench = (bench.clear() if is_clear else bench).key(key)
    held, count = bench.latched, len(bench.keeper.records)
    mask = bench.out[s.CAUSE_MASK] if mask is None else mask
    bench.cabinet.request_reset(kind, bench.out[s.FIRST_OUT_INSTANCE], mask, *image.PEER_EMPTY)
    bench.tick()
    assert bench.answers == [answer]
    if answer != latches.DONE:
        assert bench.told(s.RESET_KIND) == bench.out[s.RESET_RESULT] == 0
        assert bench.told("void_reset") == [kind, answer]
        assert bench.tick().told("void_reset") == NO_RESET, "in its tick alone"
        assert is_untouched(bench, held) and len(bench.keeper.records) == count


def test_a_record_that_comes_between_carries_the_reset_too_and_is_waited_for():
    loaded = found(two_copies.CLEAN, latches={"40b.rack1": 1}, token_ages_ms=[3_600_000 - 6000])
    bench = Bench(loaded).clear().hold().reset()
    bench.kernel.latches.token_age[0] = bench.kernel.latches.hour_ticks - 1
    bench.tick()  # the hour of the first token is over: a change of its own
    assert len(bench.keeper.records) == bench.keeper.durable + 2 and bench.stored.latches == {}
    assert bench.release(1).tick(20).standing == ["40b.rack1"]
    assert bench.release(1).tick().standing == [] and bench.answers == [latches.DONE]


def test_a_remote_reset_leaves_a_key_latch_and_the_fourth_of_an_hour_waits_over_a_restart():
    bench = Bench(found(two_copies.CLEAN, latches={"1a": 1, "29.rack1": 1})).clear().reset()
    assert bench.answers == [latches.DONE]
    assert bench.latched == bench.stored.latches.keys() == {"1a"}
    assert bench.reset().answers[-1] == latches.KEY_NEEDED
    bench.key(0).reset(matrix.KEY)
    assert bench.standing == ["47a"] and bench.stored.latches == {}
    assert bench.key(1).tick(20).standing == [] and bench.state == "ready", "a reset is no start"
    assert bench.told("rest")[0] == standby.ROW and bench.cabinet.request_run(1) == 0
    assert bench.tick(RUN_TICKS).state == "running"
    bench = running()
    for _ in range(4):
        bench.trip().clear().reset()
    assert bench.answers == [latches.DONE] * 3 + [latches.NO_TOKENS]
    start = (
        Bench(two_copies.Loaded(two_copies.ARMED, bench.keeper.records[-1], 1, [])).clear().reset()
    )
    assert start.answers == [latches.NO_TOKENS] and start.standing == ["44c", "29.rack1"]


def test_a_cut_of_power_at_any_record_never_frees_what_was_latched():
    """Each record may be the last durable one."""
    bench = tripped().reset().tick(5)
    assert bench.answers == [latches.DONE] and not bench.stored.latches
    assert any([record.latches for record in bench.keeper.records])
    for record in bench.keeper.records[2:]:
        freed = not record.armed and not record.latches
        assert (restarted(record).state == "running") == freed
        assert not freed or record.token_ages_ms


@KINDS
@pytest.mark.parametrize(
    "ticks_before, stands_ticks, late_ticks", [(0, 1, 0), (1, 120, 1), (30, 1, 50), (0, 120, 0)]
)
def test_a_cause_that_returns_ends_the_reset_and_its_latch_is_stored_in_that_tick(
    kind, ticks_before, stands_ticks, late_ticks
):
    """This is before any debounce; an acknowledgement that comes later clears nothing."""
    bench = waiting(kind).tick(ticks_before)
    held, count = bench.latched, len(bench.keeper.records)
    again(bench, kind).tick()
    assert bench.answers == [RETURNED[kind]] and bench.told("void_reset") == [kind, RETURNED[kind]]
    assert len(bench.keeper.records) == count + 1 and is_untouched(bench, held)
    gone(bench.tick(stands_ticks - 1), kind).tick(late_ticks).release(1).tick(5)
    bench.release(1).clear()
    assert bench.answers == [RETURNED[kind]] and is_untouched(bench, held)
    for record in bench.keeper.records[count:]:
        start = restarted(record)
        assert held <= set(start.standing) and start.state == "inhibited"
        assert start.out[s.RESETS_LEFT] == 3
    bench.release().reset(kind)
    assert bench.answers == [RETURNED[kind], latches.DONE] and bench.latched == set()
    assert bench.stored.token_ages_ms == [0] * (kind == matrix.REMOTE), "one reset, one token"


@cases("""
    kind  wrong
    matrix.KEY  {} | matrix.REMOTE  KEY_OUT | matrix.KEY  {**KEY_OUT, s.FIRE_ALARM_OK: 0}
    matrix.REMOTE  "cells of a rack that are not heard" | matrix.REMOTE  "another rack"
""")
def test_whatever_would_refuse_it_now_ends_a_reset_that_waits(kind, wrong):
    bench = waiting(kind)
    held, hear = bench.latched, bench.field.read
    if wrong == "another rack":
        bench.trip(rack=1)
        assert bench.stored.latches == {"29.rack1": 2, "29.rack2": 1}
    elif isinstance(wrong, str):
        fresh = bench.cabinet.image.fresh
        group = bench.layout.rack_group(0, s.G_BMS_CELLS)
        bench.field.read = lambda now_us: hear(now_us) or fresh.__setitem__(group, 0)
    else:
        bench.field.wrong = dict(wrong)
    bench.tick(40, elapsed=5)
    assert bench.answers == [latches.CHANGED] and bench.stored.token_ages_ms == []
    assert held <= bench.stored.latches.keys() == bench.latched
    assert held <= bench.release().tick(10).latched and bench.answers == [latches.CHANGED]


@pytest.mark.parametrize("mask", [None, 12345])
def test_a_second_reset_replaces_one_that_waits(mask):
    bench = waiting(matrix.KEY)
    held = bench.latched
    seen = bench.out[s.FIRST_OUT_INSTANCE], mask or bench.out[s.CAUSE_MASK]
    bench.cabinet.request_reset(matrix.KEY, *seen, *image.PEER_EMPTY)
    bench.tick()
    if mask:  # of a latch that no page has shown
        assert bench.answers == [latches.CHANGED] and is_untouched(bench, held)
        return
    assert bench.stored.latches == {} and bench.answers == []
    assert bench.release(1).tick().latched == held, "what is acknowledged is the first one's"
    again(bench, matrix.KEY).tick()
    assert bench.answers == [latches.CHANGED] and bench.stored.latches.keys() == held
    assert bench.release().tick(10).latched == held


def test_a_reset_asked_for_while_the_full_record_is_not_acknowledged_is_judged_anew():
    bench = waiting()
    again(bench, matrix.REMOTE).tick()
    gone(bench, matrix.REMOTE).reset()
    assert bench.answers == [latches.NOT_CLEAR_YET] * 2 and "29.rack1" in bench.stored.latches
    bench.clear().reset()
    assert bench.stored.latches == {} and "29.rack1" in bench.latched
    bench.release(2).tick()
    assert "29.rack1" in bench.latched, "the record of the first reset and the full one"
    assert bench.release().tick().latched == set() and bench.out[s.RESETS_LEFT] == 2


def test_a_lock_out_stored_meanwhile_carries_the_reset_no_further_than_its_cause_allows():
    bench = waiting()
    held = bench.latched
    bench.cabinet.request_lock_out("anna", True, is_awaited=False)
    assert bench.stored.latches == {}
    again(bench, matrix.REMOTE).tick()
    assert bench.stored.latches.keys() == held
    bench.release().tick(10)
    assert bench.stored.latches.keys() == bench.latched and held <= bench.latched


def records_of_a_return():
    bench = waiting(matrix.KEY)
    again(bench, matrix.KEY).tick()
    full, cleared, again_full = bench.keeper.records[-3:]
    assert full.latches.keys() == again_full.latches.keys() == {"1a", "1b"}
    assert cleared.latches == {}
    return full, cleared, again_full


def test_a_cut_while_the_latch_is_stored_again_finds_one_record_or_the_other():
    full, cleared, again_full = records_of_a_return()
    before, save = lambda: disk_with(full, cleared), lambda disk: save_after_load(disk, again_full)
    for disk, finished in cuts(before, save):
        loaded = found_on(disk)
        assert loaded.record in ([again_full] if finished else [cleared, again_full])
        assert loaded.lines == []


@pytest.mark.parametrize("copy", [0, 1])
@pytest.mark.parametrize("saved", [2, 3])
def test_a_copy_that_is_torn_frees_nothing(copy, saved):
    """Also a copy of the record with the reset: the other copy may have held a latch."""
    disk = disk_with(*records_of_a_return()[:saved])
    inode = disk.inodes[disk.names[two_copies.Store("d").paths[copy]]]
    inode[0] = inode[0][: len(inode[0]) // 2]
    start = Bench(found_on(disk)).tick(20)
    latched = {"1a", "1b"} if saved == 3 else set()
    assert start.state == "inhibited" and set(start.standing) == {"44d"} | latched


def test_a_reset_is_passed_on_once_stored_and_answered_when_both_have_ended_it():
    bench, peer = with_peer(tripped().hold())
    peer.standing = (7, 10)
    bench.reset(peer_seen=(7, 9)).tick(10)
    assert peer.orders == [] and bench.standing == ["29.rack1"]
    bench.release().tick()
    assert bench.standing == [] and bench.answers == [] and peer.orders == [(matrix.REMOTE, 7, 9)]
    assert bench.tick(20).answers == []
    peer.result = latches.CHANGED
    bench.tick()
    assert (bench.answers, bench.cabinet.peer_answer) == ([latches.DONE], latches.CHANGED)
    bench.tick(5)
    assert (bench.answers, bench.cabinet.peer_answer) == ([latches.DONE], latches.NONE)
    assert len(peer.orders) == 1


@cases("""
    before        kind           answer                        is_passed_on
    "clear"       matrix.REMOTE  latches.DONE                  True
    "active"      matrix.REMOTE  latches.NOT_CLEAR_YET         True
    "well"        matrix.REMOTE  latches.NOTHING               True
    "clear"       matrix.KEY     latches.KEY_NEEDED            False
    "no tokens"   matrix.REMOTE  latches.NO_TOKENS             False
    "not stored"  matrix.REMOTE  operator_commands.NOT_STORED  False
    "returns"     matrix.REMOTE  latches.NOT_CLEAR_YET         True
    "returns"     matrix.KEY     latches.CHANGED               False
""")
def test_what_is_refused_here_for_what_holds_there_too_is_not_passed_on(
    before, kind, answer, is_passed_on
):
    """Channel B judges for itself and may be reset alone."""
    made = {"well": running, "active": lambda: running().trip(), "returns": lambda: tripped(kind)}
    bench, peer = with_peer(made.get(before, tripped)())
    peer.at_once = latches.NOTHING
    if before == "no tokens":
        bench.kernel.latches.token_age[:] = array("i", [0, 0, 0])
    if before in ("not stored", "returns"):
        bench.hold().reset(kind, (7, 9))
        bench.keeper.ok = before == "returns"
        again(bench, kind if before == "returns" else None).tick()
    else:
        bench.reset(kind, (7, 9))
    assert (answer in PASSED_ON) == is_passed_on
    assert bench.answers == [answer] and peer.orders == [(kind, 7, 9)] * is_passed_on
    assert bench.cabinet.peer_answer == (latches.NOTHING if is_passed_on else latches.NONE)
    assert bench.stored.latches.keys() == bench.latched


def test_a_new_reset_is_not_answered_with_what_became_of_the_last_one():
    bench, peer = with_peer(running())
    bench.reset(peer_seen=(7, 9))
    bench.cabinet.request_reset(matrix.REMOTE, 0, 12345, 7, 9)
    peer.result = latches.DONE
    assert bench.tick(3).answers == [latches.CHANGED]


class Course:
    """Random causes, keys, resets and a slow store; no cut of power frees a latch."""

    def __init__(self, seed):
        self.draw = random.Random(seed)
        self.bench = running().hold()
        self.asked, self.ends = None, set()

    def run(self, rounds):
        kinds, draw = (matrix.REMOTE, matrix.KEY), self.draw
        for _ in range(rounds):
            kind = draw.choice(kinds)
            if draw.random() < 0.7:
                self._tick(again(self.bench, draw.choice(kinds)), draw.choice((1, 5, 110)))
            gone(self.bench, draw.choice(kinds))
            if draw.random() < 0.6:
                self.bench.clear()
            self._tick(self.bench, draw.choice((3, 10, 40)))
            self._ask(kind)
            self._tick(self.bench, draw.choice((1, 2, 10, 40)))
        return self.ends

    def _ask(self, kind):
        self.asked = kind, self.bench.out[s.FIRST_OUT_INSTANCE], self.bench.out[s.CAUSE_MASK]
        self.bench.cabinet.request_reset(*self.asked, *image.PEER_EMPTY)

    def _tick(self, bench, count):
        keeper = bench.keeper
        for _ in range(count):
            if self.draw.random() < 0.1:
                keeper.durable = self.draw.randint(keeper.durable, len(keeper.records))
            before, durable = bench.latched, keeper.records[keeper.poll() - 1]
            bench.tick()
            if bench.cabinet.answer:
                self.asked = None
                self.ends.add(bench.cabinet.answer)
            cleared = before - bench.latched
            assert cleared <= before - durable.latches.keys(), "cleared, and not yet stored so"
            lacking = bench.latched - keeper.records[-1].latches.keys()
            assert not lacking or self._is_granted(), f"a cut of power frees {lacking}"

    def _is_granted(self):
        kernel = self.bench.kernel
        key_out = kernel.features.ages.known(s.G_IO_1) and not kernel.inp[s.KEY_RUN_OK]
        return self.asked and kernel.latches.verdict(*self.asked, key_out) == latches.DONE


@pytest.mark.parametrize("seed", [7, *slow(2, 6)])
def test_in_any_course_what_is_latched_is_in_the_newest_record_unless_a_reset_waits(seed):
    assert {latches.DONE, latches.CHANGED, latches.NOT_CLEAR_YET} <= Course(seed).run(20)


def test_no_code_comes_a_second_time():
    """The same button after a restart had the code of before: who typed the old one reset the new
    trip unseen.
    """
    record, masks = READY, []
    for _ in range(3):
        bench = restarted(record)
        bench.field.wrong.update(PRESSED)
        masks.append(bench.tick(3).out[s.CAUSE_MASK])
        bench.field.wrong.clear()
        bench.tick(3).field.wrong.update(PRESSED)  # again, under its latch
        bench.tick(3).field.wrong.clear()
        assert bench.keeper.records[-1].trips == bench.kernel.evaluator.trips[0]
        bench.key(0).clear().reset(matrix.KEY).key(1)
        record = bench.keeper.records[-1]
        assert bench.standing == [] and record.trips > TRIPS_UNSTORED_MAX * len(masks)
    assert len(set(masks)) == 3
    lost = Bench(two_copies.Loaded(two_copies.MISSING, None, 0, [], salt=123_456)).tick()
    assert lost.kernel.evaluator.trips[0] > 123_456


def test_where_a_store_is_lost_the_count_of_trips_begins_anywhere(tmp_path):
    salts = {two_copies.Store(str(tmp_path)).load().salt for _ in range(4)}
    assert len(salts) > 1
