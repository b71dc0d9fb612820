"""The air in the cabinet: exhaust fan with airflow contact, gas that a module vents, and the detectors.

Dilution is V dc/dt = G - Q c (facts Table E); concentrations are percent of the lower flammable limit (LFL).
"""

import math

LFL_SHARE = 0.06  # of volume: LFP vent gas, order of magnitude (facts C49)
FAN_M3_PER_S = 0.19
LEAK_M3_PER_S = 0.002
DETECTOR_TAU_S = 2.0  # of diffusion into the head: 63 % of a step
COAST_S = 1.0  # the airflow contact stays this long after the fan stopped


class Air:
    """`gas_lfl_pct` is what the two detectors read, `airflow` the contact in the duct."""

    def __init__(self, config):
        """config: config.CabinetConfig."""
        self.gas_lfl_pct = [0.0, 0.0]
        self.mixture_lfl_pct = 0.0
        self.test_gas_pct = [0.0, 0.0]  # under a test cap on each detector's head, which no fan dilutes
        self.fan_running = False
        self.airflow = False
        self.airflow_failed = False
        self.source_m3_per_s = 0.0  # a steady leak, for a fault
        self._volume_m3 = config.free_volume_m3
        self._spin_up_s = config.fan_spin_up_s
        self._flow_s = 0.0

    def step(self, dt_s, fan_on, vented_m3):
        """Advance by dt_s; vented_m3: gas that left the modules meanwhile."""
        self.fan_running = fan_on
        self._blow(dt_s, fan_on and not self.airflow_failed)
        gas_m3 = vented_m3 + self.source_m3_per_s * dt_s
        if gas_m3 or self.mixture_lfl_pct or max(self.gas_lfl_pct) or max(self.test_gas_pct):
            self._mix(dt_s, gas_m3)

    def _blow(self, dt_s, moving):
        if moving:
            self._flow_s = min(self._spin_up_s, self._flow_s + dt_s)
            self.airflow = self.airflow or self._flow_s >= self._spin_up_s - 1e-9
        else:
            self._flow_s = max(0.0, self._flow_s - dt_s * self._spin_up_s / COAST_S)
            self.airflow = self.airflow and self._flow_s > 1e-9

    def _mix(self, dt_s, gas_m3):
        share = 100.0 / LFL_SHARE / self._volume_m3
        flow = LEAK_M3_PER_S + (FAN_M3_PER_S if self.airflow else 0.0)
        mixture = min(100.0 / LFL_SHARE, self.mixture_lfl_pct + gas_m3 * share)
        mixture *= math.exp(-flow * dt_s / self._volume_m3)
        self.mixture_lfl_pct = mixture = mixture if mixture > 0.001 else 0.0
        follow = 1.0 - math.exp(-dt_s / DETECTOR_TAU_S)
        for i, test in enumerate(self.test_gas_pct):
            reading = self.gas_lfl_pct[i] + (max(test, mixture) - self.gas_lfl_pct[i]) * follow
            self.gas_lfl_pct[i] = min(100.0, reading) if reading > 0.001 else 0.0
