"""Channel A as far as a channel B under test can tell: frames every 40 ms, with whatever a trial
puts into them.
"""

import os
import select
import time

from hil.campaigns.channel_b import course
from safety import channel as c
from safety import parameters as p
from safety import peer as pe
from safety import second as sc

TICK_S = course.TICK_MS / 1000
GUARD_S = 20.0
CLOSED = sc.KEY_BIT - 1
CALM_S = 0.3  # between two trials


class TrialError(RuntimeError):
    """Channel B did something else than it must; one line."""


class Partner:
    """Channel A as far as channel B can tell. `spoil(data)` changes what is sent; `sending` False:
    silence.
    """

    def __init__(self, board, image):
        """board: an Emulator or Standin, started."""
        self.board = board
        self.sender = c.Sender(c.CHANNEL_A, p.image_crc(image), pe.table_crc())
        self.receiver = c.Receiver(c.CHANNEL_B)
        self.sending, self.spoil, self.vote = True, None, 0
        self.sent_s = self.heard_s = self.late_s = self.held_up_s = 0.0
        self.repeated = 0  # trials
        self._due_s = self._turned_s = time.monotonic()
        self._even = False

    def turn(self):
        """Take what has come, send what is due, wait a millisecond."""
        if select.select([self.board.link], (), (), 0.001)[0]:
            data = os.read(self.board.link, 4096)
            if self.receiver.feed(data, len(data)):
                self.heard_s = time.monotonic()
        now_s = time.monotonic()
        self.late_s = max(self.late_s, now_s - self._turned_s)
        self._turned_s = now_s
        if now_s >= self._due_s:
            self._due_s = max(self._due_s + TICK_S, now_s - TICK_S)
            self.sender.tick(1)
            self._even = not self._even
            if self._even and self.sending:
                self._send()

    def _send(self):
        os.write(self.board.link, self._frame())
        self.sent_s = time.monotonic()

    def _frame(self):
        frame = self.sender.frame
        frame.put(c.SIGNAL_BITS, CLOSED)
        frame.put(c.KNOWN_BITS, CLOSED)
        frame.put(c.VOTE, self.vote)
        data = bytes(self.sender.finish())
        return self.spoil(data) if self.spoil else data

    def told(self, field):
        """A field of the last frame that came."""
        return self.receiver.frame.get(field)

    def wait(self, condition, what, limit_s=GUARD_S):
        """Turn until condition() is true; returns how long it took, s. TrialError names `what` was
        waited for.
        """
        began_s = time.monotonic()
        while not condition():
            if time.monotonic() - began_s > limit_s:
                raise TrialError(
                    f"not within {limit_s:g} s: {what}; channel B says "
                    f"{pe.REASONS[self.told(c.REASON)]!r}, {self.told(c.SUBJECT)}"
                )
            self.turn()
        return time.monotonic() - began_s

    def rest(self, seconds):
        """Let time pass."""
        until_s = time.monotonic() + seconds
        while time.monotonic() < until_s:
            self.turn()

    def permitted(self):
        """True while the output that permits is on."""
        return self.board.permit() == 1

    def dropped(self):
        """True while it is off."""
        return not self.permitted()

    def says(self, reason):
        """True if the last frame that came gives that reason."""
        return self.told(c.REASON) == reason

    def fall(self):
        """Wait until the permit has fallen; `held_up_s` is then the longest that this observer was
        held up. Time, s.
        """
        self.late_s = 0.0
        taken_s = self.wait(self.dropped, "the permit falls")
        self.held_up_s = self.late_s
        return taken_s

    def begin(self):
        """From a fresh start to a permit that is used: both channels vote. Returns how long the
        first took, s.
        """
        self.board.memory.forget()
        self.receiver.forget()
        self.sending, self.spoil, self.vote = True, None, 0
        self.late_s = 0.0
        self.board.reset()
        taken_s = self.wait(self.permitted, "the first permit")
        self.vote = 1
        self.rest(CALM_S)
        if self.dropped():
            raise TrialError(f"the permit fell by itself: {pe.REASONS[self.told(c.REASON)]}")
        return taken_s
