"""The state of one cabinet, as the dispatcher knows it."""

import random
from typing import Any

from controller.core.base import hint_codes as h
from controller.dispatch.exchange import Exchange, Heard
from controller.dispatch.fleet import Cabinet
from controller.dispatch.ledger import DRIFT_PERMILLE, WINDOW_MS, Before, Share
from controller.dispatch.report import NEVER_US, NOTHING, Report, is_live

RENEW_US = 20_000_000  # time between two heartbeats, and two hints of one value
SPREAD = 0.2  # periods are shorter by a random part up to this, so that there are no bursts
FIRST_EACH_US = 500  # time between the first heartbeats to two cabinets
AGAIN_US = 1_500_000  # a hint without an answer is sent again after this time
ANSWERING_US = 30_000_000  # a cabinet gets a heartbeat every 20 s, so it answers within this time
ONE_SIDED_US = 60_000_000
MUTE = (
    "reports, but gives no signed answer for 60 s: is its key the one of FLEET.toml, and may it "
    "read its command topic?"
)
NO_LIMIT = 'answers no import limit for 60 s: has its doors.toml may = "grid_cap"?'
UNREPORTED = "answers, but does not report for 60 s: may it write its report topic?"
LENT_ON = (
    "an earlier dispatcher may still lend to it, so the others get little before it answers "
    "(--without: a person has disconnected it)"
)
RECEIVED, STARTED, SUPERSEDED, COMPLETED = "received", "started", "superseded", "completed"
ENDS_US = 3_000_000  # a share that was lost earlier than this before its end: a restart lost it


