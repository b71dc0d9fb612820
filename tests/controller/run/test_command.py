"""Operator commands: the form of a datagram, one reset at a time, an answer for each client."""

import contextlib
import grp
import os
import pwd
import socket
import stat
import struct
import threading

import pytest

from controller.run import answer_words, channel_link, operator_client, operator_commands as oc
from controller.system import sockets
from controller.system.paths import OPERATORS
from safety import latches
from tests.tables import cases

pytestmark = pytest.mark.wire
NUMBER = b"\0\1\2number"[:8]


class Cabinet:
    def __init__(self):
        self.asked, self.verdict = [], 0

    def __getattr__(self, name):
        def request(*given):
            self.asked.append((name.removeprefix("request_"), *given))
            return self.verdict

        return request


class Client:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("")
        self.socket.setblocking(False)
        self.path = path

    def say(self, data):
        with sockets.short(self.path) as name:
            self.socket.sendto(NUMBER + data, name)

    def heard(self):
        """[code, or (code, channel B's)] of the answers that have come."""
        codes = []
        while True:
            try:
                magic, code, there, number = oc.ANSWER.unpack(self.socket.recv(64))
            except BlockingIOError:
                return codes
            assert (magic, number) == (oc.MAGIC, NUMBER)
            codes.append((code, there) if there else code)


def request(what, *seen, magic=oc.MAGIC):
    return oc.REQUEST.pack(magic, what, *(seen or (-1, 0, -1, 0)))


def lock(what, name, magic=oc.MAGIC):
    return oc.LOCK.pack(magic, what, name)


def approval(name=b"anna", code=0xFFFFFFFE, magic=oc.MAGIC, what=oc.APPROVE):
    return oc.APPROVAL.pack(magic, what, name, code)


class Place:
    def __init__(self, path):
        self.path, self.listener, self.cabinet = path, oc.Listener(path), Cabinet()
        self.one, self.other = Client(path), Client(path)

    def say(self, data, client=None):
        client = client or self.one
        client.say(data)
        self.listener.receive(self.cabinet)
        return client.heard()

    def ended(self, *answer):
        self.listener.answer(*answer)
        return self.one.heard(), self.other.heard()

    def close(self):
        self.listener.close()
        for each in (self.one, self.other):
            each.socket.close()


@pytest.fixture
def place(tmp_path):
    made = Place(str(tmp_path / "command.sock"))
    yield made
    made.close()


RESET, END = request(oc.REMOTE_RESET), lock(oc.END_LOCK_OUT, b"anna")
RUN, STOP, LOCK = request(oc.RUN), request(oc.STOP), lock(oc.LOCK_OUT, b"anna")
SEEN = (7, 0x3FFFFFFF, 5, 0x3FFFFFFE)
# datagram, the call of the cabinet when a client waits for the answer
WAITED_FOR = (
    (request(oc.REMOTE_RESET, *SEEN), ("reset", oc.REMOTE_RESET, *SEEN)),
    (request(oc.KEY_RESET, *SEEN), ("reset", oc.KEY_RESET, *SEEN)),
    (RUN, ("run", True, True)),
    (STOP, ("run", False, True)),
    (LOCK, ("lock_out", "anna", True, True)),
    (END, ("lock_out", "anna", False, True)),
    (approval(), ("approval", "anna", 0xFFFFFFFE)),
)


@pytest.mark.parametrize("data, asked", WAITED_FOR)
def test_what_is_stored_is_answered_when_it_has_ended(place, data, asked):
    assert place.say(data) == [] and place.cabinet.asked == [asked]
    assert place.ended(0) == ([], [])
    for waiting in (RESET, RUN, END, approval()):
        assert place.say(waiting, place.other) == [oc.BUSY]
    assert place.cabinet.asked == [asked]
    assert place.ended(latches.DONE) == ([latches.DONE], [])
    assert place.ended(latches.DONE) == ([], [])
    assert place.say(data, place.other) == [] and place.cabinet.asked == [asked] * 2


@pytest.mark.parametrize("first", [RESET, RUN, STOP, END])
@pytest.mark.parametrize(
    "second, asked", [(STOP, ("run", False, False)), (LOCK, ("lock_out", "anna", True, False))]
)
@pytest.mark.parametrize("verdict", [0, oc.LOCKED])
def test_what_takes_effect_first_waits_for_nobody_else(place, first, second, asked, verdict):
    """A reset that waits for a slow disk must not delay a lock-out; its answer is still due."""
    place.say(first)
    place.cabinet.verdict = verdict
    assert place.say(second, place.other) == [verdict or oc.UNCONFIRMED]
    assert place.cabinet.asked[1:] == [asked]
    assert place.ended(oc.OVERRULED) == ([oc.OVERRULED], [])


