"""Draws a test sequence of contacts and frames for channel B (the second channel).

CPython and MicroPython draw the same values from a seed, so their results can be compared.
"""

from array import array

from safety import (
    channel as c,
    crc,
    frame as f,
    matrix as m,
    parameters as p,
    peer as pe,
    second as sc,
)

try:
    from micropython import heap_lock, heap_unlock
except ImportError:

    def heap_lock() -> None:
        """Do nothing, because CPython has no heap to lock."""

    def heap_unlock() -> None:
        """Do nothing, because CPython has no heap to unlock."""


TICK_MS = 20
ALL_CLOSED = sc.RELAY_BIT - 1
# A cycle has CYCLE steps. The first CALM steps have no disturbance, which is enough for a reset.
CALM, CYCLE = 320, 400
CONTACTS, SILENCE, NOISE, START, RELAY = range(5)  # kinds of disturbance


def default_image(
    units: int = 1, racks: int = 1, modules: int = 15, tick_ms: int = TICK_MS
) -> "array[int]":
    """Limit image of channel A: each parameter at its default, each stage armed."""
    image = [p.IMAGE_SCHEMA, units, racks, modules, tick_ms]
    image += [row[4] for row in p.CABINET_PARAMETERS]
    image += [row[4] for row in p.UNIT_PARAMETERS] * units
    image += [
        min(row[4], modules) if row[0] == "modules" else row[4] for row in p.RACK_PARAMETERS
    ] * racks
    for stage in m.STAGES:
        image += [
            stage[m.S_SET],
            stage[m.S_CLEAR],
            p.ticks(stage[m.S_SET_MS], tick_ms),
            p.ticks(stage[m.S_CLEAR_MS], tick_ms),
        ]
    image += [1] * (p.ImageMap(units, racks, m.STAGES_PER_SCOPE).words - len(image))
    return array("i", image)


