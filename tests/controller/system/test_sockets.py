"""A sender who does not read loses answers, and loses no answer of anybody else."""

import os
import socket

import pytest

from controller.doors import listener
from controller.system import sockets

pytestmark = pytest.mark.wire
UNREAD = 400  # more than the send buffer of one socket holds (about 286)


def reader():
    made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    made.bind("")
    made.setblocking(False)
    return made


@pytest.mark.parametrize("old", [False, True], ids=["new", "in-place"])
@pytest.mark.parametrize(
    "made_at", [lambda path: sockets.bound(path, ""), listener.at_path], ids=["datagram", "stream"]
)
def test_whoever_finds_the_path_is_answered(made_at, old, tmp_path, monkeypatch):
    """A socket stands at its path with its rights and its queue, or not at all."""
    path, seen, rename = tmp_path / "sock", [], os.rename

    def renamed(name, to):
        with socket.socket(socket.AF_UNIX, kind) as client:
            client.connect(name)
        seen.append((path.exists(), os.stat(name).st_mode & 0o777))
        rename(name, to)

    if old:
        sockets.bound(str(path), "").close()
    kind = socket.SOCK_STREAM if made_at is listener.at_path else socket.SOCK_DGRAM
    monkeypatch.setattr(os, "rename", renamed)
    with made_at(str(path)):
        assert seen == [(old and kind == socket.SOCK_DGRAM, seen[0][1])]
        assert (
            path.stat().st_mode & 0o777 == seen[0][1] == 0o600 | (kind == socket.SOCK_STREAM) * 0o60
        )
        assert os.listdir(tmp_path) == ["sock"]


@pytest.fixture
def listening(tmp_path):
    with sockets.bound(str(tmp_path / "sock"), "") as made:
        yield made


def unread(listening):
    """Receivers of UNREAD answers that read none of them; all but the last are full."""
    found = [reader()]
    for _ in range(UNREAD):
        if not sockets.answered(listening, b"x" * 112, found[-1].getsockname()):
            found.append(reader())
    return found


def test_unread_answers_take_no_room_of_another_client(listening):
    """Also of another client of the same user, such as the gateway or root."""
    deaf = unread(listening)
    with reader() as other:
        assert sockets.answered(listening, b"other", other.getsockname())
        assert other.recv(9) == b"other"
    full = deaf[0].getsockname()
    assert not sockets.answered(listening, b"one more", full), "only its own answers are lost"
    deaf[0].recv(200)
    assert sockets.answered(listening, b"one more", full)
    for each in deaf:
        each.close()


def test_a_connected_sender_gets_its_answer(tmp_path, listening):
    """The kernel passes only datagrams of the listening socket on to such a sender."""
    with reader() as one:
        one.connect(str(tmp_path / "sock"))
        assert sockets.answered(listening, b"answer", one.getsockname())
        assert one.recv(9) == b"answer"


def test_an_answer_leaves_no_descriptor_open(listening):
    open_before = len(os.listdir("/proc/self/fd"))
    for each in unread(listening):
        each.close()
    assert not sockets.answered(listening, b"", b"\0gone")
    assert len(os.listdir("/proc/self/fd")) == open_before


def test_every_local_user_has_a_name():
    """Also one whose group comes from the unit of a service, so that no group lists the user."""
    assert sockets.login_names("no such group")[0] == "root"
