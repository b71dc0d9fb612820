"""Messages between the rig and its processes: the other end may end at any moment."""

import socket

import msgpack
import pytest

from hil.engine import processes
from tests.tables import cases


@pytest.fixture
def ends():
    pair = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    yield pair
    for end in pair:
        end.close()


def test_a_message_is_the_one_that_was_sent(ends):
    ends[0].send(msgpack.packb({"what": "go"}))
    assert processes.message(ends[1]) == {"what": "go"}


@cases("""
    unread
    0
    1
""")
def test_an_end_that_has_gone_is_none_also_with_a_message_that_it_never_read(ends, unread):
    """The system resets the connection then, and the receiver ended with a traceback."""
    for _ in range(unread):
        ends[1].send(b"x")
    ends[0].close()
    assert processes.message(ends[1]) is None


def test_no_message_is_not_the_end(ends):
    ends[1].setblocking(False)
    with pytest.raises(BlockingIOError):
        processes.message(ends[1])
