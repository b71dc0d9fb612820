"""Plays channel A for a channel B under test, with a frame in every second tick.

A trial sets what channel A sends, and when it is silent.
"""

import os
import select
import time
from array import array
from collections.abc import Callable

from hil.campaigns.channel_b.emulator import Emulator
from hil.campaigns.channel_b.standin import Standin
from safety import channel as c, frame as f, parameters as p, peer as pe, second as sc

GUARD_S = 20.0
CLOSED = sc.KEY_BIT - 1
CALM_S = 0.3  # between two trials


class TrialError(RuntimeError):
    """Channel B did not do what it must. The message is one line."""


class Partner:
    """`sending`: False makes channel A silent; `vote`: the permit of channel A."""

    def __init__(self, board: Emulator | Standin, image: "array[int]") -> None:
        """board: already started."""
        self.board, self.tick_s = board, image[p.H_TICK_MS] / 1000
        self.sender = c.Sender(f.CHANNEL_A, p.image_crc(image), pe.table_crc())
        self.receiver = c.Receiver(f.CHANNEL_B)
        self.sending, self.vote = True, 0
        # late_s: longest delay of this observer since late_s was 0; held_up_s: the same in `fall`
        self.sent_s = self.late_s = self.held_up_s = 0.0
        self.repeated = 0  # number of repeated trials
        self._due_s = self._turned_s = time.monotonic()
        self._even = False

    def turn(self) -> None:
        """Wait a millisecond for bytes, take them, and send a frame if one is due."""
        if select.select([self.board.link], (), (), 0.001)[0]:
            data = os.read(self.board.link, 4096)
            self.receiver.feed(data, len(data))
        now_s = time.monotonic()
        self.late_s = max(self.late_s, now_s - self._turned_s)
        self._turned_s = now_s
        if now_s >= self._due_s:
            self._due_s = max(self._due_s + self.tick_s, now_s - self.tick_s)
            if data := self._frame():
                os.write(self.board.link, data)
                self.sent_s = time.monotonic()

    def _frame(self) -> bytes:
        """The bytes to send in a tick: a frame in every second tick, nothing while silent."""
        self.sender.tick(1)
        self._even = not self._even
        if not (self._even and self.sending):
            return b""
        for field, value in ((f.SIGNAL_BITS, CLOSED), (f.KNOWN_BITS, CLOSED), (f.VOTE, self.vote)):
            self.sender.frame.put(field, value)
        return bytes(self.sender.finish())

    def reported(self, field: int) -> int:
        """A field of the last frame that came."""
        return self.receiver.frame.get(field)

    def reason(self) -> str:
        """The reason of the last frame that came, in words."""
        return pe.REASONS[self.reported(f.REASON)]

    def wait(self, condition: Callable[[], bool], event: str) -> float:
        """Turn until condition(). Returns how long it took, s. TrialError names `event`."""
        began_s = time.monotonic()
        while not condition():
            if time.monotonic() - began_s > GUARD_S:
                raise TrialError(
                    f"not within {GUARD_S:g} s: {event}; channel B says "
                    f"{self.reason()!r}, {self.reported(f.SUBJECT)}"
                )
            self.turn()
        return time.monotonic() - began_s

    def wait_for(self, reason: int) -> None:
        """Wait until channel B gives this reason."""
        self.wait(lambda: self.reported(f.REASON) == reason, f"the reason {pe.REASONS[reason]!r}")

    def rest(self, seconds: float) -> None:
        """Let time pass."""
        until_s = time.monotonic() + seconds
        while time.monotonic() < until_s:
            self.turn()

    def permitted(self) -> bool:
        """True while the permit output is on."""
        return self.board.permit() == 1

    def fall(self) -> float:
        """Wait until the permit falls. Returns the time, s; sets `held_up_s`."""
        self.late_s = 0.0
        taken_s = self.wait(lambda: not self.permitted(), "the permit falls")
        self.held_up_s = self.late_s
        return taken_s

    def begin(self, number: int = 0) -> None:
        """Start anew until both channels permit, with each number at another phase of the tick."""
        self.board.memory.forget()
        self.receiver.forget()
        self.sending, self.vote = True, 0
        self.late_s = 0.0
        self.board.reset()
        self.wait(self.permitted, "the first permit")
        self.vote = 1
        self.rest(CALM_S)
        if not self.permitted():
            raise TrialError(f"the permit fell by itself: {self.reason()}")
        self.rest(number % 7 * 0.003)
