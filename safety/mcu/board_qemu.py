"""The emulated mps2-an385 (Cortex-M3, 25 MHz): its UART, timer, watchdog and output register by
address.

QEMU models no input pins on this machine, so the contacts are a word in its outer memory, which the
host maps from a file. That memory keeps its content through a reset, like the backup registers of a
real microcontroller.
"""

from machine import mem8, mem32
from micropython import const, heap_lock

from safety.second import RELAY_BIT

# Arm DUI0479 (CMSDK) and Arm AN385: registers of UART 1, timer 0, watchdog, LEDs of the board.
_UART_DATA, _UART_STATE = const(0x40005000), const(0x40005004)
_UART_CONTROL, _UART_DIVIDER = const(0x40005008), const(0x40005010)
_TIMER_CONTROL, _TIMER_VALUE, _TIMER_RELOAD = (
    const(0x40000000),
    const(0x40000004),
    const(0x40000008),
)
_WATCHDOG_LOAD, _WATCHDOG_CONTROL = const(0x40008000), const(0x40008008)
_WATCHDOG_CLEAR, _WATCHDOG_LOCK = const(0x4000800C), const(0x40008C00)
_OUTPUT = const(0x40028000)
_UNLOCK = const(0x1ACCE551)
_TIMER_MASK = const(0x3FFFFFFF)  # 30 bits, 43 s: what a small integer holds
_TICKS_PER_MS = const(25000)
# Words in the outer memory, as hil/campaigns/channel_b/memory.py writes and reads them.
_CONTACTS, _LATCH_LEVEL, _WATCHDOG_MS = const(0x21000004), const(0x21000008), const(0x2100000C)
_HANG, _RUNNING, _IMAGE_BYTES, _IMAGE = (
    const(0x21000010),
    const(0x21000014),
    const(0x21000018),
    const(0x21000100),
)
_KEPT_COUNT, _KEPT_DIGEST = const(0x21000024), const(0x21000028)
_REMOTE = const(1)


class Board:
    """The board; the watchdog resets it when two of its periods pass without a kick."""

    def __init__(self):
        self._per_tick = self._due = 0
        mem32[_UART_DIVIDER] = 217  # 115200 Bd
        mem32[_UART_CONTROL] = 3
        mem32[_TIMER_RELOAD] = mem32[_TIMER_VALUE] = _TIMER_MASK
        mem32[_TIMER_CONTROL] = 1
        self._level = mem32[_LATCH_LEVEL]
        if mem32[_RUNNING] and self._level < _REMOTE:  # ended without a word: reset by the watchdog
            self._level = _REMOTE

    def service(self):
        """There is no service jumper."""
        return False

    def image(self):
        """The limit image as it lies in the outer memory."""
        return bytes([mem8[_IMAGE + at] for at in range(mem32[_IMAGE_BYTES])])

    def remembered(self):
        """Latch level of the last run; one that the watchdog ended waits for a remote reset at
        least. Behind it count and digest of channel A's store.
        """
        return self._level, mem32[_KEPT_COUNT], mem32[_KEPT_DIGEST]

    def remember(self, level, count, digest):
        """Keep a latch level and the mark of the store for the next start."""
        mem32[_LATCH_LEVEL] = level
        mem32[_KEPT_COUNT] = count
        mem32[_KEPT_DIGEST] = digest

    def start(self, tick_ms):
        """Start watchdog and tick."""
        self._per_tick = tick_ms * _TICKS_PER_MS
        mem32[_RUNNING] = 1
        mem32[_WATCHDOG_LOCK] = _UNLOCK
        mem32[_WATCHDOG_LOAD] = mem32[_WATCHDOG_MS] * _TICKS_PER_MS >> 1
        mem32[_WATCHDOG_CONTROL] = 3
        self._due = mem32[_TIMER_VALUE]  # the timer counts down

    def elapsed(self):
        """Whole ticks since the last call; the rest is kept for the next one."""
        passed = (self._due - mem32[_TIMER_VALUE]) & _TIMER_MASK
        if passed < self._per_tick:
            return 0
        ticks = passed // self._per_tick
        self._due = (self._due - ticks * self._per_tick) & _TIMER_MASK
        return ticks

    def contacts(self):
        """The contact bits; the mirror contact is the output read back. The rig makes the program
        hang here.
        """
        while mem32[_HANG]:
            pass
        return mem32[_CONTACTS] | (RELAY_BIT if mem32[_OUTPUT] & 1 else 0)

    def relay(self, on):
        """The output that permits, bit 0 of the LED register."""
        mem32[_OUTPUT] = on

    def read(self, buffer):
        """What the link has brought, into `buffer`; returns how many bytes."""
        count, room = 0, len(buffer)
        while count < room and mem8[_UART_STATE] & 2:
            buffer[count] = mem8[_UART_DATA]
            count += 1
        return count

    def send(self, data):
        """Send a frame."""
        for byte in data:
            while mem8[_UART_STATE] & 1:
                pass
            mem8[_UART_DATA] = byte

    def kick(self):
        """Reload the watchdog."""
        mem32[_WATCHDOG_CLEAR] = 1

    def lock_heap(self):
        """Nothing allocates from here."""
        heap_lock()
