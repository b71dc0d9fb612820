"""Operator commands: the form of a datagram, one reset at a time, an answer for whoever asked."""

import os
import socket
import stat
import struct
import threading

import pytest

from controller.run import channel_link, operator_commands
from controller.system import sockets
from safety import latches

pytestmark = pytest.mark.wire


class Cabinet:
    """Remembers what it was asked for."""

    def __init__(self):
        self.resets, self.runs, self.lamp_tests, self.lock_outs, self.verdict = [], [], 0, [], 0
        self.tests, self.test_verdict, self.run_verdict = 0, operator_commands.ACCEPTED, 0

    def request_reset(self, *asked):
        self.resets.append(asked)

    def request_run(self, is_run, is_awaited):
        self.runs.append((is_run, is_awaited))
        return self.run_verdict

    def request_lamp_test(self):
        self.lamp_tests += 1

    def request_test(self):
        self.tests += 1
        return self.test_verdict

    def request_lock_out(self, name, is_locked, is_awaited):
        self.lock_outs.append((name, is_locked))
        self.is_awaited = is_awaited
        return self.verdict


class Client:
    """Somebody with a socket of their own."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("")
        self.socket.setblocking(False)
        self.path = path

    def say(self, data):
        with sockets.short(self.path) as name:
            self.socket.sendto(data, name)

    def heard(self):
        """Answer codes that have come; (code, channel B's) where it has one."""
        codes = []
        while True:
            try:
                magic, code, there = operator_commands.ANSWER.unpack(self.socket.recv(64))
            except BlockingIOError:
                return codes
            assert magic == operator_commands.MAGIC
            codes.append((code, there) if there else code)


@pytest.fixture
def place(tmp_path):
    """A listener, its cabinet, and a function that makes clients."""
    path = str(tmp_path / "command.sock")
    listener, clients = operator_commands.Listener(path), []

    def client():
        clients.append(Client(path))
        return clients[-1]

    yield listener, Cabinet(), client
    listener.close()
    for each in clients:
        each.socket.close()


def request(what, *seen, magic=operator_commands.MAGIC):
    return operator_commands.REQUEST.pack(magic, what, *(seen or (-1, 0, -1, 0)))


@pytest.mark.parametrize("what", [operator_commands.REMOTE_RESET, operator_commands.KEY_RESET])
def test_a_reset_is_answered_when_it_has_ended(place, what):
    listener, cabinet, client = place
    one = client()
    one.say(request(what, 7, 0x3FFFFFFF, 5, 0x3FFFFFFE))
    listener.receive(cabinet)
    assert cabinet.resets == [(what, 7, 0x3FFFFFFF, 5, 0x3FFFFFFE)]
    listener.answer(0)
    assert one.heard() == []
    listener.answer(latches.DONE)
    listener.answer(latches.DONE)
    assert one.heard() == [latches.DONE]


def test_what_channel_b_has_answered_is_in_the_answer(place):
    listener, cabinet, client = place
    one = client()
    for there in (latches.CHANGED, channel_link.NO_ANSWER, latches.NONE):
        one.say(request(operator_commands.REMOTE_RESET))
        listener.receive(cabinet)
        listener.answer(latches.DONE, there)
    assert one.heard() == [
        (latches.DONE, latches.CHANGED),
        (latches.DONE, channel_link.NO_ANSWER),
        latches.DONE,
    ]


def test_only_one_reset_waits_at_a_time(place):
    listener, cabinet, client = place
    one, other = client(), client()
    one.say(request(operator_commands.REMOTE_RESET, 1, 1, -1, 0))
    listener.receive(cabinet)
    other.say(request(operator_commands.REMOTE_RESET, 2, 2, -1, 0))
    listener.receive(cabinet)
    assert cabinet.resets == [(operator_commands.REMOTE_RESET, 1, 1, -1, 0)] and other.heard() == [
        operator_commands.BUSY
    ]
    listener.answer(latches.CHANGED)
    assert (one.heard(), other.heard()) == ([latches.CHANGED], [])
    other.say(request(operator_commands.REMOTE_RESET, 2, 2, -1, 0))
    listener.receive(cabinet)
    assert len(cabinet.resets) == 2


@pytest.mark.parametrize(
    "what, is_run", [(operator_commands.RUN, True), (operator_commands.STOP, False)]
)
def test_run_and_stop_are_answered_when_they_are_stored(place, what, is_run):
    listener, cabinet, client = place
    one = client()
    one.say(request(what))
    listener.receive(cabinet)
    listener.answer(0)
    assert (cabinet.runs, one.heard()) == ([(is_run, True)], [])
    listener.answer(operator_commands.ACCEPTED)
    assert one.heard() == [operator_commands.ACCEPTED]


def test_a_start_that_is_refused_is_answered_at_once(place):
    listener, cabinet, client = place
    one, cabinet.run_verdict = client(), operator_commands.IN_TEST
    one.say(request(operator_commands.RUN))
    listener.receive(cabinet)
    assert one.heard() == [operator_commands.IN_TEST]
    cabinet.run_verdict = 0
    one.say(request(operator_commands.RUN))
    listener.receive(cabinet)
    assert len(cabinet.runs) == 2, "nobody waits"


@pytest.mark.parametrize(
    "first",
    [
        request(operator_commands.REMOTE_RESET),
        request(operator_commands.RUN),
        request(operator_commands.STOP),
    ],
)
def test_a_stop_waits_for_nobody_else(place, first):
    """It takes effect at once; the answer that is due is the other one's. A start has to wait its
    turn.
    """
    listener, cabinet, client = place
    one, other = client(), client()
    one.say(first)
    listener.receive(cabinet)
    del cabinet.runs[:]
    for what, heard in (
        (operator_commands.RUN, operator_commands.BUSY),
        (operator_commands.STOP, operator_commands.UNCONFIRMED),
    ):
        other.say(request(what))
        listener.receive(cabinet)
        assert other.heard() == [heard]
    assert cabinet.runs == [(False, False)]
    listener.answer(operator_commands.OVERRULED)
    assert (one.heard(), other.heard()) == ([operator_commands.OVERRULED], [])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"x",
        request(operator_commands.RUN)[:-1],
        request(operator_commands.RUN) + b"\0",
        request(operator_commands.RUN, magic=b"FBC2"),
        request(0),
        request(7),
        request(operator_commands.TEST_MODE, magic=b"FBC2"),
        request(255),
        bytes(64),
        bytes(65),
        # a reset that does not name channel B: too old
        struct.pack("<4sBxxxii", operator_commands.MAGIC, operator_commands.KEY_RESET, -1, 0),
    ],
)
def test_anything_else_is_refused_and_does_nothing(place, data):
    listener, cabinet, client = place
    one = client()
    one.say(data)
    listener.receive(cabinet)
    assert (cabinet.resets, cabinet.runs, cabinet.tests, one.heard()) == (
        [],
        [],
        0,
        [operator_commands.REFUSED_FORM],
    )


