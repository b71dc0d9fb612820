"""What the dispatcher knows of one cabinet."""

from controller.dispatch.exchange import Exchange
from controller.dispatch.fleet import Cabinet
from controller.dispatch.report import NOTHING, is_live


class Member:
    """What the dispatcher knows of one cabinet. load_W: the last known import without battery."""

    __slots__ = (
        "cabinet",
        "exchange",
        "report",
        "reported_ms",
        "load_W",
        "value_W",
        "beat_ms",
        "hint_ms",
        "is_answered",
        "is_mismatched",
    )

    def __init__(self, cabinet: Cabinet, source: str) -> None:
        self.cabinet, self.exchange = cabinet, Exchange(source, cabinet.key)
        self.report, self.reported_ms = NOTHING, float("-inf")
        self.load_W = cabinet.fallback_W
        self.value_W = cabinet.fallback_W  # the last value sent
        self.beat_ms = self.hint_ms = float("-inf")
        self.is_answered = True  # the last hint
        self.is_mismatched = ""

    @property
    def problem(self) -> str:
        """Why the cabinet cannot be trusted to keep its value; else empty."""
        return self.exchange.problem or self.is_mismatched

    def is_live(self, now_ms: float) -> bool:
        """True while the cabinet reports."""
        return is_live(self.report.state, self.reported_ms, now_ms)
