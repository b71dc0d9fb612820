"""The values of a rack's native BMS, read directly from the plant while the BMS is sound.

The values are rounded as by the device's encoder, and limited as by the driver. A burst with a
fault is read from its frames.
"""

from collections.abc import MutableSequence
from operator import attrgetter

from drivers.can_bms import CanBms as Driver
from drivers.rack_sources import INDEX
from hil.devices import native_bms
from hil.devices.native_bms import MESSAGES, PERIOD_US, SPACING_US, NativeBms
from hil.values.bus import Line
from safety import signals as s

ALL_FRESH = b"\1" * s.RACK_GROUP_COUNT


class Message:
    """One message of the BMS: its fields, and the values from which they were computed."""

    def __init__(self, name: str, device: NativeBms, driver: Driver) -> None:
        sent = next(message for message in device._messages if message.name == name)
        (source,) = driver._messages.by_id[sent.can_id].sources.values()
        self._get = attrgetter(*[attribute for attribute, _ in MESSAGES[name].values()])
        signals = list(MESSAGES[name])
        # (place among the signals; steps per unit of the encoder, offset, factor of the attribute;
        # function that decodes a raw value; index in the image)
        self._fields: list[tuple] = []
        self._last: tuple = (None,) * len(signals)
        shifts = {field[5]: place for place, field in enumerate(sent.encoder.fields)}
        fields = [(field, INDEX[name]) for name, field, _ in source.fields]
        for field, index in [*fields, *[(field, s.BMS_FAULT_BITS) for _, field in source.faults]]:
            place = shifts[field.shift]
            offset, per_unit, *_ = sent.encoder.fields[place]
            factor = MESSAGES[name][signals[place]][1]
            image_index = driver._first + index
            self._fields.append((place, per_unit, offset, factor, field.of_raw, image_index))

    def store(self, device: NativeBms, inp: MutableSequence[int]) -> bool:
        """Write the fields of the message. False if a value is out of range."""
        values, last = self._get(device), self._last
        if values == last:
            return True
        for place, per_unit, offset, factor, of_raw, image_index in self._fields:
            if values[place] == last[place]:
                continue
            decoded = of_raw(round((values[place] * factor - offset) * per_unit))
            if decoded is None:
                return False
            inp[image_index] = decoded
        self._last = values
        return True

    def forget(self) -> None:
        """Let the next store compute all fields again."""
        self._last = (None,) * len(self._last)


class RackValues:
    """Passes a sound burst on as values, and other bursts as frames to the driver."""

    def __init__(self, device: NativeBms, driver: Driver, line: Line) -> None:
        self._device, self._driver, self._line = device, driver, line
        self._inp, self._fresh = driver._inp, driver._fresh
        self._messages = [Message(name, device, driver) for name in MESSAGES]
        self._burst_us = SPACING_US * (len(device._messages) - 1)
        self._groups = slice(driver._groups_at, driver._groups_at + s.RACK_GROUP_COUNT)
        self._temperatures_at = driver._first + s.MODULE_TEMPERATURE_DDEGC
        self._seen_degC: list[float] = []
        self._is_direct, self._now_us = False, 0
        self._bursts_as_frames = 2  # the driver ignores the first frame of each id

    def read(self, now_us: int) -> None:
        """Take what the BMS has sent up to now_us."""
        device, self._now_us = self._device, now_us
        if device.next_us is not None and device.next_us > now_us:
            return
        device.tick(now_us)
        if not self._is_sound():
            self._bursts_as_frames = 2  # after a frozen counter, the driver refuses one more burst
        next_us = device.next_us
        if next_us is None or not self._is_whole(next_us, now_us) or not self._store(next_us):
            self._pass_frames(now_us)

    def commands(self, close_ok: int) -> list[tuple[int, bytes]]:
        """See NativeBms.command. A sound BMS that listens takes the command at once."""
        device, driver = self._device, self._driver
        if not self._is_direct or device.deaf or device.ignore_commands or self._line.down:
            return Driver.command(driver, close_ok)
        driver.sent_frames["command"] += 1
        device._counter = device.command_echo = driver.sent_frames["command"] & 15
        device._heard_us = self._now_us
        device.rack.command_close(bool(close_ok))
        return []

    def _is_whole(self, next_us: int, now_us: int) -> bool:
        """True if exactly one whole burst is due."""
        if self._device._position or self._bursts_as_frames:
            return False
        return next_us + self._burst_us <= now_us < next_us + PERIOD_US

    def _is_sound(self) -> bool:
        device = self._device
        return not (
            self._line.down
            or device.silent
            or device.frozen
            or device.counter_frozen
            or device.bad_crc
            or device.silent_messages
            or device.frozen_messages
            or device.overrides
        )

    def _store(self, next_us: int) -> bool:
        device, inp = self._device, self._inp
        for message in self._messages:
            if not message.store(device, inp):
                return False
        self._store_temperatures(device.rack.temperatures_degC)
        self._fresh[self._groups] = ALL_FRESH
        inp[self._driver._first + s.BMS_BAD_FRAMES] = min(self._driver.bad_frames, s.INT_MAX)
        device.next_us = next_us + PERIOD_US
        self._driver.frames += len(self._messages)
        self._is_direct = self._driver.dialect.is_confirmed = True
        return True

    def _store_temperatures(self, temperatures_degC: list[float]) -> None:
        """Write the temperatures that have changed."""
        seen, inp, start = self._seen_degC, self._inp, self._temperatures_at
        if not seen:
            seen += [float("nan")] * len(temperatures_degC)
        for module, degC in enumerate(temperatures_degC):
            if degC != seen[module]:
                seen[module] = degC
                shown = max(-60.0, min(degC, native_bms.HOTTEST_degC))
                inp[start + module] = round((shown + 60.0) * 10.0) - 600

    def _pass_frames(self, now_us: int) -> None:
        device, driver = self._device, self._driver
        if self._is_direct:
            self._is_direct = False
            for sent in device._messages:
                sent.payload = None  # a frozen device keeps the values that the plant has now
            for source in driver._sources.sources:
                source.bits = -1
            for message in self._messages:
                message.forget()
            self._seen_degC.clear()
        for can_id, data in device.frames(now_us):
            if not self._line.down:
                driver.on_frame(can_id, data, now_us)
        if self._bursts_as_frames and not device._position:
            self._bursts_as_frames -= 1
