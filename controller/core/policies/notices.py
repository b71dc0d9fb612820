"""Notices: what a source knows ahead. They ask for nothing; other control functions read them.

The price notice says that energy has a negative price while it is valid. A step notice says that
the load will change by a power at a time. A later notice of the same moment replaces the earlier
one, and a step of 0 W removes it. A source may have STEPS steps to come; of more, the nearest stay.
"""

from array import array
from typing import NamedTuple

from controller.core import contract, hint_codes, hint_sources
from controller.core.found import Found
from controller.core.image import HINT_SLOTS, SLOT_WORDS
from controller.core.integers import within
from controller.core.known import Known
from safety import parameters, signals

STEPS = 4  # of one source
SAME_MS = 1000  # steps of one source that are nearer to each other are the same one
START_MS_MAX = 3_600_000
R_VALUE, R_START, R_LEFT, ROW_WORDS = range(4)  # ticks until it begins, and until it ends; 0: free
S_ANY, ROWS_AT = range(2)


class Notice(NamedTuple):
    """A step to come. step_W: > 0 when the load rises; left_ms: until the notice ends."""

    source: int
    step_W: int
    start_ms: int
    left_ms: int


class Notices(contract.Function):
    """state: S_ANY, 1 while any row is in use, then the rows of each source: price, steps."""

    NAME, STAGE = "notices", contract.MEASURE
    READS = ("hints",)
    WRITES = ("is_price_negative", "notices")

    def __init__(self, setup: contract.Setup):
        self.count = hint_sources.count(setup.source_image)
        self._tick_ms = setup.tick_ms
        words = [hint_sources.words(setup.source_image, each) for each in range(self.count)]
        self._valid_ms_max = [word[hint_sources.W_VALID_S_MAX] * 1000 for word in words]
        self.state = array("i", [0] * (ROWS_AT + self.count * (1 + STEPS) * ROW_WORDS))
        self._rows = range(ROWS_AT, len(self.state), ROW_WORDS)

    def step(self, known: Known, found: Found, elapsed_ticks: int) -> tuple:
        """No answer: the others find the notices."""
        found.is_price_negative, found.notices = False, ()
        inp, first = known.hints
        if self.state[S_ANY]:
            self._age(elapsed_ticks)
        if inp[first]:
            for at in range(first, first + HINT_SLOTS * SLOT_WORDS, SLOT_WORDS):
                if inp[at + 1] == hint_codes.NOTICE:
                    self._take(inp[at] - 1, *inp[at + 2 : at + SLOT_WORDS])
        if self.state[S_ANY]:
            found.is_price_negative = any([self.price_ms(each) for each in range(self.count)])
            found.notices = self.steps()
        return ()

    def price_ms(self, source: int) -> int:
        """ms for which the source still says that the price is negative; 0: it does not."""
        row = self._rows_of(source)[0]
        return self.state[row + R_LEFT] * self._tick_ms

    def steps(self) -> tuple[Notice, ...]:
        """The steps to come, of every source."""
        state, steps = self.state, []
        for source in range(self.count):
            for row in self._rows_of(source)[1:]:
                if state[row + R_LEFT]:
                    start_ms, left_ms = [
                        ticks * self._tick_ms for ticks in state[row + R_START : row + ROW_WORDS]
                    ]
                    steps.append(Notice(source, state[row + R_VALUE], start_ms, left_ms))
        return tuple(steps)

    def _rows_of(self, source: int) -> range:
        first = source * (1 + STEPS)
        return self._rows[first : first + 1 + STEPS]

    def _age(self, ticks: int) -> None:
        state = self.state
        for row in self._rows:
            state[row + R_START] = max(0, state[row + R_START] - ticks)
            state[row + R_LEFT] = max(0, state[row + R_LEFT] - ticks)
        self._count_rows()

    def _count_rows(self) -> None:
        self.state[S_ANY] = 1 if any([self.state[row + R_LEFT] for row in self._rows]) else 0

    def _take(self, source: int, quantity: int, value: int, valid_ms: int, start_ms: int) -> None:
        """Take one notice. A value that no accepted notice can have is ignored."""
        if not 0 <= source < self.count or quantity not in hint_codes.NOTICES or valid_ms <= 0:
            return
        is_step = quantity == hint_codes.STEP_W
        start_ms = within(start_ms, 0, START_MS_MAX) if is_step else 0
        start = parameters.ticks(start_ms, self._tick_ms)
        left = parameters.ticks(min(valid_ms, self._valid_ms_max[source]), self._tick_ms)
        value = within(value, -signals.INT_MAX, signals.INT_MAX)
        rows = self._rows_of(source)
        row: int | None = rows[0]
        if is_step:
            row = self._row_of_step(rows[1:], start, value)
        if row is not None:
            end = start + left if value else 0
            self.state[row : row + ROW_WORDS] = array("i", [value, start, end])
            self._count_rows()

    def _row_of_step(self, rows: range, start: int, step_W: int) -> int | None:
        """The row of the same step, else a free one, else that of the farthest step if the new one
        is nearer. None without any.
        """
        state, same_ticks = self.state, SAME_MS // self._tick_ms
        for row in rows:
            if state[row + R_LEFT] and abs(state[row + R_START] - start) <= same_ticks:
                return row
        free = [row for row in rows if not state[row + R_LEFT]]
        farthest = max(rows, key=lambda row: state[row + R_START])
        if not step_W or not free and state[farthest + R_START] < start:
            return None
        return free[0] if free else farthest
