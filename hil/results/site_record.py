"""Means of the powers and charges of a site over a run, in memory that does not grow.

When ROWS_MAX windows are full, each pair of neighbours becomes one window of twice the length.
"""

import math
from collections.abc import Sequence

import numpy as np

from hil.plant.cabinet import CabinetPlant
from hil.site.parts import FEEDING
from hil.site.site import ON_GRID, Site

ROWS_MAX = 3600
POWERS = ("load", "grid", *FEEDING)


def powers_W(site: Site) -> dict[str, float]:
    """Present powers of POWERS that the site has, and of all batteries together."""
    site_W = {"load": site.load_power_W, "grid": site.grid_power_W}
    for part in site.parts:
        if part.kind in POWERS:
            site_W[part.kind] = site_W.get(part.kind, 0.0) + part.feeds_W
    return site_W | {"battery": site.battery_W}


class SiteRecord:
    """Call `see` after each step, then read `columns`."""

    def __init__(self, members: int) -> None:
        self._members, self._length_us = members, 1_000_000
        width = len(POWERS) + 1 + 2 * members
        self._rows, self._count = np.zeros((ROWS_MAX, width)), 0
        self._sums, self._steps = np.zeros(width), 0
        self._end_us = self._length_us

    def see(self, now_us: int, site: Site, plants: Sequence[CabinetPlant]) -> None:
        """Add the step that ended at now_us."""
        site_W = powers_W(site)
        self._sums += (
            *(site_W.get(name, 0.0) for name in POWERS),
            site.source != ON_GRID,
            *(plant.battery_W for plant in plants),
            *(math.fsum([rack.soc for rack in plant.racks]) / len(plant.racks) for plant in plants),
        )
        self._steps += 1
        if now_us >= self._end_us:
            self._close()

    def _close(self) -> None:
        self._rows[self._count] = self._sums / self._steps
        self._sums[:], self._steps = 0.0, 0
        self._count += 1
        if self._count == ROWS_MAX:
            self._count //= 2
            self._rows[: self._count] = (self._rows[::2] + self._rows[1::2]) / 2
            self._length_us *= 2
        self._end_us += self._length_us

    def columns(self) -> dict[str, np.ndarray]:
        """{t_s: end of each window; POWERS, battery_1, ...: W; soc_1, ...: %; off_grid: share}."""
        numbers = range(1, self._members + 1)
        batteries = [f"battery_{number}" for number in numbers]
        socs = [f"soc_{number}" for number in numbers]
        rows = self._rows[: self._count].T
        columns = dict(zip((*POWERS, "off_grid", *batteries, *socs), rows))
        t_s = np.arange(1, self._count + 1) * (self._length_us / 1e6)
        return columns | {"t_s": t_s} | {name: 100 * columns[name] for name in socs}

    @property
    def window_s(self) -> float:
        """Length of a window."""
        return self._length_us / 1e6
