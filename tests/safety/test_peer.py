"""One channel's knowledge of the other: each boundary at its tick."""

from pathlib import Path

import pytest
from bench import default_image
from channel_b_bench import CLOSED, DISAGREE_TICKS, EXPIRY_TICKS

from safety import channel as c, frame as f, matrix as m, parameters as p, peer as pe, signals as s
from tests.tables import cases

IMAGE_CRC, TABLE_CRC = 11, 22
WINDOW_TICKS = 250  # 5 s


class Pair:
    def __init__(self, **words):
        image = default_image(**words)
        image_map = p.ImageMap(1, 1, m.STAGES_PER_SCOPE)
        self.receiver = c.Receiver(f.CHANNEL_A)
        self.peer = pe.Peer(image, image_map, self.receiver, IMAGE_CRC, TABLE_CRC)
        self.sender = c.Sender(f.CHANNEL_A, IMAGE_CRC, TABLE_CRC)
        self.bits, self.known = CLOSED, CLOSED
        self.put(f.SIGNAL_BITS, CLOSED).put(f.KNOWN_BITS, CLOSED)

    def put(self, field, value):
        self.sender.frame.put(field, value)
        return self

    def send(self):
        if self.receiver.feed(self.sender.finish(), f.FRAME_BYTES):
            self.peer.heard()

    def step(self, steps=1, elapsed=1, told=None, frame=True):
        """told: ticks of the other's clock meanwhile."""
        for _ in range(steps):
            self.sender.tick(elapsed if told is None else told)
            if frame:
                self.send()
            self.peer.update(elapsed, self.bits, self.known)
        return self.peer.reason


def _paired(**words):
    pair = Pair(**words)
    assert pair.step() == pe.NOT_HEARD  # the first is only a beginning
    assert pair.step() == pe.OK
    return pair


def test_nothing_is_ok_before_it_was_heard():
    pair = Pair()
    assert (pair.peer.reason, pair.peer.subject, pair.peer.drift_permille) == (pe.NOT_HEARD, 0, 0)
    assert not pair.peer.permits() and not pair.peer.trusted()
    assert pair.step(3 * EXPIRY_TICKS, frame=False) == pe.NOT_HEARD
    assert not pair.peer.permits() and not pair.peer.trusted()
    assert pair.peer.drift_permille == 0 and pair.peer.age_ticks == 3 * EXPIRY_TICKS


@pytest.mark.parametrize("elapsed", [1, 5, 26])
@pytest.mark.parametrize("expiry_ms, ticks", [(500, 23), (400, 18), (490, 22), (80, 2)])
def test_silent_at_its_tick_and_not_before(expiry_ms, ticks, elapsed):
    pair = _paired(permit_expiry_ms=expiry_ms)
    age = 0
    while age + elapsed < ticks:
        assert pair.step(frame=False, elapsed=elapsed) == pe.OK
        age += elapsed
    assert pair.step(frame=False, elapsed=elapsed) == pe.SILENT
    assert pair.peer.age_ticks == age + elapsed and not pair.peer.trusted()


@pytest.mark.parametrize("tick_ms, spare", [(10, 3), (20, 2), (25, 2), (50, 2)])
def test_the_relay_has_its_20_ms_at_every_tick(tick_ms, spare):
    """The permit ends within permit_expiry_ms: a tick for the frame, and the relay's own time."""
    assert p.spare_ticks(pe.EXPIRY_SPARE_TICKS, tick_ms) == spare
    image = default_image(tick_ms=tick_ms)
    pair = pe.Peer(image, p.ImageMap(1, 1, m.STAGES_PER_SCOPE), c.Receiver(f.CHANNEL_A), 0, 0)
    assert pair.expiry_ticks == 500 // tick_ms - spare


@pytest.mark.parametrize("gap, reason", [(EXPIRY_TICKS - 1, pe.OK), (EXPIRY_TICKS, pe.SILENT)])
def test_a_frame_ends_silence_only_if_it_is_in_order(gap, reason):
    pair = _paired()
    assert pair.step(gap, frame=False) == reason
    assert pair.step() == reason  # after silence one frame is only the beginning
    assert pair.step() == pe.OK


