"""What every simulated Modbus device has in common: payloads for the slave and the faults a device
can have.

Function codes and exception codes: MODBUS Application Protocol Specification V1.1b3, sections 6 and
7.
"""

import struct

READ_COILS, READ_INPUTS, READ_HOLDING, READ_INPUT_REGISTERS = 1, 2, 3, 4
WRITE_COIL, WRITE_REGISTER, WRITE_COILS, WRITE_REGISTERS = 5, 6, 15, 16
ILLEGAL_FUNCTION, ILLEGAL_ADDRESS, ILLEGAL_VALUE, DEVICE_BUSY = 1, 2, 3, 6


class ModbusException(Exception):
    """A request the device refuses; `code` goes into the exception reply."""

    def __init__(self, code):
        super().__init__(f"modbus exception {code}")
        self.code = code


class RegisterDevice:
    """A device behind an RtuSlave. A subclass fills `payload` and `write`; `tick` lets its own
    timers run.

    Faults, set by the rig at any time: silent          neither hears nor answers          reply_id
    answers with this unit id exception_code  refuses every request              ignore_writes
    acknowledges writes and does nothing bad_crc         spoils the reply's CRC
    cut_reply_bytes sends only so many bytes of a reply late_us         answers so much later
    overrides       {register address: word} shown instead
    """

    def __init__(self):
        self.silent = False
        self.reply_id = None
        self.exception_code = None
        self.ignore_writes = False
        self.bad_crc = False
        self.cut_reply_bytes = None
        self.late_us = 0
        self.overrides = {}

    def tick(self, now_us):
        """Advance the device's own timers to now_us."""

    def payload(self, function, address, count):
        """Reply bytes after the byte count: registers high byte first, or bits low bit first. May
        refuse.
        """
        raise ModbusException(ILLEGAL_FUNCTION)

    def write(self, function, address, values, now_us):
        """Take the values (registers or 0/1 coils) at address. Raises ModbusException when it
        refuses.
        """
        raise ModbusException(ILLEGAL_FUNCTION)

    def read(self, function, address, count):
        """The same as payload, as a list of registers or of bits."""
        data = self.payload(function, address, count)
        if function >= READ_HOLDING:
            return list(struct.unpack(f">{count}H", data))
        return [data[bit >> 3] >> (bit & 7) & 1 for bit in range(count)]

    def shown(self, image, base, address, count):
        """Registers [address, address+count) of a big-endian image that starts at register
        `base`.
        """
        first = (address - base) * 2
        last = first + count * 2
        if first < 0 or last > len(image):
            raise ModbusException(ILLEGAL_ADDRESS)
        data = bytes(image[first:last])
        return self.overridden(data, address) if self.overrides else data

    def overridden(self, data, address):
        """data with the words of `overrides` put in."""
        words = bytearray(data)
        for register, word in self.overrides.items():
            if 0 <= register - address < len(words) // 2:
                struct.pack_into(">H", words, (register - address) * 2, word)
        return bytes(words)


def bits_payload(bits, address, count, available):
    """Reply bytes for `count` bits from `address` out of the integer `bits` that has `available` of
    them.
    """
    if address + count > available:
        raise ModbusException(ILLEGAL_ADDRESS)
    return (bits >> address & (1 << count) - 1).to_bytes((count + 7) >> 3, "little")
