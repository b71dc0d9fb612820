"""Channel A's end against a real channel B: both kernels, every byte of the link."""

import itertools
import pickle
from array import array

import pytest

from controller.run import peer_words
from controller.run.channel_link import NO_ANSWER, ORDER_MS_MAX, ChannelLink
from drivers.buses.port import NEVER
from hil.oracle.kernel_steps import Steps
from safety import (
    channel as c,
    frame as f,
    latches,
    matrix as m,
    parameters as p,
    peer as pe,
    second as sc,
    signals as s,
)
from tests.tables import cases

CLOSED = sc.KEY_BIT - 1
EXPIRY_TICKS = 23


def contact(name):
    return 1 << sc.CONTACT_NAMES.index(name)


class Channels:
    def __init__(self, other_image=False):
        self.a = Steps(1, 15)
        self.kernel = self.a.kernel
        self.kernel.inp[s.RUN_REQUEST] = 0
        self.silent = ()
        self.link = ChannelLink(self.kernel.image, self.kernel)
        image = array("i", self.kernel.image)
        if other_image:
            image[len(p.HEADER) + p.P_GAS_SILENT_MS] -= 20
        self.b = sc.Second(image, 0)
        self.contacts = CLOSED | sc.KEY_BIT
        self.cut_to_a = self.cut_to_b = False

    def step(self, steps=1):
        for _ in range(steps):
            self.link.update(1)
            self.a.prepare()
            for group in self.silent:
                self.kernel.fresh[group] = 0
            self.kernel.step(1)
            self.link.report()
            data = bytes(self.link.poll(0))
            if not self.cut_to_b:
                self.b.receive(data, len(data))
            self.b.step(1, self.contacts | (sc.RELAY_BIT if self.b.permit else 0))
            data = bytes(self.b.report() if self.b.frame_due else b"")
            if data and not self.cut_to_a:
                self.link.receive(data[:7], 0)
                self.link.receive(data[7:], 0)
        return self

    @property
    def said(self):
        return peer_words.sentence(self.link.code)

    @property
    def is_permitted(self):
        return self.link.peer.permits()


@pytest.fixture(scope="module")
def permitted():
    """Channels that both give their permit, pickled: a run of them costs 0.1 s."""
    both = Channels().step(20)
    both.kernel.inp[s.RUN_REQUEST] = 1
    both.step(120)
    assert both.kernel.out[s.STATE] == s.RUNNING and both.b.permit and both.is_permitted
    assert both.link.peer.reason == pe.OK and both.said == "" and both.link.code == 0
    return pickle.dumps(both)


@pytest.fixture
def channels(permitted):
    return pickle.loads(permitted)


def test_a_frame_every_other_tick_that_stays_as_it_was_sealed():
    both = Channels()
    polls = []
    for _ in range(6):
        both.link.update(1)
        both.link.report()
        polls.append((both.link.wake_us == 0, len(both.link.poll(0))))
        assert both.link.wake_us == NEVER and both.link.poll(0) == b""
    assert polls == [(False, 0), (True, f.FRAME_BYTES)] * 3
    link = Channels().link
    link.update(2)
    link.report()
    frame = link.poll(0)
    sealed = bytes(frame)
    link.sender.frame.put(f.RESET_KIND, m.KEY)
    assert frame == sealed


@pytest.mark.parametrize(
    "enable, supply, first_out, mask", [(0, 0, -1, 0), (1, 0, 6, 123), (0, 1, 0, 4), (1, 1, 7, 9)]
)
def test_the_frame_says_what_the_kernel_has_found(enable, supply, first_out, mask):
    link = Channels().link
    out, frame = link.kernel.out, link.sender.frame
    out[s.PCS_ENABLE_OK], out[s.CONTACTOR_SUPPLY_OK] = enable, supply
    out[s.FIRST_OUT_INSTANCE], out[s.CAUSE_MASK] = first_out, mask
    link.peer.reason, link.peer.subject = pe.DISAGREES, 4
    link.receive(b"\0\0\0", 0)
    link._frame_ticks = f.FRAME_EVERY_TICKS
    link.report()
    said = [frame.get(field) for field in (f.VOTE, f.FIRST_OUT, f.CAUSE_MASK)]
    assert said == [enable | supply, first_out + 1, mask]
    assert [frame.get(field) for field in (f.REASON, f.SUBJECT)] == [pe.DISAGREES, 4]
    assert [frame.get(field) for field in (f.REFUSAL, f.REFUSED)] == [c.R_START, 3]


