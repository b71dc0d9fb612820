"""The real loop on real ptys."""

import contextlib
import os
import re
import select
import signal
import socket
import threading
from types import SimpleNamespace

import pytest
from cabinet_bench import Keeper, found
from wired_site import WiredSite, said

from controller import __main__
from controller.config import configuration
from controller.core.base import hint_codes as h
from controller.hints import admission, keys as key_files
from controller.hints.client import HintClient
from controller.run import (
    link_statistics,
    loop,
    loop_statistics,
    operator_client,
    operator_commands,
)
from controller.run.cabinet import Cabinet
from controller.sites import EXAMPLE
from controller.store import two_copies
from controller.store.stored_record import Record
from controller.system import clock, realtime
from controller.system.realtime import Notifier
from drivers.buses import rtu
from drivers.buses.port import RtuPort
from safety import latches, signals as s
from safety.fire import Fire
from tests.tables import cases

pytestmark = pytest.mark.wire
KEY = bytes(range(32))
CLEAN = found(two_copies.CLEAN)


@pytest.fixture
def site(tmp_path):
    place = WiredSite(tmp_path)
    yield place
    place.close()


def stop(site, process, number=signal.SIGTERM):
    process.send_signal(number)
    site.serve_until(lambda: process.poll() is not None)
    return process.returncode, said(process)


def test_from_start_over_lost_ports_to_a_controlled_stop(site):
    process = site.start()
    site.serve_until(site.running)
    assert site.store.load().state == two_copies.ARMED
    # Two modules read every 25 ms, written every 100 ms; bytes moved once a tick: one per 40 ms
    path, before = str(site.folder / "loop.stats"), site.requests["io"]
    ticks = loop_statistics.read(path)["ticks"]
    site.serve_until(lambda: site.requests["io"] > before + 60)
    assert site.requests["io"] - before > 1.2 * (loop_statistics.read(path)["ticks"] - ticks)
    second = site.start()
    site.serve_until(lambda: second.poll() is not None)
    refused = f"firebreak: {site.folder}: another controller runs here; one per cabinet"
    assert (second.returncode, said(second)) == (3, [refused])
    for bus in ("meter_grid", "meter_load"):
        site.unplug(bus)
    site.serve_until(lambda: "50a" in site.standing())
    assert site.running() and process.poll() is None, "the meters alone stop nothing"
    for bus in ("meter_grid", "meter_load"):
        site.plug(bus)
    site.serve_until(lambda: site.standing() == [])
    site.unplug("io")
    before = site.requests["io"]
    site.serve_until(lambda: "49" in site.standing() and site.contactors == [0, 0, 0])
    site.plug("io")
    site.serve_until(lambda: site.requests["io"] > before + 10)
    # Everything is open, so the end is a clean one; the latch stays.
    assert stop(site, process, signal.SIGINT) == (0, [])
    loaded = site.store.load()
    assert loaded.state == two_copies.CLEAN and "49" in loaded.record.latches


def test_after_kill_9_the_next_start_waits_for_a_reset_which_is_stored_first(site):
    process = site.start()
    site.serve_until(site.running)
    process.kill()
    site.serve_until(lambda: site.contactors == [0, 0, 0])
    process = site.start()
    site.serve_until(lambda: site.standing() == ["44c"])
    seen, answers = site.seen(), []
    asker = threading.Thread(target=lambda: answers.append(_ask_until_done(site, seen)))
    asker.start()
    site.serve_until(lambda: not asker.is_alive())
    assert answers[0][-1] == 1 and set(answers[0][:-1]) <= {3}  # not clear yet, then done
    site.serve_until(site.running)
    assert site.store.load().record.token_ages_ms
    assert stop(site, process) == (0, [])
    loaded = site.store.load()
    assert loaded.state == two_copies.CLEAN and loaded.record.latches == {}
    site.serve_until(lambda: site.contactors == [0, 0, 0])
    assert not (site.folder / "command.sock").exists()


def _ask_until_done(site, seen):
    answers, path = [], str(site.folder / "command.sock")
    while not answers or answers[-1] == 3 and len(answers) < 10_000:
        answer = operator_client.reset(path, operator_commands.REMOTE_RESET, *seen.causes)
        answers.append(answer.here)
    return answers


class CountingSelect:
    def __init__(self):
        self.calls, self.waited_for = 0, set()

    def select(self, *arguments):
        self.calls += 1
        self.waited_for.update(*arguments[:3])
        return select.select(*arguments)


