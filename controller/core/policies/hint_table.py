"""The hints in force: newest value, validity and fallback of each quantity of each source.

A cap or grid cap narrows while it is valid. When it expires, the fallback of its source takes its
place; without a configured fallback the cap ends. The fallback stays until a heartbeat and a fresh
hint have come. Before that, a fresh hint may only narrow the fallback. At start every configured
fallback is in force until the first hint of its quantity, so a restart never widens a limit.

The role of a source may not allow it to oblige the battery. Then its import maximum narrows
charging and its export maximum narrows discharging, to the room that the connection has left. A
connection whose power is unknown has no room.

Validity counts in ticks. Between two events (a hint, an expiry, the end of a second of validity) a
step only counts.
"""

from array import array
from collections.abc import Sequence

from controller.core import contract, hint_codes, hint_sources, reasons
from controller.core.answers import WIDE_W, Answer, Cap, grid_obligation
from controller.core.contract import Function
from controller.core.found import Found
from controller.core.hint_sources import QUANTITIES
from controller.core.image import HINT_SLOTS, SLOT_WORDS
from controller.core.integers import within
from controller.core.known import Known
from controller.core.policies import hint_groups as g, hint_outputs
from controller.core.policies.hint_outputs import FALLBACK, NONE, RESTING, VALID
from safety import parameters, signals, tapers

GRID_CAP_HINT = (20, "grid_cap_hint")
SEE_HINTS = "See page Hints for its source and validity."
LOW_PERMILLE = tapers.SOC_TAPER_PERMILLE[1][0]  # the kernel allows full discharge down to here
_COUNT = len(QUANTITIES)
# Words of an entry (a quantity of a source). E_LAPSED: 1 once the hint has expired: then no hint
# alone lifts the fallback. E_EXACT: 1 for a request beside which load tracking pauses.
E_STATE, E_VALUE_W, E_LEFT_TICKS, E_LAPSED, E_EXACT = range(5)
ENTRY_WORDS = 5
# Words of the tightest value of a group: the value, source index + 1 (WIDE_W and 0 for none).
T_VALUE_W, T_SOURCE, TIGHTEST_WORDS = range(3)
_OUTPUT_OF = (
    (hint_outputs.O_CHARGE_SOURCE, g.CHARGE),
    (hint_outputs.O_DISCHARGE_SOURCE, g.DISCHARGE),
    (hint_outputs.O_IMPORT_SOURCE, g.IMPORT),
    (hint_outputs.O_EXPORT_SOURCE, g.EXPORT),
)