def test_a_b_that_was_never_heard_is_named():
    both = Channels()
    both.link.update(1)
    assert both.said == UNHEARD and both.link.peer.reason != pe.OK
    both.link.receive(b"\x00\x00", 0)
    assert both.said == f"{UNHEARD} (bytes come, refused: no start of a frame)"


UNHEARD = "channel B has not been heard since the start"


def test_b_silent_is_named(channels):
    channels.cut_to_a = True
    assert channels.step(EXPIRY_TICKS - 1).is_permitted
    assert not channels.step(2).is_permitted and channels.said == "channel B is silent"
    channels.cut_to_a = False
    assert channels.step(8).is_permitted


@pytest.mark.parametrize(
    "noise, sentence", [(b"", ""), (b"noise", " (it gets bytes, refused: no start of a frame)")]
)
def test_a_silent_drops_b_and_b_says_so(channels, noise, sentence):
    channels.cut_to_b = True
    for _ in range(EXPIRY_TICKS + 4):
        channels.step().b.receive(noise, len(noise))
    assert not channels.b.permit and not channels.is_permitted
    assert channels.link.peer.reason == pe.OK
    assert channels.said == f"channel B gives no permit: it does not hear channel A{sentence}"


def test_a_contact_that_only_one_channel_sees_open(channels):
    channels.contacts &= ~contact("estop_1_ok")
    assert not channels.step(4).is_permitted
    assert channels.said.startswith("channel B gives no permit: stage 1a, emergency stop")
    assert channels.step(30).said == "estop_1: A closed, B open" and not channels.b.permit
    channels.contacts |= contact("estop_1_ok")
    channels.kernel.inp[s.ESTOP_2_OK] = 0
    assert channels.step(30).said == "estop_2: A open, B closed"


def test_another_image_or_version_in_b_is_named_by_both_and_nothing_permitted():
    both, other = Channels(other_image=True).step(50), Channels()
    assert "channel B holds another limit image" in both.said
    assert pe.REASONS[both.b.reason] == "other limit image" and not both.b.permit
    other.b.sender.frame.put(f.TABLE_CRC, 1)
    assert "another version" in other.step(10).said
    assert not both.is_permitted and not other.is_permitted


def test_what_a_does_not_know_is_no_disagreement(channels):
    channels.silent = (s.G_IO_1, s.G_IO_2)
    channels.step(40).contacts &= ~contact("airflow_ok")
    assert channels.step(60).link.peer.reason == pe.OK


def test_a_clock_that_runs_wrong_is_named(channels):
    for step in range(1200):
        channels.step()
        if step % 20 == 0:
            channels.b.sender.tick(1)
    assert channels.said == "the clock of channel B differs by over 2 %"


@pytest.fixture(scope="module")
def stopped(permitted):
    """(channels, (first-out, mask)) of an E-stop that both have seen and that is over, pickled."""
    both = pickle.loads(permitted)
    both.contacts &= ~3
    both.kernel.inp[s.ESTOP_1_OK] = both.kernel.inp[s.ESTOP_2_OK] = 0
    both.step(20).contacts |= 3
    both.kernel.inp[s.ESTOP_1_OK] = both.kernel.inp[s.ESTOP_2_OK] = 1
    first_out, mask = both.step(300).link.causes()
    assert m.STAGES[first_out][m.S_ID] == "1a" and mask and not both.b.permit
    return pickle.dumps((both, (first_out, mask)))


@pytest.fixture
def tripped(stopped):
    return pickle.loads(stopped)


