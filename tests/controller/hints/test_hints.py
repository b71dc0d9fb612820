"""Hints at the desk: forged, replayed, late, reordered, truncated, oversized, of another boot: none
of them counts.
"""

import struct

import hint_desk
import pytest
from hint_desk import NONCE, NOW_MS, datagram, hint, key_bytes
from hypothesis import given as for_all
from hypothesis import strategies as st

from controller.core import hint_codes as h
from controller.hints import desk as hints
from controller.hints import hint_statistics
from controller.hints import wire as w


def counts(statistics, name="grid"):
    """{counter: value} of a source, where not 0."""
    row = statistics.rows[sorted(hint_desk.ROLES).index(name)]
    return {counter: row[at] for at, counter in enumerate(hint_statistics.OWN[:4]) if row[at]}


def common(statistics):
    return {
        counter: value for counter, value in zip(hint_statistics.COMMON, statistics.common) if value
    }


def answered(desk):
    """Result codes of what waits for the end of the tick; 0 = taken."""
    codes = [pending.code for pending in desk.pending]
    desk.pending.clear()
    return codes


def tell(desk, *hints_, now_ms=NOW_MS):
    for one in hints_:
        assert desk.receive(datagram(one), "sender", now_ms) is None
    return answered(desk)


def test_the_layout_is_the_documented_one():
    assert (w.HINT.size, w.HELLO.size, w.WELCOME.size, w.REPLY.size, w.SIGNED_BYTES) == (
        88,
        20,
        28,
        116,
        56,
    )
    assert w.STATE.size == 112 and w.status("grid") == b"FBS1grid" + bytes(12)
    data = datagram(hint())
    assert struct.unpack_from("<4s16s8sQQBBHiI", data) == (
        b"FBH1",
        b"grid" + bytes(12),
        NONCE,
        1,
        NOW_MS,
        3,
        4,
        7,
        400_000,
        300_000,
    )


def test_codes_are_append_only():
    assert {code: texts[0] for code, texts in h.TEXTS.items()} == {
        1: "granted",
        2: "granted, less in effect",
        3: "only narrows charging",
        4: "rests on a quota",
        5: "outranked",
        6: "waits for a heartbeat",
        7: "moved by an obligation",
        11: "wrong length",
        12: "wrong magic",
        13: "unknown source",
        14: "no key",
        15: "bad MAC",
        21: "other boot",
        22: "old sequence",
        23: "too late",
        24: "sent in the future",
        25: "unknown kind",
        26: "wrong quantity",
        27: "value out of range",
        30: "valid for too short",
        31: "valid for too long",
        32: "role not allowed",
        33: "too many a second",
        34: "busy",
        41: "not understood",
        42: "no controller",
        43: "no answer",
        44: "too many connections",
    }
    for name, sentence, remedy in h.TEXTS.values():
        assert name and sentence.endswith(".") and remedy and "\n" not in sentence + remedy
    assert h.label(h.VALID_LONG) == "H31" and h.taken(h.OUTRANKED) and not h.taken(h.BAD_MAC)


def test_a_good_hint_is_taken_once():
    desk, taken, statistics = hint_desk.made()
    assert tell(desk, hint()) == [0]
    assert taken == [(3, h.GRID_CAP, h.IMPORT_W_MAX, 400_000, 300_000)]
    assert tell(desk, hint()) == [h.OLD_SEQUENCE]  # the same bytes again
    assert len(taken) == 1 and counts(statistics) == {"accepted": 1, "refused": 1}


@pytest.mark.parametrize("length", [0, 1, 19, 21, 87, 89, 255, 256])
def test_any_other_length_gets_no_reply(length):
    desk, taken, statistics = hint_desk.made()
    data = (datagram(hint()) + bytes(200))[:length]
    assert desk.receive(data, "sender", NOW_MS) is None and answered(desk) == [] and taken == []
    assert common(statistics) == {"wrong_length": 1}


