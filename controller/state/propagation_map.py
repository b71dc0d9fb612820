"""Estimates when the next cell, module and rack would run away if nothing changed.

The model is a chain of cells, as in section 5 of the project's fact table: `C dT/dt = sum((Tj - Ti)
/ Rij) - (Ti - Ta) / Ra + Q`. C is the heat capacity of a cell, R are thermal resistances, and Ta is
the air. At its trigger temperature a cell begins to release its energy E, `Q = (E - released) /
tau`. The model leaves out heat by jets, flames and hot gas. A trip must never wait for an estimate.
"""

import math
from collections.abc import Iterable
from typing import NamedTuple

# With steps between 0.5 and 10 s, the time of a trigger differs by less than half a minute
# (calibration check below Table E).
STEP_S = 5.0
AHEAD_S = 1800.0  # an estimate looks this far ahead
# emissivity 0.5, top of a 280 Ah cell (72 mm x 175 mm, E10)
RADIATION_W_PER_K4 = 5.67e-8 * 0.5 * 0.0126
KELVIN = 273.15
RADIATES_DEGC = 200.0  # below this temperature radiation is negligible
# Heat capacity of a 100 Ah LFP cell, 2.245 kg at 985 J/kgK (E9). The values of CELLS are for this
# cell.
REFERENCE_J_PER_K = 2211.0


class Cell(NamedTuple):
    """One kind of cell. cell_K_per_W: thermal resistance from cell to cell, as the range that
    agrees with the unit test.
    """

    release_J: float
    release_s: float
    cell_K_per_W: tuple[float, float]
    air_K_per_W: float
    trigger_degC: float


# LFP: fitted to a real unit test (E11, calibration check below Table E). With 0.75 to 0.9 MJ, 60 s,
# 8 K/W and a trigger at 150 to 170 degC, the test needs 0.44 to 0.62 K/W between cells. NMC: an
# adiabatic rise of 684 K (E2) and gas that burns at up to 1052 degC (E6) give 2.2 MJ. A ramp of 10
# K/s (C30) gives 15 s. With 0.10 to 0.20 K/W the cells follow each other after 10 to 60 s (E15).
# The trigger is within E8.
CELLS = {
    "LFP": Cell(0.80e6, 60.0, (0.44, 0.62), 8.0, 160.0),
    "NMC": Cell(2.20e6, 15.0, (0.10, 0.20), 8.0, 150.0),
}


class Seen(NamedTuple):
    """The suspected module: hot_degC and rise_K_per_s of its hottest cell. others_degC: temperature
    of the healthy modules.

    warming_s: how long it has warmed, beginning at others_degC; burning_s: time since it ran away,
    None before that.
    """

    cells: int
    hot_degC: float
    rise_K_per_s: float
    others_degC: float
    air_degC: float
    warming_s: float = 0.0
    burning_s: float | None = None

    @property
    def past_s(self) -> float:
        """Time since every cell had others_degC, s."""
        return max(self.warming_s, self.burning_s or 0.0)


class Neighbours(NamedTuple):
    """Values of the type file: heat capacity of a cell, thermal resistances to the next module and
    rack. None: no path for the heat.
    """

    cell_J_per_K: float = 5600.0  # 5.7 kg, 280 to 300 Ah (E10)
    module_K_per_W: float | None = 1.06
    rack_K_per_W: float | None = None


class Face(NamedTuple):
    """Heat between a cell and the opposite cell of the next module, for the reference cell."""

    K_per_W: float
    radiation_W_per_K4: float


Time_s = float | None  # None: not within the time of the estimate
Range_s = tuple[Time_s, Time_s]  # (soonest, latest), from now


class Estimate(NamedTuple):
    """Times for the whole range of resistances. cells_at_risk: number of cells that would run away
    within AHEAD_S, without the first.
    """

    next_cell_s: Range_s
    next_module_s: Range_s
    next_rack_s: Range_s
    cells_at_risk: tuple[int, int]


