"""Value mode for I/O modules and meters: reads simulated devices without frames.

This applies to coarse ticks (50 ms and more). Each device is read once in a step, so the order on
the bus has no effect. A device whose replies have a fault is read through frames (bus.py). All
other faults act within the device itself.
"""

from collections.abc import Sequence
from typing import TypeGuard

from controller.run.field import IoChannel
from drivers.buses.rtu import Request
from drivers.io import IoModule as IoDriver
from drivers.meter import HASH_MASK, Meter
from drivers.meter_reads import VOLTAGE, limits_of, phases_of
from hil.devices.io_module import CHANNELS, IoModule
from hil.devices.power_meter import POWER_JITTER, PowerMeter
from hil.devices.registers import WRITE_COILS, RegisterDevice
from hil.values.bus import Line, ValuePort, is_sound
from safety import signals as s

COARSE_MS = 50  # ticks of this length or more are coarse


class DirectIo:
    """Replaces the IoChannel of a module."""

    def __init__(
        self, channel: IoChannel, device: IoModule, line: Line, request: Request, period_us: int
    ) -> None:
        """request: reads the inputs, every period_us."""
        self._channel, self._device, self._line = channel, device, line
        self._driver: IoDriver = channel.module
        self._request, self._read_us = request, period_us
        self._due_us = self._write_us = 0
        self._bits = self._coils = -1
        self._is_direct = False
        self._levels: tuple[int, ...] = ()

    def advance(self, end_us: int) -> None:
        """Read the inputs if a read is due."""
        if end_us < self._due_us:
            return
        self._due_us = end_us - (end_us - self._due_us) % self._read_us + self._read_us
        driver = self._driver
        self._is_direct = driver.expiry_ok and is_sound(self._device, self._line)
        if not self._is_direct:
            self._bits = -1
            self._channel.port.submit(self._request)
            return
        bits = self._device.inputs()
        if bits != self._bits:
            self._bits, driver._pdu = bits, None
            for index, bit in driver._inputs:
                driver._inp[index] = bits >> bit & 1
        driver._fresh[driver._group] = 1

    def write(self, out: Sequence[int], now_us: int) -> None:
        """Write the coils if they changed or a refresh is due."""
        driver, device, channel = self._driver, self._device, self._channel
        if not self._is_direct or device.silent or device.ignore_writes or self._line.cut:
            self._levels = ()
            channel.write(out, now_us)
            return
        if channel.is_permit and out[s.WITHHOLD_ON]:
            return  # no write: the controller tests that the module's coils drop without writes
        levels = tuple([out[index] for index in driver._picks])
        if levels == self._levels and now_us < self._write_us:
            return
        self._write_us = now_us + channel.period_us
        if levels == self._levels and device.coils == self._coils:
            device._written_us = now_us
            return
        self._levels = levels
        coils = [0] * CHANNELS
        for level, (_, _, mask, inverted) in zip(levels, driver._outputs):
            coils[mask.bit_length() - 1] = int((not level) is inverted)
        device.write(WRITE_COILS, device.at.coils, coils, now_us)
        self._coils = device.coils


def is_fast(device: RegisterDevice, driver: Meter, tick_ms: int) -> TypeGuard[PowerMeter]:
    """True for a meter that refreshes at least twice per tick and needs only one read."""
    if len(driver.periodic()) > 1:
        return False
    if tick_ms < COARSE_MS or not isinstance(device, PowerMeter):
        return False
    return 2 * device.refresh_us <= tick_ms * 1000


class DirectMeter:
    """Replaces a meter that needs only one request and refreshes at least twice per tick. The
    plant's power is constant within a tick, so the mean of the last refresh is the plant's power.
    """

    def __init__(
        self, driver: Meter, device: PowerMeter, line: Line, port: ValuePort, phase_us: int
    ) -> None:
        """phase_us: time of the first read, us, the same as in runs with frames on a wire."""
        self._driver, self._device, self._line, self._port = driver, device, line, port
        ((self._request, self._period_us),) = driver.periodic()
        self._transit_us = sum(port.times_us(self._request, device.TURNAROUND_US))
        self._due_us, self._count, self._is_direct = phase_us, 0, False
        profile = driver.profile
        names = {*phases_of(VOLTAGE, profile.settings)} & {*profile.registers}
        self._limits_V = [limits_of(profile, name) for name in names]

    def advance(self, end_us: int) -> None:
        """Read the newest values whose reply ends by end_us."""
        last_us = end_us - self._transit_us
        if last_us < self._due_us:
            return
        self._due_us = last_us - (last_us - self._due_us) % self._period_us + self._period_us
        if not self._choose_direct():
            self._port.submit(self._request)
            return
        driver, device = self._driver, self._device
        voltage_V = device.cabinet.grid_voltage_V * device.ratio
        is_read = driver._frequency is not None
        frequency_Hz = device.cabinet.grid_frequency_Hz if is_read else 0.0
        driver.see([voltage_V] * len(driver._volts), frequency_Hz, end_us)
        driver._moved_us = driver._moved_us if device.frozen else end_us
        if not all([low_V <= voltage_V <= high_V for low_V, high_V in self._limits_V]):
            driver.refused += 1
            return
        if not device.frozen:
            power_W = device._power_W() * (1 + POWER_JITTER * (device._random() - 0.5))
            self._count += 1
            driver._inp[driver._power_index] = round(power_W) * driver._sign
            driver._inp[driver._hash_index] = self._count & HASH_MASK
        driver._fresh[driver._group] = 1

    def _choose_direct(self) -> bool:
        """True if the meter is sound. Then the plant gives the power without integration."""
        device = self._device
        is_direct = (
            is_sound(device, self._line)
            and not self._port.is_silent(self._driver.unit_id)
            and not device.reversed_phases
            and device.cabinet.load_channels is None
        )
        if is_direct and not self._is_direct:
            device.tick = lambda now_us: None  # type: ignore[method-assign]
            self._driver._words = None
        elif self._is_direct and not is_direct:
            del device.tick
            device._due_us = None  # it refreshes at once, with the present power
        self._is_direct = is_direct
        return is_direct
