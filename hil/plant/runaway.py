"""The hot cells of one module: a chain of thermal nodes in runaway.

The model is section 5, trigger form, of `firebreak document facts`, which also has the keys such as
C42. Each cell follows `C dT/dt = sum((Tj - Ti) / Rij) - (Ti - Ta) / Ra + Q`. At its trigger
temperature it begins to release its energy: `Q = (E - released) / tau`. A vented cell loses vapour
and a little gas. The rest of the gas, and the smoke, come with the release.
"""

import math

from hil.plant import chemistry as kinds

VAPOUR_BURST_M3 = 0.5e-3  # emitted when the vent opens: about 2 g of solvent, order of magnitude
VAPOUR_BURST_S = 30.0
VAPOUR_M3_PER_S = 5e-6  # solvent that boils off until runaway
SEEP_PER_S = 2e-5  # share of a cell's gas per s between vent and runaway: H2 comes first (C42)
SMOKE_G_PER_AH = 0.2  # particles: 1 % of a cell of 20 g/Ah, order of magnitude
# emissivity 0.5 of the top of a 280 Ah cell (72 mm x 175 mm, E10)
RADIATION_W_PER_K4 = 5.67e-8 * 0.5 * 0.0126
KELVIN = 273.15
NOT_YET = -1.0
STEP_S_MAX = 10.0  # a step of 10 s moves a trigger by less than 30 s (facts, below Table E)


# For each neighbouring module: its temperatures opposite the cells, K/W between two opposite cells,
# and whether it radiates
Faces = list[tuple[list[float], float, bool]]


class Chain:
    """Temperatures of the cells 0 .. n-1 of one row. released_J, heater_J: totals.

    The caller takes and clears gas_m3, vapour_m3, smoke_g, air_J (heat to the air) and failed
    (cells in runaway).
    """

    def __init__(
        self,
        count: int,
        heat_capacity_J_per_K: float,
        kind: kinds.Chemistry,
        capacity_Ah: float,
        barrier_mm: float = 0.0,
    ) -> None:
        """heat_capacity_J_per_K, capacity_Ah: of one cell."""
        scale = heat_capacity_J_per_K / kinds.REFERENCE_J_PER_K
        self.degC = [0.0] * count
        self.released_J = self.heater_J = self.air_J = 0.0
        self.gas_m3 = self.vapour_m3 = self.smoke_g = 0.0
        self.failed: list[int] = []
        self._kind = kind
        self._cell_J_per_K = heat_capacity_J_per_K
        self._release_J = kind.release_J * scale
        self._gas_m3 = kind.gas_m3_per_Ah * capacity_Ah
        self._smoke_g = SMOKE_G_PER_AH * capacity_Ah
        self._cell_K_per_W = kinds.cell_resistance_K_per_W(kind, heat_capacity_J_per_K, barrier_mm)
        self._air_K_per_W = kind.air_K_per_W / scale
        self._left_J = [NOT_YET] * count  # J that the cell has still to release
        self._vented_s = [NOT_YET] * count
        self._heater: tuple[int, float] | None = None  # (cell, K/s)

    def heat(self, cell: int, rate_K_per_s: float | None) -> None:
        """Heat the cell at this rate until it is in runaway. None removes the heater."""
        self._heater = None if rate_K_per_s is None else (cell, rate_K_per_s)

    def place(self, cell: int, degC: float) -> None:
        """Set the cell to degC; a hot enough cell vents or runs away at once."""
        self.degC[cell] = degC
        self._open(cell, degC, 0.0)

    def step(self, dt_s: float, heat_W: float, faces: Faces, air_degC: float) -> None:
        """Advance by dt_s. heat_W: heat of the current in the whole module. Modules exchange
        radiation only if both have a chain.
        """
        steps = math.ceil(dt_s / STEP_S_MAX)
        for _ in range(steps):
            self._step(dt_s / steps, heat_W / len(self.degC), faces, air_degC)

    def _step(self, dt_s: float, heat_W: float, faces: Faces, air_degC: float) -> None:
        degC = self.degC
        heater = self._heater
        ramp_degC = degC[heater[0]] + heater[1] * dt_s if heater else 0.0
        to_air_W = [(cell_degC - air_degC) / self._air_K_per_W for cell_degC in degC]
        flows_W = [heat_W - flow_W for flow_W in to_air_W]
        self.air_J += math.fsum(to_air_W) * dt_s
        for i in range(len(degC) - 1):
            flow = (degC[i] - degC[i + 1]) / self._cell_K_per_W
            flows_W[i] -= flow
            flows_W[i + 1] += flow
        for opposite, resistance_K_per_W, radiates in faces:
            for i, facing_degC in enumerate(opposite):
                flows_W[i] += (facing_degC - degC[i]) / resistance_K_per_W
                if radiates:
                    flows_W[i] += radiation_W(degC[i], facing_degC)
        for i, flow in enumerate(flows_W):
            degC[i] += (flow * dt_s + self._burnt_J(i, dt_s)) / self._cell_J_per_K
        if heater is not None and degC[heater[0]] < ramp_degC:
            self.heater_J += (ramp_degC - degC[heater[0]]) * self._cell_J_per_K
            degC[heater[0]] = ramp_degC
        for i, own in enumerate(degC):
            self._open(i, own, dt_s)

    def _burnt_J(self, i: int, dt_s: float) -> float:
        """Heat that cell i releases in dt_s, J. Also adds its gas and smoke to the totals."""
        left_J = self._left_J[i]
        if left_J <= 0.0:
            return 0.0
        burnt_J = left_J * -math.expm1(-dt_s / self._kind.release_s)
        self._left_J[i] = left_J - burnt_J
        self.released_J += burnt_J
        share = burnt_J / self._release_J
        self.gas_m3 += share * self._gas_m3
        self.smoke_g += share * self._smoke_g
        self.air_J += burnt_J * self._kind.jet_share
        return burnt_J

    def _open(self, i: int, cell_degC: float, dt_s: float) -> None:
        """Vent or trigger cell i if it is hot enough. Between the two, the cell emits vapour."""
        if self._vented_s[i] == NOT_YET and cell_degC >= self._kind.vent_degC:
            self._vented_s[i] = 0.0
        elif self._vented_s[i] != NOT_YET and self._left_J[i] == NOT_YET:
            age_s = self._vented_s[i]
            self._vented_s[i] = age_s + dt_s
            burst = math.exp(-age_s / VAPOUR_BURST_S) - math.exp(-(age_s + dt_s) / VAPOUR_BURST_S)
            self.vapour_m3 += burst * VAPOUR_BURST_M3 + VAPOUR_M3_PER_S * dt_s
            self.gas_m3 += SEEP_PER_S * dt_s * self._gas_m3
        if self._left_J[i] == NOT_YET and cell_degC >= self._kind.trigger_degC:
            self._left_J[i] = self._release_J
            self.failed.append(i)
            if self._heater is not None and self._heater[0] == i:
                self._heater = None


def radiation_W(own_degC: float, other_degC: float) -> float:
    """Radiation that a cell receives from the opposite cell of the next module, W."""
    return RADIATION_W_PER_K4 * ((other_degC + KELVIN) ** 4 - (own_degC + KELVIN) ** 4)
