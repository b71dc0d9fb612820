"""The rig's own witness: reads every wire and the plant's truth, never the controller, and says
what happened and when.

Wires give it taps (RTU chunks, CAN frames), the rig a sample of the plant per tick and a mark per
action. From these it keeps a timeline of events, measures reactions, and checks invariants. Frames
are decoded here with struct alone, never by drivers. Times in us from the start of the run.

Events (all names in hil/scenarios/expectations.py): on the wire `pcs_enable_off_sent`,
`setpoint_zero_sent`, `pcs_stop_sent`, `bms_close_sent` ..., `estop_1_open_seen` (the reply bytes
that told of a contact), `pcs_silent`, `bms_silent` (at the last frame heard); in the plant
`pcs_enable_off`, `contactor_open` (one rack), `contactors_open` (the last of them), `power_zero`
...; and every mark under its own name.
"""

from hil import oracle
from hil.observer.reasons import Reasons
from hil.observer.wire_witness import WireWitness

CONTACTOR_OPEN, CONTACTOR_CLOSED = 0, 2
SETTLED_US = 2_000_000


def _permit_event(name, level, used):
    """Name of a permit's change; one that drops before any contactor has closed on it is tested,
    not taken back.
    """
    return f"{name}_on" if level else f"{name}_off" if used else f"{name}_tested"