def lock(what, name, magic=operator_commands.MAGIC):
    return operator_commands.LOCK.pack(magic, what, name)


def test_a_lamp_test_is_answered_at_once(place):
    listener, cabinet, client = place
    one = client()
    one.say(request(operator_commands.LAMP_TEST))
    listener.receive(cabinet)
    assert (cabinet.lamp_tests, one.heard()) == (1, [operator_commands.ACCEPTED])


@pytest.mark.parametrize(
    "verdict", [operator_commands.ACCEPTED, operator_commands.KEY_IN_RUN, operator_commands.IN_TEST]
)
def test_test_mode_is_answered_at_once_with_what_the_cabinet_says(place, verdict):
    listener, cabinet, client = place
    cabinet.test_verdict = verdict
    one = client()
    one.say(request(operator_commands.TEST_MODE))
    listener.receive(cabinet)
    assert (cabinet.tests, one.heard()) == (1, [verdict])


@pytest.mark.parametrize(
    "what, is_locked", [(operator_commands.LOCK_OUT, True), (operator_commands.END_LOCK_OUT, False)]
)
def test_a_lock_out_is_answered_when_it_is_stored_and_no_reset_is_taken_meanwhile(
    place, what, is_locked
):
    listener, cabinet, client = place
    one, other = client(), client()
    one.say(lock(what, b"anna"))
    listener.receive(cabinet)
    assert cabinet.lock_outs == [("anna", is_locked)] and cabinet.is_awaited and one.heard() == []
    for data in (
        lock(operator_commands.END_LOCK_OUT, b"bert"),
        request(operator_commands.REMOTE_RESET),
    ):
        other.say(data)
        listener.receive(cabinet)
        assert other.heard() == [operator_commands.BUSY]
    listener.answer(operator_commands.ACCEPTED)
    assert (
        one.heard() == [operator_commands.ACCEPTED]
        and len(cabinet.lock_outs) == 1
        and cabinet.resets == []
    )


@pytest.mark.parametrize(
    "first",
    [
        request(operator_commands.REMOTE_RESET),
        request(operator_commands.RUN),
        lock(operator_commands.END_LOCK_OUT, b"anna"),
    ],
)
@pytest.mark.parametrize(
    "verdict, heard",
    [(0, operator_commands.UNCONFIRMED), (operator_commands.LOCKED, operator_commands.LOCKED)],
)
def test_a_lock_out_waits_for_nobody_else(place, first, verdict, heard):
    """Its effect comes first: a reset that waits for a slow disk must not keep a person's lock from
    the cabinet.
    """
    listener, cabinet, client = place
    one, other = client(), client()
    one.say(first)
    listener.receive(cabinet)
    cabinet.verdict = verdict
    other.say(lock(operator_commands.LOCK_OUT, b"bert"))
    listener.receive(cabinet)
    assert (
        cabinet.lock_outs[-1] == ("bert", True)
        and not cabinet.is_awaited
        and other.heard() == [heard]
    )
    listener.answer(operator_commands.OVERRULED)
    assert (one.heard(), other.heard()) == ([operator_commands.OVERRULED], [])


