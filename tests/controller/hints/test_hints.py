"""A hint is refused if it is forged, replayed, late, reordered, cut or of another boot."""

import struct

import hint_admission
import pytest
from hint_admission import NONCE, NOW_MS, datagram, hint, key_bytes
from hypothesis import given as for_all, strategies as st

from controller.core.base import hint_codes as h
from controller.hints import admission as hints, hint_statistics, wire as w
from tests.tables import cases

OLD, NEW, NEWEST = key_bytes(4), key_bytes(20), key_bytes(21)
GRID = w.name_field("grid")
HIGHEST = 2**64 - 1


@pytest.fixture
def made():
    return hint_admission.made()


@pytest.fixture
def check(made):
    return made[0]


def row(statistics, name="grid"):
    values = statistics.rows[sorted(hint_admission.ROLES).index(name)]
    return dict(zip(hint_statistics.OWN, values, strict=True))


def counts(statistics):
    """Counters accepted, limited, refused, bad_mac that are not 0."""
    return {name: each for name, each in [*row(statistics).items()][:4] if each}


def common(statistics):
    pairs = zip(hint_statistics.COMMON, statistics.common, strict=True)
    return {counter: value for counter, value in pairs if value}


def answered(check):
    """Result codes of the pending hints; 0: accepted."""
    codes, check.pending[:] = [pending.code for pending in check.pending], []
    return codes


def tell(check, *hints_, now_ms=NOW_MS):
    for one in hints_:
        assert check.receive(datagram(one), "sender", now_ms) is None
    return answered(check)


def by(check, sequence, key, now_ms=NOW_MS):
    check.receive(datagram(hint(sequence=sequence, sent_ms=now_ms), key), "sender", now_ms)
    return answered(check) == [0]


def rotate(check, key, made_s=6):
    return check.change_key(GRID, hints.key_of(key, made_s), True, NOW_MS)


def welcome(check, source="grid", now_ms=NOW_MS):
    return w.welcome_of(check.receive(w.hello(source), "sender", now_ms))


def test_the_layout_is_the_documented_one():
    sizes = [each.size for each in (w.HINT, w.HINT2, w.HELLO, w.WELCOME, w.REPLY, w.STATE)]
    assert sizes == [88, 96, 20, 28, 116, 112]
    assert w.status("grid") == b"FBS1grid" + bytes(12)
    head = (b"FBH1", b"grid" + bytes(12), NONCE, 1, NOW_MS)
    words = (3, 4, 7, 400_000, 300_000)
    assert struct.unpack_from("<4s16s8sQQBBHiI", datagram(hint())) == head + words


CODES = """
    1 granted, 2 partly granted, 3 only narrows charging, 4 waits for its quota, 5 outranked,
    6 waits for a heartbeat, 7 moved by an obligation, 8 begins later,
    9 farther than the steps known, 11 wrong length, 12 wrong magic,
    13 unknown source, 14 no key, 15 bad MAC, 21 other boot, 22 old sequence, 23 too late,
    24 sent in the future, 25 unknown kind, 26 wrong quantity, 27 value out of range,
    28 starts too late, 29 wrong slot, 30 valid for too short, 31 valid for too long,
    32 role not allowed, 33 too many a second, 34 busy, 35 another's schedule,
    36 epoch not stored yet, 41 not understood, 42 no controller, 43 no answer,
    44 too many connections
"""


def test_codes_are_append_only():
    names = {f"{code} {texts[0]}".replace(",", ";") for code, texts in h.TEXTS.items()}
    assert names == {" ".join(each.split()) for each in CODES.split(",")}
    for name, sentence, remedy in h.TEXTS.values():
        assert name and sentence.endswith(".") and remedy and "\n" not in sentence + remedy
    assert h.label(h.VALID_LONG) == "H31" and h.taken(h.OUTRANKED) and not h.taken(h.BAD_MAC)


STATE = w.State(
    "grid", NONCE, NOW_MS, -5, -6, 7, -1, 300, 100, 217, 301, 65_535, "a_source_of_16_c"
)
REPLY = w.Reply(
    *("grid", NONCE, HIGHEST, 5, 31, 3, 4, -5, w.NOTHING_W, 2**32 - 1, 7, -8, 9, 301, 217),
    *(-10, 65_535),
)


