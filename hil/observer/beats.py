"""Notes when the controller repeats its periodic writes, and the set-points that it sent.

A beat is a write that must be repeated: set-point and heartbeat of a converter, coils of the I/O
modules, commands to the racks.
"""

import struct
from array import array

import numpy as np

from hil.observer.frames import CanTap, RtuTap, is_whole, verified
from hil.observer.wire_witness import COMMAND
from hil.observer.wiring import Wiring

SETPOINT, HEARTBEAT = "set-point", "heartbeat"
UNKNOWN_W = 1 << 40


class Beats:
    """`times_us`: {name of a beat: array('q') of the times at which its frames ended};
    `setpoints_W`: the powers in the writes named SETPOINT. For units after the first, the name ends
    in the unit, such as "heartbeat of unit 2".
    """

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        self.times_us: dict[str, array] = {}
        self.setpoints_W = array("q")

    def rtu_tap(self, bus: str, further: RtuTap) -> RtuTap:
        """tap(time_us, is_reply, data) for this bus, which passes each chunk on to `further`."""

        def tap(time_us: int, is_reply: int, data: bytes) -> None:
            """Note a write if it is complete and its CRC is right."""
            is_write = not is_reply and len(data) > 5 and data[1] in (5, 6, 15, 16)
            if is_write and is_whole(data, False) and verified(data):
                self._note(time_us, self._name(bus, data), data)
            further(time_us, is_reply, data)

        return tap

    def can_tap(self, bus: str, further: CanTap) -> CanTap:
        """tap(time_us, can_id, data) for this bus, which passes each frame on to `further`."""
        nodes = self._wiring.rack_nodes

        def tap(time_us: int, can_id: int, data: bytes) -> None:
            """Note a command to a rack."""
            rack = nodes.get((bus, (can_id >> 5) - 8)) if can_id & COMMAND == COMMAND else None
            if rack is not None:
                self._note(time_us, f"command to rack {rack + 1}", data)
            further(time_us, can_id, data)

        return tap

    def _name(self, bus: str, data: bytes) -> str | None:
        unit, address = data[0], data[2] << 8 | data[3]
        if (bus, unit) in self._wiring.inputs:
            return f"coils of module {unit}" if data[1] in (5, 15) else None
        places = [wiring.place for wiring in self._wiring.units]
        if (bus, unit) not in places:
            return None
        number = places.index((bus, unit))
        wiring = self._wiring.units[number]
        of_unit = f" of unit {number + 1}" if number > 0 else ""
        count = data[4] << 8 | data[5] if data[1] == 16 else 1
        written = range(address, address + count)
        is_setpoint = wiring.wset_address in written
        if wiring.write_decoder is not None:
            is_setpoint = wiring.write_decoder.touches(address, count)
        if is_setpoint:
            return SETPOINT + of_unit
        return None if wiring.opctl_address in written else HEARTBEAT + of_unit

    def _note(self, time_us: int, name: str | None, data: bytes) -> None:
        if name is not None:
            self.times_us.setdefault(name, array("q")).append(time_us)
        if name == SETPOINT:
            # SunSpec 704 WSet has 32 bits; a write of only one half contains no set-point.
            offset = 7 + 2 * (self._wiring.units[0].wset_address - (data[2] << 8 | data[3]))
            has_setpoint = data[1] == 16 and 7 <= offset <= len(data) - 6
            power_W = struct.unpack_from(">i", data, offset)[0] if has_setpoint else UNKNOWN_W
            self.setpoints_W.append(power_W)

    def packed(self) -> dict[str, bytes]:
        """{name: bytes}, to be stored in a file; unpacked() reads it."""
        return {name: times.tobytes() for name, times in self.times_us.items()}


def unpacked(content: dict[str, bytes]) -> dict[str, np.ndarray]:
    """{name: array of us}, from the result of Beats.packed."""
    return {name: np.frombuffer(data, np.int64) for name, data in content.items()}


def largest_gap_us(times_us: np.ndarray, from_us: int, to_us: int) -> int:
    """The largest gap between sorted beats that touches [from_us, to_us], us. If no beat lies
    outside on one side, the edge of the interval on that side counts as a beat.
    """
    first = max(0, int(np.searchsorted(times_us, from_us, "left")) - 1)
    after = int(np.searchsorted(times_us, to_us, "right")) + 1
    inside = times_us[first:after].tolist()
    if not inside or inside[0] > from_us:
        inside.insert(0, from_us)
    if inside[-1] < to_us:
        inside.append(to_us)
    return int(np.diff(inside).max())
