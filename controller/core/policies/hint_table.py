"""The hints in force: newest value, validity and fallback of each quantity of each source.

A cap or grid cap narrows while it is valid. When it expires, the fallback of its source takes its
place, or the cap no longer acts where no fallback is configured. The fallback stays until a
heartbeat and a fresh hint have come. Before that, a fresh hint may only narrow the fallback. At
start every configured fallback is in force until the first hint of its quantity, so that a restart
never widens. A source whose role may not oblige the battery narrows charging by its import maximum
and discharging by its export maximum, to the room that the connection has left. A connection whose
power is unknown has no room.

Validity counts in ticks. Between two events (a hint, an expiry, a second of validity gone) a step
only counts.
"""

from array import array

from controller.core import contract, hint_codes, hint_sources, reasons
from controller.core.answers import WIDE_W, Cap, grid_obligation
from controller.core.contract import Function
from controller.core.hint_sources import QUANTITIES
from controller.core.image import HINT_SLOTS, SLOT_WORDS
from controller.core.integers import within
from controller.core.policies import hint_outputs
from controller.core.policies.hint_outputs import (
    FALLBACK,
    NONE,
    O_CHARGE_SOURCE,
    O_DISCHARGE_SOURCE,
    O_REMAINING_WH,
    RESTING,
    VALID,
)
from safety import parameters, signals

GRID_CAP_HINT = (20, "grid_cap_hint")
SEE_HINTS = "See page Hints for its source and validity."
_COUNT = len(QUANTITIES)
# Words of an entry (a quantity of a source); E_LAPSED: 1 once it has expired: a hint alone lifts
# its fallback no more.
E_STATE, E_VALUE_W, E_LEFT_TICKS, E_LAPSED = range(4)
ENTRY_WORDS = 4
# Tightest values, each (W, source index + 1; WIDE_W and 0 for none): of sources that may oblige
# the battery, then of others.
CHARGE, DISCHARGE, IMPORT, EXPORT, NARROW_IMPORT, NARROW_EXPORT = range(6)
GROUPS = 6
_GROUP = {
    hint_codes.CHARGE_W_MAX: CHARGE,
    hint_codes.DISCHARGE_W_MAX: DISCHARGE,
    hint_codes.IMPORT_W_MAX: IMPORT,
    hint_codes.EXPORT_W_MAX: EXPORT,
}
_NARROW = {IMPORT: NARROW_IMPORT, EXPORT: NARROW_EXPORT}
_CAPS = 1 << CHARGE | 1 << DISCHARGE | 1 << NARROW_IMPORT | 1 << NARROW_EXPORT
_OBLIGATIONS = 1 << IMPORT | 1 << EXPORT
_OUTPUT_OF = (
    (O_CHARGE_SOURCE, CHARGE),
    (O_DISCHARGE_SOURCE, DISCHARGE),
    (hint_outputs.O_IMPORT_SOURCE, IMPORT),
    (hint_outputs.O_EXPORT_SOURCE, EXPORT),
)


def _group_of(rank, quantity):
    """Which group of the tightest a source's quantity belongs to; -1 for a request."""
    group = _GROUP.get(quantity, -1)
    return group if rank >= hint_sources.GRID_CAP else _NARROW.get(group, group)


