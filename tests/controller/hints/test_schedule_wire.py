"""A schedule on the wire and in the admission check: whole, signed, fresh, in range, or refused."""

import struct

import hint_admission
import pytest
from hint_admission import NONCE, NOW_MS, hint, key_bytes
from hypothesis import given as for_all, strategies as st

from controller.core.base import hint_codes as h
from controller.core.base.schedule_table import OPEN_W, Slot
from controller.hints import admission as hints, hint_statistics, schedule_wire as sw, wire as w
from tests.tables import cases

KEY = key_bytes(4)
PLAIN = Slot(400_000, -50_000, 60_000, 300)
LATER = {"start_ms": NOW_MS + 5000}
ANY_SLOT = st.builds(Slot, *[st.integers(-(2**31), 2**31 - 1)] * 3, st.integers(0, 65_535))


def plan(source="grid", sequence=1, slots=(PLAIN,), **fields):
    head = {"nonce": NONCE, "sent_ms": NOW_MS, "start_min": 29_600_000, "slot_min": 15}
    return sw.Schedule(source=source, sequence=sequence, purpose=7, slots=slots, **(head | fields))


@pytest.fixture
def check():
    return hint_admission.made()[0]


def sent(check, schedule, key=None, now_ms=NOW_MS):
    """(code, refused slot, refused field), None without an answer."""
    index = sorted(hint_admission.ROLES).index(schedule.source)
    data = sw.signed(schedule, key or key_bytes(index + 1))
    assert check.receive(data, "sender", now_ms) is None
    found, check.pending[:] = [each.refused for each in check.pending], []
    return tuple(found[0]) if found else None


def test_the_layout_is_the_documented_one():
    data = sw.signed(plan(slots=(PLAIN, PLAIN)), KEY)
    head = struct.unpack_from("<4s16s8sQQIHHH2x", data)
    assert head == (b"FBP1", b"grid" + bytes(12), NONCE, 1, NOW_MS, 29_600_000, 15, 2, 7)
    assert struct.unpack_from("<iiiH", data, 56 + 14) == PLAIN and len(data) == 88 + 2 * 14
    assert len(sw.signed(plan(slots=(PLAIN,) * 96), KEY)) == 1432 <= 1500
    assert sw.read("grid") == b"FBG1grid" + bytes(12)
    assert (sw.ANSWER.size, sw.TABLE.size + 32) == (88, 96)


@for_all(st.lists(ANY_SLOT, max_size=96), st.integers(0, 2**32 - 1), st.integers(0, 65_535))
def test_every_schedule_and_table_decodes_unchanged_and_only_under_its_key(
    slots, start_min, slot_min
):
    one = plan(slots=tuple(slots), start_min=start_min, slot_min=slot_min)
    data = sw.signed(one, KEY)
    assert sw.is_schedule(data) and sw.schedule_of(data) == one
    held = sw.Held("grid", NONCE, NOW_MS, "boss", start_min, slot_min, 1, 2, tuple(slots))
    data = sw.held_bytes(held, KEY)
    assert sw.held_of(data, KEY) == held == sw.held_of(data)
    assert sw.held_of(data, key_bytes(1)) is sw.held_of(data[:-1]) is None


def test_an_answer_decodes_unchanged_and_only_under_its_key():
    answer = sw.Answer("grid", NONCE, 2**64 - 1, 5, 29, 96, 4, 1, 2, 96)
    data = sw.answer_bytes(answer, KEY)
    assert sw.answer_of(data, KEY) == answer and sw.answer_of(data, key_bytes(1)) is None


@cases("""
    count  length  is_one
    96  1432  True | 96  1431  False | 96  1433  False | 95  1432  False | 97  1446  False
    0  88  True | 1  102  True | 1  88  False | 0  102  False | 0  87  False
""")
def test_length_and_number_of_slots_belong_together(check, count, length, is_one):
    head = sw.HEAD.pack(b"FBP1", w.name_field("grid"), NONCE, 1, NOW_MS, 29_600_000, 15, count, 7)
    data = head + sw.SLOT.pack(*PLAIN) * 97
    data = data[: length - 32]
    data += w.mac(KEY, data)
    assert sw.is_schedule(data) == is_one
    assert check.receive(data, "sender", NOW_MS) is None
    assert len(check.pending) == len(check.schedules) == is_one


def test_more_slots_than_96_have_no_datagram():
    with pytest.raises(ValueError, match="at most 96 slots, not 97"):
        sw.unsigned(plan(slots=(PLAIN,) * 97))


