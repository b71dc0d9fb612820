"""The console on real pseudo-terminals; the far end delays only the output."""

import contextlib
import fcntl
import os
import pty
import random
import select
import signal
import struct
import subprocess
import sys
import termios
import threading

import pytest
from command_line import answered, cheapen_passwords
from slow import slow
from terminal_bench import SEEN, FakeActor, Vt100
from watched import Watched, pressed

from controller.console import login, run_words, users
from controller.console.terminal import actions, line, process, session, view
from controller.run import channel_link, operator_client, operator_commands
from controller.store import spool
from safety import latches
from tests.tables import table

pytestmark = pytest.mark.wire
SEED = 20260314
SECOND_US = 1_000_000
GUARD_S = 30


def doing_at(place):
    os.makedirs(place, exist_ok=True)
    return actions.Actions(str(place), str(place), str(place), "ttyS0")


def notes(place):
    return [(act.code, act.text) for act in spool.Inbox(str(place), ()).take(9)]


class Terminal:
    """A console in this process on a pty, and the person's end; `now_us` moves by hand."""

    def __init__(self, folder, watched=None):
        self.far, near = pty.openpty()
        os.set_blocking(self.far, False)
        self.path = os.ttyname(near)
        os.close(near)
        self.now_us, place = 1000 * SECOND_US, str(folder)
        self.line = line.Line(self.path, 115_200)
        self.view = view.View(place, place, watched.rig.step if watched else lambda: None)
        (folder / "a.failed").unlink(missing_ok=True)
        failures = login.Failures(str(folder / "a.failed"))
        doing, idle_us = doing_at(place), 300 * SECOND_US
        self.session = session.Session(
            self.view, doing, FakeActor(), failures, place, "ttyS0", idle_us
        )
        self.console = process.Console(
            self.line, self.session, self.view, False, lambda: self.now_us
        )
        self.shown = Vt100()

    def turns(self, count=1, passed_us=SECOND_US, reads=True):
        for _ in range(count):
            self.now_us += passed_us
            self.console.turn()
            if reads:
                self.take()

    def take(self):
        while select.select([self.far], [], [], 0)[0]:
            self.shown.feed(os.read(self.far, 4096))

    def types(self, text):
        os.write(self.far, text.encode())
        self.turns(3)
        return self.shown.lines

    def close(self):
        self.console.close()
        if self.far is not None:
            os.close(self.far)


@pytest.fixture(autouse=True)
def _cheap(monkeypatch):
    cheapen_passwords(monkeypatch)


