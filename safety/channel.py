"""Frames between the two channels, the same in both directions: integers, one preallocated buffer,
no allocation.

A frame is two start bytes, the FIELDS (low byte first), and a CRC-30 over the fields. Its length
never varies. Whatever is not a whole, right and new frame is refused, and counted by why.
"""

from array import array

from safety import crc, signals as s

FRAME_SCHEMA = 1
START_1, START_2 = 0xA5, 0x5A
# the sender: a receiver that hears its own frames (two wires that touch) ignores them
CHANNEL_A, CHANNEL_B = 1, 2
# Contacts that both channels read, each through wires of its own. `bms_fault_ok` is where the BMS's
# own hard over-voltage trip (row 30) arrives. More names here are all that a further shared contact
# needs.
SHARED_NAMES = (
    "estop_1_ok",
    "estop_2_ok",
    "fire_alarm_ok",
    "suppression_ok",
    "gas_relay_ok",
    "airflow_ok",
    "bms_fault_ok",
)
# 48 bytes in 40 ms: a tenth of a line of 115200 Bd; ten may be lost before the other drops
FRAME_EVERY_TICKS = 2
SHARED_MAX = 16  # bits of the two fields below

# name, bytes. `first_out`, `subject`: an index + 1, so that 0 is none. reset_...: what the sender
# asks of the receiver; `reset_result`: what became of the receiver's own last order
# (latches.RESULTS). `refusal`, `refused`: why the sender last refused bytes of the receiver
# (REFUSALS), and how often it did, modulo 2^16.
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
# How far a sequence may run ahead of the last one: more frames than ever fit into the time after
# which a peer is silent (500 ms, a frame each 20 ms at the most), far fewer than would let an old
# frame come round as a new one.
SEQUENCE_AHEAD_MAX = 25

REFUSALS = (
    "none",
    "no start of a frame",
    "wrong length",
    "wrong schema",
    "wrong CRC",
    "not of the other channel",
    "old or repeated sequence",
    "first after silence",
)
R_NONE, R_START, R_LENGTH, R_SCHEMA, R_CRC, R_CHANNEL, R_SEQUENCE, R_FIRST = range(8)


def index_of(name):
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

    def put(self, field, value):
        """Store a field: 0 <= value < 2^30, and what its width holds."""
        at, data = AT[field], self.bytes
        for _ in range(WIDTH[field]):
            data[at] = value & 255
            value >>= 8
            at += 1

    def get(self, field):
        """A field; never 2^30 or more, whatever the bytes are."""
        at, data = AT[field], self.bytes
        width = WIDTH[field]
        if width == 1:
            return data[at]
        if width == 2:
            return data[at] | data[at + 1] << 8
        return data[at] | data[at + 1] << 8 | data[at + 2] << 16 | (data[at + 3] & 0x3F) << 24

    def seal(self):
        """Store the CRC over the fields: last of all."""
        value, data = self._crc(), self.bytes
        for at in range(FIELD_BYTES_END, FRAME_BYTES):
            data[at] = value & 255
            value >>= 8

    def sealed(self):
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


class Receiver:
    """Finds frames in a stream of bytes and accepts each new one once. `frame`: the last
    accepted.
    """

    def __init__(self, other):
        """other: the channel that is to be heard."""
        self._other = other
        self.frame = Frame()
        self._coming = Frame()
        self._filled = 0
        # of the last accepted; -1: nothing is known, the next right frame is only a beginning
        self._sequence = -1
        self.accepted = self.refusals = 0
        self.refused = array("i", [0] * len(REFUSALS))
        self.last_refusal = R_NONE

    def feed(self, data, count):
        """Take the first `count` bytes, split anyhow. Returns how many frames they completed
        (`frame`: the last).
        """
        accepted = 0
        buffer, filled = self._coming.bytes, self._filled
        for at in range(count):
            buffer[filled] = data[at]
            filled += 1
            if filled <= HEADER_BYTES or filled == FRAME_BYTES:
                self._filled = filled
                accepted += self._complete() if filled == FRAME_BYTES else self._align()
                buffer, filled = self._coming.bytes, self._filled
        self._filled = filled
        return accepted

    def forget(self):
        """The sender was silent: it may begin anew with any sequence, which takes one frame
        more.
        """
        self._sequence = -1

    def _complete(self):
        """1 if the full buffer is a new frame."""
        if not self._coming.sealed():
            self._refuse(R_CRC)
            self._drop()
            return self._align()
        self._filled = 0
        reason = R_CHANNEL
        if self._coming.get(CHANNEL) == self._other:
            reason = self._order(self._coming.get(SEQUENCE))
        if reason != R_NONE:
            self._refuse(reason)
            return 0
        self.frame, self._coming = self._coming, self.frame
        self.accepted = (self.accepted + 1) & s.INT_MAX
        return 1

    def _order(self, sequence):
        """R_NONE if `sequence` is newer than the last one and not absurdly so."""
        last = self._sequence
        if last < 0:
            self._sequence = sequence
            return R_FIRST
        ahead = (sequence - last) & SEQUENCE_MASK
        if ahead == 0 or ahead > SEQUENCE_AHEAD_MAX:
            return R_SEQUENCE
        self._sequence = sequence
        return R_NONE

    def _align(self):
        """Drop bytes until what is left could be the beginning of a frame; 0: none is complete."""
        while self._filled:
            reason = self._misfit()
            if reason == R_NONE:
                break
            self._refuse(reason)
            self._drop()
        return 0

    def _misfit(self):
        data, filled = self._coming.bytes, self._filled
        if data[0] != START_1 or (filled > 1 and data[1] != START_2):
            return R_START
        if filled > 2 and data[2] != FRAME_BYTES:
            return R_LENGTH
        return R_SCHEMA if filled > 3 and data[3] != FRAME_SCHEMA else R_NONE

    def _drop(self):
        """Forget the first byte, and all up to the next pair of start bytes."""
        data, filled = self._coming.bytes, self._filled
        at = 1
        while at < filled and not (
            data[at] == START_1 and (at + 1 == filled or data[at + 1] == START_2)
        ):
            at += 1
        for place in range(1, filled - at):  # the first place holds a start byte already
            data[place] = data[at + place]
        self._filled = filled - at

    def _refuse(self, reason):
        self.last_refusal = reason
        self.refusals = (self.refusals + 1) & SEQUENCE_MASK
        self.refused[reason] = min(self.refused[reason] + 1, s.TICKS_MAX)


class Sender:
    """The frame of one side: what it holds for good, sequence and uptime; the rest is put by its
    owner.
    """

    def __init__(self, channel, image_crc, table_crc):
        self.frame = Frame()
        self.uptime_ticks = 0
        self.sequence = 0
        self.frame.put(CHANNEL, channel)
        self.frame.put(IMAGE_CRC, image_crc)
        self.frame.put(TABLE_CRC, table_crc)

    def tick(self, elapsed):
        """Time goes on by `elapsed` ticks."""
        self.uptime_ticks = (self.uptime_ticks + elapsed) & UPTIME_MASK

    def finish(self):
        """Number and seal the frame; returns its bytes (the same buffer each time)."""
        self.sequence = (self.sequence + 1) & SEQUENCE_MASK
        self.frame.put(SEQUENCE, self.sequence)
        self.frame.put(UPTIME_TICKS, self.uptime_ticks)
        self.frame.seal()
        return self.frame.bytes
