"""Lists the pins of an STM32, named as on a pyboard v1.1 (stm32 port of MicroPython)."""

from safety.mcu.board_machine import MachineBoard

RELAY_PIN = "Y12"
# in the order of second.CONTACT_NAMES
CONTACT_PINS = ("X3", "X4", "X5", "X6", "X7", "X8", "Y3", "Y6", "Y4", "Y5")
SERVICE_PIN = "Y11"
UART = 4  # X1 transmits, X2 receives


class Board(MachineBoard):
    """A pyboard."""

    def __init__(self) -> None:
        super().__init__(RELAY_PIN, CONTACT_PINS, SERVICE_PIN, UART, {})
