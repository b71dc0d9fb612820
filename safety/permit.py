"""When energy is permitted: the run states, and when the contactors may open.

Permits are outputs that lapse unless renewed, so this file can only ever withhold them. A clean
boot is inhibited until the evidence (start_checklist.py) is complete; it does not latch. Before the
contactors close, each permit relay has to drop alone and be read back.
"""

from array import array

from safety import contactors as c, matrix as m, parameters as p, signals as s
from safety.opening import Opening
from safety.start_checklist import I_INTERLOCK, I_NONE, Evidence

RETRY_MS = 10_000  # wait after a failed closing (foxBMS bms_cfg.h: re-entry after 10 s)
RELAY_MS = 1000  # for a permit relay to follow, off-delay included; longer is a failed closing
TEST_MS = 60_000  # a test at 5 % of rated ends by itself (design: TEST mode)
FAILURES_MAX = 3  # row 38: pre-charge fail (3 tries)
# Tuples are constants here: building one in a function allocates on MicroPython.
AT_REST = (s.INHIBITED, s.READY)
STARTING = (s.INHIBITED, s.READY, s.CLOSING)
ENERGISED = (s.CLOSING, s.RUNNING, s.STOPPING)
LIVE = (s.CLOSING, s.RUNNING, s.STOPPING, s.TRIPPED)
ENDING = (s.STOPPING, s.TRIPPED)
# The relay test: levels of (PCS enable, contactor supply), each held until both are read back. At
# EXPIRY_AT nothing is written any more, until both have expired in their modules.
RELAY_TEST = ((1, 1), (1, 1), (1, 1), (0, 1), (1, 1), (1, 0), (0, 1))
EXPIRY_AT = 1
EXPIRY_MS = 500  # for what expires to be read back: relays, off-delay, cycles of the bus


