"""Channel A's end of the link to channel B. The loop's Wire carries the link like a bus.

Channel A is the controller. Channel B is a second channel with its own permit relay. A tick calls
`update` before the kernel's step, for the kernel's input `code`, and `report` after it. A frame
goes out in every other tick.
"""

from array import array

from controller.core.image import PEER_EMPTY
from controller.run import peer_words
from drivers.buses.jobs import NEVER
from safety import (
    channel as c,
    frame as f,
    latches,
    parameters as p,
    peer as pe,
    second_image as si,
    signals as s,
)
from safety.kernel import Kernel

ORDER_MS_MAX = 1000  # time for B to answer a reset; B sends a frame every 40 ms
NO_ANSWER = len(latches.RESULTS)  # the result of a reset that B has not answered
RESULTS = (*[f"channel B: {result}" for result in latches.RESULTS], "channel B does not answer")


class ChannelLink:
    """Frames to and from channel B of a cabinet. `wake_us`: when `poll` has a frame to send."""

    def __init__(self, image: "array[int]", kernel: Kernel):
        """image: the limit image of both channels; kernel: the kernel of channel A."""
        image_map = si.image_map_of(image)
        own_image_crc, own_table_crc = p.image_crc(image), pe.table_crc()
        self.kernel = kernel
        self.tick_ms = image[p.H_TICK_MS]
        self.receiver = c.Receiver(f.CHANNEL_B)
        self.peer = pe.Peer(image, image_map, self.receiver, own_image_crc, own_table_crc)
        self.sender = c.Sender(f.CHANNEL_A, own_image_crc, own_table_crc)
        self.wake_us = NEVER
        self.result = latches.NONE  # result of the last reset that was passed on (RESULTS)
        self._signal_bits = self._known_bits = 0
        # (kind, first-out, mask) of a reset that B has not answered
        self._order: tuple[int, int, int] | None = None
        self.store_revision = (0, 0)  # (revision, digest) for B to keep (store_revision.py)
        self._frame_ticks = self._order_ticks = 0

    @property
    def code(self) -> int:
        """The kernel's input peer_code: 0 while B permits, else why it does not (peer_words)."""
        peer, frame = self.peer, self.receiver.frame
        if peer.reason in peer_words.UNHEARD:
            return peer_words.code(peer.reason, self.receiver.last_refusal, 0)
        if peer.reason != pe.OK:
            return peer_words.code(
                peer.reason, self._signal_bits >> max(0, peer.subject - 1) & 1, peer.subject
            )
        if frame.get(f.VOTE) == 1:
            return 0
        its_reason = frame.get(f.REASON)
        names = f.REFUSAL if its_reason in peer_words.UNHEARD else f.SUBJECT
        return peer_words.code(pe.INTERLOCK, its_reason, min(frame.get(names), peer_words.BYTE))

    def receive(self, data: bytes, now_us: int) -> None:
        """Take bytes that have come from channel B."""
        if self.receiver.feed(data, len(data)):
            self.peer.heard()

    def poll(self, now_us: int) -> bytes:
        """The frame that is due, or b""."""
        if self.wake_us == NEVER:
            return b""
        self.wake_us = NEVER
        # A copy, because a port may still hold this frame when the sender fills its buffer again.
        return bytes(self.sender.finish())

    def update(self, elapsed: int) -> None:
        """Judge channel B: once a tick, before the kernel's step."""
        inp, known = self.kernel.inp, self.kernel.features.ages.known
        self._signal_bits = sum([inp[signal] << place for place, signal in enumerate(f.SHARED)])
        self._known_bits = sum(
            [known(group) << place for place, group in enumerate(f.SHARED_GROUPS)]
        )
        self.sender.tick(elapsed)
        self.peer.update(elapsed, self._signal_bits, self._known_bits)
        self._follow_order(elapsed)
        self._frame_ticks += elapsed

    def report(self) -> None:
        """Let a frame be sent if one is due; called after the kernel's step."""
        if self._frame_ticks < f.FRAME_EVERY_TICKS:
            return
        self._frame_ticks = 0
        out, frame = self.kernel.out, self.sender.frame
        for field, value in (
            (f.SIGNAL_BITS, self._signal_bits),
            (f.KNOWN_BITS, self._known_bits),
            (f.VOTE, 1 if out[s.CONTACTOR_SUPPLY_OK] or out[s.PCS_ENABLE_OK] else 0),
            (f.REASON, self.peer.reason),
            (f.SUBJECT, self.peer.subject),
            (f.FIRST_OUT, out[s.FIRST_OUT_INSTANCE] + 1),
            (f.CAUSE_MASK, out[s.CAUSE_MASK]),
            (f.REFUSAL, self.receiver.last_refusal),
            (f.REFUSED, self.receiver.refusals),
        ):
            frame.put(field, value)
        self.wake_us = 0

    def causes(self) -> tuple[int, int]:
        """(first-out instance, cause mask) of channel B, which a reset must name. PEER_EMPTY if
        nothing is active or latched there, or if B is not heard: its last frame may be old.
        """
        frame = self.receiver.frame
        return (
            (frame.get(f.FIRST_OUT) - 1, frame.get(f.CAUSE_MASK))
            if self.peer.trusted()
            else PEER_EMPTY
        )

    def kept(self) -> tuple[int, int] | None:
        """(revision, digest) of the store that channel B keeps; None: channel B is not heard."""
        frame = self.receiver.frame
        if not self.peer.trusted():
            return None
        return frame.get(f.RESET_MASK), frame.get(f.RESET_FIRST_OUT)

    def order_reset(self, kind: int, first_out: int, mask: int) -> None:
        """Pass on a reset of what the operator saw in B. `result` stays NONE until the answer. B
        gets the order only if the numbers are its present ones: an operator may send a number that
        is too large for a frame.
        """
        now = self.causes()
        if not self.peer.trusted():
            self.result = NO_ANSWER
        elif (first_out, mask) != now:
            self.result = latches.CHANGED
        elif now == PEER_EMPTY:
            # B checks tokens and key first, so it would not answer that there is nothing to reset.
            self.result = latches.NOTHING
        else:
            self.result, self._order, self._order_ticks = latches.NONE, (kind, first_out, mask), 0

    def _follow_order(self, elapsed: int) -> None:
        """Repeat the order until B answers or ORDER_MS_MAX is over. Without an order, let B keep
        revision and digest of the store.
        """
        if self._order is None:
            return self._keep()
        self._order_ticks += elapsed
        is_asked = self.sender.frame.get(f.RESET_KIND) not in (0, f.KEEP)
        if self.peer.trusted():
            result = self.receiver.frame.get(f.RESET_RESULT)
            if is_asked and result != latches.NONE:
                return self._end_order(min(result, NO_ANSWER))
            # While B still repeats its answer to the previous order, this order must wait.
            if not is_asked and result == latches.NONE:
                self._ask(*self._order)
        if self._order_ticks * self.tick_ms >= ORDER_MS_MAX:
            self._end_order(NO_ANSWER)

    def _ask(self, kind: int, first_out: int, mask: int) -> None:
        frame = self.sender.frame
        frame.put(f.RESET_KIND, kind)
        frame.put(f.RESET_FIRST_OUT, first_out + 1)
        frame.put(f.RESET_MASK, mask)

    def _keep(self) -> None:
        kept = self.kept()
        is_due = kept is not None and kept[0] < self.store_revision[0]
        if is_due or self.sender.frame.get(f.RESET_KIND):
            revision, digest = self.store_revision
            self._ask(f.KEEP if is_due else 0, digest - 1, revision)

    def _end_order(self, result: int) -> None:
        self.result, self._order = result, None
        self.sender.frame.put(f.RESET_KIND, 0)
