"""The air in the cabinet: fan, louvre, emissions of burning or venting cells, and the detectors.

One well-mixed volume holds vent gas, vapour of electrolyte and smoke: V dc/dt = G - Q c (Table E of
`firebreak document facts`). Hydrogen and carbon monoxide are fixed shares of the vent gas. Test gas
under a cap reaches only the capped detector, and no fan dilutes it.
"""

import math
import random
from collections.abc import Iterable

from hil.plant import chemistry
from hil.plant.config import CabinetConfig

FAN_M3_PER_S = 0.19
LEAK_M3_PER_S = 0.002
COAST_S = 1.0  # the airflow contact stays closed for this time after the fan has stopped
STUCK_LOUVRE = 0.3  # share of the flow that passes a stuck louvre
# Time constants of the two heads (63 % of a step); t90 is 2.3 times as long. The second gas head
# is nearer to the fan.
GAS_TAU_S = (2.4, 2.0)
VAPOUR_TAU_S = (4.0, 5.0)
# electrochemical cells for hydrogen and carbon monoxide: t90 is half a minute
TOXIC_TAU_S = (13.0, 11.0)
SMOKE_TAU_S = (5.0, 12.0)  # smoke chambers in two zones
HEAT_TAU_S = 20.0
NOISE = 0.005  # share of the reading, one sigma
SMOKE_G_PER_M3 = 0.1  # a chamber alarms at about 0.2 dB/m
HEAT_DEGC = 58.0  # alarm of the fixed-temperature detector
# (time constants, full scale, level below which air counts as clean), in % LFL, ppm and ppm
HEADS = {
    "gas": (GAS_TAU_S, 100.0, 0.001),
    "vapour": (VAPOUR_TAU_S, 20_000.0, 0.01),
    "toxic": (TOXIC_TAU_S, 20_000.0, 0.01),
}


class Head:
    """One detector: `reading`, and the `test` gas under its cap, in the unit of its full scale."""

    def __init__(self, tau_s: float, full: float, clean_below: float, seed: str) -> None:
        """full: reading at saturation; clean_below: lower levels count as clean air, and read 0."""
        self.reading = self.level = self.test = self._target = self._per_s = 0.0
        self._tau_s, self._full, self._clean_below = tau_s, full, clean_below
        self._random = random.Random(seed)

    def cap(self, value: float, per_s: float = 0.0) -> None:
        """Put test gas of this value under the cap: at once, or at a rate per_s > 0."""
        self._target, self._per_s = value, per_s
        if not per_s:
            self.test = value

    def follow(self, truth: float, dt_s: float) -> bool:
        """Advance by dt_s towards the higher of truth and test gas. True while gas is present."""
        step_max = self._per_s * dt_s
        self.test += max(-step_max, min(step_max, self._target - self.test))
        target = max(self.test, truth)
        level = self.level + (target - self.level) * -math.expm1(-dt_s / self._tau_s)
        if level < self._clean_below:
            self.level = self.reading = 0.0
        else:
            self.level = level
            self.reading = min(self._full, level * max(0.0, 1.0 + self._random.gauss(0.0, NOISE)))
        return self.level > 0.0 or target > 0.0


