"""Cabinets, a network that may do anything to a message, and dispatchers with the shipped ledger.

The cabinets follow the wire's rules by code of their own: nonce, window, sequence above all earlier
ones of an epoch that survives a reboot, fallback after the end. Times are us.
"""

from dataclasses import dataclass, field

from controller.dispatch import ledger

FALLBACK_W, CONNECTION_W = (100, 100, 200), 1000
LATE_US = 2_000_000


@dataclass
class Cabinet:
    """rate: of its clock, against that of the world."""

    fallback_W: int
    rate: float = 1.0
    nonce: int = 1
    sequence: int = 0
    value_W: int = 0
    left_us: int = 0
    is_epoch_kept: bool = True
    has_window: bool = True
    has_epochs: bool = True
    kept: int = 0  # the epoch on the disk
    stores_late: bool = False
    waits_for_store: bool = True  # a hint counts once its epoch is on the disk

    def passes(self, span_us):
        self.left_us = max(0, self.left_us - round(span_us * self.rate))

    @property
    def import_W(self):
        return self.value_W if self.left_us > 0 else self.fallback_W

    def takes(self, hint, age_us):
        """The answer to a hint, or None: refused."""
        is_old = self.has_window and age_us * self.rate > LATE_US
        if hint.nonce != self.nonce or is_old or not self.is_newer(hint.sequence):
            return None
        self.sequence = hint.sequence
        if not self.stores_late:
            self.stores()
        if not self.is_granting:
            return None
        if hint.value_W is not None:
            self.value_W, self.left_us = hint.value_W, ledger.VALID_MS * 1000
        return self.report()

    def stores(self):
        self.kept = self.sequence >> ledger.COUNT_BITS

    @property
    def is_granting(self):
        return self.kept == self.sequence >> ledger.COUNT_BITS or not self.waits_for_store

    def is_newer(self, sequence):
        if self.has_epochs:
            return sequence > self.sequence
        counts = (1 << ledger.COUNT_BITS) - 1
        return sequence & counts > self.sequence & counts

    def report(self):
        return Report(self.nonce, self.sequence, self.import_W, -(-self.left_us // 1000))

    def reboots(self):
        kept = self.kept << ledger.COUNT_BITS if self.is_epoch_kept else 0
        self.nonce, self.sequence, self.left_us = self.nonce + 1, kept, 0


@dataclass(frozen=True)
class Report:
    nonce: int
    sequence: int
    value_W: int
    left_ms: int  # whole, as in an answer


@dataclass(frozen=True)
class Sent:
    """value_W: None is a heartbeat."""

    at: int
    nonce: int
    sequence: int
    value_W: int | None
    sent_us: int


@dataclass
class World:
    """All hints and answers that were ever sent stay, so each may come late, twice or never."""

    cabinets: list
    make: type = ledger.Ledger
    now_us: int = 0
    epoch: int = 0
    hints: list = field(default_factory=list)
    answers: list = field(default_factory=list)
    dispatchers: list = field(default_factory=list)
    worst_W: int = 0

    def starts(self, taken=False):
        """A dispatcher that remembers nothing. The earlier one runs on beside a take-over."""
        self.epoch += 1
        fallbacks_W = [each.fallback_W for each in self.cabinets]
        made = self.make(CONNECTION_W, fallbacks_W, self.epoch, self.now_us, taken)
        made.nonces = {}
        self.dispatchers = [*(self.dispatchers if taken else []), made]
        return made

    def passes(self, span_us):
        self.now_us += span_us
        for each in self.cabinets:
            each.passes(span_us)
        self.worst_W = max(self.worst_W, self.import_W)

    def reports(self, by, at):
        """The dispatcher reads the present state of a cabinet."""
        report = self.cabinets[at].report()
        by.nonces[at] = report.nonce
        if self.cabinets[at].is_granting:
            self.read(by, at, report)

    def told(self, by, at, report):
        by.nonces[at] = report.nonce
        by.answered(at, report.sequence, report.value_W, report.left_ms, self.now_us)

    def sends(self, by, at, value_W):
        """A hint goes out, if the ledger lets it; a heartbeat (None) always may."""
        if at not in by.nonces or (value_W is not None and not by.fits(at, value_W, self.now_us)):
            return None
        sequence = by.next_sequence()
        if value_W is not None:
            by.sent(at, sequence, value_W, self.now_us)
        self.hints.append(Sent(at, by.nonces[at], sequence, value_W, self.now_us))
        return self.hints[-1]

    def arrives(self, hint):
        found = self.cabinets[hint.at].takes(hint, self.now_us - hint.sent_us)
        if found:
            self.answers.append((hint.at, found))
        self.worst_W = max(self.worst_W, self.import_W)
        return found

    def read(self, by, at, report):
        """An answer is read, however late."""
        by.answered(at, report.sequence, report.value_W, report.left_ms, self.now_us)

    @property
    def import_W(self):
        return sum(each.import_W for each in self.cabinets)


def world(make=ledger.Ledger, rates=(1.0, 1.0, 1.0), **cabinet):
    """Three cabinets that have never heard of a dispatcher."""
    every = [Cabinet(each, rate, **cabinet) for each, rate in zip(FALLBACK_W, rates)]
    return World(every, make)
