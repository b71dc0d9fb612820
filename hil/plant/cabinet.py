"""A cabinet: racks, PCS, relays and air, stepped in plain floats from a seed.

Load and grid connection belong to its site, which several cabinets may share. The cabinet knows no
register, no frame and no clock. A scenario changes the parts and then calls `publish`.
"""

import math
from operator import attrgetter
from typing import Any

from hil.loads.trace import Power
from hil.plant import air, bus, chemistry, climate, config as plant_config, pcs, relays, ups
from hil.plant.rack import Rack
from hil.site import air_devices
from hil.site.part import SitePart
from hil.site.site import Site

CONTACTS = (
    "estop_1",
    "estop_2",
    "fire_alarm",
    "suppression",
    "gas_relay",
    "airflow",
    "key_run",
    "key_service",
    "permit_1",
    "permit_2",
    "door",
    "bms_fault",
    # these ten are refreshed ten times a second, the others at every step
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
    "source",
)
DETECTORS = ("gas_1", "gas_2", "offgas_1", "offgas_2", "toxic")
AIR_US = 100_000  # slow parts advance ten times a second, as often as a BMS reports
LOOK_US = 1_000_000  # within this time each module is refreshed once
# Share of the converters' losses that warms the cabinet; their own fans blow the rest outside.
CONVERTER_SHARE = 0.1
# the independent over-voltage supervision (matrix row 30) acts within 0.2 to 1 s
SUPERVISION_S = 0.4
SUPERVISION_HYSTERESIS_V = 0.05


def _of_site(name: str) -> property:
    """An attribute of the cabinet's site that is also read here, by devices and the observer."""

    def write(plant: "CabinetPlant", value: object) -> None:
        setattr(plant.site, name, value)

    return property(attrgetter(f"site.{name}"), write)