class Air:
    """`airflow`, `louvre_open`: contacts in the duct; `gas` (% of the vent gas's LFL), `vapour` and
    `toxic` (hydrogen and carbon monoxide, ppm): two Heads each; `smoke`, `heat`: True where that
    detector is in alarm.
    """

    def __init__(self, config: CabinetConfig, seed: object = 0) -> None:
        """seed: draws the noise of the detectors."""
        self._kind = chemistry.CHEMISTRIES[config.chemistry]
        self.gas, self.vapour, self.toxic = [
            [Head(tau_s, full, clean_below, f"{seed}/{name}/{i}") for i, tau_s in enumerate(taus_s)]
            for name, (taus_s, full, clean_below) in HEADS.items()
        ]
        self.smoke = [False, False]
        self.test_smoke = [False, False]  # test aerosol in the chamber
        self.heat = self.test_heat = False
        self.mixture = self.vapour_share = 0.0  # shares of the volume: vent gas, vapour
        self.smoke_g_per_m3 = 0.0
        self.fan_running = self.airflow = self.louvre_open = False
        # faults: the fan moves no air; the louvre sticks half-way
        self.airflow_failed = self.louvre_failed = False
        self.exchange_m3_per_s = LEAK_M3_PER_S
        self._volume_m3 = config.free_volume_m3
        self._spin_up_s, self._louvre_s = config.fan_spin_up_s, config.louvre_s
        self._flow_s = self._opening_s = 0.0
        self._smoke_levels = [0.0, 0.0]
        self._heat_degC = config.air_degC
        self._unclean = False

    gas_lfl_pct = property(lambda self: [head.reading for head in self.gas])
    lfl_share = property(lambda self: self._kind.lfl_share)
    mixture_lfl_pct = property(lambda self: 100.0 * self.mixture / self._kind.lfl_share)

    def step(
        self,
        dt_s: float,
        fan_on: bool,
        gas_m3: float = 0.0,
        vapour_m3: float = 0.0,
        smoke_g: float = 0.0,
    ) -> None:
        """Advance by dt_s. gas_m3, vapour_m3, smoke_g: what the modules emitted in that time."""
        self.fan_running = fan_on
        self._blow(dt_s, fan_on and not self.airflow_failed)
        if self._unclean or gas_m3 or vapour_m3 or smoke_g:
            self._mix(dt_s, gas_m3, vapour_m3, smoke_g)

    def cap(
        self, kind: str, value: float, detectors: Iterable[int] = (0, 1), per_s: float = 0.0
    ) -> None:
        """Put test gas on detectors of one kind of HEADS, as Head.cap does; 0 removes it."""
        for i in detectors:
            getattr(self, kind)[i].cap(float(value), per_s)
        self.stir()

    def stir(self) -> None:
        """Evaluate the detectors again, because test gas or aerosol was applied."""
        self._unclean = True

    def warm(self, dt_s: float, air_degC: float) -> None:
        """Let the heat detector follow the air. A detector under test stays in alarm."""
        self._heat_degC += (air_degC - self._heat_degC) * dt_s / (HEAT_TAU_S + dt_s)
        self.heat = self.test_heat or self._heat_degC >= HEAT_DEGC

    def _blow(self, dt_s: float, moving: bool) -> None:
        if moving:
            self._flow_s = min(self._spin_up_s, self._flow_s + dt_s)
            self.airflow = self.airflow or self._flow_s >= self._spin_up_s - 1e-9
        else:
            self._flow_s = max(0.0, self._flow_s - dt_s * self._spin_up_s / COAST_S)
            self.airflow = self.airflow and self._flow_s > 1e-9
        target_s = self._louvre_s if self.fan_running else 0.0
        if self.louvre_failed:
            target_s *= STUCK_LOUVRE
        self._opening_s += max(-dt_s, min(dt_s, target_s - self._opening_s))
        self.louvre_open = self.fan_running and self._opening_s >= self._louvre_s - 1e-9
        fan_share = self._flow_s / self._spin_up_s if self._spin_up_s else float(self.airflow)
        opening = self._opening_s / self._louvre_s if self._louvre_s else float(self.fan_running)
        self.exchange_m3_per_s = LEAK_M3_PER_S + FAN_M3_PER_S * (fan_share * opening)

    def _mix(self, dt_s: float, gas_m3: float, vapour_m3: float, smoke_g: float) -> None:
        decay = self.exchange_m3_per_s * dt_s / self._volume_m3
        keep, gain = math.exp(-decay), -math.expm1(-decay) / decay / self._volume_m3
        mixture = min(1.0, self.mixture * keep + gas_m3 * gain)
        vapour = min(1.0, self.vapour_share * keep + vapour_m3 * gain)
        smoke = self.smoke_g_per_m3 * keep + smoke_g * gain
        # A trace becomes 0 only when no more gas comes. Otherwise a slow source would never add up.
        self.mixture = mixture if gas_m3 or mixture > 1e-5 * self._kind.lfl_share else 0.0
        self.vapour_share = vapour if vapour_m3 or vapour > 1e-9 else 0.0
        self.smoke_g_per_m3 = smoke if smoke_g or smoke > 1e-4 else 0.0
        self._unclean = self._detect(dt_s) or bool(
            self.mixture or self.vapour_share or self.smoke_g_per_m3
        )

    def _detect(self, dt_s: float) -> bool:
        """Advance every detector. True while a detector still has something to detect."""
        mixture, kind = self.mixture, self._kind
        are_active = [head.follow(self.mixture_lfl_pct, dt_s) for head in self.gas]
        are_active += [head.follow(self.vapour_share * 1e6, dt_s) for head in self.vapour]
        are_active += [
            head.follow(mixture * share * 1e6, dt_s)
            for head, share in zip(self.toxic, (kind.hydrogen_share, kind.carbon_monoxide_share))
        ]
        for i, tau_s in enumerate(SMOKE_TAU_S):
            target = max(self.smoke_g_per_m3, 2.0 * SMOKE_G_PER_M3 if self.test_smoke[i] else 0.0)
            level = self._smoke_levels[i]
            level += (target - level) * -math.expm1(-dt_s / tau_s)
            self._smoke_levels[i] = level if level > 1e-4 else 0.0
            self.smoke[i] = level >= SMOKE_G_PER_M3 * (0.5 if self.smoke[i] else 1.0)
            are_active.append(self._smoke_levels[i] > 0.0)
        return any(are_active)
