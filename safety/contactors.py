"""One rack's contactors as a transition table: open, closing, closed, fault.

Closing is asked of the BMS, which pre-charges; the kernel supervises the time. Opening is never
waited for here: when to open under which current is permit.py's question, and the supply is dropped
for all racks together.
"""

from array import array

from safety import parameters as p, signals as s

OPEN, CLOSING, CLOSED, FAULT = range(4)
# of `mismatch`: did not open, did not stay closed, fault of who knows which
STILL_CLOSED, LOST, UNTOLD = 1, 2, 3
STEPS = ("open", "closing", "closed", "fault")
# (step, close command, reported state) -> next step; all others keep their step.
TRANSITIONS = {
    (OPEN, 1, s.CONTACTOR_OPEN): CLOSING,
    (OPEN, 1, s.CONTACTOR_PRECHARGE): CLOSING,
    (OPEN, 1, s.CONTACTOR_CLOSED): CLOSED,
    (OPEN, 1, s.CONTACTOR_FAULT): FAULT,
    (CLOSING, 1, s.CONTACTOR_CLOSED): CLOSED,
    (CLOSING, 1, s.CONTACTOR_FAULT): FAULT,
    (CLOSED, 1, s.CONTACTOR_OPEN): FAULT,
    (CLOSED, 1, s.CONTACTOR_PRECHARGE): FAULT,
    (CLOSED, 1, s.CONTACTOR_FAULT): FAULT,
    (CLOSING, 0, s.CONTACTOR_OPEN): OPEN,
    (CLOSING, 0, s.CONTACTOR_PRECHARGE): OPEN,
    (CLOSING, 0, s.CONTACTOR_CLOSED): OPEN,
    (CLOSED, 0, s.CONTACTOR_OPEN): OPEN,
    (CLOSED, 0, s.CONTACTOR_CLOSED): OPEN,
    (CLOSED, 0, s.CONTACTOR_PRECHARGE): OPEN,
    (FAULT, 0, s.CONTACTOR_OPEN): OPEN,
}
# The same as bytes, at (step * 2 + command) * 4 + reported: a tuple as a key would allocate.
NEXT = bytes(
    [
        TRANSITIONS.get((step, close, reported), step)
        for step in range(4)
        for close in range(2)
        for reported in range(4)
    ]
)


