"""The power conversion system: dead time, ramp, losses, enable input, loss of the DC side.

Power > 0 discharges. States and alarm bits: SunSpec model 701 (InvSt, Alrm).
"""

import collections
import math
from collections.abc import Callable
from typing import Any

from hil.plant.config import CabinetConfig

OFF, SLEEPING, STARTING, RUNNING, THROTTLED, SHUTTING_DOWN, FAULT, STANDBY = range(8)
ALARM_DC_OVER_VOLT, ALARM_DC_DISCONNECT = 1 << 1, 1 << 3
ALARM_OVER_FREQUENCY, ALARM_UNDER_FREQUENCY = 1 << 8, 1 << 9
ALARM_AC_OVER_VOLT, ALARM_AC_UNDER_VOLT = 1 << 10, 1 << 11

# V per cell in series: DC window of a converter that suits this rack
DC_V_MIN, DC_V_MAX = 2.45, 3.75
DISABLE_S = 0.010  # from full power to zero when the enable input drops
# Loss / rated power at x = power / rated: FIXED + LINEAR x + SQUARE x^2. These three fit published
# points of a measured converter: efficiency 0.973 at rated power, 0.93 at 10 %, 0.59 at 1 %.
FIXED, LINEAR, SQUARE = 0.0069, 0.0046, 0.0162
STANDBY_W = 60.0  # control electronics on the DC link
# (time at which it acts, method, its argument)
Command = tuple[int, Callable[[Any], None], float]


def losses_W(power_W: float, rated_W: float, sleeps: float = 0) -> float:
    """Losses at this power, W. sleeps: true for a converter that stops switching at 0 W."""
    if sleeps and not power_W:
        return STANDBY_W
    share = abs(power_W) / rated_W
    return (FIXED + (LINEAR + SQUARE * share) * share) * rated_W


