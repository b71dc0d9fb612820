"""Follows the contactors of each rack with a transition table: open, closing, closed, fault.

The BMS pre-charges and closes the contactors; the kernel supervises how long that takes. permit.py
decides when the contactors open and at which current, and it switches off the supply of all racks
together.
"""

from array import array

from safety import parameters as p, signals as s
from safety.feature_arrays import FeatureArrays

OPEN, CLOSING, CLOSED, FAULT = range(4)
# Values of `mismatch` (0: none). STILL_CLOSED: the contactors did not open. LOST: they did not stay
# closed. UNKNOWN_FAULT: the BMS reports a fault, but not which of the two it is.
STILL_CLOSED, LOST, UNKNOWN_FAULT = 1, 2, 3
NOT_REPORTED = 3  # in `was_closed`: neither open nor closed was reported since the start
STEPS = ("open", "closing", "closed", "fault")
# (step, close command, reported state) -> next step. Any other combination keeps its step.
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
# TRANSITIONS as bytes, at (step * 2 + command) * 4 + reported. A tuple as a key would allocate.
NEXT = bytes(
    [
        TRANSITIONS.get((step, close, reported), step)
        for step in range(4)
        for close in range(2)
        for reported in range(4)
    ]
)


class Contactors:
    """Step, closing time and opening time of the contactors of every rack."""

    def __init__(self, features: FeatureArrays) -> None:
        layout, image, image_map = features.layout, features.image, features.map
        self.layout, self.inp, self.out = layout, features.inp, features.out
        self.mismatch = features.mismatch
        self.ages = features.ages
        self.state_at = features.state_at
        tick_ms = image[p.H_TICK_MS]
        self.close_ticks_max = p.ticks(
            image[image_map.cabinet + p.P_CONTACTOR_CLOSE_MS_MAX], tick_ms
        )
        racks = range(layout.racks)
        self.current_at = tuple([layout.rack_input(rack, s.RACK_CURRENT_MA) for rack in racks])
        self.pack_group = tuple([layout.rack_group(rack, s.G_BMS_PACK) for rack in racks])
        self.state_group = tuple([layout.rack_group(rack, s.G_BMS_STATE) for rack in racks])
        self.image = image
        self.words_at = tuple([image_map.rack + rack * p.RACK_WORDS for rack in racks])
        self.out_at = tuple([layout.rack_output(rack, 0) for rack in racks])
        self.step = array("i", [OPEN] * layout.racks)
        self.closing_ticks = array("i", [0] * layout.racks)
        self.report_ticks = p.ticks(image[image_map.cabinet + p.P_CONTACTOR_REPORT_MS], tick_ms)
        self.open_ticks = array("i", [0] * layout.racks)  # since the command to open
        # 1: the last report was closed, 0: it was open
        self.was_closed = bytearray([NOT_REPORTED] * layout.racks)
        # per unit: 5 % of the rated current of its racks, rounded up
        self.flows_mA = tuple([self._flow_mA(of_unit) for of_unit in features.of_unit])

    def _flow_mA(self, racks: tuple[int, ...]) -> int:
        rated_mA = [self.image[self.words_at[rack] + p.R_RATED_CURRENT_MA] for rack in racks]
        return -(-sum(rated_mA) // 20)

    def update(self, elapsed: int, close: int, more: int = 1) -> None:
        """Publish command and step of every rack.

        close: 1 commands every rack to close or stay closed, 0 to open. more: 0 keeps a rack open
        that is not closed yet.
        """
        out = self.out
        for rack in range(self.layout.racks):
            wanted = close if more or self.step[rack] == CLOSED else 0
            step = NEXT[(self.step[rack] * 2 + wanted) * 4 + self.inp[self.state_at[rack]]]
            if step == FAULT and self._flows(rack):
                # The current shows that the report is wrong. Row 39 of the matrix opens the
                # contactors in the proper order; FAULT would withdraw the command while current
                # flows.
                step = CLOSED
            if step == CLOSING:
                self.closing_ticks[rack] = min(self.closing_ticks[rack] + elapsed, s.TICKS_MAX)
                if self.closing_ticks[rack] > self.close_ticks_max:
                    step = FAULT
            else:
                self.closing_ticks[rack] = 0
            is_lost = step == FAULT and (self.step[rack] == CLOSED or self.mismatch[rack] == LOST)
            self.step[rack] = step
            close_command = 1 if wanted and step != FAULT else 0
            out[self.out_at[rack] + s.CONTACTOR_CLOSE_OK] = close_command
            out[self.out_at[rack] + s.CONTACTOR_STEP] = step
            self._supervise(rack, close_command, is_lost, elapsed)

    def _flows(self, rack: int) -> bool:
        """True if a closed rack reports open contactors and carries 5 % of its rated current.

        If the current is no longer known, the report counts, and the close command is withdrawn.
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

    def _supervise(self, rack: int, closed: int, lost: int, elapsed: int) -> None:
        """Row 39: set `mismatch` of a rack.

        STILL_CLOSED: the rack has been commanded open for `contactor_report_ms` and has not
        reported open. LOST: the rack is not closed any more although it is commanded closed; this
        ends when it is commanded open and reports open. A fault before the contactors were closed
        is a failed pre-charge (row 38).
        """
        # The step that commands open counts as one tick, whatever its `elapsed`: that time passed
        # before the command.
        before = self.open_ticks[rack]
        self.open_ticks[rack] = (
            0 if closed else min(before + (elapsed if before else 1), s.TICKS_MAX)
        )
        reported = self.inp[self.state_at[rack]]
        heard = self.ages.seen[self.state_group[rack]]
        if heard and (reported == s.CONTACTOR_OPEN or reported == s.CONTACTOR_CLOSED):
            self.was_closed[rack] = reported == s.CONTACTOR_CLOSED
        is_unknown = reported == s.CONTACTOR_FAULT and self.was_closed[rack] == NOT_REPORTED
        reports_closed = reported != s.CONTACTOR_OPEN and (
            reported != s.CONTACTOR_FAULT or self.was_closed[rack] == 1
        )
        still_closed = reports_closed and self.open_ticks[rack] > self.report_ticks
        self.mismatch[rack] = (
            LOST if lost else STILL_CLOSED if still_closed else UNKNOWN_FAULT if is_unknown else 0
        )

    def current_zero(self) -> int:
        """1 if every rack and PCS carries less than 5 % of its rated current.

        0: one of them carries more. -1: the current of a rack is not known. A silent PCS is left
        out. A rack whose current is not known counts as zero if its BMS still reports open
        contactors.
        """
        for unit in range(self.layout.units):
            if self.ages.known(self.layout.unit_group(unit, s.G_PCS_MEASURE)):
                current_mA = self.inp[self.layout.unit_input(unit, s.PCS_DC_CURRENT_MA)]
                if abs(current_mA) >= self.flows_mA[unit]:
                    return 0
        return self.racks_zero()

    def racks_zero(self) -> int:
        """Same as `current_zero`, for the racks alone."""
        zero = 1
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
                zero = -1
        return zero

    def above_breaking(self) -> bool:
        """True if a rack carries more current than its contactors can break.

        Then the fuse has to clear it (C65 of the fact table). A silent rack counts with its last
        current.
        """
        for rack in range(self.layout.racks):
            if (
                abs(self.inp[self.current_at[rack]])
                > self.image[self.words_at[rack] + p.R_BREAK_CURRENT_MA]
            ):
                return True
        return False

    def count(self, step: int) -> int:
        """How many racks have this step."""
        count = 0
        for value in self.step:
            if value == step:
                count += 1
        return count
