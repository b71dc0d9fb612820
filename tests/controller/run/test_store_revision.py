"""The mark of the store: what counts as a change, and which mark of channel B is a newer one."""

from dataclasses import replace

import pytest
from cabinet_bench import Bench, found, with_peer

from controller.run.mark import Mark
from controller.store import two_copies
from controller.store.stored_record import Record
from safety import signals as s
from tests.tables import cases

KEPT = Record(latches={"1a": 1}, changes=7)
OWN = Mark(KEPT).durable


class Disk:
    saved = 0

    def poll(self):
        return self.saved


SAVED = Disk()
SAVED.saved = 99


@cases("""
    field            value          is_change
    "latches"          {}             True
    "latches"          {"1a": 2}      False
    "latches"          {"2": 1}       True
    "locked_out"       "anna"         True
    "rest"             (1, "")        True
    "approved"         b"x"           True
    "armed"            1              False
    "token_ages_ms"    [5]            False
    "trips"            9              False
""")
def test_what_protects_is_counted_and_told_once_it_is_durable(field, value, is_change):
    mark, disk, record = Mark(KEPT), Disk(), replace(KEPT, **{field: value})
    assert mark.count(record) == mark.count(record) == (8 if is_change else 7)
    mark.submitted(3)
    mark.submitted(4)
    mark.settle(disk)
    assert mark.durable == OWN
    disk.saved = 3
    mark.settle(disk)
    assert (mark.durable != OWN) == is_change and mark.durable[0] == (8 if is_change else 7)


@pytest.mark.parametrize(
    "kept, is_old",
    [(OWN, 0), ((0, 0), 0), ((6, 1), 0), ((7, OWN[1] ^ 1), 1), ((8, OWN[1]), 1), ((9, 0), 1)],
)
def test_a_mark_that_the_record_does_not_explain_is_told_once(kept, is_old):
    mark = Mark(KEPT)
    assert mark.is_old(None) == 0
    mark.submitted(1)
    assert (mark.is_old(kept), mark.is_old(kept)) == (is_old, 0)
    mark.settle(SAVED)
    assert mark.durable == OWN, "no record says anything else yet"
    assert mark.count(KEPT) > kept[0] or not is_old, "the next record is newer than both"


def test_a_change_before_the_last_one_is_durable_waits_for_a_record_of_its_own():
    mark = Mark(KEPT)
    for number, record in ((3, Record()), (5, KEPT)):
        mark.count(record)
        mark.settle(SAVED)
        assert mark.durable == OWN, "not handed over yet"
        mark.submitted(number)
    mark.settle(SAVED)
    assert mark.durable == (9, OWN[1])


def test_a_count_stays_within_a_frame():
    mark = Mark(replace(KEPT, changes=s.INT_MAX))
    assert mark.count(Record()) == 0


@pytest.mark.parametrize("kept, standing", [((0, 0), []), ((1, 5), ["44d"])])
def test_an_old_store_asks_for_the_key_as_soon_as_channel_b_is_heard(kept, standing):
    bench, peer = with_peer(Bench(found(two_copies.CLEAN)))
    peer.keeps = None
    assert bench.tick(3).standing == []
    peer.keeps = kept
    assert bench.tick(2).standing == standing
    assert (bench.tick(60).state == "running") == (not standing)
    assert peer.mark == bench.cabinet._records.mark.durable
    assert bool(standing) == (peer.mark[0] > 1)