def key_out(channels):
    channels.contacts &= ~sc.KEY_BIT
    return channels.step(2)


def reset(channels, *seen):
    channels.link.order_reset(m.KEY, *seen)
    for _ in range(100):
        if not channels.link.result:
            channels.step()
    return channels.link.result


@pytest.mark.parametrize("pause", [2, 0])
def test_a_reset_reaches_b_only_for_what_stands_there(tripped, pause):
    """B repeats its last answer until it hears of no order; it is not the answer to the next."""
    channels, (first_out, mask) = tripped
    if pause:
        assert reset(channels, first_out, mask ^ 1) == latches.CHANGED
    assert reset(channels, first_out, mask) == latches.KEY_NEEDED
    channels.contacts &= ~sc.KEY_BIT
    channels.step(pause)
    assert reset(channels, first_out, mask) == latches.DONE
    assert channels.step(6).b.permit and channels.link.causes() == (-1, 0)


def test_b_is_not_asked_for_what_it_has_not_said(tripped):
    """Also not for numbers that no frame can hold: cut off, they could be those of B."""
    channels, now = tripped
    key_out(channels)
    odd = ((-1, 0), (0, 4), (-(1 << 31), -(1 << 31)), ((1 << 31) - 1, (1 << 31) - 1))
    for seen in (*odd, (now[0] + 0x10000, now[1]), (now[0], now[1] - (1 << 30))):
        assert reset(channels, *seen) == latches.CHANGED
        assert channels.step(6).link.causes() == now


def test_what_latched_in_b_on_the_way_is_not_cleared(tripped):
    """A still has the state that the operator saw: B itself refuses."""
    channels, seen = tripped
    key_out(channels).cut_to_b = True
    channels.link.order_reset(m.KEY, *seen)
    channels.contacts &= ~contact("fire_alarm_ok")
    channels.step(10).contacts |= contact("fire_alarm_ok")
    assert channels.link.result == latches.NONE
    channels.cut_to_b = False
    assert channels.step(8).link.result == latches.CHANGED
    assert channels.link.causes()[0] == seen[0]


def test_where_nothing_stands_in_b_it_is_asked_for_nothing(channels):
    """No token and no key: B would look for those first."""
    for kind in [m.REMOTE] * 4 + [m.KEY]:
        channels.link.order_reset(kind, -1, 0)
        assert channels.link.result == latches.NOTHING
    assert channels.link.sender.frame.get(f.RESET_KIND) == 0