class Permit:
    """State and timers of the energy permit of one cabinet."""

    def __init__(self, layout, image, image_map, inp, out, evaluator, contactors):
        self.layout, self.inp, self.out = layout, inp, out
        self.features, self.contactors = evaluator.features, contactors
        self.checklist = Evidence(layout, image, image_map, inp, evaluator, contactors)
        tick_ms = image[p.H_TICK_MS]
        self.opening = Opening(layout, image, image_map, inp, self.features, contactors)
        self.retry_ticks = p.ticks(RETRY_MS, tick_ms)
        self.relay_ticks = p.ticks(RELAY_MS, tick_ms)
        self.test_ticks = p.ticks(TEST_MS, tick_ms)
        expiry_ms = image[image_map.cabinet + p.P_PERMIT_EXPIRY_MS] + EXPIRY_MS
        self.expiry_ticks = p.ticks(expiry_ms, tick_ms)
        self.expires = image[image_map.cabinet + p.P_CLOSE_COMMAND_FITTED]
        self.closing_ticks = contactors.close_ticks_max + self.relay_ticks * (len(RELAY_TEST) + 1)
        self.state = array("i", [s.INHIBITED])
        # ticks in this state, ticks of waiting still due, opened (0/1)
        self.timer = array("i", [0, 0, 0])
        self.relays = array("i", [0, 0])  # step of the relay test, ticks in it
        # closings that failed in a row, ticks of the present test mode, 1 until it is started
        self.tried = array("i", [0, 0, 0])
        out[s.EVIDENCE_TOTAL] = self.checklist.total

    def update(self, elapsed: int, pcs_demand: int, dc_demand: int, removal: int) -> None:
        """Step the state from the highest demands of the cabinet; publish permits."""
        timer = self.timer
        timer[0] = min(timer[0] + elapsed, s.TICKS_MAX)
        timer[1] = max(0, timer[1] - elapsed)
        missing = self.missing(pcs_demand, dc_demand)
        self.out[s.INHIBIT_REASON] = missing
        self._count(elapsed)
        before = self.state[0]
        self.state[0] = self._next(before, missing, pcs_demand, dc_demand)
        if self.state[0] != before:
            timer[0] = 0
            # once opening was decided, no change from stopping to tripped takes it back
            if before not in ENDING:
                timer[2] = 0
            if before == s.CLOSING and self.state[0] != s.RUNNING:
                self._leave_closing()
            self.relays[0] = self.relays[1] = 0
        self._publish(elapsed, pcs_demand, dc_demand, removal)

    def _leave_closing(self):
        """No converter has run yet: no ramp; a current that flows is opened as its demand says."""
        self.out[s.PCS_ENABLE_OK] = 0
        self.timer[1], self.timer[2] = self.retry_ticks, 0 if self._loaded() else 1

    def _loaded(self):
        """While closing: contactors may be closed, and carry 5 % of rated current or more."""
        return self._tested() and (
            self.contactors.current_zero() != 1 or self.contactors.above_breaking()
        )

    def missing(self, pcs_demand: int, dc_demand: int) -> int:
        """The first evidence that is missing (INHIBIT_REASONS); 0: complete, or past the start."""
        state = self.state[0]
        evidence = I_NONE
        starting = state in STARTING
        if starting:  # later the count stays as it was
            evidence = self.checklist.missing(not self._tested(), state in AT_REST, self.timer[1])
            self.out[s.EVIDENCE_COUNT] = self.checklist.done
        if dc_demand >= m.DC_INHIBIT or starting and pcs_demand >= m.PCS_RAMP:
            return I_INTERLOCK
        return evidence

    def _count(self, elapsed):
        """The time in test mode; the third failed closing in a row, row 38 for one step."""
        tried = self.tried
        tried[1] = min(tried[1] + elapsed, s.TICKS_MAX) if self.inp[s.TEST_REQUEST] else 0
        self.features.value[m.F_CLOSING_FAILURES] = tried[0]
        if tried[0] >= FAILURES_MAX or self.state[0] == s.RUNNING:
            tried[0] = 0

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
            return s.RUNNING if self._wanted() else s.STOPPING
        return self._from_ending(state, pcs_demand, dc_demand)

    def _wanted(self):
        """Energy is requested, no start is needed before, nobody has locked it out, and a test is
        not over its time.
        """
        requested = self.inp[s.RUN_REQUEST] and not self.tried[2]
        return requested and self.inp[s.LOCK_OUT_OK] and self.tried[1] <= self.test_ticks

    def rest(self, is_demanded: int) -> None:
        """What a row of REST_ROWS or a key latch keeps open needs a request to run that comes after
        the reset, the key in RUN, the door shut. is_demanded: 1 while one of them is latched. A
        test is asked for before the key is turned back.
        """
        by_hand = not (self.inp[s.TEST_REQUEST] or self.checklist.none_of(self.checklist.by_hand))
        if (is_demanded or by_hand) and self.state[0] not in ENERGISED:
            self.tried[2] = 1
        elif not self.inp[s.RUN_REQUEST]:
            self.tried[2] = 0
        self.out[s.START_NEEDED] = self.tried[2]

    def _from_ending(self, state, pcs_demand, dc_demand):
        """A trip lasts while a stage demands it; it and a stop end when all contactors are open."""
        demanded = pcs_demand >= m.PCS_STOP or dc_demand >= m.DC_OPEN_AT_ZERO
        if demanded or not self.timer[2]:
            return state
        return s.INHIBITED if self.features.all_reported_open() else state

    def _from_ready(self, missing):
        if missing != I_NONE:
            return s.INHIBITED
        return s.CLOSING if self._wanted() and self.inp[s.ARMED_STORED] else s.READY

    def _from_closing(self, missing):
        """Evidence withdrawn after pre-charge began ends the attempt as a failed closing."""
        ended = s.STOPPING if self._loaded() else s.INHIBITED  # a stop waits for zero current
        if not self._wanted() or missing != I_NONE and not self._tested():
            return ended
        relay_ticks = self.expiry_ticks if self.relays[0] == EXPIRY_AT else self.relay_ticks
        late = self.relays[1] > relay_ticks or self.timer[0] > self.closing_ticks
        if missing != I_NONE or late or self.contactors.count(c.FAULT):
            self.tried[0] += 1
            return ended
        if self._tested() and self._all_closed() and self._read_back(1, 1):
            return s.RUNNING
        return s.CLOSING

    def _tested(self):
        return self.relays[0] >= len(RELAY_TEST)

    def _read_back(self, enable, supply):
        """True if both permit relays report these levels, on modules that are known."""
        ages, inp = self.features.ages, self.inp
        known = ages.known(s.G_IO_1) and ages.known(s.G_IO_2)
        return known and inp[s.PERMIT_1_CLOSED] == enable and inp[s.PERMIT_2_CLOSED] == supply

    def _all_closed(self):
        return self.contactors.count(c.CLOSED) == self.layout.racks

    def _test_relays(self, elapsed):
        """Publish the present levels of the relay test, and go on once they were read back."""
        relays, out = self.relays, self.out
        enable, supply = RELAY_TEST[relays[0]]
        withheld = 1 if relays[0] == EXPIRY_AT else 0
        relays[1] = min(relays[1] + elapsed, s.TICKS_MAX)
        is_set = out[s.PCS_ENABLE_OK] == enable and out[s.CONTACTOR_SUPPLY_OK] == supply
        is_set = is_set and out[s.WITHHOLD_ON] == withheld
        read_back = self._read_back(0, 0) if withheld else self._read_back(enable, supply)
        if is_set and read_back:
            # what follows the expiry has the levels of what is before it
            relays[0] += 1 if self.expires or relays[0] + 1 != EXPIRY_AT else 3
            relays[1] = 0
        else:
            out[s.PCS_ENABLE_OK] = enable
            out[s.CONTACTOR_SUPPLY_OK] = supply
        out[s.WITHHOLD_ON] = 1 if relays[0] == EXPIRY_AT else 0

    def _publish(self, elapsed, pcs_demand, dc_demand, removal):
        state, out = self.state[0], self.out
        live = state in LIVE
        out[s.STATE] = state
        if state != s.CLOSING:
            out[s.WITHHOLD_ON] = 0
        if state == s.CLOSING and not self._tested():
            self._test_relays(elapsed)
            self.contactors.update(elapsed, 0)
        else:
            self._publish_permits(elapsed, state, live, pcs_demand, dc_demand, removal)
        supply = out[s.CONTACTOR_SUPPLY_OK]
        armed = live or self._wanted()
        # clean once everything reports open
        if not supply and state != s.READY and state != s.CLOSING:
            armed = out[s.ARM_REQUEST] and not self.features.all_reported_open()
        out[s.ARM_REQUEST] = 1 if armed else 0
        for unit in range(self.layout.units):
            running = state == s.RUNNING or (state in ENDING and out[s.PCS_ENABLE_OK])
            out[self.layout.unit_output(unit, s.PCS_RUN_OK)] = 1 if running else 0

    def _publish_permits(self, elapsed, state, live, pcs_demand, dc_demand, removal):
        is_ending = state in ENDING
        self.opening.update(elapsed, is_ending, dc_demand)
        if is_ending and not self.timer[2]:
            opened = self._may_open(state, pcs_demand, dc_demand, removal)
            self.timer[2] = 1 if opened else 0
        supply = 1 if live and not self.timer[2] else 0
        self.contactors.update(elapsed, supply, 0 if is_ending else 1)
        enable = supply if state == s.RUNNING or (state == s.CLOSING and self._all_closed()) else 0
        if is_ending and pcs_demand < m.PCS_STOP:
            # kept for a ramp, never given back after it was dropped
            enable = supply & self.out[s.PCS_ENABLE_OK]
        self.out[s.PCS_ENABLE_OK] = enable
        self.out[s.CONTACTOR_SUPPLY_OK] = supply

    def _may_open(self, state, pcs_demand, dc_demand, removal):
        """Whether the contactors may open: at zero current, or after the demand's time (I, Z)."""
        opening, waited = self.opening, self.timer[0]
        if opening.waits_for_fuse():
            return False
        if state == s.STOPPING:
            return waited > 0 and opening.after_stop(waited)
        # a stop alone opens nothing; once it is reset, or locked out: in order
        if dc_demand < m.DC_OPEN_AT_ZERO:
            is_over = pcs_demand < m.PCS_STOP or not self._wanted()
            return is_over and opening.after_stop(waited)
        return opening.after_demand(pcs_demand, dc_demand, removal)

    def needs_breaker(self, dc_demand: int, removal: int) -> bool:
        """Whether a breaker has to open in place of contactors that may not open yet."""
        waits = self.state[0] in ENDING and not self.timer[2]
        return waits and self.opening.needs_breaker(dc_demand, removal)
