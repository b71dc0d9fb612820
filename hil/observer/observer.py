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

import struct

from hil.observer.frames import BusTap

ENABLE, SUPPLY = "pcs_enable", "contactor_supply"
CONTACTOR_OPEN, CONTACTOR_CLOSED = 0, 2
BMS_SILENT_US = 400_000  # four of its 100 ms periods
PCS_SILENT_US = 600_000
UNANSWERED_US = 300_000  # a bus is only silent if somebody went on asking
# the contactor supply follows the PCS enable by 0.2 s in hardware; half of it must be left
ORDER_US_MIN = 100_000
STOPPED_US = 500_000
SETTLED_US = 2_000_000
LIMITS_EVERY_US = 100_000
VIOLATIONS_MAX = 50
NOT_HEARD = -1


class Wiring:
    """What lies where in the cabinet under test; the defaults are the default rig cabinet's."""

    def __init__(
        self, wset_address, opctl_address, pcs_unit=1, racks=3, rated_W=250_000, rack_rated_A=140.0
    ):
        """wset_address, opctl_address: protocol addresses of SunSpec 704 WSet and 715 OpCtl in this
        PCS.
        """
        self.wset_address = wset_address
        self.opctl_address = opctl_address
        self.pcs_unit = pcs_unit
        self.racks = racks
        self.rated_W = rated_W
        self.rack_rated_A = rack_rated_A
        self.coils = {(1, 0): ENABLE, (2, 0): SUPPLY}  # (I/O unit, coil): output
        self.inputs = {
            1: (
                "estop_1",
                "fire_alarm",
                "suppression",
                "gas_relay",
                "airflow",
                "key_run",
                "permit_1",
                "door",
            ),
            2: ("estop_2", "bms_fault", "permit_2"),
        }
        # What must have been heard since the controller started, and be closed, before a contactor
        # may close.
        self.evidence_units = (("io", 1), ("io", 2), ("gas", 1), ("gas", 2), ("pcs", pcs_unit))
        self.evidence_contacts = {1: 0b0010_1111, 2: 0b0000_0011}


def _permit_event(name, level, used):
    """Name of a permit's change; one that drops before any contactor has closed on it is tested,
    not taken back.
    """
    return f"{name}_on" if level else f"{name}_off" if used else f"{name}_tested"