def test_a_b_that_is_not_heard_or_does_not_hear_resets_nothing(tripped):
    channels, seen = tripped
    channels.cut_to_a = channels.cut_to_b = True
    channels.link.order_reset(m.KEY, *seen)
    assert channels.step(ORDER_MS_MAX // 20 - 1).link.result == latches.NONE
    assert channels.step().link.result == NO_ANSWER
    assert channels.link.sender.frame.get(f.RESET_KIND) == 0
    assert channels.step(EXPIRY_TICKS + 1).link.causes() == (-1, 0)
    channels.link.order_reset(m.KEY, -1, 0)
    assert channels.link.result == NO_ANSWER, "nobody knows what stands there"
    channels.cut_to_a = channels.cut_to_b = False
    key_out(channels.step(300))
    assert reset(channels, *channels.link.causes()) == latches.DONE


@pytest.mark.parametrize("is_trusted, result", [(False, latches.DONE), (True, 200)])
def test_an_answer_that_is_not_trusted_or_not_known_is_none(tripped, is_trusted, result):
    channels, seen = tripped
    channels.cut_to_a = channels.cut_to_b = not is_trusted
    channels.link.order_reset(m.KEY, *seen)
    channels.step(1 if is_trusted else EXPIRY_TICKS + 1)
    channels.link.receiver.frame.put(f.RESET_RESULT, result)
    if is_trusted:
        channels.link.update(1)
    else:
        channels.step(ORDER_MS_MAX // 20)
    assert channels.link.result == NO_ANSWER


def test_the_code_is_never_0_while_b_gives_no_permit(channels):
    """A B that is well and has dropped its relay has a code of its own."""
    channels.contacts &= ~contact("estop_1_ok")
    for _ in range(60):
        assert bool(channels.step().link.code) == (not channels.is_permitted)
    channels.link.receiver.frame.put(f.VOTE, 0)
    channels.link.peer.reason = pe.OK
    assert channels.link.code & peer_words.BYTE == pe.INTERLOCK


def test_skipped_ticks_count(channels):
    """The clock that B compares runs on, and a due frame is not put off."""
    link = channels.link
    before = link.sender.uptime_ticks
    link.report()
    link.poll(0)
    link.update(5)
    link.report()
    assert (link.sender.uptime_ticks, len(link.poll(0))) == (before + 5, f.FRAME_BYTES)
    link.update(EXPIRY_TICKS)
    assert channels.said == "channel B is silent"


def test_skipped_ticks_are_time_in_which_b_has_not_answered(tripped):
    channels, seen = tripped
    channels.link.order_reset(m.KEY, *seen)
    channels.link.update(ORDER_MS_MAX // 20 - 1)
    assert channels.link.result == latches.NONE
    channels.link.update(1)
    assert channels.link.result == NO_ANSWER


def test_every_reason_of_b_has_words(channels):
    frame = channels.link.receiver.frame
    frame.put(f.VOTE, 0)
    for reason, subject in itertools.product((*range(len(pe.REASONS)), 77), (0, 1, 500)):
        frame.put(f.REASON, reason)
        frame.put(f.SUBJECT, subject)
        assert channels.said.startswith("channel B gives no permit: ")
        assert channels.link.code < 1 << 24, "what the kernel's input holds"


NO_PERMIT = "channel B gives no permit: "


@cases("""
    reason         its_reason    subject  said
    pe.DISAGREES   0             3        "fire_alarm: A open, B closed"
    pe.DISAGREES   1             99       "a contact: A closed, B open"
    pe.SILENT  c.R_CRC  0  f"channel B is silent (bytes come, refused: {c.REFUSALS[4]})"
    pe.SILENT      c.R_FIRST     0        "channel B is silent"
    pe.INTERLOCK   pe.SILENT     0        NO_PERMIT + "it does not hear channel A"
    pe.INTERLOCK   pe.DISAGREES  3        NO_PERMIT + "fire_alarm is not the same in both channels"
    pe.INTERLOCK   pe.WAITS      0        NO_PERMIT + "waits until the other gives no permit"
""")
def test_who_gives_no_permit_and_why_in_a_sentence(reason, its_reason, subject, said):
    assert peer_words.sentence(peer_words.code(reason, its_reason, subject)) == said


def test_b_is_given_the_mark_of_the_store_and_then_asked_nothing(channels):
    link = channels.link
    assert link.kept() == (0, 0)
    link.store_revision = (5, 0xFFFF)
    channels.step(8)
    assert link.kept() == (5, 0xFFFF) == (channels.b.kept_count, channels.b.kept_digest)
    assert link.sender.frame.get(f.RESET_KIND) == 0 and channels.b.permit
    link.store_revision = (4, 1)
    assert channels.step(8).link.kept() == (5, 0xFFFF), "an older mark is not sent"
    channels.cut_to_a = True
    assert channels.step(40).link.kept() is None


def test_a_reset_goes_before_the_mark(tripped):
    channels, (first_out, mask) = tripped
    key_out(channels).link.store_revision = (5, 9)
    channels.step(1)
    assert channels.link.sender.frame.get(f.RESET_KIND) == f.KEEP
    assert reset(channels, first_out, mask) == latches.DONE
    assert channels.step(8).link.kept() == (5, 9)


def test_the_first_out_of_channel_b_is_one_of_its_own_stages():
    known = peer_words.OF_B
    asked = [-2, -1, 0, 1, len(known) - 1, len(known)]
    expected = [None, None, known[0], known[1], known[-1], None]
    assert [peer_words.stage_in_b(each) for each in asked] == expected
