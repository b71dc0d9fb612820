"""The hint socket on a real cabinet: bounded per tick, silent to strangers, answers that say what
the core does.
"""

import os
import socket
import stat

import pytest
from cabinet_bench import RATED
from hinted_site import KEYS, HintedSite

from controller.core import hint_codes as h
from controller.hints import desk
from controller.hints import listener as hint_listener
from controller.hints import wire as w
from controller.run import operator_commands
from safety import signals as s

pytestmark = pytest.mark.wire


@pytest.fixture
def site(tmp_path):
    place = HintedSite(tmp_path)
    yield place
    place.close()


class Sender:
    """Signs for one source and keeps count."""

    def __init__(self, site, source, sequence=0):
        self.site, self.source, self.sequence = site, source, sequence
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("")
        self.socket.setblocking(False)
        self.path = str(site.run_dir / "hints.sock")

    def datagram(self, quantity, value_W=0, valid_ms=60_000, **fields):
        self.sequence += 1
        plain = {
            "source": self.source,
            "nonce": self.site.listener.desk.nonce,
            "sequence": self.sequence,
            "sent_ms": self.site.bench.now_us // 1000,
            "kind": h.KIND_OF[quantity],
            "quantity": quantity,
            "purpose": 0,
            "value_W": value_W,
            "valid_ms": valid_ms,
        }
        return w.signed(w.Hint(**(plain | fields)), KEYS[self.source])

    def send(self, *datagrams):
        for data in datagrams:
            self.socket.sendto(data, self.path)

    def heard(self):
        """Replies that have come; every one must carry a right MAC."""
        found = []
        while True:
            try:
                found.append(w.reply_of(self.socket.recv(256), KEYS[self.source]))
            except BlockingIOError:
                assert None not in found
                return found

    def say(self, quantity, value_W=0, **fields):
        """The reply to one hint, after one tick."""
        self.send(self.datagram(quantity, value_W, **fields))
        self.site.step()
        return self.heard()[0]


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
    """Ten wait; the loop no longer waits for the socket after the eighth."""
    one = sender("site_ems")
    one.send(*[one.datagram(h.IMPORT_W_MAX, 1000 * each) for each in range(10)])
    assert (site.step(), [reply.sequence for reply in one.heard()]) == (8, list(range(1, 9)))
    assert (site.step(), [reply.sequence for reply in one.heard()]) == (2, [9, 10])
    assert site.source("site_ems")["accepted"] == 10


class Queue:
    """A socket's queue without the kernel's bound, so that its length is not the machine's."""

    def __init__(self, listener, monkeypatch, *waiting):
        self.waiting = list(waiting)
        self._real = listener._socket
        monkeypatch.setattr(listener, "_socket", self)

    def recvfrom_into(self, buffer):
        if not self.waiting:
            raise BlockingIOError
        data, sender = self.waiting.pop(0)
        buffer[: len(data)] = data
        return len(data), sender

    def sendto(self, data, sender):
        return self._real.sendto(data, sender)

    def close(self):
        self._real.close()


def drain(listener):
    """Calls of one tick until the loop would no longer call."""
    calls = 0
    while listener.hungry and listener._socket.waiting:
        listener.receive(0)
        calls += 1
    return calls


@pytest.mark.parametrize(
    "data", [b"x" * 10, b"x" * 88, b"x" * 20, b"", b"FBH1" + bytes(16), b"FBQ1" + bytes(84)]
)
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


def test_what_has_to_be_judged_is_bounded_beside_garbage(site, monkeypatch):
    """Hellos of strangers, hints with a wrong MAC: they look right at first."""
    with monkeypatch.context() as patched:
        queue = Queue(
            site.listener,
            patched,
            *[(w.hello("nobody"), None), (b"", None)] * 9,
            *[(b"FBH1" + w.name_field("site_ems") + bytes(68), None)] * 9,
        )
        assert drain(site.listener) == 8 and len(queue.waiting) == 9 + 2 + 1
        site.listener.answer(0)
        assert drain(site.listener) == 8 and len(queue.waiting) == 2


