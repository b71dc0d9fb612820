"""The whole plant: one `Cabinet` with racks, PCS, relays, air and meters, stepped in plain floats
from a seed.

It is what the simulated devices read and drive; it knows no register, no frame and no clock.
"""

import random

from hil.plant import air, bus, chemistry, climate, injections, pcs, rack, relays, ups
from hil.plant import config as plant_config

FAST_CONTACTS = (
    "estop_1",
    "estop_2",
    "fire_alarm",
    "suppression",
    "gas_relay",
    "airflow",
    "key_run",
    "permit_1",
    "permit_2",
    "door",
    "bms_fault",
)
SLOW_CONTACTS = (
    "cell_voltage",
    "smoke_1",
    "smoke_2",
    "heat",
    "fire_trouble",
    "damper",
    "hvac",
    "leak",
    "coolant",
    "supervised",
)
CONTACTS = FAST_CONTACTS + SLOW_CONTACTS
DETECTORS = ("gas_1", "gas_2", "offgas_1", "offgas_2", "toxic")
AIR_US = 100_000  # slow things move ten times a second, which is also how often a BMS reports
LOOK_US = 1_000_000  # every module is looked at once a second, in turn
PHASE_V, FREQUENCY_HZ = 230.0, 50.0
SAG_V_PER_W = 1e-5  # 10 mohm of line per phase, roughly: 5 V at 500 kW
SAG_V_MAX = 23.0  # the band of EN 50160; a transformer's tap changer keeps it whatever the load
# of the converters' losses that warms the cabinet; the rest leaves with their own air
CONVERTER_SHARE = 0.1
# the independent over-voltage supervision acts after 0.2 to 1 s (matrix row 30)
SUPERVISION_S = 0.4
SUPERVISION_HYSTERESIS_V = 0.05