class Observer:
    """Feed it with `rtu_tap(bus)`, `can_tap`, `truth` and `mark`; ask `result()` at the end. All
    times in us.
    """

    def __init__(self, wiring, start_us=0):
        self.wiring = wiring
        self.timeline = []
        self.violations = []
        self.violation_count = 0
        self.start_us = start_us
        self.setpoint_W = 0
        self._buses = {
            "io": BusTap(self._io_request, self._io_reply),
            "pcs": BusTap(self._pcs_request),
        }
        self._rack_of = {
            0x120 + rack * 0x20 + part: rack for rack in range(wiring.racks) for part in range(0x1F)
        }
        self._coils = {}
        self._contacts = {}
        self._operation = None
        self._bms_us = [NOT_HEARD] * wiring.racks
        self._commands = [0] * wiring.racks
        self._silent = {}
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

    # Wires

    def rtu_tap(self, bus):
        """tap(time_us, is_reply, data) for the bus of that name."""
        return self._buses.setdefault(bus, BusTap()).tap

    def can_tap(self, time_us, can_id, data):
        """A CAN frame; native BMS ids: 0x100 + node * 0x20 + message, message 0x1F is the command
        to the rack.
        """
        rack = self._rack_of.get(can_id)
        if rack is not None:
            self._bms_us[rack] = time_us
        elif can_id & 0x1F == 0x1F:
            self._command(time_us, (can_id >> 5) - 9, data)

    def _command(self, time_us, rack, data):
        if 0 <= rack < self.wiring.racks and data[0] != self._commands[rack]:
            self._commands[rack] = data[0]
            self._event(
                time_us, "bms_close_sent" if data[0] else "bms_open_sent", f"rack {rack + 1}"
            )
            if data[0]:
                self._check_evidence(time_us, rack)

    def _io_request(self, time_us, frame):
        unit, function, address = frame[0], frame[1], frame[2] << 8 | frame[3]
        if function == 15:
            bits = int.from_bytes(frame[7:-2], "little")
            levels = {
                address + offset: bits >> offset & 1 for offset in range(frame[4] << 8 | frame[5])
            }
        elif function == 5:
            levels = {address: int(frame[4] == 0xFF)}
        else:
            return
        for coil, level in levels.items():
            name = self.wiring.coils.get((unit, coil))
            if name is not None and self._coils.get(name, 0) != level:
                self._coils[name] = level
                self._event(time_us, f"{name}_{'on' if level else 'off'}_sent")

    def _io_reply(self, time_us, frame):
        unit, function = frame[0], frame[1]
        if function != 2:
            return
        bits, before = frame[3], self._contacts.get(unit)
        self._contacts[unit] = bits
        for place, name in enumerate(self.wiring.inputs.get(unit, ())):
            level = bits >> place & 1
            if name and (before is None or level != before >> place & 1):
                self._event(time_us, f"{name}_{'closed' if level else 'open'}_seen")

    def _pcs_request(self, time_us, frame):
        if frame[0] != self.wiring.pcs_unit:
            return
        address = frame[2] << 8 | frame[3]
        if frame[1] == 6:
            self._pcs_written(time_us, address, frame[4:6])
        elif frame[1] == 16:
            self._pcs_written(time_us, address, frame[7:-2])

    def _pcs_written(self, time_us, address, data):
        place = 2 * (self.wiring.wset_address - address)
        if 0 <= place <= len(data) - 4:
            (setpoint_W,) = struct.unpack_from(">i", data, place)
            if setpoint_W == 0 != self.setpoint_W:
                self._event(time_us, "setpoint_zero_sent", f"from {self.setpoint_W} W")
            elif self.setpoint_W == 0 != setpoint_W:
                self._event(time_us, "setpoint_sent", f"{setpoint_W} W")
            self.setpoint_W = setpoint_W
        place = 2 * (self.wiring.opctl_address - address)
        if 0 <= place <= len(data) - 2:
            operation = data[place + 1]
            if operation != self._operation:
                self._operation = operation
                self._event(time_us, "pcs_stop_sent" if operation in (0, 2) else "pcs_start_sent")

    # The plant and the scenario

    def mark(self, time_us, name, detail=""):
        """An action of the scenario. `controller_start` starts the evidence and what was last
        written afresh.
        """
        if name == "controller_start":
            self.start_us = time_us
            self._commands = [0] * self.wiring.racks
            self._coils, self._operation, self.setpoint_W = {}, None, 0
            for bus in self._buses.values():
                bus.forget_requests()
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
        if flowing and not pcs_enable and now_us - self._enable_off_us > STOPPED_US:
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
        if (
            not contactor_supply
            and opens
            and (pcs_enable or now_us - self._enable_off_us < ORDER_US_MIN)
        ):
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
            self._limits_due_us = now_us + LIMITS_EVERY_US
            limits_A = [(rack.charge_limit_A, rack.discharge_limit_A) for rack in racks]
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

    # Invariants

    def _check_evidence(self, time_us, rack):
        """Called when a close command appears on the wire."""
        missing = [
            f"{bus} unit {unit}"
            for bus, unit in self.wiring.evidence_units
            if self._heard_us(bus, unit) < self.start_us
        ]
        if self._bms_us[rack] < self.start_us:
            missing.append(f"BMS {rack + 1}")
        missing += [
            f"contacts of I/O module {unit}"
            for unit, mask in self.wiring.evidence_contacts.items()
            if self._contacts.get(unit, 0) & mask != mask
        ]
        if missing:
            self._violated(
                time_us, f"rack {rack + 1} told to close without evidence of {', '.join(missing)}"
            )

    def _heard_us(self, bus, unit):
        return self._buses[bus].replied_us.get(unit, NOT_HEARD) if bus in self._buses else NOT_HEARD

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

    def _check_silence(self, now_us):
        oldest_us = min(self._bms_us)
        if self._silent or now_us - oldest_us > BMS_SILENT_US:
            self._check_bms(now_us)
        bus = self._buses["pcs"]
        heard_us = bus.replied_us.get(self.wiring.pcs_unit, NOT_HEARD)
        if (now_us - heard_us > PCS_SILENT_US and bus.asked_us - heard_us > UNANSWERED_US) != (
            "pcs" in self._silent
        ):
            self._silence(now_us, heard_us, "pcs", "pcs", "")

    def _check_bms(self, now_us):
        for rack, heard_us in enumerate(self._bms_us):
            if (now_us - heard_us > BMS_SILENT_US) != (rack in self._silent):
                self._silence(now_us, heard_us, rack, "bms", f"rack {rack + 1}")

    def _silence(self, now_us, heard_us, key, name, detail):
        """The device has fallen silent or is back; one that was never heard is starting, not
        silent.
        """
        since_us = self._silent.pop(key, None)
        if since_us is None:
            since_us = self._silent[key] = heard_us
            event = (since_us, f"{name}_silent", detail)
        else:
            event = (now_us, f"{name}_back", detail)
        if since_us != NOT_HEARD:
            self._event(*event)

    def _event(self, time_us, name, detail=""):
        self.timeline.append((time_us, name, detail))

    def _violated(self, time_us, text):
        self.violation_count += 1
        if self.violation_count <= VIOLATIONS_MAX:
            self.violations.append(f"{time_us / 1e6:.3f} s: {text}")

    def result(self):
        """The timeline in order of time (silences are stamped back to the last frame heard) as a
        list of (time_us, name, detail); also sorts it in place.
        """
        self.timeline.sort(key=lambda event: event[0])
        return self.timeline
