"""The hint socket on a real cabinet: bounded, silent to strangers, in agreement with the core."""

import os
import socket

import pytest
from hinted_site import DAY_MIN, KEYS, HintedSite

from controller.core.base import hint_codes as h
from controller.core.base.schedule_table import Slot
from controller.core.policies import hint_outputs, schedule
from controller.hints import admission, hint_statistics, schedule_wire as sw, wire as w
from controller.run import operator_client, operator_commands
from safety import signals as s
from tests.tables import cases
from tests.transcript import by_word, each_part

pytestmark = pytest.mark.wire


@pytest.fixture
def site(tmp_path):
    place = HintedSite(tmp_path)
    yield place
    place.close()


class Sender:
    def __init__(self, site, source, sequence=0):
        self.site, self.source, self.sequence = site, source, sequence
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("")
        self.socket.setblocking(False)
        self.path = str(site.run_dir / "hints.sock")

    def datagram(self, quantity, /, value_W=0, valid_ms=60_000, key=None, **fields):
        self.sequence += 1
        now_ms, kind = self.site.bench.now_us // 1000, h.KIND_OF[quantity]
        run = (self.source, self.site.listener.admission.nonce, self.sequence, now_ms)
        hint = w.Hint(*run, kind, quantity, 0, value_W, valid_ms)._replace(**fields)
        return w.signed(hint, key or KEYS[self.source])

    def send(self, *datagrams):
        for data in datagrams:
            self.socket.sendto(data, self.path)

    def heard(self, key=None):
        found = []
        while True:
            try:
                found.append(w.reply_of(self.socket.recv(256), key or KEYS[self.source]))
            except BlockingIOError:
                assert None not in found
                return found

    def say(self, quantity, /, value_W=0, **fields):
        self.send(self.datagram(quantity, value_W, **fields))
        self.site.step()
        return self.heard()[0]

    def state(self):
        self.send(w.status(self.source))
        self.site.listener.receive(self.site.bench.now_us)
        return w.state_of(self.socket.recv(256), KEYS[self.source])

    def plan(self, *slots, **fields):
        self.sequence += 1
        now_ms = self.site.bench.now_us // 1000
        run = (self.source, self.site.listener.admission.nonce, self.sequence, now_ms)
        schedule = sw.Schedule(*run, 29_600_000, 15, 0, slots)._replace(**fields)
        self.send(sw.signed(schedule, KEYS[self.source]))
        return self

    def answered(self, ticks=1):
        """(code, refused slot, slot count), None without an answer within these ticks."""
        for _ in range(ticks):
            self.site.step()
        try:
            data = self.socket.recv(2000)
        except BlockingIOError:
            return None
        answer = sw.answer_of(data, KEYS[self.source])
        return answer.code, answer.refused_slot, answer.slot_count

    def read(self):
        self.send(sw.read(self.source))
        self.site.listener.receive(self.site.bench.now_us)
        return sw.held_of(self.socket.recv(2000), KEYS[self.source])


@pytest.fixture
def sender(site):
    made = []

    def make(source, sequence=0):
        made.append(Sender(site, source, sequence))
        return made[-1]

    yield make
    for each in made:
        each.socket.close()


def test_eight_datagrams_a_tick_and_the_rest_the_next(site, sender):
    one = sender("site_ems")
    one.send(*[one.datagram(h.IMPORT_W_MAX, 1000 * each) for each in range(10)])
    assert (site.step(), [reply.sequence for reply in one.heard()]) == (8, list(range(1, 9)))
    assert (site.step(), [reply.sequence for reply in one.heard()]) == (2, [9, 10])
    assert site.source("site_ems")["accepted"] == 10


class Queue:
    """A queue without the kernel's bound: its length does not depend on the machine."""

    def __init__(self, listener, monkeypatch, *waiting):
        self.waiting, real = list(waiting), listener._socket
        self.close = real.close
        monkeypatch.setattr(listener, "_socket", self)

    def recvmsg(self, size, _):
        if not self.waiting:
            raise BlockingIOError
        data, sender = self.waiting.pop(0)
        return data[:size], [], 0, sender


def drain(listener):
    calls = 0
    while listener.hungry and listener._socket.waiting:
        listener.receive(0)
        calls += 1
    return calls