def test_one_datagram_per_call_and_no_waiting(site, sender):
    one = sender("site_ems")
    one.send(one.datagram(h.IMPORT_W_MAX), one.datagram(h.IMPORT_W_MAX))
    site.listener.receive(site.bench.now_us)
    assert len(site.listener.desk.pending) == 1
    site.listener.receive(site.bench.now_us)
    site.listener.receive(site.bench.now_us)  # nothing waits any more: returns
    assert len(site.listener.desk.pending) == 2


@pytest.mark.parametrize("cut", [0, 1, 20, 87, 89, 256, 257, 60_000])
def test_truncated_and_oversized_ones_change_nothing(site, sender, cut):
    one = sender("site_ems")
    one.send((one.datagram(h.IMPORT_W_MAX) + bytes(60_000))[:cut])
    site.step()
    assert one.heard() == [] and site.statistics()["accepted"] == 0
    assert site.statistics()["wrong_length"] + site.statistics()["wrong_magic"] == 1


def test_a_hello_is_answered_at_once_and_a_hint_after_its_tick(site, sender):
    one = sender("site_ems", 4)
    one.send(w.hello("site_ems"))
    site.listener.receive(site.bench.now_us)
    assert w.welcome_of(one.socket.recv(64)) == (
        site.listener.desk.nonce,
        site.bench.now_us // 1000,
        0,
    )
    one.send(one.datagram(h.IMPORT_W_MAX, 400_000))
    site.listener.receive(site.bench.now_us)
    assert one.heard() == []
    site.bench.tick()
    site.listener.answer(site.bench.now_us)
    assert [(reply.code, reply.sequence) for reply in one.heard()] == [(h.GRANTED, 5)]


def test_an_address_in_a_file_system_gets_no_reply(site, sender, tmp_path):
    """The loop looks up no path: it might lie in a file system that hangs."""
    one = sender("site_ems")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as on_path:
        on_path.bind(str(tmp_path / "a"))
        on_path.sendto(one.datagram(h.IMPORT_W_MAX, 1), one.path)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as nameless:
            nameless.sendto(one.datagram(h.IMPORT_W_MAX, 2), one.path)
        site.step()
        on_path.setblocking(False)
        with pytest.raises(BlockingIOError):
            on_path.recv(256)
    assert site.statistics()["unsent"] == 2 and site.statistics()["accepted"] == 2


def test_a_sender_who_has_gone_or_does_not_read_holds_up_nobody(site, sender):
    gone, deaf, other = sender("site_ems"), sender("desk"), sender("scheduler")
    gone.send(gone.datagram(h.IMPORT_W_MAX, 1))
    gone.socket.close()
    assert site.step() == 1 and site.statistics()["unsent"] == 1
    for _ in range(400):  # hellos are answered without a quota: more answers than a queue holds
        deaf.send(w.hello("desk"))
        site.step()
    assert site.statistics()["unsent"] > 100
    assert other.say(h.POWER_W, 0).code == h.GRANTED


def test_the_socket_is_for_owner_and_group_and_goes_with_the_listener(tmp_path):
    site = HintedSite(tmp_path)
    path = site.run_dir / "hints.sock"
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    site.close()
    assert not path.exists() and (site.run_dir / "hints.stats").exists()


def test_a_new_run_refuses_hints_of_the_run_before(tmp_path, sender, site):
    """After a restart the nonce is another one: whatever was recorded before is worth nothing."""
    one = sender("site_ems")
    recorded = one.datagram(h.IMPORT_W_MAX, 400_000)
    assert one.say(h.IMPORT_W_MAX, 400_000).code == h.GRANTED
    before = site.listener.desk.nonce
    site.listener.close()
    site.listener = hint_listener.HintListener(
        str(site.run_dir), site.bench.cabinet, {"site_ems": site_key("site_ems")}
    )
    assert site.listener.desk.nonce != before
    one.send(recorded)
    site.step()
    reply = one.heard()[0]
    assert (reply.code, reply.nonce) == (h.OTHER_BOOT, site.listener.desk.nonce)
    assert site.statistics()["accepted"] == 0


def site_key(name):
    return (desk.key_of(KEYS[name], 1),)


# -- what the replies say