class Member:
    """The state of one cabinet. load_W: the last known import without its battery."""

    def __init__(
        self, cabinet: Cabinet, source: str, place: int, now_us: int, draw: random.Random
    ) -> None:
        """place: number of the cabinet. The first heartbeats are sent in this order."""
        self.cabinet, self.exchange = cabinet, Exchange(source, cabinet.key)
        self.report, self.reported_us = NOTHING, NEVER_US
        self.load_W = cabinet.fallback_W
        self.value_W = cabinet.fallback_W  # the last value sent
        self._beat_us = now_us - AGAIN_US + place * FIRST_EACH_US
        self.renew_us = int(RENEW_US * (1 - draw.uniform(0, SPREAD)))
        self.hint_us = NEVER_US
        self.is_answered = True  # the last hint
        self.mismatch = self.trouble = ""
        self.answered_us = NEVER_US
        self.counted_us = now_us  # time of the last answer that was no refusal
        self.refusal = ""  # words of the last answer if it was a refusal
        self.unanswered_us: int | None = None  # time of the first limit without an answer
        self.agreed_us = now_us  # when it last did both, report and answer, or neither
        self.short_W = 0  # import above the share that it cannot prevent, by its last answer
        self.control_W: int | None = None  # the last share that it has answered
        self.is_waiting = False  # that share acts only after a heartbeat
        self.replaced_W: int | None = None  # the share before control_W, if it had not run out

    @property
    def problem(self) -> str:
        """Why the cabinet cannot be trusted to keep its value; else empty."""
        return self.exchange.problem or self.mismatch or self.trouble

    def is_live(self, now_us: int) -> bool:
        """True while the cabinet reports."""
        return is_live(self.report.state, self.reported_us, now_us)

    def reported(self, report: Report, load_W: int | None, now_us: int) -> None:
        """Take a report. load_W: import of the cabinet without its battery; None: unknown."""
        self.report, self.reported_us = report, now_us
        if load_W is not None:
            self.load_W = load_W

    def heartbeat_sent(self, now_us: int) -> None:
        """Note that a heartbeat was sent."""
        self._beat_us = now_us

    def is_due(self, now_us: int) -> bool:
        """True if a heartbeat is due: by its period, or because the last one has had no effect."""
        age_us, exchange = now_us - self._beat_us, self.exchange
        is_new = exchange.needs_clock(now_us) or not exchange.is_fenced or bool(self.refusal)
        return age_us >= self.renew_us or (is_new and age_us >= AGAIN_US)

    def restarted(self, now_us: int) -> None:
        """Make a heartbeat due, because the cabinet has restarted."""
        self._beat_us = now_us - self.renew_us

    def limit_sent(self, value_W: int, now_us: int) -> None:
        """Note that an import limit was sent."""
        self.value_W, self.hint_us, self.is_answered = value_W, now_us, False
        if self.unanswered_us is None:
            self.unanswered_us = now_us

    def compare_fallback(self, fallback_W: int | None) -> None:
        """Compare the fallback that the cabinet states with FLEET.toml. None: it has none."""
        listed_W = self.cabinet.fallback_W
        if fallback_W is not None:
            line = f"its fallback_import_W_max is {fallback_W} W, and FLEET.toml says {listed_W}"
            self.mismatch = line if fallback_W != listed_W else ""

    def judge(self, now_us: int, is_lent_on: bool) -> None:
        """Set `trouble`: the cabinet only reports, only answers, or refuses. Call this every few
        seconds. is_lent_on: an earlier dispatcher may still lend to the cabinet.
        """
        reports, answers = self.is_live(now_us), now_us - self.answered_us < ANSWERING_US
        if not answers:
            self.unanswered_us = None  # it does not answer heartbeats either
        if reports == answers:
            self.agreed_us, self.trouble = now_us, self._refuses(now_us)
            if is_lent_on and not self.trouble:
                self.trouble = LENT_ON
        elif now_us - self.agreed_us >= ONE_SIDED_US:
            self.trouble = MUTE if reports else UNREPORTED

    def _refuses(self, now_us: int) -> str:
        """Words for the hints that an answering cabinet refuses or does not answer."""
        if self.refusal and now_us - self.counted_us >= ONE_SIDED_US:
            return f"refuses every hint for 60 s: {self.refusal}"
        is_lost = self.unanswered_us is not None and now_us - self.unanswered_us >= ONE_SIDED_US
        return NO_LIMIT if is_lost else ""

    @property
    def is_withheld(self) -> bool:
        """True if no import limit is sent to the cabinet. If its only problem is NO_LIMIT or an
        unknown code, it gets its fallback, because only an answered limit ends this problem.
        """
        return self.problem not in ("", NO_LIMIT, self.exchange.odd)

    def hear(self, heard: Heard, text: str, now_us: int) -> None:
        """Take an answer. text: the words of its code."""
        self.answered_us = now_us
        if heard.is_limit:
            self.unanswered_us = None
        self.refusal = "" if heard.counts else text
        if heard.counts:
            self.counted_us, self.is_answered = now_us, True

    def note(self, heard: Heard, before: Before, now_us: int) -> None:
        """Take an answer that the ledger has counted."""
        sent, left_us = before.sent, before.in_force.until_us - now_us
        value_W = heard.value_W if sent is None else sent.value_W
        if sent is not None:
            self.short_W = heard.value_W - value_W if heard.code == h.LIMITED else 0
        if heard.left_ms:
            if self.control_W not in (None, value_W) and left_us > 0:
                self.replaced_W = self.control_W
            self.control_W, self.is_waiting = value_W, heard.code == h.FALLBACK_RULES
        elif left_us > ENDS_US:
            self.control_W = self.replaced_W = None

    def share(self, share: Share, now_us: int) -> tuple[int, int]:
        """The import limit in force, and its remaining seconds; a fallback has none."""
        left_s = _left_s(share.in_force.until_us - now_us)
        if self.control_W is None or self.is_waiting or not left_s:
            return self.cabinet.fallback_W, 0
        return self.control_W, left_s

    def controls(self, share: Share, now_us: int) -> list[dict[str, Any]]:
        """The controls of IEEE 2030.5, the newest first. status: None until it is answered."""
        left_us = share.in_force.until_us - now_us
        status = COMPLETED if left_us <= 0 else RECEIVED if self.is_waiting else STARTED
        sent = [share.lent[sequence] for sequence in sorted(share.lent)[-1:]]
        rows: list[tuple[int | None, int, str | None]] = [
            *[(hint.value_W, hint.until_us - WINDOW_MS * 1000 - now_us, None) for hint in sent],
            (self.control_W, left_us, status),
            (self.replaced_W, 0, SUPERSEDED),
        ]
        return [
            {"opModImpLimW": value_W, "duration": _left_s(left_us), "status": status}
            for value_W, left_us, status in rows
            if value_W is not None
        ]


def _left_s(left_us: int) -> int:
    """Whole seconds that are left, without what the ledger adds for slow clocks."""
    return max(0, left_us) * (1000 - DRIFT_PERMILLE) // 1_000_000_000