def estimate(kind: str, seen: Seen, neighbours: Neighbours = Neighbours()) -> Estimate:
    """Estimate of a suspected module; kind: of CELLS."""
    cell = CELLS[kind]
    cases = [
        (resistance, place) for place in (0, seen.cells // 2) for resistance in cell.cell_K_per_W
    ]
    all_times = [triggers(cell, seen, *case) for case in cases]
    next_cells = [
        _first(times[:place] + times[place + 1 :]) for times, (_, place) in zip(all_times, cases)
    ]
    counts = [max(0, sum(time_s is not None for time_s in times) - 1) for times in all_times]
    times_s = [
        [_neighbour_s(cell, seen, neighbours, K_per_W, path) for K_per_W in cell.cell_K_per_W]
        for path in (neighbours.module_K_per_W, neighbours.rack_K_per_W)
    ]
    module, rack = map(_ends, times_s)
    return Estimate(_ends(next_cells), module, rack, (min(counts), max(counts)))


def _neighbour_s(
    cell: Cell, seen: Seen, neighbours: Neighbours, cell_K_per_W: float, path_K_per_W: float | None
) -> Time_s:
    """When the first cell of a neighbour (module or rack) triggers. Each cell faces one cell there.
    None: the heat has no path, or no cell triggers in time.
    """
    if path_K_per_W is None:
        return None
    scale = neighbours.cell_J_per_K / REFERENCE_J_PER_K
    face = Face(path_K_per_W * seen.cells * scale, RADIATION_W_PER_K4 / scale)
    return _first(triggers(cell, seen, cell_K_per_W, 0, face)[seen.cells :])


def _first(times_s: Iterable[Time_s]) -> Time_s:
    return min([time_s for time_s in times_s if time_s is not None], default=None)


def _ends(times_s: Iterable[Time_s]) -> Range_s:
    """(soonest, latest); None, which is never, counts as the latest."""
    ordered = sorted(times_s, key=lambda time_s: math.inf if time_s is None else time_s)
    return ordered[0], ordered[-1]


def triggers(
    cell: Cell,
    seen: Seen,
    cell_K_per_W: float,
    hot_cell: int,
    face: Face | None = None,
    ahead_s: float = AHEAD_S,
) -> list[Time_s]:
    """When each cell reaches its trigger, s from now, < 0 in the past; None: not within ahead_s.

    hot_cell: index of the hottest cell. face: connects a second module, whose cells follow those of
    the first in the result.
    """
    chain = _Chain(cell, seen, cell_K_per_W, hot_cell, face)
    now_s = -seen.past_s
    while now_s < ahead_s:
        now_s += STEP_S
        chain.step(now_s)
    return chain.triggered_s


class _Chain:
    """The cells of one module, or of two that face each other, of the reference size."""

    def __init__(
        self, cell: Cell, seen: Seen, cell_K_per_W: float, hot_cell: int, face: Face | None
    ):
        count = seen.cells if face is None else 2 * seen.cells
        self._cell, self._seen, self._face, self._hot = cell, seen, face, hot_cell
        # K in a step per K of difference
        self._conduction = STEP_S / REFERENCE_J_PER_K / cell_K_per_W
        self._air = STEP_S / REFERENCE_J_PER_K / cell.air_K_per_W
        self._degC = [seen.others_degC] * count
        self._left_K: dict[int, float] = {}  # {burning cell: rise that is still to come}
        self.triggered_s: list[Time_s] = [None] * count
        self._released_share = -math.expm1(-STEP_S / cell.release_s)
        self._ramp_degC(-seen.past_s)
        self._light(-seen.past_s)

    def step(self, now_s: float) -> None:
        """Advance by STEP_S to now_s."""
        degC, module_cells, conduction = self._degC, self._seen.cells, self._conduction
        air, air_degC = self._air, self._seen.air_degC
        changes_K = [(air_degC - own) * air for own in degC]
        for first in range(0, len(degC), module_cells):
            previous_degC = degC[first]
            for i in range(first + 1, first + module_cells):
                change_K, previous_degC = (previous_degC - degC[i]) * conduction, degC[i]
                changes_K[i - 1] -= change_K
                changes_K[i] += change_K
        if self._face is not None:
            self._across(changes_K, self._face)
        for i, left_K in self._left_K.items():
            burnt_K = left_K * self._released_share
            self._left_K[i] = left_K - burnt_K
            changes_K[i] += burnt_K
        self._degC = [own + change_K for own, change_K in zip(degC, changes_K)]
        self._ramp_degC(now_s)
        if max(self._degC) >= self._cell.trigger_degC:
            self._light(now_s)

    def _across(self, changes_K: list[float], face: Face) -> None:
        """Conduction and radiation between the cells of the two modules."""
        degC, module_cells = self._degC, self._seen.cells
        for i in range(module_cells):
            own, opposite = degC[i], degC[i + module_cells]
            flow_W = (own - opposite) / face.K_per_W
            if own > RADIATES_DEGC or opposite > RADIATES_DEGC:
                flow_W += face.radiation_W_per_K4 * ((own + KELVIN) ** 4 - (opposite + KELVIN) ** 4)
            changes_K[i] -= flow_W * STEP_S / REFERENCE_J_PER_K
            changes_K[i + module_cells] += flow_W * STEP_S / REFERENCE_J_PER_K

    def _ramp_degC(self, now_s: float) -> None:
        """Keep the hot cell on its way from others_degC to hot_degC and beyond."""
        seen = self._seen
        if self.triggered_s[self._hot] is not None:
            return
        aim_degC, at_s = seen.hot_degC, 0.0
        if seen.burning_s is not None:
            aim_degC, at_s = self._cell.trigger_degC, -seen.burning_s
        ramp_degC = aim_degC + max(0.0, seen.rise_K_per_s) * (now_s - at_s)
        if now_s < at_s:
            below_K = seen.others_degC - aim_degC
            ramp_degC = aim_degC + below_K * (at_s - now_s) / (at_s + seen.past_s)
        if now_s <= at_s or seen.rise_K_per_s > 0.0:
            self._degC[self._hot] = max(self._degC[self._hot], ramp_degC)

    def _light(self, now_s: float) -> None:
        """Cells at their trigger temperature begin to release their energy."""
        for i, own_degC in enumerate(self._degC):
            if own_degC >= self._cell.trigger_degC and self.triggered_s[i] is None:
                self.triggered_s[i] = now_s
                self._left_K[i] = self._cell.release_J / REFERENCE_J_PER_K
