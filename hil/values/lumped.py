"""One unit of a cabinet whose racks are lumped into one battery, by the plant's tables.

The cells do not differ, so the tapers of cell voltage begin a little later than in the plant.
"""

import math

from hil.plant import bms, cells, pcs, thermal
from hil.plant.config import CabinetConfig
from hil.plant.rack import CONNECTION_OHM, GRADIENT_K

BMS_S = 10  # between two updates of the BMS's limits, which move slowly


class LumpedUnit:
    """Power in W (> 0 discharges) at the AC terminals.

    Losses and heat in the air are those of the unit, all other attributes those of one rack.
    """

    insulation_kohm = 2000.0

    def __init__(self, config: CabinetConfig, racks: int, soc: float, degC: float) -> None:
        """racks: number on the DC bus of the unit; soc: 0 to 1; degC: of its modules."""
        self.racks, self.soc, self.degC = racks, soc, degC
        self.rated_W, self.module_air_degC = config.pcs_rated_W, config.air_degC + GRADIENT_K / 2
        self._sleeps = config.pcs_sleeps
        self._cells = config.modules * config.cells_per_module
        self._As = config.capacity_Ah * config.soh * 3600.0
        self._fast_ohm, self._slow_ohm = [
            cells.scaled_ohm(ohm, config.capacity_Ah) / config.soh * self._cells
            for ohm in (cells.OHMIC_OHM_280AH, cells.POLARISATION_OHM_280AH)
        ]
        size = config.cell_size
        self._connection_ohm = CONNECTION_OHM / size
        self._J_per_K = size * self._cells * thermal.HEAT_CAPACITY_J_PER_K_CELL
        self._W_per_K = size * self._cells / 16.0 / thermal.COOLING_K_PER_W
        self.flow = 1.0  # air flow relative to the design; the cooling is proportional to it
        # heat of all racks into the air; losses of the converter
        self.air_W = self.losses_W = 0.0
        self._slow_V = self.current_A = 0.0
        self.bms = bms.Bms(config.rated_current_A)
        self._bms_s = 0.0
        self._show()

    def step(self, power_W: float, dt_s: float) -> float:
        """Let power_W flow for dt_s, and return it: no limit acts here."""
        source_V, ohm = self._source_V, self._ohm
        lost_W = pcs.losses_W(power_W, self.rated_W, self._sleeps)
        rack_W = (power_W + lost_W) / self.racks
        discriminant_V2 = source_V * source_V - 4.0 * rack_W * ohm
        volts = (source_V + math.sqrt(max(0.0, discriminant_V2))) / 2.0
        self.current_A = current_A = rack_W / volts
        self.soc = min(1.0, max(0.0, self.soc - current_A * dt_s / self._As))
        part = 1.0 - math.exp(-dt_s / cells.POLARISATION_S)
        self._slow_V += (current_A * self._slow_now_ohm - self._slow_V) * part
        heat_W = current_A * current_A * (ohm + self._slow_now_ohm)
        cooled_W = (self.degC - self.module_air_degC) * self._W_per_K * self.flow
        self.air_W, self.losses_W = cooled_W * self.racks, lost_W
        self.degC += (heat_W - cooled_W) * dt_s / self._J_per_K
        self._bms_s += dt_s
        self._show()
        if self._bms_s >= BMS_S:
            self.bms.update(self, self._bms_s)
            self._bms_s = 0.0
        return power_W

    def _show(self) -> None:
        """Update the values that a BMS reports."""
        factor = cells.resistance_factor(self.soc, self.degC)
        self._ohm = self._fast_ohm * factor + self._connection_ohm
        self._slow_now_ohm = self._slow_ohm * factor
        self._source_V = cells.OCV_V.at(self.soc) * self._cells - self._slow_V
        self.voltage_V = self._source_V - self.current_A * self._ohm
        self.temperatures_degC = [self.degC]
        cell_V = (self._source_V - self.current_A * self._fast_ohm * factor) / self._cells
        self.cell_voltage_V_min = self.cell_voltage_V_max = cell_V
