"""Means, extremes and energies of a long run for each 1 s, 10 s and 15 min, written to files.

The files are `windows_LENGTHs.bin` with rows of WINDOW. A closed window is added to the next longer
one, so memory does not grow.
"""

import operator
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np

LENGTHS_S = (1, 10, 900)
POWERS = ("load", "grid", "battery")
ENERGIES = ("import", "export", "charge", "discharge")
WINDOW = np.dtype(
    [("end_s", "<f8")]
    + [(f"{name}_W{end}", "<f4") for name in POWERS for end in ("", "_min", "_max")]
    + [(f"{name}_Wh", "<f4") for name in ENERGIES]
    + [("soc_permille", "<f4"), ("degC_max", "<f4")]
)
_ROW = struct.Struct("<d15f")
JOULE_PER_WH = 3600.0


class Window:
    """Sums over the time so far; power in W, energy in J."""

    __slots__ = ("energies_J", "highest_W", "lowest_W", "sums_J", "time_s")

    def __init__(self) -> None:
        self.time_s = 0.0
        self.sums_J, self.energies_J = [0.0] * 3, [0.0] * 4
        self.lowest_W, self.highest_W = [1e12] * 3, [-1e12] * 3

    def take(self, dt_s: float, powers_W: Sequence[float]) -> None:
        """Add powers (load, grid, battery) that held for dt_s."""
        self.time_s += dt_s
        sums, low, high = self.sums_J, self.lowest_W, self.highest_W
        for index, power_W in enumerate(powers_W):
            sums[index] += power_W * dt_s
            if power_W < low[index]:
                low[index] = power_W
            if power_W > high[index]:
                high[index] = power_W
        _, grid_W, battery_W = powers_W
        self.energies_J[0 if grid_W > 0 else 1] += abs(grid_W) * dt_s
        self.energies_J[3 if battery_W > 0 else 2] += abs(battery_W) * dt_s

    def join(self, ended: "Window") -> None:
        """Add a window that has ended."""
        self.time_s += ended.time_s
        self.sums_J = [*map(operator.add, self.sums_J, ended.sums_J)]
        self.energies_J = [*map(operator.add, self.energies_J, ended.energies_J)]
        self.lowest_W = [*map(min, self.lowest_W, ended.lowest_W)]
        self.highest_W = [*map(max, self.highest_W, ended.highest_W)]

    def row(self, end_s: float, soc_permille: float, degC: float) -> bytes:
        """One row of WINDOW."""
        powers = []
        for sum_J, low_W, high_W in zip(self.sums_J, self.lowest_W, self.highest_W):
            powers += [sum_J / self.time_s, low_W, high_W]
        energies_Wh = [energy_J / JOULE_PER_WH for energy_J in self.energies_J]
        return _ROW.pack(end_s, *powers, *energies_Wh, soc_permille, degC)


class Windows:
    """Call `add` with each sample, in order of time; then `close`, then read `total`."""

    def __init__(self, folder: Path | None = None, begin_s: float = 0.0) -> None:
        """folder: for the files; None: no files. begin_s: samples before it are left out."""
        self.total, self.soc_permille, self.degC_max = Window(), 0.0, -273.0
        self.peak_import_W = 0.0  # highest mean of 15 min
        self.soc_permille_begin: float | None = None
        self._begin_s = self._last_s = begin_s
        self._open = [Window() for _ in LENGTHS_S]
        self._ends_s = [begin_s + length_s for length_s in LENGTHS_S]
        self._files = [
            open(folder / f"windows_{length_s}s.bin", "wb") if folder else None
            for length_s in LENGTHS_S
        ]

    def add(self, t_s: float, powers_W: Sequence[float], soc_permille: float, degC: float) -> None:
        """Add powers (load, grid, battery) that held from the last sample to t_s."""
        if t_s <= self._begin_s:
            return
        if self.soc_permille_begin is None:
            self.soc_permille_begin = soc_permille
        self._open[0].take(t_s - self._last_s, powers_W)
        self._last_s, self.soc_permille = t_s, soc_permille
        if degC > self.degC_max:
            self.degC_max = degC
        if t_s >= self._ends_s[0] - 1e-6:
            self._end(0, t_s, degC)

    def _end(self, index: int, t_s: float, degC: float) -> None:
        """Close a window and the longer ones that end with it."""
        window, file = self._open[index], self._files[index]
        if not window.time_s:
            return
        if file is not None:
            file.write(window.row(t_s, self.soc_permille, degC))
        self._open[index] = Window()
        self._ends_s[index] += LENGTHS_S[index]
        longer = self._open[index + 1] if index + 1 < len(LENGTHS_S) else self.total
        longer.join(window)
        if index + 1 == len(LENGTHS_S):
            self.peak_import_W = max(self.peak_import_W, window.sums_J[1] / window.time_s)
        elif t_s >= self._ends_s[index + 1] - 1e-6:
            self._end(index + 1, t_s, degC)

    def close(self) -> None:
        """End the unfinished windows and the files."""
        for index in range(len(LENGTHS_S)):
            self._end(index, self._last_s, self.degC_max)
        for file in self._files:
            if file is not None:
                file.close()

    def figures(self) -> dict[str, float]:
        """{name: figure} of all samples."""
        total = self.total
        figures = {
            f"{name}_Wh": energy_J / JOULE_PER_WH
            for name, energy_J in zip(ENERGIES, total.energies_J)
        }
        figures |= {f"{name}_W_max": power_W for name, power_W in zip(POWERS, total.highest_W)}
        return figures | {
            "time_s": total.time_s,
            "import_15min_W_max": self.peak_import_W,
            "soc_permille_begin": self.soc_permille_begin or 0.0,
            "soc_permille_end": self.soc_permille,
            "degC_max": self.degC_max,
        }
