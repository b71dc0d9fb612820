"""Drives a board with MicroPython's module `machine` (Raspberry Pi Pico, STM32).

The file of each board has the numbers of its pins. A closed contact connects its pin to the supply.
The pull-down resistor makes a broken wire look like an open contact.
"""

import os
import time

import machine
from micropython import heap_lock, heap_unlock

from safety import crc
from safety.mcu.loop import Board

# A permit that is not renewed must end within 0.5 s. Writing the latch file takes up to 100 ms, and
# that must not trip the watchdog.
WATCHDOG_MS = 300
BAUD_Bd = 115200
IMAGE_FILE, LATCH_FILE = "image.bin", "latch.bin"
LATCH_BYTES = 16
REMOTE, KEY = 1, 2  # latch levels, as in safety.matrix


def _check(level: int, count: int, digest: int) -> int:
    """CRC of the three words of the latch file."""
    return crc.add_words(crc.START, (level, count, digest), 0, 3)


def _bytes(word: int) -> bytes:
    return bytes([word >> shift & 255 for shift in (0, 8, 16, 24)])


def _word(data: bytes | bytearray, at: int) -> int:
    """A word below 2^30, which is a small int."""
    return data[at] | data[at + 1] << 8 | data[at + 2] << 16 | (data[at + 3] & 0x3F) << 24


class MachineBoard(Board):
    """A board driven by `machine`. loop.Board describes each method."""

    def __init__(
        self,
        relay_pin: int | str,
        contact_pins: tuple[int | str, ...],
        service_pin: int | str,
        uart: int,
        uart_pins: dict[str, int | str],
    ) -> None:
        """relay_pin, contact_pins, service_pin: names or numbers for machine.Pin.

        contact_pins are in the order of second.CONTACT_NAMES. uart: its number. uart_pins: keyword
        arguments of machine.UART.
        """
        self._relay = machine.Pin(relay_pin, machine.Pin.OUT, value=0)
        self._contacts = tuple(
            [machine.Pin(pin, machine.Pin.IN, machine.Pin.PULL_DOWN) for pin in contact_pins]
        )
        self._service = machine.Pin(service_pin, machine.Pin.IN, machine.Pin.PULL_UP)
        self._uart = machine.UART(uart, BAUD_Bd, timeout=0, timeout_char=0, rxbuf=256, **uart_pins)
        self._watchdog = None
        self._tick_us = self._due_us = 0

    def service(self) -> bool:
        """True while the service jumper connects its pin to ground.

        The jumper is needed for loading files, because a watchdog cannot be stopped.
        """
        return self._service.value() == 0

    def image(self) -> bytes:
        """The file of the limit image. OSError if the file is missing."""
        with open(IMAGE_FILE, "rb") as file:
            return file.read()

    def remembered(self) -> tuple[int, int, int]:
        """Latch level of the last run, and revision and digest of the store of channel A.

        The level is KEY if the file cannot be read, and at least REMOTE after a reset by the
        watchdog.
        """
        try:
            with open(LATCH_FILE, "rb") as file:
                data = file.read()
        except OSError:
            data = b""
        if len(data) != LATCH_BYTES:
            return KEY, 0, 0
        level, count, digest = _word(data, 0), _word(data, 4), _word(data, 8)
        if data[12:] != _bytes(_check(level, count, digest)) or level > KEY:
            return KEY, 0, 0
        if machine.reset_cause() == machine.WDT_RESET:
            level = max(level, REMOTE)
        return level, count, digest

    def remember(self, level: int, count: int, digest: int) -> None:
        """Store a latch level, and revision and digest of the store of channel A.

        The file system replaces the file as a whole. The loop sets the relay before this call.
        """
        heap_unlock()
        with open("latch.new", "wb") as file:
            for word in (level, count, digest, _check(level, count, digest)):
                file.write(_bytes(word))
        os.rename("latch.new", LATCH_FILE)
        heap_lock()

    def contacts(self) -> int:
        """The contact bits."""
        bits, place = 0, 0
        for pin in self._contacts:
            bits |= pin.value() << place
            place += 1
        return bits

    def relay(self, on: int) -> None:
        """Set the permit relay."""
        self._relay.value(on)

    def read(self, buffer: bytearray) -> int:
        """Copy received bytes into `buffer`; returns how many."""
        return self._uart.readinto(buffer) or 0 if self._uart.any() else 0

    def send(self, data: bytearray) -> None:
        """Send a frame."""
        self._uart.write(data)

    def start(self, tick_ms: int) -> None:
        """Start clock and watchdog."""
        self._tick_us = tick_ms * 1000
        self._due_us = time.ticks_us()
        self._watchdog = machine.WDT(timeout=WATCHDOG_MS)

    def elapsed(self) -> int:
        """Whole ticks since the last call. A remaining part of a tick counts in the next call."""
        passed_us = time.ticks_diff(time.ticks_us(), self._due_us)
        if passed_us < self._tick_us:
            return 0
        ticks = passed_us // self._tick_us
        self._due_us = time.ticks_add(self._due_us, ticks * self._tick_us)
        return ticks

    def kick(self) -> None:
        """Reload the watchdog."""
        self._watchdog.feed()

    def lock_heap(self) -> None:
        """Lock the heap. Only `remember` allocates afterwards."""
        heap_lock()
