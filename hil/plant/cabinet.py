"""The whole plant: one `Cabinet` with racks, PCS, relays, air and meters, stepped in plain floats from a seed.

It is what the simulated devices read and drive; it knows no register, no frame and no clock.
"""

import random

from hil.plant import air, bus, config as plant_config, pcs, rack, relays

CONTACTS = ("estop_1", "estop_2", "fire_alarm", "suppression", "gas_relay", "airflow", "key_run", "permit_1",
            "permit_2", "door", "bms_fault")
AIR_US = 100_000  # slow things move ten times a second, which is also how often a BMS reports
LOOK_US = 1_000_000  # every module is looked at once a second, in turn
PHASE_V, FREQUENCY_HZ = 230.0, 50.0
SAG_V_PER_W = 1e-5  # 10 mohm of line per phase, roughly: 5 V at 500 kW
SAG_V_MAX = 23.0  # the band of EN 50160; a transformer's tap changer keeps it whatever the load


class Cabinet:
    """See the attributes below; power in W (> 0 discharges, grid > 0 imports), time in s, temperatures in degC."""

    def __init__(self, config=None, load=None, seed=0):
        """config: None, dict or CabinetConfig; load: callable t_s -> W, or -> (W, 3 x (W, V, A, PF)); seed: any.

        ValueError: one line about a wrong key or value of config.
        """
        self.config = config = plant_config.checked(config)
        self.racks = [rack.Rack(config, f"{seed}/rack/{i}") for i in range(config.racks)]
        in_series = config.modules * config.cells_per_module
        self.pcs = [pcs.Pcs(config, in_series) for _ in range(config.units)]
        self.buses = [bus.Bus(unit, [self.racks[i] for i, of in enumerate(config.unit_of_rack) if of == u])
                      for u, unit in enumerate(self.pcs)]
        self.relays = relays.SafetyRelays(config.off_delay_s, config.fire_in_chain)
        self.air = air.Air(config)
        self.ambient_degC = config.ambient_degC
        self.gas_fault = [False, False]
        self.gas_calibration_d = [180, 180]  # days until the next calibration is due
        self.load = load
        self.load_power_W = 0.0
        self.load_channels = None
        self.grid_power_W = 0.0
        self.grid_voltage_V = PHASE_V
        self.grid_frequency_Hz = FREQUENCY_HZ
        self.key_run = True
        self.door_closed = True
        self.now_us = 0
        self._forced = {}
        self._grid_random = random.Random(f"{seed}/grid")
        self._places = [(one, m) for one in self.racks for m in range(config.modules)]
        self._place = 0
        self._looks = 0
        self._air_us = 0
        self._vented_m3 = 0.0
        self._aux_W = config.aux_W
        self.contacts = dict.fromkeys(CONTACTS, False)
        self._publish()

    gas_lfl_pct = property(lambda self: self.air.gas_lfl_pct)

    def step(self, dt_s):
        """Advance everything by dt_s (s, > 0, at most 1)."""
        if not 0.0 < dt_s <= 1.0:
            raise ValueError(f"plant step of {dt_s} s: allowed is more than 0, at most 1")
        self.now_us = now_us = self.now_us + round(dt_s * 1e6)
        self._draw(now_us)
        safety = self.relays
        safety.step(dt_s)
        enabled, supply = safety.pcs_enable, safety.contactor_supply
        battery_W = 0.0
        for one in self.buses:
            one.step(dt_s, now_us, enabled, supply)
            battery_W += one.pcs.ac_power_W
        self.grid_power_W = self.load_power_W - battery_W + self._aux_W
        looks = now_us * len(self._places) // LOOK_US - self._looks
        if looks:
            self._look(looks)
        if now_us - self._air_us >= AIR_US:
            self._breathe(now_us)
        self._publish()

    def _draw(self, now_us):
        """What the load takes now, and the channels its meter is to show if the trace gives them."""
        if self.load is not None:
            power = self.load(now_us / 1e6)
            if type(power) is tuple:
                power, self.load_channels = power
            self.load_power_W = power

    def _look(self, looks):
        """Look at the next modules in turn."""
        self._looks += looks
        for _ in range(min(looks, len(self._places))):
            one, module = self._places[self._place]
            self._place = (self._place + 1) % len(self._places)
            self._vented_m3 += one.refresh(module, self.ambient_degC)

    def _breathe(self, now_us):
        """Slow things, ten times a second: air, gas relay, BMS decisions, the grid's wander."""
        dt_s = (now_us - self._air_us) / 1e6
        self._air_us = now_us
        self.air.step(dt_s, not self.relays.coils["fan_off"], self._vented_m3)
        self._vented_m3 = 0.0
        self._aux_W = self.config.aux_W + (self.config.fan_W if self.air.fan_running else 0.0)
        self.relays.see_gas(max(self.air.gas_lfl_pct))
        for one in self.racks:
            one.bms.update(one, dt_s)
        deal = self._grid_random.gauss
        self.grid_frequency_Hz += 0.02 * (FREQUENCY_HZ - self.grid_frequency_Hz) + deal(0.0, 0.002)
        sag_V = max(-SAG_V_MAX, min(SAG_V_MAX, self.grid_power_W * SAG_V_PER_W))
        self.grid_voltage_V += 0.05 * (PHASE_V - sag_V - self.grid_voltage_V) + deal(0.0, 0.05)

    def _publish(self):
        """The dry contacts as wired to the I/O modules: True is closed, which is the permitted side."""
        safety = self.relays
        contacts = self.contacts
        contacts["estop_1"], contacts["estop_2"] = safety.estop_closed
        contacts["fire_alarm"] = safety.fire_closed
        contacts["suppression"] = safety.suppression_closed
        contacts["gas_relay"] = safety.lfl_closed
        contacts["airflow"] = self.air.airflow
        contacts["key_run"] = self.key_run
        contacts["permit_1"] = safety.pcs_enable
        contacts["permit_2"] = safety.contactor_supply
        contacts["door"] = self.door_closed
        contacts["bms_fault"] = not any([one.bms.fault_bits or one.contactors.fault_bits for one in self.racks])
        if self._forced:
            contacts.update(self._forced)

    def set_coil(self, name, level):
        """Drive the coil `name` of relays.COILS."""
        self.relays.set_coil(name, level)

    def press_estop(self, channel=None):
        """Press the mushroom: both channels open; channel 0 or 1 alone is a wiring fault."""
        for i in (0, 1) if channel is None else (channel,):
            self.relays.estop_closed[i] = False
        self._publish()

    def release_estop(self):
        """Pull the mushroom out and reset the safety relay."""
        self.relays.estop_closed[:] = [True, True]
        self._publish()

    def bridge_chain(self, bridged):
        """Fault: the chain's contacts are bridged, so that only the program can act."""
        self.relays.bridged = bool(bridged)

    def set_fire(self, alarm):
        """True: the fire panel's alarm relay opens its contact."""
        self.relays.fire_closed = not alarm
        self._publish()

    def set_suppression(self, released):
        """True: the agent's flow switch opens its contact."""
        self.relays.suppression_closed = not released
        self._publish()

    def set_gas(self, pct, detector=None):
        """Test gas of pct LFL (0..100) on both detectors, or on 0 or 1, read with their lag; 0 takes it off."""
        if not 0.0 <= pct <= 100.0:
            raise ValueError(f"gas {pct} % LFL: allowed 0 to 100")
        for i in (0, 1) if detector is None else (detector,):
            self.air.test_gas_pct[i] = float(pct)

    def set_airflow_fail(self, failed):
        """Fault: the fan does not move air (belt, louvre)."""
        self.air.airflow_failed = bool(failed)

    def force_contact(self, name, closed):
        """Fault: the contact `name` reads closed (True) or open (False) whatever it is; None repairs it."""
        if name not in CONTACTS:
            raise ValueError(f"contact {name}: known are {', '.join(CONTACTS)}")
        self._forced.pop(name, None)
        if closed is not None:
            self._forced[name] = bool(closed)
        self._publish()

    def heat(self, rack_index, module, degC, rate_K_per_s=0.0):
        """Fault: the module's sensor reads degC, at once or moving at rate_K_per_s; None lets it cool (30 s)."""
        self.racks[rack_index].heat(module, degC, rate_K_per_s)

    def set_cell_offset(self, rack_index, offset_V):
        """Fault: the first cell of the rack's first module deviates by offset_V; 0.0 repairs it."""
        self.racks[rack_index].offset_cell(offset_V)

    def weld_contactor(self, rack_index, welded):
        """Fault: the rack's main contacts do not open any more."""
        self.racks[rack_index].contactors.welded = bool(welded)

    def break_precharge(self, rack_index, broken):
        """Fault: the rack's pre-charge resistor is open, so that the link never fills."""
        self.racks[rack_index].contactors.precharge_broken = bool(broken)

    def inject_bms_fault(self, rack_index, bits):
        """Fault: the rack's BMS reports `bits` and opens; 0 repairs it."""
        self.racks[rack_index].bms.injected_bits = bits
