"""Receives hints on a UNIX socket: it never blocks, and it never answers an unknown sender.

Each call takes one datagram to judge, so that the loop can look at its deadline between two
calls. After DATAGRAMS_PER_TICK of them the loop does not wait for this socket until the next tick.
Each call also rejects some datagrams by length and magic. Calls that only rejected are counted
separately, so that a flood of garbage does not use up the turns of hints.

Datagrams of all senders wait in one queue of the kernel (net.unix.max_dgram_qlen). While it is
full, all senders wait. A sender that does not block gets a place only by chance.
"""

import os
from collections.abc import Callable, Sequence
from typing import Protocol

from controller.config.cabinet_config import Config
from controller.config.sources import Source
from controller.core.base import hint_codes as h
from controller.core.base.schedule_table import Table
from controller.core.core import Core
from controller.core.image import ProcessImage
from controller.hints import (
    admission,
    hint_statistics as st,
    replies,
    schedule_wire as sw,
    wire as w,
)
from controller.system import caught, clock, sockets
from controller.system.paths import SENDERS

DATAGRAMS_PER_TICK = 8  # datagrams to judge: each needs a MAC or an answer
REJECTING_CALLS_PER_TICK, REJECTED_PER_CALL = 4, 16
LINES_MAX = 16  # most lines about failed datagrams, because a flood must not fill the log
# codes of accepted hints that have less or another effect than requested
_LESS = (h.LIMITED, h.CHARGING_ONLY, h.RESTING, h.OUTRANKED, h.FALLBACK_RULES, h.MOVED)


class Cabinet(Protocol):
    """The part of run.cabinet.Cabinet that hints need."""

    core: Core
    config: Config
    image: ProcessImage
    epochs: dict[str, int]  # stored, of senders

    def request_hint(self, hint: h.HintSlot) -> int | None:
        """Hand a hint to the next tick; None when that tick is full."""

    @property
    def keep_epoch(self) -> Callable[[Sequence[str], int], bool]:
        """See admission.Controller."""


class HintListener:
    """Serves `RUN_DIR/hints.sock` and writes `RUN_DIR/hints.stats`."""

    def __init__(self, run_directory: str, cabinet: Cabinet, keys: admission.Keys):
        """keys: by source name. Replaces a socket left over; raises OSError."""
        self._core, self._sources = cabinet.core, cabinet.config.sources
        self._image = cabinet.image
        self._path = os.path.join(run_directory, "hints.sock")
        self.statistics = st.HintStatistics(
            os.path.join(run_directory, "hints.stats"), self._sources
        )
        self.admission = admission.Admission(
            self._sources,
            keys,
            os.urandom(w.NONCE_BYTES),
            admission.Controller(
                cabinet.request_hint,
                self._take_schedule,
                self._state,
                self._held,
                cabinet.keep_epoch,
                cabinet.epochs,
            ),
            self.statistics,
        )
        self._turns_left, self._rejecting_calls_left = DATAGRAMS_PER_TICK, REJECTING_CALLS_PER_TICK
        self._socket = sockets.bound(self._path, SENDERS)
        self._failures = caught.Last("hints: one datagram is dropped or not answered", LINES_MAX)

    def fileno(self) -> int:
        """The descriptor. It is readable when a datagram waits."""
        return self._socket.fileno()

    @property
    def hungry(self) -> bool:
        """True while this tick may take another datagram."""
        return self._turns_left > 0 and self._rejecting_calls_left > 0

    def receive(self, now_us: int) -> None:
        """Take one datagram to judge, or reject some by length and magic."""
        for _ in range(REJECTED_PER_CALL):
            try:
                data, sender, _ = sockets.received(self._socket, w.DATAGRAM_BYTES_MAX)
            except BlockingIOError:
                break
            is_message = w.is_well_formed(data) or sw.is_schedule(data)
            self._turns_left -= is_message
            with self._failures:
                answer = self.admission.receive(data, sender, now_us // 1000)
                if answer is not None:
                    self._send(answer, sender)
            if is_message:
                return
        self._rejecting_calls_left -= 1

    def _state(self, source_name: str, now_ms: int) -> w.State:
        return replies.state(source_name, self._core, self._sources, self.admission.nonce, now_ms)

    def _held(self, source_name: str, now_ms: int) -> sw.Held:
        nonce = self.admission.nonce
        return replies.held(source_name, self._core, self._sources, nonce, now_ms)

    def _take_schedule(self, source: Source, schedule: sw.Schedule) -> int:
        """Let a schedule enter the image. Returns 0, or the code of a refusal."""
        if self._image.is_schedule_entering:
            return h.BUSY
        if replies.is_held_by_better(source, self._core, self._sources):
            return h.OTHERS_SCHEDULE
        if replies.is_far(schedule, self._core):
            return h.START_FAR
        head = source.index, schedule.start_min, schedule.slot_min
        self._image.add_schedule(Table(*head, schedule.slots))
        return 0

    def answer(self, now_us: int) -> None:
        """Reply to the hints of the last tick, and to a schedule that is now whole in the image."""
        self.admission.later.begin(now_us // 1000)
        self._turns_left, self._rejecting_calls_left = DATAGRAMS_PER_TICK, REJECTING_CALLS_PER_TICK
        pending = self.admission.pending
        if not pending:
            return
        entering = []
        for unanswered in pending:
            is_schedule = isinstance(unanswered.hint, sw.Schedule)
            if is_schedule and not unanswered.code and self._image.is_schedule_entering:
                entering.append(unanswered)
                continue
            with self._failures:
                self._reply(unanswered, now_us // 1000)
        pending[:] = entering

    def _reply(self, pending: admission.Pending, now_ms: int) -> None:
        if not isinstance(pending.hint, w.Hint):
            answer = replies.answer(pending, self._core, self.admission.nonce, now_ms)
            self._send(sw.answer_bytes(answer, pending.key), pending.sender)
            return
        reply = replies.reply(pending, pending.hint, self._core, self.admission.nonce, now_ms)
        if not pending.code:
            pending.account.row[st.LAST_CODE] = reply.code
            pending.account.row[st.LIMITED] += reply.code in _LESS
        self._send(w.reply_bytes(reply, pending.key), pending.sender)

    def _send(self, data: bytes, sender: bytes | str) -> None:
        """Send to abstract addresses only, because the lookup of a path may hang in a
        file system.
        """
        is_abstract = isinstance(sender, bytes) and sender.startswith(b"\0")
        if not (is_abstract and sockets.answered(self._socket, data, sender)):
            self.statistics.common[st.UNSENT] += 1

    def change_key(self, source: bytes, key: bytes | None, made_s: int, rotate: bool) -> bool:
        """Set the new key of a source (its name in 16 bytes); None revokes all keys. False: no such
        source.
        """
        new_key = admission.key_of(key, made_s) if key else None
        return self.admission.change_key(source, new_key, rotate, clock.now_us() // 1000)

    def close(self) -> None:
        """Remove the socket; the statistics stay."""
        self._socket.close()
        if os.path.exists(self._path):
            os.unlink(self._path)
        self.statistics.close()
