"""The start checklist: what must be known, complete and plausible before anything is closed, in the
order it is named.

Every item is positive evidence: a signal that was seen, is fresh and says so. Nothing here
energises anything.
"""

from safety import matrix as m, parameters as p, signals as s
from safety.evaluate import D_GATE

INHIBIT_REASONS = (
    "none",
    "interlock",
    "io_1",
    "io_2",
    "meter",
    "gas detectors",
    "pcs",
    "bms",
    "cells missing",
    "contactor not open",
    "permit relay not dropped",
    "current not zero",
    "locked out",
    "rack voltages differ",
    "closing failed, waiting",
    "io_3",
    "climate monitor",
    "ups monitor",
    "second channel",
    "cause of a row",
)
(
    I_NONE,
    I_INTERLOCK,
    I_IO_1,
    I_IO_2,
    I_METER,
    I_GAS,
    I_PCS,
    I_BMS,
    I_CELLS,
    I_CONTACTOR,
    I_PERMIT,
    I_CURRENT,
    I_LOCKED,
    I_VOLTAGES,
    I_WAIT,
    I_IO_3,
    I_CLIMATE,
    I_UPS,
    I_PEER,
    I_CAUSE,
) = range(20)
# Of each of CABINET_GROUPS but the controller's own, which nobody waits for: what is missing with
# it.
GROUP_REASONS = (
    I_IO_1,
    I_IO_2,
    I_IO_3,
    I_METER,
    I_METER,
    I_GAS,
    I_GAS,
    I_GAS,
    I_GAS,
    I_GAS,
    I_CLIMATE,
    I_UPS,
)
# contactors, current, permit relays, voltages, waiting time: asked only while nothing is closed
REST_ITEMS = 5

VOLTAGE_MV_MIN = 1000  # as the insulation of a rack needs it (racks.py)


