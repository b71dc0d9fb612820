"""The share rule: how much each cabinet may import now, as far as the dispatcher knows.

Several cabinets share one connection. Each has a fallback, its import limit while no hint of the
dispatcher is valid. The dispatcher lends what is left above the fallbacks. A message may be lost,
late, doubled or overtaken, so what was sent is not what is in force:

    sent a raise      the cabinet may use it from now on, until the hint has surely run out
    sent a lowering   the cabinet may still use its earlier value, until it answers or that one ends
    no answer         nothing is free: only an answer with the sequence of the lowering, or time
    a restart         the earlier dispatcher's hints may still be valid: it waits, or is answered
    a reboot          the cabinet falls to its fallback, but its report alone frees nothing

The hold of a cabinet is the highest import that any of its hints may still allow. A value is sent
only if it and the holds of the others fit the connection. A model checker searches a model of this
rule completely for two cabinets (`tests/controller/dispatch/share_model.py`).

Pure: no clock, no input or output. Times are us of one monotonic clock of the dispatcher.
"""

import heapq
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from controller.hints.wire import COUNT_BITS, EPOCH_MAX, epoch_of

# A cabinet takes a hint until 2000 ms after it was sent; it may begin and end a tick later.
WINDOW_MS = 2200
VALID_MS = 60_000
DRIFT_PERMILLE = 20  # by which the clock of a cabinet may be slower than that of the dispatcher


class Lent(NamedTuple):
    """An import limit, and the latest time until which it may be in force."""

    value_W: int
    until_us: int


class Before(NamedTuple):
    """The state before an answer. sent: the answered hint; None for a heartbeat, or for a hint that
    has run out.
    """

    sent: Lent | None
    in_force: Lent


class Share:
    """One cabinet in the ledger. lent: {sequence: hint that was sent and is not answered yet}."""

    def __init__(self, fallback_W: int):
        self.fallback_W = fallback_W
        self.stated_W = fallback_W  # the highest fallback that the cabinet has stated
        self.is_heard = False  # it has answered in the epoch of this dispatcher
        self.answered = 0  # the highest sequence that it has answered
        self.in_force = Lent(fallback_W, 0)
        self.lent: dict[int, Lent] = {}

    def note_stated(self, stated_W: int) -> None:
        """Note the fallback that the cabinet states, or a higher value that it may use."""
        self.stated_W = stated_W

    def take(self, sequence: int, in_force: Lent) -> Before:
        """Note the answer to this sequence. All hints that were sent before it are void."""
        before = Before(self.lent.get(sequence), self.in_force)
        self.is_heard, self.answered, self.in_force = True, sequence, in_force
        for earlier in [earlier for earlier in self.lent if earlier <= sequence]:
            del self.lent[earlier]
        return before


