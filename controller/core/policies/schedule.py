"""Applies the schedule of a source: grid cap, band of power and reserve of the present slot.

A system upstream plans ahead. The naive way sends a hint at the start of each slot. If the network
is down at that moment, the fallbacks act instead of the plan. So the cabinet keeps the whole table
and finds the present slot by its own clock. But the table must not act by a wrong clock, or for a
sender that is gone:

    slot = (minute of the clock - start) / minutes of a slot
    clock trusted, heartbeat of the source valid  ->  grid cap, band, reserve of this slot
    otherwise                                     ->  the fallbacks of the source act

A step to a lower cap would move the import of the site by the whole power of the battery within a
second. So before such a slot the cap falls at `setpoint_ramp_W_per_s`, and reaches the new value
EARLY_S early. Otherwise the last second would count in the mean of the new interval.

The grid cap is an obligation with the rank of the grid limit by hint. The band is a cap that
contains 0. A band that excludes 0 is a request too: the base request goes to its nearer end at the
ramp of the source, but every request by hint comes first. If the band asks for a discharge that the
export limit forbids, the battery may still charge. Otherwise PV would be curtailed (pv_limit.py),
and its energy lost. The reserve raises the peaks level (reserve.py).
"""

from array import array
from collections.abc import Sequence
from typing import Any

from controller.core.base import hint_codes, hint_sources, reasons, schedule_table as t
from controller.core.base.answers import WIDE_W, Answer, Cap, grid_obligation
from controller.core.base.integers import within
from controller.core.base.words import Words
from controller.core.policies.contract import MEASURE, Found, Function, Known, Setup
from controller.core.policies.hint_table import HintTable

GRID_CAP_SCHEDULE = (20, "grid_cap_schedule")  # same order as (20, "grid_cap_hint")
STATES = t.STATES
NONE, ACTS, LATER, OVER, SILENT, CLOCK, OFF_GRID = range(7)
OUTPUTS = ("schedule_source", "schedule_state", "schedule_slot")
# O_SOURCE: source index + 1. O_STATE: place in STATES. O_SLOT: present slot from 1; 0: none.
O_SOURCE, O_STATE, O_SLOT = range(3)
EARLY_S, LEAD_S = 2, 120  # LEAD_S: longest ramp before a slot; a longer one ends in a step


class State(Words):
    """Head of the table in force. Its slots follow, then the slots of a table that is entering."""

    source: int  # index + 1; 0: no schedule
    start_min: int  # since 1970; here and below as in schedule_table.Table
    slot_min: int
    slot_count: int


HEAD = len(State.__annotations__)
STAGED_AT = HEAD + t.TABLE_WORDS


