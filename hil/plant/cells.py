"""Cells of one module in series: voltage, resistance, lowest and highest cell. SOC is 0..1.

The tables are round numbers with the well-known shape of LFP against graphite: a knee below 10 %,
plateaus around 3.30 and 3.34 V, a wall above 99 %. The ohmic resistance of a 280 Ah cell is usually
0.18 mohm. Both parts together, the ohmic and the slower one, are the DC resistance of a 3 Ah LFP
cell, scaled by capacity.
"""

import math
import random

from hil.plant import tables

OCV_V = tables.Table(
    (
        (-0.05, 1.20),
        (-0.02, 2.00),
        (0.00, 2.40),
        (0.005, 2.66),
        (0.01, 2.78),
        (0.02, 2.90),
        (0.04, 3.03),
        (0.06, 3.10),
        (0.08, 3.155),
        (0.10, 3.19),
        (0.15, 3.214),
        (0.20, 3.236),
        (0.25, 3.256),
        (0.30, 3.270),
        (0.40, 3.290),
        (0.50, 3.299),
        (0.60, 3.304),
        (0.70, 3.311),
        (0.75, 3.320),
        (0.80, 3.332),
        (0.85, 3.339),
        (0.90, 3.342),
        (0.95, 3.345),
        (0.98, 3.351),
        (0.99, 3.365),
        (0.995, 3.395),
        (1.00, 3.50),
        (1.02, 3.75),
        (1.05, 4.30),
    ),
    0.005,
)
R_OF_TEMPERATURE = tables.Table(
    (
        (-30.0, 5.5),
        (-20.0, 4.0),
        (-10.0, 2.7),
        (0.0, 1.9),
        (10.0, 1.42),
        (25.0, 1.0),
        (40.0, 0.79),
        (60.0, 0.74),
    ),
    5.0,
)
R_OF_SOC = tables.Table(
    ((0.0, 1.30), (0.10, 1.15), (0.20, 1.05), (0.50, 1.0), (0.90, 1.02), (1.0, 1.05)), 0.05
)
OHMIC_OHM_280AH = 0.18e-3
POLARISATION_OHM_280AH = 0.25e-3
POLARISATION_S = 40.0
CAPACITY_SIGMA = 0.004  # cells of one grade differ by a few tenths of a percent
BALANCE_SIGMA = 0.002  # error in SOC that a top balancer leaves
# Error of the measurement and hysteresis. Without current, cells of a rack differ by 10 to 30 mV.
OFFSET_SIGMA_V = 0.002
RESISTANCE_SIGMA = 0.03
COLLAPSE_S = 3.0  # time from full voltage to a short circuit inside the cell
REMAINING_V = 0.05
# One cell: slope of its depth, shift in SOC, offset in V, resistance factor, position
Cell = tuple[float, float, float, float, int]
POSITION_STRIDE = 32  # position = module * 32 + cell, as the BMS reports it

_SURVEY_SOC = (0.0, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.75, 0.9, 0.98, 1.0)


def resistance_factor(soc: float, temperature_degC: float) -> float:
    """Resistance relative to the resistance at 25 degC and half charge."""
    return R_OF_TEMPERATURE.at(temperature_degC) * R_OF_SOC.at(soc)


def scaled_ohm(ohm_280Ah: float, capacity_Ah: float) -> float:
    """Resistance of a cell of another capacity and the same kind, ohm."""
    return ohm_280Ah * 280.0 / capacity_Ah


