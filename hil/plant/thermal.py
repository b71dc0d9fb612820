"""One thermal node per module, cooled to the cabinet air and coupled to its neighbours, with thermal runaway.

Runaway numbers: facts Table E (heat capacity E10, 506 s per cell E11, release and gas per Ah from the calibration and
gas notes below that table, scaled from 100 Ah to 280 Ah, 1.06 K/W from cell to cell through 1 mm of barrier).
"""

import math

HEAT_CAPACITY_J_PER_K_CELL = 5600.0
COOLING_K_PER_W = 0.08  # one module of 16 cells to the air: 135 W at 140 A settle 11 K above it
NEIGHBOUR_K_PER_W = 1.06
TRIGGER_DEGC = 150.0
CELL_INTERVAL_S = 506.0
CELL_RELEASE_J = 2.2e6
CELL_RELEASE_TAU_S = 60.0
CELL_GAS_M3 = 0.17
SENSOR_DEGC_MAX = 250.0  # an NTC bead saturates there
HOT_SPOT_TAU_S = 30.0
NEVER = -1.0


def released_cells(age_s, cells):
    """How many cells' worth of energy and gas came out age_s after the first cell of `cells` ran away (a fraction)."""
    total = 0.0
    for k in range(cells):
        since = age_s - k * CELL_INTERVAL_S
        if since <= 0.0:
            break
        total += 1.0 - math.exp(-since / CELL_RELEASE_TAU_S)
    return total


class ModuleThermal:
    """One module's temperature: `reading_degC` as its sensor shows, `body_degC` of the cells; `gas_m3` that vented."""

    __slots__ = ("body_degC", "reading_degC", "gas_m3", "_cells", "_capacity", "_cooling", "_spot", "_rate",
                 "_excess", "_runaway_age")

    def __init__(self, cells, start_degC, cooling_factor):
        """cells: count; cooling_factor: this module's cooling resistance relative to the usual."""
        self.body_degC = self.reading_degC = start_degC
        self.gas_m3 = 0.0
        self._cells = cells
        self._capacity = cells * HEAT_CAPACITY_J_PER_K_CELL
        self._cooling = cooling_factor * COOLING_K_PER_W * 16.0 / cells
        self._spot = None
        self._rate = 0.0
        self._excess = 0.0
        self._runaway_age = NEVER

    def heat(self, degC, rate_K_per_s):
        """A hot (or cold) spot at the sensor: degC at once, or at rate_K_per_s > 0; None lets it fade (30 s)."""
        self._spot = degC
        self._rate = rate_K_per_s
        if degC is not None and rate_K_per_s <= 0.0:
            self._excess = degC - self.body_degC
            self.reading_degC = min(degC, SENSOR_DEGC_MAX)

    def step(self, dt_s, heat_W, neighbours_degC, air_degC):
        """Advance by dt_s; neighbours_degC: body temperatures of the modules beside; returns the reading."""
        flow = heat_W - (self.body_degC - air_degC) / self._cooling
        for other in neighbours_degC:
            flow += (other - self.body_degC) / NEIGHBOUR_K_PER_W
        if self._runaway_age != NEVER:
            flow += self._run_away(dt_s)
        self.body_degC += flow * dt_s / self._capacity
        if self._excess or self._spot is not None:
            self._move_spot(dt_s)
        hottest = self.body_degC + self._excess
        if hottest >= TRIGGER_DEGC and self._runaway_age == NEVER:
            self._runaway_age = 0.0
        self.reading_degC = min(hottest, SENSOR_DEGC_MAX)
        return self.reading_degC

    def _run_away(self, dt_s):
        """Heat flow in W of the cells that burn now; their gas is added to gas_m3."""
        before = released_cells(self._runaway_age, self._cells)
        self._runaway_age += dt_s
        released = released_cells(self._runaway_age, self._cells) - before
        self.gas_m3 += released * CELL_GAS_M3
        return released * CELL_RELEASE_J / dt_s

    def _move_spot(self, dt_s):
        if self._spot is None:
            self._excess *= math.exp(-dt_s / HOT_SPOT_TAU_S)
            if abs(self._excess) < 0.01:
                self._excess = 0.0
            return
        wanted = self._spot - self.body_degC
        if self._rate <= 0.0:
            self._excess = wanted
        else:
            move = self._rate * dt_s
            self._excess += max(-move, min(move, wanted - self._excess))
