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
        self._spot: float | None = None
        self.flow = 1.0  # relative air flow; the module's cooling is proportional to it
        self.air_J = self._rate = self._excess = 0.0
        self._cells = cells = config.cells_per_module
        self._capacity = cells * config.cell_size * HEAT_CAPACITY_J_PER_K_CELL
        self._cooling = cooling_factor * COOLING_K_PER_W * 16.0 / cells / config.cell_size
        self._config, self._kind = config, chemistry.CHEMISTRIES[config.chemistry]
        self.sensor_cells = config.sensor_cells

    def heat(self, degC: float | None, rate_K_per_s: float) -> None:
        """Put a hot or cold spot at the sensor: at once, or at rate_K_per_s > 0. None lets the spot
        fade with a time constant of 30 s.
        """
        self._spot = degC
        self._rate = rate_K_per_s
        if degC is not None and rate_K_per_s <= 0.0:
            self._excess = degC - self.body_degC
            self.reading_degC = min(degC, SENSOR_DEGC_MAX)

    def cells_apart(self) -> runaway.Chain:
        """The module's chain of cells, created at the first call."""
        if self.chain is None:
            J_per_K = HEAT_CAPACITY_J_PER_K_CELL * self._config.cell_size
            of_cell = J_per_K, self._kind, self._config.capacity_Ah
            self.chain = runaway.Chain(self._cells, *of_cell, self._config.barrier_mm)
            self.chain.degC[:] = [self.body_degC] * self._cells
        return self.chain

    def step(
        self, dt_s: float, heat_W: float, beside: "list[ModuleThermal]", air_degC: float
    ) -> float:
        """Advance by dt_s. beside: the modules above and below. Returns the reading, degC."""
        is_woken = False  # by radiation of a neighbouring module
        if self.chain is None:
            body = self.body_degC
            cooling = (body - air_degC) * self.flow / self._cooling
            self.air_J += cooling * dt_s
            flow = heat_W - cooling
            for neighbour in beside:
                flow += (neighbour.body_degC - body) / NEIGHBOUR_K_PER_W
                if neighbour.chain is not None:
                    is_woken = is_woken or max(neighbour.chain.degC) >= WAKE_DEGC
            self.body_degC = hottest = body + flow * dt_s / self._capacity
        else:
            hottest = self._step_cells(dt_s, heat_W, beside, air_degC)
        if self._excess or self._spot is not None:
            self._move_spot(dt_s)
            if self._excess > 0.0:
                hottest = max(hottest, self.body_degC + self._excess)
            else:
                hottest += self._excess
        if self.chain is None and hottest >= self._kind.trigger_degC:
            self.cells_apart().place(0, hottest)
        elif self.chain is None and is_woken:
            self.cells_apart()
        self.reading_degC = min(hottest, SENSOR_DEGC_MAX)
        return self.reading_degC

    def _step_cells(
        self, dt_s: float, heat_W: float, beside: "list[ModuleThermal]", air_degC: float
    ) -> float:
        """Advance the chain. Returns the temperature of the hottest cell with a sensor, degC."""
        chain = self.cells_apart()
        through = NEIGHBOUR_K_PER_W * self._cells
        faces = [
            (neighbour.chain.degC, through, True)
            if neighbour.chain is not None
            else ([neighbour.body_degC] * self._cells, through, False)
            for neighbour in beside
        ]
        chain.step(dt_s, heat_W, faces, air_degC)
        self.body_degC = math.fsum(chain.degC) / self._cells
        self.air_J += chain.air_J
        chain.air_J = 0.0
        return max([chain.degC[cell] for cell in self.sensor_cells] or chain.degC)

    def _move_spot(self, dt_s: float) -> None:
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
