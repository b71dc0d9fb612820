"""A board by MicroPython's own module `machine` (Raspberry Pi Pico, STM32): pins, UART, watchdog,
files.

The board's own file gives the numbers. A contact that is closed pulls its pin up; the pull-down
makes a broken wire an open contact.
"""

import os
import time

import machine
from micropython import heap_lock, heap_unlock

from safety import crc

# a permit must not outlive 0.5 s without being renewed; writing the latch file takes up to 100 ms
WATCHDOG_MS = 300
BAUD_Bd = 115200
IMAGE_FILE, LATCH_FILE = "image.bin", "latch.bin"
LATCH_BYTES = 16
REMOTE, KEY = 1, 2  # latch levels, as in safety.matrix


def _check(level, count, digest):
    return crc.add_words(crc.START, (level, count, digest), 0, 3)


def _bytes(word):
    return bytes([word >> shift & 255 for shift in (0, 8, 16, 24)])


def _word(data, at):
    """Below 2^30, so that it is no heap integer."""
    return data[at] | data[at + 1] << 8 | data[at + 2] << 16 | (data[at + 3] & 0x3F) << 24


class MachineBoard:
    """The hardware of one board."""

    def __init__(self, relay_pin, contact_pins, service_pin, uart, uart_pins):
        """relay_pin, contact_pins (in the order of second.CONTACT_NAMES), service_pin: as
        machine.Pin takes them; uart: number; uart_pins: keyword arguments of machine.UART.
        """
        self._relay = machine.Pin(relay_pin, machine.Pin.OUT, value=0)
        self._contacts = tuple(
            [machine.Pin(pin, machine.Pin.IN, machine.Pin.PULL_DOWN) for pin in contact_pins]
        )
        self._service = machine.Pin(service_pin, machine.Pin.IN, machine.Pin.PULL_UP)
        self._uart = machine.UART(uart, BAUD_Bd, timeout=0, timeout_char=0, rxbuf=256, **uart_pins)
        self._watchdog = None
        self._tick_us = self._due_us = 0

    def service(self):
        """True while the service jumper ties its pin to ground: a watchdog that runs cannot be
        stopped for loading.
        """
        return self._service.value() == 0

    def image(self):
        """The limit image that was put on the board. OSError when there is none."""
        with open(IMAGE_FILE, "rb") as file:
            return file.read()

    def remembered(self):
        """Latch level of the last run: key when it cannot be read, remote at least after a reset by
        the watchdog. Behind it count and digest of channel A's store.
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

    def remember(self, level, count, digest):
        """Store a latch level and the mark of channel A's store: the relay has moved before. The
        file system replaces the file as a whole.
        """
        heap_unlock()
        with open("latch.new", "wb") as file:
            for word in (level, count, digest, _check(level, count, digest)):
                file.write(_bytes(word))
        os.rename("latch.new", LATCH_FILE)
        heap_lock()

    def contacts(self):
        """The contact bits."""
        bits, place = 0, 0
        for pin in self._contacts:
            bits |= pin.value() << place
            place += 1
        return bits

    def relay(self, on):
        """The output that permits."""
        self._relay.value(on)

    def read(self, buffer):
        """What the link has brought, into `buffer`; returns how many bytes."""
        return self._uart.readinto(buffer) or 0 if self._uart.any() else 0

    def send(self, data):
        """Send a frame."""
        self._uart.write(data)

    def start(self, tick_ms):
        """Start watchdog and tick."""
        self._tick_us = tick_ms * 1000
        self._due_us = time.ticks_us()
        self._watchdog = machine.WDT(timeout=WATCHDOG_MS)

    def elapsed(self):
        """Whole ticks since the last call; the rest is kept for the next one."""
        passed_us = time.ticks_diff(time.ticks_us(), self._due_us)
        if passed_us < self._tick_us:
            return 0
        ticks = passed_us // self._tick_us
        self._due_us = time.ticks_add(self._due_us, ticks * self._tick_us)
        return ticks

    def kick(self):
        """Reload the watchdog."""
        self._watchdog.feed()

    def lock_heap(self):
        """Nothing allocates from here but `remember`."""
        heap_lock()
