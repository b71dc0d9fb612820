"""Makes a row per second for the record. Powers are means, other values those at its end.

Old values and values of a frozen meter are None.
"""

import contextlib
from array import array

from controller.core.base import setpoint
from controller.core.image import places
from controller.core.site_devices import bridging
from controller.core.site_devices.layout import SiteDevice, devices_of, words
from controller.core.site_devices.signals_view import Site
from controller.journal.frame import Frame
from controller.journal.heard import OfFrames
from controller.journal.snapshot import Snapshot
from controller.recorder.able import Able
from safety import parameters as p, signals as s

COLUMNS = tuple(
    "grid_W load_W battery_W setpoint_W low_W high_W soc_permille cell_mV_min cell_mV_max "
    "temperature_ddegC_max state reason".split()
)
SECOND_MS = 1000
KNOWN_MS = 2000  # a measurement older than this is left out


class Seconds:
    """Makes the rows. Feed it every frame, in order, after the frame was applied to `seen`."""

    def __init__(self, seen: Snapshot):
        self.seen = seen
        tick_ms = seen.reader.header["safety_image"][p.H_TICK_MS]
        self._second_ticks = p.ticks(SECOND_MS, tick_ms)
        self._known_ticks = p.ticks(KNOWN_MS, tick_ms)
        self._ticks, self._due_ticks = 0, self._second_ticks
        self._heard = OfFrames(seen.reader.header["safety_image"], seen.layout)
        self.site = _site_of(seen, tick_ms)
        self._load_caps = self.site.of_role("load_cap")
        self._upses = self.site.of_role(bridging.ROLE)
        self.able = Able(seen, self._known)
        # for grid, load, battery and set-point: the values of all frames of this second, if known
        self._powers: list[list[int]] = [[], [], [], []]
        self.now: tuple[list[int], ...] = ([], [], [], [])  # the values of the newest frame

    @property
    def lowered_W(self) -> int | None:
        """Power by which schedulers report that they have lowered the load.

        None if there is no such device, or while a report is too old.
        """
        reported_W = [load_cap.value("lowered_W") for load_cap in self._load_caps]
        known = [power_W for power_W in reported_W if power_W is not None]
        return sum(known) if reported_W and len(known) == len(reported_W) else None

    @property
    def ups_Wh(self) -> int | None:
        """Energy that the UPS of the load can give (bridging.total_Wh)."""
        return bridging.total_Wh(self._upses)

    def feed(self, frame: Frame) -> tuple | None:
        """The row of the second that this frame ends, in the order of COLUMNS, or None."""
        self._ticks += frame.elapsed_ticks
        self._heard.feed(frame, self.seen.inp)
        if self._load_caps or self._upses:
            self.site.step(frame.fresh[self.seen.layout.groups :], frame.elapsed_ticks)
        self.now = self._powers_now()
        for powers, now in zip(self._powers, self.now):
            powers += now
        late_ticks = self._ticks - self._due_ticks
        if late_ticks < 0:
            return None
        self._due_ticks = self._ticks + self._second_ticks - late_ticks % self._second_ticks
        return self._row()

    def _known(self, *groups: int) -> bool:
        """True if no group is old or frozen."""
        heard, most_ticks = self._heard, self._known_ticks
        return all(
            heard.age_ticks(group) < most_ticks and not heard.is_frozen(group) for group in groups
        )

    def _powers_now(self) -> tuple[list[int], ...]:
        """The values of each power in this frame; [] if the power is not known."""
        inp, layout = self.seen.inp, self.seen.layout
        units = range(layout.units)
        battery_W = [sum(inp[layout.unit_input(unit, s.PCS_POWER_W)] for unit in units)]
        groups = [layout.unit_group(unit, s.G_PCS_MEASURE) for unit in units]
        return (
            [inp[s.GRID_POWER_W]] if self._known(s.G_METER_GRID) else [],
            [inp[s.LOAD_POWER_W]] if self._known(s.G_METER_LOAD) else [],
            battery_W if self._known(*groups) else [],
            [self.seen.chain(setpoint.O_SETPOINT_W)],
        )

    def _row(self) -> tuple:
        seen, powers = self.seen, self._powers
        self._powers = [[], [], [], []]
        socs_permille = self._racks(s.G_BMS_CHARGE, s.SOC_PERMILLE)
        temperatures = self._racks(
            s.G_BMS_TEMPERATURES, s.MODULE_TEMPERATURE_DDEGC, seen.layout.modules
        )
        return (
            *map(_mean, powers),
            seen.chain(setpoint.O_AVAILABLE_LOW_W),
            seen.chain(setpoint.O_AVAILABLE_HIGH_W),
            sum(socs_permille) // len(socs_permille) if socs_permille else None,
            min(self._racks(s.G_BMS_CELLS, s.CELL_VOLTAGE_MV_MIN), default=None),
            max(self._racks(s.G_BMS_CELLS, s.CELL_VOLTAGE_MV_MAX), default=None),
            max(temperatures, default=None),
            s.STATES[seen.out[s.STATE]],
            seen.chain(setpoint.O_BINDING_REASON),
        )

    def health_permille(self) -> int | None:
        """State of health of the most worn rack; None while a rack's state of health is unknown."""
        return min(self._racks(s.G_BMS_CHARGE, s.SOH_PERMILLE), default=None)

    def _racks(self, group: int, index: int, count: int = 1) -> list[int]:
        """Values of `count` signals of every rack; [] if the signals of one rack are not known."""
        layout = self.seen.layout
        racks = range(layout.racks)
        if not self._known(*[layout.rack_group(rack, group) for rack in racks]):
            return []
        firsts = [layout.rack_input(rack, index) for rack in racks]
        return [value for first in firsts for value in self.seen.inp[first : first + count]]


def _site_of(seen: Snapshot, tick_ms: int) -> Site:
    """The site devices of a journal; none if another version wrote the journal."""
    header, devices = seen.reader.header, tuple[SiteDevice, ...]()
    with contextlib.suppress(ValueError):
        devices = devices_of(header.get("site_image", array("i")))
    first = places(seen.layout, devices)["site"].start
    if header["input_names"][first:] != [name for device in devices for name in words(device)]:
        devices = ()
    return Site(devices, seen.inp, first, tick_ms)


def _mean(values: list[int]) -> int | None:
    """The mean, rounded towards zero; None without values."""
    if not values:
        return None
    total = sum(values)
    return abs(total) // len(values) * (1 if total >= 0 else -1)