class Course:
    """A drawn test sequence. A step has `elapsed` ticks, `contacts`, `length` bytes of `line`."""

    def __init__(self, seed: int, image: "array[int]") -> None:
        self.drawn = seed & 0xFFFFF
        self.sender = c.Sender(f.CHANNEL_A, p.image_crc(image), pe.table_crc())
        self.line = bytearray(2 * f.FRAME_BYTES)
        self.length = self.count = self.silence = 0
        self.elapsed, self.contacts, self.vote = 1, ALL_CLOSED, 0
        self.disturbance, self.wrong_bits = -1, 0

    def draw(self, below: int) -> int:
        """The next drawn number n, 0 <= n < below."""
        self.drawn = (self.drawn * 741 + 2731) & 0xFFFFF
        return (self.drawn >> 3) % below

    def next(self, second: sc.Second) -> None:
        """Draw the next step for `second`. It depends on the relay and the reports of `second`."""
        self.count += 1
        step = self.count % CYCLE
        if step == CALM:
            self.disturbance = self.draw(RELAY) if self.count < 7 * CYCLE else RELAY
            self.silence = 30 if self.disturbance == START else 0
            if self.disturbance == SILENCE:
                self.silence = self.draw(40)
        disturbed = self.disturbance if step >= CALM else -1
        self.elapsed = 1 + self.draw(3) if disturbed == SILENCE else 1
        self._disturb_contacts(second, step, disturbed)
        self.vote = second.permit if disturbed != START else 1 if step < CALM + 45 else 0
        self._request_reset(second)
        self.sender.tick(self.elapsed)
        self._write(disturbed)

    def turn(self, second: sc.Second) -> None:
        """Draw the next step and play it."""
        self.next(second)
        play(second, self.elapsed, self.contacts, self.line, self.length)

    def _disturb_contacts(self, second: sc.Second, step: int, disturbed: int) -> None:
        """Let contacts chatter, open one after a silence, or make the mirror contact wrong."""
        if disturbed == CONTACTS and not self.draw(12):
            self.contacts ^= 1 << self.draw(len(sc.CONTACT_NAMES))
        elif disturbed == START:
            self.contacts = ALL_CLOSED & ~(4 if CALM + 30 <= step < CALM + 39 else 0)
        elif disturbed < 0:
            self.contacts = ALL_CLOSED
        self.contacts &= ~sc.RELAY_BIT
        if second.permit and disturbed != RELAY:
            self.contacts |= sc.RELAY_BIT

    def _request_reset(self, second: sc.Second) -> None:
        """Request a reset in some steps (with the key turned), sometimes of wrong causes."""
        frame, shown = self.sender.frame, second.sender.frame
        ask = self.draw(90)
        if ask < 3 and second.latch_level and not frame.get(f.RESET_KIND):
            frame.put(f.RESET_KIND, max(1, ask))
            frame.put(f.RESET_FIRST_OUT, shown.get(f.FIRST_OUT))
            frame.put(f.RESET_MASK, shown.get(f.CAUSE_MASK) ^ (0 if self.draw(4) else 1))
        elif shown.get(f.RESET_RESULT):
            frame.put(f.RESET_KIND, 0)
        if frame.get(f.RESET_KIND) == m.KEY:
            self.contacts &= ~sc.KEY_BIT

    def _write(self, disturbed: int) -> None:
        """Write a frame in every other step; under NOISE with wrong bytes, bits or content."""
        noise = disturbed == NOISE
        if not noise or not self.draw(60):
            self.wrong_bits = 1 << self.draw(len(f.SHARED)) if noise else 0
        self.length = 0
        self.silence = max(0, self.silence - 1)
        if self.count % 2 or self.silence:
            return
        frame = self.sender.frame
        frame.put(f.SIGNAL_BITS, self.contacts & (sc.KEY_BIT - 1) ^ self.wrong_bits)
        frame.put(f.KNOWN_BITS, sc.KEY_BIT - 1)
        frame.put(f.VOTE, self.vote)
        data = self.sender.finish()
        if noise and not self.draw(20):
            self._append(self.draw(256))
        spoilt = self.draw(f.FRAME_BYTES) if noise and not self.draw(9) else -1
        for index in range(f.FRAME_BYTES):
            self._append(data[index] ^ (1 << self.draw(8) if index == spoilt else 0))

    def _append(self, byte: int) -> None:
        self.line[self.length] = byte
        self.length += 1


def play(second: sc.Second, elapsed: int, contacts: int, line: bytearray, length: int) -> None:
    """Give the bytes to `second`, then step it."""
    second.receive(line, length)
    second.step(elapsed, contacts)
    if second.frame_due:
        second.report()


def digest(value: int, second: sc.Second) -> int:
    """The CRC-30 register after adding all state of `second`, and its frame."""
    for block in second.blocks:  # type: ignore[attr-defined]
        for word in block:
            value = crc.add_word(value, word)
    for word in second.receiver.refused:
        value = crc.add_word(value, word)
    for byte in second.sender.frame.bytes:
        value = crc.add_word(value, byte)
    peer = second.peer
    value = crc.add_word(crc.add_word(value, second.permit), second.reason)
    value = crc.add_word(crc.add_word(value, second.subject), second.latch_level)
    value = crc.add_word(crc.add_word(value, peer.age_ticks), peer.drift_permille)
    return crc.add_word(value, peer.disagree_ticks)


def walk(seed: int, steps: int, image: "array[int]") -> tuple[int, list[int]]:
    """Play one test sequence. Returns the digest of all steps, and the count of each reason."""
    second, sequence = sc.Second(image, 0), Course(seed, image)
    second.blocks = second.kernel.state_blocks()  # type: ignore[attr-defined]
    value, reasons = crc.START, array("i", [0] * len(pe.REASONS))
    heap_lock()
    for _ in range(steps):
        sequence.turn(second)
        value = digest(value, second)
        reasons[second.reason] += 1
    heap_unlock()
    return value, list(reasons)