class Silent:
    """Loop of the example cabinet on ptys without devices and a CAN bus without racks."""

    def __init__(self, site, monkeypatch):
        self.selects = CountingSelect()
        monkeypatch.setattr(loop, "select", self.selects)
        monkeypatch.setattr(loop, "can_port_of", lambda bus: SilentCan())
        loaded = CLEAN
        self.cabinet = Cabinet(configuration.load(site.file), loaded, Keeper([]))
        self.cabinet.keeper.watch = lambda now_us: None
        keys = {"site_ems": (admission.key_of(KEY, 1),)}
        self.loop = loop.Loop(self.cabinet, str(site.folder), Notifier({}), keys)
        self.ticks = 0
        plain = self.cabinet.tick

        def tick(now_us, elapsed_ticks):
            plain(now_us, elapsed_ticks)
            self.ticks += 1
            self.on_tick(self.ticks)

        self.cabinet.tick = tick

    def run(self, on_tick):
        """Call on_tick(number) after every tick; the exit code."""
        self.on_tick = on_tick
        return self.loop.run()

    def run_until(self, last):
        return self.run(lambda ticks: ticks == last and end())


@pytest.fixture
def silent(site, monkeypatch):
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    made = Silent(site, monkeypatch)
    yield made
    made.loop.close()
    for number, handler in before.items():
        signal.signal(number, handler)


def end():
    os.kill(os.getpid(), signal.SIGTERM)


class SilentCan:
    received = sent = foreign = error_frames = bus_offs = full = losses = state = 0
    error = ""

    def drain(self, limit):
        return []

    def send(self, can_id, data):
        return True

    def service(self, now_us):
        return True

    def close(self):
        return None


def test_the_slack_is_spent_waiting_for_arrivals_not_spinning(silent):
    """No serial port is waited for: select on an empty tty flushes its work queue (0.8 s)."""
    running = silent.loop
    assert silent.run_until(30) == 0
    assert 30 <= silent.ticks <= 33 and silent.selects.calls < 6 * silent.ticks
    assert silent.selects.waited_for == {running.commands, running.hints, running._arrivals}
    for fed, left in ((running.commands, running.hints), (running.hints, running.commands)):
        fed._turns_left, left._turns_left = 0, 1  # it has had its share of a tick
        assert running._sources() == [running._arrivals, left]


def test_the_watchdog_is_told_by_completed_ticks_and_the_store_watched_in_each(silent):
    told, watched, notifier, folder = (
        [],
        [],
        silent.loop.notifier,
        silent.loop._store._run_directory,
    )
    served, (can_port,) = [], silent.loop.can_ports.values()
    can_port.service = served.append
    notifier.alive = lambda: told.append(silent.ticks)
    notifier.stopping = lambda: told.append("stopping")
    silent.cabinet.keeper.watch = watched.append  # one that hangs says nothing by itself
    silent.run_until(10)
    assert told[-1] == "stopping" and len(told) > 5
    assert set(told[:-1]) <= set(range(1, silent.ticks + 1))
    assert len(watched) == silent.ticks and watched == sorted(set(watched)) == served
    assert link_statistics.read(os.path.join(folder, "links.stats"))["units"]


@pytest.mark.parametrize("late_in_a_row, told", [(1, True), (2, False)])
def test_two_late_ticks_in_a_row_starve_the_watchdog(silent, monkeypatch, late_in_a_row, told):
    said = []
    silent.loop.notifier.alive = lambda: said.append(silent.ticks)

    class Deadlines(clock.Deadlines):
        late_in_a_row = property(lambda self: late_in_a_row, lambda self, _: None)

    monkeypatch.setattr(loop.clock, "Deadlines", Deadlines)
    silent.run_until(3)
    assert bool(said) == told


def test_a_keeper_that_has_died_is_reported_once_and_the_stop_is_not_clean(silent, capsys):
    keeper = silent.cabinet.keeper

    def die(ticks):
        if ticks == 3:
            keeper.ok, keeper.line = False, "the process that saves the store has ended"
            keeper.records.append(keeper.records[-1])
            keeper.poll = lambda: 1  # what it had saved before
        if ticks == 10:
            end()

    assert silent.run(die) == 1
    (line,) = capsys.readouterr().err.splitlines()
    words = "firebreak: the process that saves the store has ended; no contactor closes and no "
    assert line.startswith(words)
    # the next start here reads it
    assert (
        two_copies.of_run(CLEAN, silent.loop._store._run_directory).state == two_copies.UNREADABLE
    )


