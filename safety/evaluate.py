"""Evaluates all stages: threshold, debounce, hysteresis, gate, latch, first-out.

A stage is one threshold of a row of the cause-and-effect matrix (matrix.py). Each stage has a set
count (towards a trip) and a clear count (towards clearing):

- The feature or gate is not known: the stage neither trips nor clears. The set count keeps its
  value, so a flickering sensor still trips. The clear count restarts.
- The feature is known in part (one of two detectors is silent): it may trip, but clears nothing.
- The feature is doubted: it clears nothing, and below the threshold the set count restarts.
- The gate is closed: the set count keeps its value until the feature is clear. Otherwise a swinging
  current, which closes the gate of row 20 again and again, would prevent a trip.
- The feature is clear: a stage of the cabinet keeps its set count until the feature was clear for
  HOLD_MS, so a chattering contact trips.

Set counts advance by the elapsed ticks, so a late step delays no trip. Clear counts advance by one
per step.
"""

from array import array

from safety import crc, matrix as m, parameters as p, signals as s
from safety.features import Features

STAGE_COUNT, STAGE_WORDS = len(m.STAGES), len(p.STAGE_WORDS)
TRIPS_END = 1 << 29  # the count of trips wraps here; no cabinet lives long enough to reach it
# places in `watch` and in `debounce`
W_FEATURE, W_SENSE, W_SET_AT, W_INSTANCE = range(4)
D_GATE, D_CLEAR_AT, D_SET_TICKS, D_CLEAR_TICKS, D_HOLD_TICKS = range(5)
# words of a stage in the image (parameters.STAGE_WORDS)
SET, CLEAR, SET_TICKS, CLEAR_TICKS = range(4)
# Chosen by the project: a loose wire opens at least once in this time. Racks and units forget their
# set count at once, because their values swing with the load.
HOLD_MS = 10_000


def _instances(layout: s.Layout) -> list[tuple[int, int]]:
    """(stage, block) of every stage instance, in the order of the armed words of the image."""
    instances = []
    block = 0
    for scope, blocks in ((s.CABINET, 1), (s.UNIT, layout.units), (s.RACK, layout.racks)):
        for _ in range(blocks):
            for stage in range(STAGE_COUNT):
                if m.STAGES[stage][m.S_SCOPE] == scope:
                    instances.append((stage, block))
            block += 1
    return instances


