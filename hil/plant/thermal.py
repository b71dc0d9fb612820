"""One thermal node per module, cooled by the cabinet air and coupled to its neighbours.

Sources: Table E of `firebreak document facts`; E10 for the heat capacity. A module gets one node
per cell (runaway.Chain) when one of its cells is heated, its hottest spot reaches the trigger
temperature, or a neighbouring module burns.
"""

import math

from hil.plant import chemistry, runaway
from hil.plant.config import CabinetConfig

HEAT_CAPACITY_J_PER_K_CELL = 5600.0
COOLING_K_PER_W = 0.08  # module of 16 cells to air: 135 W at 140 A settle 11 K above the air
NEIGHBOUR_K_PER_W = 1.06
WAKE_DEGC = 200.0  # from here on, the radiation of a neighbouring cell counts
SENSOR_DEGC_MAX = 250.0  # an NTC bead saturates here
HOT_SPOT_TAU_S = 30.0


class ModuleThermal:
    """One module. `reading_degC`: of its sensor; `body_degC`: mean of its cells; `chain`: one node
    per cell, or None; `air_J`: heat to the air, which the caller clears; `sensor_cells`: cells with
    a sensor, or empty for the hottest cell.
    """

    def __init__(self, config: CabinetConfig, start_degC: float, cooling_factor: float) -> None:
        """cooling_factor: multiplies the cooling resistance of this module."""
        self.body_degC = self.reading_degC = start_degC
        self.chain: runaway.Chain | None = None
        self._spot_degC: float | None = None
        self.flow = 1.0  # relative air flow; the module's cooling is proportional to it
        self.air_J = self._spot_K_per_s = self._excess_K = 0.0
        self._cells = cells = config.cells_per_module
        self._capacity_J_per_K = cells * config.cell_size * HEAT_CAPACITY_J_PER_K_CELL
        self._cooling_K_per_W = cooling_factor * COOLING_K_PER_W * 16.0 / cells / config.cell_size
        self._config, self._kind = config, chemistry.CHEMISTRIES[config.chemistry]
        self.sensor_cells = config.sensor_cells

    def heat(self, degC: float | None, rate_K_per_s: float) -> None:
        """Put a hot or cold spot at the sensor: at once, or at rate_K_per_s > 0. None lets the spot
        fade with a time constant of 30 s.
        """
        self._spot_degC = degC
        self._spot_K_per_s = rate_K_per_s
        if degC is not None and rate_K_per_s <= 0.0:
            self._excess_K = degC - self.body_degC
            self.reading_degC = min(degC, SENSOR_DEGC_MAX)

    def cells_apart(self) -> runaway.Chain:
        """The module's chain of cells, created at the first call."""
        if self.chain is None:
            cell_J_per_K = HEAT_CAPACITY_J_PER_K_CELL * self._config.cell_size
            cell_settings = cell_J_per_K, self._kind, self._config.capacity_Ah
            self.chain = runaway.Chain(self._cells, *cell_settings, self._config.barrier_mm)
            self.chain.degC[:] = [self.body_degC] * self._cells
        return self.chain

    def step(
        self, dt_s: float, heat_W: float, beside: "list[ModuleThermal]", air_degC: float
    ) -> float:
        """Advance by dt_s. beside: the modules above and below. Returns the reading, degC."""
        is_woken = False  # by radiation of a neighbouring module
        if self.chain is None:
            body_degC = self.body_degC
            cooling_W = (body_degC - air_degC) * self.flow / self._cooling_K_per_W
            self.air_J += cooling_W * dt_s
            heating_W = heat_W - cooling_W
            for neighbour in beside:
                heating_W += (neighbour.body_degC - body_degC) / NEIGHBOUR_K_PER_W
                if neighbour.chain is not None:
                    is_woken = is_woken or max(neighbour.chain.degC) >= WAKE_DEGC
            self.body_degC = hottest_degC = body_degC + heating_W * dt_s / self._capacity_J_per_K
        else:
            hottest_degC = self._step_cells(dt_s, heat_W, beside, air_degC)
        if self._excess_K or self._spot_degC is not None:
            self._move_spot(dt_s)
            if self._excess_K > 0.0:
                hottest_degC = max(hottest_degC, self.body_degC + self._excess_K)
            else:
                hottest_degC += self._excess_K
        if self.chain is None:
            if hottest_degC >= self._kind.trigger_degC:
                self.cells_apart().place(0, hottest_degC)
            elif is_woken:
                self.cells_apart()
        self.reading_degC = min(hottest_degC, SENSOR_DEGC_MAX)
        return self.reading_degC

    def _step_cells(
        self, dt_s: float, heat_W: float, beside: "list[ModuleThermal]", air_degC: float
    ) -> float:
        """Advance the chain. Returns the temperature of the hottest cell with a sensor, degC."""
        chain = self.cells_apart()
        opposite_K_per_W = NEIGHBOUR_K_PER_W * self._cells
        faces = [
            (neighbour.chain.degC, opposite_K_per_W, True)
            if neighbour.chain is not None
            else ([neighbour.body_degC] * self._cells, opposite_K_per_W, False)
            for neighbour in beside
        ]
        chain.step(dt_s, heat_W, faces, air_degC)
        self.body_degC = math.fsum(chain.degC) / self._cells
        self.air_J += chain.air_J
        chain.air_J = 0.0
        return max([chain.degC[cell] for cell in self.sensor_cells] or chain.degC)

    def _move_spot(self, dt_s: float) -> None:
        if self._spot_degC is None:
            self._excess_K *= math.exp(-dt_s / HOT_SPOT_TAU_S)
            if abs(self._excess_K) < 0.01:
                self._excess_K = 0.0
            return
        wanted_K = self._spot_degC - self.body_degC
        if self._spot_K_per_s <= 0.0:
            self._excess_K = wanted_K
        else:
            step_K = self._spot_K_per_s * dt_s
            self._excess_K += max(-step_K, min(step_K, wanted_K - self._excess_K))