@cases("""
    data  verdicts
    RUN  [oc.IN_TEST, oc.STAYS_LOCKED] | END  [oc.OTHERS_LOCK] | LOCK  [oc.LOCKED]
    request(oc.TEST_MODE)  [oc.ACCEPTED, oc.KEY_IN_RUN, oc.IN_TEST]
""")
def test_a_refusal_is_answered_at_once_and_nobody_waits(place, data, verdicts):
    for place.cabinet.verdict in verdicts:
        assert place.say(data) == [place.cabinet.verdict]
    assert place.say(RESET) == [] and len(place.cabinet.asked) == len(verdicts) + 1


@cases("""
    data  verdict  answer  asked
    request(oc.LAMP_TEST)  0  oc.ACCEPTED  ("lamp_test",)
    request(oc.SIGN, 2, 1, 0, 0)  oc.ACCEPTED  oc.ACCEPTED  ("sign", 2, 1)
    request(oc.STEP, 2, -9000, 4000, 0)  oc.NOT_IN_TEST  oc.NOT_IN_TEST  ("step", 2, -9000, 4000)
""")
def test_a_part_of_a_test_is_answered_at_once(place, data, verdict, answer, asked):
    place.cabinet.verdict = verdict
    assert place.say(data) == [answer] and place.cabinet.asked == [asked]


TOO_OLD = struct.pack("<4sBxxxii", oc.MAGIC, oc.KEY_RESET, -1, 0)  # does not name channel B


@cases(r"""
    data
    b"" | b"x" | RUN[:-1] | RUN + b"\0" | bytes(64) | bytes(65) | TOO_OLD
    *[[request(what, magic=b"FBC2")] for what in (oc.RUN, oc.TEST_MODE)]
    *[[request(what)] for what in (0, 9, 20, 23, 255)]
    *[[lock(oc.LOCK_OUT, name)] for name in (b"", b"Anna", b"1anna", b"an\0na", b"\xff" * 16)]
    lock(oc.LOCK_OUT, b"anna", b"FBC2")
    approval(magic=b"FBC2") | approval(what=oc.LOCK_OUT) | approval(b"") | approval(b"An\0na")
""")
def test_anything_else_is_refused_and_does_nothing(place, data):
    assert place.say(data) == [oc.REFUSED_FORM] and place.cabinet.asked == []


@pytest.mark.parametrize("first", [RESET, LOCK])
def test_who_has_no_address_is_waited_for_too(place, first):
    """The next client's reset would get the answer to this command without the wait."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as nameless:
        nameless.sendto(NUMBER + first, place.path)
        place.listener.receive(place.cabinet)
    assert place.say(request(oc.KEY_RESET)) == [oc.BUSY]
    assert place.ended(oc.ACCEPTED) == ([], []) and place.listener.dropped == 0
    assert place.say(request(oc.KEY_RESET)) == [] and place.cabinet.asked[-1][1] == oc.KEY_RESET


@pytest.mark.parametrize("name", ["", "Anna", "a" * 17, "an na", "\xe4nna"])
def test_nobody_asks_for_a_lock_out_in_no_name(tmp_path, name):
    with pytest.raises(ValueError, match="a name is 1 .. 16 of a-z"):
        operator_client.lock_out(str(tmp_path / "command.sock"), name, True)


def test_a_tick_takes_four_commands(place):
    """A runaway script waits for the next tick; it does not make this one late."""
    for _count in range(4):
        assert place.listener.hungry
        place.say(STOP)
    assert not place.listener.hungry and len(place.cabinet.asked) == 4
    place.listener.answer(0)
    assert place.listener.hungry


def test_nothing_waiting_is_nothing_and_an_asker_who_has_gone_is_counted(place):
    place.listener.receive(place.cabinet)
    assert (place.cabinet.asked, place.listener.dropped) == ([], 0)
    place.say(RESET)
    place.one.socket.close()
    place.listener.answer(latches.DONE)
    assert place.listener.dropped == 1


@pytest.fixture
def operators(monkeypatch):
    """The group, with this user's own as its number, and one member who may log in."""
    group = grp.struct_group(("operators", "x", os.getegid(), ["anna", "gone"]))
    monkeypatch.setattr(grp, "getgrnam", {OPERATORS: group}.__getitem__)
    known = {"anna": pwd.struct_passwd(("anna", "x", OTHER, 1, "", "/", "sh"))}
    monkeypatch.setattr(pwd, "getpwnam", known.__getitem__)
    monkeypatch.setattr(pwd, "getpwall", list)


