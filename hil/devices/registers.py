"""The base of every simulated Modbus device: payloads for the slave and faults.

Function codes and exception codes: MODBUS Application Protocol Specification V1.1b3, sections 6 and
7.
"""

import struct

READ_COILS, READ_INPUTS, READ_HOLDING, READ_INPUT_REGISTERS = 1, 2, 3, 4
WRITE_COIL, WRITE_REGISTER, WRITE_COILS, WRITE_REGISTERS = 5, 6, 15, 16
ILLEGAL_FUNCTION, ILLEGAL_ADDRESS, ILLEGAL_VALUE = 1, 2, 3


class ModbusException(Exception):
    """A request the device refuses; `code` goes into the exception reply."""

    def __init__(self, code):
        super().__init__(f"modbus exception {code}")
        self.code = code


class RegisterDevice:
    """A device behind an RtuSlave. A subclass has `payload` and `write`; `tick` lets its own timers
    run.

    Faults, set by the rig at any time: silent (neither hears nor answers), reply_id (answers with
    this unit id), exception_code (refuses every request with it), ignore_writes (acknowledges and
    does nothing), bad_crc, cut_reply_bytes (sends only so many bytes of a reply), late_us (answers
    so much later), overrides {register address: word} (shown instead).
    """

    TURNAROUND_US = 5000  # how long it takes to answer

    def __init__(self):
        self.silent = self.ignore_writes = self.bad_crc = False
        self.reply_id = self.exception_code = self.cut_reply_bytes = None
        self.late_us = 0
        self.overrides = {}

    def tick(self, now_us):
        """Advance the device's own timers to now_us."""

    def payload(self, function, address, count):
        """Reply bytes after the byte count: registers high byte first, or bits low bit first.
        ModbusException: refused.
        """
        raise ModbusException(ILLEGAL_FUNCTION)

    def write(self, function, address, values, now_us):
        """Take the values (registers or 0/1 coils) at address. ModbusException: refused."""
        raise ModbusException(ILLEGAL_FUNCTION)

    def shown(self, image, base, address, count):
        """Registers [address, address+count) of a big-endian image that starts at register `base`,
        with the words of `overrides` put in.
        """
        first = (address - base) * 2
        if first < 0 or first + count * 2 > len(image):
            raise ModbusException(ILLEGAL_ADDRESS)
        words = bytearray(image[first : first + count * 2])
        for register, word in self.overrides.items():
            if 0 <= register - address < count:
                struct.pack_into(">H", words, (register - address) * 2, word)
        return bytes(words)


def bits_payload(bits, address, count, available):
    """Reply bytes for `count` of the `available` bits, from `address` on."""
    if address + count > available:
        raise ModbusException(ILLEGAL_ADDRESS)
    return (bits >> address & (1 << count) - 1).to_bytes((count + 7) >> 3, "little")
