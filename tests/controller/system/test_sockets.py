"""A sender who does not read loses answers, and loses no answer of anybody else."""

import os
import socket

import pytest

from controller.system import sockets

pytestmark = pytest.mark.wire
DEAF, OTHER, STRANGER = 1, 2, 3


def reader():
    made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    made.bind("")
    made.setblocking(False)
    return made


def unread(send):
    """Receivers that are full; then a receiver that gets nothing, because the sender is full."""
    found = [reader()]
    while send(found[-1].getsockname()):
        while send(found[-1].getsockname()):
            pass
        found.append(reader())
    return found


@pytest.fixture
def answers(tmp_path):
    with sockets.bound(str(tmp_path / "sock"), "") as listening:
        made = sockets.Answers(listening, {DEAF, OTHER})
        yield made
        made.close()


@pytest.mark.parametrize("deaf, other", [(DEAF, OTHER), (STRANGER, OTHER), (DEAF, STRANGER)])
def test_unread_answers_of_a_user_take_no_room_of_another_user(answers, deaf, other):
    full = unread(lambda address: answers.send(b"x" * 112, address, deaf))
    with reader() as one:
        assert answers.send(b"other", one.getsockname(), other) and one.recv(9) == b"other"
        assert not answers.send(b"deaf", one.getsockname(), deaf)
        full.pop(0).close()  # the kernel frees answers whose receiver has gone
        assert answers.send(b"deaf", one.getsockname(), deaf) and one.recv(9) == b"deaf"
    for each in full:
        each.close()


def test_all_other_users_share_one_socket(answers):
    assert len(answers._own) == 3
    full = unread(lambda address: answers.send(b"x" * 112, address, STRANGER))
    with reader() as one:
        assert [answers.send(b"", one.getsockname(), user) for user in (4, None, OTHER)] == (
            [False, False, True]
        )
    for each in full:
        each.close()


def test_a_connected_sender_gets_its_answer(tmp_path, answers):
    """The kernel passes only datagrams of the listening socket on to such a sender."""
    with reader() as one:
        one.connect(str(tmp_path / "sock"))
        assert answers.send(b"answer", one.getsockname(), DEAF) and one.recv(9) == b"answer"


def test_the_sockets_go_with_the_listener(tmp_path):
    open_before = len(os.listdir("/proc/self/fd"))
    with sockets.bound(str(tmp_path / "sock"), "") as listening:
        sockets.Answers(listening, {DEAF, OTHER}).close()
    assert len(os.listdir("/proc/self/fd")) == open_before