class HintTable(Function):
    """`state`: array of 64-bit words; `entries`: place in it of each quantity of each source."""

    NAME, STAGE = "hint_table", contract.BOUND
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

    def __init__(self, setup):
        """ValueError when the source image is not of this version."""
        source_image = setup.source_image
        self.count = count = hint_sources.count(source_image)
        self._tick_ms, self._settings = setup.tick_ms, setup.settings
        words = [hint_sources.words(source_image, index) for index in range(count)]
        self._rank = [word[hint_sources.W_ROLE] for word in words]
        self._valid_ms_max = [word[hint_sources.W_VALID_S_MAX] * 1000 for word in words]
        self._fallback_W = [watts for word in words for watts in word[hint_sources.W_FALLBACK :]]
        self._group = [_group_of(rank, quantity) for rank in self._rank for quantity in QUANTITIES]
        self.entries = range(0, count * _COUNT * ENTRY_WORDS, ENTRY_WORDS)
        # per source: ticks for which its last heartbeat still counts
        self._heard = self.entries.stop
        self._tightest = self._heard + count
        self._standing = self._tightest + 2 * GROUPS  # bit per group: a value of it is in force
        self._since = self._standing + 1  # ticks since everything was aged
        self._due = self._since + 1  # ticks after which everything is aged next
        self.state = array("q", [0] * (self._due + 1))
        self.out = array("i", [0] * hint_outputs.output_count(count))
        for entry, at in enumerate(self.entries):
            self.state[at + E_STATE] = FALLBACK if self._fallback_W[entry] >= 0 else NONE

    output_names = staticmethod(hint_outputs.output_names)

    def alive(self, source_index: int) -> bool:
        """True while the source's last heartbeat still counts."""
        return self.state[self._heard + source_index] > self.state[self._since]

    def step(self, view, elapsed_ticks: int):
        """Cap and obligation of the hints in force."""
        self._publish_remaining(view.soc_permille)
        if not self.count:
            return ()
        self.take(*view.hints, elapsed_ticks)
        return self._answers(view.connection_W)

    def _publish_remaining(self, soc_permille):
        """Energy above the soft reserve, of the rack that has least; -1 while it is unknown."""
        settings, remaining_Wh = self._settings, -1
        if soc_permille is not None:
            above = max(0, soc_permille[0] - settings["soc_reserve_soft_permille"])
            remaining_Wh = settings["energy_Wh"] * above // 1000
        self.out[O_REMAINING_WH] = remaining_Wh

    def take(self, inp, first: int, elapsed_ticks: int) -> None:
        """Age what is known, take the hints in the slots from inp[first] on; the newest of a
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
            self._take(inp[at] - 1, *inp[at + 1 : at + SLOT_WORDS])
        state[self._since] = 0
        self._find_due()
        self._find_tightest()
        self.publish()

    def _age(self, ticks):
        state = self.state
        for at in range(self._heard, self._heard + self.count):
            state[at] = max(0, state[at] - ticks)
        for entry, at in enumerate(self.entries):
            left = state[at + E_LEFT_TICKS]
            if left:
                state[at + E_LEFT_TICKS] = max(0, left - ticks)
                if left <= ticks:
                    self._expire(entry, at)

    def _expire(self, entry, at):
        state = self.state
        state[at + E_VALUE_W] = 0
        if self._fallback_W[entry] < 0:
            state[at + E_STATE] = NONE
            return
        state[at + E_STATE], state[at + E_LAPSED] = FALLBACK, 1
        state[self._heard + entry // _COUNT] = 0  # a heartbeat of before does not count

    def _take(self, source, kind, quantity, value_W, valid_ms):
        """Take one hint. A value that no accepted hint has is ignored: no input widens."""
        is_known = 0 <= source < self.count and hint_codes.KIND_OF.get(quantity) == kind
        if not is_known or valid_ms <= 0:
            return
        ticks = parameters.ticks(min(valid_ms, self._valid_ms_max[source]), self._tick_ms)
        if kind == hint_codes.HEARTBEAT:
            self._hear(source, ticks)
            return
        if kind == hint_codes.REQUEST and self._rank[source] < hint_sources.REQUEST:
            return
        low_W = -WIDE_W if kind == hint_codes.REQUEST else 0
        entry = source * _COUNT + QUANTITIES.index(quantity)
        at = self.entries[entry]
        state = self.state
        state[at + E_VALUE_W], state[at + E_LEFT_TICKS] = within(value_W, low_W, WIDE_W), ticks
        if state[self._heard + source] or not state[at + E_LAPSED]:
            self._lift(at)

    def _hear(self, source, ticks):
        """A heartbeat: with a hint that is valid, a fallback that waited for it is lifted."""
        self.state[self._heard + source] = ticks
        for entry in range(source * _COUNT, (source + 1) * _COUNT):
            at = self.entries[entry]
            if self.state[at + E_LEFT_TICKS]:
                self._lift(at)

    def _lift(self, at):
        """The hint is in force; a request that rests goes on resting until its quota allows it."""
        if self.state[at + E_STATE] != RESTING:
            self.state[at + E_STATE] = VALID

    def _find_due(self):
        """When the validity of something is a whole second shorter, or over, whichever comes
        first.
        """
        due, tick_ms = signals.TICKS_MAX, self._tick_ms
        for at in self.entries:
            left_ms = self.state[at + E_LEFT_TICKS] * tick_ms
            if left_ms:
                due = min(due, parameters.ticks((left_ms - 1) % 1000 + 1, tick_ms))
        self.state[self._due] = due

    def in_force_W(self, entry: int) -> int:
        """Value of a cap that is in force, W; below 0: none is."""
        at = self.entries[entry]
        state = self.state
        if state[at + E_STATE] == FALLBACK:
            fallback_W = self._fallback_W[entry]
            left = state[at + E_LEFT_TICKS]
            return min(fallback_W, state[at + E_VALUE_W]) if left else fallback_W
        return state[at + E_VALUE_W] if state[at + E_STATE] == VALID else hint_sources.ABSENT_W

    def _find_tightest(self):
        state, first = self.state, self._tightest
        for group in range(GROUPS):
            state[first + 2 * group], state[first + 2 * group + 1] = WIDE_W, 0
        for entry, group in enumerate(self._group):
            value_W = self.in_force_W(entry) if group >= 0 else hint_sources.ABSENT_W
            at = first + 2 * group
            if value_W >= 0 and (value_W < state[at] or not state[at + 1]):
                state[at], state[at + 1] = value_W, entry // _COUNT + 1
        state[self._standing] = sum(
            [1 << group for group in range(GROUPS) if state[first + 2 * group + 1]]
        )

    def publish(self) -> None:
        """Fill the part of `out` that only an event changes."""
        out, state = self.out, self.state
        for place, group in _OUTPUT_OF:
            # of the first two a grid maximum may take the place
            out[place] = state[self._tightest + 2 * group + 1]
        at = len(hint_outputs.HINT_OUTPUTS)
        for entry, words in enumerate(self.entries):
            request = self._group[entry] < 0
            value_W = state[words + E_VALUE_W] if request else max(0, self.in_force_W(entry))
            known = state[words + E_STATE]
            if (
                known == FALLBACK
                and state[words + E_LEFT_TICKS]
                and state[words + E_VALUE_W] < self._fallback_W[entry]
            ):
                known = VALID  # no heartbeat yet, but this much is the hint's, and ends with it
            out[at], out[at + hint_outputs.F_STATE] = value_W, known
            left_ms = state[words + E_LEFT_TICKS] * self._tick_ms if known != FALLBACK else 0
            out[at + hint_outputs.F_VALID_S] = -(-left_ms // 1000)
            at += len(hint_outputs.OUTPUT_FIELDS)

    def _answers(self, connection_W):
        """connection_W: what the grid imports with the battery at 0, W, None if unknown."""
        state, at, found = self.state, self._tightest, []
        if state[self._standing] & _CAPS:
            found.append(self._cap(connection_W))
        if connection_W is not None and state[self._standing] & _OBLIGATIONS:
            found.append(
                grid_obligation(
                    GRID_CAP_HINT,
                    connection_W,
                    (state[at + 2 * IMPORT], reasons.GRID_CAP_HINT),
                    (state[at + 2 * EXPORT], reasons.GRID_CAP_HINT),
                    self._settings["setpoint_quantum_W"],
                )
            )
        return found

    def _cap(self, connection_W):
        known = connection_W is not None
        charge_W, charge_source = self._narrowed(
            CHARGE, NARROW_IMPORT, -connection_W if known else None
        )
        discharge_W, discharge_source = self._narrowed(DISCHARGE, NARROW_EXPORT, connection_W)
        self.out[O_CHARGE_SOURCE], self.out[O_DISCHARGE_SOURCE] = charge_source, discharge_source
        return Cap(
            charge_W,
            reasons.HINT_CAP if charge_source else reasons.NONE,
            discharge_W,
            reasons.HINT_CAP if discharge_source else reasons.NONE,
        )

    def _narrowed(self, direct, by_grid, room_W):
        """(W, source + 1) of one way: the tightest cap, or what a grid maximum and room_W leave of
        it (< 0: 0; room unknown: 0).
        """
        state, first = self.state, self._tightest
        value_W, source = state[first + 2 * direct], state[first + 2 * direct + 1]
        if not state[first + 2 * by_grid + 1]:
            return value_W, source
        left_W, quantum_W = 0, self._settings["setpoint_quantum_W"]
        if room_W is not None:
            left_W = (state[first + 2 * by_grid] + room_W) // quantum_W * quantum_W
        if left_W < value_W or not source:
            return min(left_W, WIDE_W), state[first + 2 * by_grid + 1]
        return value_W, source