class Schedule(Function):
    """Cap, obligation and request of the present slot."""

    state: State
    NAME, STAGE = "schedule", MEASURE
    READS = ("connection_W", "schedule")
    ASKS = (HintTable.NAME,)
    WRITES = ("lifted", "scheduled_W", "scheduled_reserve_permille", "scheduled_source")
    OUTPUTS = OUTPUTS
    PARAMETERS = (
        # a larger error of the clock stops the schedule
        ("schedule_clock_ms_max", "ms", 100, 600_000, 10_000, "down"),
    )
    TEXTS = reasons.texts("""
        SCHEDULE | schedule | The slot of the schedule asks for power: its band excludes 0. | See
          firebreak hint schedule for its slots.
        SCHEDULE_GRID_CAP | grid limit by schedule | The slot of the schedule limits the import of
          this site. | See firebreak hint schedule for its slots.
        SCHEDULE_BAND | limit by schedule | The slot of the schedule limits the power of this
          cabinet. | See firebreak hint schedule for its slots.
    """)

    def __init__(self, setup: Setup):
        settings = setup.settings
        self._hints: HintTable = setup.functions[HintTable.NAME]
        self._site = setup.site
        self._error_ms_max = settings["schedule_clock_ms_max"]
        self._quantum_W = settings["setpoint_quantum_W"]
        self._ramp_W_per_s = settings["setpoint_ramp_W_per_s"]
        self._export_W = settings["grid_export_W_max"]
        self._ranks = [source.rank for source in setup.sources]
        self.state = State.zero(2 * t.TABLE_WORDS, "i")
        self.out = array("i", [0] * len(OUTPUTS))

    def step(self, known: Known, findings: Found, elapsed_ticks: int) -> Sequence[Answer]:
        """Cap and obligation of the present slot. The other values of the slot go to Found."""
        self._begin_tick(known, findings)
        if not self.state.source:
            return ()
        state, slot, left_s = self._now(elapsed_ticks)
        self.out[O_STATE], self.out[O_SLOT] = state, slot + 1
        return self._answers(findings, slot, left_s) if state == ACTS else ()

    def hold(self, known: Known, findings: Found, elapsed_ticks: int) -> None:
        """Pause the schedule off the grid. A new table is still taken."""
        self._begin_tick(known, findings)
        if self.state.source:
            self.out[O_STATE], self.out[O_SLOT] = OFF_GRID, 0

    def _begin_tick(self, known: Known, findings: Found) -> None:
        if findings.scheduled_source:
            findings.scheduled_source = findings.scheduled_W = findings.lifted = 0
            findings.scheduled_reserve_permille = 0
        inp, first = known.schedule
        if inp[first]:
            self._take(inp, first)

    def _take(self, inp: Sequence[int], first: int) -> None:
        """Take a part or the commit of a table. Words that no accepted table has are ignored."""
        state, (step, place) = self.state, inp[first : first + 2]
        block = array("i", inp[first + 2 : first + len(t.BLOCK)])
        if step == t.PART and 0 <= place <= t.TABLE_WORDS - t.PART_WORDS:
            start = STAGED_AT + place
            state[start : start + t.PART_WORDS] = block
        if step != t.COMMIT:
            return
        *head, crc = block[: t.HEAD_WORDS + 1]
        source, _, slot_min, count = head
        is_known = 0 < source <= len(self._ranks) and 0 <= count <= t.SLOTS_MAX and slot_min > 0
        if not is_known or self._ranks[source - 1] < hint_sources.REQUEST:
            return
        staged = state[STAGED_AT : STAGED_AT + t.SLOT_WORDS * count]
        if crc != t.crc_of(head, staged):
            return
        state[:HEAD] = array("i", head if count else [0] * HEAD)
        state[HEAD : HEAD + len(staged)] = staged
        self.out[:] = array("i", [state.source, NONE, 0])

    def slots(self) -> list[t.Slot]:
        """The slots of the table in force."""
        return [self._slot(index) for index in range(self.state.slot_count)]

    def _slot(self, index: int) -> t.Slot:
        start = HEAD + t.SLOT_WORDS * index
        return t.Slot._make(self.state[start : start + t.SLOT_WORDS])

    def charges_within(self, ahead_min: int) -> bool:
        """True if a slot that asks for charging acts, or begins within ahead_min. Clock and
        heartbeat must be valid.
        """
        state, minute = self.state, self.minute()
        if minute is None or self.holder < 0:
            return False
        passed_min = minute - state.start_min
        first, last = passed_min // state.slot_min, (passed_min + ahead_min) // state.slot_min
        places = range(max(0, first), min(last + 1, state.slot_count))
        return any([t.OPEN_W < self._slot(place).battery_high_W < 0 for place in places])

    @property
    def holder(self) -> int:
        """Index of the source whose schedule is in force and whose heartbeat is valid, -1: none."""
        source = self.state.source - 1
        return source if source >= 0 and self._hints.alive(source) else -1

    def _now(self, elapsed_ticks: int) -> tuple[int, int, int]:
        """(state of STATES, present slot, seconds until its end); -1, 0 while none acts."""
        state, second = self.state, self._second()
        if second is None:
            return CLOCK, -1, 0
        if not self._hints.alive(state.source - 1, elapsed_ticks):
            return SILENT, -1, 0
        slot_s = 60 * state.slot_min
        slot, passed_s = divmod(second - 60 * state.start_min, slot_s)
        if 0 <= slot < state.slot_count:
            return ACTS, slot, slot_s - passed_s
        return LATER if slot < 0 else OVER, -1, 0

    def minute(self) -> int | None:
        """Minutes since 1970, UTC; None while the clock is not trusted."""
        second = self._second()
        return None if second is None else second // 60

    def _second(self) -> int | None:
        clock = self._site.utc_time()
        return clock.time_s if clock and clock.error_ms <= self._error_ms_max else None

    def _answers(self, findings: Found, number: int, left_s: int) -> list[Answer]:
        source, slot = self.state.source - 1, self._slot(number)
        cap_W = slot.grid_cap_W if slot.grid_cap_W >= 0 else WIDE_W
        if left_s <= LEAD_S:
            is_last = number + 1 >= self.state.slot_count
            next_W = t.OPEN_W if is_last else self._slot(number + 1).grid_cap_W
            cap_W = falling_W(cap_W, next_W, left_s, self._ramp_W_per_s)
        low_W = -WIDE_W if slot.battery_low_W == t.OPEN_W else slot.battery_low_W
        high_W = WIDE_W if slot.battery_high_W == t.OPEN_W else slot.battery_high_W
        findings.scheduled_source = source + 1
        findings.scheduled_W = within(max(low_W, 0) or min(high_W, 0), -WIDE_W, WIDE_W)
        has_grid_cap = cap_W < WIDE_W and self._ranks[source] >= hint_sources.GRID_CAP
        is_own = has_grid_cap and slot.grid_cap_W >= 0
        findings.lifted = _lifted(source, low_W > -WIDE_W, high_W < WIDE_W, is_own)
        findings.scheduled_reserve_permille = slot.reserve_permille
        reason = reasons.SCHEDULE_BAND
        charge_W, connection_W = max(-low_W, 0), findings.connection_W
        if connection_W is not None and low_W > max(0, connection_W + self._export_W):
            charge_W = WIDE_W  # the export limit forbids the discharge that the band asks for
        answers: list[Answer] = [Cap(charge_W, reason, max(high_W, 0), reason)]
        if has_grid_cap and connection_W is not None:
            reason = reasons.SCHEDULE_GRID_CAP
            bounds = (cap_W, reason), (WIDE_W, reason)
            grid_cap = grid_obligation(GRID_CAP_SCHEDULE, connection_W, *bounds, self._quantum_W)
            answers.append(grid_cap)
        return answers

    def bounds(self) -> dict[str, int | None]:
        """Bounds of the present slot by name; None: no bound, or no slot acts."""
        number = self.out[O_SLOT]
        bounds = self._slot(number - 1) if number else [t.OPEN_W] * t.SLOT_WORDS
        return {
            name: None if value == t.OPEN_W else value
            for name, value in zip(t.Slot._fields, bounds)
        }

    def numbers(self, code: int) -> dict[str, Any]:
        """Numbers behind the reason."""
        return {"kind": "schedule"}


def falling_W(cap_W: int, next_W: int, left_s: int, ramp_W_per_s: int) -> int:
    """Cap of a slot left_s before the next slot. next_W: cap of the next slot; below 0: none."""
    if next_W < 0 or left_s > LEAD_S:
        return cap_W
    return min(cap_W, next_W + ramp_W_per_s * max(0, left_s - EARLY_S))


def _lifted(source: int, has_low: bool, has_high: bool, has_grid_cap: bool) -> int:
    """A bit for each entry of the hint table whose fallback the slot replaces."""
    replaced = {
        hint_codes.CHARGE_W_MAX: has_low,
        hint_codes.DISCHARGE_W_MAX: has_high,
        hint_codes.IMPORT_W_MAX: has_grid_cap,
    }
    quantities = hint_sources.QUANTITIES
    first = source * len(quantities)
    return sum([is_so << first + quantities.index(name) for name, is_so in replaced.items()])