@pytest.mark.parametrize("data", [b"x" * 10, b"x" * 88, b"x" * 20, b"", b"FBH1" + bytes(16)])
def test_garbage_has_a_bound_of_its_own_and_takes_no_turn_of_a_hint(
    site, sender, monkeypatch, data
):
    one = sender("site_ems")
    hint = one.datagram(h.IMPORT_W_MAX, 1000), one.socket.getsockname()
    with monkeypatch.context() as patched:
        queue = Queue(site.listener, patched, *[(data, None)] * 60, hint, *[(data, None)] * 60)
        # 16, 16, 16, 12 and the hint, 16
        assert drain(site.listener) == 5 and len(queue.waiting) == 121 - 77
        site.bench.tick()
        site.listener.answer(site.bench.now_us)
        assert [reply.code for reply in one.heard()] == [h.GRANTED]
        assert drain(site.listener) == 3 and queue.waiting == []
    assert site.statistics()["wrong_length"] + site.statistics()["wrong_magic"] == 120


def test_garbage_that_comes_one_by_one_wakes_the_loop_four_times_a_tick(site, monkeypatch):
    with monkeypatch.context() as patched:
        queue, calls = Queue(site.listener, patched), 0
        while site.listener.hungry:
            queue.waiting.append((b"x", None))
            site.listener.receive(0)
            calls += 1
        assert calls == 4
        site.listener.answer(0)
        assert site.listener.hungry


def test_datagrams_to_judge_are_bounded_beside_garbage(site, monkeypatch):
    """Hellos of strangers and hints with a wrong MAC look right at first."""
    forged = b"FBH1" + w.name_field("site_ems") + bytes(68)
    with monkeypatch.context() as patched:
        hellos = [(w.hello("nobody"), None), (b"", None)] * 9
        queue = Queue(site.listener, patched, *hellos, *[(forged, None)] * 9)
        assert drain(site.listener) == 8 and len(queue.waiting) == 9 + 2 + 1
        site.listener.answer(0)
        assert drain(site.listener) == 8 and len(queue.waiting) == 2


def test_a_state_is_bounded_like_a_hello(site, monkeypatch):
    with monkeypatch.context() as patched:
        queue = Queue(site.listener, patched, *[(w.status("cloud"), None)] * 9)
        assert drain(site.listener) == 8 and len(queue.waiting) == 1
    assert (site.statistics()["unsent"], site.statistics()["hellos"]) == (8, 8)


def test_one_datagram_per_call_and_no_waiting(site, sender):
    one = sender("site_ems")
    one.send(one.datagram(h.IMPORT_W_MAX), one.datagram(h.IMPORT_W_MAX))
    for pending in (1, 2, 2):  # at last nothing waits any more: returns
        site.listener.receive(site.bench.now_us)
        assert len(site.listener.admission.pending) == pending


def test_a_hello_is_answered_at_once_and_a_hint_after_its_tick(site, sender):
    one, listener = sender("site_ems", 4), site.listener
    one.send(w.hello("site_ems"))
    listener.receive(site.bench.now_us)
    wanted = (listener.admission.nonce, site.bench.now_us // 1000, 0)
    assert w.welcome_of(one.socket.recv(64)) == wanted
    one.send(one.datagram(h.IMPORT_W_MAX, 400_000))
    listener.receive(site.bench.now_us)
    assert one.heard() == []
    site.bench.tick()
    listener.answer(site.bench.now_us)
    assert [(reply.code, reply.sequence) for reply in one.heard()] == [(h.GRANTED, 5)]


def test_an_address_in_a_file_system_gets_no_reply(site, sender, tmp_path):
    """The loop looks up no path: its file system might hang."""
    one = sender("site_ems")
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as on_path,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as nameless,
    ):
        on_path.bind(str(tmp_path / "a"))
        for value_W, each in enumerate((on_path, nameless)):
            each.sendto(one.datagram(h.IMPORT_W_MAX, value_W), one.path)
        site.step()
        on_path.setblocking(False)
        with pytest.raises(BlockingIOError):
            on_path.recv(256)
    assert site.statistics()["unsent"] == 2 and site.statistics()["accepted"] == 2


def test_a_sender_that_has_gone_or_does_not_read_delays_no_other(site, sender):
    gone, deaf, other = sender("site_ems"), sender("desk"), sender("scheduler")
    gone.send(gone.datagram(h.IMPORT_W_MAX, 1))
    gone.socket.close()
    assert site.step() == 1 and site.statistics()["unsent"] == 1
    for _ in range(400):  # hellos are answered without a quota: more answers than a queue holds
        deaf.send(w.hello("desk"))
        site.listener.receive(site.bench.now_us)
        site.listener.answer(site.bench.now_us)
    assert site.statistics()["unsent"] > 100
    assert other.say(h.POWER_W, 0).code == h.GRANTED


