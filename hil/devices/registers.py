"""The base class of every simulated Modbus device: payloads for the slave, and faults.

Codes: MODBUS Application Protocol V1.1b3, sections 6 and 7.
"""

import struct

READ_COILS, READ_INPUTS, READ_HOLDING, READ_INPUT_REGISTERS = 1, 2, 3, 4
WRITE_COIL, WRITE_REGISTER, WRITE_COILS, WRITE_REGISTERS = 5, 6, 15, 16
ILLEGAL_FUNCTION, ILLEGAL_ADDRESS, ILLEGAL_VALUE = 1, 2, 3


class ModbusException(Exception):
    """The device refuses a request. The exception reply contains `code`."""

    def __init__(self, code: int) -> None:
        super().__init__(f"modbus exception {code}")
        self.code = code


class RegisterDevice:
    """A device behind an RtuSlave. The rig sets faults at any time.

    Faults: silent, reply_id (unit id in the replies), exception_code (refuses every request),
    ignore_writes (acknowledges writes without effect), bad_crc, cut_reply_bytes (length of the cut
    reply), late_us, overrides {register address: word}, swapped (another device of the same kind,
    with another serial number).
    """

    TURNAROUND_US = 5000  # between request and reply
    SERIALS = b"RIG-1", b"RIG-2"  # the second after a swap

    def __init__(self) -> None:
        self.silent = self.ignore_writes = self.bad_crc = self.swapped = False
        self.serial_at = range(0)  # registers of the serial number
        self.reply_id: int | None = None
        self.cut_reply_bytes: int | None = None
        self.exception_code = self.late_us = 0
        self.overrides: dict[int, int] = {}

    def tick(self, now_us: int) -> None:
        """Advance the device's own timers to now_us."""

    def payload(self, function: int, address: int, count: int) -> bytes:
        """The bytes of a reply after its byte count. Registers have their high byte first, bits
        their low bit first. Raises ModbusException.
        """
        raise ModbusException(ILLEGAL_FUNCTION)

    def write(self, function: int, address: int, values: list[int], now_us: int) -> None:
        """Take the values (registers, or coils as 0 or 1) at address. Raises ModbusException if the
        device refuses.
        """
        raise ModbusException(ILLEGAL_FUNCTION)

    def shown(self, image: bytes | bytearray, base: int, address: int, count: int) -> bytes:
        """Registers from `address` on, with `overrides`. image: big-endian words, the first of
        which is register `base`.
        """
        first = (address - base) * 2
        if first < 0 or first + count * 2 > len(image):
            raise ModbusException(ILLEGAL_ADDRESS)
        reply = bytearray(image[first : first + count * 2])
        if address in self.serial_at and address + count <= self.serial_at.stop:
            offset, text = 2 * (address - self.serial_at.start), self.SERIALS[self.swapped]
            reply = bytearray(text[offset : offset + 2 * count].ljust(2 * count, b"\0"))
        for register, word in self.overrides.items():
            if 0 <= register - address < count:
                struct.pack_into(">H", reply, (register - address) * 2, word)
        return bytes(reply)


def bits_payload(bits: int, address: int, count: int, available: int) -> bytes:
    """The reply bytes for `count` of the `available` bits, from bit `address` on."""
    if not 0 <= address <= available - count:
        raise ModbusException(ILLEGAL_ADDRESS)
    return (bits >> address & (1 << count) - 1).to_bytes((count + 7) >> 3, "little")
