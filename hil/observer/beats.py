"""When the controller wrote what must go on: set-points and heartbeat of the converter, coils,
commands to the racks. And which set-points: what a hint does is seen there.

Read from the wires by the plant process, beside the observer; each write that must be renewed is a
beat with a name of its own.
"""

import struct
from array import array

import numpy as np

from hil.observer.frames import is_whole, verified

SETPOINT, HEARTBEAT = "set-point", "heartbeat"
UNKNOWN_W = 1 << 40
COMMAND = 0x1F  # native BMS ids: 0x100 + node * 0x20 + message


class Beats:
    """`times_us`: {name: array('q') of when its frames had passed}; `setpoints_W`: of those named
    SETPOINT.
    """

    def __init__(self, wiring):
        """wiring: hil.observer.observer.Wiring, which says where the converter keeps its
        set-point.
        """
        self._wiring = wiring
        self.times_us = {}
        self.setpoints_W = array("q")

    def rtu_tap(self, bus, further):
        """tap(time_us, is_reply, data) of that bus, which hands everything on to `further`."""

        def tap(time_us, is_reply, data):
            """Note a whole write with a right CRC; pass it on."""
            if (
                not is_reply
                and len(data) > 5
                and data[1] in (5, 6, 15, 16)
                and is_whole(data, False)
                and verified(data)
            ):
                self._note(time_us, self._name(bus, data), data)
            further(time_us, is_reply, data)

        return tap

    def can_tap(self, further):
        """tap(time_us, can_id, data) that hands everything on to `further`."""

        def tap(time_us, can_id, data):
            """Note a command to a rack; pass it on."""
            if can_id & 0x1F == COMMAND and 0 <= (can_id >> 5) - 9 < self._wiring.racks:
                self._note(time_us, f"command to rack {(can_id >> 5) - 8}", data)
            further(time_us, can_id, data)

        return tap

    def _name(self, bus, data):
        unit, address = data[0], data[2] << 8 | data[3]
        if bus == "io":
            return f"coils of module {unit}" if data[1] in (5, 15) else None
        if bus != "pcs" or unit != self._wiring.pcs_unit:
            return None
        after = address + (data[4] << 8 | data[5] if data[1] == 16 else 1)
        if address <= self._wiring.wset_address < after:
            return SETPOINT
        return None if address <= self._wiring.opctl_address < after else HEARTBEAT

    def _note(self, time_us, name, data):
        if name is not None:
            self.times_us.setdefault(name, array("q")).append(time_us)
        if name == SETPOINT:
            # SunSpec 704 WSet is 32 bits long; a write of half of it tells no set-point
            place = 7 + 2 * (self._wiring.wset_address - (data[2] << 8 | data[3]))
            whole = data[1] == 16 and place + 4 <= len(data) - 2
            power_W = struct.unpack_from(">i", data, place)[0] if whole else UNKNOWN_W
            self.setpoints_W.append(power_W)

    def packed(self):
        """{name: bytes}, for a file."""
        return {name: times.tobytes() for name, times in self.times_us.items()}


def unpacked(content):
    """{name: numpy array of us} of what `packed` made."""
    return {name: np.frombuffer(data, np.int64) for name, data in content.items()}


def largest_gap_us(times_us, from_us, to_us):
    """The largest silence that reaches into [from_us, to_us]: between two beats, or up to an edge
    without one.

    times_us: sorted numpy array.
    """
    first = max(0, int(np.searchsorted(times_us, from_us, "left")) - 1)
    after = int(np.searchsorted(times_us, to_us, "right")) + 1
    inside = times_us[first:after].tolist()
    if not inside or inside[0] > from_us:
        inside.insert(0, from_us)
    if inside[-1] < to_us:
        inside.append(to_us)
    return int(np.diff(inside).max())
