"""The stored record: its bytes, its refusals, the union of two different copies."""

import struct
from dataclasses import replace

import msgpack
import pytest

from controller.store import stored_record as sr
from controller.store.stored_record import Record, StoreError, decode, encode
from tests.tables import cases

FULL = Record(1, 0, {"12a": 2, "29.rack1": 1}, [0, 7], ("K\xe4fig 1",), (3, "a" * 16), "anna_1", 1)
APPROVED = Record(approved=b"\0\xff", approved_by="anna_1", trips=8, changes=9)
MEASURED = Record(path_delay=("0badcafe", 182))
EMPTY = {"armed": 0, "clean": 1, "latches": {}, "token_ages_ms": [], "values": {}}
APPROVED_VALUES = {"approved_by.anna_1": 1, "trips": 8, "changes": 9}
APPROVED_BODY = EMPTY | {"values": APPROVED_VALUES, "approved": b"\0\xff"}
MEASURED_BODY = EMPTY | {"values": {"path_delay.0badcafe": 182}}
# written by a controller of schema 1, before a record had typed fields
OLD_BODY = {"armed": 1, "clean": 0, "latches": {"12a": 2, "29.rack1": 1}, "token_ages_ms": [0, 7]}
OLD_NAMES = ("cabinet.K\xe4fig 1", "stopped." + "a" * 16, "locked_out.anna_1", "noc_verified")
OLD_BODY |= {"values": dict(zip(OLD_NAMES, (1, 3, 1, 1)))}


def sealed(generation, body):
    rest = struct.pack("<QI", generation, len(body)) + body
    return struct.pack("<8sI", b"FBSTORE\x01", sr.crc32(rest)) + rest


@cases("""
    record  body
    FULL  OLD_BODY | Record()  EMPTY | APPROVED  APPROVED_BODY | MEASURED  MEASURED_BODY
""")
def test_the_bytes_are_those_of_earlier_versions(record, body):
    assert encode(7, record) == sealed(7, msgpack.packb(body))
    assert decode(encode(7, record)) == (7, record)


def test_of_several_names_the_first_counts_and_of_cabinets_all():
    values = {"stopped.": 2, "stopped.anna": 1, "locked_out.b": 1, "locked_out.a": 1, "unknown": 9}
    body = {**EMPTY, "values": {**values, "cabinet.one": 1, "cabinet.two": 1}}
    found = decode(sealed(1, msgpack.packb(body)))[1]
    assert found == Record(cabinets=("one", "two"), rest=(2, ""), locked_out="b")


def test_every_flipped_bit_is_detected():
    content = encode(7, FULL)
    for at in range(len(content)):
        for bit in range(8):
            damaged = bytearray(content)
            damaged[at] ^= 1 << bit
            assert decode(bytes(damaged)) is None


NO_NAMES = ("a" * 17, "anna\0", "\xe4nna", "an\nna", "\U0001f511")
NO_PERSONS = [{"locked_out": name} for name in NO_NAMES] + [
    {"rest": (1, name)} for name in NO_NAMES
]


@cases(r"""
    wrong  words
    Record(latches=[1])  "latches in the store is a list, not a dict"
    Record(latches={"x" * sr.RECORD_BYTES_MAX: 1})  "at most 65512 fit"
    Record(token_ages_ms=[-1])  r"whole numbers from 0 to 2\^31 - 1"
    Record(token_ages_ms=[2**31])  "whole numbers" | Record(latches={"1a": [1]})  "whole numbers"
    Record(latches={7: 1})  "names of latches and values"
    *((Record(**each), "has no name of a person: at most 16 of ASCII") for each in NO_PERSONS)
""")
def test_a_wrong_record_is_refused_and_its_bytes_are_damaged(wrong, words):
    with pytest.raises(StoreError, match=words):
        encode(4, wrong)
    if "fit" not in words:
        assert decode(sealed(4, msgpack.packb(sr.on_disk(wrong)))) is None


OTHER_BODIES = ({"armed": 1}, EMPTY | {"more": 1}, EMPTY | {"approved": "text"})
OTHER_VALUES = ({"x": "y"}, {"locked_out.": 1}, {"approved_by.": 1})


@cases(r"""body
    b"\xc1" | b"\x05" | b"\x90" | b"\x80\x80" | b"\x81\x90\x01" | b"\xa1" | b""
    *([msgpack.packb(each)] for each in OTHER_BODIES)
    *([msgpack.packb({**EMPTY, "values": each})] for each in OTHER_VALUES)
""")
def test_other_content_with_a_right_crc_is_damaged(body):
    assert decode(sealed(3, body)) is None


def test_a_delay_of_another_path_does_not_count():
    assert sr.delay_of(MEASURED.path_delay, "0badcafe") == 182
    assert sr.delay_of(MEASURED.path_delay, "0badcaff") == 0
    assert sr.delay_of(sr.UNMEASURED, "0badcafe") == 0
    assert sr.union(MEASURED, Record()).path_delay == sr.UNMEASURED


def test_a_union_loses_no_latch_lock_out_or_rest():
    cabinets = ("K\xe4fig 1", "other")
    other = Record(0, 1, {"2": 1}, [], cabinets, (1, ""), "", 0)
    latches = {"12a": 2, "29.rack1": 1, "2": 1}
    unapproved = replace(other, armed=1, clean=0, trips=8, changes=9)
    found = sr.union(APPROVED, other), sr.union(other, APPROVED)
    assert found == (unapproved, unapproved), "which of two images was approved nobody knows"
    both = Record(1, 0, latches, [0, 7], cabinets, FULL.rest, "anna_1", 1)
    assert sr.union(FULL, other) == both
    turned = sr.union(other, FULL)
    assert set(turned.cabinets) == set(cabinets) and turned.rest == both.rest
    assert (turned.latches, turned.locked_out) == (latches, "anna_1")


@cases("""
    one_ms                  other_ms     both_ms
    []                      []           []
    [7]                     []           [7]
    [3_500_000, 3_400_000]  [10]         [10, 3_500_000]
    [10]                    [3_500_000]  [10]
    [10, 900]               [900, 10]    [10, 900]
    [900, 10, 5000]         [20, 700]    [10, 700, 5000]
""")
def test_a_union_keeps_number_and_youngest_ages_of_spent_tokens(one_ms, other_ms, both_ms):
    """The longer list may be almost an hour old and allow one more reset within minutes."""
    one, other = Record(token_ages_ms=one_ms), Record(token_ages_ms=other_ms)
    assert sr.union(one, other).token_ages_ms == sr.union(other, one).token_ages_ms == both_ms