def from_user(monkeypatch, uid):
    """The kernel says that this user has sent what comes."""
    real = sockets.received
    monkeypatch.setattr(sockets, "received", lambda *given: (*real(*given)[:2], uid))


def test_answers_that_an_operator_does_not_read_silence_no_other(place):
    """286 unread answers filled the one socket: later commands were obeyed without an answer."""
    dropped, deaf = 0, [Client(place.path)]
    for _ in range(400):
        deaf[-1].say(request(oc.LAMP_TEST))
        place.listener.receive(place.cabinet)
        if place.listener.dropped > dropped:  # the queue of this socket is full
            dropped = place.listener.dropped
            deaf.append(Client(place.path))
    assert place.say(request(oc.LAMP_TEST)) == [oc.ACCEPTED]
    for each in deaf:
        each.socket.close()


OTHER = os.geteuid() + 7
KEY_CHANGE = oc.KEY_CHANGE.pack(oc.MAGIC, oc.SET_KEY, b"site_ems", bytes(32), 1)


@cases("""
    data  may
    RUN  True | STOP  True | RESET  True | request(oc.KEY_RESET)  True
    request(oc.TEST_MODE)  True | request(oc.LAMP_TEST)  True
    LOCK  True | END  True | lock(oc.LOCK_OUT, b"bert")  False | lock(oc.END_LOCK_OUT, b"a")  False
    approval()  False | KEY_CHANGE  False | request(oc.SIGN)  False | b"x"  False
""")
def test_an_operator_locks_out_in_the_own_name_alone(operators, place, monkeypatch, data, may):
    from_user(monkeypatch, OTHER)
    assert (place.say(data) == [oc.OTHERS_NAME]) != may
    assert len(place.cabinet.asked) == may


@pytest.mark.parametrize("uid", [OTHER + 1, None])
def test_who_is_no_operator_any_more_locks_nobody_out(operators, place, monkeypatch, uid):
    from_user(monkeypatch, uid)
    assert place.say(LOCK) == [oc.OTHERS_NAME] and place.cabinet.asked == []


@pytest.mark.parametrize("group, mode", [(OPERATORS, 0o660), ("none", 0o600)])
def test_the_socket_is_for_its_owner_and_operators(operators, tmp_path, group, mode):
    path = str(tmp_path / "command.sock")
    sockets.bound(path, group).close()
    assert stat.S_IMODE(os.stat(path).st_mode) == mode


def test_the_socket_replaces_one_left_over(tmp_path):
    path = str(tmp_path / "command.sock")
    oc.Listener(path)._socket.close()  # as after kill -9: the file stays
    listener = oc.Listener(path)
    listener.close()
    assert not os.path.exists(path)
    listener.close()


@contextlib.contextmanager
def asking(ask, *given):
    """The answers of a call in another thread, complete at the exit."""
    answers = []
    asker = threading.Thread(target=lambda: answers.append(ask(*given)))
    asker.start()
    yield answers
    asker.join()


def test_ask_gets_the_answer(place):
    asked = oc.KEY_RESET, 3, 4, 5, 6
    with asking(operator_client.reset, place.path, *asked) as answers:
        while not place.cabinet.asked:
            place.listener.receive(place.cabinet)
        place.listener.answer(latches.KEY_NEEDED, latches.DONE)
    assert place.cabinet.asked == [("reset", *asked)]
    assert answers == [(latches.KEY_NEEDED, latches.DONE)]


def test_ask_gives_up_when_nobody_answers_or_is_there(place, tmp_path, monkeypatch):
    monkeypatch.setattr(operator_client.commands, "ANSWER_S", 0.01)
    assert operator_client.ask(place.path, oc.RUN) is None
    asked = operator_client.reset(place.path, oc.REMOTE_RESET, -1, 0, -1, 0)
    assert (asked.words(), asked.is_done) == ("no answer", False)
    with pytest.raises(OSError):
        operator_client.ask(str(tmp_path / "absent.sock"), oc.RUN)