def test_unread_answers_silence_no_other_client_of_any_user(site, sender):
    """286 unread answers filled the one socket: hints were obeyed, and no sender heard of it."""

    def is_answered(deaf):
        deaf.send(w.hello("scheduler"))
        before = site.statistics()["unsent"]
        site.listener.receive(site.bench.now_us)
        site.listener.answer(site.bench.now_us)
        return site.statistics()["unsent"] == before

    deaf = sender("scheduler")
    for _ in range(400):
        if not is_answered(deaf):  # the queue of this socket is full
            deaf = sender("scheduler")
    assert sender("scheduler").say(h.POWER_W, 0).code == h.GRANTED


def test_close_removes_the_socket(tmp_path, monkeypatch):
    site = HintedSite(tmp_path)
    path = site.run_dir / "hints.sock"
    site.close()
    assert not path.exists() and (site.run_dir / "hints.stats").exists()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match="No space"):
        hint_statistics.HintStatistics(str(tmp_path / "x"), ())


def test_a_new_run_refuses_hints_of_the_run_before(sender, site):
    """A restart changes the nonce: nothing recorded before it counts."""
    one = sender("site_ems")
    recorded = one.datagram(h.IMPORT_W_MAX, 400_000)
    assert one.say(h.IMPORT_W_MAX, 400_000).code == h.GRANTED
    before = site.listener.admission.nonce
    site.listener.close()
    site.reopen({"site_ems": (admission.key_of(KEYS["site_ems"], 1),)})
    assert site.listener.admission.nonce != before
    one.send(recorded)
    site.step()
    assert holds(one.heard()[0], code=h.OTHER_BOOT, nonce=site.listener.admission.nonce)
    assert site.statistics()["accepted"] == 0


NAMES = {name: number for number, name in (h.QUANTITIES | h.NOTICES).items()} | {"heartbeat": 0}
REPLY = "granted_W", "valid_ms", "fallback_W", "setpoint_W"
RESERVES = "reserve_peaks_permille", "reserve_backup_permille"
STATE = "setpoint_W", "remaining_Wh", "control_source", "binding_reason", *RESERVES
COUNTS = "accepted", "limited", "refused", "last_code"
WITHIN = "{available_low_W}/{low_reason}..{available_high_W}/{high_reason}"


def shown(values, names, within=""):
    words = [f"{name}={values[name]}" for name in names]
    return " ".join([*words, within.format(**values)]).replace(str(w.NOTHING_W), "-").strip()