class Ledger:
    """The holds of all cabinets of a connection."""

    def __init__(
        self,
        connection_W: int,
        fallbacks_W: Sequence[int],
        epoch: int,
        now_us: int,
        is_taken: bool,
        away: Iterable[int] = (),
    ):
        """epoch: above all that any cabinet has seen. is_taken: another dispatcher may still
        run, so a cabinet that does not answer counts with all that it could hold, without an end.
        away: places of cabinets that a person has disconnected; they count with their fallbacks.
        ValueError: the fallbacks exceed the connection, or there is no such epoch.
        """
        if sum(fallbacks_W) > connection_W or not all(
            fallback_W >= 0 for fallback_W in fallbacks_W
        ):
            raise ValueError("the fallbacks exceed the connection")
        if not 0 < epoch <= EPOCH_MAX:
            raise ValueError(f"an epoch is 1..{EPOCH_MAX}, not {epoch}")
        self.connection_W, self.epoch, self._is_taken = connection_W, epoch, is_taken
        self.shares = [Share(fallback_W) for fallback_W in fallbacks_W]
        self._away = set(away)
        self.free_W = connection_W - sum(fallbacks_W)
        self._known_us = now_us + lasts_us()
        self._count = 0
        # The holds and their sum are computed again only for the places in `_changed`.
        self._holds_W, self._sum_W = [0] * len(self.shares), 0
        self._changed = set(range(len(self.shares)))
        # Heap of (time when a hold may end in us, place), one for each message of the last 64 s.
        self._ends = [(self._known_us, place) for place in self._changed]

    def most_W(self, place: int) -> int:
        """The highest value that this cabinet can ever have."""
        return self.shares[place].fallback_W + self.free_W

    def hold_W(self, place: int, now_us: int) -> int:
        """The highest import that any hint of this cabinet may allow now."""
        share = self.shares[place]
        if not share.is_heard and (now_us < self._known_us or self.is_lent_on(place)):
            return self.most_W(place)
        hints = [share.in_force, *share.lent.values()]
        return max([share.stated_W, *[hint.value_W for hint in hints if now_us < hint.until_us]])

    def is_lent_on(self, place: int) -> bool:
        """True if an earlier dispatcher may still lend to this cabinet."""
        return self._is_taken and not self.shares[place].is_heard and place not in self._away

    def connected(self, place: int) -> None:
        """Note that a cabinet has been heard, so it is not disconnected."""
        if place in self._away:
            self._away.remove(place)
            self._changed.add(place)

    def note_fallback(self, place: int, fallback_W: int | None) -> None:
        """Note the fallback that a cabinet states. None: it has none, or does not keep its limit.
        Then it counts with all that it could ever have.
        """
        share = self.shares[place]
        stated_W = self.most_W(place) if fallback_W is None else max(share.fallback_W, fallback_W)
        share.note_stated(stated_W)
        self._changed.add(place)

    def fits(self, place: int, value_W: int, now_us: int) -> bool:
        """True if this value may be sent: it is at least the fallback, and fits beside the others.
        A fallback always fits, so that a value can fall while the others' holds are too high.
        """
        fallback_W = self.shares[place].fallback_W
        return now_us >= self._known_us and fallback_W <= value_W <= self.room_W(place, now_us)

    def lends_in_s(self, now_us: int) -> int:
        """Seconds in which nothing is lent, because earlier hints may still be valid."""
        return max(0, -((now_us - self._known_us) // 1_000_000))

    def room_W(self, place: int, now_us: int) -> int:
        """The highest value that fits, but at least the fallback."""
        fallback_W = self.shares[place].fallback_W
        if now_us < self._known_us:
            return fallback_W
        room_W = self.connection_W - self._others_W(place, now_us)
        return max(fallback_W, min(self.most_W(place), room_W))

    def _others_W(self, place: int, now_us: int) -> int:
        self._note_ended(now_us)
        for changed in self._changed:
            hold_W = self.hold_W(changed, now_us)
            self._sum_W += hold_W - self._holds_W[changed]
            self._holds_W[changed] = hold_W
        self._changed.clear()
        return self._sum_W - self._holds_W[place]

    def _note_ended(self, now_us: int) -> None:
        """Add the cabinets whose holds may have ended to `_changed`."""
        while self._ends and self._ends[0][0] <= now_us:
            self._changed.add(heapq.heappop(self._ends)[1])

    def _note_change(self, place: int, until_us: int) -> None:
        """Note that the hold of a cabinet has changed, and may change again at until_us."""
        self._changed.add(place)
        heapq.heappush(self._ends, (until_us, place))

    @property
    def is_used_up(self) -> bool:
        """True once half of the sequences of this epoch are used. A new start takes a new epoch."""
        return self._count >= 1 << (COUNT_BITS - 1)

    def next_sequence(self) -> int:
        """The sequence of the next hint or heartbeat; each is used once."""
        self._count += 1
        return self.epoch << COUNT_BITS | self._count

    def sent(self, place: int, sequence: int, value_W: int, now_us: int) -> None:
        """Note a hint, before it is sent. ValueError: it does not fit."""
        if not self.fits(place, value_W, now_us):
            raise ValueError(f"{value_W} W do not fit beside the other cabinets")
        lent = self.shares[place].lent[sequence] = Lent(value_W, now_us + lasts_us())
        self._note_change(place, lent.until_us)

    def answered(
        self, place: int, sequence: int, value_W: int, left_ms: int, now_us: int
    ) -> Before | None:
        """Take the answer of a cabinet to a sequence. value_W, left_ms: the value in force and its
        remaining time, both at the moment of the answer. Returns None if the answer does not count:
        it is of another epoch, was never asked for, or is older than a known one.
        """
        share, count = self.shares[place], sequence & (1 << COUNT_BITS) - 1
        if epoch_of(sequence) != self.epoch or not 0 < count <= self._count:
            return None
        if sequence < share.answered:
            return None
        before = share.take(sequence, Lent(value_W, now_us + stretched_us(left_ms)))
        self._note_change(place, share.in_force.until_us)
        return before

    def forget_ended(self, now_us: int) -> None:
        """Forget hints that have run out, so that the memory stays bounded without answers."""
        self._note_ended(now_us)
        for share in self.shares:
            for sequence in [key for key, hint in share.lent.items() if hint.until_us <= now_us]:
                del share.lent[sequence]


def stretched_us(span_ms: int) -> int:
    """The longest time on the dispatcher's clock for a span of a cabinet's clock, rounded up."""
    return -(-span_ms * 1_000_000 // (1000 - DRIFT_PERMILLE))


def lasts_us() -> int:
    """The longest time from sending to the end of a hint, which is taken WINDOW_MS late."""
    return stretched_us(WINDOW_MS + VALID_MS)