class Cabinet(injections.Injections):
    """See the attributes below; what can be done to it stands in injections.Injections.

    Power in W (> 0 discharges, grid > 0 imports), time in s, temperatures in degC.
    """

    def __init__(self, config=None, load=None, seed=0):
        """config: None, dict or CabinetConfig; load: callable t_s -> W, or -> (W, 3 x (W, V, A,
        PF)); seed: any.

        ValueError: one line about a wrong key or value of config.
        """
        self.config = config = plant_config.checked(config)
        self.racks = [rack.Rack(config, f"{seed}/rack/{i}") for i in range(config.racks)]
        in_series = config.modules * config.cells_per_module
        self.pcs = [pcs.Pcs(config, in_series) for _ in range(config.units)]
        self.buses = [
            bus.Bus(unit, [self.racks[i] for i, of in enumerate(config.unit_of_rack) if of == u])
            for u, unit in enumerate(self.pcs)
        ]
        self.relays = relays.SafetyRelays(config.off_delay_s, config.fire_in_chain)
        self.air = air.Air(config, f"{seed}/air")
        self.climate = climate.Climate(config)
        self.ups = ups.Ups(config)
        self.detector_fault = dict.fromkeys(DETECTORS, False)
        self.calibration_d = dict.fromkeys(DETECTORS, 180)  # days until the next calibration is due
        self.fire_trouble = False  # of the fire panel: its supply, a line open
        self.supervised = True  # the path from the fire panel to the supervising station
        self._grid_random = random.Random(f"{seed}/grid")
        self._prepare(load)

    def _prepare(self, load):
        config = self.config
        self.load = load
        self.load_power_W = 0.0
        self.load_channels = None
        self.grid_power_W = 0.0
        self.grid_voltage_V = PHASE_V
        self.grid_frequency_Hz = FREQUENCY_HZ
        self.fan_by_hand = False
        self.key_run = True
        self.door_closed = True
        self.now_us = 0
        self._forced = {}
        self._places = [(one, m) for one in self.racks for m in range(config.modules)]
        self._place = 0
        self._looks = 0
        self._air_us = 0
        self._heat_J = 0.0
        self._over_s = 0.0
        self._supervision_V = chemistry.CHEMISTRIES[config.chemistry].supervision_V
        self._insulation_slopes = {}  # rack: kohm/s
        self._aux_W = config.aux_W
        self.contacts = dict.fromkeys(CONTACTS, False)
        self._publish()
        self._publish_slow()

    # What the sensors on the wires show.
    gas_lfl_pct = property(lambda self: self.air.gas_lfl_pct)
    vent_lfl_share = property(lambda self: self.air.lfl_share)
    offgas_ppm = property(lambda self: [head.reading for head in self.air.vapour])
    toxic_ppm = property(lambda self: [head.reading for head in self.air.toxic])
    air_degC = property(lambda self: self.climate.air_degC)
    humidity_permille = property(lambda self: self.climate.humidity_permille)
    mains_present = property(lambda self: self.ups.mains)
    ups_reserve_min = property(lambda self: self.ups.reserve_min)
    ups_invalid = property(lambda self: self.ups.invalid)

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
        """What the load takes now, and the channels its meter is to show if the trace gives
        them.
        """
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
            self._heat_J += one.refresh(module, self.climate.air_degC)

    def _breathe(self, now_us):
        """Slow things, ten times a second: air, gas relay, BMS decisions, auxiliary supply, the
        grid's wander.
        """
        dt_s = (now_us - self._air_us) / 1e6
        self._air_us = now_us
        self._stir(dt_s)
        aux_W = self.config.aux_W + (self.config.fan_W if self.air.fan_running else 0.0)
        if not self.relays.coils["aux_load"]:
            aux_W -= self.config.aux_shed_W
        self.ups.step(dt_s, aux_W)
        self._aux_W = aux_W + self.ups.charge_W if self.ups.mains else 0.0
        for one in self.racks:
            one.bms.update(one, dt_s)
        self._supervise(dt_s)
        deal = self._grid_random.gauss
        self.grid_frequency_Hz += 0.02 * (FREQUENCY_HZ - self.grid_frequency_Hz) + deal(0.0, 0.002)
        sag_V = max(-SAG_V_MAX, min(SAG_V_MAX, self.grid_power_W * SAG_V_PER_W))
        self.grid_voltage_V += 0.05 * (PHASE_V - sag_V - self.grid_voltage_V) + deal(0.0, 0.05)
        if self._insulation_slopes:
            self._wear_insulation(dt_s)
        self._publish_slow()

    def _stir(self, dt_s):
        """The air: what came out of the modules, fan and cooling."""
        gas_m3 = vapour_m3 = smoke_g = 0.0
        for one in self.racks:
            if one.burning:
                more = one.taken()
                gas_m3, vapour_m3, smoke_g = (
                    gas_m3 + more[0],
                    vapour_m3 + more[1],
                    smoke_g + more[2],
                )
        self.air.step(
            dt_s, self.fan_by_hand or not self.relays.coils["fan_off"], gas_m3, vapour_m3, smoke_g
        )
        self.relays.see_gas(max(self.air.gas[0].reading, self.air.gas[1].reading))
        heat_W = self._heat_J / dt_s
        self._heat_J = 0.0
        for one in self.pcs:
            heat_W += CONVERTER_SHARE * abs(one.dc_power_W - one.ac_power_W)
        self.climate.powered = self.ups.mains
        self.climate.step(dt_s, heat_W, self.air.exchange_m3_per_s)
        self.air.warm(dt_s, self.climate.air_degC)

    def _supervise(self, dt_s):
        """The independent over-voltage supervision measures the cells itself and opens the chain in
        hardware.
        """
        highest_V = max([one.cell_voltage_V_max for one in self.racks])
        self._over_s = self._over_s + dt_s if highest_V >= self._supervision_V else 0.0
        if self._over_s >= SUPERVISION_S:
            self.relays.cell_voltage_closed = False
        elif highest_V < self._supervision_V - SUPERVISION_HYSTERESIS_V:
            self.relays.cell_voltage_closed = True

    def _wear_insulation(self, dt_s):
        for rack_index, slope in self._insulation_slopes.items():
            one = self.racks[rack_index]
            one.insulation_kohm = max(0.0, min(65_535.0, one.insulation_kohm + slope * dt_s))

    def _publish(self):
        """The dry contacts as wired to the I/O modules: True is closed, which is the permitted
        side.
        """
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
        contacts["bms_fault"] = not any(
            [one.bms.fault_bits or one.contactors.fault_bits for one in self.racks]
        )
        if self._forced:
            contacts.update(self._forced)

    def _publish_slow(self):
        """The contacts of what moves ten times a second."""
        one, contacts = self.air, self.contacts
        contacts["cell_voltage"] = self.relays.cell_voltage_closed
        contacts["smoke_1"], contacts["smoke_2"] = not one.smoke[0], not one.smoke[1]
        contacts["heat"] = not one.heat
        contacts["fire_trouble"] = not self.fire_trouble
        contacts["damper"] = one.louvre_open
        contacts["hvac"] = self.climate.hvac_ok
        contacts["leak"] = self.climate.leak_ok
        contacts["coolant"] = self.climate.coolant_ok
        contacts["supervised"] = self.supervised
        if self._forced:
            contacts.update(self._forced)

    def set_coil(self, name, level):
        """Drive the coil `name` of relays.COILS. `shunt_trip` opens the DC breaker, which only a
        hand closes again.
        """
        self.relays.set_coil(name, level)
        if name == "shunt_trip" and level:
            self._open_breaker(True)

    def _open_breaker(self, is_open):
        self.relays.breaker_open = is_open
        for one in self.racks:
            one.open_breaker(is_open)
