"""The safety kernel: step() computes features, stages, latches, permits and limits, once per tick.

It is a pure function of the limit image, the inputs and its own arrays: no clock, no I/O, no
allocation, no float. The same source runs on CPython and on MicroPython with the heap locked.
"""

from array import array

from safety import matrix as m, parameters as p, signals as s
from safety.bounds import Bounds
from safety.contactors import Contactors
from safety.evaluate import TRIPS_END, W_FEATURE, Evaluator
from safety.features import NOT_CLEAN, STORE_UNREADABLE, Features
from safety.image_check import AT_START, ImageCheck, topology
from safety.latches import Latches
from safety.permit import ENDING, Permit

ELAPSED_MAX = 1_000_000  # ticks; a longer delay counts as this many
POWERED = (s.RUNNING, s.STOPPING, s.TRIPPED)
WITHOUT_ENERGY = (s.INHIBITED, s.TRIPPED)
# Bits of _alert_bits: first those of ALERTS, then one for standby, then those of CONFLICTS.
REST_AT = len(m.ALERTS)
CONFLICTS_AT = REST_AT + 1
STOPS = (m.D_PCS, m.D_DC)  # channel B acts on these demands only
# places in `standing`: 1 if any demand may be set; the alert bits of all active or latched stages
DEMANDING, ALERT_BITS = range(2)
# Outputs that are equal to a demand: output, demand.
SIGNALLED = (
    (s.HORN_ON, m.D_HORN),
    (s.PRE_ALARM_ON, m.D_PRE_ALARM),
    (s.SHUNT_TRIP_ON, m.D_SHUNT_TRIP),
    (s.NOTIFY_MAINTENANCE, m.D_MAINTENANCE),
    (s.NOTIFY_OPERATOR, m.D_OPERATOR),
)