class Pcs:
    """One unit. Registers: `ac_power_W`, `dc_current_A`, `state`, `alarm_bits`, `setpoint_W`."""

    def __init__(self, config: CabinetConfig, cells_in_series: int) -> None:
        """cells_in_series: in each rack on the DC side of this PCS."""
        self.rated_W = config.pcs_rated_W
        self.ac_power_W = self.dc_power_W = self.dc_current_A = self.setpoint_W = 0.0
        self.dc_voltage_V = 0.0  # as measured by this PCS
        self.dc_voltage_offset_V = 0.0  # fault: error of this measurement
        self.state, self.alarm_bits = OFF, 0
        self.run_requested = False
        self.can_form = False  # it may form the voltage of an island
        self.is_forming = False  # it forms an island: its power is `island_W`, not the set-point
        self.island_W = 0.0
        self._transfer_s = self._wait_s = config.pcs_transfer_s  # time until it can form an island
        self.is_reversed = False  # fault: charges when asked to discharge
        self.is_stuck = False  # fault: accepts every set-point and keeps its power
        self.derated_W = config.pcs_rated_W  # highest power; a fault lowers it
        self._dead_us = round(config.pcs_dead_time_s * 1e6)
        self._ramp_W_per_s = config.pcs_ramp_W_per_s
        self._start_s, self._sleeps = config.pcs_start_s, config.pcs_sleeps
        self._dc_V_min, self._dc_V_max = DC_V_MIN * cells_in_series, DC_V_MAX * cells_in_series
        self._commands: collections.deque[Command] = collections.deque()
        # the target survives a stop, as in the worst real devices
        self._target_W = self._timer_s = 0.0
        self._running_state = RUNNING
        self._run = False
        self._now_us = 0

    def command_setpoint(self, setpoint_W: float) -> None:
        """Request setpoint_W at the AC terminals, at most rated power. The request acts one dead
        time after the last step. ValueError if the number is not finite.
        """
        setpoint_W = float(setpoint_W)
        if not math.isfinite(setpoint_W):
            raise ValueError(f"PCS set-point {setpoint_W}: allowed is a finite number of W")
        if setpoint_W != self.setpoint_W:
            self.setpoint_W = setpoint_W
            self._commands.append((self._now_us + self._dead_us, self._aim, setpoint_W))

    def command_run(self, run: bool) -> None:
        """True starts. False ramps down, stops, and acknowledges a past fault."""
        run = bool(run)
        if run != self.run_requested:
            self.run_requested = run
            self._commands.append((self._now_us + self._dead_us, self._take_run, run))

    @property
    def forms(self) -> bool:
        """True if the converter can carry an island now."""
        is_ready = self._wait_s <= 1e-9 and self.can_form and self._run
        return is_ready and self.state in (RUNNING, THROTTLED)

    def wait(self, dark_s: float, is_off_grid: bool) -> None:
        """Count the transfer time while the site has left the grid and has no voltage."""
        self._wait_s = max(0.0, self._wait_s - dark_s) if is_off_grid else self._transfer_s

    def carry(self, power_W: float | None) -> float:
        """Give this power at once, within the rating, because the unit forms an island. Returns the
        power that it gives. None: follow the set-point again.
        """
        self.is_forming = power_W is not None
        if power_W is not None:
            self.island_W = power_W
            self.ac_power_W = self._wanted_W()
        return self.ac_power_W

    def step(self, dt_s: float, now_us: int, enabled: bool, dc_V: float) -> None:
        """Advance by dt_s to now_us. enabled: level of the enable input; dc_V: link voltage."""
        self._now_us = now_us
        left_s = dt_s
        while self._commands and self._commands[0][0] <= now_us:
            due_us, act, argument = self._commands.popleft()
            if self._follows(enabled, dc_V):
                after_s = (now_us - due_us) / 1e6
                self._follow(left_s - after_s)
                left_s = after_s
            act(argument)
        if self._follows(enabled, dc_V):
            self._follow(left_s)
            sleeps = 0 if self.is_forming else self._sleeps
            self.dc_power_W = self.ac_power_W + losses_W(self.ac_power_W, self.rated_W, sleeps)
        else:
            self._change(dt_s, enabled, dc_V)
            power_W, self.dc_power_W = self.ac_power_W, 0.0
            if power_W or dc_V >= self._dc_V_min:
                self.dc_power_W = power_W + losses_W(power_W, self.rated_W, 1)

    def _follows(self, enabled: bool, dc_V: float) -> bool:
        """True if the PCS runs steadily, so that its power follows the set-point."""
        is_up = enabled and self._run and self.state in (RUNNING, THROTTLED)
        return is_up and self._dc_V_min <= dc_V <= self._dc_V_max

    def _follow(self, dt_s: float) -> None:
        wanted_W = self._wanted_W()
        if self.ac_power_W != wanted_W:
            self.ac_power_W = _towards(self.ac_power_W, wanted_W, self._ramp_W_per_s * dt_s)

    def lose_dc(self) -> None:
        """Note that the battery has left the DC link. Trip if the PCS was running."""
        self.dc_power_W = 0.0
        if self.state in (RUNNING, THROTTLED, SHUTTING_DOWN):
            self._trip(ALARM_DC_DISCONNECT)

    def protect(self, alarm_bit: int) -> None:
        """Trip because the grid protection has tripped."""
        if self.state in (STARTING, RUNNING, THROTTLED, SHUTTING_DOWN):
            self._trip(alarm_bit)

    def _take_run(self, run: bool) -> None:
        self._run = run

    def _aim(self, setpoint_W: float) -> None:
        if self.is_stuck:
            return
        self._target_W = setpoint_W
        self._running_state = RUNNING if abs(setpoint_W) <= self.rated_W else THROTTLED
        if self.state in (RUNNING, THROTTLED):
            self.state = self._running_state

    def _wanted_W(self) -> float:
        """Target power with the faults applied. A fault may change it while the target stays."""
        target_W = self.island_W if self.is_forming else self._target_W
        power_W = max(-self.derated_W, min(self.derated_W, target_W))
        return -power_W if self.is_reversed and not self.is_forming else power_W

    def _change(self, dt_s: float, enabled: bool, dc_V: float) -> None:
        """Advance in every state but steady running."""
        dc_ok = self._dc_V_min <= dc_V <= self._dc_V_max
        if self.state == FAULT:
            if not self._run:
                self.alarm_bits = 0
                self.state = _standby_state(enabled, dc_ok)
        elif not enabled:
            self.state = OFF
            self.ac_power_W = _towards(self.ac_power_W, 0.0, self.rated_W * dt_s / DISABLE_S)
        elif self.state not in (RUNNING, THROTTLED, SHUTTING_DOWN):
            self._stand_by_or_start(dt_s, dc_ok)
        elif dc_ok:
            self._shut_down(dt_s)
        else:
            self._trip(ALARM_DC_OVER_VOLT if dc_V > self._dc_V_max else ALARM_DC_DISCONNECT)

    def _shut_down(self, dt_s: float) -> None:
        if self._run:
            self.state = self._running_state
            return
        self.ac_power_W = _towards(self.ac_power_W, 0.0, self._ramp_W_per_s * dt_s)
        self.state = SHUTTING_DOWN if self.ac_power_W else STANDBY

    def _stand_by_or_start(self, dt_s: float, dc_ok: bool) -> None:
        self.ac_power_W = 0.0
        if not (self._run and dc_ok):
            self.state = _standby_state(True, dc_ok)
        elif self.state != STARTING:
            self.state = STARTING
            self._timer_s = self._start_s
        else:
            self._timer_s -= dt_s
            if self._timer_s <= 1e-9:
                self.state = self._running_state

    def _trip(self, alarm_bit: int) -> None:
        self.state = FAULT
        self.alarm_bits |= alarm_bit
        self.ac_power_W = 0.0


def _standby_state(enabled: bool, dc_ok: bool) -> int:
    if not enabled:
        return OFF
    return STANDBY if dc_ok else SLEEPING


def _towards(value: float, target: float, step: float) -> float:
    if value < target:
        return min(target, value + step)
    return max(target, value - step)