@cases("""field reason
    f.IMAGE_CRC  pe.OTHER_IMAGE | f.TABLE_CRC  pe.OTHER_TABLES""")
def test_another_image_or_table_is_named_at_once_and_never_trusted(field, reason):
    pair = _paired()
    right = pair.sender.frame.get(field)
    pair.put(field, right ^ 1)
    assert pair.step() == reason and not pair.peer.trusted() and not pair.peer.permits()
    assert pair.put(field, right).step() == pe.OK


@pytest.mark.parametrize("place", range(len(f.SHARED)))
@pytest.mark.parametrize("elapsed", [1, 4])
def test_a_signal_that_disagrees_for_half_a_second_is_named(place, elapsed):
    pair = _paired()
    pair.bits ^= 1 << place
    ticks = 0
    while ticks + elapsed < DISAGREE_TICKS:
        assert pair.step(elapsed=elapsed) == pe.OK
        ticks += elapsed
    assert pair.step(elapsed=elapsed) == pe.DISAGREES and pair.peer.subject == place + 1
    pair.bits ^= 1 << place
    assert pair.step() == pe.OK and pair.peer.subject == 0
    pair.bits ^= 0b10110  # the first of several is named
    assert pair.step(DISAGREE_TICKS) == pe.DISAGREES and pair.peer.subject == 2
    pair.bits ^= 0b00010
    assert pair.step() == pe.DISAGREES and pair.peer.subject == 3
    pair.put(f.IMAGE_CRC, IMAGE_CRC + 1)  # and none for another reason
    assert pair.step() == pe.OTHER_IMAGE and pair.peer.subject == 0


@pytest.mark.parametrize("known, told", [(CLOSED - 1, CLOSED), (CLOSED, CLOSED - 1)])
def test_what_one_of_them_does_not_know_is_no_contradiction(known, told):
    pair = _paired()
    pair.bits, pair.known = CLOSED ^ 1, known
    assert pair.put(f.KNOWN_BITS, told).step(2 * DISAGREE_TICKS) == pe.OK


def test_a_new_peer_and_one_that_forgets_count_from_zero():
    pair = Pair()
    assert pair.peer.disagree_ticks == 0 and pair.peer._own_ticks == 0
    pair.step(30)
    assert pair.peer._own_ticks > 0
    pair.peer._forget()
    assert (pair.peer._own_ticks, pair.peer._waited_ticks, pair.peer._window_uptime) == (0, 0, -1)


def test_the_other_permits_only_with_its_vote():
    pair = _paired()
    assert not pair.peer.permits()
    pair.put(f.VOTE, 1).step()
    assert pair.peer.permits()
    pair.step(EXPIRY_TICKS, frame=False)
    assert not pair.peer.permits()


def _windows(pair, told_ticks, count=1):
    reason = pe.OK
    for _ in range(count):
        for tick in range(WINDOW_TICKS):
            told = told_ticks * (tick + 1) // WINDOW_TICKS - told_ticks * tick // WINDOW_TICKS
            reason = pair.step(told=told)
    return reason


@cases("""told_ticks reason
    WINDOW_TICKS  pe.OK | WINDOW_TICKS+5  pe.OK | WINDOW_TICKS+6  pe.CLOCKS_DIFFER
    0  pe.CLOCKS_DIFFER | WINDOW_TICKS-5  pe.OK | WINDOW_TICKS-6  pe.CLOCKS_DIFFER
    100*WINDOW_TICKS  pe.CLOCKS_DIFFER""")
def test_clocks_apart_by_more_than_two_percent_in_two_windows(told_ticks, reason):
    pair = _paired()
    assert (_windows(pair, told_ticks), _windows(pair, told_ticks)) == (pe.OK, reason)
    found = [_windows(pair, told) for told in (WINDOW_TICKS, told_ticks, told_ticks)]
    assert found == [pe.OK, pe.OK, reason], "a window that is right forgets the one before"


