"""Operator commands to a running controller. A command is a datagram of a fixed form on a UNIX
socket, after a random number; the answer repeats this number. operator_client.py sends commands.

A reset names the first-out instance and cause mask that the operator saw in each channel. A channel
refuses the reset if its own numbers have changed since. The operating system reports which user
sent a datagram. Operators may lock out only under their own names. Only the controller's user may
use another name, approve an image or change a key. The commands for this user ask for a password.
The datagram contains the new key, because the loop reads no file.
"""

import os
import re
import struct
from collections.abc import Callable
from typing import Protocol

from controller.run import tool_read
from controller.system import caught, sockets
from controller.system.paths import OPERATORS, ROOT
from safety import latches

# magic, number of the command (`kind`), first-out and cause mask of channel A, then of channel B
REQUEST = struct.Struct("<4sBxxxiiii")
# the random number; after it comes a command in one of the forms below
NONCE = struct.Struct("<8s")
# magic, answer, channel B's result of a reset (channel_link.RESULTS), the number. The answer to a
# tool's read has the code of a Modbus exception in place of that result, and the data before the
# number.
ANSWER = struct.Struct("<4sBB8s")
ANSWER_HEAD = struct.Struct("<4sBB")
MAGIC = b"FBC1"
REMOTE_RESET, KEY_RESET, RUN, STOP = 1, 2, 3, 4
KEY_CHANGE = struct.Struct("<4sBxxx16s32sQ")  # magic, kind, source, key, made at (UTC s)
LAMP_TEST, TEST_MODE, STEP = 5, 6, 7  # a STEP has unit, power in W, time in ms, 0
SIGN = 8  # unit, a number of sign_request.py, 0, 0; only from the controller's user
# magic, kind, name of the person. It is as long as a REQUEST, so `kind` distinguishes them.
LOCK = struct.Struct("<4sBxxx16s")
LOCK_OUT, END_LOCK_OUT = 21, 22
# magic, kind, name of the person, code of the changes. Its length distinguishes it.
APPROVAL = struct.Struct("<4sBxxx16sI")
APPROVE = 31
# A new key replaces all old ones; or the old key stays valid for a day; or no key is valid.
SET_KEY, ROTATE_KEY, REVOKE_KEY = 11, 12, 13
MADE_S_MAX = 2**32 - 1  # reached in the year 2106
# Answers, whose meaning is in answer_words.py. A reset is answered with latches.RESULTS. A reset, a
# start or the end of a lock-out that the store does not take is void (NOT_STORED). A stop or a
# lock-out is in effect without the store (UNSTORED).
ACCEPTED = 100
REFUSED_FORM = 101
BUSY = 102
NOT_STORED = 103
NO_SOURCE = 104
LOCKED = 105
NOT_LOCKED = 106
OTHERS_LOCK = 107
KEY_IN_RUN = 108
IN_TEST = 109
OVERRULED = 110
UNCONFIRMED = 111
STAYS_LOCKED = 112
UNSTORED = 113
RESET_FIRST = 114
IS_APPROVED = 115
OTHER_IMAGE = 116
OTHERS_NAME = 117
FAILED = 118
NOT_IN_TEST = 119
SIGN_HELD = 120
PERSON = re.compile(rb"[a-z][a-z0-9_]{0,15}")
# The longest wait for the store. The answer is then NOT_STORED (a start or a reset is void) or
# UNSTORED.
STORED_MS = 5000
# Longer than STORED_MS: otherwise a command could take effect after its sender reads "no answer".
ANSWER_S = 7.0
LINES_MAX = 16  # most lines about failed commands
COMMANDS_PER_TICK = 4  # an operator sends one; a script that never pauses must not delay the loop


