"""Decides the run state of the cabinet: when energy is permitted, and when contactors open.

A permit is an output that expires unless it is renewed; this file renews it or withholds it. After
a clean start energy is inhibited, without a latch, until the start checklist is complete. Before
the contactors close, each permit relay must drop, and its contact must show that.
"""

from array import array

from safety import contactors as c, matrix as m, parameters as p, signals as s
from safety.evaluate import Evaluator
from safety.opening import Opening
from safety.start_checklist import I_INTERLOCK, I_NONE, StartChecklist

RETRY_MS = 10_000  # wait after a failed closing (foxBMS bms_cfg.h: re-entry after 10 s)
RELAY_MS = 1000  # a permit relay must follow in this time, off-delay included
TEST_MS = 60_000  # a test at 5 % of rated power ends by itself (design page, test mode)
FAILURES_MAX = 3  # row 38 of the matrix trips after three failed closings
# Module constants: a tuple built in a function would allocate on MicroPython.
AT_REST = (s.INHIBITED, s.READY)
STARTING = (s.INHIBITED, s.READY, s.CLOSING)
ENERGISED = (s.CLOSING, s.RUNNING, s.STOPPING)
LIVE = (s.CLOSING, s.RUNNING, s.STOPPING, s.TRIPPED)
ENDING = (s.STOPPING, s.TRIPPED)
# The relay test: levels of (PCS enable, contactor supply), each held until both are read back. In
# step EXPIRY_AT the outputs are not written until both have expired in their I/O modules.
RELAY_TEST = ((1, 1), (1, 1), (1, 1), (0, 1), (1, 1), (1, 0), (0, 1))
EXPIRY_AT = 1
EXPIRY_MS = 500  # from the expiry to its read-back: relays, off-delay, cycles of the bus
T_IN_STATE, T_WAIT, T_OPENED = range(3)  # `timer`: ticks in this state, ticks to wait, opened (0/1)
R_STEP, R_TICKS = range(2)  # `relays`: step of the relay test, ticks in this step
# `tried`: failed closings in a row; ticks in test mode; 1 while a person must start the cabinet
N_FAILED, N_TEST_TICKS, N_START_NEEDED = range(3)