class Observer(WireWitness):
    """Feed it with `rtu_tap(bus)`, `can_tap`, `truth` and `mark`; ask `result()` at the end. All
    times in us.
    """

    def __init__(self, wiring, start_us=0):
        super().__init__(wiring, start_us)
        self._levels = (None, None)
        self._used = True  # a contactor has closed since the permits were last both off
        self._contactors = None
        self._currents_A = ()
        self._uncontrolled = False  # a fault hangs a load on a DC link that no converter controls
        self._flowing = False
        self._enable_off_us = start_us - SETTLED_US
        self._limits_due_us = start_us
        self._over_us = [None] * wiring.racks
        self._zero_W = 0.01 * wiring.rated_W
        self._reasons = Reasons(wiring, self._violated)

    def mark(self, time_us, name, detail=""):
        """An action of the scenario. `controller_start` starts the evidence and what was last
        written afresh.
        """
        if name == "controller_start":
            self.start_us = time_us
            self._forget_written()
            for bus in self._buses.values():
                bus.forget_requests()
        if name == "reset":
            self.latches.reset(oracle.KEY if detail == "by=key" else oracle.REMOTE)
        self._event(time_us, name, detail)

    def truth(
        self, now_us, pcs_enable, contactor_supply, contactors, currents_A, power_W, limits_A=None
    ):
        """One sample of the plant: the two permits as they act (bool), contactor state per rack (0
        open, 1 pre-charge, 2 closed, 3 fault), rack currents (discharge > 0), PCS power, and per
        rack (charge, discharge) limits in A.
        """
        if (pcs_enable, contactor_supply) != self._levels:
            self._permits(now_us, pcs_enable, contactor_supply)
        if contactors != self._contactors:
            self._contactors_changed(now_us, contactors)
        flowing = not -self._zero_W < power_W < self._zero_W
        if flowing != self._flowing:
            self._flowing = flowing
            self._event(now_us, "power_flowing" if flowing else "power_zero")
        if flowing and not pcs_enable and now_us - self._enable_off_us > 500_000:
            self._enable_off_us = now_us  # say it again after as long, not on every sample
            self._violated(now_us, f"{power_W / 1000:.1f} kW flow although the PCS enable is off")
        self._currents_A = currents_A
        if limits_A is not None:
            self._check_currents(now_us, currents_A, limits_A)
        self._check_silence(now_us)

    def _permits(self, now_us, pcs_enable, contactor_supply):
        enable_before, supply_before = self._levels
        self._levels = (pcs_enable, contactor_supply)
        opens = self._contactors is None or any(
            [state != CONTACTOR_OPEN for state in self._contactors]
        )
        if not enable_before and not supply_before:
            self._used = opens
        if pcs_enable != enable_before and enable_before is not None:
            self._event(now_us, _permit_event("pcs_enable", pcs_enable, self._used))
        if enable_before and not pcs_enable:
            self._enable_off_us = now_us
        if contactor_supply == supply_before or supply_before is None:
            return
        self._event(now_us, _permit_event("contactor_supply", contactor_supply, self._used))
        # it follows the PCS enable by 0.2 s in hardware; half of it must be left
        is_early = pcs_enable or now_us - self._enable_off_us < 100_000
        if opens and is_early and not contactor_supply:
            self._violated(
                now_us, "the contactor supply dropped before, or within 0.1 s of, the PCS enable"
            )

    def _contactors_changed(self, now_us, contactors):
        before = self._contactors or (CONTACTOR_OPEN,) * len(contactors)
        self._contactors = contactors
        self._used = self._used or any([state != CONTACTOR_OPEN for state in contactors])
        for rack, (old, new) in enumerate(zip(before, contactors)):
            if old == CONTACTOR_OPEN and new != CONTACTOR_OPEN:
                self._event(now_us, "contactor_close", f"rack {rack + 1}")
            if old == CONTACTOR_CLOSED and new == CONTACTOR_OPEN:
                self._opened(now_us, rack)
        if all(state == CONTACTOR_CLOSED for state in contactors):
            self._event(now_us, "contactors_closed")
        if all(state == CONTACTOR_OPEN for state in contactors) and before != contactors:
            self._event(now_us, "contactors_open")

    def _opened(self, now_us, rack):
        """The current of the sample before is what the contactor broke: 5 % of rated is what row
        tables call zero.
        """
        current_A = self._currents_A[rack] if self._currents_A else 0.0
        self._event(now_us, "contactor_open", f"rack {rack + 1} at {current_A:.1f} A")
        if abs(current_A) > 0.05 * self.wiring.rack_rated_A and not self._uncontrolled:
            self._violated(now_us, f"rack {rack + 1} opened at {current_A:.1f} A")

    def sample(self, now_us, cabinet):
        """The same from hil.plant.cabinet.Cabinet; currents are held against the limits ten times a
        second.

        While a fault's load hangs on a DC link, the controller answers neither for its current nor
        for what opens it.
        """
        racks, relays = cabinet.racks, cabinet.relays
        self._uncontrolled = any([link.fault is not None for link in cabinet.buses])
        limits_A = None
        if now_us >= self._limits_due_us:
            self._limits_due_us = now_us + 100_000
            limits_A = [(rack.charge_limit_A, rack.discharge_limit_A) for rack in racks]
            self.latches.racks(now_us, self.told_now(now_us))
            self._reasons.see(now_us, cabinet, self)
        power_W = 0.0
        for pcs in cabinet.pcs:
            power_W += pcs.ac_power_W
        self.truth(
            now_us,
            relays.pcs_enable,
            relays.contactor_supply,
            tuple([rack.contactors.state for rack in racks]),
            [rack.current_A for rack in racks],
            power_W,
            limits_A,
        )

    def _check_currents(self, now_us, currents_A, limits_A):
        """A rack beyond 1.05 x its BMS's limit plus 2 A for 2 s (what row 35 would only trip on
        after 10 s).
        """
        for rack, current_A in enumerate(currents_A):
            charge_A, discharge_A = limits_A[rack]
            if (
                self._uncontrolled
                or -1.05 * charge_A - 2.0 <= current_A <= 1.05 * discharge_A + 2.0
            ):
                self._over_us[rack] = None
            elif self._over_us[rack] is None:
                self._over_us[rack] = now_us
            elif now_us - self._over_us[rack] > SETTLED_US:
                self._over_us[rack] = now_us
                self._violated(
                    now_us,
                    f"rack {rack + 1} at {current_A:.1f} A for 2 s, its BMS "
                    f"allows "
                    f"{-charge_A:.1f} .. {discharge_A:.1f} A",
                )

    def result(self):
        """The timeline in order of time (silences are stamped back to the last frame heard) as a
        list of (time_us, name, detail); also sorts it in place.
        """
        self.timeline.sort(key=lambda event: event[0])
        return self.timeline