class Commanded(Protocol):
    """The part of run.cabinet.Cabinet that operator commands need."""

    def request_reset(
        self, kind: int, first_out: int, mask: int, peer_first_out: int, peer_mask: int
    ) -> None:
        """Reset the causes that the operator saw in both channels."""

    def request_run(self, is_run: bool, is_awaited: bool = True) -> int:
        """Start or stop. Returns a refusal or 0."""

    def request_lamp_test(self) -> None:
        """Flash the lamps."""

    def request_test(self) -> int:
        """Begin TEST mode. Returns ACCEPTED or a refusal."""

    def request_step(self, unit: int, power_W: int, for_ms: int) -> int:
        """Ask one unit in TEST mode for a power. Returns ACCEPTED or a refusal."""

    def request_sign(self, unit: int, how: int) -> int:
        """Set how a unit's sign test prevents a start. Returns ACCEPTED or a refusal."""

    def request_lock_out(self, name: str, is_locked: bool, is_awaited: bool = True) -> int:
        """Lock out, or end the lock-out. Returns a refusal or 0."""

    def request_approval(self, name: str, code: int) -> int:
        """Approve the limit image. Returns a refusal or 0."""

    def request_read(self, bus: str, place: tool_read.Place, end: tool_read.End) -> int:
        """Make one read for a tool. Returns a refusal or LATER. Raises ValueError."""


# Arguments: source as 16 bytes; key, None to revoke; made at (UTC s); True to rotate. Returns False
# for an unknown source.
ChangeKey = Callable[[bytes, bytes | None, int, bool], bool]
# (address, number) of a sender
Asker = tuple[bytes | str, bytes]


