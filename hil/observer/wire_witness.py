"""Reads every wire: the controller's writes, the devices' replies, the silent devices."""

import struct

from hil.observer import reported
from hil.observer.frames import BusTap, RtuTap
from hil.observer.latches import Latches
from hil.observer.wiring import Wiring

BMS_SILENT_US = 400_000  # four of its 100 ms periods
NOT_HEARD = -1
FRAME_BYTES = 8  # of every frame of a native BMS and to it


class WireWitness:
    """Input: `rtu_tap(bus)` and `can_tap`. All times in us."""

    def __init__(self, wiring: Wiring, start_us: int = 0) -> None:
        self.wiring = wiring
        self.timeline = []
        self.violations = []
        self.start_us = start_us
        self.setpoint_W = 0
        self._buses = {
            "io": BusTap(self._io_request, self._io_reply),
            "pcs": BusTap(self._pcs_request),
        }
        self._rack_of = {
            0x120 + rack * 0x20 + part: rack for rack in range(wiring.racks) for part in range(0x1F)
        }
        self.bms_us = [NOT_HEARD] * wiring.racks
        self._bms_frames = [{} for _ in range(wiring.racks)]
        self._power = reported.Power(wiring.pcs_unit, wiring.power_address, wiring.power_scale_W)
        self.latches = Latches()
        self._contacts = {}
        self._silent = {}
        self._forget_written()

    def _forget_written(self) -> None:
        """Forget the last writes on the wires."""
        self._commands = [0] * self.wiring.racks
        self._coils, self._operation, self.setpoint_W = {}, None, 0

    def rtu_tap(self, bus: str) -> RtuTap:
        """tap(time_us, is_reply, data) for the bus of that name."""
        tap = self._buses.setdefault(bus, BusTap()).tap
        if bus != "pcs":
            return tap

        def both(time_us: int, is_reply: int, data: bytes) -> None:
            """Pass the chunk on, and note the power in it."""
            self._power.see(is_reply, data)
            tap(time_us, is_reply, data)

        return both

    def can_tap(self, time_us: int, can_id: int, data: bytes) -> None:
        """Take a CAN frame. Ids: 0x100 + node * 0x20 + message; message 0x1F: command to a rack."""
        if len(data) != FRAME_BYTES:
            return
        rack = self._rack_of.get(can_id)
        if rack is not None:
            self.bms_us[rack] = time_us
            self._bms_frames[rack][can_id & 0x1F] = data
        elif can_id & 0x1F == 0x1F:
            self._command(time_us, (can_id >> 5) - 9, data)

    def _command(self, time_us: int, rack: int, data: bytes) -> None:
        if 0 <= rack < self.wiring.racks and data[0] != self._commands[rack]:
            self._commands[rack] = data[0]
            self._event(
                time_us, "bms_close_sent" if data[0] else "bms_open_sent", f"rack {rack + 1}"
            )
            if data[0]:
                self._check_checklist(time_us, rack)
                self._check_latches(time_us, rack)

    def _io_request(self, time_us: int, frame: bytes) -> None:
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

    def _io_reply(self, time_us: int, frame: bytes) -> None:
        unit, function, _, bits = frame[:4]
        if function != 2:
            return
        changed = bits ^ self._contacts.get(unit, ~bits)
        self._contacts[unit] = bits
        for place, name in enumerate(self.wiring.inputs.get(unit, ())):
            if name and changed >> place & 1:
                word = "closed" if bits >> place & 1 else "open"
                self._event(time_us, f"{name}_{word}_seen")
                self.latches.contact(time_us, name, word == "closed")

    def _pcs_request(self, time_us: int, frame: bytes) -> None:
        if frame[0] != self.wiring.pcs_unit:
            return
        address = frame[2] << 8 | frame[3]
        if frame[1] == 6:
            self._pcs_written(time_us, address, frame[4:6])
        elif frame[1] == 16:
            self._pcs_written(time_us, address, frame[7:-2])

    def _pcs_written(self, time_us: int, address: int, data: bytes) -> None:
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

    def _check_checklist(self, time_us: int, rack: int) -> None:
        """Judge a close command on the wire by the start checklist."""
        missing = [
            f"{bus} unit {unit}"
            for bus, unit in self.wiring.checklist_units
            if self._heard_us(bus, unit) < self.start_us
        ]
        if self.bms_us[rack] < self.start_us:
            missing.append(f"BMS {rack + 1}")
        missing += [
            f"contacts of I/O module {unit}"
            for unit, mask in self.wiring.checklist_contacts.items()
            if self._contacts.get(unit, 0) & mask != mask
        ]
        if missing:
            names = ", ".join(missing)
            self._violated(
                time_us, f"rack {rack + 1} got a close command, the start checklist lacks {names}"
            )

    def _check_latches(self, time_us: int, rack: int) -> None:
        """Judge a close command on the wire by the latched rows."""
        for stage in self.latches.stages:
            self._violated(
                time_us, f"rack {rack + 1} got a close command while row {stage} is latched"
            )

    def reported_racks(self) -> list[dict[str, float]]:
        """[{name: value}] as each BMS reports it."""
        return [reported.of_rack(frames) for frames in self._bms_frames]

    def heard_racks(self, now_us: int) -> list[dict[str, float]]:
        """[{name: value}] of the racks that are not silent."""
        heard = zip(self.reported_racks(), self.bms_us)
        return [each for each, heard_us in heard if now_us - heard_us <= BMS_SILENT_US]

    def reported_power_W(self) -> int | None:
        """Power that the converter reports; None before its first reply."""
        return self._power.last_W

    def pcs_us(self) -> int:
        """Time of the converter's last frame."""
        return self._heard_us("pcs", self.wiring.pcs_unit)

    def is_silent(self, now_us: int, bus: str, unit: int) -> bool:
        """True if the device was heard once, and not for BMS_SILENT_US."""
        heard_us = self._heard_us(bus, unit)
        return heard_us != NOT_HEARD and now_us - heard_us > BMS_SILENT_US

    def _heard_us(self, bus: str, unit: int) -> int:
        return self._buses[bus].replied_us.get(unit, NOT_HEARD) if bus in self._buses else NOT_HEARD

    def _check_silence(self, now_us: int) -> None:
        if self._silent or now_us - min(self.bms_us) > BMS_SILENT_US:
            for rack, heard_us in enumerate(self.bms_us):
                is_silent = now_us - heard_us > BMS_SILENT_US
                self._silence(now_us, heard_us, is_silent, "bms", f"rack {rack + 1}")
        bus = self._buses["pcs"]
        heard_us = bus.replied_us.get(self.wiring.pcs_unit, NOT_HEARD)
        # Without requests a device is not silent.
        is_silent = now_us - heard_us > 600_000 and bus.asked_us - heard_us > 300_000
        self._silence(now_us, heard_us, is_silent, "pcs", "")

    def _silence(self, now_us: int, heard_us: int, is_silent: bool, name: str, detail: str) -> None:
        """Note that a device falls silent or comes back. A device never heard is still starting."""
        key = (name, detail)
        if is_silent == (key in self._silent):
            return
        since_us = self._silent.setdefault(key, heard_us)
        if not is_silent:
            del self._silent[key]
        word, at_us = ("silent", since_us) if is_silent else ("back", now_us)
        if since_us != NOT_HEARD:
            self._event(at_us, f"{name}_{word}", detail)

    def _event(self, time_us: int, name: str, detail: str = "") -> None:
        self.timeline.append((time_us, name, detail))

    def _violated(self, time_us: int, text: str) -> None:
        if len(self.violations) < 50:
            self.violations.append(f"{time_us / 1e6:.3f} s: {text}")
