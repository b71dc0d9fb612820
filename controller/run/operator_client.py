"""The sender's end of operator commands (operator_commands.py): asks, and takes the answer."""

import errno
import os
import socket
import struct
from typing import NamedTuple

from controller.core.image import PEER_EMPTY
from controller.run import answer_words, channel_link, operator_commands as commands, tool_read
from controller.system import clock, sockets
from controller.system.paths import quoted
from drivers.buses.crc import FRAME_BYTES_MAX
from safety import latches


class Answer(NamedTuple):
    """How a command ended. `here`: the answer code of channel A, or None. `channel_b`: the result
    of a reset in channel B (channel_link.RESULTS); NONE: channel B is not fitted, or did not get
    the reset (reset.PASSED_ON).
    """

    here: int | None
    channel_b: int

    @property
    def is_done(self) -> bool:
        """True when the reset has cleared a latch and neither channel has refused it."""
        both = {self.here, self.channel_b}
        return latches.DONE in both and both <= {latches.DONE, latches.NOTHING, latches.NONE}

    def words(self) -> str:
        """The answers of both channels in words."""
        peer_result = channel_link.RESULTS[min(self.channel_b, channel_link.NO_ANSWER)]
        return answer_words.text(self.here) + (f"; {peer_result}" if self.channel_b else "")


class Data(NamedTuple):
    """The answer to a read: answer code or None, code of a Modbus exception, data of the reply."""

    here: int | None
    code: int
    data: bytes = b""


def reach(path: str) -> None:
    """Raise OSError, as `ask` would, if nobody listens at the socket `path`. Sends nothing."""
    client = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    with client, sockets.short(path) as name:
        client.connect(name)
        _owner(path)


def _owner(path: str) -> int:
    """The controller's user, who owns the socket and its folder. OSError if two users own them."""
    owner, of_folder = os.lstat(path).st_uid, os.stat(os.path.dirname(path) or ".").st_uid
    if owner != of_folder:
        raise OSError(errno.EPROTO, f"it belongs to the user {owner}, not to the controller's")
    return owner


def ask(path: str, kind: int) -> int | None:
    """Send one command to the socket. Returns the answer code; None: no answer came in time. Raises
    OSError.
    """
    return _exchange(path, commands.REQUEST, kind, *PEER_EMPTY, *PEER_EMPTY).here


def reset(
    path: str, kind: int, first_out: int, mask: int, peer_first_out: int, peer_mask: int
) -> Answer:
    """Ask for a reset of the causes that a person saw (Snapshot.causes). OSError as `ask`."""
    causes = first_out, mask, peer_first_out, peer_mask
    return Answer(*_exchange(path, commands.REQUEST, kind, *causes)[:2])


def step(path: str, unit: int, power_W: int, for_ms: int) -> int | None:
    """Ask one unit (from 1) in TEST mode for a power (W) for a time. Returns like `ask`."""
    return _exchange(path, commands.REQUEST, commands.STEP, unit, power_W, for_ms, 0).here


def sign(path: str, unit: int, how: int) -> int | None:
    """Tell the controller how the sign test of a unit (from 1) prevents a start, like `ask`."""
    return _exchange(path, commands.REQUEST, commands.SIGN, unit, how, 0, 0).here


def lock_out(path: str, name: str, is_locked: bool) -> int | None:
    """Lock out in a person's name, or end the lock-out, like `ask`. ValueError: no name."""
    kind = commands.LOCK_OUT if is_locked else commands.END_LOCK_OUT
    return _exchange(path, commands.LOCK, kind, _person(name)).here


def approve(path: str, name: str, code: int) -> int | None:
    """Approve the limit image in a person's name, like `lock_out`."""
    return _exchange(path, commands.APPROVAL, commands.APPROVE, _person(name), code).here


def _person(name: str) -> bytes:
    encoded = name.encode("ascii", "replace")
    if not commands.PERSON.fullmatch(encoded):
        raise ValueError(f"{quoted(name)}: a name is 1 .. 16 of a-z, 0-9 and _, a letter first")
    return encoded


def change_key(path: str, kind: int, source: bytes, key: bytes, made_s: int) -> int | None:
    """Change the key of a source, like `ask`. kind: SET_KEY, ROTATE_KEY or REVOKE_KEY."""
    return _exchange(path, commands.KEY_CHANGE, kind, source, key, made_s).here


def read(path: str, bus: str, place: tool_read.Place) -> Data:
    """Make one read for a tool through the controller. OSError as `ask`. ValueError: `bus` cannot
    be the name of a bus.
    """
    name = bus.encode("ascii")
    return _exchange(path, tool_read.READ, tool_read.READ_ONE, name, *place)


def _exchange(path: str, form: struct.Struct, kind: int, *fields: int | bytes) -> Data:
    """Send one command in a form of operator_commands, and take its answer."""
    client = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    with client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        client.bind("")  # the kernel gives an abstract name to answer to
        owner, nonce = _owner(path), os.urandom(commands.NONCE.size)
        with sockets.short(path) as name:
            client.sendto(nonce + form.pack(commands.MAGIC, kind, *fields), name)
        return _answer(client, owner, nonce)


def _answer(client: socket.socket, owner: int, nonce: bytes) -> Data:
    """The controller's answer to this command. Datagrams of other users are dropped."""
    end_us = clock.now_us() + round(commands.ANSWER_S * 1e6)
    while (left_us := end_us - clock.now_us()) > 0:
        client.settimeout(left_us / 1e6)
        try:
            data, _, user = sockets.received(client, commands.ANSWER.size + FRAME_BYTES_MAX)
        except TimeoutError:
            break
        # A controller of an earlier version, which still runs after an update, answers in another
        # form.
        if user == owner and not _has_form(data):
            return Data(commands.REFUSED_FORM, latches.NONE)
        if user == owner and data.endswith(nonce):
            _, answer, code = commands.ANSWER_HEAD.unpack_from(data)
            return Data(answer, code, data[commands.ANSWER_HEAD.size : -len(nonce)])
    return Data(None, latches.NONE)


def _has_form(data: bytes) -> bool:
    """True if an answer has the length of its form. Only the answer to a read contains data."""
    size = commands.ANSWER.size
    is_read = data[4:5] == bytes((tool_read.DATA,))
    return len(data) == size or is_read and size < len(data) <= size + FRAME_BYTES_MAX
