"""One row per second out of the frames: powers as the mean over the second, everything else as it
was at its end.

What was not measured lately is None: unknown is an age, never a value.
"""

from controller.core import setpoint
from safety import parameters as p
from safety import signals as s

COLUMNS = (
    "grid_W",
    "load_W",
    "battery_W",
    "setpoint_W",
    "low_W",
    "high_W",
    "soc_permille",
    "cell_mV_min",
    "cell_mV_max",
    "temperature_ddegC_max",
    "state",
    "reason",
)
SECOND_MS = 1000
KNOWN_MS = 2000  # a measurement older than this is left out


class Mean:
    """Mean of what was known in a second."""

    __slots__ = ("_sum", "_count")

    def __init__(self):
        self._sum = self._count = 0

    def add(self, value):
        """One sample, or None."""
        if value is not None:
            self._sum += value
            self._count += 1

    def take(self):
        """The mean, rounded towards zero, or None; and begin anew."""
        count = self._count
        mean = None if count == 0 else abs(self._sum) // count * (1 if self._sum >= 0 else -1)
        self._sum = self._count = 0
        return mean


class Seconds:
    """Feed it every frame, in order, after it was applied to `seen` (snapshot.Snapshot or
    alike).
    """

    def __init__(self, seen):
        self.seen = seen
        layout = seen.layout
        tick_ms = seen.reader.header["safety_image"][p.H_TICK_MS]
        self._second_ticks, self._known_ticks = (
            p.ticks(SECOND_MS, tick_ms),
            p.ticks(KNOWN_MS, tick_ms),
        )
        self._ticks, self._row_ticks = 0, self._second_ticks
        self._fresh_at = [-self._known_ticks] * layout.groups  # tick of the last news of each group
        self._means = tuple(Mean() for _ in range(4))
        self._power_groups = [
            layout.unit_group(unit, s.G_PCS_MEASURE) for unit in range(layout.units)
        ]
        self._power_at = [layout.unit_input(unit, s.PCS_POWER_W) for unit in range(layout.units)]

    def feed(self, frame):
        """The row of the second this frame ends, in the order of COLUMNS, or None."""
        self._ticks += frame.elapsed_ticks
        at = frame.fresh.find(1)
        while 0 <= at < len(self._fresh_at):
            self._fresh_at[at] = self._ticks
            at = frame.fresh.find(1, at + 1)
        self._sample()
        if self._ticks < self._row_ticks:
            return None
        self._row_ticks = (
            self._ticks + self._second_ticks - (self._ticks - self._row_ticks) % self._second_ticks
        )
        return self._row()

    def _known(self, group):
        return self._ticks - self._fresh_at[group] < self._known_ticks

    def _sample(self):
        inp = self.seen.inp
        grid, load, battery, wanted = self._means
        grid.add(inp[s.GRID_POWER_W] if self._known(s.G_METER_GRID) else None)
        load.add(inp[s.LOAD_POWER_W] if self._known(s.G_METER_LOAD) else None)
        known = all(self._known(group) for group in self._power_groups)
        battery.add(sum(inp[at] for at in self._power_at) if known else None)
        wanted.add(self.seen.chain(setpoint.O_SETPOINT_W))

    def _row(self):
        seen = self.seen
        soc = self._racks(s.G_BMS_CHARGE, s.SOC_PERMILLE)
        low, high = (
            self._racks(s.G_BMS_CELLS, index)
            for index in (s.CELL_VOLTAGE_MV_MIN, s.CELL_VOLTAGE_MV_MAX)
        )
        return (
            *[mean.take() for mean in self._means],
            seen.chain(setpoint.O_AVAILABLE_LOW_W),
            seen.chain(setpoint.O_AVAILABLE_HIGH_W),
            sum(soc) // len(soc) if soc else None,
            min(low) if low else None,
            max(high) if high else None,
            self._hottest(),
            s.STATES[seen.out[s.STATE]],
            seen.chain(setpoint.O_BINDING_REASON),
        )

    def _racks(self, group, index):
        """Values of a signal of every rack; empty when one of them is not known."""
        layout = self.seen.layout
        if not all(self._known(layout.rack_group(rack, group)) for rack in range(layout.racks)):
            return []
        return [self.seen.inp[layout.rack_input(rack, index)] for rack in range(layout.racks)]

    def _hottest(self):
        layout, inp = self.seen.layout, self.seen.inp
        if not all(
            self._known(layout.rack_group(rack, s.G_BMS_TEMPERATURES))
            for rack in range(layout.racks)
        ):
            return None
        firsts = [
            layout.rack_input(rack, s.MODULE_TEMPERATURE_DDEGC) for rack in range(layout.racks)
        ]
        return max(
            [value for first in firsts for value in inp[first : first + layout.modules]],
            default=None,
        )
