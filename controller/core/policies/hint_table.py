"""The hints in force: newest value, validity and fallback of each quantity of each source.

A hint comes from a system that may fail, restart or send late. The naive way keeps the newest value
until the next one. The import limit of a dead sender would then hold for ever. A limit that ends
when it expires is no better, because a silent sender would then allow more power.

    no hint yet, or expired --> fallback of the source (none configured: no limit)
    fresh hint beside it    --> the narrower of hint and fallback
    heartbeat + fresh hint  --> the hint, until it expires

So a restart never widens a limit: every configured fallback is in force until the first hint.

The role of a source may not allow it to oblige the battery. Then its import maximum narrows
charging and its export maximum narrows discharging, to the room that the connection has left. A
connection whose power is unknown has no room.

Validity counts in ticks. Between two events (a hint, an expiry, the end of a second of validity) a
step only counts ticks.
"""

from array import array
from collections.abc import Sequence

from controller.core.base import hint_codes, hint_sources, reasons
from controller.core.base.answers import WIDE_W, Answer, Cap, grid_obligation
from controller.core.base.hint_sources import QUANTITIES
from controller.core.base.integers import within
from controller.core.base.words import Words
from controller.core.policies import hint_groups as g, hint_outputs
from controller.core.policies.contract import BOUND, Found, Function, Known, Setup
from controller.core.policies.hint_outputs import FALLBACK, NONE, RESTING, VALID
from safety import parameters, signals, tapers

GRID_CAP_HINT = (20, "grid_cap_hint")
LOW_PERMILLE = tapers.SOC_TAPER_PERMILLE[1][0]  # the kernel allows full discharge down to here
_COUNT = len(QUANTITIES)
# Words of an entry (a quantity of a source).
# E_LAPSED: 1 after the hint has expired. Then only a heartbeat and a hint together lift the
# fallback.
# E_EXACT: 1 for a request during which load tracking pauses.
E_STATE, E_VALUE_W, E_LEFT_TICKS, E_LAPSED, E_EXACT = range(5)
ENTRY_WORDS = 5
# From this output on: source of the tightest charge, discharge, import and export.
_SOURCES = hint_outputs.O_CHARGE_SOURCE


class State(Words):
    """First words of the state. The entries follow, then for each source the ticks for which its
    heartbeat counts.
    """

    since: int  # ticks since the validity of all entries was last reduced
    due: int  # ticks after which they must be reduced again
    lifted: int  # a bit for each entry: a schedule acts in place of its fallback


