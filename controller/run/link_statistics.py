"""The counters of the buses in a mapped file: the loop writes once a second, any process reads.

An entry has the name of a bus, an address, and numbers whose meaning follows from the address:

    unit id              counters of an RTU unit
    -1, -2               counters of a CAN bus; counters of bytes that nobody requested
    METER_ADDRESS on     report of a meter
    RACK_ADDRESS on      report of a BMS
    SERIAL_ADDRESS on    bytes of a serial number
    STATE_ADDRESS on     number of a state that the profile of the device does not name
    SPENT_ADDRESS on     number of writes today to a device whose budget of the day is spent

While the number in the head is odd, a write is not finished, so a reader must read again.
"""

import struct
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from controller.system import regular_file
from drivers import can_dialect, serial_number
from drivers.buses.unit import UnitStatistics
from drivers.meter import Meter
from drivers.register_bms import RegisterBms
from drivers.serial_number import BYTES_MAX, SerialNumber

if TYPE_CHECKING:  # a page that only reads the file must not load the buses
    from controller.run.can_bus import CanBus
    from drivers.buses.port import RtuPort

HEAD = struct.Struct("<8sII")  # magic, number of the write (odd while it is being made), entries
NAME_BYTES = 32  # as long as a name may be (config/schema.py)
RTU_COUNTERS = UnitStatistics.COUNTERS
ENTRY = struct.Struct(f"<{NAME_BYTES}si{len(RTU_COUNTERS)}q")
MAGIC = b"FBLINK\x00\x04"
CAN_COUNTERS = tuple("received sent foreign error_frames bus_offs full losses state".split())
METER_ADDRESS = 1000  # plus the unit id
RACK_ADDRESS = 2000  # plus the node, or the unit id
SERIAL_ADDRESS = 3000  # plus the unit id
STATE_ADDRESS = 4000  # plus the node, or the unit id
SPENT_ADDRESS = 5000  # plus the unit id
SERIAL = struct.Struct(f"<{BYTES_MAX // 8}q")
ENTRIES_MAX = 128
WRITE_US = 1_000_000
TRIES = 100
CAN_ADDRESS = -1


def _named(names: Sequence[str]) -> Callable[[list[int]], dict[str, int]]:
    return lambda values: dict(zip(names, values))