def test_a_cap_is_granted_and_acts(site, sender):
    site.run()
    reply = sender("cloud").say(h.CHARGE_W_MAX, 20_000)
    assert (reply.code, reply.granted_W, reply.valid_ms, reply.fallback_W) == (
        h.GRANTED,
        20_000,
        60_000,
        50_000,
    )
    assert reply.available_low_W == -20_000 and reply.low_reason == 401


def test_no_more_validity_is_told_than_was_asked_for(site, sender):
    """The core publishes whole seconds, rounded up; who relies on them must not be surprised."""
    assert sender("cloud").say(h.CHARGE_W_MAX, 20_000, valid_ms=1500).valid_ms == 1500


def test_at_the_start_the_fallback_is_in_force(site, sender):
    """longzheng/open-dynamic-export pull 102: no hint yet must not mean no limit."""
    reply = sender("cloud").say(h.CHARGE_W_MAX, 20_000, valid_ms=60_001)
    assert (reply.code, reply.granted_W, reply.valid_ms, reply.fallback_W) == (
        h.VALID_LONG,
        50_000,
        0,
        50_000,
    )


def test_a_refusal_says_what_is_in_force_instead(site, sender):
    one = sender("cloud")
    one.say(h.CHARGE_W_MAX, 20_000, valid_ms=30_000)
    site.bench.tick(50)
    reply = one.say(h.CHARGE_W_MAX, 5, valid_ms=90_000)
    assert (reply.code, reply.asked_W, reply.granted_W, reply.valid_ms) == (
        h.VALID_LONG,
        5,
        20_000,
        29_000,
    )


def test_nothing_in_force_and_no_fallback(site, sender):
    reply = sender("cloud").say(h.DISCHARGE_W_MAX, -1)
    assert (reply.code, reply.granted_W, reply.valid_ms, reply.fallback_W) == (
        h.WRONG_VALUE,
        w.NOTHING_W,
        0,
        w.NOTHING_W,
    )


def test_a_request_gets_what_the_limits_leave(site, sender):
    site.run()
    # importing: discharging as much does not export
    site.bench.field.wrong[s.GRID_POWER_W] = 200_000
    one = sender("scheduler")
    site.bench.tick(1000)
    reply = one.say(h.POWER_W, 100_000)
    assert (reply.code, reply.granted_W, reply.setpoint_W) == (h.GRANTED, 100_000, 100_000)
    reply = one.say(h.POWER_W, 240_000)
    assert (reply.code, reply.granted_W) == (h.LIMITED, reply.available_high_W)
    assert 0 < reply.available_high_W < 240_000 and reply.high_reason in (302, 212, 213, 214, 215)
    assert (
        site.source("scheduler")["limited"] == 1
        and site.source("scheduler")["last_code"] == h.LIMITED
    )


def test_a_request_below_what_the_grid_wants_is_no_grant_of_more(site, sender):
    """The connection imports 200 kW and may import 100 kW: the battery must discharge the rest,
    whatever is asked.
    """
    site.run()
    site.bench.field.wrong[s.GRID_POWER_W] = 200_000
    site.bench.tick(1000)
    assert sender("site_ems").say(h.IMPORT_W_MAX, 100_000).code == h.GRANTED
    scheduler = sender("scheduler")
    for count, asked_W in enumerate((10_000, 0, -20_000), 1):
        reply = scheduler.say(h.POWER_W, asked_W)
        assert (reply.code, reply.asked_W) == (h.MOVED, asked_W)
        assert reply.granted_W == reply.available_low_W > 90_000 and reply.low_reason == 304
        source = site.source("scheduler")
        assert (source["limited"], source["last_code"]) == (count, h.MOVED)


def test_a_request_above_what_the_grid_wants_is_no_grant_of_the_opposite(site, sender):
    site.run()
    site.bench.field.wrong[s.GRID_POWER_W] = -200_000
    site.bench.tick(1000)
    assert sender("desk").say(h.EXPORT_W_MAX, 100_000).code == h.GRANTED
    scheduler = sender("scheduler")
    for asked_W in (-10_000, 0, 20_000):
        reply = scheduler.say(h.POWER_W, asked_W)
        assert (reply.code, reply.granted_W) == (h.MOVED, reply.available_high_W)
        assert reply.available_high_W < -90_000