class ModuleCells:
    """Top-balanced cells in series carry the same charge: cell SOC = 1 - depth * slope - shift."""

    def __init__(self, module: int, count: int, random: random.Random) -> None:
        """module: index in the rack; count: cells in series; random: draws how the cells differ."""
        self.count = count
        self.cells = [_dealt_cell(module * POSITION_STRIDE + i, random) for i in range(count)]
        self.mean_slope, self.mean_shift, self.mean_offset_V, self.mean_resistance = (
            math.fsum(cell[k] for cell in self.cells) / count for k in range(4)
        )
        self.extremes = _ever_extreme(self.cells)
        self.fault_offsets_V: dict[int, float] = {}  # {cell with a fault: V}
        # {cell: (target of its fault offset in V, rate in V/s)}
        self.moving: dict[int, tuple[float, float]] = {}
        self.emf_V = self.resistance_ohm = 0.0
        self.low = self.high = (0.0, 0.0, 0.0, 0)

    def offset_cell(self, cell: int, offset_V: float) -> None:
        """Fault: the cell's voltage deviates by offset_V (internal short, lost balance). 0.0
        repairs it.
        """
        slope, shift, offset, resistance, position = self.cells[cell]
        more_V = offset_V - self.fault_offsets_V.get(cell, 0.0)
        changed = (slope, shift, offset + more_V, resistance, position)
        self.cells[cell] = changed
        self.extremes = [changed] + [extreme for extreme in self.extremes if extreme[4] != position]
        self.mean_offset_V += more_V / self.count
        self.fault_offsets_V[cell] = offset_V

    def move_cell(self, cell: int, offset_V: float, over_s: float) -> None:
        """Fault: the deviation of the cell moves to offset_V within over_s (> 0)."""
        self.moving[cell] = (offset_V, (offset_V - self.fault_offsets_V.get(cell, 0.0)) / over_s)

    def collapse_cell(self, cell: int, depth: float) -> None:
        """Let the voltage of a burnt cell fall to REMAINING_V within COLLAPSE_S."""
        slope, shift, offset, _, _ = self.cells[cell]
        emf_V = OCV_V.at(1.0 - depth * slope - shift)
        sound_V = emf_V + offset - self.fault_offsets_V.get(cell, 0.0)
        self.move_cell(cell, REMAINING_V - sound_V, COLLAPSE_S)

    def move(self, dt_s: float) -> None:
        """Advance the moving fault offsets by dt_s."""
        for cell, (target_V, rate_V_per_s) in list(self.moving.items()):
            offset_V = self.fault_offsets_V.get(cell, 0.0) + rate_V_per_s * dt_s
            if (offset_V - target_V) * rate_V_per_s >= 0.0:
                offset_V = target_V
                del self.moving[cell]
            self.offset_cell(cell, offset_V)

    def scan(self, depth: float, cell_ohm: float, current_A: float) -> None:
        """Refresh emf_V and resistance_ohm, and the lowest and highest cell: `low`, `high` = (V
        now, emf V, ohm, position).

        depth: 1 - SOC; cell_ohm: ohmic resistance of a mean cell; current_A > 0 discharges.
        """
        mean_V = OCV_V.at(1.0 - depth * self.mean_slope - self.mean_shift)
        self.emf_V = self.count * (mean_V + self.mean_offset_V)
        self.resistance_ohm = self.count * cell_ohm * self.mean_resistance
        low, high = (1e9, 0.0, 0.0, 0), (-1e9, 0.0, 0.0, 0)
        values, steps, last = OCV_V.values, OCV_V.steps, OCV_V.last
        lowest, per_unit = OCV_V.low, OCV_V.per_unit
        for slope, shift, offset, resistance, position in self.extremes:
            # the code of OCV_V.at without its call, because a run spends a tenth of its time here
            grid_position = (1.0 - depth * slope - shift - lowest) * per_unit
            if 0.0 < grid_position < last:
                i = int(grid_position)
                emf_V = values[i] + steps[i] * (grid_position - i) + offset
            else:
                emf_V = values[0 if grid_position <= 0.0 else -1] + offset
            ohm = cell_ohm * resistance
            voltage_V = emf_V - current_A * ohm
            if voltage_V < low[0]:
                low = (voltage_V, emf_V, ohm, position)
            if voltage_V > high[0]:
                high = (voltage_V, emf_V, ohm, position)
        self.low, self.high = low, high


def _dealt_cell(position: int, random: random.Random) -> Cell:
    """Draw one cell: (slope of depth, shift in SOC, offset V, resistance factor, position)."""
    return (
        1.0 / (1.0 + random.gauss(0.0, CAPACITY_SIGMA)),
        abs(random.gauss(0.0, BALANCE_SIGMA)),
        random.gauss(0.0, OFFSET_SIGMA_V),
        max(0.8, 1.0 + random.gauss(0.0, RESISTANCE_SIGMA)),
        position,
    )


def _ever_extreme(cells: list[Cell]) -> list[Cell]:
    """The cells that are lowest or highest at some SOC while discharging, idle or charging."""
    indexes = set()
    for soc in _SURVEY_SOC:
        emfs_V = [
            OCV_V.at(1.0 - (1.0 - soc) * slope - shift) + offset
            for slope, shift, offset, _, _ in cells
        ]
        for drop_V in (-0.04, 0.0, 0.04):  # 140 A: 0.025 V at 0.18 mohm, more if cold
            voltages_V = [emf_V - drop_V * cell[3] for emf_V, cell in zip(emfs_V, cells)]
            indexes.add(voltages_V.index(min(voltages_V)))
            indexes.add(voltages_V.index(max(voltages_V)))
    return [cells[i] for i in sorted(indexes)]
