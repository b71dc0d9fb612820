"""One rack: modules in series behind contactors, as its BMS sees and reports it. Current > 0
discharges.
"""

import random

from hil.plant import bms, cells, chemistry, contactors, thermal

CONNECTION_OHM = 0.015  # busbars, fuse and contactors of one rack
CELL_V_TOP = 3.55  # what the BMS asks for as charge voltage
COOLING_SIGMA = 0.05
BREAK_TIMES_RATED = 2.0  # what the contactors can break; above it the BMS waits for the fuse (C65)
FUSE_WAIT_S = 30.0
GRADIENT_K = 1.5  # the top module breathes warmer air than the bottom one


class Rack:
    """Plain attributes are what a BMS reports; `source_V` and `conductance_S` are what the DC bus
    sees.
    """

    def __init__(self, config, seed):
        """config: config.CabinetConfig; seed: str, everything random about this rack follows from
        it.
        """
        deal = random.Random(seed)
        count = config.cells_per_module
        self._modules = [cells.ModuleCells(m, count, deal) for m in range(config.modules)]
        kind = chemistry.CHEMISTRIES[config.chemistry]
        self._thermal = [
            thermal.ModuleThermal(
                count,
                config.air_degC + _gradient(m, config.modules),
                1.0 + deal.gauss(0.0, COOLING_SIGMA),
                kind,
                config.capacity_Ah,
                config.barrier_mm,
                config.sensor_cells,
            )
            for m in range(config.modules)
        ]
        self.temperatures_degC = [node.reading_degC for node in self._thermal]
        self.cells_online = config.modules * count
        self.soh = config.soh * deal.uniform(0.99, 1.0)
        self.cycles = config.cycles
        self.insulation_kohm = config.insulation_kohm
        self.charge_voltage_V_max = CELL_V_TOP * self.cells_online
        self.soc = min(1.0, max(0.0, config.soc + deal.gauss(0.0, 0.001)))
        self.current_A = 0.0
        self.position_min = self.position_max = 0
        self.gas_m3 = self.vapour_m3 = self.smoke_g = 0.0  # that left burning modules, to be taken
        self.burning = False
        self.sensors_invalid = 0  # most of one kind in one module, as the BMS reports it
        self.feedback = None  # fault: the contactor state that is reported instead of the true one
        self.breaker_open = False  # the breaker of the whole DC side, upstream
        self.bms = bms.Bms(config.rated_current_A)
        self.contactors = contactors.Contactors()
        self._prepare(config, seed)

    def _prepare(self, config, seed):
        capacity_As = config.capacity_Ah * self.soh * 3600.0
        self._depth = 1.0 - self.soc
        self._depth_per_As = 1.0 / capacity_As
        self._cycle_per_As = 0.5 / capacity_As
        self._ohmic_ohm = cells.scaled_ohm(cells.OHMIC_OHM_280AH, config.capacity_Ah) / self.soh
        self._slow_ohm = (
            cells.scaled_ohm(cells.POLARISATION_OHM_280AH, config.capacity_Ah) / self.soh
        )
        self._slow_now_ohm = self._slow_ohm
        self._slow_V = 0.0  # polarisation of a mean cell
        self._square_A2s = 0.0
        self._module_A2s = [0.0] * len(self._modules)
        self._module_s = [0.0] * len(self._modules)
        self._age_s = 0.0
        self._break_A = BREAK_TIMES_RATED * config.rated_current_A
        self._fuse_wait_s = 0.0
        # sensors of modules: how many are invalid; what the one shown repeats
        self._invalid, self._stuck = {}, {}
        self.sensor_noise_K = config.sensor_noise_K
        self.sensor_random = random.Random(f"{seed}/sensors")
        self.conductance_S = 0.0
        self.emf_V = self._ohm = 0.0
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

    def command_close(self, close):
        """The controller's command as the BMS understood it: True to close, False to open."""
        self.contactors.command = bool(close)

    def switch(self, dt_s, supply, bus_V):
        """Move the contactors by dt_s. supply: the cabinet's contactor supply is there; bus_V:
        voltage beyond them.
        """
        hold = supply and (not self.bms.fault_bits or self._waits_for_fuse(dt_s))
        if self.contactors.step(dt_s, hold, self.source_V - bus_V):
            self._reconnect()

    def _waits_for_fuse(self, dt_s):
        """The BMS wants to open and would have to break more than its contactors can: not yet."""
        if abs(self.current_A) <= self._break_A:
            self._fuse_wait_s = 0.0
            return False
        self._fuse_wait_s += dt_s
        return self._fuse_wait_s < FUSE_WAIT_S

    def open_breaker(self, is_open):
        """The breaker upstream cuts this rack off the bus whatever its contactors do, or connects
        it again.
        """
        self.breaker_open = bool(is_open)
        self._reconnect()

    def carry(self, current_A, dt_s):
        """Let current_A flow for dt_s: charge, polarisation, terminal and cell voltages."""
        charge_As = current_A * dt_s
        self.current_A = current_A
        self._square_A2s += current_A * charge_As
        self._age_s += dt_s
        self._depth = depth = self._depth + charge_As * self._depth_per_As
        self.cycles += abs(charge_As) * self._cycle_per_As
        self.soc = 0.0 if depth > 1.0 else 1.0 if depth < 0.0 else 1.0 - depth
        slow = self._slow_V
        self._slow_V = slow = slow + (current_A * self._slow_now_ohm - slow) * (
            dt_s / cells.POLARISATION_S
        )
        self.source_V = source = self.emf_V - slow * self.cells_online
        self.voltage_V = source - current_A * self._ohm
        low = self._low_emf - slow - current_A * self._low_ohm
        high = self._high_emf - slow - current_A * self._high_ohm
        # the current has turned since the last scan: the two change places for less than a second
        if low > high:
            low, high = high, low
        self.cell_voltage_V_min = low
        self.cell_voltage_V_max = high

    def refresh(self, module, air_degC):
        """Look at one module again: temperature, emf, resistance; after the last module, the rack's
        extreme cells.

        Returns the heat in J that the air got from the module since the last look.
        """
        node = self._thermal[module]
        elapsed_s = self._age_s - self._module_s[module]
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

    def taken(self):
        """(gas in m3, vapour in m3, smoke in g) that left burning modules since it was last
        asked.
        """
        found = self.gas_m3, self.vapour_m3, self.smoke_g
        self.gas_m3 = self.vapour_m3 = self.smoke_g = 0.0
        return found

    def start_runaway(self, module, cell, heater_K_per_s, degC):
        """Fault: a heater on one cell at this rate, or the cell at degC at once; either may be
        None.
        """
        chain = self._thermal[module].cells_apart()
        chain.heat(cell, heater_K_per_s)
        if degC is not None:
            chain.place(cell, degC)

    def chain(self, module):
        """The module's runaway.Chain, None while its cells are not told apart."""
        return self._thermal[module].chain

    def heat(self, module, degC, rate_K_per_s):
        """Fault: see thermal.ModuleThermal.heat; shows at the sensor at once when no rate is
        given.
        """
        self._thermal[module].heat(degC, rate_K_per_s)
        self.temperatures_degC[module] = self._thermal[module].reading_degC

    def offset_cell(self, offset_V, module=0, cell=0, over_s=0.0):
        """Fault: a cell deviates by offset_V, at once or moving there within over_s; 0.0 repairs
        it.
        """
        part = self._modules[module]
        part.moving.pop(cell, None)
        if over_s > 0.0:
            part.move_cell(cell, offset_V, over_s)
            return
        part.offset_cell(cell, offset_V)
        self._scan(module)
        self._find_extremes()
        self.carry(self.current_A, 0.0)

    def invalidate_sensors(self, module, count):
        """Fault: so many sensors of one kind in the module are invalid; 0 repairs them."""
        self._invalid[module] = count
        self.sensors_invalid = max(self._invalid.values())

    def kill_sensor(self, module, is_dead):
        """Fault: the module's temperature sensor reads exactly 0 degC."""
        self.stick_sensor(module, 0.0 if is_dead else None)

    def stick_sensor(self, module, degC):
        """Fault: the module's temperature sensor repeats degC; None repairs it."""
        self._stuck.pop(module, None)
        if degC is not None:
            self._stuck[module] = degC
        self._show(module, self._thermal[module].reading_degC)

    def place_sensors(self, sensor_cells):
        """The sensors of every module sit on these cells from now on; empty: on the hottest."""
        for node in self._thermal:
            node.sensor_cells = tuple(sensor_cells)

    def misread(self, module, degC):
        """Fault: the module's temperature is read wrong once, until the next look."""
        self.temperatures_degC[module] = degC

    def _show(self, module, degC):
        """Report what the module's sensor reads: with its noise, or what it is stuck at."""
        if self.sensor_noise_K:
            degC += self.sensor_random.gauss(0.0, self.sensor_noise_K)
        self.temperatures_degC[module] = self._stuck.get(module, degC)

    def _collect(self, module, chain):
        """What has left a burning module since the last look; the voltage of its cells that have
        failed.
        """
        self.burning = True
        self.gas_m3 += chain.gas_m3
        self.vapour_m3 += chain.vapour_m3
        self.smoke_g += chain.smoke_g
        chain.gas_m3 = chain.vapour_m3 = chain.smoke_g = 0.0
        while chain.failed:
            self._modules[module].collapse_cell(chain.failed.pop(), self._depth)

    def _warm(self, module, elapsed_s, air_degC):
        """Heat of the current since the last look, cooling, neighbours."""
        nodes = self._thermal
        square = self._square_A2s - self._module_A2s[module]
        ohm = self._modules[module].resistance_ohm * (1.0 + self._slow_ohm / self._ohmic_ohm)
        beside = nodes[max(0, module - 1) : module] + nodes[module + 1 : module + 2]
        air = air_degC + _gradient(module, len(nodes))
        self._show(module, nodes[module].step(elapsed_s, square * ohm / elapsed_s, beside, air))
        self._module_A2s[module] = self._square_A2s
        self._module_s[module] = self._age_s

    def _scan(self, module):
        part = self._modules[module]
        self.emf_V -= part.emf_V
        self._ohm -= part.resistance_ohm
        ohm = self._ohmic_ohm * cells.resistance_factor(self.soc, self._thermal[module].body_degC)
        part.scan(self._depth, ohm, self.current_A)
        self.emf_V += part.emf_V
        self._ohm += part.resistance_ohm

    def _find_extremes(self):
        """Lowest and highest cell of the last scan of every module; totals are summed anew so that
        nothing drifts.
        """
        modules = self._modules
        self.emf_V = sum([part.emf_V for part in modules])
        self._ohm = sum([part.resistance_ohm for part in modules]) + CONNECTION_OHM
        _, self._low_emf, self._low_ohm, self.position_min = min([part.low for part in modules])
        _, self._high_emf, self._high_ohm, self.position_max = max([part.high for part in modules])

    def _reconnect(self):
        """Conductance to the bus after a change of contacts or temperature."""
        if self.breaker_open:
            self.conductance_S = 0.0
        elif self.contactors.conducting:
            self.conductance_S = 1.0 / self._ohm
        elif self.contactors.state == contactors.PRECHARGE and not self.contactors.precharge_broken:
            self.conductance_S = 1.0 / contactors.PRECHARGE_OHM
        else:
            self.conductance_S = 0.0


def _gradient(module, modules):
    return GRADIENT_K * module / modules
