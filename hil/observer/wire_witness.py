"""Reads every wire: the controller's writes and the devices' replies. Notes silent devices."""

import functools

from hil.observer import reported
from hil.observer.frames import BusTap, CanTap, RtuTap
from hil.observer.latches import Latches
from hil.observer.unit_witness import UnitWitness
from hil.observer.wiring import UNSEEN, Place, Wiring

BMS_SILENT_US = 400_000  # four times the period of the BMS, which is 100 ms
NOT_HEARD = -1
FRAME_BYTES = 8  # every frame from or to a native BMS has 8 bytes
COMMAND = 0x1F  # message number of a command to a native BMS; id: 0x100 + node * 0x20 + message


class WireWitness:
    """Input: `rtu_tap(bus)` and `can_tap(bus)`. All times in us."""

    def __init__(self, wiring: Wiring) -> None:
        self.wiring = wiring
        self.timeline: list[tuple[int, str, str]] = []
        self.violations: list[str] = []
        self.start_us = 0  # when the controller started
        self.units = [
            UnitWitness(unit, wiring.scope(number), self._event)
            for number, unit in enumerate(wiring.units)
        ]
        self._unit_at = {unit.wiring.place: unit for unit in self.units}
        self._buses = self._taps()
        self.bms_us = [NOT_HEARD] * wiring.racks
        self._bms_frames: list[dict[int, bytes]] = [{} for _ in range(wiring.racks)]
        self.latches = Latches()
        self._contacts: dict[Place, int] = {}
        self._silent: dict[tuple[str, str], int] = {}
        self._forget_written()

    def _taps(self) -> dict[str, BusTap]:
        """A tap for each bus with a converter, or with a module that the start checklist needs."""
        contacts = [place for place, mask in self.wiring.checklist_contacts.items() if mask]
        io_buses = {bus for bus, _ in contacts} | {bus for bus, _, _ in self.wiring.coils}
        return {
            bus: BusTap(
                functools.partial(self._request, bus),
                functools.partial(self._io_reply, bus) if bus in io_buses else None,
            )
            for bus in io_buses | {bus for bus, _ in self._unit_at}
        }

    def _forget_written(self) -> None:
        """Forget the last writes on the wires."""
        self._commands = [0] * self.wiring.racks
        self._coils: dict[str, int] = {}
        for unit in self.units:
            unit.forget()

    @property
    def setpoint_W(self) -> int:
        """Sum of the last set-points sent to all converters."""
        return sum([unit.setpoint_W for unit in self.units])

    def rtu_tap(self, bus: str) -> RtuTap:
        """tap(time_us, is_reply, data) for the bus of that name."""
        tap = self._buses.setdefault(bus, BusTap()).tap
        takers = [unit.see for place, unit in self._unit_at.items() if place[0] == bus]
        if not takers:
            return tap

        def both(time_us: int, is_reply: int, data: bytes) -> None:
            """Note the power in the chunk, and pass the chunk on."""
            for see in takers:
                see(is_reply, data)
            tap(time_us, is_reply, data)

        return both

    def can_tap(self, bus: str) -> CanTap:
        """tap(time_us, can_id, data) for this CAN bus. Id: 0x100 + node * 0x20 + message."""
        first_ids = {
            0x100 + node * 0x20: rack
            for (rack_bus, node), rack in self.wiring.rack_nodes.items()
            if rack_bus == bus
        }
        reporting = {
            first_id + message: rack
            for first_id, rack in first_ids.items()
            for message in range(COMMAND)
        }
        commanded = {first_id + COMMAND: rack for first_id, rack in first_ids.items()}

        def tap(time_us: int, can_id: int, data: bytes) -> None:
            """Note a frame from a BMS or a command to a BMS."""
            if len(data) != FRAME_BYTES:
                return
            rack = reporting.get(can_id)
            if rack is not None:
                self.bms_us[rack] = time_us
                self._bms_frames[rack][can_id & COMMAND] = data
            elif can_id in commanded:
                self._command(time_us, commanded[can_id], data)

        return tap

    def _command(self, time_us: int, rack: int, data: bytes) -> None:
        if data[0] != self._commands[rack]:
            self._commands[rack] = data[0]
            name = "bms_close_sent" if data[0] else "bms_open_sent"
            self._event(time_us, name, f"rack {rack + 1}")
            if data[0]:
                self._check_checklist(time_us, rack)
                for stage in self.latches.stages:
                    text = f"rack {rack + 1} got a close command while row {stage} is latched"
                    self._violated(time_us, text)

    def _request(self, bus: str, time_us: int, frame: bytes) -> None:
        unit = self._unit_at.get((bus, frame[0]))
        if unit is not None:
            unit.request(time_us, frame)
        else:
            self._io_request(bus, time_us, frame)

    def _io_request(self, bus: str, time_us: int, frame: bytes) -> None:
        unit, function, address = frame[0], frame[1], frame[2] << 8 | frame[3]
        if function == 15:
            bits, count = int.from_bytes(frame[7:-2], "little"), frame[4] << 8 | frame[5]
            levels = {address + offset: bits >> offset & 1 for offset in range(count)}
        elif function == 5:
            levels = {address: int(frame[4] == 0xFF)}
        else:
            return
        for coil, level in levels.items():
            name = self.wiring.coils.get((bus, unit, coil))
            if name is not None and self._coils.get(name, 0) != level:
                self._coils[name] = level
                self._event(time_us, f"{name}_{'on' if level else 'off'}_sent")

    def _io_reply(self, bus: str, time_us: int, frame: bytes) -> None:
        unit, function, _, bits = frame[:4]
        if function != 2:
            return
        module = bus, unit
        changed = bits ^ self._contacts.get(module, ~bits)
        self._contacts[module] = bits
        for bit, name in enumerate(self.wiring.inputs.get(module, ())):
            if name and changed >> bit & 1:
                level = "closed" if bits >> bit & 1 else "open"
                self._event(time_us, f"{name}_{level}_seen")
                self.latches.contact(time_us, name, level == "closed")

    def _check_checklist(self, time_us: int, rack: int) -> None:
        """Report a close command that the controller sent before its start checklist was met."""
        pcs = self.units[self.wiring.unit_of_rack[rack]].wiring.place
        missing = [
            f"{bus} unit {unit}"
            for bus, unit in (*self.wiring.checklist_units, pcs)
            if (bus, unit) != UNSEEN and self._heard_us(bus, unit) < self.start_us
        ]
        if self.bms_us[rack] < self.start_us:
            missing.append(f"BMS {rack + 1}")
        missing += [
            f"contacts of I/O module {module[1]}"
            for module, mask in self.wiring.checklist_contacts.items()
            if self._contacts.get(module, 0) & mask != mask
        ]
        if missing:
            text = f"rack {rack + 1} got a close command, the start checklist lacks "
            self._violated(time_us, text + ", ".join(missing))

    def reported_rack(self, rack: int) -> dict[str, float]:
        """{name: value} from the BMS of this rack; the first rack is 0."""
        return reported.of_rack(self._bms_frames[rack])

    def heard_racks(self, now_us: int) -> list[dict[str, float]]:
        """[{name: value}], one for each rack whose BMS is not silent."""
        return [
            self.reported_rack(rack)
            for rack, heard_us in enumerate(self.bms_us)
            if now_us - heard_us <= BMS_SILENT_US
        ]

    def pcs_us(self, unit: UnitWitness) -> int:
        """Time of the converter's last frame, us; NOT_HEARD if it has sent none."""
        return self._heard_us(*unit.wiring.place)

    def is_silent(self, now_us: int, bus: str, unit: int) -> bool:
        """True if the device was heard before, but not within the last BMS_SILENT_US."""
        heard_us = self._heard_us(bus, unit)
        return heard_us != NOT_HEARD and now_us - heard_us > BMS_SILENT_US

    def _heard_us(self, bus: str, unit: int) -> int:
        return self._buses[bus].replied_us.get(unit, NOT_HEARD) if bus in self._buses else NOT_HEARD

    def _check_silence(self, now_us: int) -> None:
        if self._silent or now_us - min(self.bms_us) > BMS_SILENT_US:
            for rack, heard_us in enumerate(self.bms_us):
                is_silent = now_us - heard_us > BMS_SILENT_US
                self._silence(now_us, heard_us, is_silent, "bms", f"rack {rack + 1}")
        for unit in self.units:
            heard_us, asked_us = self.pcs_us(unit), self._buses[unit.wiring.place[0]].asked_us
            # A device is silent only if it leaves requests unanswered.
            is_silent = now_us - heard_us > 600_000 and asked_us - heard_us > 300_000
            self._silence(now_us, heard_us, is_silent, "pcs", unit.scope)

    def _silence(self, now_us: int, heard_us: int, is_silent: bool, name: str, detail: str) -> None:
        """Note when a device becomes silent or answers again. heard_us: time of its last frame. A
        device that was never heard counts as starting, not as silent.
        """
        key = (name, detail)
        if is_silent == (key in self._silent):
            return
        since_us = self._silent.setdefault(key, heard_us)
        if not is_silent:
            del self._silent[key]
        change, time_us = ("silent", since_us) if is_silent else ("back", now_us)
        if since_us != NOT_HEARD:
            self._event(time_us, f"{name}_{change}", detail)

    def _event(self, time_us: int, name: str, detail: str = "") -> None:
        self.timeline.append((time_us, name, detail))

    def _violated(self, time_us: int, text: str) -> None:
        if len(self.violations) < 50:
            self.violations.append(f"{time_us / 1e6:.3f} s: {text}")
