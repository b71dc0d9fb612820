"""One rack: modules in series behind contactors, with its BMS. Current > 0 discharges."""

import math
import random
from collections.abc import Iterable

from hil.plant import bms, cells, contactors, thermal
from hil.plant.config import CabinetConfig
from hil.plant.runaway import Chain

CONNECTION_OHM = 0.015  # busbars, fuse and contactors of one rack of 280 Ah
CELL_V_TOP = 3.55  # requested charge voltage per cell
COOLING_SIGMA = 0.05
# The contactors cannot break more, so the BMS waits for the fuse (C65).
BREAK_TIMES_RATED = 2.0
FUSE_WAIT_S = 30.0
GRADIENT_K = 1.5  # the air at the top module is this much warmer than at the bottom module


class Rack:
    """The BMS device reports the public attributes. The DC bus uses `source_V`, `conductance_S`."""

    def __init__(self, config: CabinetConfig, seed: str) -> None:
        """seed: of all random properties of this rack."""
        draw = random.Random(seed)
        count, modules = config.cells_per_module, range(config.modules)
        self._modules = [cells.ModuleCells(module, count, draw) for module in modules]
        self._thermal = []
        for module in modules:
            start_degC = config.start_degC + _gradient(module, config.modules)
            cooling_factor = 1.0 + draw.gauss(0.0, COOLING_SIGMA)
            self._thermal.append(thermal.ModuleThermal(config, start_degC, cooling_factor))
        self.temperatures_degC = [node.reading_degC for node in self._thermal]
        self.modules, self.cells_online = config.modules, config.modules * count
        self.soh = config.soh * draw.uniform(0.99, 1.0)
        self.cycles = config.cycles
        self.insulation_kohm = config.insulation_kohm
        self.insulation_slope_kohm_per_s = 0.0
        self.charge_voltage_V_max = CELL_V_TOP * self.cells_online
        self.soc = min(1.0, max(0.0, config.soc + draw.gauss(0.0, 0.001)))
        self.current_A = self.conductance_S = self.emf_V = 0.0
        self.position_min = self.position_max = 0
        self.gas_m3 = self.vapour_m3 = self.smoke_g = 0.0  # emitted by modules, see taken()
        self.burning = self.breaker_open = False  # the breaker is that of the whole DC side
        self.sensors_invalid = 0  # largest count of invalid sensors of one kind in a module
        self.feedback = None  # fault: the BMS reports this contactor state instead of the true one
        self.bms = bms.Bms(config.rated_current_A)
        self.contactors = contactors.Contactors()
        self.sensor_noise_K, self._cell_sigma_V = (config.sensor_noise_K, config.cell_noise_V)
        self._cell_noise_V = 0.0
        self.sensor_random = random.Random(f"{seed}/sensors")
        self._prepare(config)

    def _prepare(self, config: CabinetConfig) -> None:
        self._connection_ohm = CONNECTION_OHM / config.cell_size
        capacity_As = config.capacity_Ah * self.soh * 3600.0
        self._depth = 1.0 - self.soc
        self._depth_per_As, self._cycle_per_As = 1.0 / capacity_As, 0.5 / capacity_As
        self._ohmic_ohm, self._slow_ohm = [
            cells.scaled_ohm(ohm, config.capacity_Ah) / self.soh
            for ohm in (cells.OHMIC_OHM_280AH, cells.POLARISATION_OHM_280AH)
        ]
        self._slow_now_ohm = self._slow_ohm
        self._slow_V = 0.0  # polarisation voltage of a mean cell
        self._square_A2s = self._age_s = self._fuse_wait_s = self._ohm = 0.0
        self._looked = [(0.0, 0.0)] * len(self._modules)  # at its last refresh: (A2s, age_s)
        self._break_A = BREAK_TIMES_RATED * config.rated_current_A
        self._invalid_counts: dict[int, int] = {}  # sensors, by module
        self._stuck_degC: dict[int, float] = {}  # by module
        for module in range(len(self._modules)):
            self._scan(module)
        self._find_extremes()
        self.source_V = self.emf_V
        self.carry(0.0, 0.0)

    charge_limit_A = property(lambda self: self.bms.charge_limit_A)
    discharge_limit_A = property(lambda self: self.bms.discharge_limit_A)
    fault_bits = property(lambda self: self.bms.fault_bits | self.contactors.fault_bits)
    contactor_state = property(
        lambda self: self.contactors.state if self.feedback is None else self.feedback
    )

    def command_close(self, close: bool) -> None:
        """Take the command of the BMS to the contactors: True closes, False opens."""
        self.contactors.command = bool(close)

    def update(self, dt_s: float) -> None:
        """Advance the decisions of the BMS, and the wear of the insulation."""
        self.bms.update(self, dt_s)
        if self.insulation_slope_kohm_per_s:
            worn_kohm = self.insulation_kohm + self.insulation_slope_kohm_per_s * dt_s
            self.insulation_kohm = max(0.0, min(65_535.0, worn_kohm))

    def switch(self, dt_s: float, supply: bool, bus_V: float) -> None:
        """Advance the contactors by dt_s. supply: contactor supply is on; bus_V: link voltage."""
        hold = supply and (not self.bms.fault_bits or self._waits_for_fuse(dt_s))
        if self.contactors.step(dt_s, hold, self.source_V - bus_V):
            self._reconnect()

    def _waits_for_fuse(self, dt_s: float) -> bool:
        """True while the current exceeds what the contactors can break, for at most FUSE_WAIT_S."""
        if abs(self.current_A) <= self._break_A:
            self._fuse_wait_s = 0.0
            return False
        self._fuse_wait_s += dt_s
        return self._fuse_wait_s < FUSE_WAIT_S

    def open_breaker(self, is_open: bool) -> None:
        """Open or close the breaker between this rack and the bus."""
        self.breaker_open = is_open
        self._reconnect()

    def carry(self, current_A: float, dt_s: float) -> None:
        """Let current_A flow for dt_s. Update charge, polarisation, terminal and cell voltages."""
        charge_As = current_A * dt_s
        self.current_A = current_A
        self._square_A2s += current_A * charge_As
        self._age_s += dt_s
        self._depth = depth = self._depth + charge_As * self._depth_per_As
        self.cycles += abs(charge_As) * self._cycle_per_As
        self.soc = 0.0 if depth > 1.0 else 1.0 if depth < 0.0 else 1.0 - depth
        slow_V = self._slow_V
        self._slow_V = slow_V = slow_V + (current_A * self._slow_now_ohm - slow_V) * (
            dt_s / cells.POLARISATION_S
        )
        self.source_V = source_V = self.emf_V - slow_V * self.cells_online
        self.voltage_V = source_V - current_A * self._ohm
        low_V = self._low_emf_V - slow_V - current_A * self._low_ohm
        high_V = self._high_emf_V - slow_V - current_A * self._high_ohm
        # If the current has changed sign since the last scan, low and high are swapped until the
        # next scan, at most 1 s later.
        if low_V > high_V:
            low_V, high_V = high_V, low_V
        self.cell_voltage_V_min = low_V + self._cell_noise_V
        self.cell_voltage_V_max = high_V + self._cell_noise_V

    def refresh(self, module: int, air_degC: float) -> float:
        """Refresh one module: temperature, emf, resistance. The last module also refreshes the
        extreme cells. Returns the heat to the air since this module's last refresh, J.
        """
        node = self._thermal[module]
        elapsed_s = self._age_s - self._looked[module][1]
        if elapsed_s > 0.0:
            self._warm(module, elapsed_s, air_degC)
            if node.chain is not None:
                self._collect(module, node.chain)
            if self._modules[module].moving:
                self._modules[module].move(elapsed_s)
        self._scan(module)
        if module == len(self._modules) - 1:
            self._find_extremes()
            self._slow_now_ohm = self._slow_ohm * cells.resistance_factor(
                self.soc, self.temperatures_degC[0]
            )
            self._reconnect()
        heat_J, node.air_J = node.air_J, 0.0
        return heat_J

    def taken(self) -> tuple[float, ...]:
        """(gas m3, vapour m3, smoke g) that modules emitted since the last call."""
        emitted = self.gas_m3, self.vapour_m3, self.smoke_g
        self.gas_m3 = self.vapour_m3 = self.smoke_g = 0.0
        return emitted

    def start_runaway(
        self, module: int, cell: int, heater_K_per_s: float | None, degC: float | None
    ) -> None:
        """Fault: put a heater on one cell, or set the cell to degC at once, or both."""
        chain = self._thermal[module].cells_apart()
        chain.heat(cell, heater_K_per_s)
        if degC is not None:
            chain.place(cell, degC)

    def chain(self, module: int) -> Chain | None:
        """The module's runaway.Chain. None while one thermal node per module is enough."""
        return self._thermal[module].chain

    def heat(self, module: int, degC: float | None, rate_K_per_s: float) -> None:
        """Fault: see thermal.ModuleThermal.heat. Without a rate, the sensor shows degC at once."""
        self._thermal[module].heat(degC, rate_K_per_s)
        self.temperatures_degC[module] = self._thermal[module].reading_degC

    def offset_cell(
        self, offset_V: float, module: int = 0, cell: int = 0, over_s: float = 0.0
    ) -> None:
        """Fault: a cell's voltage deviates by offset_V, reached within over_s. 0.0 repairs it."""
        module_cells = self._modules[module]
        module_cells.moving.pop(cell, None)
        if over_s > 0.0:
            module_cells.move_cell(cell, offset_V, over_s)
            return
        module_cells.offset_cell(cell, offset_V)
        self._scan(module)
        self._find_extremes()
        self.carry(self.current_A, 0.0)

    def invalidate_sensors(self, module: int, count: int) -> None:
        """Fault: `count` sensors of one kind in the module are invalid; 0 repairs them."""
        self._invalid_counts[module] = count
        self.sensors_invalid = max(self._invalid_counts.values())

    def stick_sensor(self, module: int, degC: float | None) -> None:
        """Fault: the module's temperature sensor repeats degC; None repairs it."""
        self._stuck_degC.pop(module, None)
        if degC is not None:
            self._stuck_degC[module] = degC
        self._show(module, self._thermal[module].reading_degC)

    def place_sensors(self, sensor_cells: Iterable[int]) -> None:
        """Put the sensors of every module on these cells. Empty: each module reports its
        hottest.
        """
        for node in self._thermal:
            node.sensor_cells = tuple(sensor_cells)

    def blow(self, flow: float) -> None:
        """Take the air flow of the fans, relative to the design."""
        for node in self._thermal:
            node.flow = flow

    def place_temperature(self, degC: float) -> None:
        """Set all modules to degC, before the start."""
        for module, node in enumerate(self._thermal):
            node.body_degC = node.reading_degC = degC
            self._show(module, degC)

    def misread(self, module: int, offset_K: float) -> None:
        """Fault: the module's temperature is wrong by offset_K until its next refresh."""
        self.temperatures_degC[module] += offset_K

    def _show(self, module: int, degC: float) -> None:
        """Report the module's temperature with noise, or the value of a stuck sensor."""
        if self.sensor_noise_K:
            degC += self.sensor_random.gauss(0.0, self.sensor_noise_K)
        self.temperatures_degC[module] = self._stuck_degC.get(module, degC)

    def _collect(self, module: int, chain: Chain) -> None:
        """Take a burning module's emissions; let the voltage of its failed cells collapse."""
        self.burning = True
        self.gas_m3 += chain.gas_m3
        self.vapour_m3 += chain.vapour_m3
        self.smoke_g += chain.smoke_g
        chain.gas_m3 = chain.vapour_m3 = chain.smoke_g = 0.0
        while chain.failed:
            self._modules[module].collapse_cell(chain.failed.pop(), self._depth)

    def _warm(self, module: int, elapsed_s: float, air_degC: float) -> None:
        """Advance the module's temperature: heat of the current, cooling, neighbouring modules."""
        nodes = self._thermal
        square_A2s = self._square_A2s - self._looked[module][0]
        ohm = self._modules[module].resistance_ohm * (1.0 + self._slow_ohm / self._ohmic_ohm)
        beside = nodes[max(0, module - 1) : module] + nodes[module + 1 : module + 2]
        heat_W = square_A2s * ohm / elapsed_s
        module_air_degC = air_degC + _gradient(module, len(nodes))
        self._show(module, nodes[module].step(elapsed_s, heat_W, beside, module_air_degC))
        self._looked[module] = self._square_A2s, self._age_s

    def _scan(self, module: int) -> None:
        module_cells = self._modules[module]
        self.emf_V -= module_cells.emf_V
        self._ohm -= module_cells.resistance_ohm
        ohm = self._ohmic_ohm * cells.resistance_factor(self.soc, self._thermal[module].body_degC)
        module_cells.scan(self._depth, ohm, self.current_A)
        self.emf_V += module_cells.emf_V
        self._ohm += module_cells.resistance_ohm

    def _find_extremes(self) -> None:
        """Find the lowest and highest cell. Sum all totals again, because increments drift."""
        modules = self._modules
        self.emf_V = math.fsum([part.emf_V for part in modules])
        self._ohm = math.fsum([part.resistance_ohm for part in modules]) + self._connection_ohm
        lowest = min([part.low for part in modules])
        _, self._low_emf_V, self._low_ohm, self.position_min = lowest
        if self._cell_sigma_V:
            self._cell_noise_V = self.sensor_random.gauss(0.0, self._cell_sigma_V)
        highest = max([part.high for part in modules])
        _, self._high_emf_V, self._high_ohm, self.position_max = highest

    def _reconnect(self) -> None:
        """Update the conductance to the bus after a change of contacts or resistance."""
        contacts = self.contactors
        self.conductance_S = 0.0
        if self.breaker_open:
            return
        if contacts.conducting:
            self.conductance_S = 1.0 / self._ohm
        elif contacts.state == contactors.PRECHARGE and not contacts.precharge_broken:
            self.conductance_S = 1.0 / contactors.PRECHARGE_OHM


def _gradient(module: int, modules: int) -> float:
    return GRADIENT_K * module / modules