class Contactors:
    """Step and closing time of every rack's contactors."""

    def __init__(self, layout, image, image_map, inp, out, features):
        self.layout, self.inp, self.out = layout, inp, out
        self.mismatch = features.racks.mismatch
        # a twentieth, rounded up: times 20 a current may be large
        self.flows_mA = tuple([-(-each.rated_mA // 20) for each in features.witness.of_unit])
        self.ages = features.ages
        self.state_at = features.state_at
        tick_ms = image[p.H_TICK_MS]
        self.close_ticks_max = p.ticks(
            image[image_map.cabinet + p.P_CONTACTOR_CLOSE_MS_MAX], tick_ms
        )
        self.current_at = tuple(
            [layout.rack_input(rack, s.RACK_CURRENT_MA) for rack in range(layout.racks)]
        )
        self.pack_group = tuple(
            [layout.rack_group(rack, s.G_BMS_PACK) for rack in range(layout.racks)]
        )
        self.state_group = tuple(
            [layout.rack_group(rack, s.G_BMS_STATE) for rack in range(layout.racks)]
        )
        self.image = image
        self.words_at = tuple(
            [image_map.rack + rack * p.RACK_WORDS for rack in range(layout.racks)]
        )
        self.out_at = tuple([layout.rack_output(rack, 0) for rack in range(layout.racks)])
        self.step = array("i", [OPEN] * layout.racks)
        self.closing_ticks = array("i", [0] * layout.racks)
        self.report_ticks = p.ticks(image[image_map.cabinet + p.P_CONTACTOR_REPORT_MS], tick_ms)
        self.open_ticks = array("i", [0] * layout.racks)  # since the command to open
        # what was reported last of open and closed
        self.was_closed = bytearray([UNTOLD] * layout.racks)

    def update(self, elapsed: int, close: int, more: int = 1) -> None:
        """close: 1 asks every rack to close or stay closed, 0 to open. more: 0 lets none close that
        is not closed yet.

        Publishes command and step.
        """
        out = self.out
        for rack in range(self.layout.racks):
            asked = close if more or self.step[rack] == CLOSED else 0
            step = NEXT[(self.step[rack] * 2 + asked) * 4 + self.inp[self.state_at[rack]]]
            if step == FAULT and self._flows(rack):
                # the feedback is wrong: row 39 opens it in order, the loss of its command under
                # current
                step = CLOSED
            if step == CLOSING:
                self.closing_ticks[rack] = min(self.closing_ticks[rack] + elapsed, s.TICKS_MAX)
                if self.closing_ticks[rack] > self.close_ticks_max:
                    step = FAULT
            else:
                self.closing_ticks[rack] = 0
            lost = step == FAULT and (self.step[rack] == CLOSED or self.mismatch[rack] == LOST)
            self.step[rack] = step
            closed = 1 if asked and step != FAULT else 0
            out[self.out_at[rack] + s.CONTACTOR_CLOSE_OK] = closed
            out[self.out_at[rack] + s.CONTACTOR_STEP] = step
            self._supervise(rack, closed, lost, elapsed)

    def _flows(self, rack):
        """A closed rack that reports itself open, and is known to carry 5 % of its rated current
        all the same.

        A current that is not known any more speaks against no report: the command is withdrawn.
        """
        reported = self.inp[self.state_at[rack]]
        if (
            self.step[rack] != CLOSED
            or reported != s.CONTACTOR_OPEN
            or not self.ages.known(self.pack_group[rack])
        ):
            return False
        return (
            abs(self.inp[self.current_at[rack]]) * 20
            >= self.image[self.words_at[rack] + p.R_RATED_CURRENT_MA]
        )

    def _supervise(self, rack, closed, lost, elapsed):
        """Row 39: commanded open for long enough for relay, contactor and report, and still not
        reported open; or lost, until it is commanded open and reports open.

        A fault of contactors that had not been closed is a pre-charge that failed, which is row
        38's.
        """
        before = self.open_ticks[rack]  # a late step that tells it to open was late before it did
        self.open_ticks[rack] = (
            0 if closed else min(before + (elapsed if before else 1), s.TICKS_MAX)
        )
        reported = self.inp[self.state_at[rack]]
        heard = self.ages.seen[self.state_group[rack]]
        if heard and (reported == s.CONTACTOR_OPEN or reported == s.CONTACTOR_CLOSED):
            self.was_closed[rack] = reported == s.CONTACTOR_CLOSED
        untold = reported == s.CONTACTOR_FAULT and self.was_closed[rack] == UNTOLD
        still = reported != s.CONTACTOR_OPEN and (
            reported != s.CONTACTOR_FAULT or self.was_closed[rack] == 1
        )
        is_still = still and self.open_ticks[rack] > self.report_ticks
        self.mismatch[rack] = (
            LOST if lost else STILL_CLOSED if is_still else UNTOLD if untold else 0
        )

    def current_zero(self) -> int:
        """1: every rack, and every converter that is heard, carries under 5 % of its rated current;
        0: one carries more; -1: that of a rack is not known.

        A rack whose current is not known carries none if its BMS still reports open contactors.
        """
        for unit in range(self.layout.units):
            if self.ages.known(self.layout.unit_group(unit, s.G_PCS_MEASURE)):
                current_mA = self.inp[self.layout.unit_input(unit, s.PCS_DC_CURRENT_MA)]
                if abs(current_mA) >= self.flows_mA[unit]:
                    return 0
        return self.racks_zero()

    def racks_zero(self) -> int:
        """The same of the racks alone."""
        found = 1
        for rack in range(self.layout.racks):
            if self.ages.known(self.pack_group[rack]):
                if (
                    abs(self.inp[self.current_at[rack]]) * 20
                    >= self.image[self.words_at[rack] + p.R_RATED_CURRENT_MA]
                ):
                    return 0
            elif self.inp[self.state_at[rack]] != s.CONTACTOR_OPEN or not self.ages.known(
                self.state_group[rack]
            ):
                found = -1
        return found

    def above_breaking(self) -> bool:
        """C65: none opens above its breaking capacity; the fuse is waited for. A silent rack counts
        as it was.
        """
        for rack in range(self.layout.racks):
            if (
                abs(self.inp[self.current_at[rack]])
                > self.image[self.words_at[rack] + p.R_BREAK_CURRENT_MA]
            ):
                return True
        return False

    def count(self, step: int) -> int:
        """How many racks are at `step`."""
        found = 0
        for value in self.step:
            if value == step:
                found += 1
        return found
