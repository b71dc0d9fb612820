"""Channel B runs the kernel on a cabinet without units and racks.

It has its own contacts, judges channel A by its frames, and drives one permit relay. It is a pure
function of elapsed ticks, contact levels and received bytes: no clock, no I/O, no allocation. It
gets the limit image of channel A and uses the part that its inputs can judge.
"""

from array import array

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

# Contacts in the order of their bits: the shared contacts, then key and relay.
KEY_BIT = 1 << len(f.SHARED)
RELAY_BIT = KEY_BIT << 1  # the mirror contact of the relay of channel B: closed when it is on
CONTACT_NAMES = f.SHARED_NAMES + ("key_run_ok", "relay_closed")
RELAY_MS = 200  # the mirror contact must follow in this time: a relay takes 20 ms


class Second:
    """Channel B.

    permit: the command to the relay. reason, subject: why the relay is off (peer.REASONS).
    latch_level, kept_count, kept_digest: the board stores them for the next start.
    """

    def __init__(
        self, image: "array[int]", latch_level: int, kept_count: int = 0, kept_digest: int = 0
    ) -> None:
        """image: of channel A. The other arguments: as the board has stored them in the last run.

        ValueError if the image is not of this program.
        """
        if (
            len(image) <= p.H_RACKS
            or image[p.H_SCHEMA] != p.IMAGE_SCHEMA
            or len(image) != si.image_map_of(image).words
        ):
            raise ValueError("limit image is not of this program's schema or topology")
        own = si.own_image(image)
        self.kernel = Kernel(own)
        self.kernel.boot(latch_level == m.REMOTE, latch_level >= m.KEY, ())
        own_crc, tables = p.image_crc(image), pe.table_crc()
        self.receiver = c.Receiver(f.CHANNEL_A)
        self.peer = pe.Peer(own, si.image_map_of(own), self.receiver, own_crc, tables)
        self.sender = c.Sender(f.CHANNEL_B, own_crc, tables)
        self.fitted_bits, self.opening_bits = si.contact_masks(image)
        for group in f.SHARED_GROUPS + (s.G_IO_1, s.G_LOCAL):  # fresh in every step
            self.kernel.fresh[group] = 1
        self.relay_ticks_max = p.ticks(RELAY_MS, own[p.H_TICK_MS])
        self.permit, self.reason, self.subject = 0, pe.NOT_HEARD, 0
        self.latch_level = latch_level
        self.frame_due = False
        self._may_return = False  # channel A has given no permit since this permit fell
        self._relay_ticks, self._relay_failed = 0, False
        self._frame_ticks = self._contact_bits = 0
        self._mask = 0  # cause mask of the last step
        self._ordered, self._reset_result = False, 0
        # revision and digest of the store of channel A
        self._keep(kept_count, kept_digest)

    def receive(self, data: bytes | bytearray, count: int) -> None:
        """Take the first `count` bytes of `data`, received over the link."""
        if self.receiver.feed(data, count):
            self.peer.heard()

    def step(self, elapsed: int, contact_bits: int) -> None:
        """One step, `elapsed` ticks after the last.

        contact_bits: the contacts in the order of CONTACT_NAMES, from bit 0 on; 1: closed.
        """
        kernel = self.kernel
        inp = kernel.inp
        self.see(contact_bits)
        # before _order: a frame is acted on only if the peer is trusted
        self.peer.update(elapsed, contact_bits, self.fitted_bits)
        self._order(inp)
        kernel.judge(elapsed)  # only half a step: the relay is the only output
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
        """Copy the contacts to the inputs of the kernel."""
        inp = self.kernel.inp
        for place in range(len(f.SHARED)):
            inp[f.SHARED[place]] = contact_bits >> place & 1
        inp[s.KEY_RUN_OK] = 1 if contact_bits & KEY_BIT else 0

    def _order(self, inp: "array[int]") -> None:
        """Carry out once a reset that channel A passes on.

        Channel A repeats the request until it has seen the result. Then it requests no reset.
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

    def _keep(self, count: int, digest: int) -> None:
        """Store revision and digest of the store of channel A, and report them."""
        self.kept_count, self.kept_digest = count, digest
        self.sender.frame.put(f.RESET_MASK, count)
        self.sender.frame.put(f.RESET_FIRST_OUT, digest)

    def _watch_relay(self, elapsed: int, contact_bits: int) -> None:
        """A relay that does not follow withholds the permit until a restart.

        A person must look at the relay first.
        """
        closed = 1 if contact_bits & RELAY_BIT else 0
        self._relay_ticks = (
            min(self._relay_ticks + elapsed, s.TICKS_MAX) if closed != self.permit else 0
        )
        if self._relay_ticks >= self.relay_ticks_max:
            self._relay_failed = True

    def _judge(self, contact_bits: int) -> int:
        """The reason why there is no permit (REASONS), or OK.

        A permit that was withdrawn returns only while channel A gives none.
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
        elif self._relay_failed or not self._may_return and contact_bits & RELAY_BIT:
            reason = pe.RELAY
        elif not self._may_return and self.opening_bits & ~contact_bits:
            reason = pe.CONTACT_OPEN  # does not wait for the debounce
        if reason != pe.OK:
            self._may_return = False
        elif not self._may_return:
            self._may_return = self.receiver.frame.get(f.VOTE) == 0
            reason = pe.OK if self._may_return else pe.WAITS
        return reason

    def _remember(self) -> None:
        """Set `latch_level` to the strictest reset that a latch needs.

        It is computed only when the cause mask changes, because latches change only with the mask.
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
        """Build the frame that is due, and return its bytes.

        Call it after the relay was set, because building takes time and the relay must not wait.
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
