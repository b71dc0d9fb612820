"""The observer keeps a timeline of events from wires and plant, and checks invariants.

The observer decodes frames with struct only, because a fault in `drivers` must not hide from it.
The observer never reads the controller. Times are us from the start of the run. README.md explains
the events; hil/scenarios/expectations.py lists their names.
"""

from collections.abc import Sequence

from hil.observer.reasons import Reasons
from hil.observer.wire_witness import WireWitness
from hil.observer.wiring import Wiring
from hil.oracle import design
from hil.plant.cabinet import CabinetPlant

CONTACTOR_OPEN, CONTACTOR_CLOSED = 0, 2
SETTLED_US = 2_000_000


def _permit_event(name: str, is_on: bool, is_used: bool) -> str:
    """Name of a permit's change. A permit that drops before a contactor closed was only tested."""
    return f"{name}_on" if is_on else f"{name}_off" if is_used else f"{name}_tested"


class Observer(WireWitness):
    """Input: `rtu_tap(bus)`, `can_tap(bus)`, `sample` or `truth`, `mark`. Output: `result()`."""

    def __init__(self, wiring: Wiring) -> None:
        super().__init__(wiring)
        self._permits: tuple[bool, bool] | tuple[None, None] = (None, None)
        self._has_closed = True  # a contactor has closed since both permits were off
        self._contactors: tuple[int, ...] | None = None
        self._currents_A: Sequence[float] = ()
        # True while a fault loads a DC link: the converter cannot control that current
        self._uncontrolled = False
        self._flowing = False
        self._enable_off_us, self._limits_due_us = -SETTLED_US, 0
        self._beyond_since_us: list[int | None] = [None] * wiring.racks
        self._zeros_W = [0.01 * unit.rated_W for unit in wiring.units]
        self._reasons = Reasons(wiring, self._violated)

    def mark(self, time_us: int, name: str, detail: str = "") -> None:
        """Note an action of the scenario: its name becomes the name of the event. After
        `controller_start`, the start checklist and the last writes begin again.
        """
        if name == "controller_start":
            self.start_us = time_us
            self._forget_written()
            for bus in self._buses.values():
                bus.forget_requests()
        if name == "reset":
            self.latches.reset(design.KEY if detail == "by=key" else design.REMOTE)
        self._event(time_us, name, detail)

    def truth(
        self,
        now_us: int,
        pcs_enable: bool,
        contactor_supply: bool,
        contactors: tuple[int, ...],
        currents_A: Sequence[float],
        powers_W: Sequence[float],
        limits_A: list[tuple[float, float]] | None = None,
    ) -> None:
        """Take one sample of the plant, with the permits as the relays pass them on.

        contactors: state per rack (0 open, 1 pre-charge, 2 closed, 3 fault); currents_A: per rack,
        discharge > 0; powers_W: per PCS; limits_A: (charge, discharge) per rack.
        """
        if (pcs_enable, contactor_supply) != self._permits:
            self._permits_changed(now_us, pcs_enable, contactor_supply)
        if contactors != self._contactors:
            self._contactors_changed(now_us, contactors)
        flowing = False
        for power_W, zero_W in zip(powers_W, self._zeros_W):
            flowing = flowing or not -zero_W < power_W < zero_W
        if flowing != self._flowing:
            self._flowing = flowing
            self._event(now_us, "power_flowing" if flowing else "power_zero")
        if flowing and not pcs_enable and now_us - self._enable_off_us > 500_000:
            self._enable_off_us = now_us  # repeat the violation after 0.5 s, not at every sample
            most_kW = max(powers_W, key=abs) / 1000
            self._violated(now_us, f"{most_kW:.1f} kW flow although the PCS enable is off")
        self._currents_A = currents_A
        if limits_A is not None:
            self._check_currents(now_us, currents_A, limits_A)
        self._check_silence(now_us)

    def _permits_changed(self, now_us: int, pcs_enable: bool, contactor_supply: bool) -> None:
        enable_before, supply_before = self._permits
        self._permits = (pcs_enable, contactor_supply)
        holds = self._contactors is None or self._holds(self._contactors)
        if not enable_before and not supply_before:
            self._has_closed = holds
        if pcs_enable != enable_before and enable_before is not None:
            self._event(now_us, _permit_event("pcs_enable", pcs_enable, self._has_closed))
        if enable_before and not pcs_enable:
            self._enable_off_us = now_us
        if contactor_supply == supply_before or supply_before is None:
            return
        self._event(now_us, _permit_event("contactor_supply", contactor_supply, self._has_closed))
        # The relay drops the supply 0.2 s after the PCS enable; the check requires half of that.
        is_early = pcs_enable or now_us - self._enable_off_us < 100_000
        if holds and is_early and not contactor_supply:
            text = "the contactor supply dropped before the PCS enable or within 0.1 s after"
            self._violated(now_us, text)

    def _holds(self, contactors: tuple[int, ...]) -> bool:
        """True if the contactor supply holds a contactor that may carry current. A BMS without a
        close command closes its contactors in the relay test before a start too, without current.
        They count once the converter was started.
        """
        unit_of, commanded = self.wiring.unit_of_rack, self.wiring.rack_nodes.values()
        held = [rack for rack, state in enumerate(contactors) if state != CONTACTOR_OPEN]
        return any([rack in commanded or self.units[unit_of[rack]].is_started for rack in held])

    def _contactors_changed(self, now_us: int, contactors: tuple[int, ...]) -> None:
        before = self._contactors or (CONTACTOR_OPEN,) * len(contactors)
        self._contactors = contactors
        self._has_closed = self._has_closed or self._holds(contactors)
        for rack, (old, new) in enumerate(zip(before, contactors)):
            if old == CONTACTOR_OPEN and new != CONTACTOR_OPEN:
                self._event(now_us, "contactor_close", f"rack {rack + 1}")
            if old == CONTACTOR_CLOSED and new == CONTACTOR_OPEN:
                self._opened(now_us, rack)
        if all(state == CONTACTOR_CLOSED for state in contactors):
            self._event(now_us, "contactors_closed")
        if all(state == CONTACTOR_OPEN for state in contactors) and before != contactors:
            self._event(now_us, "contactors_open")

    def _opened(self, now_us: int, rack: int) -> None:
        """Check the current of the last sample, which the contactor broke. Up to 5 % of rated
        current counts as zero.
        """
        current_A = self._currents_A[rack] if self._currents_A else 0.0
        self._event(now_us, "contactor_open", f"rack {rack + 1} at {current_A:.1f} A")
        if abs(current_A) > 0.05 * self.wiring.rack_rated_A[rack] and not self._uncontrolled:
            self._violated(now_us, f"rack {rack + 1} opened at {current_A:.1f} A")

    def sample(self, now_us: int, cabinet: CabinetPlant) -> None:
        """Take one sample from the plant, and the current limits every 0.1 s. While a fault loads a
        DC link, no current or opening is a violation, because the controller cannot prevent it.
        """
        racks, relays = cabinet.racks, cabinet.relays
        self._uncontrolled = any([link.fault is not None for link in cabinet.buses])
        limits_A = None
        if now_us >= self._limits_due_us:
            self._limits_due_us = now_us + 100_000
            limits_A = [(rack.charge_limit_A, rack.discharge_limit_A) for rack in racks]
            self._check_reported(now_us, cabinet)
        contactors = tuple([rack.contactors.state for rack in racks])
        currents_A = [rack.current_A for rack in racks]
        powers_W = [pcs.ac_power_W for pcs in cabinet.pcs]
        permits = relays.pcs_enable, relays.contactor_supply
        self.truth(now_us, *permits, contactors, currents_A, powers_W, limits_A)

    def _check_reported(self, now_us: int, cabinet: CabinetPlant) -> None:
        """Compare the values on the wires with the plant."""
        self.latches.racks(now_us, self.heard_racks(now_us))
        self._reasons.see(now_us, cabinet, self)

    def _check_currents(
        self, now_us: int, currents_A: Sequence[float], limits_A: list[tuple[float, float]]
    ) -> None:
        """Report a rack that exceeds 1.05 x its BMS's limit + 2 A for 2 s, long before row 35
        trips.
        """
        for rack, current_A in enumerate(currents_A):
            charge_A, discharge_A = limits_A[rack]
            is_within = -1.05 * charge_A - 2.0 <= current_A <= 1.05 * discharge_A + 2.0
            since_us = self._beyond_since_us[rack]
            if self._uncontrolled or is_within:
                self._beyond_since_us[rack] = None
            elif since_us is None:
                self._beyond_since_us[rack] = now_us
            elif now_us - since_us > SETTLED_US:
                self._beyond_since_us[rack] = now_us
                allowed = f"its BMS allows {-charge_A:.1f} .. {discharge_A:.1f} A"
                self._violated(now_us, f"rack {rack + 1} at {current_A:.1f} A for 2 s, {allowed}")

    def result(self) -> list[tuple[int, str, str]]:
        """Sort the timeline [(time_us, name, detail)] and return it. A silence is found late, but
        has the time of the last frame.
        """
        self.timeline.sort(key=lambda event: event[0])
        return self.timeline
