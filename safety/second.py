"""Channel B: the kernel on a cabinet without units and racks, its own contacts, its view of channel
A, and one permit.

A pure function of elapsed ticks, contact levels and the bytes that came over the link: no clock, no
I/O, no allocation. It holds the limit image of channel A and runs on what of it channel B
can see.
"""

from safety import (
    channel as c,
    frame as f,
    matrix as m,
    parameters as p,
    peer as pe,
    second_image as si,
    signals as s,
)
from safety.kernel import Kernel

# Contacts in the order of the bits that the board hands over: the shared ones, then these two.
KEY_BIT = 1 << len(f.SHARED)
RELAY_BIT = KEY_BIT << 1  # the mirror contact of our own relay: closed when the relay is on
CONTACT_NAMES = f.SHARED_NAMES + ("key_run_ok", "relay_closed")
RELAY_MS = 200  # for the mirror contact to follow: a relay takes 20 ms, then some


class Second:
    """Channel B. `permit` is the command of the relay, `reason` and `subject` why it is off
    (peer.REASONS).
    """

    def __init__(self, image, latch_level: int, kept_count: int = 0, kept_digest: int = 0):
        """image: of channel A; the others: what was remembered of the last run (below).
        ValueError.
        """
        if (
            len(image) <= p.H_RACKS
            or image[p.H_SCHEMA] != p.IMAGE_SCHEMA
            or len(image) != si.image_map_of(image).words
        ):
            raise ValueError("limit image is not of this program's schema or topology")
        mine = si.own_image(image)
        self.kernel = Kernel(mine)
        self.kernel.boot(latch_level == m.REMOTE, latch_level >= m.KEY, ())
        own_crc, tables = p.image_crc(image), pe.table_crc()
        self.receiver = c.Receiver(f.CHANNEL_A)
        self.peer = pe.Peer(mine, si.image_map_of(mine), self.receiver, own_crc, tables)
        self.sender = c.Sender(f.CHANNEL_B, own_crc, tables)
        self.fitted_bits, self.opening_bits = si.contact_masks(image)
        for group in f.SHARED_GROUPS + (s.G_IO_1, s.G_LOCAL):  # read anew in every step
            self.kernel.fresh[group] = 1
        self.relay_ticks_max = p.ticks(RELAY_MS, mine[p.H_TICK_MS])
        self.permit, self.reason, self.subject = 0, pe.NOT_HEARD, 0
        self.latch_level = latch_level
        self.frame_due = False
        self._rested = False  # the other gave no permit for a while since this one fell
        self._relay_ticks, self._relay_failed = 0, False
        self._frame_ticks = self._contact_bits = 0
        self._mask = 0  # no stage is active yet
        self._ordered, self._reset_result = False, 0
        # the mark of channel A's store
        self._keep(kept_count, kept_digest)

    def receive(self, data: bytes | bytearray, count: int) -> None:
        """The first `count` bytes of `data` have come over the link."""
        if self.receiver.feed(data, count):
            self.peer.heard()

    def step(self, elapsed: int, contact_bits: int) -> None:
        """One step of `elapsed` ticks with the contacts as they are now (CONTACT_NAMES, bit 0
        first; 1: closed).
        """
        kernel = self.kernel
        inp = kernel.inp
        self.see(contact_bits)
        # before anything of its frame is acted on
        self.peer.update(elapsed, contact_bits, self.fitted_bits)
        self._order(inp)
        kernel.judge(elapsed)  # it moves nothing but its own relay
        if inp[s.RESET_KIND]:
            inp[s.RESET_KIND] = 0
            self._reset_result = kernel.out[s.RESET_RESULT]
        self._watch_relay(elapsed, contact_bits)
        self.reason = self._judge(contact_bits)
        self.permit = 1 if self.reason == pe.OK else 0
        self._remember()
        self._contact_bits = contact_bits
        self.sender.tick(elapsed)
        self._frame_ticks += elapsed
        self.frame_due = self._frame_ticks >= f.FRAME_EVERY_TICKS

    def see(self, contact_bits: int) -> None:
        """Its contacts become the kernel's inputs."""
        inp = self.kernel.inp
        for place in range(len(f.SHARED)):
            inp[f.SHARED[place]] = contact_bits >> place & 1
        inp[s.KEY_RUN_OK] = 1 if contact_bits & KEY_BIT else 0

    def _order(self, inp):
        """Take a reset that channel A passes on, once: A repeats it until it has seen the result,
        then asks nothing.
        """
        frame = self.receiver.frame
        kind = frame.get(f.RESET_KIND) if self.peer.trusted() else 0
        if kind != m.REMOTE and kind != m.KEY:
            self._ordered, self._reset_result = False, 0
            if kind == f.KEEP and frame.get(f.RESET_MASK) > self.kept_count:
                self._keep(frame.get(f.RESET_MASK), frame.get(f.RESET_FIRST_OUT))
        elif not self._ordered:
            self._ordered = True
            inp[s.RESET_KIND] = kind
            inp[s.RESET_FIRST_OUT] = frame.get(f.RESET_FIRST_OUT) - 1
            inp[s.RESET_MASK] = frame.get(f.RESET_MASK)

    def _keep(self, count, digest):
        """The board keeps these for the next start."""
        self.kept_count, self.kept_digest = count, digest
        self.sender.frame.put(f.RESET_MASK, count)
        self.sender.frame.put(f.RESET_FIRST_OUT, digest)

    def _watch_relay(self, elapsed, contact_bits):
        """A relay that does not follow is not trusted again before a restart: a person must
        look at it.
        """
        closed = 1 if contact_bits & RELAY_BIT else 0
        self._relay_ticks = (
            min(self._relay_ticks + elapsed, s.TICKS_MAX) if closed != self.permit else 0
        )
        if self._relay_ticks >= self.relay_ticks_max:
            self._relay_failed = True

    def _judge(self, contact_bits):
        """Why there is no permit (REASONS), or OK. A permit that fell returns only while the other
        gives none.
        """
        demand = self.kernel.demand
        self.subject = 0
        reason = self.peer.reason
        open_at = m.DC_OPEN_AT_ZERO if self.permit else m.DC_INHIBIT
        if demand[m.D_PCS] >= m.PCS_STOP or demand[m.D_DC] >= open_at:
            reason = pe.INTERLOCK
            self.subject = self.kernel.out[s.FIRST_OUT] + 1
        elif reason != pe.OK:
            self.subject = self.peer.subject
        elif self._relay_failed or not self._rested and contact_bits & RELAY_BIT:
            reason = pe.RELAY
        elif not self._rested and self.opening_bits & ~contact_bits:
            reason = pe.CONTACT_OPEN  # before its debounce has run
        if reason != pe.OK:
            self._rested = False
        elif not self._rested:
            self._rested = self.receiver.frame.get(f.VOTE) == 0
            reason = pe.OK if self._rested else pe.WAITS
        return reason

    def _remember(self):
        """The strictest reset that any latch waits for: the board keeps it for the next start. What
        is latched follows from what stands, and that from the mask.
        """
        mask = self.kernel.out[s.CAUSE_MASK]
        if mask == self._mask:
            return
        self._mask = mask
        level = 0
        evaluator = self.kernel.evaluator
        for index in range(evaluator.count):
            if evaluator.latched[index]:
                level = max(level, m.STAGES[evaluator.stage[index]][m.S_LATCH])
        self.latch_level = level

    def report(self) -> bytearray:
        """The frame that is due, as bytes: to be built after the relay was moved, because it takes
        its time.
        """
        self.frame_due = False
        self._frame_ticks = 0
        frame, out, bits = self.sender.frame, self.kernel.out, self.fitted_bits
        frame.put(f.SIGNAL_BITS, self._contact_bits & bits)
        frame.put(f.KNOWN_BITS, bits)
        frame.put(f.VOTE, self.permit)
        frame.put(f.REASON, self.reason)
        frame.put(f.SUBJECT, self.subject)
        frame.put(f.FIRST_OUT, out[s.FIRST_OUT_INSTANCE] + 1)
        frame.put(f.CAUSE_MASK, out[s.CAUSE_MASK])
        frame.put(f.RESET_RESULT, self._reset_result)
        frame.put(f.REFUSAL, self.receiver.last_refusal)
        frame.put(f.REFUSED, self.receiver.refusals)
        return self.sender.finish()