def test_a_store_that_saves_again_is_reported_with_the_time_and_loses_its_mark(silent, capsys):
    keeper, place = silent.cabinet.keeper, silent.loop._store._run_directory
    seen, path = [], os.path.join(place, "loop.stats")

    def on_tick(ticks):
        seen.append((two_copies.of_run(CLEAN, place).state, loop_statistics.unsaved_ms(path)))
        keeper.ok, keeper.line = not 3 <= ticks < 8, "the store could not be saved"
        if ticks == 12:
            end()

    assert silent.run(on_tick) == 0
    first, second = capsys.readouterr().err.splitlines()
    assert first.endswith("no reset is accepted until it is saved again") and "could not" in first
    words = r"firebreak: the store is saved again, with what it missed in \d+\.\d s"
    assert re.fullmatch(words, second)
    states, times_ms = zip(*seen)
    assert states[4] == two_copies.UNREADABLE and states[-2] == two_copies.CLEAN
    assert [now_ms > 0 for now_ms, _ in times_ms[4:7]] == [True] * 3
    assert times_ms[-1][0] == 0 < times_ms[-1][1]


def test_the_mark_of_a_run_that_could_not_save_goes_with_the_first_saved_record(silent):
    place, seen, keeper = silent.loop._store._run_directory, [], silent.cabinet.keeper
    two_copies.mark_failed(place, True)
    keeper.durable = 0

    def on_tick(ticks):
        seen.append(two_copies.of_run(CLEAN, place).state)
        keeper.durable = 1000 * (ticks // 3)
        if ticks == 5:
            end()

    silent.run(on_tick)
    assert seen[:5] == [two_copies.UNREADABLE] * 3 + [two_copies.CLEAN] * 2


def test_while_a_record_waits_nothing_proves_that_a_run_has_saved_all(silent):
    """A disk that stands still has not failed yet, and a kill would lose the lock-out in it."""
    keeper, place = silent.cabinet.keeper, silent.loop._store._run_directory
    two_copies.mark_failed(place, False)  # left from the run before
    proved, mark = [], os.path.join(place, two_copies.SAVED_NAME)
    keeper.durable = 0

    def on_tick(ticks):
        proved.append(os.path.exists(mark))
        keeper.durable = {3: 1000, 6: len(keeper.records)}.get(ticks, keeper.durable)
        if ticks == 6:
            silent.cabinet.request_lock_out("anna", True)
        if ticks == 9:
            end()

    silent.run(on_tick)
    assert (proved[1:3], proved[4], proved[-1]) == ([False, False], True, False), proved


@pytest.mark.parametrize("peer_answer", [0, latches.DONE])
def test_commands_reach_the_cabinet_in_the_slack_and_both_answers_who_asked(silent, peer_answer):
    answers, path = [], str(silent.loop.commands._path)
    seen = operator_commands.REMOTE_RESET, 1, 1, 2, 3
    asker = threading.Thread(target=lambda: answers.append(operator_client.reset(path, *seen)))

    def on_tick(ticks):
        if ticks == 2:
            asker.start()
        if silent.cabinet.answer and peer_answer:  # of a cabinet with channel B
            silent.cabinet.answer, silent.cabinet.peer_answer = latches.NOT_CLEAR_YET, peer_answer
        if ticks > 2 and not asker.is_alive():
            end()

    silent.run(on_tick)
    asker.join()
    here = latches.NOT_CLEAR_YET if peer_answer else latches.CHANGED
    assert answers == [(here, peer_answer)]


def test_a_loop_that_cannot_hold_its_tick_still_hears_a_command(silent, monkeypatch):
    """Seen in a box with one slow processor: it never came to what it does between ticks."""
    ahead_us, now_us, heard = [0], clock.now_us, []
    monkeypatch.setattr(clock, "now_us", lambda: now_us() + ahead_us[0])
    monkeypatch.setattr(silent.loop.commands, "receive", lambda cabinet: heard.append(silent.ticks))
    asker = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    asker.sendto(b"anything", str(silent.loop.commands._path))

    def on_tick(ticks):
        ahead_us[0] += 3 * silent.cabinet.config.tick_ms * 1000 // 2
        if ticks == 20:
            end()

    silent.run(on_tick)
    asker.close()
    assert {3, 10, 19} <= {*heard}


@pytest.mark.parametrize("supplied, armed", [(0, 1), (1, 1), (0, 0)])
def test_a_stop_that_does_not_end_takes_its_longest_time(silent, monkeypatch, supplied, armed):
    """While the contactors are supplied it has the time of a fuse (C65)."""
    for name, counts in (("STOP_US_MAX", not supplied), ("OPEN_US_MAX", supplied)):
        monkeypatch.setattr(loop, name, 100_000 if counts else 1 << 60)
    out, silent.cabinet.keeper.durable = silent.cabinet.core.kernel.out, 1 << 30 if armed else 0

    def hold(ticks):
        out[s.CONTACTOR_SUPPLY_OK], out[s.ARM_REQUEST] = supplied, armed
        if ticks == 2:
            end()

    assert silent.run(hold) == 1 and silent.ticks >= 5


def test_a_stop_that_is_asked_for_again_and_again_takes_no_longer(silent, monkeypatch):
    monkeypatch.setattr(loop, "OPEN_US_MAX", 60_000)
    out = silent.cabinet.core.kernel.out

    def hold(ticks):
        out[s.CONTACTOR_SUPPLY_OK] = 1
        if 2 <= ticks < 40:
            end()

    assert silent.run(hold) == 1 and silent.ticks < 40


@pytest.mark.parametrize("ask", ["request_run", "request_test"])
def test_nothing_that_is_asked_for_undoes_a_stop(silent, monkeypatch, ask):
    monkeypatch.setattr(loop, "OPEN_US_MAX", 100_000)
    monkeypatch.setattr(Fire, "key_is_out", lambda fire: 1)
    inp, out, told = silent.cabinet.core.inp, silent.cabinet.core.kernel.out, []

    def hold(ticks):
        out[s.CONTACTOR_SUPPLY_OK] = 1
        if ticks == 2:
            end()
        if ticks > 2:
            told.append(inp[s.RUN_REQUEST])
            getattr(silent.cabinet, ask)(*[1] * (ask == "request_run"))

    silent.run(hold)
    assert len(told) > 2 and not any(told)


class Serial:
    """A port that takes three bytes at a time."""

    def __init__(self, arrived=b""):
        self.arrived, self.taken, self.rest = arrived, b"", b""

    @property
    def pending(self):
        return len(self.rest)

    def read(self):
        data, self.arrived = self.arrived, b""
        return data

    def write(self, data):
        data = data or self.rest
        self.taken, self.rest = self.taken + data[:3], data[3:]


def wire_on(serial):
    ended = []
    port = RtuPort("io", 115_200, first_byte_timeout_us=50_000)
    replied, failed = lambda *_: ended.append("reply"), lambda kind, *_: ended.append(kind)
    port.submit(rtu.read_request("inputs", 1, 2, 0, 8, replied, failed))
    wire = loop.Wire.__new__(loop.Wire)
    wire.serial, wire.port = serial, port
    return wire, ended


def test_a_wire_gives_the_rest_of_a_frame_and_a_reply_that_waits_in_the_tty_is_no_time_out():
    serial = Serial()
    wire, ended = wire_on(serial)
    for now_us in range(4):
        wire.give(now_us)
    assert serial.taken == rtu.read_request("inputs", 1, 2, 0, 8).frame and not serial.pending
    serial.arrived = rtu.seal(b"\1\2\1\xff")
    wire.give(500_000)  # the process was held up past the time-out
    assert ended == ["reply"]


@cases("""
    channel                host         port    name
    "127.0.0.1:3000/can0"  "127.0.0.1"  3000    "can0"
    "box:29536/can1"       "box"        29_536  "can1"
    "can0"                 "127.0.0.1"  29_536  "can0"
    "box/can0"             "box"        29_536  "can0"
""")
def test_where_a_socketcand_channel_leads(monkeypatch, channel, host, port, name):
    monkeypatch.setattr(loop, "open_can", lambda *given, **settings: (*given, settings))
    bus = SimpleNamespace(interface="socketcand", channel=channel, bitrate_bps=500_000)
    opened = loop.can_port_of(bus)
    assert opened == ("socketcand", name, 500_000, {"host": host, "port": port})


def test_a_bus_that_could_not_be_opened_is_one_line_with_its_name(silent):
    """Its devices are silent, the loop runs."""
    running = silent.loop
    assert running.troubles() == []
    running.wires[0].serial.error = "Modbus TCP 10.0.0.1:502: this process may not reach it"
    running.can_ports["can0"].error = "CAN can0 (socketcan): this kernel has no CAN"
    silent_words = "its devices are silent until it can be opened"
    assert running.troubles() == [
        f"bus {running.wires[0].name}: {running.wires[0].serial.error}; {silent_words}",
        f"bus can0: CAN can0 (socketcan): this kernel has no CAN; {silent_words}",
    ]


def flood(path, ended):
    sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    with sender, contextlib.suppress(OSError):
        while not ended.is_set():
            sender.sendto(b"x" * 88, path)


def ask_for_a_hint(path, ended, found):
    with HintClient(os.path.dirname(path)) as client:
        found.append(client.say("site_ems", KEY, h.GRID_CAP, h.IMPORT_W_MAX, 400_000, 60_000))
    ended.set()


def test_a_flood_of_hints_does_not_make_the_loop_spin(silent):
    """Bad hints keep the socket readable: a few are read per tick, the rest wakes nothing."""
    path, plain = silent.loop.hints._path, silent.loop.hints.receive
    ended, found, taken = threading.Event(), [], []
    threads = [
        threading.Thread(target=flood, args=(path, ended)),
        threading.Thread(target=ask_for_a_hint, args=(path, ended, found)),
    ]

    def receive(now_us):
        taken.append(silent.ticks)
        plain(now_us)

    def on_tick(ticks):
        if ticks == 2:
            for thread in threads:
                thread.start()
        if ticks > 20 and ended.is_set():
            end()

    silent.loop.hints.receive = receive
    silent.run(on_tick)
    for thread in threads:
        thread.join()
    assert found[0][1].code == h.GRANTED
    per_tick = [taken.count(tick) for tick in set(taken)]
    assert 4 <= max(per_tick) <= 12 and silent.selects.calls < 20 * silent.ticks


def test_a_second_process_does_not_get_the_lock_until_the_first_has_ended(tmp_path):
    heard, told = os.pipe()
    first = os.fork()
    if first == 0:
        os.write(told, b"1" if loop.lock(str(tmp_path)) else b"0")
        signal.pause()
        os._exit(0)
    try:
        assert os.read(heard, 1) == b"1" and loop.lock(str(tmp_path)) is None
    finally:
        os.kill(first, signal.SIGKILL)
        os.waitpid(first, 0)
    held = loop.lock(str(tmp_path))
    assert held is not None
    for descriptor in (held, heard, told):
        os.close(descriptor)


def run_command(tmp_path, *more):
    folders = "--run-dir", str(tmp_path / "run"), "--state-dir", str(tmp_path / "state")
    return __main__.main(["run", str(EXAMPLE), *folders, *more])


@pytest.mark.parametrize("more, is_prepared", [([], True), (["--no-realtime"], False)])
def test_the_command_says_what_it_found_and_ends_with_the_code_of_its_loop(
    tmp_path, monkeypatch, capsys, more, is_prepared
):
    made, notifier = [], SimpleNamespace(ready=lambda status: None)

    def loop_of(*given):
        made.append(given)
        made_loop = {"run": lambda: 1, "troubles": list, "close": lambda: made.append("closed")}
        return SimpleNamespace(**made_loop)

    monkeypatch.setattr(loop, "Loop", loop_of)
    monkeypatch.setattr(realtime, "Notifier", lambda: notifier)
    monkeypatch.setattr(realtime, "prepare", lambda: ["prepared"])
    run, state = str(tmp_path / "run"), str(tmp_path / "state")
    os.mkdir(run)
    os.mkdir(state, 0o700)
    key_files.create(state, "site_ems")
    two_copies.Store(state).save(Record(cabinets=("other",)))
    two_copies.mark_failed(run, True)
    assert run_command(tmp_path, *more) == 1
    (cabinet, *given, keys), closed = made
    assert (given, [*keys], closed) == ([run, notifier], ["site_ems"], "closed")
    assert cabinet.self_test and cabinet.journal
    found = 'belongs to cabinet "other"', "the last run could not save", "is not approved"
    said = capsys.readouterr().err
    assert [words in said for words in (*found, "prepared")] == [True] * 3 + [is_prepared]


def test_the_command_does_not_start_where_another_writes_the_store(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(two_copies, "hold", lambda folder: None)
    assert run_command(tmp_path) == 3 and "still writes the store" in capsys.readouterr().err