class Listener:
    """The controller's end. Only one reset, lock-out, start or stop at a time waits for its answer.
    Every other command is answered at once. A stop or a lock-out is also obeyed while a sender
    waits.
    """

    def __init__(self, path: str, change_key: ChangeKey | None = None):
        """Replaces a socket left over at `path`; raises OSError."""
        self._path, self._change_key = path, change_key
        self._socket = sockets.bound(path, OPERATORS)
        self._trusted, self._login_names = {ROOT, os.geteuid()}, sockets.login_names(OPERATORS)
        self._waiting: Asker | None = None  # the sender that waits for an answer
        self._turns_left = COMMANDS_PER_TICK
        self._failures = caught.Last("a command of an operator has failed", LINES_MAX)
        self.dropped = 0

    def fileno(self) -> int:
        """The descriptor. It is readable when a command waits."""
        return self._socket.fileno()

    @property
    def hungry(self) -> bool:
        """False once the listener has taken COMMANDS_PER_TICK commands in this tick."""
        return self._turns_left > 0

    def receive(self, cabinet: Commanded) -> None:
        """Take one command and pass it to the cabinet for its next tick."""
        try:
            data, sender, user = sockets.received(self._socket, NONCE.size + KEY_CHANGE.size + 1)
        except BlockingIOError:
            return
        self._turns_left -= 1
        answer: int | None = FAILED
        command, asker = data[NONCE.size :], (sender, data[: NONCE.size])
        with self._failures:
            if len(command) == tool_read.READ.size:
                answer = self._obey_read(cabinet, asker, *tool_read.READ.unpack(command))
            else:
                answer = self._obey(command, user, cabinet)
        if answer == tool_read.LATER:
            return
        if answer is None:
            # A sender without an address waits too: the next sender must not get its answer.
            self._waiting = asker
        else:
            self._send(answer, asker)

    def _obey(self, data: bytes, user: int | None, cabinet: Commanded) -> int | None:
        is_trusted = user in self._trusted
        if len(data) != REQUEST.size and not is_trusted:
            return OTHERS_NAME
        if not data.startswith(MAGIC):
            return REFUSED_FORM
        if len(data) == KEY_CHANGE.size:
            return self._obey_key(*KEY_CHANGE.unpack(data)[1:])
        if len(data) == APPROVAL.size:
            return self._obey_approval(cabinet, *APPROVAL.unpack(data)[1:])
        if len(data) != REQUEST.size:
            return REFUSED_FORM
        _, kind, *numbers = REQUEST.unpack(data)
        if kind in (LOCK_OUT, END_LOCK_OUT):
            return self._obey_lock(cabinet, user, *LOCK.unpack(data)[1:])
        if kind in (REMOTE_RESET, KEY_RESET):
            if self._waiting is not None:
                return BUSY
            cabinet.request_reset(kind, *numbers)
            return None
        if kind in (RUN, STOP):
            return self._obey_run(cabinet, kind == RUN)
        if kind == LAMP_TEST:
            cabinet.request_lamp_test()
            return ACCEPTED
        if kind == TEST_MODE:
            return cabinet.request_test()
        if kind == STEP:
            return cabinet.request_step(*numbers[:3])
        if kind == SIGN:
            return cabinet.request_sign(*numbers[:2]) if is_trusted else OTHERS_NAME
        return REFUSED_FORM

    def _obey_run(self, cabinet: Commanded, is_run: bool) -> int | None:
        """Start or stop. Returns None if the answer must wait for the store."""
        is_free = self._waiting is None
        if is_run and not is_free:
            return BUSY
        refusal = cabinet.request_run(is_run, is_free)
        return refusal or (None if is_free else UNCONFIRMED)

    def _obey_lock(
        self, cabinet: Commanded, user: int | None, kind: int, padded: bytes
    ) -> int | None:
        """Lock out, even while another sender waits, or end a lock-out. Returns None if the answer
        must wait for the store.
        """
        name = padded.rstrip(b"\0")
        if not PERSON.fullmatch(name):
            return REFUSED_FORM
        own_name = None if user is None else self._login_names.get(user)
        if user not in self._trusted and own_name != name.decode("ascii"):
            return OTHERS_NAME
        is_free, is_locked = self._waiting is None, kind == LOCK_OUT
        if not is_free and not is_locked:
            return BUSY
        refusal = cabinet.request_lock_out(name.decode("ascii"), is_locked, is_free)
        return refusal or (None if is_free else UNCONFIRMED)

    def _obey_approval(self, cabinet: Commanded, kind: int, padded: bytes, code: int) -> int | None:
        """Approve the limit image. Returns None if the answer must wait for the store."""
        name = padded.rstrip(b"\0")
        if kind != APPROVE or not PERSON.fullmatch(name):
            return REFUSED_FORM
        if self._waiting is not None:
            return BUSY
        return cabinet.request_approval(name.decode("ascii"), code) or None

    def _obey_key(self, kind: int, source: bytes, key: bytes, made_s: int) -> int:
        is_change = kind in (SET_KEY, ROTATE_KEY, REVOKE_KEY)
        if not is_change or made_s > MADE_S_MAX or self._change_key is None:
            return REFUSED_FORM
        new_key = None if kind == REVOKE_KEY else key
        is_source = self._change_key(source, new_key, made_s, kind == ROTATE_KEY)
        return ACCEPTED if is_source else NO_SOURCE

    def _obey_read(
        self, cabinet: Commanded, asker: Asker, magic: bytes, kind: int, padded: bytes, *place: int
    ) -> int:
        """Read for a tool. Returns LATER if the answer comes at the end of the read."""

        def end(answer: int, code: int, data: bytes) -> None:
            self._send(answer, asker, code, data)

        if magic != MAGIC or kind != tool_read.READ_ONE:
            return REFUSED_FORM
        bus, (unit_id, function, address, count) = padded.rstrip(b"\0"), place
        try:
            name = bus.decode("ascii")
            return cabinet.request_read(name, (unit_id, function, address, count), end)
        except ValueError:
            return REFUSED_FORM

    def answer(self, result: int, peer_result: int = latches.NONE) -> None:
        """Send a result to the waiting sender; 0: none yet. Allow the commands of the next tick."""
        self._turns_left = COMMANDS_PER_TICK
        if self._waiting is not None and result:
            asker, self._waiting = self._waiting, None
            self._send(result, asker, peer_result)

    def _send(
        self, answer: int, asker: Asker, code: int = latches.NONE, content: bytes = b""
    ) -> None:
        sender, nonce = asker
        data = ANSWER_HEAD.pack(MAGIC, answer, code) + content + nonce
        if sender and not sockets.answered(self._socket, data, sender):
            self.dropped += 1

    def close(self) -> None:
        """Remove the socket."""
        self._socket.close()
        if os.path.exists(self._path):
            os.unlink(self._path)
