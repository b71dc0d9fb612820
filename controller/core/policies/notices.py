"""Notices announce coming events. They ask for no power, but other functions read them.

At a negative price PV should feed in less. When the load will fall, the battery will charge, and
its cells must be warm for this. The naive way is a request for power. But the functions that know
limits and temperatures must decide. So a notice only announces the event:

    price: energy has a negative price while the notice is valid
    step:  the load will change by a power at a given time

A later notice of the same moment replaces the earlier one, and a step of 0 W removes it. If a
source announces more than STEPS steps, the nearest steps are kept.
"""

from controller.core.base import hint_codes
from controller.core.base.integers import within
from controller.core.base.words import Words
from controller.core.policies.contract import MEASURE, Found, Function, Known, Setup
from controller.core.tracking.announced import Notice
from safety import parameters, signals

STEPS = 4  # of one source
SAME_MS = 1000  # two steps of one source within this time are the same step
START_MS_MAX = 3_600_000  # a notice may announce a step at most an hour ahead


class Row(Words):
    """One notice of a source; free while left_ticks is 0."""

    value: int
    start_ticks: int  # time until it begins
    left_ticks: int  # time until it ends


class State(Words):
    """`is_any`: a row is in use."""

    is_any: int


class Notices(Function):
    """rows: for each source the row of its price, then the rows of its steps."""

    state: State
    NAME, STAGE = "notices", MEASURE
    READS = ("hints",)
    WRITES = ("is_price_negative", "notices")

    def __init__(self, setup: Setup):
        self.count, self._tick_ms = len(setup.sources), setup.tick_ms
        self._valid_ms_max = [source.valid_s_max * 1000 for source in setup.sources]
        self.state = State.zero()
        self.rows = [[Row.zero(code="i") for _ in range(1 + STEPS)] for _ in range(self.count)]
        self._all_rows = [row for rows in self.rows for row in rows]
        self.more = self._all_rows

    def step(self, known: Known, findings: Found, elapsed_ticks: int) -> tuple[()]:
        """Write the notices into Found. There is no answer."""
        findings.is_price_negative, findings.notices = False, ()
        inp, first = known.hints
        if self.state.is_any:
            self._age(elapsed_ticks)
        if inp[first]:
            for hint in hint_codes.arrived(inp, first):
                if hint.kind == hint_codes.NOTICE:
                    self._take(hint)
        if self.state.is_any:
            findings.is_price_negative = any(
                [self.price_ms(source) for source in range(self.count)]
            )
            findings.notices = self.steps()
        return ()

    def price_ms(self, source: int) -> int:
        """Time for which the source's notice of a negative price is still valid; 0 without one."""
        return self.rows[source][0].left_ticks * self._tick_ms

    def steps(self) -> tuple[Notice, ...]:
        """The coming steps of all sources."""
        to_come, tick_ms = [], self._tick_ms
        for source, (_, *steps) in enumerate(self.rows):
            for row in steps:
                if row.left_ticks:
                    times_ms = row.start_ticks * tick_ms, row.left_ticks * tick_ms
                    to_come.append(Notice(source, row.value, *times_ms))
        return tuple(to_come)

    def _age(self, ticks: int) -> None:
        for row in self._all_rows:
            row.start_ticks = max(0, row.start_ticks - ticks)
            row.left_ticks = max(0, row.left_ticks - ticks)
        self._count_rows()

    def _count_rows(self) -> None:
        self.state.is_any = any([row.left_ticks for row in self._all_rows])

    def _take(self, hint: hint_codes.HintSlot) -> None:
        """Take one notice. A value that no accepted notice can have is ignored."""
        source, valid_ms = hint.source - 1, hint.valid_ms
        is_notice = 0 <= source < self.count and hint.quantity in hint_codes.NOTICES
        if not is_notice or valid_ms <= 0:
            return
        is_step = hint.quantity == hint_codes.STEP_W
        start_ms = within(hint.start_ms, 0, START_MS_MAX) if is_step else 0
        start = parameters.ticks(start_ms, self._tick_ms)
        left = parameters.ticks(min(valid_ms, self._valid_ms_max[source]), self._tick_ms)
        value = within(hint.value_W, -signals.INT_MAX, signals.INT_MAX)
        price, *steps = self.rows[source]
        row = self._row_of_step(steps, start, value) if is_step else price
        if row is not None:
            row.value, row.start_ticks = value, start
            row.left_ticks = start + left if value else 0
            self._count_rows()

    def _row_of_step(self, rows: list[Row], start: int, step_W: int) -> Row | None:
        """Row for a step: the row of the same step, else a free row, else the row of the farthest
        step if it is later than this step.
        """
        same_ticks = SAME_MS // self._tick_ms
        for row in rows:
            if row.left_ticks and abs(row.start_ticks - start) <= same_ticks:
                return row
        free = [row for row in rows if not row.left_ticks]
        farthest = max(rows, key=lambda row: row.start_ticks)
        if not step_W or not free and farthest.start_ticks < start:
            return None
        return free[0] if free else farthest