class Evaluator:
    """Counters and latches of every stage instance.

    Blocks: the cabinet, then each unit, then each rack. `value` and `known` are the arrays of
    `features`. Keeping them here saves 9 % of the time of a step of channel B.
    """

    def __init__(self, features: Features) -> None:
        self.features, self.value, self.known = features, features.value, features.known
        layout = features.layout
        instances = _instances(layout)
        count = self.count = len(instances)
        self.stage = tuple([stage for stage, _ in instances])
        self.block = tuple([block for _, block in instances])
        self.block_first = tuple(
            [self.block.index(block) for block in range(self.block[-1] + 1)] + [count]
        )
        self.set_count = array("i", [0] * count)
        self.clear_count = array("i", [0] * count)
        self.active = bytearray(count)
        self.latched = bytearray(count)
        self.busy = bytearray(1 + layout.units + layout.racks)
        self.first_out = array("i", [-1])
        self.order = array("i", [0] * count)  # number of each activation, rising with time
        self.last = array("i", [0])  # the last number in `order`
        # trips of stages that latch, modulo TRIPS_END: part of the cause mask
        self.trips = array("i", [0])
        # 1 after `active` or `latched` has changed: the causes must be published again
        self.moved = bytearray(1)
        self.build(features.image, features.map)

    def build(self, image: "array[int]", image_map: p.ImageMap) -> None:
        """Copy the constants of all instances from the image.

        Per instance: `watch` (W_...) and `debounce` (D_...). Per block: `armed` (the watch of each
        armed instance) and `armed_at` (the armed instances). No other instance is evaluated.
        """
        self.image, self.map = image, image_map
        watch, debounce = [], []
        for index in range(self.count):
            sense = m.STAGES[self.stage[index]][m.S_SENSE]
            start = image_map.stage + self.stage[index] * STAGE_WORDS
            watch.append((self.feature_of(index), sense, image[start + SET] * sense, index))
            times = (image[start + SET_TICKS], image[start + CLEAR_TICKS], self.hold_of(index))
            debounce.append((self.gate_of(index), image[start + CLEAR] * sense) + times)
        self.watch, self.debounce = tuple(watch), tuple(debounce)
        self.armed = tuple([self._armed(block) for block in range(len(self.busy))])
        self.armed_at = tuple(
            [tuple([watched[W_INSTANCE] for watched in armed]) for armed in self.armed]
        )
        self.place = tuple(
            [
                self.armed_at[self.block[index]].index(index)
                if image[image_map.armed + index]
                else -1
                for index in range(self.count)
            ]
        )

    def feature_of(self, index: int) -> int:
        """Place of the feature of an instance. Not armed: the feature that is never known."""
        if not self.image[self.map.armed + index]:
            return self.features.never
        return self.features.base[self.block[index]] + m.STAGES[self.stage[index]][m.S_FEATURE]

    def gate_of(self, index: int) -> int:
        """Place of the gate of an instance, or NO_GATE."""
        gate: int = m.STAGES[self.stage[index]][m.S_GATE]
        return gate if gate == m.NO_GATE else self.features.base[self.block[index]] + gate

    def hold_of(self, index: int) -> int:
        """Ticks for which an instance must be clear before its set count is reset."""
        return p.ticks(HOLD_MS, self.image[p.H_TICK_MS]) if self.block[index] == 0 else 0

    def _armed(self, block: int) -> tuple[tuple[int, int, int, int], ...]:
        first, after = self.block_first[block], self.block_first[block + 1]
        return tuple(
            [watch for watch in self.watch[first:after] if watch[W_FEATURE] != self.features.never]
        )

    def update(self, elapsed: int) -> None:
        """Evaluate every block whose features changed or whose counters run."""
        changed, busy = self.features.changed, self.busy
        for block in range(len(busy)):
            if busy[block] or (changed[block] and self._any_hit(block)):
                busy[block] = self._block(block, elapsed)

    def _any_hit(self, block: int) -> bool:
        """True if a feature of an idle block is beyond its threshold."""
        value, known = self.value, self.known
        for feature, sense, set_at, _ in self.armed[block]:
            if known[feature] and value[feature] * sense >= set_at:
                return True
        return False

    def _block(self, block: int, elapsed: int) -> int:
        """Evaluate one block; returns 1 while a counter runs, a stage is active or latched."""
        value, known = self.value, self.known
        set_count, active, latched = self.set_count, self.active, self.latched
        busy = 0
        for feature, sense, set_at, index in self.armed[block]:
            is_known = known[feature]
            if is_known and value[feature] * sense >= set_at:
                self._beyond(index, elapsed)
            elif not (latched[index] or active[index] or set_count[index]):
                # Most instances return here, so that a step with an active row is fast enough.
                continue
            elif is_known == m.KNOWN:
                self._miss(index, value[feature] * sense)
            else:
                self.clear_count[index] = 0
                if is_known == m.DOUBTED:
                    set_count[index] = 0
            if latched[index] or active[index] or set_count[index]:
                busy = 1
        return busy

    def _beyond(self, index: int, elapsed: int) -> None:
        """Count at or beyond the threshold while the gate is known and open.

        The clear count restarts with any gate, so no reset clears a cause that is present.
        """
        self.clear_count[index] = 0
        debounce = self.debounce[index]
        gate = debounce[D_GATE]
        if gate != m.NO_GATE and not self.gate_ok(gate):
            return
        count = min(self.set_count[index] + elapsed, s.TICKS_MAX)
        self.set_count[index] = count
        if count >= debounce[D_SET_TICKS] and not self.active[index]:
            self._activate(index)

    def gate_ok(self, gate: int) -> int:
        """True while a gate is known and open."""
        return self.known[gate] and self.value[gate]

    def _activate(self, index: int) -> None:
        self.number(index)
        self.active[index] = self.moved[0] = 1
        if m.STAGES[self.stage[index]][m.S_LATCH] != m.SELF:
            self.latched[index] = 1
            self.trips[0] = (self.trips[0] + 1) % TRIPS_END
        self.note_first(index)

    def number(self, index: int) -> None:
        """Give an instance the next number in `order`, unless it is latched and has one."""
        if not self.latched[index]:
            self.last[0] = min(self.last[0] + 1, s.TICKS_MAX)
            self.order[index] = self.last[0]

    def note_first(self, index: int) -> None:
        """Make an instance the first-out if it came before the present one.

        A latched instance comes before one that is only active.
        """
        first, order = self.first_out[0], self.order
        if first >= 0:
            leads = self.latched[index] - self.latched[first]
            if leads < 0 or leads == 0 and order[index] >= order[first]:
                return
        self.first_out[0] = index

    def _miss(self, index: int, level: int) -> None:
        """Count below the threshold. After its clear time a stage is not active any more."""
        debounce, clear = self.debounce[index], 0
        if level <= debounce[D_CLEAR_AT]:
            clear = min(self.clear_count[index] + 1, s.TICKS_MAX)
            if self.active[index] and clear >= debounce[D_CLEAR_TICKS]:
                self.active[index] = self.set_count[index] = 0
                self.moved[0] = 1
        self.clear_count[index] = clear
        if clear >= debounce[D_HOLD_TICKS]:
            self.set_count[index] = 0

    def standing(self, index: int) -> int:
        """True while the instance demands something: active now, or latched."""
        return self.active[index] or self.latched[index]

    def cause_mask(self) -> int:
        """CRC-30 over the indices of all active or latched instances; 0: none.

        It identifies the causes that an operator saw. It begins with the number of trips, so a trip
        under an existing latch changes the mask.
        """
        value, active, latched = 0, self.active, self.latched
        add_number = crc.add_number
        for block in range(len(self.busy)):
            if self.busy[block]:
                for index in self.armed_at[block]:
                    if active[index] or latched[index]:
                        value = add_number(value if value else crc.START - self.trips[0], index)
        return value

    def refresh_first_out(self) -> None:
        """Replace a first-out that is neither active nor latched by the next one, or by -1."""
        first = self.first_out
        if first[0] >= 0 and self.standing(first[0]):
            return
        first[0] = -1
        for index in range(self.count):
            if self.standing(index):
                self.note_first(index)
