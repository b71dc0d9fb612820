"""One evaluator for all stages: threshold, debounce, hysteresis, gate, latch, first-out. Nothing in
it knows a row.

An unknown feature (or gate) neither trips nor clears: what counts towards a trip stands still, so
that a flickering sensor still trips; what counts towards clearing begins anew. A feature known only
in part (one of two detectors is silent) may trip, but clears nothing. Nor does one that is doubted,
but what it counts towards a trip begins anew. What a stage of the cabinet has counted is forgotten
only once it has been clear for HOLD_MS, so that a contact that chatters trips, too. Behind a closed
gate the count stops, too, until the feature itself is clear: a current that swings opens and closes
the gate of row 20 faster than its 2 s. Set counters advance by the elapsed ticks (a late step trips
no later), clear counters by one per step.
"""

from array import array

from safety import crc, matrix as m, parameters as p, signals as s

STAGE_COUNT, STAGE_WORDS = len(m.STAGES), len(p.STAGE_WORDS)
TRIPS_END = 1 << 29  # counted from 0 again: more than a cabinet has in its life
D_GATE, D_CLEAR_AT, D_SET_TICKS, D_CLEAR_TICKS, D_HOLD_TICKS = range(5)
# Chosen by the project: a wire that is loose opens more often. Cells, racks and converters swing
# with their load, so what they count is forgotten at once.
HOLD_MS = 10_000


def _instances(layout):
    """(stage index, scope block) of every stage instance, in the order of the image's armed
    words.
    """
    found = []
    block = 0
    for scope, blocks in ((s.CABINET, 1), (s.UNIT, layout.units), (s.RACK, layout.racks)):
        for _ in range(blocks):
            for stage in range(STAGE_COUNT):
                if m.STAGES[stage][m.S_SCOPE] == scope:
                    found.append((stage, block))
            block += 1
    return found


class Evaluator:
    """Counters and latches of every stage instance. Blocks: the cabinet, then each unit, then each
    rack.

    `value` and `known` are those of `features` by a shorter way, without which channel B's step
    takes 9 % longer.
    """

    def __init__(self, layout, image, image_map, features):
        self.features, self.value, self.known = features, features.value, features.known
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
        self.order = array("i", [0] * count)  # when each became active, by number
        self.last = array("i", [0])  # the number given last
        # of stages that latch, modulo TRIPS_END: part of what an operator saw
        self.trips = array("i", [0])
        # 1 once `active` or `latched` changed: what is published of them has to be again
        self.moved = bytearray(1)
        self.build(image, image_map)

    def build(self, image, image_map) -> None:
        """Take from the image what stays as it is: per instance `watch` (feature, sense, set, the
        instance) and `debounce` (D_...), per block `armed`, the watch of its armed instances, and
        `armed_at`, these alone: no other is looked at.
        """
        self.image, self.map = image, image_map
        watch, debounce = [], []
        for index in range(self.count):
            sense = m.STAGES[self.stage[index]][m.S_SENSE]
            words = image_map.stage + self.stage[index] * STAGE_WORDS
            watch.append((self.feature_of(index), sense, image[words] * sense, index))
            times = (image[words + 2], image[words + 3], self.hold_of(index))
            debounce.append((self.gate_of(index), image[words + 1] * sense) + times)
        self.watch, self.debounce = tuple(watch), tuple(debounce)
        self.armed = tuple([self._armed(block) for block in range(len(self.busy))])
        self.armed_at = tuple([tuple([one[3] for one in armed]) for armed in self.armed])
        self.place = tuple(
            [
                self.armed_at[self.block[index]].index(index)
                if image[image_map.armed + index]
                else -1
                for index in range(self.count)
            ]
        )

    def feature_of(self, index: int) -> int:
        """Place of the feature that an instance looks at: one never known if it is not armed."""
        if not self.image[self.map.armed + index]:
            return self.features.never
        return self.features.base[self.block[index]] + m.STAGES[self.stage[index]][m.S_FEATURE]

    def gate_of(self, index: int) -> int:
        """Place of the feature without which an instance does not count, or NO_GATE."""
        gate = m.STAGES[self.stage[index]][m.S_GATE]
        return gate if gate == m.NO_GATE else self.features.base[self.block[index]] + gate

    def hold_of(self, index: int) -> int:
        """Ticks that an instance has to be clear before it forgets what it counted."""
        return p.ticks(HOLD_MS, self.image[p.H_TICK_MS]) if self.block[index] == 0 else 0

    def _armed(self, block):
        first, after = self.block_first[block], self.block_first[block + 1]
        return tuple([one for one in self.watch[first:after] if one[0] != self.features.never])

    def update(self, elapsed: int) -> None:
        """Evaluate every block whose features changed or whose counters run."""
        changed, busy = self.features.changed, self.busy
        for block in range(len(busy)):
            if busy[block] or (changed[block] and self._any_hit(block)):
                busy[block] = self._block(block, elapsed)

    def _any_hit(self, block):
        """True if any feature of a quiet block is at or beyond its threshold: the whole work of an
        uneventful step.
        """
        value, known = self.value, self.known
        for feature, sense, set_at, _ in self.armed[block]:
            if known[feature] and value[feature] * sense >= set_at:
                return True
        return False

    def _block(self, block, elapsed):
        """Evaluate one block; returns 1 while a counter runs, a stage is active or latched."""
        value, known = self.value, self.known
        set_count, active, latched = self.set_count, self.active, self.latched
        busy = 0
        for feature, sense, set_at, index in self.armed[block]:
            is_known = known[feature]
            if is_known and value[feature] * sense >= set_at:
                self._beyond(index, elapsed)
            elif not (latched[index] or active[index] or set_count[index]):
                # as nearly all do: the step of a standing row has to fit a microcontroller, too
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

    def _beyond(self, index, elapsed):
        """At or beyond the threshold: it counts while the gate is known and open.

        Whatever the gate says, it is not clear: a reset would be of an active cause.
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

    def _activate(self, index):
        self.number(index)
        self.active[index] = self.moved[0] = 1
        if m.STAGES[self.stage[index]][m.S_LATCH] != m.SELF:
            self.latched[index] = 1
            self.trips[0] = (self.trips[0] + 1) % TRIPS_END
        self.note_first(index)

    def number(self, index: int) -> None:
        """Remember what comes now as the last that came; what trips again under its latch has come
        before.
        """
        if not self.latched[index]:
            self.last[0] = min(self.last[0] + 1, s.TICKS_MAX)
            self.order[index] = self.last[0]

    def note_first(self, index: int) -> None:
        """The first-out is the first stage that latched; as long as none has, the first that is
        active.
        """
        first, order = self.first_out[0], self.order
        if first >= 0:
            leads = self.latched[index] - self.latched[first]
            if leads < 0 or leads == 0 and order[index] >= order[first]:
                return
        self.first_out[0] = index

    def _miss(self, index, level):
        """Below the threshold: it counts while clear, and forgets what it has counted before."""
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
        """CRC-30 over the indices of all standing instances, begun with the number of trips: what
        an operator saw, in one number (0: none). What trips again under its latch is another event.
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
        """Forget a first-out that is neither active nor latched; name the next, a latched one
        before others, or -1.
        """
        first = self.first_out
        if first[0] >= 0 and self.standing(first[0]):
            return
        first[0] = -1
        for index in range(self.count):
            if self.standing(index):
                self.note_first(index)