class CabinetPlant:
    """Power in W (> 0 discharges, grid > 0 imports), time in s, temperatures in degC."""

    def __init__(
        self,
        changes: dict[str, Any] | None = None,
        load: Power | None = None,
        seed: object = 0,
        site: Site | None = None,
    ) -> None:
        """changes: {key of CabinetConfig: value}; site: the site that the cabinet joins.

        load: for a new site, without `site`: t_s -> W or t_s -> (W, 3 x (W, V, A, PF)). Raises
        ValueError, one line, for wrong changes.
        """
        self.config = config = plant_config.checked(changes)
        self.racks = [
            Rack(config._replace(**sizes), f"{seed}/rack/{i}")
            for i, sizes in enumerate(config.of_racks or ({},) * config.racks)
        ]
        racks_by_unit: list[list[Rack]] = [[] for _ in range(config.units)]
        for rack, unit in zip(self.racks, config.unit_of_rack):
            racks_by_unit[unit].append(rack)
        self.pcs = [
            pcs.Pcs(config.of_unit(unit), racks[0].cells_online)
            for unit, racks in enumerate(racks_by_unit)
        ]
        self.buses = list(map(bus.Bus, self.pcs, racks_by_unit))
        self.relays = relays.SafetyRelays(config.off_delay_s, config.wired_rows)
        self.air = air.Air(config, f"{seed}/air")
        self.climate = climate.Climate(config)
        self.air_devices: list[SitePart] = []  # heater, fans and chiller of this cabinet
        self.ups = ups.Ups(config)
        self.detector_fault = dict.fromkeys(DETECTORS, False)
        self.calibration_d = dict.fromkeys(DETECTORS, 180)  # days until the next calibration is due
        self.fire_trouble = False  # the fire panel has lost its supply or a line
        self.supervised = True  # the fire panel reaches the supervising station
        self.fan_by_hand = False
        self.key_run = self.door_closed = True
        self.site = site or Site(load, seed)
        self.site.join(self)
        self.now_us = 0
        self._prepare()

    def _prepare(self) -> None:
        config = self.config
        self._rack_modules = [(rack, m) for rack in self.racks for m in range(rack.modules)]
        self._next_module = self._refreshes = self._air_us = 0
        self._heat_J = self._over_s = 0.0
        self._supervision_V = chemistry.CHEMISTRIES[config.chemistry].supervision_V
        self._aux_W = config.aux_W
        self.drawn_W = 0.0  # power of the auxiliaries in the present step
        self._forced: dict[str, bool] = {}
        self.contacts = dict.fromkeys(CONTACTS, False)
        self.publish()

    load = _of_site("load")
    load_power_W, load_channels = _of_site("load_power_W"), _of_site("load_channels")
    inside_W = _of_site("inside_W")
    grid_power_W, other_load_W = _of_site("grid_power_W"), _of_site("other_load_W")
    grid_voltage_V, is_off_grid = _of_site("grid_voltage_V"), _of_site("is_off_grid")
    grid_frequency_Hz = _of_site("grid_frequency_Hz")
    battery_W = property(lambda self: math.fsum([unit.ac_power_W for unit in self.pcs]))
    hottest_degC = property(lambda self: max([max(rack.temperatures_degC) for rack in self.racks]))
    # Readings of the sensors that the wires report
    gas_lfl_pct = property(lambda self: self.air.gas_lfl_pct)
    vent_lfl_share = property(lambda self: self.air.lfl_share)
    offgas_ppm = property(lambda self: [head.reading for head in self.air.vapour])
    toxic_ppm = property(lambda self: [head.reading for head in self.air.toxic])
    air_degC = property(lambda self: self.climate.air_degC)
    humidity_permille = property(lambda self: self.climate.humidity_permille)

    def step(self, dt_s: float) -> None:
        """Advance the site, and with it every cabinet there, by dt_s (s, > 0, at most 1)."""
        self.site.step(dt_s)

    def advance(self, dt_s: float, now_us: int) -> None:
        """Advance this cabinet alone. Its site calls this once per step."""
        self.now_us = now_us
        safety, is_live = self.relays, self.site.is_live
        safety.step(dt_s)
        for dc_bus in self.buses:
            has_voltage = is_live or dc_bus.pcs.can_form
            dc_bus.pcs.wait(0.0 if is_live else dt_s, self.site.is_off_grid)
            dc_bus.step(dt_s, now_us, safety.pcs_enable and has_voltage, safety.contactor_supply)
        self.drawn_W = self._aux_W
        due_count = now_us * len(self._rack_modules) // LOOK_US - self._refreshes
        if due_count:
            self._refresh(due_count)
        if now_us - self._air_us >= AIR_US:
            self._breathe(now_us)
        self._publish_fast()

    def island(self, unit: pcs.Pcs, is_off_grid: bool) -> None:
        """Open or close the switch to the grid. While it is open, this unit can form an island."""
        unit.can_form = self.site.is_parted = is_off_grid
        self.publish()

    def supply(self, is_live: bool) -> None:
        """Note whether the site has voltage. Without voltage, the UPS feeds the auxiliaries."""
        self.ups.mains = is_live
        if not is_live:
            self._aux_W = 0.0

    def _refresh(self, count: int) -> None:
        """Refresh the next `count` modules."""
        self._refreshes += count
        for _ in range(min(count, len(self._rack_modules))):
            rack, module = self._rack_modules[self._next_module]
            self._next_module = (self._next_module + 1) % len(self._rack_modules)
            self._heat_J += rack.refresh(module, self.climate.air_degC)

    def _breathe(self, now_us: int) -> None:
        """Advance the slow parts: air, gas relay, decisions of the BMS, auxiliary supply."""
        dt_s = (now_us - self._air_us) / 1e6
        self._air_us = now_us
        self._stir(dt_s)
        aux_W = self.config.aux_W + (self.config.fan_W if self.air.fan_running else 0.0)
        if not self.relays.coils["aux_load"]:
            aux_W -= self.config.aux_shed_W
        self.ups.step(dt_s, aux_W)
        further_W = self.ups.charge_W + self.climate.heater_W + self.climate.hvac_draws_W
        self._aux_W = aux_W + further_W if self.ups.mains else 0.0
        for rack in self.racks:
            rack.update(dt_s)
        self._supervise(dt_s)
        self._publish_slow()

    def _stir(self, dt_s: float) -> None:
        """Mix the modules' emissions into the air; advance fan and cooling."""
        emissions = [rack.taken() for rack in self.racks if rack.burning]
        amounts = [math.fsum(parts) for parts in zip(*emissions)]
        self.air.step(dt_s, self.fan_by_hand or not self.relays.coils["fan_off"], *amounts)
        self.relays.see_gas(max(self.air.gas_lfl_pct))
        self._temper()
        heat_W = self._heat_J / dt_s
        self._heat_J = 0.0
        for unit in self.pcs:
            heat_W += CONVERTER_SHARE * abs(unit.dc_power_W - unit.ac_power_W)
        self.climate.powered = self.ups.mains
        self.climate.step(dt_s, heat_W, self.air.exchange_m3_per_s)
        self.air.warm(dt_s, self.climate.air_degC)

    def _temper(self) -> None:
        """Take the values of heater, chiller and fans. The heater is on the circuit of aux_load."""
        devices, config = self.air_devices, self.config
        heater_W = air_devices.heater_W(devices) if self.relays.coils["aux_load"] else 0.0
        self.climate.heater_W, self.climate.colder_K = (heater_W, air_devices.colder_K(devices))
        for rack, unit in zip(self.racks, config.unit_of_rack):
            weak = config.weak_fan_permille / 1000 if unit + 1 == config.weak_fan_unit else 1.0
            rack.blow(weak * air_devices.flow(devices, unit + 1))

    def _supervise(self, dt_s: float) -> None:
        """Advance the independent over-voltage supervision, which opens the relay chain in
        hardware.
        """
        highest_V = max([rack.cell_voltage_V_max for rack in self.racks])
        self._over_s = self._over_s + dt_s if highest_V >= self._supervision_V else 0.0
        if self._over_s >= SUPERVISION_S:
            self.relays.cell_voltage_closed = False
        elif highest_V < self._supervision_V - SUPERVISION_HYSTERESIS_V:
            self.relays.cell_voltage_closed = True

    def publish(self) -> None:
        """Refresh the dry contacts that the I/O modules read. A closed contact (True) permits."""
        self._publish_fast()
        self._publish_slow()

    def _publish_fast(self) -> None:
        safety = self.relays
        estop_1, estop_2 = safety.estop_closed
        self.contacts.update(
            estop_1=estop_1,
            estop_2=estop_2,
            fire_alarm=safety.fire_closed,
            suppression=safety.suppression_closed,
            gas_relay=safety.lfl_closed,
            airflow=self.air.airflow,
            key_run=self.key_run,
            key_service=not self.key_run,
            permit_1=safety.pcs_enable,
            permit_2=safety.contactor_supply,
            door=self.door_closed,
            source=self.is_off_grid,
            bms_fault=not any([rack.fault_bits for rack in self.racks]),
        )
        self.contacts.update(self._forced)

    def _publish_slow(self) -> None:
        smoke_1, smoke_2 = self.air.smoke
        self.contacts.update(
            cell_voltage=self.relays.cell_voltage_closed,
            smoke_1=not smoke_1,
            smoke_2=not smoke_2,
            heat=not self.air.heat,
            fire_trouble=not self.fire_trouble,
            damper=self.air.louvre_open,
            hvac=self.climate.hvac_ok,
            leak=self.climate.leak_ok,
            coolant=self.climate.coolant_ok,
            supervised=self.supervised,
        )
        self.contacts.update(self._forced)

    def force_contact(self, name: str, closed: bool | None) -> None:
        """Fault: `name` always reads closed (True) or open (False). None repairs the contact."""
        self._forced.pop(name, None)
        if closed is not None:
            self._forced[name] = closed
        self.publish()

    def set_coil(self, name: str, level: bool) -> None:
        """Drive a coil of relays.COILS. `shunt_trip` opens the DC breaker; only a person closes it
        again.
        """
        self.relays.set_coil(name, level)
        if name == "shunt_trip" and level:
            self.open_breaker(True)

    def open_breaker(self, is_open: bool) -> None:
        """Open or close the DC breaker upstream of all racks."""
        self.relays.breaker_open = is_open
        for rack in self.racks:
            rack.open_breaker(is_open)
