"""Drives the emulated board mps2-an385 (Cortex-M3, 25 MHz) by register addresses.

QEMU models no input pins on this board. So the contacts are a word in the outer memory, which the
host maps from a file. The outer memory keeps its content through a reset, like the backup registers
of a real microcontroller.
"""

from machine import mem8, mem32
from micropython import const, heap_lock

from safety.mcu import loop
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
_TIMER_MASK = const(0x3FFFFFFF)  # 30 bits, 43 s: the range of a small int
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


class Board(loop.Board):
    """The emulated board. Its watchdog resets it when two periods pass without a kick."""

    def __init__(self) -> None:
        self._per_tick = self._due = 0
        mem32[_UART_DIVIDER] = 217  # 115200 Bd
        mem32[_UART_CONTROL] = 3
        mem32[_TIMER_RELOAD] = mem32[_TIMER_VALUE] = _TIMER_MASK
        mem32[_TIMER_CONTROL] = 1
        self._level = mem32[_LATCH_LEVEL]
        # The word is still 1 after a reset by the watchdog.
        if mem32[_RUNNING] and self._level < _REMOTE:
            self._level = _REMOTE

    def service(self) -> bool:
        """This board has no service jumper."""
        return False

    def image(self) -> bytes:
        """The file of the limit image, from the outer memory."""
        return bytes([mem8[_IMAGE + index] for index in range(mem32[_IMAGE_BYTES])])

    def remembered(self) -> tuple[int, int, int]:
        """Latch level of the last run, and revision and digest of the store of channel A.

        After a reset by the watchdog the level is at least REMOTE.
        """
        return self._level, mem32[_KEPT_COUNT], mem32[_KEPT_DIGEST]

    def remember(self, level: int, count: int, digest: int) -> None:
        """Store a latch level, and revision and digest of the store of channel A."""
        mem32[_LATCH_LEVEL] = level
        mem32[_KEPT_COUNT] = count
        mem32[_KEPT_DIGEST] = digest

    def start(self, tick_ms: int) -> None:
        """Start clock and watchdog."""
        self._per_tick = tick_ms * _TICKS_PER_MS
        mem32[_RUNNING] = 1
        mem32[_WATCHDOG_LOCK] = _UNLOCK
        mem32[_WATCHDOG_LOAD] = mem32[_WATCHDOG_MS] * _TICKS_PER_MS >> 1
        mem32[_WATCHDOG_CONTROL] = 3
        self._due = mem32[_TIMER_VALUE]  # the timer counts down

    def elapsed(self) -> int:
        """Whole ticks since the last call. A remaining part of a tick counts in the next call."""
        passed = (self._due - mem32[_TIMER_VALUE]) & _TIMER_MASK
        if passed < self._per_tick:
            return 0
        ticks = passed // self._per_tick
        self._due = (self._due - ticks * self._per_tick) & _TIMER_MASK
        return ticks

    def contacts(self) -> int:
        """The contact bits. The mirror contact is read back from the output register.

        The test rig can make the program hang here.
        """
        while mem32[_HANG]:
            pass
        return mem32[_CONTACTS] | (RELAY_BIT if mem32[_OUTPUT] & 1 else 0)

    def relay(self, on: int) -> None:
        """Set the permit relay: bit 0 of the LED register."""
        mem32[_OUTPUT] = on

    def read(self, buffer: bytearray) -> int:
        """Copy received bytes into `buffer`; returns how many."""
        count, room = 0, len(buffer)
        while count < room and mem8[_UART_STATE] & 2:
            buffer[count] = mem8[_UART_DATA]
            count += 1
        return count

    def send(self, data: bytearray) -> None:
        """Send a frame."""
        for byte in data:
            while mem8[_UART_STATE] & 1:
                pass
            mem8[_UART_DATA] = byte

    def kick(self) -> None:
        """Reload the watchdog."""
        mem32[_WATCHDOG_CLEAR] = 1

    def lock_heap(self) -> None:
        """Lock the heap: nothing may allocate afterwards."""
        heap_lock()
