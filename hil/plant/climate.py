"""Temperature and humidity of the cabinet's air, with cooling, coolant and water on the floor.

The cooling keeps the air within a kelvin of its set-point, as far as its power suffices. The
cooling dries the air down to the dew point of its coil.
"""

import math

from hil.plant.config import CabinetConfig

AIR_J_PER_M3_K = 1200.0
METAL_FACTOR = 5.0  # heat capacity of air and thin sheet, as a multiple of that of the air
ELECTRONICS_W = 300.0
BAND_K = 1.0  # the cooling is at full power this far above its set-point
COIL_M3_PER_S = 0.3
COIL_DEGC = 12.0
DRIP_L_PER_S = 0.05  # coolant that a leak loses
FLOOR_L = 0.1  # with this much on the floor, the water sensor opens
CIRCUIT_L = 5.0  # when the circuit has lost this much, its pressure switch opens


def saturation_g_per_m3(degC: float) -> float:
    """Water in saturated air, g/m3 (Magnus formula)."""
    return 216.7 * 6.112 * math.exp(17.62 * degC / (243.12 + degC)) / (273.15 + degC)


class Climate:
    """`air_degC`, and the contacts `hvac_ok`, `leak_ok`, `coolant_ok`. A scenario sets faults."""

    def __init__(self, config: CabinetConfig) -> None:
        """config: of the plant."""
        self.outside_degC, self.air_degC = config.ambient_degC, config.start_degC
        self.hvac_failed = self.low_flow = self.leaking = False
        # water that enters and evaporates; power of the cooling, > 0 cools
        self.ingress_g_per_s = self.hvac_power_W = self._spilt_L = 0.0
        # set by the site devices: power of the heaters, and K below the usual set-point
        self.heater_W = self.colder_K = 0.0
        self.powered = True  # from the mains; the UPS does not feed the cooling
        self._setpoint_degC, self._cool_W = config.air_degC, config.hvac_W
        self._cop = config.hvac_cop
        self._heat_W = config.hvac_W * config.hvac_heating_share
        self._wall_W_per_K = config.wall_W_per_K
        self._volume_m3 = config.free_volume_m3
        self._J_per_K = AIR_J_PER_M3_K * METAL_FACTOR * config.free_volume_m3
        ambient_water = saturation_g_per_m3(config.ambient_degC) * config.ambient_humidity_permille
        self._outside_g_per_m3 = ambient_water / 1000.0
        self._coil_g_per_m3 = saturation_g_per_m3(COIL_DEGC)
        # Air that is cooler than outside has been cooled for long, so the coil has dried it.
        has_cooled = config.hvac_W > 0 and config.ambient_degC > config.start_degC
        dried_g_per_m3 = (
            self._coil_g_per_m3 if has_cooled else saturation_g_per_m3(config.start_degC)
        )
        self._water_g_per_m3 = min(self._outside_g_per_m3, dried_g_per_m3)
        # (degC, K/s): a test heater holds the air at this temperature
        self._held: tuple[float, float] | None = None
        self._held_degC = config.start_degC

    @property
    def hvac_draws_W(self) -> float:
        """Electric power of the cooling, W; 0 where aux_W already contains it."""
        return abs(self.hvac_power_W) / self._cop if self._cop else 0.0

    hvac_ok = property(lambda self: self.powered and not self.hvac_failed)
    leak_ok = property(lambda self: self._spilt_L < FLOOR_L)
    coolant_ok = property(lambda self: not self.low_flow and self._spilt_L < CIRCUIT_L)

    # relative humidity of the air
    humidity_permille = property(
        lambda self: min(1000.0, 1000.0 * self._water_g_per_m3 / saturation_g_per_m3(self.air_degC))
    )

    def hold(self, degC: float | None, rate_K_per_s: float) -> None:
        """Fault: move the air to degC at rate_K_per_s (0: at once) and hold it. None ends this."""
        self._held = None if degC is None else (degC, rate_K_per_s)
        self._held_degC = self.air_degC

    def leak(self, is_leaking: bool) -> None:
        """Fault: coolant leaks. False: the circuit is repaired, dried and refilled."""
        self.leaking = bool(is_leaking)
        self._spilt_L = 0.0

    def step(self, dt_s: float, heat_W: float, exchange_m3_per_s: float) -> None:
        """Advance by dt_s. heat_W: heat given to the air; exchange_m3_per_s: flow from outside."""
        if self.leaking:
            self._spilt_L += DRIP_L_PER_S * dt_s
        self._temper(dt_s, heat_W + self.heater_W + ELECTRONICS_W, exchange_m3_per_s)
        if self._held is not None:
            degC, rate_K_per_s = self._held
            move_K = rate_K_per_s * dt_s if rate_K_per_s > 0.0 else abs(degC - self._held_degC)
            self._held_degC += max(-move_K, min(move_K, degC - self._held_degC))
            self.air_degC = self._held_degC
        self._moisten(dt_s, exchange_m3_per_s)

    def _temper(self, dt_s: float, heat_W: float, exchange_m3_per_s: float) -> None:
        """C (T' - T) = dt (heat + G (outside - T') - cooling); implicit, so any dt is stable."""
        outside_W_per_K = self._wall_W_per_K + exchange_m3_per_s * AIR_J_PER_M3_K
        supply_W = (
            self._J_per_K * self.air_degC / dt_s + heat_W + outside_W_per_K * self.outside_degC
        )
        total_W_per_K = self._J_per_K / dt_s + outside_W_per_K
        is_on = self.hvac_ok and self.coolant_ok
        cool_W, heat_W = (self._cool_W, self._heat_W) if is_on else (0.0, 0.0)
        cooling_W_per_K, setpoint_degC = cool_W / BAND_K, self._setpoint_degC - self.colder_K
        air_degC = (supply_W + cooling_W_per_K * setpoint_degC) / (total_W_per_K + cooling_W_per_K)
        power_W = cooling_W_per_K * (air_degC - setpoint_degC)
        if not -heat_W <= power_W <= cool_W:
            power_W = max(-heat_W, min(cool_W, power_W))
            air_degC = (supply_W - power_W) / total_W_per_K
        self.hvac_power_W, self.air_degC = power_W, air_degC

    def _moisten(self, dt_s: float, exchange_m3_per_s: float) -> None:
        """Update the water in the air: exchange with outside, drying on the coil, ingress."""
        coil_m3_per_s = 0.0
        if self.hvac_power_W > 0.0 and self._water_g_per_m3 > self._coil_g_per_m3:
            coil_m3_per_s = COIL_M3_PER_S * self.hvac_power_W / self._cool_W
        s_per_m3 = dt_s / self._volume_m3
        incoming_g_per_s = (
            exchange_m3_per_s * self._outside_g_per_m3
            + coil_m3_per_s * self._coil_g_per_m3
            + self.ingress_g_per_s
        )
        grown = 1.0 + s_per_m3 * (exchange_m3_per_s + coil_m3_per_s)
        water_g_per_m3 = (self._water_g_per_m3 + s_per_m3 * incoming_g_per_s) / grown
        if self.ingress_g_per_s:  # water beyond saturation runs down the walls
            water_g_per_m3 = min(water_g_per_m3, saturation_g_per_m3(self.air_degC))
        self._water_g_per_m3 = water_g_per_m3