class Evidence:
    """The checklist of one cabinet. `done` and `total`: how many of its items are there, for the
    screen.
    """

    def __init__(self, layout, image, image_map, inp, evaluator, contactors):
        self.layout, self.image, self.map, self.inp = layout, image, image_map, inp
        self.features, self.evaluator, self.contactors = evaluator.features, evaluator, contactors
        self.ages, self.of_unit = self.features.ages, self.features.units.of_unit
        self.spread_mV_max = image[image_map.cabinet + p.P_RACK_VOLTAGE_SPREAD_MV_MAX]
        self.groups = tuple(
            [
                (group, self._reason(group))
                for group in range(layout.groups)
                if self.ages.expected[group]
            ]
        )
        # and the lock, the second channel, the cells, the causes
        self.total = len(self.groups) + 4 + REST_ITEMS
        self.holding = tuple([self._holding(block) for block in range(len(evaluator.busy))])
        holding = [index for block in self.holding for index in block]
        gates = evaluator.debounce
        self.asleep = tuple([index for index in holding if gates[index][D_GATE] == m.F_ENERGISED])
        # a key that is turned back, a door that is shut: no start either
        self.by_hand = tuple([index for index in holding if self._by_hand(index)])
        self.done = 0

    def _holding(self, block):
        """The instances of a block that keep contactors from closing."""
        evaluator = self.evaluator
        demands = [m.STAGES[stage][m.S_DEMAND] for stage in evaluator.stage]
        return tuple(
            [
                index
                for index in range(evaluator.block_first[block], evaluator.block_first[block + 1])
                if demands[index][m.D_DC] >= m.DC_INHIBIT or demands[index][m.D_PCS] >= m.PCS_RAMP
            ]
        )

    def _reason(self, group):
        """Of a freshness group: the reason when it is missing."""
        if group < self.layout.unit_group_base:
            return GROUP_REASONS[group]
        return I_PCS if group < self.layout.rack_group_base else I_BMS

    def missing(self, is_open: bool, at_rest: bool, waiting: int) -> int:
        """The first piece of evidence that is missing (INHIBIT_REASONS), 0 when complete.

        is_open: nothing was commanded closed yet. at_rest: nor are the permit relays under test.
        waiting: a failed closing is still to be waited for.
        """
        self.done, ages = 0, self.ages
        first = self._item(self.inp[s.LOCK_OUT_OK], I_LOCKED, I_NONE)
        first = self._item(not self.inp[s.PEER_CODE], I_PEER, first)
        for group, reason in self.groups:
            first = self._item(ages.known(group), reason, first)
        first = self._item(self._cells_ok(), I_CELLS, first)
        if is_open:
            first = self._open(at_rest, first)
        no_cause = self.none_of(self.asleep) and (not is_open or self._none_counts())
        first = self._item(no_cause, I_CAUSE, first)
        return self._item(not waiting or not at_rest, I_WAIT, first) if is_open else first

    def _item(self, is_there, reason, first):
        """Count an item; returns the first reason so far."""
        if is_there:
            self.done += 1
            return first
        return first if first else reason

    def _open(self, at_rest, first):
        """What can only be asked of a cabinet in which nothing is closed yet."""
        first = self._item(self.features.all_reported_open(), I_CONTACTOR, first)
        first = self._item(self.contactors.current_zero() == 1, I_CURRENT, first)
        dropped = not self.inp[s.PERMIT_1_CLOSED] and not self.inp[s.PERMIT_2_CLOSED]
        first = self._item(dropped or not at_rest, I_PERMIT, first)
        return self._item(self._voltages_ok(), I_VOLTAGES, first)

    def _cells_ok(self):
        """Every rack that reports them has all its cells online."""
        for rack in range(self.layout.racks):
            words = self.map.rack + rack * p.RACK_WORDS
            online = self.inp[self.layout.rack_input(rack, s.CELLS_ONLINE)]
            if self.image[words + p.R_CELLS_REPORTED] and online != self.image[words + p.R_CELLS]:
                return False
        return True

    def _by_hand(self, index):
        stage = m.STAGES[self.evaluator.stage[index]]
        return stage[m.S_ROW] in m.REST_ROWS and stage[m.S_LATCH] == m.SELF

    def none_of(self, instances: tuple) -> bool:
        """No cause of these instances is there, whatever their gates say. Of what counts only while
        something is energised (`asleep`: rows 48 and 51) it would count with the first relay under
        test; asked until the contactors have closed.
        """
        evaluator, features = self.evaluator, self.features
        for index in instances:
            feature, sense, set_at, _ = evaluator.watch[index]
            if features.known[feature] and features.value[feature] * sense >= set_at:
                return False
        return True

    def _none_counts(self):
        """No row that would keep it open counts its debounce: the start would come first. One that
        stands says so; one that is clear again and remembers its count does not.
        """
        evaluator = self.evaluator
        for block in range(len(self.holding)):
            if evaluator.busy[block]:
                for index in self.holding[block]:
                    gate = evaluator.debounce[index][D_GATE]
                    if (
                        evaluator.set_count[index]
                        and not evaluator.clear_count[index]
                        and not evaluator.active[index]
                        and (gate == m.NO_GATE or evaluator.gate_ok(gate))
                    ):
                        return False
        return True

    def _voltages_ok(self):
        """Each rack reports its voltage, and those on one unit's DC bus are close: a difference
        would drive a current.

        Below a volt it tells none, and no insulation per volt can be judged either (row 37).
        """
        for racks in self.of_unit:
            lowest, highest = s.INT_MAX, VOLTAGE_MV_MIN
            for rack in racks:
                rack_voltage_mV = self.inp[self.layout.rack_input(rack, s.RACK_VOLTAGE_MV)]
                lowest = min(lowest, rack_voltage_mV)
                highest = max(highest, rack_voltage_mV)
            if lowest < VOLTAGE_MV_MIN or highest - lowest > self.spread_mV_max:
                return False
        return True