def test_the_operator_outranks_a_scheduler(site, sender):
    """evcc-io/evcc issue 33063: who controls the battery?"""
    site.run()
    assert sender("desk").say(h.POWER_W, -10_000).code == h.GRANTED
    reply = sender("scheduler").say(h.POWER_W, 10_000)
    assert (reply.code, reply.granted_W, reply.setpoint_W) == (h.OUTRANKED, 0, -10_000)


def test_an_import_maximum_without_the_role_says_that_it_only_narrows_charging(site, sender):
    reply = sender("cloud").say(h.IMPORT_W_MAX, 400_000)
    assert (reply.code, reply.granted_W) == (h.CHARGING_ONLY, 400_000)


def test_an_obligation_that_cannot_be_met_says_what_is_held(site, sender):
    site.bench.field.wrong[s.GRID_POWER_W] = 300_000
    site.bench.tick(10)  # not running yet: no power at all
    reply = sender("site_ems").say(h.IMPORT_W_MAX, 100_000)
    assert (reply.code, reply.asked_W) == (h.LIMITED, 100_000)
    assert 250_000 < reply.granted_W <= 300_000  # as the connection's filter has it by then


def test_a_heartbeat_is_granted(site, sender):
    reply = sender("site_ems").say(0, 0, valid_ms=1000)
    assert (reply.code, reply.kind, reply.granted_W) == (h.GRANTED, h.HEARTBEAT, w.NOTHING_W)
    assert sender("site_ems", 1).say(0, 0, valid_ms=999).code == h.VALID_SHORT


@pytest.mark.parametrize("first", ["heartbeat", "hint"])
def test_a_fallback_that_lapsed_is_left_with_a_heartbeat_and_a_hint(site, sender, first):
    """The fallback of cloud's charging is 50 kW. Until both have come the reply says that the
    fallback rules.
    """
    one = sender("cloud")
    one.say(h.CHARGE_W_MAX, 80_000, valid_ms=1000)
    site.bench.tick(60)
    if first == "hint":
        reply = one.say(h.CHARGE_W_MAX, 80_000)
        assert (reply.code, reply.asked_W, reply.granted_W, reply.valid_ms) == (
            h.FALLBACK_RULES,
            80_000,
            50_000,
            0,
        )
        assert site.source("cloud")["limited"] == 1
        reply = one.say(h.CHARGE_W_MAX, 40_000)
        assert (reply.code, reply.granted_W, reply.valid_ms) == (h.GRANTED, 40_000, 60_000), (
            "less acts at once"
        )
        site.bench.tick(60)  # it may send three a second
        one.say(h.CHARGE_W_MAX, 80_000)
        assert one.say(0).code == h.GRANTED
    else:
        assert one.say(0).code == h.GRANTED
        reply = one.say(h.CHARGE_W_MAX, 80_000)
        assert (reply.code, reply.granted_W) == (h.GRANTED, 80_000)
    assert (
        site.bench.cabinet.core.functions["hint_table"].in_force_W(
            site.entry("cloud", h.CHARGE_W_MAX)
        )
        == 80_000
    )


def test_a_heartbeat_that_has_run_out_lifts_nothing(site, sender):
    one = sender("cloud")
    one.say(h.CHARGE_W_MAX, 80_000, valid_ms=1000)
    site.bench.tick(60)
    one.say(0, valid_ms=1000)
    site.bench.tick(60)
    assert one.say(h.CHARGE_W_MAX, 80_000).code == h.FALLBACK_RULES


def test_a_refused_request_tells_what_is_in_effect_and_not_what_was_asked(site, sender):
    """A request of all the power there is, then one refused: what is granted stays what the limits
    leave.
    """
    site.run()
    site.bench.field.wrong[s.GRID_POWER_W] = 200_000
    one = sender("scheduler")
    site.bench.tick(1000)
    assert one.say(h.POWER_W, 10**9).code == h.LIMITED
    reply = one.say(h.POWER_W, 10**9, sequence=1)
    assert (reply.code, reply.granted_W) == (
        h.OLD_SEQUENCE,
        reply.available_high_W,
    ) and reply.granted_W < 250_001


# -- what the cabinet can do and does