class HintTable(Function):
    """Keeps the hints, and gives their caps and obligations. entries: place in `state` of each
    quantity of each source. group and fallback_W have the same order.
    """

    state: State
    NAME, STAGE = "hint_table", BOUND
    READS = ("full_Wh", "hints", "is_off_grid", "lifted", "part_W", "soc_permille")
    TEXTS = reasons.texts("""
        GRID_CAP_HINT | grid limit by hint | A hint, or the fallback of its source, limits the grid
          power of this site. | See page Sources for its source and validity.
        HINT_CAP | limit by hint | A hint, or the fallback of its source, limits the power of this
          cabinet. | See page Sources for its source and validity.
    """)

    def __init__(self, setup: Setup) -> None:
        sources = setup.sources
        self.count = count = len(sources)
        self._tick_ms, self._settings = setup.tick_ms, setup.settings
        self._ranks = [source.rank for source in sources]
        self._valid_ms_max = [source.valid_s_max * 1000 for source in sources]
        self.fallback_W = [watts for source in sources for watts in source.fallback_W]
        self.group = [g.group_of(rank, quantity) for rank in self._ranks for quantity in QUANTITIES]
        first = len(State.__annotations__)
        self.entries = range(first, first + count * _COUNT * ENTRY_WORDS, ENTRY_WORDS)
        self._heartbeats_at = self.entries.stop  # place of the first source
        self.state = State.zero(count * _COUNT * ENTRY_WORDS + count)
        self._tightest = g.Tightest()
        self.more = (self._tightest.words,)
        self.out = array("i", [0] * hint_outputs.output_count(count))
        for place, fallback_W in zip(self.entries, self.fallback_W):
            self.state[place + E_STATE] = FALLBACK if fallback_W >= 0 else NONE

    output_names = staticmethod(hint_outputs.output_names)

    def alive(self, source_index: int, ticks: int = 0) -> bool:
        """True if the source's last heartbeat will still count after `ticks` more ticks."""
        return self.state[self._heartbeats_at + source_index] > self.state.since + ticks

    def heard_ms(self, source_index: int) -> int:
        """Time for which the source's last heartbeat still counts."""
        ticks = self.state[self._heartbeats_at + source_index] - self.state.since
        return max(0, ticks) * self._tick_ms

    def step(self, known: Known, findings: Found, elapsed_ticks: int) -> Sequence[Answer]:
        """Cap and obligation of the hints in force."""
        self._publish_remaining(known, findings)
        if not self.count:
            return ()
        inp, first = known.hints
        if findings.lifted != self.state.lifted:
            self.state.lifted, self.state.due = findings.lifted, 0
        self.take(inp, first, elapsed_ticks)
        return self._answers(findings.part_W)

    def _publish_remaining(self, known: Known, findings: Found) -> None:
        """Publish the energy left, Wh; -1: unknown. On the grid it is the energy above the peaks
        reserve, off the grid above the charge at which discharge is reduced. The emptiest rack and
        the health of all racks count.
        """
        soc, remaining_Wh = known.soc_permille, -1
        if soc is not None:
            peaks = self._settings["soc_reserve_peaks_permille"]
            kept = LOW_PERMILLE if findings.is_off_grid else peaks
            remaining_Wh = known.full_Wh * max(0, soc[0] - kept) // 1000
        self.out[hint_outputs.O_REMAINING_WH] = remaining_Wh

    def take(self, inp: Sequence[int], first: int, elapsed_ticks: int) -> None:
        """Reduce the validity of the entries, and take the hints from inp[first] on; the newest
        counts.
        """
        state = self.state
        state.since += elapsed_ticks
        if state.since < state.due and not inp[first]:
            return
        self._age(state.since)
        for hint in hint_codes.arrived(inp, first):
            self._take(hint)
        state.since = 0
        self._find_due()
        self._find_tightest()
        self._publish()

    def _age(self, ticks: int) -> None:
        state = self.state
        for place in range(self._heartbeats_at, self._heartbeats_at + self.count):
            state[place] = max(0, state[place] - ticks)
        for entry, place in enumerate(self.entries):
            left_ticks = state[place + E_LEFT_TICKS]
            if left_ticks:
                state[place + E_LEFT_TICKS] = max(0, left_ticks - ticks)
                if left_ticks <= ticks:
                    self._expire(entry, place)

    def _expire(self, entry: int, place: int) -> None:
        state = self.state
        state[place + E_VALUE_W] = 0
        if self.fallback_W[entry] < 0:
            state[place + E_STATE] = NONE
            return
        state[place + E_STATE], state[place + E_LAPSED] = FALLBACK, 1
        state[self._heartbeats_at + entry // _COUNT] = 0  # an earlier heartbeat does not count

    def _take(self, hint: hint_codes.HintSlot) -> None:
        """Take one hint. Ignore a value that no accepted hint can have: no input widens a limit."""
        source = hint.source - 1
        is_known = 0 <= source < self.count and hint_codes.fits(hint.kind, hint.quantity)
        if not is_known or hint.valid_ms <= 0 or hint.kind == hint_codes.NOTICE:
            return
        ticks = parameters.ticks(min(hint.valid_ms, self._valid_ms_max[source]), self._tick_ms)
        if hint.kind == hint_codes.HEARTBEAT:
            self._hear(source, ticks)
            return
        is_request = hint.quantity == hint_codes.POWER_W
        if is_request and self._ranks[source] < hint_sources.REQUEST:
            return
        low_W = -WIDE_W if is_request else 0
        entry = source * _COUNT + QUANTITIES.index(hint.quantity)
        place = self.entries[entry]
        state = self.state
        state[place + E_VALUE_W] = within(hint.value_W, low_W, WIDE_W)
        state[place + E_LEFT_TICKS] = ticks
        state[place + E_EXACT] = hint.kind == hint_codes.EXACT
        if state[self._heartbeats_at + source] or not state[place + E_LAPSED]:
            self._lift(place)

    def _hear(self, source: int, ticks: int) -> None:
        """Take a heartbeat. It lifts each fallback for which a valid hint has come already."""
        self.state[self._heartbeats_at + source] = ticks
        for place in self.entries[source * _COUNT : (source + 1) * _COUNT]:
            if self.state[place + E_LEFT_TICKS]:
                self._lift(place)

    def _lift(self, place: int) -> None:
        """Put the hint in force. A resting request keeps resting until its quota allows it."""
        if self.state[place + E_STATE] != RESTING:
            self.state[place + E_STATE] = VALID

    def _find_due(self) -> None:
        """Set the ticks until a validity ends or the next of its whole seconds has passed."""
        due, tick_ms = signals.TICKS_MAX, self._tick_ms
        for place in self.entries:
            left_ms = self.state[place + E_LEFT_TICKS] * tick_ms
            if left_ms:
                due = min(due, parameters.ticks((left_ms - 1) % 1000 + 1, tick_ms))
        self.state.due = due

    def in_force_W(self, entry: int) -> int:
        """Value of the cap of an entry, W; below 0: none is in force."""
        place, fallback_W = self.entries[entry], self.fallback_W[entry]
        state, value_W, left_ticks = self.state[place : place + E_LAPSED]
        if state == FALLBACK:
            if left_ticks:
                return min(fallback_W, value_W)
            return hint_sources.ABSENT_W if self.state.lifted >> entry & 1 else fallback_W
        return value_W if state == VALID else hint_sources.ABSENT_W

    def _find_tightest(self) -> None:
        self._tightest.begin()
        for entry, group in enumerate(self.group):
            value_W = self.in_force_W(entry) if group >= 0 else hint_sources.ABSENT_W
            if value_W >= 0:
                self._tightest.add(group, value_W, entry // _COUNT + 1)

    def let_rest(self, place: int, rests: bool) -> None:
        """Let a request in force rest or resume. place: of its entry."""
        state = RESTING if rests else VALID
        if self.state[place + E_STATE] != state:
            self.state[place + E_STATE] = state
            self._publish()

    def set_control(self, source: int) -> None:
        """Publish the source in control: index + 1, 0 for none."""
        self.out[hint_outputs.O_CONTROL_SOURCE] = source

    def _publish(self) -> None:
        """Fill the words of `out` that only an event changes."""
        out = self.out
        for group in (g.CHARGE, g.DISCHARGE, g.IMPORT, g.EXPORT):
            # _cap replaces the first two if a grid maximum is tighter
            out[_SOURCES + group] = self._tightest.source(group)
        first = len(hint_outputs.HINT_OUTPUTS)
        for entry, place in enumerate(self.entries):
            state, value_W, left_ticks = self.state[place : place + E_LAPSED]
            in_force_W = self.in_force_W(entry)
            if state == FALLBACK and left_ticks and value_W < self.fallback_W[entry]:
                state = VALID  # no heartbeat yet, but the hint's tighter value is in force
            elif state == FALLBACK and in_force_W < 0:
                state = NONE
            out[first] = value_W if self.group[entry] < 0 else max(0, in_force_W)
            left_ms = left_ticks * self._tick_ms if state != FALLBACK else 0
            out[first + hint_outputs.F_VALID_S] = -(-left_ms // 1000)
            out[first + hint_outputs.F_STATE] = state
            first += len(hint_outputs.OUTPUT_FIELDS)

    def _answers(self, part_W: int | None) -> Sequence[Answer]:
        """Cap and obligation. part_W: import of this cabinet with its battery at 0; None if
        unknown.
        """
        tightest, in_force = self._tightest, self._tightest.in_force
        answers: list[Answer] = [self._cap(part_W)] if in_force & g.CAPS else []
        if part_W is not None and in_force & g.OBLIGATIONS:
            reason, quantum_W = reasons.GRID_CAP_HINT, self._settings["setpoint_quantum_W"]
            maxima = (tightest.value_W(g.IMPORT), reason), (tightest.value_W(g.EXPORT), reason)
            answers.append(grid_obligation(GRID_CAP_HINT, part_W, *maxima, quantum_W))
        return answers

    def _cap(self, part_W: int | None) -> Cap:
        import_room_W = None if part_W is None else -part_W
        narrowed, quantum_W = self._tightest.narrowed, self._settings["setpoint_quantum_W"]
        charge_W, by_charge = narrowed(g.CHARGE, g.NARROW_IMPORT, import_room_W, quantum_W)
        discharge_W, by_discharge = narrowed(g.DISCHARGE, g.NARROW_EXPORT, part_W, quantum_W)
        self.out[hint_outputs.O_CHARGE_SOURCE] = by_charge
        self.out[hint_outputs.O_DISCHARGE_SOURCE] = by_discharge
        charge_reason = reasons.HINT_CAP if by_charge else reasons.NONE
        discharge_reason = reasons.HINT_CAP if by_discharge else reasons.NONE
        return Cap(charge_W, charge_reason, discharge_W, discharge_reason)