class HintTable(Function):
    """entries: places in `state` of each quantity of each source; with group and fallback_W."""

    NAME, STAGE = "hint_table", contract.BOUND
    READS = ("connection_W", "full_Wh", "hints", "is_off_grid", "lifted", "soc_permille")
    TEXTS = {
        reasons.GRID_CAP_HINT: (
            "grid limit by hint",
            "A hint, or the fallback of its source, limits the grid power of this site.",
            SEE_HINTS,
        ),
        reasons.HINT_CAP: (
            "limit by hint",
            "A hint, or the fallback of its source, limits the power of this cabinet.",
            SEE_HINTS,
        ),
    }

    def __init__(self, setup: contract.Setup) -> None:
        """ValueError if the source image is not of this version."""
        source_image = setup.source_image
        self.count = count = hint_sources.count(source_image)
        self._tick_ms, self._settings = setup.tick_ms, setup.settings
        words = [hint_sources.words(source_image, index) for index in range(count)]
        self._rank = [word[hint_sources.W_ROLE] for word in words]
        self._valid_ms_max = [word[hint_sources.W_VALID_S_MAX] * 1000 for word in words]
        self.fallback_W = [watts for word in words for watts in word[hint_sources.W_FALLBACK :]]
        self.group = [g.group_of(rank, quantity) for rank in self._rank for quantity in QUANTITIES]
        self.entries = range(0, count * _COUNT * ENTRY_WORDS, ENTRY_WORDS)
        # place of the first source: ticks for which its last heartbeat still counts
        self._heard = self.entries.stop
        self._tightest = self._heard + count
        self._in_force = self._tightest + TIGHTEST_WORDS * g.GROUPS  # bit per group: it has a value
        self._since = self._in_force + 1  # ticks since all entries were aged
        self._due = self._since + 1  # ticks after which all entries are aged next
        self._lifted = self._due + 1  # bit per entry: a schedule acts in place of its fallback
        self.state = array("q", [0] * (self._lifted + 1))
        self.out = array("i", [0] * hint_outputs.output_count(count))
        for entry, at in enumerate(self.entries):
            self.state[at + E_STATE] = FALLBACK if self.fallback_W[entry] >= 0 else NONE

    output_names = staticmethod(hint_outputs.output_names)

    def alive(self, source_index: int, ticks: int = 0) -> bool:
        """True while the source's last heartbeat still counts, also after so many more ticks."""
        return self.state[self._heard + source_index] > self.state[self._since] + ticks

    def heard_ms(self, source_index: int) -> int:
        """Time for which the source's last heartbeat still counts."""
        ticks = self.state[self._heard + source_index] - self.state[self._since]
        return max(0, ticks) * self._tick_ms

    def step(self, known: Known, found: Found, elapsed_ticks: int) -> Sequence[Answer]:
        """Cap and obligation of the hints in force."""
        self._publish_remaining(known, found)
        if not self.count:
            return ()
        inp, first = known.hints
        if found.lifted != self.state[self._lifted]:
            self.state[self._lifted], self.state[self._due] = found.lifted, 0
        self.take(inp, first, elapsed_ticks)
        return self._answers(found.connection_W)

    def _publish_remaining(self, known: Known, found: Found) -> None:
        """Publish the energy above the peaks reserve, off the grid above the end of full discharge,
        by the emptiest rack and the health of all, Wh; -1: unknown.
        """
        soc, remaining_Wh = known.soc_permille, -1
        if soc is not None:
            peaks = self._settings["soc_reserve_peaks_permille"]
            kept = LOW_PERMILLE if found.is_off_grid else peaks
            remaining_Wh = known.full_Wh * max(0, soc[0] - kept) // 1000
        self.out[hint_outputs.O_REMAINING_WH] = remaining_Wh

    def take(self, inp: Sequence[int], first: int, elapsed_ticks: int) -> None:
        """Age the entries, and take the hints in the slots from inp[first] on. The newest hint of a
        quantity counts.
        """
        state = self.state
        state[self._since] += elapsed_ticks
        if state[self._since] < state[self._due] and not inp[first]:
            return
        self._age(state[self._since])
        for at in range(first, first + HINT_SLOTS * SLOT_WORDS, SLOT_WORDS):
            if not inp[at]:
                break
            self._take(inp[at] - 1, *inp[at + 1 : at + SLOT_WORDS - 1])
        state[self._since] = 0
        self._find_due()
        self._find_tightest()
        self.publish()

    def _age(self, ticks: int) -> None:
        state = self.state
        for at in range(self._heard, self._heard + self.count):
            state[at] = max(0, state[at] - ticks)
        for entry, at in enumerate(self.entries):
            left = state[at + E_LEFT_TICKS]
            if left:
                state[at + E_LEFT_TICKS] = max(0, left - ticks)
                if left <= ticks:
                    self._expire(entry, at)

    def _expire(self, entry: int, at: int) -> None:
        state = self.state
        state[at + E_VALUE_W] = 0
        if self.fallback_W[entry] < 0:
            state[at + E_STATE] = NONE
            return
        state[at + E_STATE], state[at + E_LAPSED] = FALLBACK, 1
        state[self._heard + entry // _COUNT] = 0  # an earlier heartbeat does not count

    def _take(self, source: int, kind: int, quantity: int, value_W: int, valid_ms: int) -> None:
        """Take one hint. A value that no accepted hint can have is ignored: no input widens."""
        is_known = 0 <= source < self.count and hint_codes.fits(kind, quantity)
        if not is_known or valid_ms <= 0 or kind == hint_codes.NOTICE:
            return
        ticks = parameters.ticks(min(valid_ms, self._valid_ms_max[source]), self._tick_ms)
        if kind == hint_codes.HEARTBEAT:
            self._hear(source, ticks)
            return
        is_request = quantity == hint_codes.POWER_W
        if is_request and self._rank[source] < hint_sources.REQUEST:
            return
        low_W = -WIDE_W if is_request else 0
        entry = source * _COUNT + QUANTITIES.index(quantity)
        at = self.entries[entry]
        state = self.state
        state[at + E_VALUE_W], state[at + E_LEFT_TICKS] = within(value_W, low_W, WIDE_W), ticks
        state[at + E_EXACT] = 1 if kind == hint_codes.EXACT else 0
        if state[self._heard + source] or not state[at + E_LAPSED]:
            self._lift(at)

    def _hear(self, source: int, ticks: int) -> None:
        """Take a heartbeat. It lifts each fallback for which a valid hint has come already."""
        self.state[self._heard + source] = ticks
        for entry in range(source * _COUNT, (source + 1) * _COUNT):
            at = self.entries[entry]
            if self.state[at + E_LEFT_TICKS]:
                self._lift(at)

    def _lift(self, at: int) -> None:
        """Put the hint in force. A resting request rests on until its quota allows it."""
        if self.state[at + E_STATE] != RESTING:
            self.state[at + E_STATE] = VALID

    def _find_due(self) -> None:
        """Set the ticks until the next validity ends or is a whole second shorter."""
        due, tick_ms = signals.TICKS_MAX, self._tick_ms
        for at in self.entries:
            left_ms = self.state[at + E_LEFT_TICKS] * tick_ms
            if left_ms:
                due = min(due, parameters.ticks((left_ms - 1) % 1000 + 1, tick_ms))
        self.state[self._due] = due

    def in_force_W(self, entry: int) -> int:
        """Value of the cap of an entry, W; below 0: none is in force."""
        at = self.entries[entry]
        state = self.state
        if state[at + E_STATE] == FALLBACK:
            fallback_W = self.fallback_W[entry]
            left = state[at + E_LEFT_TICKS]
            if not left and state[self._lifted] >> entry & 1:
                return hint_sources.ABSENT_W
            return min(fallback_W, state[at + E_VALUE_W]) if left else fallback_W
        return state[at + E_VALUE_W] if state[at + E_STATE] == VALID else hint_sources.ABSENT_W

    def _find_tightest(self) -> None:
        for group in range(g.GROUPS):
            self._set_tightest(group, WIDE_W, 0)
        for entry, group in enumerate(self.group):
            value_W = self.in_force_W(entry) if group >= 0 else hint_sources.ABSENT_W
            tightest_W, source = self._tightest_of(group) if group >= 0 else (WIDE_W, 0)
            if value_W >= 0 and (value_W < tightest_W or not source):
                self._set_tightest(group, value_W, entry // _COUNT + 1)
        groups = [group for group in range(g.GROUPS) if self._tightest_of(group)[T_SOURCE]]
        self.state[self._in_force] = sum([1 << group for group in groups])

    def _tightest_of(self, group: int) -> tuple[int, int]:
        """(tightest value of a group in W, source index + 1)."""
        at = self._tightest + TIGHTEST_WORDS * group
        return self.state[at + T_VALUE_W], self.state[at + T_SOURCE]

    def _set_tightest(self, group: int, value_W: int, source: int) -> None:
        at = self._tightest + TIGHTEST_WORDS * group
        self.state[at + T_VALUE_W], self.state[at + T_SOURCE] = value_W, source

    def publish(self) -> None:
        """Fill the words of `out` that only an event changes."""
        out, state = self.out, self.state
        for place, group in _OUTPUT_OF:
            # _cap replaces the first two where a grid maximum is tighter
            out[place] = self._tightest_of(group)[T_SOURCE]
        at = len(hint_outputs.HINT_OUTPUTS)
        for entry, words in enumerate(self.entries):
            request = self.group[entry] < 0
            value_W = state[words + E_VALUE_W] if request else max(0, self.in_force_W(entry))
            known = state[words + E_STATE]
            is_tighter = state[words + E_VALUE_W] < self.fallback_W[entry]
            if known == FALLBACK and state[words + E_LEFT_TICKS] and is_tighter:
                known = VALID  # no heartbeat yet, but the value is of the hint and ends with it
            elif known == FALLBACK and self.in_force_W(entry) < 0:
                known = NONE
            out[at], out[at + hint_outputs.F_STATE] = value_W, known
            left_ms = state[words + E_LEFT_TICKS] * self._tick_ms if known != FALLBACK else 0
            out[at + hint_outputs.F_VALID_S] = -(-left_ms // 1000)
            at += len(hint_outputs.OUTPUT_FIELDS)

    def _answers(self, connection_W: int | None) -> Sequence[Answer]:
        """connection_W: import of the site with the battery at 0, W; None if unknown."""
        in_force = self.state[self._in_force]
        answers: list[Answer] = [self._cap(connection_W)] if in_force & g.CAPS else []
        if connection_W is not None and in_force & g.OBLIGATIONS:
            answers.append(
                grid_obligation(
                    GRID_CAP_HINT,
                    connection_W,
                    (self._tightest_of(g.IMPORT)[T_VALUE_W], reasons.GRID_CAP_HINT),
                    (self._tightest_of(g.EXPORT)[T_VALUE_W], reasons.GRID_CAP_HINT),
                    self._settings["setpoint_quantum_W"],
                )
            )
        return answers

    def _cap(self, connection_W: int | None) -> Cap:
        import_room_W = None if connection_W is None else -connection_W
        charge_W, charge_source = self._narrowed(g.CHARGE, g.NARROW_IMPORT, import_room_W)
        discharge_W, discharge_source = self._narrowed(g.DISCHARGE, g.NARROW_EXPORT, connection_W)
        self.out[hint_outputs.O_CHARGE_SOURCE] = charge_source
        self.out[hint_outputs.O_DISCHARGE_SOURCE] = discharge_source
        return Cap(
            charge_W,
            reasons.HINT_CAP if charge_source else reasons.NONE,
            discharge_W,
            reasons.HINT_CAP if discharge_source else reasons.NONE,
        )

    def _narrowed(self, direct: int, by_grid: int, room_W: int | None) -> tuple[int, int]:
        """(W, source + 1) of one direction: the tightest cap, or the power that a grid maximum and
        room_W leave, if it is less (below 0: 0; room unknown: 0). direct, by_grid: groups.
        """
        value_W, source = self._tightest_of(direct)
        grid_W, grid_source = self._tightest_of(by_grid)
        if not grid_source:
            return value_W, source
        left_W, quantum_W = 0, self._settings["setpoint_quantum_W"]
        if room_W is not None:
            left_W = (grid_W + room_W) // quantum_W * quantum_W
        if left_W < value_W or not source:
            return min(left_W, WIDE_W), grid_source
        return value_W, source