TWO = plan(slots=(PLAIN, PLAIN._replace(grid_cap_W=OPEN_W)))


@cases("""data
    w.signed(hint(), KEY)
    w.signed(hint(**LATER), KEY)
    sw.signed(TWO, KEY)""")
def test_no_bit_of_a_datagram_may_change(data):
    check, taken, statistics = hint_admission.made()
    for bit in range(8 * len(data)):
        spoilt = bytearray(data)
        spoilt[bit // 8] ^= 1 << bit % 8
        assert check.receive(bytes(spoilt), "sender", NOW_MS) is None
    assert not (taken or check.pending or check.schedules or check.later._waiting)
    bad_mac = sum([row[hint_statistics.BAD_MAC] for row in statistics.rows])
    assert bad_mac + sum(statistics.common) == 8 * len(data)


def test_it_is_taken_once(check):
    assert sent(check, TWO) == (0, 0, 0) and sent(check, TWO) == (h.OLD_SEQUENCE, 0, 0)
    assert check.schedules == [("grid", TWO)]


@cases("""
    fields  code
    {"nonce": bytes(8)}  h.OTHER_BOOT | {"sequence": 0}  h.OLD_SEQUENCE
    {"sent_ms": NOW_MS - 2001}  h.TOO_LATE | {"sent_ms": NOW_MS + 101}  h.TOO_EARLY
    {"slot_min": 0}  h.WRONG_SLOT | {"slot_min": 1}  0 | {"slot_min": 60}  0
    {"slot_min": 61}  h.WRONG_SLOT | {"start_min": 68_374_080}  0
    {"start_min": 68_374_081}  h.START_FAR | {"start_min": 2**32 - 1}  h.START_FAR
    {"slots": ()}  0 | {"slots": (), "slot_min": 0}  h.WRONG_SLOT
    {"slots": (), "start_min": 2**31}  h.START_FAR
    {"source": "caps"}  h.ROLE | {"source": "asks"}  h.ROLE | {"source": "boss"}  0
    {"source": "asks", "slots": (PLAIN._replace(grid_cap_W=OPEN_W),)}  0
""")
def test_freshness_header_and_role(check, fields, code):
    assert sent(check, plan(**fields))[0] == code and len(check.schedules) == (code == 0)


@cases("""
    slot  field
    {"grid_cap_W": 0}  0 | {"grid_cap_W": 10**9}  0 | {"grid_cap_W": 10**9 + 1}  1
    {"grid_cap_W": -1}  1 | {"grid_cap_W": OPEN_W}  0
    {"battery_low_W": -(10**9)}  0 | {"battery_low_W": -(10**9) - 1}  2
    {"battery_low_W": OPEN_W}  0
    {"battery_high_W": 10**9}  0 | {"battery_high_W": 10**9 + 1}  3 | {"battery_high_W": OPEN_W}  0
    {"battery_high_W": -50_000}  0 | {"battery_high_W": -50_001}  3
    {"reserve_permille": 1000}  0 | {"reserve_permille": 1001}  4
""")
def test_the_first_wrong_slot_is_named_and_nothing_is_taken(check, slot, field):
    wrong = PLAIN._replace(**slot)
    found = sent(check, plan(slots=(PLAIN, wrong, wrong)))
    assert found == ((h.WRONG_SLOT, 2, field) if field else (0, 0, 0))
    assert len(check.schedules) == (field == 0)


def test_it_uses_the_quota_of_the_source():
    check = hint_admission.made(hints_per_s_max=1)[0]
    assert sent(check, plan()) == (0, 0, 0) and sent(check, plan(sequence=2))[0] == h.RATE
    assert sent(check, plan(sequence=3), now_ms=NOW_MS + 1000)[0] == 0


def test_a_longer_datagram_that_was_cut_is_no_schedule():
    data = sw.signed(plan(slots=(PLAIN,) * 96), KEY) + bytes(1000)
    assert not any(sw.is_schedule(data[:length]) for length in range(1433, len(data)))
    assert w.DATAGRAM_BYTES_MAX == 1500 and (1500 - 88) % 14


def test_a_hint_with_a_start_time_has_no_length_but_its_own(check):
    data = w.signed(hint(**LATER), KEY)
    for wrong in (data[:-1], data + b"x", b"FBH1" + data[4:], data[:64] + data[64:88]):
        check.receive(wrong, "sender", NOW_MS)
    assert not check.pending and not check.later._waiting
    for _ in range(2):
        check.receive(data, "sender", NOW_MS)
    assert [each.code for each in check.pending] == [h.LATER, h.OLD_SEQUENCE]


def told(check, now_ms=NOW_MS, **fields):
    data = w.signed(hint(**fields), key_bytes(4))
    check.receive(data, "sender", now_ms)
    codes, check.pending[:] = [each.code for each in check.pending], []
    return codes


@cases("""
    fields  code
    {"start_ms": NOW_MS}  0 | {"start_ms": 1}  0 | {"start_ms": NOW_MS + 1}  h.LATER
    {"start_ms": NOW_MS + 3_600_000}  h.LATER | {"start_ms": NOW_MS + 3_600_001}  h.START_FAR
    {"start_ms": NOW_MS, "kind": h.HEARTBEAT, "quantity": 0, "value_W": 0}  h.START_FAR
    {"kind": h.EXACT, "quantity": h.POWER_W}  0 | {"kind": h.EXACT}  h.WRONG_QUANTITY
    {"kind": h.NOTICE, "quantity": h.PRICE_IS_NEGATIVE, "value_W": 1}  0
    {"kind": h.NOTICE, "quantity": h.PRICE_IS_NEGATIVE, "value_W": 2}  h.WRONG_VALUE
    {"kind": h.NOTICE, "quantity": h.PRICE_IS_NEGATIVE, "value_W": -1}  h.WRONG_VALUE
    {"kind": h.NOTICE, "quantity": h.STEP_W, "value_W": -(10**9)}  0
    {"kind": h.NOTICE, "quantity": h.STEP_W, "value_W": 10**9 + 1}  h.WRONG_VALUE
""")
def test_start_time_exact_power_and_notices_have_their_ranges(check, fields, code):
    assert told(check, **fields) == [code]


def test_a_hint_with_a_start_time_has_eight_bytes_more_and_begins_then():
    check, taken, statistics = hint_admission.made()
    assert len(w.signed(hint(**LATER), KEY)) == 96
    assert told(check, **LATER) == [h.LATER] and statistics.rows[3][0] == 1
    for now_ms, count in ((NOW_MS + 4999, 0), (NOW_MS + 5000, 1), (NOW_MS + 5001, 1)):
        check.later.begin(now_ms)
        assert taken == [(4, h.GRID_CAP, h.IMPORT_W_MAX, 400_000, 300_000, 0)] * count


def test_a_newer_hint_of_the_quantity_replaces_the_one_that_waits():
    check, taken, _ = hint_admission.made()
    told(check, **LATER)
    told(check, sequence=2, start_ms=NOW_MS + 9000, value_W=1)
    told(check, sequence=3, quantity=h.EXPORT_W_MAX, start_ms=NOW_MS + 8000, value_W=2)
    check.later.begin(NOW_MS + 9000)
    assert [each.value_W for each in taken] == [2, 1]


def test_a_hint_whose_tick_is_full_begins_in_a_later_tick():
    check, taken, _ = hint_admission.made()
    told(check, **LATER)
    for slots, count in ((0, 0), (1, 1)):
        check.place.slots = slots
        check.later.begin(NOW_MS + 5000)
        assert len(taken) == count


def test_a_revoked_key_takes_its_waiting_hints_with_it(check):
    told(check, **LATER)
    check.change_key(w.name_field("grid"), hints.key_of(key_bytes(9), 6), True, NOW_MS)
    assert check.later._waiting
    check.change_key(w.name_field("grid"), None, False, NOW_MS)
    assert not check.later._waiting


def test_a_step_enters_at_once_with_the_time_until_it():
    check, taken, _ = hint_admission.made()
    step = {"kind": h.NOTICE, "quantity": h.STEP_W}
    assert told(check, **LATER, **step) == [0] and told(check, sequence=2, **step) == [0]
    assert [each.start_ms for each in taken] == [5000, 0]


@pytest.mark.parametrize(("late_ms", "left_ms"), [(0, 2000), (1999, 1), (2000, None)])
def test_a_hint_that_begins_later_ends_when_it_should(late_ms, left_ms):
    check, taken, _ = hint_admission.made()
    told(check, **LATER, valid_ms=2000)
    check.later.begin(NOW_MS + 5000 + late_ms)
    assert [each.valid_ms for each in taken] == ([] if left_ms is None else [left_ms])
    assert not check.later._waiting
