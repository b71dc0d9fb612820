"""Revision of the store: what counts as a change, and which one of channel B is newer."""

from dataclasses import replace

import pytest
from cabinet_bench import Bench, found, with_peer

from controller.run.store_revision import StoreRevision
from controller.store import two_copies
from controller.store.stored_record import Record
from safety import signals as s
from tests.tables import cases

KEPT = Record(latches={"1a": 1}, changes=7)
OWN = StoreRevision(KEPT).durable


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
    revision, disk, record = StoreRevision(KEPT), Disk(), replace(KEPT, **{field: value})
    assert revision.count(record) == revision.count(record) == (8 if is_change else 7)
    revision.submitted(3)
    revision.submitted(4)
    revision.settle(disk)
    assert revision.durable == OWN
    disk.saved = 3
    revision.settle(disk)
    assert (revision.durable != OWN) == is_change and revision.durable[0] == (8 if is_change else 7)


@pytest.mark.parametrize(
    "kept, is_old",
    [(OWN, 0), ((0, 0), 0), ((6, 1), 0), ((7, OWN[1] ^ 1), 1), ((8, OWN[1]), 1), ((9, 0), 1)],
)
def test_a_mark_that_the_record_does_not_explain_is_told_once(kept, is_old):
    revision = StoreRevision(KEPT)
    assert revision.is_old(None) == 0
    revision.submitted(1)
    assert (revision.is_old(kept), revision.is_old(kept)) == (is_old, 0)
    revision.settle(SAVED)
    assert revision.durable == OWN, "no record says anything else yet"
    assert revision.count(KEPT) > kept[0] or not is_old, "the next record is newer than both"


def test_a_change_before_the_last_one_is_durable_waits_for_a_record_of_its_own():
    revision = StoreRevision(KEPT)
    for number, record in ((3, Record()), (5, KEPT)):
        revision.count(record)
        revision.settle(SAVED)
        assert revision.durable == OWN, "not handed over yet"
        revision.submitted(number)
    revision.settle(SAVED)
    assert revision.durable == (9, OWN[1])


def test_a_count_stays_within_a_frame():
    revision = StoreRevision(replace(KEPT, changes=s.INT_MAX))
    assert revision.count(Record()) == 0


@pytest.mark.parametrize("kept, standing", [((0, 0), []), ((1, 5), ["44d"])])
def test_an_old_store_asks_for_the_key_as_soon_as_channel_b_is_heard(kept, standing):
    bench, peer = with_peer(Bench(found(two_copies.CLEAN)))
    peer.keeps = None
    assert bench.tick(3).standing == []
    peer.keeps = kept
    assert bench.tick(2).standing == standing
    assert (bench.tick(60).state == "running") == (not standing)
    assert peer.store_revision == bench.cabinet._record_feed.revision.durable
    assert bool(standing) == (peer.store_revision[0] > 1)