@pytest.mark.parametrize(
    "first", [request(operator_commands.REMOTE_RESET), lock(operator_commands.LOCK_OUT, b"anna")]
)
def test_who_has_no_address_is_waited_for_too(place, first):
    """Or the next one's reset would be answered with how this one has ended."""
    listener, cabinet, client = place
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as nameless,
        sockets.short(client().path) as name,
    ):
        nameless.sendto(first, name)
    listener.receive(cabinet)
    other = client()
    other.say(request(operator_commands.KEY_RESET))
    listener.receive(cabinet)
    assert other.heard() == [operator_commands.BUSY]
    listener.answer(operator_commands.ACCEPTED)
    assert other.heard() == []
    other.say(request(operator_commands.KEY_RESET))
    listener.receive(cabinet)
    assert other.heard() == [] and cabinet.resets[-1][0] == operator_commands.KEY_RESET


def test_a_lock_out_that_is_refused_is_answered_at_once(place):
    listener, cabinet, client = place
    cabinet.verdict = operator_commands.OTHERS_LOCK
    one = client()
    one.say(lock(operator_commands.END_LOCK_OUT, b"bert"))
    listener.receive(cabinet)
    assert one.heard() == [operator_commands.OTHERS_LOCK]
    one.say(request(operator_commands.REMOTE_RESET))
    listener.receive(cabinet)
    assert len(cabinet.resets) == 1, "nobody waits"


@pytest.mark.parametrize(
    "data",
    [
        lock(operator_commands.LOCK_OUT, b""),
        lock(operator_commands.LOCK_OUT, b"Anna"),
        lock(operator_commands.LOCK_OUT, b"1anna"),
        lock(operator_commands.LOCK_OUT, b"an\0na"),
        lock(operator_commands.LOCK_OUT, b"\xff" * 16),
        lock(20, b"anna"),
        lock(23, b"anna"),
        lock(operator_commands.LOCK_OUT, b"anna", b"FBC2"),
    ],
)
def test_a_lock_out_in_no_name_is_refused(place, data):
    listener, cabinet, client = place
    one = client()
    one.say(data)
    listener.receive(cabinet)
    assert (cabinet.lock_outs, one.heard()) == ([], [operator_commands.REFUSED_FORM])


@pytest.mark.parametrize("name", ["", "Anna", "a" * 17, "an na", "\xe4nna"])
def test_nobody_asks_for_a_lock_out_in_no_name(tmp_path, name):
    with pytest.raises(ValueError, match="a name is 1 .. 16 of a-z"):
        operator_commands.lock_out(str(tmp_path / "command.sock"), name, True)


def test_a_tick_takes_four_commands(place):
    """A script gone wild waits for the next tick; it does not make this one late."""
    listener, cabinet, client = place
    for _count in range(4):
        assert listener.hungry
        client().say(request(operator_commands.STOP))
        listener.receive(cabinet)
    assert not listener.hungry and [is_run for is_run, _ in cabinet.runs] == [False] * 4
    listener.answer(0)
    assert listener.hungry


def test_nothing_waiting_is_nothing(place):
    listener, cabinet, _ = place
    listener.receive(cabinet)
    assert (cabinet.resets, cabinet.runs, listener.dropped) == ([], [], 0)


def test_an_asker_who_has_gone_is_counted(place):
    listener, cabinet, client = place
    one = client()
    one.say(request(operator_commands.REMOTE_RESET))
    listener.receive(cabinet)
    one.socket.close()
    listener.answer(latches.DONE)
    assert listener.dropped == 1


def test_an_asker_without_an_address_gets_no_answer(place, tmp_path):
    listener, cabinet, _ = place
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as mute:
        mute.sendto(request(operator_commands.RUN), str(tmp_path / "command.sock"))
        listener.receive(cabinet)
    listener.answer(operator_commands.ACCEPTED)
    assert (cabinet.runs, listener.dropped) == ([(True, True)], 0)


def test_the_socket_is_its_owners_alone_and_replaces_one_left_over(tmp_path):
    path = str(tmp_path / "command.sock")
    operator_commands.Listener(path)._socket.close()  # as after kill -9: the file stays
    listener = operator_commands.Listener(path)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    listener.close()
    assert not os.path.exists(path)
    listener.close()


