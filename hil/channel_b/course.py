"""A course of contacts and frames for channel B, the same on CPython and MicroPython (imports safety only).

A linear congruential generator below 2^20 draws everything, so that one seed gives one course on either.
"""

from array import array

from safety import channel as c
from safety import crc
from safety import matrix as m
from safety import parameters as p
from safety import peer as pe
from safety import second as sc
from safety import signals as s

TICK_MS = 20
ALL_CLOSED = sc.RELAY_BIT - 1
CALM, CYCLE = 900, 1100  # steps: undisturbed, and with disturbances after them


def default_image(units=1, racks=1, modules=15):
    """Limit image (array of int) of channel A: every parameter at its default, every stage armed."""
    words = [p.IMAGE_SCHEMA, units, racks, modules, TICK_MS]
    words += [row[4] for row in p.CABINET_PARAMETERS]
    for _ in range(units):
        words += [row[4] for row in p.UNIT_PARAMETERS]
    for _ in range(racks):
        words += [min(row[4], modules) if row[0] == "modules" else row[4] for row in p.RACK_PARAMETERS]
    for stage in m.STAGES:
        words += [stage[m.S_SET], stage[m.S_CLEAR], p.ticks(stage[m.S_SET_MS], TICK_MS),
                  p.ticks(stage[m.S_CLEAR_MS], TICK_MS)]
    words += [1] * (p.ImageMap(units, racks, m.STAGES_PER_SCOPE).words - len(words))
    return array("i", words)


class Course:
    """Draws what comes next: `elapsed`, `contacts` and the bytes in `line` (its first `length`)."""

    def __init__(self, seed, image):
        self.draws = array("i", [seed & 0xFFFFF])
        self.sender = c.Sender(p.image_crc(image), pe.table_crc())
        self.line = bytearray(2 * c.FRAME_BYTES)
        self.length = self.count = self.silence = 0
        self.elapsed, self.contacts, self.vote = 1, ALL_CLOSED, 0
        self._key_out = 0

    def draw(self, below):
        """The next number, 0 <= n < below."""
        self.draws[0] = (self.draws[0] * 741 + 2731) & 0xFFFFF
        return (self.draws[0] >> 3) % below

    def next(self, second):
        """The next step for `second`, whose relay and reports are followed."""
        self.count += 1
        calm = self.count % CYCLE < CALM
        self.elapsed = 1 if calm or self.draw(6) else 1 + self.draw(30)
        if calm:
            self.contacts = ALL_CLOSED
        elif not self.draw(12):
            self.contacts ^= 1 << self.draw(len(sc.CONTACT_NAMES))
        self.contacts &= ~sc.RELAY_BIT
        if second.permit:
            self.contacts |= sc.RELAY_BIT
        self._vote(second, calm)
        self._order(second)
        self.sender.tick(self.elapsed)
        self._write(calm)

    def _vote(self, second, calm):
        """Channel A permits while B does, now and then although B does not."""
        self.vote = second.permit if calm or self.draw(9) else 1 - second.permit

    def _order(self, second):
        """Now and then the reset that an operator would give, the key turned for it."""
        frame, shown = self.sender.frame, second.sender.frame
        ask = self.draw(120)
        if ask < 2 and not frame.get(c.RESET_KIND):
            frame.put(c.RESET_KIND, ask + 1)
            frame.put(c.RESET_FIRST_OUT, shown.get(c.FIRST_OUT))
            frame.put(c.RESET_MASK, shown.get(c.CAUSE_MASK))
            self._key_out = ask
        elif shown.get(c.RESET_RESULT):
            frame.put(c.RESET_KIND, 0)
            self._key_out = 0
        if self._key_out:
            self.contacts &= ~sc.KEY_BIT

    def _write(self, calm):
        frame = self.sender.frame
        bits = self.contacts & (sc.KEY_BIT - 1)
        frame.put(c.SIGNAL_BITS, bits if calm or self.draw(4) else bits ^ 1 << self.draw(len(c.SHARED)))
        frame.put(c.KNOWN_BITS, sc.KEY_BIT - 1)
        frame.put(c.VOTE, self.vote)
        self.length = 0
        self.silence = max(0, self.silence - 1)
        if not calm and not self.draw(150):
            self.silence = 20 + self.draw(20)
        if self.count % 2 or self.silence:
            return
        data = self.sender.finish()
        if not calm and not self.draw(40):
            self._append(self.draw(256))
        spoilt = -1 if calm or self.draw(25) else self.draw(c.FRAME_BYTES)
        for at in range(c.FRAME_BYTES):
            self._append(data[at] ^ (1 << self.draw(8) if at == spoilt else 0))

    def _append(self, byte):
        self.line[self.length] = byte
        self.length += 1


def play(second, elapsed, contacts, line, length):
    """Bytes, then one step."""
    second.receive(line, length)
    second.step(elapsed, contacts)
    if second.frame_due:
        second.report()


def digest(value, second):
    """CRC-30 register after everything that carries over in `second`, and its frame."""
    for block in second.blocks:
        for word in block:
            value = crc.add_word(value, word)
    for word in second.receiver.refused:
        value = crc.add_word(value, word)
    for word in second.peer.disagree_ticks:
        value = crc.add_word(value, word)
    for byte in second.sender.frame.bytes:
        value = crc.add_word(value, byte)
    peer = second.peer
    value = crc.add_word(crc.add_word(value, second.permit), second.reason)
    value = crc.add_word(crc.add_word(value, second.subject), second.latch_level)
    return crc.add_word(crc.add_word(value, peer.age_ticks), peer.drift_permille)
