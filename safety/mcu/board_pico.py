"""Lists the pins of the Raspberry Pi Pico and Pico 2, as GPIO numbers, not board pin numbers."""

from safety.mcu.board_machine import MachineBoard

RELAY_PIN = 15
CONTACT_PINS = (2, 3, 4, 5, 6, 7, 8, 11, 9, 10)  # in the order of second.CONTACT_NAMES
SERVICE_PIN = 22
UART, UART_TX, UART_RX = 0, 0, 1


class Board(MachineBoard):
    """A Pico."""

    def __init__(self) -> None:
        super().__init__(RELAY_PIN, CONTACT_PINS, SERVICE_PIN, UART, {"tx": UART_TX, "rx": UART_RX})