@for_all(st.integers(0, 88 * 8 - 1))
def test_one_flipped_bit_anywhere_gets_no_reply(bit):
    desk, taken, statistics = hint_desk.made()
    data = bytearray(datagram(hint()))
    data[bit // 8] ^= 1 << bit % 8
    assert (
        desk.receive(bytes(data), "sender", NOW_MS) is None and answered(desk) == [] and taken == []
    )
    assert counts(statistics) == {"bad_mac": 1} or sum(statistics.common) == 1


@for_all(
    st.binary(min_size=88, max_size=88)
    | st.binary(min_size=20, max_size=20)
    | st.binary(max_size=300)
)
def test_garbage_is_counted_and_nothing_else(data):
    desk, taken, statistics = hint_desk.made()
    assert desk.receive(data, "sender", NOW_MS) is None and answered(desk) == [] and taken == []
    assert sum(statistics.common) == 1


@pytest.mark.parametrize("key", [key_bytes(9), key_bytes(1), bytes(32), b""])
def test_another_key_gets_no_reply(key):
    desk, taken, statistics = hint_desk.made()
    desk.receive(datagram(hint(), key or b"\0"), "sender", NOW_MS)
    assert answered(desk) == [] and taken == [] and counts(statistics) == {"bad_mac": 1}
    assert statistics.rows[3][hint_statistics.LAST_CODE] == h.BAD_MAC


def test_a_source_without_a_key_and_one_nobody_knows_get_no_reply():
    desk, taken, statistics = hint_desk.made()
    desk.change_key(w.name_field("grid"), None, False, NOW_MS)
    desk.receive(datagram(hint()), "sender", NOW_MS)
    assert statistics.rows[3][hint_statistics.LAST_CODE] == h.NO_KEY and counts(statistics) == {
        "bad_mac": 1
    }
    desk.receive(datagram(hint("nobody")), "sender", NOW_MS)
    assert desk.receive(w.hello("nobody"), "sender", NOW_MS) is None
    assert common(statistics) == {"unknown_source": 2} and answered(desk) == [] and taken == []


def test_another_boot_is_told_so_whatever_else_is_right():
    desk, taken, statistics = hint_desk.made()
    assert tell(desk, hint(nonce=bytes(8), sequence=50)) == [h.OTHER_BOOT]
    # a sequence of another boot uses up none of this
    assert tell(desk, hint(sequence=1)) == [0] and len(taken) == 1


@pytest.mark.parametrize(
    "sent_ms, code",
    [
        (NOW_MS - 2001, h.TOO_LATE),
        (NOW_MS - 2000, 0),
        (NOW_MS, 0),
        (NOW_MS + 100, 0),
        (NOW_MS + 101, h.TOO_EARLY),
        (0, h.TOO_LATE),
        (2**64 - 1, h.TOO_EARLY),
    ],
)
def test_how_old_a_hint_may_be(sent_ms, code):
    desk, taken, _ = hint_desk.made()
    assert tell(desk, hint(sent_ms=sent_ms)) == [code] and len(taken) == (code == 0)


def test_reordered_hints_count_up_only():
    desk, taken, _ = hint_desk.made()
    codes = tell(
        desk,
        *[hint(sequence=each, value_W=min(each, 9)) for each in (5, 4, 6, 6, 1, 2**64 - 1, 7, 0)],
    )
    old = h.OLD_SEQUENCE
    assert codes == [0, old, 0, old, old, 0, old, old]
    assert [words[3] for words in taken] == [5, 6, 9]


def test_a_refused_hint_cannot_be_replayed_when_its_reason_has_gone():
    """Somebody keeps what the quota refused and sends it again a second later."""
    desk, taken, _ = hint_desk.made(hints_per_s_max=1)
    assert tell(desk, hint(sequence=1), hint(sequence=2)) == [0, h.RATE]
    assert tell(desk, hint(sequence=2), now_ms=NOW_MS + 1500) == [h.OLD_SEQUENCE]
    assert tell(desk, hint(sequence=3), now_ms=NOW_MS + 1500) == [0] and len(taken) == 2


def test_sources_have_sequences_of_their_own():
    desk, taken, _ = hint_desk.made()
    assert tell(desk, hint("grid", 9), hint("boss", 1), hint("boss", 2), hint("grid", 9)) == [
        0,
        0,
        0,
        h.OLD_SEQUENCE,
    ]


@pytest.mark.parametrize(
    "fields, code",
    [
        ({"kind": 0}, h.UNKNOWN_KIND),
        ({"kind": 5}, h.UNKNOWN_KIND),
        ({"kind": 255}, h.UNKNOWN_KIND),
        ({"kind": h.CAP}, h.WRONG_QUANTITY),
        ({"quantity": 0}, h.WRONG_QUANTITY),
        ({"quantity": 6}, h.WRONG_QUANTITY),
        ({"kind": h.HEARTBEAT}, h.WRONG_QUANTITY),
        ({"kind": h.HEARTBEAT, "quantity": 0}, h.WRONG_VALUE),
        ({"kind": h.HEARTBEAT, "quantity": 0, "value_W": 0, "valid_ms": 0}, h.VALID_SHORT),
        ({"kind": h.HEARTBEAT, "quantity": 0, "value_W": 0, "valid_ms": 1000}, 0),
        ({"kind": h.HEARTBEAT, "quantity": 0, "value_W": 0, "valid_ms": 300_001}, h.VALID_LONG),
        ({"value_W": -1}, h.WRONG_VALUE),
        ({"value_W": 0}, 0),
        ({"value_W": 10**9}, 0),
        ({"value_W": 10**9 + 1}, h.WRONG_VALUE),
        ({"kind": h.REQUEST, "quantity": h.POWER_W, "value_W": -(10**9)}, 0),
        ({"kind": h.REQUEST, "quantity": h.POWER_W, "value_W": -(10**9) - 1}, h.WRONG_VALUE),
        ({"kind": h.CAP, "quantity": h.CHARGE_W_MAX, "value_W": -1}, h.WRONG_VALUE),
        ({"valid_ms": 0}, h.VALID_SHORT),
        ({"valid_ms": 999}, h.VALID_SHORT),
        ({"valid_ms": 1000}, 0),
        ({"valid_ms": 300_000}, 0),
        ({"valid_ms": 300_001}, h.VALID_LONG),
        ({"valid_ms": 2**32 - 1}, h.VALID_LONG),
    ],
)
def test_what_a_hint_may_say(fields, code):
    """evcc-io/evcc issue 25545: a negative limit was taken; pull 32492: a limit without a
    duration.
    """
    desk, taken, _ = hint_desk.made()
    assert tell(desk, hint(**fields)) == [code] and len(taken) == (code == 0)


@pytest.mark.parametrize(
    "source, says", [("caps", "cCDI"), ("asks", "cCDIP"), ("grid", "cCDIPE"), ("boss", "cCDIPE")]
)
def test_what_each_role_may_say(source, says):
    """An import maximum is open to all: without the role it only narrows charging."""
    quantities = {
        "c": 0,
        "C": h.CHARGE_W_MAX,
        "D": h.DISCHARGE_W_MAX,
        "P": h.POWER_W,
        "I": h.IMPORT_W_MAX,
        "E": h.EXPORT_W_MAX,
    }
    for letter, quantity in quantities.items():
        desk, _, _ = hint_desk.made()
        one = hint(source, kind=h.KIND_OF[quantity], quantity=quantity, value_W=0)
        assert tell(desk, one) == [0 if letter in says else h.ROLE], letter


@pytest.mark.parametrize("maximum", [1, 2, 10, 50])
def test_the_quota_of_hints_in_any_second(maximum):
    desk, taken, statistics = hint_desk.made(hints_per_s_max=maximum)
    desk.place.slots = 1000
    sequence = iter(range(1, 1000))
    assert tell(desk, *[hint(sequence=next(sequence)) for _ in range(maximum)]) == [0] * maximum
    assert tell(desk, hint(sequence=next(sequence)), now_ms=NOW_MS + 999) == [h.RATE]
    assert tell(desk, hint(sequence=next(sequence)), now_ms=NOW_MS + 1000) == [0]
    assert tell(desk, hint("boss", 1), now_ms=NOW_MS + 1000) == [0]  # nobody else's is touched
    assert counts(statistics) == {"accepted": maximum + 1, "refused": 1}


@for_all(st.lists(st.integers(0, 400), max_size=60), st.integers(1, 5))
def test_no_second_ever_holds_more_than_the_quota(gaps_ms, maximum):
    desk, _, _ = hint_desk.made(hints_per_s_max=maximum)
    desk.place.slots = 1000
    now_ms, taken_ms = NOW_MS, []
    for sequence, gap_ms in enumerate(gaps_ms, 1):
        now_ms += gap_ms
        if tell(desk, hint(sequence=sequence, sent_ms=now_ms), now_ms=now_ms) == [0]:
            taken_ms.append(now_ms)
        else:
            # refused for no other reason
            assert sum(now_ms - 1000 < each for each in taken_ms) == maximum
    assert all(
        sum(first <= each < first + 1000 for each in taken_ms) <= maximum for first in taken_ms
    )


def test_a_tick_whose_slots_are_taken_says_busy_and_uses_no_quota():
    desk, taken, statistics = hint_desk.made(hints_per_s_max=1)
    desk.place.slots = 0
    assert tell(desk, hint(sequence=1)) == [h.BUSY]
    desk.place.slots = 1
    assert tell(desk, hint(sequence=2)) == [0]


def test_a_hello_tells_nonce_uptime_and_highest_sequence():
    desk, _, _ = hint_desk.made()
    tell(desk, hint(sequence=41))
    assert w.welcome_of(desk.receive(w.hello("grid"), "sender", NOW_MS + 3)) == (
        NONCE,
        NOW_MS + 3,
        41,
    )
    assert w.welcome_of(desk.receive(w.hello("boss"), "sender", NOW_MS)) == (NONCE, NOW_MS, 0)


# -- keys


def by(desk, sequence, key, now_ms=NOW_MS):
    """True when a hint under this key got through."""
    desk.receive(datagram(hint(sequence=sequence, sent_ms=now_ms), key), "sender", now_ms)
    return answered(desk) == [0]


OLD, NEW, NEWEST = key_bytes(4), key_bytes(20), key_bytes(21)
GRID = w.name_field("grid")


def test_a_rotated_key_lasts_until_the_new_one_is_used():
    desk, _, statistics = hint_desk.made()
    assert desk.change_key(GRID, hints.key_of(NEW, 6), True, NOW_MS)
    assert (
        by(desk, 1, OLD)
        and by(desk, 2, OLD)
        and by(desk, 3, NEW)
        and not by(desk, 4, OLD)
        and by(desk, 5, NEW)
    )
    assert statistics.rows[3][hint_statistics.OLD_KEY_UNTIL_MS] == 0
    assert statistics.rows[3][hint_statistics.KEY_MADE_S] == 6


@pytest.mark.parametrize(
    "later_ms, lasts", [(hints.OLD_KEY_MS - 1, True), (hints.OLD_KEY_MS, False)]
)
def test_a_rotated_key_lasts_a_day_at_most(later_ms, lasts):
    desk, _, _ = hint_desk.made()
    desk.change_key(GRID, hints.key_of(NEW, 6), True, NOW_MS)
    assert by(desk, 1, OLD, NOW_MS + later_ms) == lasts
    assert by(desk, 2, NEW, NOW_MS + later_ms)


def test_two_rotations_leave_one_old_key():
    desk, _, _ = hint_desk.made()
    desk.change_key(GRID, hints.key_of(NEW, 6), True, NOW_MS)
    desk.change_key(GRID, hints.key_of(NEWEST, 7), True, NOW_MS)
    assert (
        not by(desk, 1, OLD) and by(desk, 2, NEW) and by(desk, 3, NEWEST) and not by(desk, 4, NEW)
    )


def test_a_set_key_replaces_and_a_revoked_one_is_gone_at_once():
    desk, _, _ = hint_desk.made()
    desk.change_key(GRID, hints.key_of(NEW, 6), False, NOW_MS)
    assert not by(desk, 1, OLD) and by(desk, 2, NEW)
    desk.change_key(GRID, hints.key_of(NEWEST, 7), True, NOW_MS)
    desk.change_key(GRID, None, False, NOW_MS)
    assert not by(desk, 3, NEW) and not by(desk, 4, NEWEST)
    assert not desk.change_key(w.name_field("nobody"), None, False, NOW_MS)


def test_a_forgery_under_the_new_key_does_not_end_the_old_one():
    desk, _, _ = hint_desk.made()
    desk.change_key(GRID, hints.key_of(NEW, 6), True, NOW_MS)
    assert not by(desk, 1, NEWEST) and by(desk, 2, OLD)


def sequence_told(desk):
    return w.welcome_of(desk.receive(w.hello("grid"), "sender", NOW_MS)).sequence


HIGHEST = 2**64 - 1


@pytest.mark.parametrize("spent", [HIGHEST, HIGHEST - 1, 2**63])
def test_a_leaked_key_locks_nobody_out_beyond_its_rotation(spent):
    """Somebody uses up all sequences under a key; the owner rotates it and goes on from what the
    hello tells.
    """
    desk, _, _ = hint_desk.made()
    assert by(desk, spent, OLD) and sequence_told(desk) == spent
    desk.change_key(GRID, hints.key_of(NEW, 6), True, NOW_MS)
    assert sequence_told(desk) == 0
    assert by(desk, 1, NEW) and sequence_told(desk) == 1 and not by(desk, 1, NEW)


def test_a_thief_with_the_old_key_leaves_room_above_the_first_use_of_the_new_one():
    desk, _, _ = hint_desk.made()
    desk.change_key(GRID, hints.key_of(NEW, 6), True, NOW_MS)
    assert by(desk, 2**63 - 1, OLD)
    assert (
        by(desk, sequence_told(desk) + 1, NEW)
        and sequence_told(desk) == 2**63
        and by(desk, 2**63 + 1, NEW)
    )


def test_a_rotation_takes_nobodys_count_away():
    """The hello tells what is new under either key; nothing under the old one counts a second
    time.
    """
    desk, _, _ = hint_desk.made()
    assert by(desk, 41, OLD)
    desk.change_key(GRID, hints.key_of(NEW, 6), True, NOW_MS)
    assert sequence_told(desk) == 41 and not by(desk, 41, OLD)
    assert by(desk, 42, OLD) and by(desk, 43, NEW)


def test_a_key_made_anew_after_its_revocation_begins_at_0():
    desk, _, _ = hint_desk.made()
    assert by(desk, HIGHEST, OLD)
    desk.change_key(GRID, None, False, NOW_MS)
    assert sequence_told(desk) == 0
    desk.change_key(GRID, hints.key_of(NEW, 6), False, NOW_MS)
    assert sequence_told(desk) == 0 and by(desk, 1, NEW)


# -- what the cabinet can do and does

STATE = w.State(
    "grid", NONCE, NOW_MS, -5, -6, 7, -1, 300, 100, 217, 301, 65_535, "a_source_of_16_c"
)


def told(desk, source="grid", now_ms=NOW_MS):
    return desk.receive(w.status(source), "sender", now_ms)


@pytest.fixture
def knowing():
    """A desk that knows a state."""
    desk, _, statistics = hint_desk.made()
    desk._state = lambda source, now_ms: STATE._replace(source=source, uptime_ms=now_ms)
    return desk, statistics


def test_a_state_comes_back_as_it_was_and_only_under_its_key():
    data = w.state_bytes(STATE, OLD)
    assert w.state_of(data, OLD) == STATE == w.state_of(data)
    assert (
        w.state_of(data, NEW) is None
        and w.state_of(data[:-1]) is None
        and w.state_of(b"FBR1" + data[4:]) is None
    )
    for bit in range(8 * (len(data) - 32)):
        spoilt = bytearray(data)
        spoilt[bit // 8] ^= 1 << bit % 8
        assert w.state_of(bytes(spoilt), OLD) is None
    assert (
        w.state_of(w.state_bytes(STATE._replace(control_source=""), OLD), OLD).control_source == ""
    )


def test_who_asks_for_the_state_gets_it_signed_at_once(knowing):
    desk, statistics = knowing
    assert w.state_of(told(desk), OLD) == STATE
    assert answered(desk) == [] and common(statistics) == {"hellos": 1}
    assert told(desk, "nobody") is None and common(statistics) == {"hellos": 1, "unknown_source": 1}
    desk.change_key(GRID, None, False, NOW_MS)
    assert told(desk) is None


def test_during_a_rotation_a_state_is_signed_with_the_key_the_source_has(knowing):
    desk, _ = knowing
    desk.change_key(GRID, hints.key_of(NEW, 6), True, NOW_MS)
    assert w.state_of(told(desk), OLD)
    assert w.state_of(told(desk, now_ms=NOW_MS + hints.OLD_KEY_MS - 1), OLD)
    assert w.state_of(told(desk, now_ms=NOW_MS + hints.OLD_KEY_MS), NEW)
    assert by(desk, 1, NEW) and w.state_of(told(desk), NEW)


# -- bytes of the sender's side


@pytest.mark.parametrize("name", ["", "a" * 17, "gr\0d", "gr\xefd"])
def test_a_name_that_does_not_fit_is_refused(name):
    with pytest.raises(ValueError):
        w.name_field(name)


def test_a_reply_comes_back_as_it_was_and_only_under_its_key():
    reply = w.Reply(
        "grid",
        NONCE,
        2**64 - 1,
        5,
        31,
        3,
        4,
        -5,
        w.NOTHING_W,
        2**32 - 1,
        7,
        -8,
        9,
        301,
        217,
        -10,
        65_535,
    )
    data = w.reply_bytes(reply, OLD)
    assert w.reply_of(data, OLD) == reply == w.reply_of(data)
    assert (
        w.reply_of(data, NEW) is None
        and w.reply_of(data[:-1]) is None
        and w.reply_of(b"FBX1" + data[4:]) is None
    )


@pytest.mark.parametrize(
    "name, found", [("import_W_max", (3, 4)), ("power_W", (2, 3)), ("heartbeat", (4, 0))]
)
def test_a_quantity_by_its_name(name, found):
    assert w.quantity_of(name) == found


def test_a_quantity_nobody_knows_names_those_there_are():
    with pytest.raises(ValueError, match="charge_W_max, .*, heartbeat"):
        w.quantity_of("import_max")
