"""Channel A's end of the link to channel B: bytes in whenever they come, a view of B once a tick, a frame every other.

It has the face of a bus (`receive`, `poll`, `wake_us`), so that the loop's Wire carries it. In a tick: `update` before
the kernel's step, whose inputs it gives (`ok`, `permits`, `reason`, `subject`), and `report` after it.
"""

from drivers.buses.port import NEVER
from safety import channel as c
from safety import latches
from safety import matrix as m
from safety import parameters as p
from safety import peer as pe
from safety import second as sc
from safety import signals as s

ORDER_MS_MAX = 1000  # for B to answer a reset; its frames come every 40 ms
NO_ANSWER = len(latches.RESULTS)  # the result of a reset that B has not answered
RESULTS = (*latches.RESULTS, "channel B does not answer")


def _level(closed):
    return "closed" if closed else "open"


class ChannelLink:
    """Frames to and from channel B for one cabinet. `wake_us`: when `poll` has something to send."""

    def __init__(self, image, kernel):
        """image: the limit image that both channels hold; kernel: the safety kernel that runs on it."""
        image_map = sc.image_map_of(image)
        own_image_crc, own_table_crc = p.image_crc(image), pe.table_crc()
        self.kernel = kernel
        self.tick_ms = image[p.H_TICK_MS]
        self.receiver = c.Receiver(c.CHANNEL_B)
        self.peer = pe.Peer(image, image_map, self.receiver, own_image_crc, own_table_crc)
        self.sender = c.Sender(c.CHANNEL_A, own_image_crc, own_table_crc)
        self.wake_us = NEVER
        self.result = latches.NONE  # of the last reset that was passed on (RESULTS)
        self._signal_bits = self._known_bits = 0
        self._frame_ticks = self._order_ticks = 0

    @property
    def ok(self):
        """True while B is heard, is of the same image and tables, agrees, and keeps time."""
        return self.peer.reason == pe.OK

    @property
    def permits(self):
        """True while `ok` and B's relay is on."""
        return self.peer.permits()

    @property
    def code(self):
        """The kernel's input peer_code: 0 while B permits, else why it does not (peer.REASONS)."""
        return 0 if self.permits else self.peer.reason or pe.INTERLOCK

    def receive(self, data, now_us):
        """Bytes that have come from channel B."""
        if self.receiver.feed(data, len(data)):
            self.peer.heard()

    def poll(self, now_us):
        """The frame that is due, or b""."""
        if self.wake_us == NEVER:
            return b""
        self.wake_us = NEVER
        return bytes(self.sender.finish())  # a port may hold it back while the sender's buffer goes on

    def update(self, elapsed):
        """Judge channel B: once a tick, before the kernel's step."""
        inp, known = self.kernel.inp, self.kernel.features.ages.known
        self._signal_bits = sum([inp[signal] << place for place, signal in enumerate(c.SHARED)])
        self._known_bits = sum([known(group) << place for place, group in enumerate(c.SHARED_GROUPS)])
        self.sender.tick(elapsed)
        self.peer.update(elapsed, self._signal_bits, self._known_bits)
        self._follow_order(elapsed)
        self._frame_ticks += elapsed

    def report(self):
        """After the kernel's step: have the frame sent if one is due."""
        if self._frame_ticks < c.FRAME_EVERY_TICKS:
            return
        self._frame_ticks = 0
        out, frame = self.kernel.out, self.sender.frame
        frame.put(c.SIGNAL_BITS, self._signal_bits)
        frame.put(c.KNOWN_BITS, self._known_bits)
        frame.put(c.VOTE, 1 if out[s.CONTACTOR_SUPPLY_OK] or out[s.PCS_ENABLE_OK] else 0)
        frame.put(c.REASON, self.peer.reason)
        frame.put(c.SUBJECT, self.peer.subject)
        frame.put(c.FIRST_OUT, out[s.FIRST_OUT_INSTANCE] + 1)
        frame.put(c.CAUSE_MASK, out[s.CAUSE_MASK])
        frame.put(c.REFUSAL, self.receiver.last_refusal)
        frame.put(c.REFUSED, self.receiver.refusals)
        self.wake_us = 0

    def causes(self):
        """(first-out instance or -1, mask) that stand in channel B: what an operator must name to reset it."""
        frame = self.receiver.frame
        return frame.get(c.FIRST_OUT) - 1, frame.get(c.CAUSE_MASK)

    def order_reset(self, kind, first_out, mask):
        """Pass a reset on, for what the operator saw of B (`causes`); `result` stays NONE until B has answered."""
        frame = self.sender.frame
        frame.put(c.RESET_KIND, kind)
        frame.put(c.RESET_FIRST_OUT, first_out + 1)
        frame.put(c.RESET_MASK, mask)
        self.result, self._order_ticks = latches.NONE, 0

    def _follow_order(self, elapsed):
        """Ask until B has said what became of it, or for ORDER_MS_MAX."""
        if not self.sender.frame.get(c.RESET_KIND):
            return
        self._order_ticks += elapsed
        result = self.receiver.frame.get(c.RESET_RESULT) if self.peer.trusted() else latches.NONE
        if result != latches.NONE:
            self.result = min(result, NO_ANSWER)
        elif self._order_ticks * self.tick_ms < ORDER_MS_MAX:
            return
        else:
            self.result = NO_ANSWER
        self.sender.frame.put(c.RESET_KIND, 0)

    def sentence(self):
        """Who gives no permit and why, in a line; "" while channel B permits."""
        peer, frame = self.peer, self.receiver.frame
        if peer.reason == pe.SILENT:
            return f"channel B silent for {peer.age_ticks * self.tick_ms / 1000:.2f} s{self._refused()}"
        if peer.reason == pe.NOT_HEARD:
            return f"channel B not heard since the start{self._refused()}"
        if peer.reason == pe.OTHER_TABLES:
            return "channel B runs another version of this program: load this one with ./flash.sh mcu"
        if peer.reason == pe.OTHER_IMAGE:
            return (f"channel B holds limit image {frame.get(c.IMAGE_CRC):08x}, this is {peer.own_image_crc:08x}: load "
                    "this site's with ./flash.sh mcu")
        if peer.reason == pe.DISAGREES:
            return self._disagreement(peer.subject - 1, peer.disagree_ticks[peer.subject - 1])
        if peer.reason == pe.CLOCKS_DIFFER:
            return f"the clock of channel B runs {peer.drift_permille / 10:+.1f} % against this one"
        return "" if frame.get(c.VOTE) else f"channel B gives no permit: {self._its_reason(frame)}"

    def _refused(self):
        """Why the last bytes were refused, if any were and what they say is of use."""
        reason = self.receiver.last_refusal
        return f" (bytes come, refused: {c.REFUSALS[reason]})" if reason not in (c.R_NONE, c.R_FIRST) else ""

    def _disagreement(self, place, ticks):
        name = c.SHARED_NAMES[place].removesuffix("_ok")
        mine, its = self._signal_bits >> place & 1, self.receiver.frame.get(c.SIGNAL_BITS) >> place & 1
        return f"{name}: A {_level(mine)}, B {_level(its)} for {ticks * self.tick_ms / 1000:.2g} s"

    def _its_reason(self, frame):
        """B's own words about itself, or about us."""
        reason, subject = frame.get(c.REASON), frame.get(c.SUBJECT) - 1
        if reason == pe.INTERLOCK and 0 <= subject < len(m.STAGES):
            stage = m.STAGES[subject]
            return f"stage {stage[m.S_ID]}, {m.CLAUSES[stage[m.S_ROW]][0]}"
        if reason == pe.DISAGREES and 0 <= subject < len(c.SHARED_NAMES):
            return f"{c.SHARED_NAMES[subject].removesuffix('_ok')} is not the same in both channels"
        if reason in (pe.NOT_HEARD, pe.SILENT):
            refusal = frame.get(c.REFUSAL)
            told = c.R_FIRST > refusal > c.R_NONE
            return "it does not hear channel A" + (f" (it gets bytes, refused: {c.REFUSALS[refusal]})" if told else "")
        return pe.REASONS[reason] if reason < len(pe.REASONS) else f"reason {reason}"
