"""The conversation with one cabinet: it signs hints and checks answers.

Only answers with a right MAC to a hint of this dispatcher count, so broker and door need not be
trusted. A cabinet takes a hint until 2 s after its sent time, by the cabinet's own clock. The sent
time is the uptime in the last answer plus the time since then, less DRIFT_PERMILLE. So a fast clock
here never makes a hint newer than it is.
"""

from typing import NamedTuple

from controller.core.base import hint_codes as h
from controller.dispatch.ledger import DRIFT_PERMILLE, VALID_MS
from controller.hints import wire as w

PENDING_MAX = 64  # hints without an answer; older ones are forgotten, the ledger still counts them
UNKNOWN_NONCE = bytes(w.NONCE_BYTES)
CLOCK_US = 50_000_000  # after this time without an answer, the cabinet's clock counts as unknown
EARLIER_MAX = 8  # starts of a cabinet that are remembered
UPTIME_MS_END = 1 << 63  # a later time of sending must still fit the 64 bits of a hint
LATER_SEEN_MAX = 3  # refusals in a row that only another sender can cause


class Heard(NamedTuple):
    """A checked answer. counts: the ledger may count it. code: of hint_codes. is_newest: no answer
    to a later hint has come before. is_limit: it answers an import limit, not a heartbeat.
    """

    sequence: int
    code: int
    counts: bool
    value_W: int
    left_ms: int
    fallback_W: int | None
    is_newest: bool
    is_limit: bool


