"""When energy is permitted: the start checklist, the run states, and when the contactors may open.

Permits are outputs that lapse unless renewed, so this file can only ever withhold them. A clean boot is inhibited until
every signal was seen and is fresh, complete and plausible; it does not latch.
"""

from array import array

from safety import matrix as m
from safety import parameters as p
from safety import signals as s
from safety import contactors as c

INHIBIT_REASONS = (
    "none", "interlock", "io_1", "io_2", "meter", "gas detectors", "pcs", "bms", "cells missing", "contactor not open",
    "permit relay not dropped", "current not zero", "key not in run", "rack voltages differ", "closing failed, waiting",
)
(I_NONE, I_INTERLOCK, I_IO_1, I_IO_2, I_METER, I_GAS, I_PCS, I_BMS, I_CELLS, I_CONTACTOR, I_PERMIT, I_CURRENT, I_KEY,
 I_VOLTAGES, I_WAIT) = range(15)
RETRY_MS = 10_000  # wait after a failed closing (foxBMS bms_cfg.h: re-entry after 10 s)
UNKNOWN_CURRENT_MS = 200  # silence ladder: stop at 3 s, open at 3.2 s when the current is unknown
STOPPING_MS_MAX = 5000
RELAY_MS = 1000  # for the permit relay to report closed after the contactors; longer is a failed closing
# Tuples stand here and not in the code: building one allocates on MicroPython.
AT_REST = (s.INHIBITED, s.READY)
STARTING = (s.INHIBITED, s.READY, s.CLOSING)
ENERGISED = (s.CLOSING, s.RUNNING, s.STOPPING)
LIVE = (s.CLOSING, s.RUNNING, s.STOPPING, s.TRIPPED)
ENDING = (s.STOPPING, s.TRIPPED)