@pytest.fixture(scope="module")
def tripped(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    return Watched(folder, actions=pressed(9)).run(12), folder


@pytest.fixture
def terminal(tripped):
    watched, folder = tripped
    made = Terminal(folder, watched)
    made.turns(2)
    yield made
    made.close()


def test_a_blocked_terminal_is_later_drawn_anew(terminal):
    blocked = 0
    for number in range(160):  # more than the buffer of a pty (4 kB) or a UART
        os.write(terminal.far, b"123459"[number % 6 : number % 6 + 1])
        terminal.turns(2, reads=False)
        assert len(terminal.line.pending) < 8000
        blocked += bool(terminal.line.pending)
    assert blocked, "the line has accepted all"
    assert terminal.session.page == "links", "keys are obeyed all the same"
    terminal.take()
    terminal.turns(10)
    lines = terminal.shown.lines
    assert lines[4].startswith("DEVICE") and lines[23].startswith("0 Status")
    assert "\n".join(lines).count("DEVICE") == 1


@pytest.mark.parametrize(
    "key, owner, name", [("4", "view", "page"), ("1", "view", "update"), ("l", "session", "_login")]
)
def test_an_exception_is_one_line_and_the_console_goes_on(
    terminal, monkeypatch, capfd, key, owner, name
):
    real = getattr(getattr(terminal, owner), name)

    def fails(*given):
        return 1 // ("links" not in given and name == "page") and real(*given)

    monkeypatch.setattr(getattr(terminal, owner), name, fails)
    shown = terminal.types(key)
    assert any("This has failed; the log of this console says where." in each for each in shown)
    monkeypatch.undo()
    assert terminal.types("1")[0].startswith("Cabinet 1, ")
    (line,) = capfd.readouterr().err.splitlines()
    what = "firebreak: console: a key or a page has failed: ZeroDivisionError at "
    assert line.startswith(what) and line.split()[-1].startswith(("process.py:", "session.py:"))


def test_a_page_in_a_buffer_does_not_count_as_seen(terminal, monkeypatch):
    def takes_nothing(data=b""):
        terminal.line.pending += data
        return 0

    monkeypatch.setattr(terminal.line, "write", takes_nothing)
    os.write(terminal.far, b"2")
    terminal.turns(3)
    assert terminal.session.page == "alarms" and b"ALARM" in terminal.line.pending
    assert terminal.session.seen is None
    terminal.turns(process.STALL_US // SECOND_US)
    assert terminal.session.seen is None, "what was dropped was not shown"
    monkeypatch.undo()
    terminal.turns(1)
    assert not terminal.line.pending
    assert terminal.session.seen.text.startswith("row 1a emergency stop")


def test_a_flood_of_input_is_read_in_pieces(terminal, monkeypatch):
    reads, looked = [], []
    read, update = terminal.line.read, terminal.view.update
    monkeypatch.setattr(terminal.line, "read", lambda: reads.append(1) or read())
    monkeypatch.setattr(terminal.view, "update", lambda: looked.append(1) or update())
    began_us = terminal.now_us
    while terminal.now_us - began_us < 3 * SECOND_US:
        with contextlib.suppress(BlockingIOError):  # until the buffer is full
            os.write(terminal.far, b"1234567890?LRAE\r" * 64)
        terminal.turns(1, passed_us=5_000)
    assert len(reads) <= 3 * SECOND_US // process.FLOOD_US + 1
    assert 2 <= len(looked) <= 4, "it goes on looking once a second, and no more often"


def test_garbage_only_changes_pages(terminal):
    random.seed(SEED)
    for _ in range(200):
        os.write(terminal.far, random.randbytes(100).replace(b"q", b"").replace(b"Q", b""))
        terminal.turns(1, 20_000)
    assert terminal.session.who is None and not terminal.line.is_gone
    os.write(terminal.far, b"\x03")
    terminal.turns(2)
    terminal.session.wants_end = False
    assert any(text.startswith("ALARM  row 1a") for text in terminal.types("2")), f"seed {SEED}"
    os.write(terminal.far, b"\x13")  # flow control does not stop the screen
    assert any(text.startswith("RACK") for text in terminal.types("3"))


def test_a_page_costs_one_key_and_few_bytes(terminal):
    """115200 Bd carry 11520 bytes a second; a page takes less than a quarter of a second."""
    first, menu = terminal.shown.lines[0], terminal.shown.lines[23]
    assert "TRIPPED" in first and menu.startswith("0 Status 1 Why")
    assert any(text.startswith("ALARM  row 1a") for text in terminal.types("2"))
    assert any(text.startswith("RACK") for text in terminal.types("3"))
    who = terminal.shown.lines[22]
    assert "Cells stay live" in who and "Not logged in (view only)" in who
    before = terminal.shown.received
    terminal.types("1")
    assert terminal.shown.received - before < 2880
    before = terminal.shown.received
    terminal.turns(10)
    assert terminal.shown.received - before < 10 * 600
    for rows, columns, first in (20, 60, "60 x 20; needs 80 x 24"), (24, 80, "TRIPPED"):
        fcntl.ioctl(terminal.far, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))
        terminal.turns(2)
        assert first in terminal.shown.lines[0]
        assert any(terminal.shown.lines[1:]) == (rows == 24)


def test_a_line_has_one_console_and_a_hang_up_ends_it(terminal, tmp_path):
    file, none = tmp_path / "file", tmp_path / "none"
    file.touch()
    bad = {terminal.path: "another console uses it", file: "not a terminal", none: "No such file"}
    for path, why in bad.items():
        with pytest.raises(line.LineError, match=why):
            line.Line(str(path), 115_200)
    os.close(terminal.far)
    terminal.far = None
    terminal.turns(2, reads=False)
    assert terminal.line.is_gone


def test_the_line_is_115200_8n1_and_is_restored():
    far, near = pty.openpty()
    before = termios.tcgetattr(near)
    opened = line.Line(os.ttyname(near), 115_200)
    iflag, _, cflag, lflag, *speeds, _ = termios.tcgetattr(near)
    assert speeds == [termios.B115200] * 2
    kept = termios.CSIZE | termios.PARENB | termios.CSTOPB | termios.CRTSCTS
    assert cflag & kept == termios.CS8
    assert cflag & termios.CLOCAL and cflag & termios.CREAD, "no modem line hangs it up"
    assert iflag & termios.IGNBRK, "a break is no key"
    assert not iflag & (termios.IXON | termios.IXOFF | termios.ICRNL)
    assert not lflag & (termios.ECHO | termios.ISIG)
    opened.close()
    assert termios.tcgetattr(near) == before
    os.close(far)
    os.close(near)


def test_a_reset_sends_the_seen_causes(terminal, tripped):
    _, folder = tripped
    users.add(str(folder), "anna", "a long secret 1")
    terminal.types("L")
    terminal.types("anna\r")
    assert terminal.types("a long secret 1\r")[21] == "anna is logged in."
    terminal.types("2")
    seen = terminal.session.seen
    listener = operator_commands.Listener(str(folder / "command.sock"))
    got = []

    class Asked:
        def request_reset(self, *what):
            got.append(what)

    def serve():
        if select.select([listener], [], [], GUARD_S)[0]:
            listener.receive(Asked())
            listener.answer(latches.KEY_NEEDED)

    thread = threading.Thread(target=serve)
    thread.start()
    terminal.types("R")
    assert "remote reset, 3 left of row 1a emergency stop" in terminal.shown.lines[21]
    shown = terminal.types("yes\r")
    thread.join(GUARD_S)
    listener.close()
    assert got == [(operator_commands.REMOTE_RESET, *seen.causes)]
    assert shown[21] == "Reset: key needed: turn the key switch out of RUN."
    assert terminal.types("A")[21].startswith("Acknowledged: row 1a")
    assert any(text == "ACK    anna at ttyS0 has seen this alarm." for text in terminal.types("2"))


RESETS = """
DONE | NONE | done. ; DONE | NOTHING | done; channel B: nothing to reset.
NOT_CLEAR_YET | DONE | not clear yet; channel B: done: see WAITS on this page.
NOT_CLEAR_YET | KEY_NEEDED | not clear yet; channel B: key needed: turn the key switch out of RUN.
NOTHING | CHANGED | nothing to reset; channel B: changed: look at IN B again.
CHANGED | NONE | changed: the page has changed since, look again.
DONE | NO_TOKENS | done; channel B: no tokens.
NO_TOKENS | NONE | no tokens: see RESETS for the next one.
DONE | NO_ANSWER | done; channel B does not answer. ; None | NONE | no answer.
"""


def test_a_reset_shows_and_records_both_answers(tmp_path, monkeypatch):
    codes = vars(latches) | {"NO_ANSWER": channel_link.NO_ANSWER}
    for here, in_b, words in table(RESETS):
        answer = operator_client.Answer(here and codes[here], codes[in_b])
        asked = answered(monkeypatch, operator_client, "reset", answer)
        shown = doing_at(tmp_path / f"{here}{in_b}").reset(1, "anna", SEEN, True)
        assert shown == f"Reset: {words}" and len(shown) < 80
        path = str(tmp_path / f"{here}{in_b}" / "command.sock")
        assert asked == [(path, operator_commands.KEY_RESET, *SEEN.causes)]
        text = f"anna at ttyS0: key reset of {SEEN.text} (4, 0x1234): {answer.words()}"
        assert notes(tmp_path / f"{here}{in_b}") == [("RESET", text)]


CLOSES = "accepted: it closes once the checklist is complete"
UNSTORED = "in effect, but a restart may lose it: see the controller's messages."
ACTS = f"""
start | START | ACCEPTED | '' | Start: {CLOSES}.
start | START | ACCEPTED | waits for R701 | Start: {CLOSES}, see START on page 2.
start | START | NOT_STORED | '' | Start: the store does not take it: see the controller's messages.
stop | STOP | ACCEPTED | '' | Stop: accepted: it ramps to zero and opens.
stop | STOP | None | '' | Stop: no answer. ; stop | STOP | UNSTORED | '' | Stop: {UNSTORED}
lamp_test | LAMPS | ACCEPTED | '' | Lamp test: accepted.
"""
LOCK_OUTS = f"""
True | ACCEPTED | Lock-out: accepted. ; True | UNSTORED | Lock-out: {UNSTORED}
False | NOT_LOCKED | End of the lock-out: it is not locked out.
False | ACCEPTED | End of the lock-out: accepted: start it with G.
"""


def test_start_stop_and_lock_out_show_and_record_their_answers(tmp_path, monkeypatch):
    codes = {**vars(operator_commands), None: None}
    for number, (do, code, answer, waits, words) in enumerate(table(ACTS)):
        made = doing_at(tmp_path / str(number))
        answered(monkeypatch, operator_client, "ask", codes[answer])
        answered(monkeypatch, run_words, "of_start", (run_words.CLOSES, waits))
        assert getattr(made, do)(1, "anna") == words and len(words) < 80
        text = f"anna at ttyS0: {words.partition(': ')[2][:-1]}"
        assert notes(tmp_path / str(number)) == [(code, text)]
    for is_locked, answer, words in table(LOCK_OUTS):
        answered(monkeypatch, operator_client, "lock_out", codes[answer])
        assert made.lock_out(1, "anna", is_locked) == words


def test_an_alarm_of_channel_b_can_be_acknowledged_too(tmp_path, monkeypatch):
    made, causes = doing_at(tmp_path), (-1, 0, 0, 0x3FFFFFFF)
    there = SEEN._replace(causes=causes, text="row 1a emergency stop, channel B")
    answer = operator_client.Answer(latches.NOTHING, 1)
    asked = answered(monkeypatch, operator_client, "reset", answer)
    made.reset(1, "anna", there, False)
    assert asked == [(str(tmp_path / "command.sock"), operator_commands.REMOTE_RESET, *causes)]
    what = f"remote reset of {there.text} (-1, 0x0; B 0, 0x3fffffff)"
    text = f"anna at ttyS0: {what}: nothing to reset; channel B: done"
    assert notes(tmp_path) == [("RESET", text)]
    made.acknowledge(2, "anna", there)
    assert made.acknowledged(causes) == "ACK    anna at ttyS0 has seen this alarm."
    for other in ((-1, 0, 0, 0x3FFFFFFE), (-1, 0, -1, 0), SEEN.causes):
        assert made.acknowledged(other) is None


def test_no_controller_has_a_page_and_an_export_its_own_session(tmp_path):
    made = Terminal(tmp_path)
    made.turns(2)
    assert "No controller found" in " ".join(made.shown.lines)
    assert any(text.startswith("LOOK") for text in made.types("?"))
    made.close()
    # only the console ends it: no signal of the terminal reaches it
    export = actions.Export([sys.executable, "-c", "import os; print(os.getsid(0) == os.getpid())"])
    export._process.wait(GUARD_S)
    assert export.lines() == ["True", "export: done"]
    export.stop()


class Process:
    def __init__(self, folder):
        self.far, self.near = pty.openpty()
        places = "--run-dir", str(folder), "--state-dir", str(folder)
        command = [sys.executable, "-m", "controller", "console", "--tty", os.ttyname(self.near)]
        pipe = dict(stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.started = subprocess.Popen([*command, *places], text=True, **pipe)
        self.shown = Vt100()

    def until(self, words):
        while not any(words in text for text in self.shown.lines):
            select.select([self.far], [], [], GUARD_S)
            self.shown.feed(os.read(self.far, 4096))
        return self.shown.lines

    def types(self, text):
        os.write(self.far, text.encode())

    def logs_in(self, name, password):
        for words, typed in (
            ("Not logged in (view only)", "L"),
            ("Name:", f"{name}\r"),
            ("Password:", password),
        ):
            self.until(words)
            self.types(typed)
        self.types("\r")
        self.until(f"{name} is logged in")

    def ends(self):
        _, printed = self.started.communicate(timeout=GUARD_S)
        return self.started.returncode, printed

    def close(self):
        if self.started.poll() is None:
            self.started.kill()
            self.started.communicate()
        for each in (self.far, self.near):
            if each is not None:
                os.close(each)


@pytest.fixture
def consoles(tmp_path):
    users.add(str(tmp_path), "anna", "a long secret 1")
    users.add(str(tmp_path), "bert", "a long secret 2")
    made = []

    def start():
        made.append(Process(tmp_path))
        return made[-1]

    yield start
    for each in made:
        each.close()


def test_only_one_of_two_processes_acts_also_after_a_kill(consoles):
    first, second = consoles(), consoles()
    first.logs_in("anna", "a long secret 1")
    second.until("ACTS: anna at ")
    second.types("L")
    second.until("One person acts at a time: ACTS: anna")
    first.started.kill()
    first.started.wait(GUARD_S)
    second.logs_in("bert", "a long secret 2")


@pytest.mark.parametrize("number", [signal.SIGTERM, *slow(signal.SIGHUP, signal.SIGINT)])
def test_a_signal_ends_the_console_also_while_the_line_is_full(consoles, number):
    console = consoles()
    console.until("0 Status")
    console.types("1234567890" * 20)
    console.started.send_signal(number)
    assert console.ends() == (0, "")


def test_q_on_a_serial_line_logs_out_and_a_pulled_line_ends(consoles):
    console = consoles()
    console.logs_in("anna", "a long secret 1")
    console.types("Q")
    console.until("anna is logged out: by key")
    assert console.started.poll() is None
    os.close(console.near)
    os.close(console.far)
    console.near = console.far = None
    code, printed = console.ends()
    assert code == 0 and printed.endswith("the terminal is gone\n")