def test_the_state_is_that_of_the_last_tick(site, sender):
    site.run()
    one = sender("scheduler")
    reply = one.say(h.POWER_W, -10_000)
    site.bench.tick(5)
    one.send(w.status("cloud"))
    site.listener.receive(site.bench.now_us)
    state = w.state_of(one.socket.recv(256), KEYS["cloud"])
    core = site.bench.cabinet.core
    assert (state.source, state.nonce, state.uptime_ms) == (
        "cloud",
        reply.nonce,
        site.bench.now_us // 1000,
    )
    assert (state.setpoint_W, state.control_source) == (-10_000, "scheduler") and core.setpoints()[
        0
    ] == -10_000
    assert (state.available_low_W, state.available_high_W, state.low_reason, state.high_reason) == (
        reply.available_low_W,
        reply.available_high_W,
        reply.low_reason,
        reply.high_reason,
    )
    assert (state.reserve_soft_permille, state.reserve_hard_permille) == (150, 100)
    assert state.remaining_Wh == 645_000 * (RATED["soc_permille"] - 150) // 1000
    assert site.source("cloud")["accepted"] == 0


def test_nobody_in_control_and_a_binding_reason(site, sender):
    """A connection that must not import more than it does: an obligation moves the battery, nobody
    asked.
    """
    site.run()
    site.bench.field.wrong[s.GRID_POWER_W] = 200_000
    site.bench.tick(1000)
    one = sender("site_ems")
    assert one.say(h.IMPORT_W_MAX, 100_000).code == h.GRANTED
    one.send(w.status("site_ems"))
    assert site.step() == 1
    state = w.state_of(one.socket.recv(256), KEYS["site_ems"])
    assert (state.control_source, state.binding_reason, state.low_reason) == ("", 304, 304)
    assert state.setpoint_W == state.available_low_W > 90_000


def test_a_state_is_bounded_like_a_hello(site, monkeypatch):
    with monkeypatch.context() as patched:
        queue = Queue(site.listener, patched, *[(w.status("cloud"), None)] * 9)
        assert drain(site.listener) == 8 and len(queue.waiting) == 1
    assert site.statistics()["unsent"] == 8 and site.statistics()["hellos"] == 8


# -- keys, live


def test_a_key_changes_live_through_the_command_socket(site, sender):
    path = str(site.run_dir / "command.sock")
    one, new = sender("site_ems"), bytes([77]) * 32
    with site.pumped():
        assert (
            operator_commands.change_key(
                path, operator_commands.ROTATE_KEY, w.name_field("site_ems"), new, 9
            )
            == operator_commands.ACCEPTED
        )
        assert (
            operator_commands.change_key(
                path, operator_commands.ROTATE_KEY, w.name_field("nobody"), new, 9
            )
            == operator_commands.NO_SOURCE
        )
    assert one.say(h.IMPORT_W_MAX, 1).code == h.GRANTED
    now_ms = site.bench.now_us // 1000
    one.send(
        w.signed(w.Hint("site_ems", site.listener.desk.nonce, 2, now_ms, 3, 4, 0, 5, 5000), new)
    )
    site.step()
    assert w.reply_of(one.socket.recv(256), new).code == h.GRANTED
    one.send(one.datagram(h.IMPORT_W_MAX, sequence=3))
    site.step()
    assert one.heard() == [] and site.source("site_ems")["bad_mac"] == 1
    with site.pumped():
        assert (
            operator_commands.change_key(
                path, operator_commands.REVOKE_KEY, w.name_field("site_ems"), bytes(32), 9
            )
            == operator_commands.ACCEPTED
        )
    assert site.source("site_ems")["key_made_s"] == 0


def test_a_hint_that_waited_in_the_queue_for_too_long_is_too_late(site, sender):
    one = sender("site_ems")
    one.send(one.datagram(h.IMPORT_W_MAX, 1))
    site.bench.now_us += 2_001_000
    site.step()
    assert [reply.code for reply in one.heard()] == [h.TOO_LATE]


def test_a_full_run_directory_is_an_error_at_the_start(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    site = HintedSite(tmp_path)
    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match="No space"):
        hint_listener.st.HintStatistics(str(tmp_path / "x"), ())
    site.close()
