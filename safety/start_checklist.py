"""Checks the items that must be known and correct before any contactor closes.

An item counts only if a signal that was seen and is fresh shows it. The first missing item, in the
order of the checks, is reported. Nothing in this file closes or energises anything.
"""

from safety import matrix as m, parameters as p, signals as s
from safety.contactors import Contactors
from safety.evaluate import D_GATE, Evaluator

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
# The reason if a group is missing, for each of CABINET_GROUPS but the last. The start does not wait
# for `local`, the controller's own signals.
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
# items that count only while no contactor is closed: contactors, current, permit relays, voltages,
# wait
OPEN_ITEMS = 5

VOLTAGE_MV_MIN = 1000  # of a rack; racks.py needs it to compute insulation per volt


class StartChecklist:
    """The start checklist of one cabinet. done, total: number of items, for the screen."""

    def __init__(self, evaluator: Evaluator, contactors: Contactors) -> None:
        features = self.features = evaluator.features
        self.layout, self.image, self.map = features.layout, features.image, features.map
        self.inp, self.evaluator, self.contactors = features.inp, evaluator, contactors
        self.ages, self.of_unit = features.ages, features.of_unit
        self.spread_mV_max = self.image[self.map.cabinet + p.P_RACK_VOLTAGE_SPREAD_MV_MAX]
        self.groups = tuple(
            [
                (group, self._reason(group))
                for group in range(self.layout.groups)
                if self.ages.expected[group]
            ]
        )
        # 4: lock-out, second channel, cells, causes of rows
        self.total = len(self.groups) + 4 + OPEN_ITEMS
        self.holding = tuple([self._holding(block) for block in range(len(evaluator.busy))])
        holding = [index for block in self.holding for index in block]
        debounces = evaluator.debounce
        self.asleep = tuple(
            [index for index in holding if debounces[index][D_GATE] == m.F_ENERGISED]
        )
        # stages of key and door: clearing them starts nothing
        self.by_hand = tuple([index for index in holding if self._by_hand(index)])
        self.done = 0

    def _holding(self, block: int) -> tuple[int, ...]:
        """The instances of a block whose stage prevents closing."""
        evaluator = self.evaluator
        demands = [m.STAGES[stage][m.S_DEMAND] for stage in evaluator.stage]
        return tuple(
            [
                index
                for index in range(evaluator.block_first[block], evaluator.block_first[block + 1])
                if demands[index][m.D_DC] >= m.DC_INHIBIT or demands[index][m.D_PCS] >= m.PCS_RAMP
            ]
        )

    def _reason(self, group: int) -> int:
        """The reason if a freshness group is missing."""
        if group < self.layout.unit_group_base:
            return GROUP_REASONS[group]
        return I_PCS if group < self.layout.rack_group_base else I_BMS

    def missing(self, is_open: bool, at_rest: bool, waiting: int) -> int:
        """The first missing item (INHIBIT_REASONS); 0: the checklist is complete.

        is_open: no contactor was commanded closed yet. at_rest: no permit relay is under test.
        waiting: remaining ticks of the wait after a failed closing.
        """
        self.done, ages = 0, self.ages
        first = self._item(self.inp[s.LOCK_OUT_OK], I_LOCKED, I_NONE)
        first = self._item(not self.inp[s.PEER_CODE], I_PEER, first)
        for group, reason in self.groups:
            first = self._item(ages.known(group), reason, first)
        first = self._item(self._cells_ok(), I_CELLS, first)
        if is_open:
            first = self._while_open(at_rest, first)
        no_cause = self.none_of(self.asleep) and (not is_open or self._no_debounce_runs())
        first = self._item(no_cause, I_CAUSE, first)
        return self._item(not waiting or not at_rest, I_WAIT, first) if is_open else first

    def _item(self, is_there: int, reason: int, first: int) -> int:
        """Count an item if it is present; returns the reason of the first missing item so far."""
        if is_there:
            self.done += 1
            return first
        return first if first else reason

    def _while_open(self, at_rest: int, first: int) -> int:
        """The items that count only while nothing is closed (OPEN_ITEMS)."""
        first = self._item(self.features.all_reported_open(), I_CONTACTOR, first)
        first = self._item(self.contactors.current_zero() == 1, I_CURRENT, first)
        dropped = not self.inp[s.PERMIT_1_CLOSED] and not self.inp[s.PERMIT_2_CLOSED]
        first = self._item(dropped or not at_rest, I_PERMIT, first)
        return self._item(self._voltages_ok(), I_VOLTAGES, first)

    def _cells_ok(self) -> bool:
        """True if every rack that reports cells has all of them online."""
        for rack in range(self.layout.racks):
            start = self.map.rack + rack * p.RACK_WORDS
            online = self.inp[self.layout.rack_input(rack, s.CELLS_ONLINE)]
            if self.image[start + p.R_CELLS_REPORTED] and online != self.image[start + p.R_CELLS]:
                return False
        return True

    def _by_hand(self, index: int) -> bool:
        """True for a stage of REST_ROWS that a person clears with key or door, without a reset."""
        stage = m.STAGES[self.evaluator.stage[index]]
        return stage[m.S_ROW] in m.REST_ROWS and stage[m.S_LATCH] == m.SELF

    def none_of(self, instances: tuple[int, ...]) -> bool:
        """True if no instance has its feature at or beyond the threshold, whatever its gate is.

        `asleep` are the instances with the gate "energised" (rows 48 and 51 of the matrix). The
        first relay under test would open that gate and trip them. So the start also waits until
        their causes are gone.
        """
        evaluator, features = self.evaluator, self.features
        for index in instances:
            feature, sense, set_at, _ = evaluator.watch[index]
            if features.known[feature] and features.value[feature] * sense >= set_at:
                return False
        return True

    def _no_debounce_runs(self) -> bool:
        """False while a stage that would open the contactors is still in its debounce time.

        Otherwise the contactors would close and open again at once. Active stages are reported by
        their demand instead. A stage that is clear again and only keeps its set count delays no
        start.
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

    def _voltages_ok(self) -> bool:
        """True if every rack reports its voltage, and racks on one DC bus are close together.

        A difference would drive a current between racks. Below 1 V a rack counts as not reporting;
        its insulation per volt is not known then (row 37).
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