@each_part(__file__, "listener.txt")
def test_a_dialogue(part, site, sender):
    senders = {name: sender(name) for name in KEYS}
    table = site.bench.cabinet.core.functions["hint_table"]

    def ask(source, what, value="", *fields):
        one = senders[source]
        if what == "state":
            found, nonce, now_us = one.state(), site.listener.admission.nonce, site.bench.now_us
            assert found[:3] == (source, nonce, now_us // 1000)
            assert found.setpoint_W == site.bench.cabinet.core.setpoints()[0]
            return [shown(found._asdict(), STATE, WITHIN)]
        if what == "counts":
            return [shown(site.source(source), COUNTS)]
        if what == "in_force":
            number = list(KEYS).index(source)
            return [f"{table.out[hint_outputs.output_at(number, NAMES[value], 0)]} W"]
        fields = {name: int(value) for name, value in [each.split("=") for each in fields]}
        if "in_ms" in fields:
            fields["start_ms"] = site.bench.now_us // 1000 + fields.pop("in_ms")
        reply = one.say(NAMES[what], int(value), **fields)
        assert (reply.asked_W, reply.source) == (int(value), source)
        return [f"H{reply.code} {shown(reply._asdict(), REPLY, WITHIN)}"]

    steps = {
        "$": ask,
        "run": site.run,
        "answer": lambda: site.listener.answer(site.bench.now_us) or site.step(),
        "tick": lambda count: site.bench.tick(int(count)),
        "grid": lambda power_W: site.bench.field.wrong.update({s.GRID_POWER_W: int(power_W)}),
    }
    part.play(by_word(steps))


def test_a_hint_that_waited_too_long_in_the_queue_is_too_late(site, sender):
    one = sender("site_ems")
    one.send(one.datagram(h.IMPORT_W_MAX, 1))
    site.bench.now_us += 2_001_000
    site.step()
    assert [reply.code for reply in one.heard()] == [h.TOO_LATE]


def holds(record, **wanted):
    assert {name: getattr(record, name) for name in wanted} == wanted
    return True


@pytest.mark.parametrize("code", range(h.GRANTED, h.MOVED + 1))
def test_a_hint_with_another_effect_than_requested_is_counted(site, sender, monkeypatch, code):
    monkeypatch.setattr("controller.hints.replies.effect", lambda *_: (code, 5))
    one = sender("site_ems")
    assert holds(one.say(h.IMPORT_W_MAX, 1000), code=code, granted_W=5)
    one.say(h.IMPORT_W_MAX, 1000, valid_ms=0)  # refused: without any effect
    found = site.source("site_ems")
    counted = [found[name] for name in ("accepted", "limited", "refused", "last_code")]
    assert counted == [1, code != h.GRANTED, 1, h.VALID_SHORT]


def test_a_key_changes_live_through_the_command_socket(site, sender):
    one, new = sender("site_ems"), bytes([77]) * 32

    def change(what, source, key):
        path = str(site.run_dir / "command.sock")
        with site.pumped():
            return operator_client.change_key(path, what, w.name_field(source), key, 9)

    rotate = operator_commands.ROTATE_KEY
    assert change(rotate, "site_ems", new) == operator_commands.ACCEPTED
    assert change(rotate, "nobody", new) == operator_commands.NO_SOURCE
    assert one.say(h.IMPORT_W_MAX, 1).code == h.GRANTED
    one.send(one.datagram(h.IMPORT_W_MAX, 5, key=new))
    site.step()
    assert one.heard(new)[0].code == h.GRANTED
    one.send(one.datagram(h.IMPORT_W_MAX))
    site.step()
    assert one.heard() == [] and site.source("site_ems")["bad_mac"] == 1
    revoke = operator_commands.REVOKE_KEY
    assert change(revoke, "site_ems", bytes(32)) == operator_commands.ACCEPTED
    assert site.source("site_ems")["key_made_s"] == 0


SLOT = Slot(400_000, -50_000, 60_000, 300)


@pytest.mark.parametrize("count, ticks", [(96, 25), (4, 2), (5, 3), (1, 2), (0, 1)])
def test_a_schedule_is_answered_when_it_is_whole_and_read_back(sender, count, ticks):
    one = sender("site_ems")
    slots = tuple([SLOT._replace(grid_cap_W=1000 * at) for at in range(count)])
    assert one.plan(*slots).answered(ticks - 1) is None
    assert one.answered() == (h.GRANTED, 0, count)
    held = one.read()
    assert (held.slots, held.owner) == (slots, "site_ems" if count else "")
    assert held.state == (schedule.SILENT if count else schedule.NONE)


def test_a_second_schedule_waits_and_a_wrong_one_leaves_the_first(sender):
    one = sender("site_ems")
    one.plan(*[SLOT] * 96).answered()
    assert one.plan(SLOT).answered() == (h.BUSY, 0, 0)
    assert one.answered(30) == (h.GRANTED, 0, 96)
    assert one.plan(SLOT, SLOT._replace(reserve_permille=1001)).answered() == (h.WRONG_SLOT, 2, 96)
    assert one.read().slots == (SLOT,) * 96


@cases("""ahead_min  error_ms  code
    10_080  0  h.GRANTED | 10_081  0  h.START_FAR | 10_081  10_001  h.GRANTED""")
def test_a_schedule_begins_within_a_week_of_a_trusted_clock(
    site, sender, ahead_min, error_ms, code
):
    """No schedule acts without a trusted clock, so a far one does nothing."""
    site.set_clock(DAY_MIN, error_ms)
    site.step()
    one = sender("site_ems").plan(SLOT, start_min=DAY_MIN + ahead_min)
    assert one.answered(2) == (code, 0, int(code == h.GRANTED))


def test_the_schedule_of_the_source_that_comes_first_stays_while_its_heartbeat_is_valid(
    site, sender
):
    first, second = sender("site_ems"), sender("scheduler")
    band = SLOT._replace(grid_cap_W=-(2**31))
    assert second.plan(band).answered(2) == (h.GRANTED, 0, 1)
    assert second.say(0).code == first.say(0, valid_ms=2000).code == h.GRANTED
    assert first.plan(SLOT).answered(2) == (h.GRANTED, 0, 1)
    assert second.plan(band, band).answered() == (h.OTHERS_SCHEDULE, 0, 1)
    site.bench.tick(100)
    assert second.plan(band, band).answered(2) == (h.GRANTED, 0, 2)
