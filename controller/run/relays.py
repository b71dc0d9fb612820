"""Whether each permit relay follows its output, by the contact that an I/O module reads back (row
44).

Source: UL 60730-1 table H.1, plausibility of outputs, as the project's fact table has it (A92:
read-back of I/O). The kernel tries each relay before a closing (permit.py); this looks at them all
the time, and costs the kernel nothing.
"""

from controller.run.self_test import ENABLE, SUPPLY
from safety import parameters as p, signals as s

# longer than the kernel's own test waits (RELAY_MS): that is a failed closing first, row 38
FOLLOW_MS = 1500
# Bit of self_test_bits, output, contact, group of the contact.
RELAYS = (
    (ENABLE, s.PCS_ENABLE_OK, s.PERMIT_1_CLOSED, s.G_IO_1),
    (SUPPLY, s.CONTACTOR_SUPPLY_OK, s.PERMIT_2_CLOSED, s.G_IO_2),
)


class Relays:
    """`bits`: those of the relays that do not follow now."""

    def __init__(self, core, tick_ms: int):
        """core: whose outputs are judged against its inputs."""
        self.bits = 0
        self._core = core
        self._ages = core.kernel.evaluator.features.ages
        self._ticks = [0] * len(RELAYS)
        self._ticks_max = p.ticks(FOLLOW_MS, tick_ms)

    def step(self, inp, elapsed: int) -> None:
        """inp: what was read since the last step, whose outputs are compared. A contact not known
        says nothing.
        """
        self.bits = 0
        for index, (bit, output, contact, group) in enumerate(RELAYS):
            if self._ages.known(group):
                differs = self._differs(self._core.out[output], inp[contact])
                self._ticks[index] = self._ticks[index] + elapsed if differs else 0
            if self._ticks[index] > self._ticks_max:
                self.bits |= bit

    def _differs(self, is_commanded, is_closed):
        """On though told off, at any time; off though told on only while it runs.

        A hard-wired chain that opened takes a relay off before the kernel does, which may wait for
        a fuse (C65).
        """
        if is_closed:
            return not is_commanded
        return bool(is_commanded) and self._core.out[s.STATE] == s.RUNNING