class Exchange:
    """One cabinet. `problem`: one line while it cannot be lent to, else empty."""

    def __init__(self, source: str, key: bytes):
        self._source, self._key = source, key
        self._nonce, self._uptime_ms, self._uptime_read_us = UNKNOWN_NONCE, 0, 0
        self._pending: dict[int, tuple[int, int]] = {}  # {sequence: (kind, W)}
        self._highest = self._later_seen = 0  # highest sequence that was sent
        self._earlier: tuple[bytes, ...] = ()  # nonces of earlier starts of the cabinet
        self._newest = 0  # highest sequence that was answered
        self._lacks_role = False  # by an answer since the start of the cabinet
        self.odd = ""  # the problem of an unknown code, until a limit is taken
        self.is_twice = False  # two boxes answer with one name and key
        self._start_sequence = 0  # highest sequence when the present start first answered
        self._twin_sequence: int | None = None  # highest sequence when another start answered
        self.is_known = False  # nonce and clock are those of an answer
        self.is_fenced = False  # the cabinet has stored the epoch of this dispatcher
        self.problem = ""
        self.is_deposed = False  # the cabinet takes hints of another dispatcher

    def needs_clock(self, now_us: int) -> bool:
        """True while a hint would be refused for its time or its nonce."""
        return not self.is_known or now_us - self._uptime_read_us > CLOCK_US

    def hint(self, sequence: int, value_W: int, now_us: int) -> bytes:
        """The datagram of an import limit."""
        return self._signed(sequence, h.GRID_CAP, value_W, now_us)

    def heartbeat(self, sequence: int, now_us: int) -> bytes:
        """The datagram of a heartbeat that reads the import limit in force."""
        return self._signed(sequence, h.HEARTBEAT, 0, now_us)

    def _signed(self, sequence: int, kind: int, value_W: int, now_us: int) -> bytes:
        passed_ms = (now_us - self._uptime_read_us) * (1000 - DRIFT_PERMILLE) // 1_000_000
        sent_ms = self._uptime_ms + passed_ms if self.is_known else 0
        run = self._source, self._nonce, sequence, sent_ms
        hint = w.Hint(*run, kind, h.IMPORT_W_MAX, 0, value_W, VALID_MS)
        self._pending[sequence] = kind, value_W
        while len(self._pending) > PENDING_MAX:
            del self._pending[next(iter(self._pending))]
        self._highest = max(self._highest, sequence)
        return w.signed(hint, self._key)

    def heard(self, data: bytes, now_us: int) -> Heard | None:
        """The answer in a datagram. None: it answers no hint of this dispatcher."""
        reply = w.reply_of(data, self._key)
        if reply is None or reply.source != self._source:
            return None
        if reply.uptime_ms >= UPTIME_MS_END:
            self.problem = "its answers have an impossible uptime"
            return None
        self._find_twin(reply)
        pending = self._pending.pop(reply.sequence, None)
        if pending is None:
            return None
        kind, asked_W = pending
        if (reply.kind, reply.asked_W) != pending:
            self.is_deposed = True  # another dispatcher has used this sequence
            self._judge(reply)
            return None
        if reply.sequence > self._newest:  # an answer that was overtaken may be of an earlier start
            self._take_start(reply, now_us)
        self._judge(reply)
        value_W, left_ms = reply.granted_W, reply.valid_ms
        if reply.code == h.FALLBACK_RULES:  # a heartbeat will let the hint act
            value_W, left_ms = max(value_W, asked_W), VALID_MS
        if h.taken(reply.code) and kind == h.HEARTBEAT:
            self.is_fenced = True
        return Heard(
            reply.sequence,
            reply.code,
            counts=h.taken(reply.code) and self.is_fenced,
            value_W=value_W,
            left_ms=left_ms,
            fallback_W=None if reply.fallback_W == w.NOTHING_W else reply.fallback_W,
            is_newest=reply.sequence == self._newest,
            is_limit=kind == h.GRID_CAP,
        )

    def _find_twin(self, reply: w.Reply) -> None:
        """Find out whether two boxes answer. A start that answers a hint which was sent after
        another start had answered was alive beside it.
        """
        if not self.is_known or reply.sequence <= self._start_sequence:
            return
        if reply.nonce != self._nonce:
            self._twin_sequence = (
                self._highest if self._twin_sequence is None else self._twin_sequence
            )
        elif self._twin_sequence is not None and reply.sequence > self._twin_sequence:
            self.is_twice = True

    def _take_start(self, reply: w.Reply, now_us: int) -> None:
        """Take nonce and clock of the start that has sent the newest answer."""
        if reply.nonce != self._nonce and self.is_known:
            self.is_twice = self.is_twice or reply.nonce in self._earlier
            self._earlier = (*self._earlier, self._nonce)[-EARLIER_MAX:]
            self._lacks_role = False  # its site.toml may have changed
        if reply.nonce != self._nonce or not self.is_known:
            self._start_sequence, self._twin_sequence = self._highest, None
        self._newest, self.is_known = reply.sequence, True
        self._nonce, self._uptime_ms, self._uptime_read_us = reply.nonce, reply.uptime_ms, now_us

    def _judge(self, reply: w.Reply) -> None:
        """Set `problem`: why the cabinet may not keep an import limit of this dispatcher."""
        is_later = reply.code == h.OLD_SEQUENCE and reply.sequence >= self._highest
        self._later_seen = self._later_seen + 1 if is_later else 0
        self.is_deposed = self.is_deposed or self._later_seen >= LATER_SEEN_MAX
        # A heartbeat is granted to every role, so it does not show that the limit is kept.
        self._lacks_role = self._lacks_role or reply.code in (h.CHARGING_ONLY, h.ROLE)
        if reply.code not in h.TEXTS:
            self.odd = f"answers with {h.text(reply.code)[0]}: is its release a later one?"
        elif h.taken(reply.code) and reply.kind == h.GRID_CAP:
            self.odd = ""
        if self.is_deposed:
            self.problem = "it takes the hints of a later dispatcher"
        elif self.is_twice:
            self.problem = "two boxes answer with its name and key"
        elif reply.fallback_W == w.NOTHING_W:
            self.problem = f"[source.{self._source}] of its site.toml lacks fallback_import_W_max"
        elif self._lacks_role:
            self.problem = f"[source.{self._source}] of its site.toml lacks the role grid_cap"
        elif self.odd or h.taken(reply.code):
            self.problem = self.odd