class Permit:
    """State and timers of the energy permit of one cabinet."""

    def __init__(self, evaluator: Evaluator, contactors: c.Contactors) -> None:
        features = self.features = evaluator.features
        self.layout, self.inp, self.out = features.layout, features.inp, features.out
        self.contactors, tick_ms = contactors, features.tick_ms
        self.checklist = StartChecklist(evaluator, contactors)
        self.opening = Opening(features, contactors)
        self.retry_ticks = p.ticks(RETRY_MS, tick_ms)
        self.relay_ticks = p.ticks(RELAY_MS, tick_ms)
        self.test_ticks = p.ticks(TEST_MS, tick_ms)
        image, cabinet = features.image, features.map.cabinet
        self.expiry_ticks = p.ticks(image[cabinet + p.P_PERMIT_EXPIRY_MS] + EXPIRY_MS, tick_ms)
        self.expires = image[cabinet + p.P_CLOSE_COMMAND_FITTED]
        self.closing_ticks = contactors.close_ticks_max + self.relay_ticks * (len(RELAY_TEST) + 1)
        self.state = array("i", [s.INHIBITED])
        self.timer = array("i", [0, 0, 0])
        self.relays = array("i", [0, 0])
        self.tried = array("i", [0, 0, 0])
        self.out[s.EVIDENCE_TOTAL] = self.checklist.total

    def update(self, elapsed: int, pcs_demand: int, dc_demand: int, removal: int) -> None:
        """Update the state for the highest demands of the cabinet, and publish the permits."""
        timer = self.timer
        timer[T_IN_STATE] = min(timer[T_IN_STATE] + elapsed, s.TICKS_MAX)
        timer[T_WAIT] = max(0, timer[T_WAIT] - elapsed)
        missing = self.missing(pcs_demand, dc_demand)
        self.out[s.INHIBIT_REASON] = missing
        self._count(elapsed)
        before = self.state[0]
        self.state[0] = self._next(before, missing, pcs_demand, dc_demand)
        if self.state[0] != before:
            timer[T_IN_STATE] = 0
            # a decision to open, made while stopping, stays valid when the state becomes tripped
            if before not in ENDING:
                timer[T_OPENED] = 0
            if before == s.CLOSING and self.state[0] != s.RUNNING:
                self._leave_closing()
            self.relays[R_STEP] = self.relays[R_TICKS] = 0
        self._publish(elapsed, pcs_demand, dc_demand, removal)

    def _leave_closing(self) -> None:
        """End a closing. No PCS has run yet, so without current the contactors open at once."""
        self.out[s.PCS_ENABLE_OK] = 0
        self.timer[T_WAIT], self.timer[T_OPENED] = self.retry_ticks, 0 if self._loaded() else 1

    def _loaded(self) -> int:
        """True if, while closing, contactors may be closed and carry 5 % of rated current."""
        return self._tested() and (
            self.contactors.current_zero() != 1 or self.contactors.above_breaking()
        )

    def missing(self, pcs_demand: int, dc_demand: int) -> int:
        """The first item that inhibits energy (INHIBIT_REASONS), or I_NONE."""
        state, missing, waiting = self.state[0], I_NONE, self.timer[T_WAIT]
        starting = state in STARTING
        if starting:
            missing = self.checklist.missing(not self._tested(), state in AT_REST, waiting)
            self.out[s.EVIDENCE_COUNT] = self.checklist.done
        if dc_demand >= m.DC_INHIBIT or starting and pcs_demand >= m.PCS_RAMP:
            return I_INTERLOCK
        return missing

    def _count(self, elapsed: int) -> None:
        """Count the time in test mode, and publish failed closings: the third trips row 38."""
        tried = self.tried
        ticks = min(tried[N_TEST_TICKS] + elapsed, s.TICKS_MAX)
        tried[N_TEST_TICKS] = ticks if self.inp[s.TEST_REQUEST] else 0
        self.features.value[m.F_CLOSING_FAILURES] = tried[N_FAILED]
        if tried[N_FAILED] >= FAILURES_MAX or self.state[0] == s.RUNNING:
            tried[N_FAILED] = 0

    def _next(self, state: int, missing: int, pcs_demand: int, dc_demand: int) -> int:
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

    def _wanted(self) -> int:
        """True if a run request counts. Lock-out, a needed start and an ended test prevent that."""
        requested = self.inp[s.RUN_REQUEST] and self.inp[s.LOCK_OUT_OK]
        in_time = self.tried[N_TEST_TICKS] <= self.test_ticks
        return requested and not self.tried[N_START_NEEDED] and in_time

    def rest(self, is_demanded: int) -> None:
        """Decide about standby, in which the cabinet needs a new run request after the reset.

        is_demanded: 1 while a stage of REST_ROWS or a key latch is latched.
        """
        by_hand = not (self.inp[s.TEST_REQUEST] or self.checklist.none_of(self.checklist.by_hand))
        if (is_demanded or by_hand) and self.state[0] not in ENERGISED:
            self.tried[N_START_NEEDED] = 1
        elif not self.inp[s.RUN_REQUEST]:
            self.tried[N_START_NEEDED] = 0
        self.out[s.START_NEEDED] = self.tried[N_START_NEEDED]

    def _from_ending(self, state: int, pcs_demand: int, dc_demand: int) -> int:
        """A trip lasts while a stage demands it. Trip and stop end when all contactors are open."""
        demanded = pcs_demand >= m.PCS_STOP or dc_demand >= m.DC_OPEN_AT_ZERO
        if demanded or not self.timer[T_OPENED]:
            return state
        return s.INHIBITED if self.features.all_reported_open() else state

    def _from_ready(self, missing: int) -> int:
        if missing != I_NONE:
            return s.INHIBITED
        return s.CLOSING if self._wanted() and self.inp[s.ARMED_STORED] else s.READY

    def _from_closing(self, missing: int) -> int:
        """An item that is missing once pre-charge has begun makes the closing a failed one."""
        end_state = s.STOPPING if self._loaded() else s.INHIBITED  # a stop waits for zero current
        if not self._wanted() or missing != I_NONE and not self._tested():
            return end_state
        relay_ticks = self.expiry_ticks if self.relays[R_STEP] == EXPIRY_AT else self.relay_ticks
        is_late = self.relays[R_TICKS] > relay_ticks or self.timer[T_IN_STATE] > self.closing_ticks
        if missing != I_NONE or is_late or self.contactors.count(c.FAULT):
            self.tried[N_FAILED] += 1
            return end_state
        if self._tested() and self._all_closed() and self._read_back(1, 1):
            return s.RUNNING
        return s.CLOSING

    def _tested(self) -> bool:
        return self.relays[R_STEP] >= len(RELAY_TEST)

    def _read_back(self, enable: int, supply: int) -> int:
        """True if both permit relays are read back with these levels, from fresh I/O modules."""
        ages, inp = self.features.ages, self.inp
        known = ages.known(s.G_IO_1) and ages.known(s.G_IO_2)
        return known and inp[s.PERMIT_1_CLOSED] == enable and inp[s.PERMIT_2_CLOSED] == supply

    def _all_closed(self) -> bool:
        return self.contactors.count(c.CLOSED) == self.layout.racks

    def _test_relays(self, elapsed: int) -> None:
        """Publish the levels of this step of the relay test; go on once they are read back."""
        relays, out = self.relays, self.out
        enable, supply = RELAY_TEST[relays[R_STEP]]
        withheld = 1 if relays[R_STEP] == EXPIRY_AT else 0
        relays[R_TICKS] = min(relays[R_TICKS] + elapsed, s.TICKS_MAX)
        is_set = out[s.PCS_ENABLE_OK] == enable and out[s.CONTACTOR_SUPPLY_OK] == supply
        is_set = is_set and out[s.WITHHOLD_ON] == withheld
        read_back = self._read_back(0, 0) if withheld else self._read_back(enable, supply)
        if is_set and read_back:
            # Without the expiry step, the step after it is left out too: it repeats the one before.
            relays[R_STEP] += 1 if self.expires or relays[R_STEP] + 1 != EXPIRY_AT else 3
            relays[R_TICKS] = 0
        else:
            out[s.PCS_ENABLE_OK] = enable
            out[s.CONTACTOR_SUPPLY_OK] = supply
        out[s.WITHHOLD_ON] = 1 if relays[R_STEP] == EXPIRY_AT else 0

    def _publish(self, elapsed: int, pcs_demand: int, dc_demand: int, removal: int) -> None:
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
        # the end was clean once every rack reports open contactors
        if not supply and state != s.READY and state != s.CLOSING:
            armed = out[s.ARM_REQUEST] and not self.features.all_reported_open()
        out[s.ARM_REQUEST] = 1 if armed else 0
        for unit in range(self.layout.units):
            running = state == s.RUNNING or (state in ENDING and out[s.PCS_ENABLE_OK])
            out[self.layout.unit_output(unit, s.PCS_RUN_OK)] = 1 if running else 0

    def _publish_permits(
        self, elapsed: int, state: int, live: int, pcs_demand: int, dc_demand: int, removal: int
    ) -> None:
        is_ending = state in ENDING
        self.opening.update(elapsed, is_ending, dc_demand)
        if is_ending and not self.timer[T_OPENED]:
            opened = self._may_open(state, pcs_demand, dc_demand, removal)
            self.timer[T_OPENED] = 1 if opened else 0
        supply = 1 if live and not self.timer[T_OPENED] else 0
        self.contactors.update(elapsed, supply, 0 if is_ending else 1)
        enable = supply if state == s.RUNNING or (state == s.CLOSING and self._all_closed()) else 0
        if is_ending and pcs_demand < m.PCS_STOP:
            # The enable stays on for a ramp. Once it has dropped, it is not given again.
            enable = supply & self.out[s.PCS_ENABLE_OK]
        self.out[s.PCS_ENABLE_OK] = enable
        self.out[s.CONTACTOR_SUPPLY_OK] = supply

    def _may_open(self, state: int, pcs_demand: int, dc_demand: int, removal: int) -> int:
        """Whether the contactors may open: at zero current, or after the time of the demand."""
        opening, waited = self.opening, self.timer[T_IN_STATE]
        if opening.waits_for_fuse():
            return False
        if state == s.STOPPING:
            return waited > 0 and opening.after_stop(waited)
        # A PCS stop alone opens nothing. After its reset, or a lock-out, open as after a stop.
        if dc_demand < m.DC_OPEN_AT_ZERO:
            is_over = pcs_demand < m.PCS_STOP or not self._wanted()
            return is_over and opening.after_stop(waited)
        return opening.after_demand(pcs_demand, dc_demand, removal)

    def needs_breaker(self, dc_demand: int, removal: int) -> bool:
        """Whether a breaker has to open instead of contactors that may not open yet."""
        waits = self.state[0] in ENDING and not self.timer[T_OPENED]
        return waits and self.opening.needs_breaker(dc_demand, removal)