def test_a_silence_ends_what_was_found_of_the_clock():
    pair = _paired()
    assert _windows(pair, 0, 2) == pe.CLOCKS_DIFFER
    assert pair.step(EXPIRY_TICKS, frame=False) == pe.SILENT
    pair.step(2)
    assert pair.peer.reason == pe.OK == _windows(pair, 0), "it takes two windows again"


def test_a_window_may_begin_at_an_uptime_of_zero():
    pair = Pair()
    pair.sender.uptime_ticks = f.UPTIME_MASK - 1
    pair.step(2)
    assert pair.sender.uptime_ticks == 0
    _windows(pair, WINDOW_TICKS + 5)
    assert pair.peer.drift_permille == 20


def test_late_steps_stay_within_small_integers():
    """The rest of a step that is later than can be counted is the other's lead."""
    pair = _paired()
    for _ in range(5):
        pair.step(elapsed=1_000_000, told=0)
        pair.step(elapsed=1_000_000, told=f.UPTIME_MASK)
    pair.bits ^= 1
    pair.step(2000, elapsed=1_000_000, frame=False)
    assert pair.peer.age_ticks <= 1_000_000_000 and abs(pair.peer.drift_permille) <= 1000
    assert pair.peer.disagree_ticks == s.TICKS_MAX
    pair = _paired()
    pair.step(elapsed=pe.OWN_TICKS_MAX)
    assert pair.peer.drift_permille == 0
    pair.step(elapsed=2 * pe.OWN_TICKS_MAX)
    assert pair.peer.drift_permille == 1000


def test_tables_that_differ_anywhere_have_another_crc(monkeypatch):
    right = pe.table_crc()
    assert right == pe.table_crc() and 0 <= right < 1 << 30
    for place in (0, 40, len(m.STAGES) - 1):
        stages, row = list(m.STAGES), m.STAGES[place]
        stages[place] = (*row[: m.S_SET], row[m.S_SET] + 1, *row[m.S_SET + 1 :])
        monkeypatch.setattr(m, "STAGES", tuple(stages))
        assert pe.table_crc() != right
    monkeypatch.undo()
    monkeypatch.setattr(p, "CABINET_PARAMETERS", p.CABINET_PARAMETERS[:-1])
    assert pe.table_crc() != right


@cases("""name other
    'permit.FAILURES_MAX'  99 | 'permit.AT_REST'  (0,) | 'matrix.CONFLICTS'  ()
    'matrix.ALERTS'  () | 'heating.FAST_S'  20 | 'racks.ZERO_CURRENT_MA'  0
    'tapers.TAPER_DDEGC'  () | 'frame.START_1'  0 | 'ages.SILENT_MS'  ()""")
def test_numbers_that_differ_anywhere_have_another_crc(monkeypatch, name, other):
    right = pe.table_crc()
    monkeypatch.setattr("safety." + name, other)
    assert pe.table_crc() != right
    monkeypatch.undo()
    assert pe.table_crc() == right


def test_every_file_of_the_kernel_is_in_the_crc():
    """Except channel B's own files and `peer`, whose names are the REASONS."""
    files = {path.stem for path in Path(pe.__file__).parent.glob("*.py")}
    files -= {"__init__", "peer", "second", "second_image"}
    assert {module.__name__ for module in pe.MODULES} == {f"safety.{name}" for name in files}
    assert len(pe.REASONS) == pe.CONTACT_OPEN + 1 and pe.OK == 0


def test_where_a_word_ends_and_which_table_a_row_is_in_count(monkeypatch):
    seen = set()
    for reasons in (("ab", "c"), ("a", "bc"), ("abc",), ("ab", "c", "")):
        monkeypatch.setattr(pe, "REASONS", reasons)
        seen.add(pe.table_crc())
    assert len(seen) == 4