@cases("""
    record                             packed         opened
    STATE                              w.state_bytes  w.state_of
    STATE._replace(control_source="")  w.state_bytes  w.state_of
    REPLY                              w.reply_bytes  w.reply_of
""")
def test_a_datagram_decodes_unchanged_and_only_under_its_key(record, packed, opened):
    data = packed(record, OLD)
    assert opened(data, OLD) == record == opened(data)
    assert [opened(each) for each in (data[:-1], b"FBX1" + data[4:])] == [None, None]
    assert opened(data, NEW) is None
    for bit in range(8 * (len(data) - 32)):
        spoilt = bytearray(data)
        spoilt[bit // 8] ^= 1 << bit % 8
        assert opened(bytes(spoilt), OLD) is None


@pytest.mark.parametrize("name", ["", "a" * 17, "gr\0d", "gr\xefd"])
def test_a_name_that_does_not_fit_is_refused(name):
    with pytest.raises(ValueError):
        w.name_field(name)


def test_a_quantity_by_its_name():
    for name, found in (("import_W_max", (3, 4)), ("power_W", (2, 3)), ("heartbeat", (4, 0))):
        assert w.quantity_of(name) == found
    with pytest.raises(ValueError, match="charge_W_max, .*, heartbeat"):
        w.quantity_of("import_max")


def test_a_good_hint_is_taken_once(made):
    check, taken, statistics = made
    assert tell(check, hint()) == [0]
    assert taken == [(4, h.GRID_CAP, h.IMPORT_W_MAX, 400_000, 300_000, 0)]
    assert tell(check, hint()) == [h.OLD_SEQUENCE]  # the same bytes again
    assert len(taken) == 1 and counts(statistics) == {"accepted": 1, "refused": 1}
    assert tell(check, hint(sequence=9, sent_ms=NOW_MS + 4, purpose=8), now_ms=NOW_MS + 5) == [0]
    found = row(statistics)
    last = [found[f"last_{name}"] for name in ("code", "seen_ms", "sequence", "purpose")]
    assert last == [h.GRANTED, NOW_MS + 5, 9, 8] and row(statistics, "boss")["last_seen_ms"] == 0


@pytest.mark.parametrize("length", [0, 1, 19, 21, 87, 89, 95, 97, 255, 256, 1431, 1433, 1500])
def test_any_other_length_gets_no_reply(made, length):
    check, taken, statistics = made
    data = (datagram(hint()) + bytes(200))[:length]
    assert check.receive(data, "sender", NOW_MS) is None and answered(check) == [] and taken == []
    assert common(statistics) == {"wrong_length": 1}


OF_A_SIZE = [st.binary(min_size=size, max_size=size) for size in (88, 20)]


@for_all(st.one_of(*OF_A_SIZE, st.binary(max_size=300)))
def test_garbage_is_counted_and_nothing_else(data):
    check, taken, statistics = hint_admission.made()
    assert check.receive(data, "sender", NOW_MS) is None and answered(check) == [] and taken == []
    assert sum(statistics.common) == 1


@pytest.mark.parametrize("key", [key_bytes(9), key_bytes(1), bytes(32), b"\0"])
def test_another_key_gets_no_reply(made, key):
    check, taken, statistics = made
    check.receive(datagram(hint(), key), "sender", NOW_MS)
    assert answered(check) == [] and taken == [] and counts(statistics) == {"bad_mac": 1}
    assert row(statistics)["last_code"] == h.BAD_MAC


def test_a_source_without_a_key_and_an_unknown_source_get_no_reply(made):
    check, taken, statistics = made
    check.change_key(GRID, None, False, NOW_MS)
    for one in (hint(), hint("nobody")):
        check.receive(datagram(one), "sender", NOW_MS)
    assert row(statistics)["last_code"] == h.NO_KEY and counts(statistics) == {"bad_mac": 1}
    assert check.receive(w.hello("nobody"), "sender", NOW_MS) is None
    assert common(statistics) == {"unknown_source": 2} and answered(check) == [] and taken == []


def test_a_hint_of_another_boot_is_refused(made):
    check, taken, _ = made
    assert tell(check, hint(nonce=bytes(8), sequence=50)) == [h.OTHER_BOOT]
    # a sequence of another boot does not count here
    assert tell(check, hint(sequence=1)) == [0] and len(taken) == 1


HEARTBEAT = {"kind": h.HEARTBEAT, "quantity": 0, "value_W": 0}
POWER = {"kind": h.REQUEST, "quantity": h.POWER_W}


@cases("""
    fields  code
    {"sent_ms": NOW_MS - 2001}  h.TOO_LATE | {"sent_ms": NOW_MS - 2000}  0
    {"sent_ms": NOW_MS + 100}  0 | {"sent_ms": NOW_MS + 101}  h.TOO_EARLY
    {"sent_ms": 0}  h.TOO_LATE | {"sent_ms": HIGHEST}  h.TOO_EARLY
    {"kind": 0}  h.UNKNOWN_KIND | {"kind": 7}  h.UNKNOWN_KIND | {"kind": 255}  h.UNKNOWN_KIND
    {"kind": h.CAP}  h.WRONG_QUANTITY | {"quantity": 0}  h.WRONG_QUANTITY
    {"quantity": 6}  h.WRONG_QUANTITY | {"kind": h.HEARTBEAT}  h.WRONG_VALUE
    {**HEARTBEAT, "value_W": 400_000}  h.WRONG_VALUE | {**HEARTBEAT, "valid_ms": 0}  h.VALID_SHORT
    {**HEARTBEAT, "valid_ms": 1000}  0 | {**HEARTBEAT, "valid_ms": 300_001}  h.VALID_LONG
    {"value_W": -1}  h.WRONG_VALUE  # evcc-io/evcc issue 25545: a negative limit was taken
    {"value_W": 0}  0 | {"value_W": 10**9}  0 | {"value_W": 10**9 + 1}  h.WRONG_VALUE
    {**POWER, "value_W": -(10**9)}  0 | {**POWER, "value_W": -(10**9) - 1}  h.WRONG_VALUE
    {"kind": h.CAP, "quantity": h.CHARGE_W_MAX, "value_W": -1}  h.WRONG_VALUE
    {"valid_ms": 0}  h.VALID_SHORT  # evcc-io/evcc pull 32492: a limit without a duration
    {"valid_ms": 999}  h.VALID_SHORT | {"valid_ms": 1000}  0 | {"valid_ms": 300_000}  0
    {"valid_ms": 300_001}  h.VALID_LONG | {"valid_ms": 2**32 - 1}  h.VALID_LONG
""")
def test_ranges_of_a_hint(made, fields, code):
    check, taken, _ = made
    assert tell(check, hint(**fields)) == [code] and len(taken) == (code == 0)


def test_reordered_hints_count_up_only(made):
    check, taken, _ = made
    sequences, old = (5, 4, 6, 6, 1, HIGHEST, 7, 0), h.OLD_SEQUENCE
    codes = tell(check, *[hint(sequence=each, value_W=min(each, 9)) for each in sequences])
    assert codes == [0, old, 0, old, old, 0, old, old]
    assert [each.value_W for each in taken] == [5, 6, 9]


def test_a_refused_hint_cannot_be_replayed_when_its_reason_has_gone():
    """The quota refuses a datagram; an attacker sends it again a second later."""
    check, taken, _ = hint_admission.made(hints_per_s_max=1)
    assert tell(check, hint(sequence=1), hint(sequence=2)) == [0, h.RATE]
    assert tell(check, hint(sequence=2), now_ms=NOW_MS + 1500) == [h.OLD_SEQUENCE]
    assert tell(check, hint(sequence=3), now_ms=NOW_MS + 1500) == [0] and len(taken) == 2


def test_sources_have_sequences_of_their_own(check):
    found = tell(check, hint("grid", 9), hint("boss", 1), hint("boss", 2), hint("grid", 9))
    assert found == [0, 0, 0, h.OLD_SEQUENCE]


@pytest.mark.parametrize(
    "source, allowed", [("caps", "cCDI"), ("asks", "cCDIP"), ("grid", "cCDIPE"), ("boss", "cCDIPE")]
)
def test_permissions_of_each_role(source, allowed):
    """An import maximum is open to all: without the role it only narrows charging."""
    maxima = (h.CHARGE_W_MAX, h.DISCHARGE_W_MAX, h.POWER_W, h.IMPORT_W_MAX, h.EXPORT_W_MAX)
    for letter, quantity in zip("cCDPIE", (0, *maxima), strict=True):
        check, _, _ = hint_admission.made()
        one = hint(source, kind=h.KIND_OF[quantity], quantity=quantity, value_W=0)
        assert tell(check, one) == [0 if letter in allowed else h.ROLE], letter


@pytest.mark.parametrize("maximum", [1, 2, 50])
def test_the_quota_of_hints_in_any_second(maximum):
    check, _, statistics = hint_admission.made(hints_per_s_max=maximum)
    check.place.slots = 1000
    sequence = iter(range(1, 1000))
    assert tell(check, *[hint(sequence=next(sequence)) for _ in range(maximum)]) == [0] * maximum
    assert tell(check, hint(sequence=next(sequence)), now_ms=NOW_MS + 999) == [h.RATE]
    assert tell(check, hint(sequence=next(sequence)), now_ms=NOW_MS + 1000) == [0]
    assert tell(check, hint("boss", 1), now_ms=NOW_MS + 1000) == [0]  # no other source is touched
    assert counts(statistics) == {"accepted": maximum + 1, "refused": 1}


@for_all(st.lists(st.integers(0, 400), max_size=60), st.integers(1, 5))
def test_no_second_holds_more_than_the_quota(gaps_ms, maximum):
    check, _, _ = hint_admission.made(hints_per_s_max=maximum)
    check.place.slots = 1000
    now_ms, taken_ms = NOW_MS, []
    for sequence, gap_ms in enumerate(gaps_ms, 1):
        now_ms += gap_ms
        if tell(check, hint(sequence=sequence, sent_ms=now_ms), now_ms=now_ms) == [0]:
            taken_ms.append(now_ms)
        else:
            # refused for no other reason
            assert sum(now_ms - 1000 < each for each in taken_ms) == maximum
    for first in taken_ms:
        assert sum(first <= each < first + 1000 for each in taken_ms) <= maximum


def test_a_tick_whose_slots_are_taken_is_busy_and_uses_no_quota():
    check, _, _ = hint_admission.made(hints_per_s_max=1)
    for slots, code in ((0, h.BUSY), (1, 0)):
        check.place.slots = slots
        assert tell(check, hint(sequence=1 + slots)) == [code]


def test_a_hello_returns_nonce_uptime_and_highest_sequence(check):
    tell(check, hint(sequence=41))
    assert welcome(check, now_ms=NOW_MS + 3) == (NONCE, NOW_MS + 3, 41)
    assert welcome(check, "boss") == (NONCE, NOW_MS, 0)


def test_a_rotated_key_lasts_until_the_new_one_is_used(made):
    check, _, statistics = made
    assert rotate(check, NEW)
    assert row(statistics)["old_key_until_ms"] == NOW_MS + 86_400_000
    keys = (OLD, OLD, NEW, OLD, NEW)
    assert [by(check, at, key) for at, key in enumerate(keys, 1)] == [True, True, True, False, True]
    found = row(statistics)
    assert (found["old_key_until_ms"], found["key_made_s"]) == (0, 6)


@pytest.mark.parametrize("later_ms, lasts", [(-1, True), (0, False)])
def test_a_rotated_key_lasts_a_day_at_most(check, later_ms, lasts):
    rotate(check, NEW)
    now_ms = NOW_MS + hints.OLD_KEY_MS + later_ms
    assert by(check, 1, OLD, now_ms) == lasts and by(check, 2, NEW, now_ms)


def test_two_rotations_leave_one_old_key(check):
    rotate(check, NEW)
    rotate(check, NEWEST, 7)
    keys = (OLD, NEW, NEWEST, NEW)
    assert [by(check, at, key) for at, key in enumerate(keys, 1)] == [False, True, True, False]


def test_a_set_key_replaces_and_a_revoked_key_ends_at_once(check):
    check.change_key(GRID, hints.key_of(NEW, 6), False, NOW_MS)
    assert not by(check, 1, OLD) and by(check, 2, NEW)
    rotate(check, NEWEST, 7)
    check.change_key(GRID, None, False, NOW_MS)
    assert not by(check, 3, NEW) and not by(check, 4, NEWEST)
    assert not check.change_key(w.name_field("nobody"), None, False, NOW_MS)


def test_a_forgery_does_not_end_the_old_key(check):
    rotate(check, NEW)
    assert not by(check, 1, NEWEST) and by(check, 2, OLD)


@pytest.mark.parametrize("spent", [HIGHEST, HIGHEST - 1, 2**63])
def test_a_leaked_key_locks_out_the_owner_until_the_rotation_only(check, spent):
    """A thief uses up all sequences; the owner rotates the key and goes on from the hello."""
    assert by(check, spent, OLD) and welcome(check).sequence == spent
    rotate(check, NEW)
    assert welcome(check).sequence == 0
    assert by(check, 1, NEW) and welcome(check).sequence == 1 and not by(check, 1, NEW)


def test_a_thief_with_the_old_key_leaves_sequences_for_the_new_key(check):
    rotate(check, NEW)
    assert by(check, 2**63 - 1, OLD) and by(check, welcome(check).sequence + 1, NEW)
    assert welcome(check).sequence == 2**63 and by(check, 2**63 + 1, NEW)


def test_a_rotation_keeps_the_sequence(check):
    assert by(check, 41, OLD)
    rotate(check, NEW)
    assert welcome(check).sequence == 41 and not by(check, 41, OLD)
    assert by(check, 42, OLD) and by(check, 43, NEW)


def test_a_new_key_after_a_revocation_starts_at_sequence_0(check):
    assert by(check, HIGHEST, OLD)
    check.change_key(GRID, None, False, NOW_MS)
    assert welcome(check).sequence == 0
    check.change_key(GRID, hints.key_of(NEW, 6), False, NOW_MS)
    assert welcome(check).sequence == 0 and by(check, 1, NEW)


@pytest.fixture
def knowing(made):
    check = made[0]
    check._controller = check._controller._replace(
        state=lambda source, now_ms: STATE._replace(source=source, uptime_ms=now_ms)
    )
    return made[0], made[2]


def state(check, source="grid", now_ms=NOW_MS):
    return check.receive(w.status(source), "sender", now_ms)


def test_a_status_gets_a_signed_state_at_once(knowing):
    check, statistics = knowing
    assert w.state_of(state(check), OLD) == STATE
    assert answered(check) == [] and common(statistics) == {"hellos": 1}
    assert state(check, "nobody") is None
    assert common(statistics) == {"hellos": 1, "unknown_source": 1}
    check.change_key(GRID, None, False, NOW_MS)
    assert state(check) is None


def test_during_a_rotation_the_key_in_use_signs_a_state(knowing):
    check, _ = knowing
    rotate(check, NEW)
    for later_ms, key in ((0, OLD), (hints.OLD_KEY_MS - 1, OLD), (hints.OLD_KEY_MS, NEW)):
        assert w.state_of(state(check, now_ms=NOW_MS + later_ms), key)
    assert by(check, 1, NEW) and w.state_of(state(check), NEW)


def fence(epoch, count=1, **fields):
    meant = {"kind": h.HEARTBEAT, "quantity": h.IMPORT_W_MAX, "value_W": 0, "valid_ms": 60_000}
    return hint(sequence=epoch << w.COUNT_BITS | count, **(meant | fields))


def fenced(stored=None, saved=1):
    check, given, _ = hint_admission.made(stored=stored)
    check.place.saved = saved
    return check, given


EPOCH_NAME = f"grid.{hints.key_of(OLD, 5).fingerprint:08x}"


def test_a_heartbeat_that_reads_is_a_heartbeat_in_the_tick():
    check, given = fenced()
    assert tell(check, fence(3)) == [0]
    assert [(each.kind, each.quantity) for each in given] == [(h.HEARTBEAT, 0)]


@pytest.mark.parametrize("quantity", [*h.NOTICES, 8, 255])
def test_a_heartbeat_reads_no_notice(check, quantity):
    assert tell(check, fence(1, quantity=quantity)) == [h.WRONG_QUANTITY]


@pytest.mark.parametrize(("epoch", "code"), [(2**31 - 1, 0), (2**31, h.WRONG_VALUE)])
def test_an_epoch_fits_the_stored_record(check, epoch, code):
    assert tell(check, fence(epoch)) == [code]


def test_a_new_epoch_counts_once_it_is_stored():
    check, given = fenced(saved=0)
    assert tell(check, fence(2), fence(2, 2)) == [h.EPOCH_UNSTORED] * 2
    assert not given
    check.place.saved = 1
    assert tell(check, fence(2, 3)) == [0]


def test_an_epoch_that_is_not_stored_ends_the_earlier_one_at_once():
    check, _ = fenced(saved=0)
    assert tell(check, fence(2), hint(sequence=1 << w.COUNT_BITS | 9)) == [
        h.EPOCH_UNSTORED,
        h.OLD_SEQUENCE,
    ]


def test_a_new_epoch_uses_the_quota():
    check, _, _ = hint_admission.made(hints_per_s_max=2)
    check.place.saved = 0
    assert tell(check, fence(1), fence(2), fence(3)) == [h.EPOCH_UNSTORED] * 2 + [h.RATE]


@pytest.mark.parametrize("sequence", [1, 5 << w.COUNT_BITS])
def test_a_restart_refuses_an_earlier_epoch(sequence):
    check, _ = fenced({EPOCH_NAME: 5})
    assert tell(check, hint(sequence=sequence)) == [h.OLD_SEQUENCE]
    assert tell(check, hint(sequence=(5 << w.COUNT_BITS) + 1)) == [0]


def test_a_sender_without_epochs_counts_from_1_after_a_restart():
    check, _ = fenced()
    assert tell(check, hint(sequence=2**40)) == [0]
    check, _ = fenced()
    assert tell(check, hint(sequence=1)) == [0]


def test_the_epoch_belongs_to_the_key():
    check, _ = fenced({EPOCH_NAME: 5, "grid.00000000": 9})
    assert welcome(check).sequence == 5 << w.COUNT_BITS
    rotate(check, NEW)
    assert welcome(check).sequence == 5 << w.COUNT_BITS
    assert by(check, 1, NEW)
    assert welcome(check).sequence == 1


def test_a_hint_of_an_epoch_that_no_heartbeat_has_begun_is_refused():
    """Else a restart could forget the epoch of a hint that was granted."""
    check, _ = fenced({EPOCH_NAME: 4})
    assert tell(check, hint(sequence=5 << w.COUNT_BITS | 1)) == [h.EPOCH_UNSTORED]
    assert tell(check, fence(5, 2), hint(sequence=5 << w.COUNT_BITS | 3)) == [0, 0]


def test_no_hint_of_an_epoch_counts_before_it_is_stored():
    check, given = fenced(saved=0)
    sequence = 2 << w.COUNT_BITS | 2
    assert tell(check, fence(2), hint(sequence=sequence)) == [h.EPOCH_UNSTORED] * 2
    assert not given


def test_a_key_that_has_ended_does_not_come_back_with_a_restart():
    """The files of both keys are there for a day; the epoch of the new one shows its use."""
    both = hints.key_of(NEW, 6), hints.key_of(OLD, 5, NOW_MS + hints.OLD_KEY_MS)
    new_name = f"grid.{both[0].fingerprint:08x}"
    for stored, count in (({}, 2), ({EPOCH_NAME: 5}, 2), ({new_name: 1}, 1)):
        check, _ = fenced(stored)
        account = next(each for each in check.accounts if each.source.name == "grid")
        account.set_keys(both)
        assert len(account.keys) == count, stored
