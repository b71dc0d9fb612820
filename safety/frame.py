"""The frame between the two channels, the same in both directions: integers in one preallocated
buffer.

A frame is two start bytes, the FIELDS (low byte first), and a CRC-30 over the fields. Its length
never varies.
"""

from safety import crc, signals as s

FRAME_SCHEMA = 1
START_1, START_2 = 0xA5, 0x5A
# the sender: a receiver that hears its own frames (two wires that touch) ignores them
CHANNEL_A, CHANNEL_B = 1, 2
# Contacts that both channels read, each through wires of its own. More names here are all that a
# further shared contact needs.
SHARED_NAMES = (
    "estop_1_ok",
    "estop_2_ok",
    "fire_alarm_ok",
    "suppression_ok",
    "gas_relay_ok",
    "airflow_ok",
    "bms_fault_ok",
    "cell_voltage_ok",
)
# 48 bytes in 40 ms: a tenth of a line of 115200 Bd; ten may be lost before the other drops
FRAME_EVERY_TICKS = 2
# Beside matrix.REMOTE and matrix.KEY a `reset_kind`: `reset_mask` and `reset_first_out` are count
# and digest of channel A's store, which channel B keeps, and tells in the same fields.
KEEP = 3
SHARED_MAX = 16  # bits of the two fields below

# name, bytes. `first_out`, `subject`: an index + 1, so that 0 is none. reset_...: what the sender
# asks of the receiver; `reset_result`: what became of the receiver's own last order
# (latches.RESULTS). `refusal`, `refused`: why the sender last refused bytes of the receiver
# (channel.REFUSALS), and how often it did, modulo 2^16.
FIELDS = (
    ("length", 1),
    ("schema", 1),
    ("channel", 1),
    ("sequence", 2),
    ("uptime_ticks", 4),
    ("image_crc", 4),
    ("table_crc", 4),
    ("signal_bits", 2),
    ("known_bits", 2),
    ("vote", 1),
    ("reason", 1),
    ("subject", 2),
    ("first_out", 2),
    ("cause_mask", 4),
    ("reset_kind", 1),
    ("reset_first_out", 2),
    ("reset_mask", 4),
    ("reset_result", 1),
    ("refusal", 1),
    ("refused", 2),
)
(
    LENGTH,
    SCHEMA,
    CHANNEL,
    SEQUENCE,
    UPTIME_TICKS,
    IMAGE_CRC,
    TABLE_CRC,
    SIGNAL_BITS,
    KNOWN_BITS,
    VOTE,
    REASON,
    SUBJECT,
    FIRST_OUT,
    CAUSE_MASK,
    RESET_KIND,
    RESET_FIRST_OUT,
    RESET_MASK,
    RESET_RESULT,
    REFUSAL,
    REFUSED,
) = range(20)
WIDTH = tuple([row[1] for row in FIELDS])
START_BYTES, CRC_BYTES = 2, 4
HEADER_BYTES = START_BYTES + WIDTH[LENGTH] + WIDTH[SCHEMA]  # shows another version


def _places():
    places, at = [], START_BYTES
    for width in WIDTH:
        places.append(at)
        at += width
    return tuple(places + [at])


AT = _places()
FIELD_BYTES_END = AT[len(FIELDS)]
FRAME_BYTES = FIELD_BYTES_END + CRC_BYTES
SEQUENCE_MASK = 0xFFFF
UPTIME_MASK = s.INT_MAX  # 30 bits: 248 days of 20 ms, then from 0 again


def index_of(name: str) -> int:
    """Index into CABINET_INPUTS of the input `name`. ValueError when there is none."""
    for index in range(len(s.CABINET_INPUTS)):
        if s.CABINET_INPUTS[index][0] == name:
            return index
    raise ValueError("no cabinet input " + name)


SHARED = tuple([index_of(name) for name in SHARED_NAMES])
SHARED_GROUPS = tuple([s.CABINET_INPUTS[index][4] for index in SHARED])


class Frame:
    """One frame in a buffer of its own."""

    def __init__(self):
        self.bytes = bytearray(FRAME_BYTES)
        self.bytes[0], self.bytes[1] = START_1, START_2
        self.put(LENGTH, FRAME_BYTES)
        self.put(SCHEMA, FRAME_SCHEMA)

    def put(self, field: int, value: int) -> None:
        """Store a field: 0 <= value < 2^30, and what its width holds."""
        at, data = AT[field], self.bytes
        for _ in range(WIDTH[field]):
            data[at] = value & 255
            value >>= 8
            at += 1

    def get(self, field: int) -> int:
        """A field; never 2^30 or more, whatever the bytes are."""
        at, data = AT[field], self.bytes
        width = WIDTH[field]
        if width == 1:
            return data[at]
        if width == 2:
            return data[at] | data[at + 1] << 8
        return data[at] | data[at + 1] << 8 | data[at + 2] << 16 | (data[at + 3] & 0x3F) << 24

    def seal(self) -> None:
        """Store the CRC over the fields: last of all."""
        value, data = self._crc(), self.bytes
        for at in range(FIELD_BYTES_END, FRAME_BYTES):
            data[at] = value & 255
            value >>= 8

    def sealed(self) -> bool:
        """True if the CRC is that of the fields."""
        value, data = self._crc(), self.bytes
        for at in range(FIELD_BYTES_END, FRAME_BYTES):
            if data[at] != value & 255:
                return False
            value >>= 8
        return True

    def _crc(self):
        value, table, data = crc.START, crc.TABLE, self.bytes
        for at in range(START_BYTES, FIELD_BYTES_END):
            value = (value >> 8) ^ table[(value ^ data[at]) & 255]
        return value