class Kernel:
    """The safety kernel of one cabinet. Its caller fills the arrays `inp` and `fresh`."""

    def __init__(self, image: "array[int]") -> None:
        """image: the limit image (parameters.ImageMap). ValueError if it is not a valid one."""
        layout, image_map = topology(image)
        self.image, self.layout = image, layout
        self.inp = array("i", [0] * layout.inputs)
        self.fresh = bytearray(layout.groups)
        self.out = array("i", [0] * layout.outputs)
        self.features = Features(layout, image, image_map, self.inp, self.fresh, self.out)
        self.evaluator = Evaluator(self.features)
        self.image_check = ImageCheck(image, self.evaluator)
        self.latches = Latches(self.evaluator)
        self.bounds = Bounds(self.features)
        self.contactors = Contactors(self.features)
        self.permit = Permit(self.evaluator, self.contactors)
        self.frozen_ms = image[image_map.cabinet + p.P_METER_FROZEN_MS]
        self.demand = array("i", [0] * m.DEMAND_COUNT)
        self.unit_demand = array("i", [0] * (m.DEMAND_COUNT * layout.units))
        # per block: bits of the levels that its active and latched stages ask for (matrix.ASKS)
        self.asked = array("i", [0] * (1 + layout.units + layout.racks))
        # channel B has no units and computes two demands only
        self.outputs = tuple(range(m.DEMAND_COUNT)) if layout.units else STOPS
        self.standing = array("i", [1, 0])
        self.alert_bits = tuple([_alert_bits(stage) for stage in m.STAGES])
        # ticks for which the winning row of each conflict has been active or latched
        self.conflict_ticks = array("i", [0] * len(m.CONFLICTS))
        self.hold_ticks = tuple(
            [
                p.ticks(image[image_map.cabinet + p.cabinet_index(name)], image[p.H_TICK_MS])
                for _, _, name, _ in m.CONFLICTS
            ]
        )
        self.out[s.IMAGE_CRC] = self.image_check.crc[AT_START]
        self.out[s.FIRST_OUT] = self.out[s.FIRST_OUT_INSTANCE] = -1

    def boot(
        self,
        not_clean: int,
        store_unreadable: int,
        latched: list[int] | tuple[int, ...],
        trips: int = 0,
    ) -> None:
        """Set how the last run ended, before the first step.

        latched: stage instances, in their order. trips: above any count that the last run reached.
        """
        self.evaluator.trips[0] = trips % TRIPS_END
        self.features.boot[NOT_CLEAN] = 1 if not_clean else 0
        self.features.boot[STORE_UNREADABLE] = 1 if store_unreadable else 0
        for index in latched:
            if self.evaluator.watch[index][W_FEATURE] == self.features.never:
                # It is not armed now, so it cannot hold this latch. Stage 44d asks for the key.
                self.features.boot[STORE_UNREADABLE] = 1
                continue
            self.evaluator.number(index)
            self.evaluator.latched[index] = self.evaluator.moved[0] = 1
            self.evaluator.busy[self.evaluator.block[index]] = 1
            self.evaluator.note_first(index)
            self._end_hold_off(m.STAGES[self.evaluator.stage[index]][m.S_ROW])

    def _end_hold_off(self, row: int) -> None:
        """End the hold-off of a row that was latched before the restart: the fan ran meanwhile."""
        for place in range(len(m.CONFLICTS)):
            if m.CONFLICTS[place][1] == row:
                self.conflict_ticks[place] = self.hold_ticks[place]

    def state_blocks(self) -> tuple["array[int] | bytearray", ...]:
        """Every array whose values are kept from step to step, in the order of a keyframe."""
        f, g, r = self.features, self.features.gas, self.features.racks
        h, e, b = r.heating, self.evaluator, self.bounds
        c, t = self.contactors, self.permit
        features = (f.value, f.known, f.ages.ticks, f.ages.seen, f.changed, f.pace.words)
        cabinet = (f.boot, f.noc_ticks, g.history, g.clock, f.witness.words, f.connection.words)
        racks = (r.bad_frames, r.clock, r.cells_mV, r.current_mA, r.mismatch, r.open_string)
        heating = (h.history, h.heat_uK, h.place, h.whole_s, h.zeros, h.doubt_s)
        stages = (e.set_count, e.clear_count, e.active, e.latched, e.busy, e.moved)
        causes = (e.first_out, e.order, e.last, e.trips, self.latches.token_age)
        limits = (b.rack_limit, b.limit_W, b.published_W, b.lowest_W, b.signature)
        contactors = (c.step, c.closing_ticks, c.open_ticks, c.was_closed)
        permit = (t.state, t.timer, t.opening.waited, t.relays, t.tried)
        own = (self.image_check.crc, self.asked, self.standing, self.conflict_ticks)
        rest = permit + own + (self.demand, self.unit_demand, self.inp, self.out)
        return features + cabinet + racks + heating + stages + causes + limits + contactors + rest

    def step(self, elapsed: int) -> None:
        """One step over `inp`; the results are in `out`. elapsed: ticks since the last step."""
        elapsed = self.judge(elapsed)
        demand = self.demand
        self._settle(elapsed)
        self.out[s.FAN_ON] = demand[m.D_FAN]
        self.permit.update(elapsed, demand[m.D_PCS], demand[m.D_DC], demand[m.D_REMOVAL])
        self.permit.rest(self.standing[ALERT_BITS] >> REST_AT & 1)
        self._stopping()
        self.bounds.update(elapsed, self.unit_demand, self.permit.state[0] in POWERED)
        self._publish()

    def judge(self, elapsed: int) -> int:
        """The first half of a step: stages, demands and resets. Returns `elapsed`, bounded.
        Channel B calls only this half, because its relay is the only output that it drives.
        """
        elapsed = min(elapsed, ELAPSED_MAX)
        self.image_check.update()
        self.features.update(elapsed)
        self.evaluator.update(elapsed)
        self._combine()
        self.out[s.RESET_RESULT] = self.latches.update(elapsed, self.inp)
        if self.evaluator.moved[0]:
            self.latches.publish_causes(self.out)
        return elapsed

    def _combine(self) -> None:
        """Compute the demands: per output the highest level of all active or latched stages."""
        evaluator = self.evaluator
        busy = self.standing[DEMANDING]
        for block in evaluator.busy:
            busy |= block
        if busy:
            self._combine_anew(evaluator)

    def _combine_anew(self, evaluator: Evaluator) -> None:
        """The work of _combine, which skips it while no stage demands anything and no stop runs."""
        active, latched, stages = evaluator.active, evaluator.latched, evaluator.stage
        asks, bits = m.ASKS, self.alert_bits
        asked = alerts = 0
        for block in range(len(evaluator.busy)):
            of_block = 0
            if evaluator.busy[block]:
                for index in evaluator.armed_at[block]:
                    if active[index] or latched[index]:
                        of_block |= asks[stages[index]]
                        alerts |= bits[stages[index]]
            self.asked[block] = of_block
            asked |= of_block
        self.standing[DEMANDING], self.standing[ALERT_BITS] = 1 if asked else 0, alerts
        for output in self.outputs:
            self.demand[output] = _level(m.LADDERS[output], asked)
        for unit in range(self.layout.units):
            self._ask_unit(unit)

    def _ask_unit(self, unit: int) -> None:
        """Demands on a unit, by the stages of the cabinet, of the unit and of its racks."""
        racks = 1 + self.layout.units
        asked = self.asked[0] | self.asked[1 + unit]
        for rack in range(self.layout.racks):
            if self.features.rack_unit[rack] == unit:
                asked |= self.asked[racks + rack]
        for output in self.outputs:
            self.unit_demand[unit * m.DEMAND_COUNT + output] = _level(m.LADDERS[output], asked)

    def _settle(self, elapsed: int) -> None:
        """Set the gates that alerts open, and settle conflicts between demands.

        Until the winning row has been active for its hold-off, clear the demand that yields
        (matrix.CONFLICTS).
        """
        ticks, value = self.conflict_ticks, self.features.value
        for place in range(len(m.ALERTS)):
            value[m.ALERTS[place][0]] = self.standing[ALERT_BITS] >> place & 1
        for place in range(len(m.CONFLICTS)):
            if not self.standing[ALERT_BITS] >> CONFLICTS_AT + place & 1:
                ticks[place] = 0
                continue
            if ticks[place] < self.hold_ticks[place]:
                self.demand[m.CONFLICTS[place][0]] = 0
            ticks[place] = min(ticks[place] + elapsed, s.TICKS_MAX)

    def _stopping(self) -> None:
        """Ramp every unit to zero, at least, while the cabinet stops or has tripped.

        This holds also when the cause of a trip ends before all contactors are open.
        """
        if self.permit.state[0] in ENDING:
            self.standing[DEMANDING] = 1
            for unit in range(self.layout.units):
                place = unit * m.DEMAND_COUNT + m.D_PCS
                self.unit_demand[place] = max(self.unit_demand[place], m.PCS_RAMP)

    def _publish(self) -> None:
        out, demand = self.out, self.demand
        state = self.permit.state[0]
        unheard = self.features.unheard()
        if unheard:
            out[s.FAN_ON] = 1
        for signal, asked in SIGNALLED:
            out[signal] = demand[asked]
        if self.permit.needs_breaker(demand[m.D_DC], demand[m.D_REMOVAL]):
            out[s.SHUNT_TRIP_ON] = 1
        out[s.LAMP_ON] = 1 if demand[m.D_LAMP] or state in WITHOUT_ENERGY else 0
        out[s.RED_LAMP_ON] = 1 if unheard else demand[m.D_RED_LAMP]
        out[s.SUPERVISORY_OK] = 0 if unheard or demand[m.D_FACU] else 1
        out[s.AUX_LOAD_OK] = 0 if unheard or demand[m.D_AUX_SHED] else 1
        out[s.RESETS_LEFT] = self.latches.left()
        grid = self.features.ages.known(s.G_METER_GRID) and not self.inp[s.METER_SIGN]
        out[s.OBLIGATIONS_OK] = 1 if grid and self.features.pace.frozen_ms() < self.frozen_ms else 0


def _level(ladder: tuple[tuple[int, int], ...], asked: int) -> int:
    """The highest level in an item of matrix.LADDERS whose bit is set in `asked`, or 0."""
    highest = 0
    for bit, level in ladder:
        if asked & bit:
            highest = level
    return highest


def _alert_bits(stage: tuple[object, ...]) -> int:
    """Bits of a stage: one for each of ALERTS with its row, standby, and each of CONFLICTS."""
    row, rests = stage[m.S_ROW], m.rests(stage)
    flags = (
        [row in rows for _, rows in m.ALERTS] + [rests] + [row == rule[1] for rule in m.CONFLICTS]
    )
    return sum([is_in << place for place, is_in in enumerate(flags)])