def test_an_answer_counts_by_its_number_and_its_user(tmp_path, monkeypatch):
    """A fake `command.sock` of another user made "accepted" of a stop."""
    path, users = str(tmp_path / "command.sock"), [os.geteuid() + 1, os.geteuid()]
    real, said_by = sockets.received, [users[1], users[0], users[1]]
    monkeypatch.setattr(sockets, "received", lambda *given: (*real(*given)[:2], said_by.pop(0)))
    with sockets.bound(path, "") as fake, asking(operator_client.ask, path, oc.RUN) as answers:
        fake.setblocking(True)
        data, sender, _ = real(fake, 99)
        for number, code in ((b"?" * 8, oc.BUSY), (data[:8], oc.LOCKED), (data[:8], oc.ACCEPTED)):
            fake.sendto(oc.ANSWER.pack(oc.MAGIC, code, 0, number), sender)
    assert answers == [oc.ACCEPTED]


def test_a_socket_of_another_user_gets_no_command(tmp_path, monkeypatch):
    path, real = str(tmp_path / "command.sock"), os.lstat
    with sockets.bound(path, "") as fake:
        found = os.stat_result([*real(path)[:4], os.geteuid() + 1, *real(path)[5:10]])
        monkeypatch.setattr(os, "lstat", lambda *_: found)
        for ask in (operator_client.ask, lambda path, _: operator_client.reach(path)):
            with pytest.raises(OSError, match="belongs to the user"):
                ask(path, oc.RUN)
        with pytest.raises(BlockingIOError):
            fake.recv(99)


@pytest.mark.parametrize("data", [b"", b"FBC1\1", b"FBC1\1\0\0"])
def test_an_answer_of_another_version_is_a_refusal(tmp_path, data):
    """It comes after an update without a restart of the controller."""
    path = str(tmp_path / "command.sock")
    with sockets.bound(path, "") as old:
        old.setblocking(True)
        with asking(operator_client.ask, path, oc.RUN) as answers:
            old.sendto(data, old.recvfrom(64)[1])
    assert answers == [oc.REFUSED_FORM]


def test_every_answer_has_words_of_its_own():
    codes = (None, *range(len(latches.RESULTS)), *range(oc.ACCEPTED, oc.OTHERS_NAME + 1))
    assert len({answer_words.text(code) for code in codes}) == len(codes)
    assert all(
        answer_words.text(code).startswith("in effect") for code in (oc.UNSTORED, oc.UNCONFIRMED)
    )
    assert "effect" not in answer_words.text(oc.NOT_STORED)
    assert answer_words.text(255) == "answer 255, which this version does not know"


DONE, NOTHING, SILENT = latches.DONE, latches.NOTHING, "done; channel B does not answer"
NO_ANSWER = channel_link.NO_ANSWER
NOT_STORED = "the store does not take it: see the controller's messages"


@cases("""
    here  there  words  is_done
    DONE  latches.NONE  "done"  True
    DONE  DONE  "done; channel B: done"  True
    DONE  NOTHING  "done; channel B: nothing to reset"  True
    NOTHING  DONE  "nothing to reset; channel B: done"  True
    NOTHING  NOTHING  "nothing to reset; channel B: nothing to reset"  False
    NOTHING  latches.NONE  "nothing to reset"  False
    latches.NOT_CLEAR_YET  DONE  "not clear yet; channel B: done"  False
    DONE  latches.CHANGED  "done; channel B: changed"  False
    DONE  latches.KEY_NEEDED  "done; channel B: key needed"  False
    DONE  NO_ANSWER  SILENT  False
    DONE  255  SILENT  False
    latches.CHANGED  latches.NONE  "changed"  False
    None  latches.NONE  "no answer"  False
    oc.NOT_STORED  latches.NONE  NOT_STORED  False
""")
def test_a_reset_is_done_only_where_both_channels_say_so(here, there, words, is_done):
    answer = operator_client.Answer(here, there)
    assert (answer.words(), answer.is_done) == (words, is_done)


def test_a_run_directory_may_lie_deeper_than_a_socket_address_is_long(tmp_path):
    folder = tmp_path / ("d" * 60) / ("e" * 60)
    folder.mkdir(parents=True)
    with contextlib.closing(Place(str(folder / "command.sock"))) as deep:
        assert deep.say(RUN) == [] and deep.ended(oc.ACCEPTED) == ([oc.ACCEPTED], [])
    assert not (folder / "command.sock").exists()
