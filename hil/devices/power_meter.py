"""Base of the simulated power meters: mean power over the refresh window, phases, noise, faults.

A subclass has the register map: `image` and `_show`. The plant holds its powers from one step to
the next. A meter's clock does not follow the controller's: it refreshes at a phase that the seed
draws, to the microsecond, also between two steps of the plant.
"""

import random

from hil.devices import registers
from hil.devices.registers import ModbusException, RegisterDevice

# Last-digit movement of a real meter on a quiet grid (the display shows 0.1 V, the floats more).
VOLTAGE_JITTER_V = 0.3
POWER_JITTER = 0.0004  # of the reading; the class 1 error is a constant gain, not a movement
IMBALANCE = 0.02  # of a third, drawn once per meter


class PowerMeter(RegisterDevice):
    """cabinet: the plant. shows: "grid" or "load", the power it measures. Power > 0 is import.

    The load meter shows `cabinet.load_channels`, when there are any, as its three phases, raw: (W,
    V, A, PF) each. refresh_us: how often the meter computes new values. Power is the mean since the
    last time, as a meter integrates: a 10 Hz swing must not alias into a slow one. Further faults:
    frozen (the raw words repeat), reversed_phases (so many of its three current transformers are
    the wrong way round).
    """

    REFRESH_US = READ_REGISTERS_MAX = REGISTERS = 0  # of the subclass

    def __init__(self, cabinet, shows: str = "grid", seed=1):
        super().__init__()
        self.cabinet = cabinet
        self.shows_load = shows == "load"
        self.refresh_us, self.power_factor = self.REFRESH_US, 0.98
        self.frozen = False
        self.reversed_phases = 0
        self.image = bytearray(self.REGISTERS * 2)
        self._random = random.Random(seed).random
        first, second = (1 + IMBALANCE * (self._random() - 0.5) for _ in range(2))
        self._shares = (first / 3, second / 3, 1 - (first + second) / 3)
        self.phase_us = int(self._random() * self.refresh_us)
        self._due_us = self._refreshed_us = None
        self._seen_us = 0
        self._work = self._held_W = 0.0

    def tick(self, now_us: int) -> None:
        """Integrate; compute new values when they are due, always at the first call."""
        last_us = now_us - (now_us - self.phase_us) % self.refresh_us
        if self._due_us is None:
            self._seen_us, self._held_W = now_us, self._power_W()
            self._refresh(now_us)
        else:
            for due_us in sorted({self._due_us, last_us}):
                if self._due_us <= due_us <= now_us:
                    self._integrate(due_us)
                    self._refresh(due_us)
        self._due_us = last_us + self.refresh_us
        self._integrate(now_us)
        self._held_W = self._power_W()

    def payload(self, function: int, address: int, count: int) -> bytes:
        """Input registers as computed last."""
        if function != registers.READ_INPUT_REGISTERS:
            raise ModbusException(registers.ILLEGAL_FUNCTION)
        if address & 1 or count & 1:
            raise ModbusException(registers.ILLEGAL_ADDRESS)
        if count > self.READ_REGISTERS_MAX:
            raise ModbusException(registers.ILLEGAL_VALUE)
        return self.shown(self.image, 0, address, count)

    def _show(self, volts_V, amps_A, powers_W, factors, elapsed_us: int) -> None:
        """Write all values of the image: of three phases each, over elapsed_us."""
        raise NotImplementedError

    def _integrate(self, until_us):
        self._work += self._held_W * (until_us - self._seen_us)
        self._seen_us = until_us

    def _refresh(self, now_us):
        elapsed_us = 0 if self._refreshed_us is None else now_us - self._refreshed_us
        self._refreshed_us = now_us
        work, self._work = self._work, 0.0
        mean_W = work / elapsed_us if elapsed_us > 0 else self._held_W
        if self.frozen:
            return
        powers_W, volts_V, amps_A, factors = zip(*self._channels(mean_W))
        self._show(volts_V, amps_A, powers_W, factors, elapsed_us)

    def _channels(self, mean_W):
        """Three phases of (W, V, A, PF): the raw ones of the plant, else mean_W shared out."""
        if self.shows_load and self.cabinet.load_channels is not None:
            return self.cabinet.load_channels
        power_W = mean_W * (1 + POWER_JITTER * (self._random() - 0.5))
        factor = -self.power_factor if power_W < 0 else self.power_factor
        channels = []
        for phase, share in enumerate(self._shares):
            voltage_V = self.cabinet.grid_voltage_V + VOLTAGE_JITTER_V * (self._random() - 0.5)
            phase_W = power_W * share
            current_A = phase_W / (factor * voltage_V) if voltage_V else 0.0
            sign = -1 if phase < self.reversed_phases else 1
            channels.append((sign * phase_W, voltage_V, current_A, sign * factor))
        return channels

    def _power_W(self):
        return self.cabinet.load_power_W if self.shows_load else self.cabinet.grid_power_W