def test_ask_gets_the_answer(place, tmp_path):
    listener, cabinet, _ = place
    answers = []
    asker = threading.Thread(
        target=lambda: answers.append(
            operator_commands.reset(
                str(tmp_path / "command.sock"), operator_commands.KEY_RESET, 3, 4, 5, 6
            )
        )
    )
    asker.start()
    while not cabinet.resets:
        listener.receive(cabinet)
    listener.answer(latches.KEY_NEEDED, latches.DONE)
    asker.join()
    assert (cabinet.resets, answers) == (
        [(operator_commands.KEY_RESET, 3, 4, 5, 6)],
        [(latches.KEY_NEEDED, latches.DONE)],
    )


def test_ask_gives_up_when_nobody_answers(place, tmp_path, monkeypatch):
    monkeypatch.setattr(operator_commands, "ANSWER_S", 0.01)
    assert operator_commands.ask(str(tmp_path / "command.sock"), operator_commands.RUN) is None
    asked = operator_commands.reset(
        str(tmp_path / "command.sock"), operator_commands.REMOTE_RESET, -1, 0, -1, 0
    )
    assert (asked.words(), asked.is_done) == ("no answer", False)


@pytest.mark.parametrize("data", [b"", b"FBC1\1", b"FBC1\1\0\0"])
def test_an_answer_of_another_version_is_a_refusal(tmp_path, data):
    """The program was installed anew, the controller was not started anew."""
    path = str(tmp_path / "command.sock")
    answers = []
    with sockets.bound(path, 0o600) as old:
        old.setblocking(True)
        asker = threading.Thread(
            target=lambda: answers.append(operator_commands.ask(path, operator_commands.RUN))
        )
        asker.start()
        old.sendto(data, old.recvfrom(64)[1])
        asker.join()
    assert answers == [operator_commands.REFUSED_FORM]


def test_ask_says_when_there_is_no_controller(tmp_path):
    with pytest.raises(OSError):
        operator_commands.ask(str(tmp_path / "command.sock"), operator_commands.RUN)


@pytest.mark.parametrize("code", [None, *range(len(latches.RESULTS)), *range(100, 114)])
def test_every_answer_has_words_of_its_own(code):
    words = {
        operator_commands.words(each)
        for each in (None, *range(len(latches.RESULTS)), *range(100, 114))
    }
    assert len(words) == len(latches.RESULTS) + 15
    assert operator_commands.words(code) in words


def test_what_holds_without_being_stored_is_not_said_in_the_words_of_what_is_void():
    assert all(
        words.startswith("in effect")
        for words in map(
            operator_commands.words, (operator_commands.UNSTORED, operator_commands.UNCONFIRMED)
        )
    )
    assert "effect" not in operator_commands.words(operator_commands.NOT_STORED)


DONE, NOTHING = latches.DONE, latches.NOTHING


@pytest.mark.parametrize(
    "here, there, words, is_done",
    [
        (DONE, latches.NONE, "done", True),
        (DONE, DONE, "done; channel B: done", True),
        (DONE, NOTHING, "done; channel B: nothing to reset", True),
        (NOTHING, DONE, "nothing to reset; channel B: done", True),
        (NOTHING, NOTHING, "nothing to reset; channel B: nothing to reset", False),
        (NOTHING, latches.NONE, "nothing to reset", False),
        (latches.NOT_CLEAR_YET, DONE, "not clear yet; channel B: done", False),
        (DONE, latches.CHANGED, "done; channel B: changed", False),
        (DONE, latches.KEY_NEEDED, "done; channel B: key needed", False),
        (DONE, channel_link.NO_ANSWER, "done; channel B does not answer", False),
        (DONE, 255, "done; channel B does not answer", False),
        (latches.CHANGED, latches.NONE, "changed", False),
        (None, latches.NONE, "no answer", False),
        (
            operator_commands.NOT_STORED,
            latches.NONE,
            "the store does not take it: see the controller's messages",
            False,
        ),
    ],
)
def test_a_reset_is_done_only_where_both_channels_say_so(here, there, words, is_done):
    answer = operator_commands.Answer(here, there)
    assert (answer.words(), answer.is_done) == (words, is_done)


def test_a_run_directory_may_lie_deeper_than_a_socket_address_is_long(tmp_path):
    folder = tmp_path / ("d" * 60) / ("e" * 60)
    folder.mkdir(parents=True)
    listener = operator_commands.Listener(str(folder / "command.sock"))
    try:
        client = Client(str(folder / "command.sock"))
        client.say(request(operator_commands.RUN))
        listener.receive(Cabinet())
        listener.answer(operator_commands.ACCEPTED)
        assert client.heard() == [operator_commands.ACCEPTED]
        client.socket.close()
    finally:
        listener.close()
    assert not (folder / "command.sock").exists()
