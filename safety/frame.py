"""Builds and reads the frame between the two channels: integers in one preallocated buffer.

A frame has two start bytes, the FIELDS (low byte first) and a CRC-30 over the fields. Its length is
fixed, and it is the same in both directions.
"""

from safety import crc, signals as s

FRAME_SCHEMA = 1
START_1, START_2 = 0xA5, 0x5A
# The sender of a frame. A receiver ignores frames of its own channel, which come back if two wires
# touch.
CHANNEL_A, CHANNEL_B = 1, 2
# Contacts that both channels read, each channel through wires of its own. A further shared contact
# needs only its name here.
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
# 48 bytes in 40 ms use a tenth of a line of 115200 Bd. The receiver drops its permit after ten lost
# frames.
FRAME_EVERY_TICKS = 2
# A third `reset_kind`, beside matrix.REMOTE and matrix.KEY. With it, `reset_mask` and
# `reset_first_out` hold revision and digest of the store of channel A. Channel B keeps them and
# reports them in the same fields.
KEEP = 3
SHARED_MAX = 16  # bits of the two fields below

# Columns: name, bytes.
# first_out, subject: an index + 1; 0: no stage, no signal.
# reset_...: the reset that the sender asks the receiver to carry out.
# reset_result: result of the last reset that the receiver asked the sender for (latches.RESULTS).
# refusal: why the sender last refused bytes of the receiver (channel.REFUSALS).
# refused: how often it has refused bytes, modulo 2^16.
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
HEADER_BYTES = START_BYTES + WIDTH[LENGTH] + WIDTH[SCHEMA]  # enough to see another version


def _places() -> tuple[int, ...]:
    """First byte of each field, then the byte after the last field."""
    places: list[int] = []
    offset = START_BYTES
    for width in WIDTH:
        places.append(offset)
        offset += width
    return tuple(places + [offset])


AT = _places()
FIELD_BYTES_END = AT[len(FIELDS)]
FRAME_BYTES = FIELD_BYTES_END + CRC_BYTES
SEQUENCE_MASK = 0xFFFF
UPTIME_MASK = s.INT_MAX  # 30 bits: 124 days at 10 ms, then from 0 again


def index_of(name: str) -> int:
    """Index into CABINET_INPUTS of the input `name`. ValueError for any other name."""
    for index in range(len(s.CABINET_INPUTS)):
        if s.CABINET_INPUTS[index][0] == name:
            return index
    raise ValueError("no cabinet input " + name)


SHARED = tuple([index_of(name) for name in SHARED_NAMES])
SHARED_GROUPS = tuple([s.CABINET_INPUTS[index][4] for index in SHARED])


class Frame:
    """One frame in a buffer of its own."""

    def __init__(self) -> None:
        self.bytes = bytearray(FRAME_BYTES)
        self.bytes[0], self.bytes[1] = START_1, START_2
        self.put(LENGTH, FRAME_BYTES)
        self.put(SCHEMA, FRAME_SCHEMA)

    def put(self, field: int, value: int) -> None:
        """Store a field. value: 0 to 2^30 - 1, and no wider than the field."""
        offset, data = AT[field], self.bytes
        for _ in range(WIDTH[field]):
            data[offset] = value & 255
            value >>= 8
            offset += 1

    def get(self, field: int) -> int:
        """The value of a field, always below 2^30."""
        offset, data = AT[field], self.bytes
        width = WIDTH[field]
        if width == 1:
            return data[offset]
        if width == 2:
            return data[offset] | data[offset + 1] << 8
        return (
            data[offset]
            | data[offset + 1] << 8
            | data[offset + 2] << 16
            | (data[offset + 3] & 0x3F) << 24
        )

    def seal(self) -> None:
        """Store the CRC over the fields, after all fields were put."""
        value, data = self._crc(), self.bytes
        for index in range(FIELD_BYTES_END, FRAME_BYTES):
            data[index] = value & 255
            value >>= 8

    def sealed(self) -> bool:
        """True if the CRC fits the fields."""
        value, data = self._crc(), self.bytes
        for index in range(FIELD_BYTES_END, FRAME_BYTES):
            if data[index] != value & 255:
                return False
            value >>= 8
        return True

    def _crc(self) -> int:
        value, table, data = crc.START, crc.TABLE, self.bytes
        for index in range(START_BYTES, FIELD_BYTES_END):
            value = (value >> 8) ^ table[(value ^ data[index]) & 255]
        return value