class Permit:
    """State and timers of the energy permit of one cabinet."""

    def __init__(self, layout, image, image_map, inp, out, features, contactors):
        self.layout, self.image, self.map, self.inp, self.out = layout, image, image_map, inp, out
        self.features, self.contactors = features, contactors
        tick_ms = image[p.H_TICK_MS]
        cabinet = image_map.cabinet
        self.retry_ticks = p.ticks(RETRY_MS, tick_ms)
        self.unknown_ticks = p.ticks(UNKNOWN_CURRENT_MS, tick_ms)
        self.open_ticks = p.ticks(image[cabinet + p.P_OPEN_AFTER_STOP_MS], tick_ms)
        self.zero_ticks = p.ticks(image[cabinet + p.P_OPEN_AT_ZERO_MS_MAX], tick_ms)
        self.stopping_ticks = p.ticks(STOPPING_MS_MAX, tick_ms)
        self.closing_ticks = contactors.close_ticks_max + p.ticks(RELAY_MS, tick_ms)
        self.state = array("i", [s.INHIBITED])
        self.timer = array("i", [0, 0, 0])  # ticks in this state, ticks of waiting still due, opened (0/1)
        self.required = self._required_groups()

    def _required_groups(self):
        layout, image = self.layout, self.image
        found = []
        for rack in range(layout.racks):
            words = self.map.rack + rack * p.RACK_WORDS
            for group in range(s.RACK_GROUP_COUNT):
                if group == s.G_BMS_CELLS and not image[words + p.R_CELLS_REPORTED]:
                    continue
                if group == s.G_BMS_TEMPERATURES and not image[words + p.R_TEMPERATURES_REPORTED]:
                    continue
                found.append(layout.rack_group(rack, group))
        return array("i", found)

    def update(self, elapsed, pcs_demand, dc_demand):
        """Step the state from the highest PCS and DC demand of the cabinet; publishes the permits."""
        timer = self.timer
        timer[0] = min(timer[0] + elapsed, s.TICKS_MAX)
        timer[1] = max(0, timer[1] - elapsed)
        missing = self.missing(pcs_demand, dc_demand)
        self.out[s.INHIBIT_REASON] = missing
        before = self.state[0]
        self.state[0] = self._next(before, missing, pcs_demand, dc_demand)
        if self.state[0] != before:
            timer[0] = 0
            if before not in ENDING:  # once opening was decided, no change from stopping to tripped takes it back
                timer[2] = 0
            if before == s.CLOSING and self.state[0] == s.INHIBITED:
                timer[1] = self.retry_ticks
        self._publish(elapsed, pcs_demand, dc_demand)

    def _next(self, state, missing, pcs_demand, dc_demand):
        if state in ENERGISED and (pcs_demand >= m.PCS_STOP or dc_demand >= m.DC_OPEN_AT_ZERO):
            return s.TRIPPED
        if state == s.INHIBITED:
            return s.READY if missing == I_NONE else s.INHIBITED
        if state == s.READY:
            return self._from_ready(missing)
        if state == s.CLOSING:
            return self._from_closing(missing)
        if state == s.RUNNING:
            return s.RUNNING if self.inp[s.RUN_REQUEST] and self.inp[s.KEY_RUN_OK] else s.STOPPING
        return self._from_ending(state, pcs_demand, dc_demand)

    def _from_ending(self, state, pcs_demand, dc_demand):
        """A trip stands as long as something demands it; then, and after a controlled stop, all must be open."""
        demanded = pcs_demand >= m.PCS_STOP or dc_demand >= m.DC_OPEN_AT_ZERO
        if state == s.TRIPPED and demanded or not self.timer[2]:
            return state
        return s.INHIBITED if self.contactors.all_reported_open() else state

    def _from_ready(self, missing):
        if missing != I_NONE:
            return s.INHIBITED
        return s.CLOSING if self.inp[s.RUN_REQUEST] and self.inp[s.ARMED_STORED] else s.READY

    def _from_closing(self, missing):
        """Evidence that is withdrawn while the contactors close ends the attempt; no current can flow yet."""
        if missing != I_NONE or not self.inp[s.RUN_REQUEST] or self.contactors.count(c.FAULT):
            return s.INHIBITED
        if self.timer[0] > self.closing_ticks:
            return s.INHIBITED
        if self._all_closed() and self.inp[s.PERMIT_1_CLOSED] and self.features.ages.known(s.G_IO_1):
            return s.RUNNING
        return s.CLOSING

    def _all_closed(self):
        return self.contactors.count(c.CLOSED) == self.layout.racks

    def _publish(self, elapsed, pcs_demand, dc_demand):
        state = self.state[0]
        live = state in LIVE
        if state in ENDING and not self.timer[2] and self._may_open(state, pcs_demand, dc_demand):
            self.timer[2] = 1
        supply = 1 if live and not self.timer[2] else 0
        self.contactors.update(elapsed, supply)
        out = self.out
        enable = supply if state == s.RUNNING or (state == s.CLOSING and self._all_closed()) else 0
        if state in ENDING and pcs_demand < m.PCS_STOP:
            enable = supply & out[s.PCS_ENABLE_OK]  # kept for a ramp, never given back after it was dropped
        out[s.STATE] = state
        out[s.PCS_ENABLE_OK] = enable
        out[s.CONTACTOR_SUPPLY_OK] = supply
        armed = live or (state == s.READY and self.inp[s.RUN_REQUEST])
        if not supply and state != s.READY:  # clean once everything has said that it is open, and not before
            armed = out[s.ARM_REQUEST] and not self.contactors.all_reported_open()
        out[s.ARM_REQUEST] = 1 if armed else 0
        for unit in range(self.layout.units):
            running = state == s.RUNNING or (state in ENDING and enable)
            out[self.layout.unit_output(unit, s.PCS_RUN_OK)] = 1 if running else 0

    def _may_open(self, state, pcs_demand, dc_demand):
        """Whether the contactors may open now: at zero current, or after the time the demand allows (effects I, Z)."""
        waited = self.timer[0]
        current = self._current_zero()
        if state == s.STOPPING:
            return current == 1 and waited > 0 or waited >= self.stopping_ticks
        if dc_demand < m.DC_OPEN_AT_ZERO:  # a stop alone opens nothing; once it is reset, as a controlled stop does
            return pcs_demand < m.PCS_STOP and (current == 1 or waited >= self.stopping_ticks)
        if dc_demand == m.DC_OPEN_ONLY_AT_ZERO:
            return current == 1 or current < 0 and self._pcs_current_zero()
        if current == 1 and (pcs_demand >= m.PCS_STOP or waited > 0):
            return True
        if dc_demand == m.DC_OPEN:
            return waited >= self.open_ticks
        if current < 0 and pcs_demand >= m.PCS_STOP:
            return waited >= self.unknown_ticks
        return waited >= self.zero_ticks

    def _current_zero(self):
        """1: every rack carries under 5 % of its rated current; 0: one carries more; -1: one is not known.

        A rack whose current is not known carries none if its BMS still reports open contactors.
        """
        found, ages = 1, self.features.ages
        for rack in range(self.layout.racks):
            first = self.layout.rack_input(rack, 0)
            rated = self.image[self.map.rack + rack * p.RACK_WORDS + p.R_RATED_CURRENT_MA]
            if ages.known(self.layout.rack_group(rack, s.G_BMS_PACK)):
                if abs(self.inp[first + s.RACK_CURRENT_MA]) * 20 >= rated:
                    return 0
            elif (self.inp[first + s.CONTACTOR_STATE] != s.CONTACTOR_OPEN
                  or not ages.known(self.layout.rack_group(rack, s.G_BMS_STATE))):
                found = -1
        return found

    def _pcs_current_zero(self):
        for unit in range(self.layout.units):
            if not self.features.ages.known(self.layout.unit_group(unit, s.G_PCS_MEASURE)):
                return False
            if abs(self.inp[self.layout.unit_input(unit, s.PCS_DC_CURRENT_MA)]) > 5000:
                return False
        return True

    def missing(self, pcs_demand, dc_demand):
        """The first piece of start evidence that is missing (INHIBIT_REASONS), 0 when complete or past the start."""
        starting = self.state[0] in STARTING
        if dc_demand >= m.DC_INHIBIT or starting and pcs_demand >= m.PCS_RAMP:
            return I_INTERLOCK
        if not starting:
            return I_NONE
        ages = self.features.ages
        if not ages.known(s.G_IO_1):
            return I_IO_1
        if not ages.known(s.G_IO_2):
            return I_IO_2
        if not ages.known(s.G_METER_GRID):
            return I_METER
        if self.image[self.map.cabinet + p.P_METER_LOAD_FITTED] and not ages.known(s.G_METER_LOAD):
            return I_METER
        for detector in range(self.image[self.map.cabinet + p.P_GAS_DETECTORS]):
            if not ages.known(s.G_GAS_2 if detector else s.G_GAS_1):
                return I_GAS
        for unit in range(self.layout.units):
            if not ages.known(self.layout.unit_group(unit, s.G_PCS_MEASURE)):
                return I_PCS
            if not ages.known(self.layout.unit_group(unit, s.G_PCS_CONTROL)):
                return I_PCS
        for group in self.required:
            if not ages.known(group):
                return I_BMS
        if not self.inp[s.KEY_RUN_OK]:
            return I_KEY
        return self._missing_cells() or (self._missing_at_rest() if self.state[0] in AT_REST else I_NONE)

    def _missing_cells(self):
        for rack in range(self.layout.racks):
            words = self.map.rack + rack * p.RACK_WORDS
            online = self.inp[self.layout.rack_input(rack, s.CELLS_ONLINE)]
            if self.image[words + p.R_CELLS_REPORTED] and online != self.image[words + p.R_CELLS]:
                return I_CELLS
        return I_NONE

    def _missing_at_rest(self):
        """What can only be asked of a cabinet in which nothing is closed yet."""
        inp, layout = self.inp, self.layout
        for rack in range(layout.racks):
            first = layout.rack_input(rack, 0)
            words = self.map.rack + rack * p.RACK_WORDS
            if inp[first + s.CONTACTOR_STATE] != s.CONTACTOR_OPEN:
                return I_CONTACTOR
            if abs(inp[first + s.RACK_CURRENT_MA]) * 20 >= self.image[words + p.R_RATED_CURRENT_MA]:
                return I_CURRENT
        if inp[s.PERMIT_1_CLOSED] or inp[s.PERMIT_2_CLOSED]:
            return I_PERMIT
        for unit in range(layout.units):
            if self._spread_mV(unit) > self.image[self.map.cabinet + p.P_RACK_VOLTAGE_SPREAD_MV_MAX]:
                return I_VOLTAGES
        return I_WAIT if self.timer[1] else I_NONE

    def _spread_mV(self, unit):
        """Difference between the racks on one unit's DC bus: what would drive a current when they are joined."""
        lowest, highest = s.INT_MAX, 0
        for rack in range(self.layout.racks):
            if self.image[self.map.rack + rack * p.RACK_WORDS + p.R_UNIT] == unit:
                rack_voltage_mV = self.inp[self.layout.rack_input(rack, s.RACK_VOLTAGE_MV)]
                lowest = min(lowest, rack_voltage_mV)
                highest = max(highest, rack_voltage_mV)
        return highest - lowest
