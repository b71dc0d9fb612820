"""Sends schedules and heartbeats to the controller of this box, as the source of the planner.

A heartbeat is renewed each minute. The schedule is sent when it is new, and each minute while it
waits for something. It is sent again when the controller has restarted, because the new process has
no schedule. Each exchange is a hello and one signed message over a new socket, so that a late
answer is never taken for another. After a failure the next exchange comes a minute later, or when
the controller has opened a new socket.
"""

import os
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

from controller.core.base import hint_codes as h
from controller.core.base.schedule_table import STATES, Slot
from controller.hints import client, key_file, no_answer

# Length of a slot; validity of a heartbeat; time from one heartbeat to the next.
SLOT_MIN, VALID_MS, BEAT_US = 15, 300_000, 60_000_000
WAITING = tuple([state for state in STATES if state.startswith("waits")])
NEEDS = 'role = "grid_cap" and a priority'  # of its [source.NAME] in site.toml
Found = TypeVar("Found")


class SendError(Exception):
    """The controller has accepted nothing. One line says what to do."""


class Sent(NamedTuple):
    """An answer. waits: what the schedule waits for, empty if it acts; at_us: monotonic clock."""

    code: str
    text: str
    waits: str
    at_us: int


class Sender:
    """sent: the last answer to a schedule; line: the last failure, else empty."""

    def __init__(self, run_directory: str, source: str, key_path: str):
        self._run_directory, self._source, self._key_path = run_directory, source, key_path
        self._run, self._door, self._due_us = b"", (0, 0), 0
        self._is_new, self.sent, self.line = False, Sent("", "", "", -1), ""

    def renew(self) -> None:
        """Note that the next `step` has a new schedule."""
        self._is_new = True

    def step(self, now_us: int, start_min: int, slots: Sequence[Slot]) -> bool:
        """Renew the heartbeat and send the schedule if they are due. True if it tried."""
        before, self._door = self._door, self._identity()
        is_new = self._is_new and not self.line
        if now_us < self._due_us and self._door == before and not is_new:
            return False
        self._due_us = now_us + BEAT_US
        try:
            run = self._run
            self._beat()
            if self._is_new or run != self._run or self.sent.waits:
                self._is_new = True
                self.sent = self._schedule(start_min, slots)._replace(at_us=now_us)
            self._is_new, self.line = False, ""
        except SendError as error:
            self.line = str(error)
        return True

    def _identity(self) -> tuple[int, int]:
        try:
            status = os.stat(os.path.join(self._run_directory, "hints.sock"))
        except OSError:
            return 0, 0
        return status.st_ino, status.st_mtime_ns

    def _beat(self) -> None:
        _, reply = self._asked(
            lambda link, key: link.say(self._source, key, h.HEARTBEAT, 0, 0, VALID_MS)
        )
        self._run = reply.nonce
        if not h.taken(reply.code):
            raise SendError(f"heartbeat refused: {no_answer.coded(reply.code)}")

    def _schedule(self, start_min: int, slots: Sequence[Slot]) -> Sent:
        """Send a table of quarters of an hour. start_min: UTC since 1970."""
        answer = self._asked(
            lambda link, key: link.schedule(self._source, key, start_min, SLOT_MIN, tuple(slots))
        )
        self._run = answer.nonce
        if not h.taken(answer.code):
            slot = f", slot {answer.refused_slot}" if answer.refused_slot else ""
            raise SendError(f"schedule refused{slot}: {no_answer.coded(answer.code)}")
        state = STATES[answer.state] if answer.state < len(STATES) else "unknown"
        waits = f"schedule: {state}" if state in WAITING else ""
        return Sent(h.label(answer.code), f"{len(slots)} slots, the schedule {state}", waits, 0)

    def _asked(self, ask: Callable[[client.HintClient, bytes], Found | None]) -> Found:
        try:
            key, _ = key_file.read(self._key_path)
            with client.HintClient(self._run_directory) as link:
                answer = ask(link, key)
        except FileNotFoundError as error:
            raise SendError(self._absent(error)) from None
        except BlockingIOError:
            raise SendError("the controller's queue of hints is full") from None
        except OSError as error:
            where = f"{self._run_directory}/hints.sock: {error.strerror}"
            raise SendError(f"{no_answer.NONE_ANSWERS}: {where}") from None
        except (key_file.KeyStoreError, client.SequenceError) as error:
            raise SendError(str(error)) from None
        if answer is None:
            raise SendError(no_answer.unanswered(self._run_directory, self._source, NEEDS))
        return answer

    def _absent(self, error: OSError) -> str:
        if error.filename == self._key_path or not os.path.exists(self._key_path):
            return (
                f"{self._key_path}: there is no key: as the user firebreak, `firebreak key create "
                f"{self._source}` prints one"
            )
        return no_answer.silent(self._run_directory)