def _serial(values: list[int]) -> str:
    return serial_number.shown(SERIAL.pack(*values[: BYTES_MAX // 8]).rstrip(b"\0"))


# {kind of an entry: (its first address, function that decodes its numbers)}, by rising address
KINDS: dict[str, tuple[int, Callable[[list[int]], Any]]] = {
    "units": (0, _named(RTU_COUNTERS)),
    "meters": (METER_ADDRESS, _named(Meter.REPORT)),
    "racks": (RACK_ADDRESS, _named(can_dialect.REPORT)),
    "serials": (SERIAL_ADDRESS, _serial),
    "states": (STATE_ADDRESS, itemgetter(0)),
    "spent": (SPENT_ADDRESS, itemgetter(0)),
}


class LinkStatistics:
    """Writer. Call `note` in every tick; it writes once a second."""

    def __init__(
        self,
        path: str,
        ports: Mapping[str, "RtuPort"],
        can_ports: Mapping[str, object],
        cans: Mapping[str, "CanBus"],
        drivers: Mapping[tuple[str, int], object],
        serials: Mapping[tuple[str, int], SerialNumber] = MappingProxyType({}),
    ):
        """Make a new file. Raises OSError.

        ports: the RTU port of each bus.
        can_ports: the port of each CAN bus; it has the attributes CAN_COUNTERS.
        cans: the CanBus of each CAN bus.
        drivers: each driver on an RTU bus, by bus and unit id.
        serials: each serial number, by bus and unit id.
        """
        self._ports, self._can_ports, self._cans = ports, can_ports, cans
        self._drivers, self._serials = drivers, serials
        self._number = self._due_us = 0
        self._map = regular_file.mapped(path, HEAD.size + ENTRIES_MAX * ENTRY.size)

    def note(self, now_us: int) -> None:
        """Write the counters once a second."""
        if now_us < self._due_us:
            return
        self._due_us = now_us + WRITE_US
        entries = self._entries(now_us)[:ENTRIES_MAX]
        HEAD.pack_into(self._map, 0, MAGIC, self._number + 1, 0)
        for place, entry in enumerate(entries):
            ENTRY.pack_into(self._map, HEAD.size + place * ENTRY.size, *entry)
        self._number = self._number + 2 & 0xFFFFFFFE
        HEAD.pack_into(self._map, 0, MAGIC, self._number, len(entries))

    def _entries(self, now_us: int) -> list[tuple[Any, ...]]:
        counted: list[tuple[Any, ...]] = [
            (name, address, *[getattr(unit, counter) for counter in RTU_COUNTERS])
            for name, port in self._ports.items()
            for address, unit in port.statistics.items()
        ]
        counted += [
            (name, CAN_ADDRESS, *[getattr(port, counter) for counter in CAN_COUNTERS])
            for name, port in self._can_ports.items()
        ]
        counted += [
            (name, RACK_ADDRESS + node, *report)
            for name, bus in self._cans.items()
            for node, report in bus.reports(now_us)
        ]
        for (name, unit_id), driver in self._drivers.items():
            if isinstance(driver, Meter):
                counted.append((name, METER_ADDRESS + unit_id, *driver.report()))
            if isinstance(driver, RegisterBms):
                counted.append((name, RACK_ADDRESS + unit_id, *driver.report(now_us)))
            if (raw := getattr(driver, "unnamed", None)) is not None:
                counted.append((name, STATE_ADDRESS + unit_id, raw))
            if (wear := getattr(driver, "wear", None)) and wear.is_spent(now_us):
                counted.append((name, SPENT_ADDRESS + unit_id, wear.spent))
        counted += [
            (
                name,
                SERIAL_ADDRESS + unit_id,
                *SERIAL.unpack(serial.text.encode().ljust(BYTES_MAX, b"\0")),
            )
            for (name, unit_id), serial in self._serials.items()
        ]
        entries = []
        for name, *numbers in counted:
            numbers += [0] * (1 + len(RTU_COUNTERS) - len(numbers))
            entries.append((name.encode()[:NAME_BYTES], *numbers))
        return entries

    def close(self) -> None:
        """Release the mapping. The file stays."""
        self._map.close()


def read(path: str) -> dict[str, dict[Any, Any]] | None:
    """{"units": {(bus, address): {counter: value}}, "meters" and "racks": likewise, "buses": {bus:
    ...}, "serials": {(bus, address): text}, "states": {(bus, address): raw state without a name},
    "spent": {(bus, address): writes}}; None: there is no file, or it is not whole.
    """
    for _ in range(TRIES):
        content = regular_file.content(path)
        if len(content) < HEAD.size or not content.startswith(MAGIC):
            return None
        _, number, count = HEAD.unpack_from(content)
        if not number & 1:
            count = min(count, ENTRIES_MAX)
            is_whole = len(content) >= HEAD.size + count * ENTRY.size
            return _decoded(content, count) if is_whole else None
    return None


def _decoded(content: bytes, count: int) -> dict[str, dict[Any, Any]]:
    statistics: dict[str, dict[Any, Any]] = {kind: {} for kind in ("buses", *KINDS)}
    for place in range(count):
        name, address, *values = ENTRY.unpack_from(content, HEAD.size + place * ENTRY.size)
        name = name.rstrip(b"\0").decode("ascii", "replace")
        if address < 0:
            counters = CAN_COUNTERS if address == CAN_ADDRESS else RTU_COUNTERS
            statistics["buses"][name] = dict(zip(counters, values))
            continue
        kind = [key for key, (first, _) in KINDS.items() if address >= first][-1]
        first, decode = KINDS[kind]
        statistics[kind][name, address - first] = decode(values)
    return statistics
