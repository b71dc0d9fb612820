"""Checks that each permit relay follows its output, by a contact that an I/O module reads.

Basis: row 44 of the matrix; UL 60730-1 table H.1, fact A92. The kernel tests each relay
before a closing (permit.py), this module in every tick.
"""

from collections.abc import Sequence

from controller.core.core import Core
from controller.run.self_test import ENABLE, SUPPLY
from safety import parameters as p, signals as s

# Longer than the kernel's own test (RELAY_MS), which reports a failed closing first (row 38).
FOLLOW_MS = 1500
# (bit of self_test_bits, output, contact, freshness group of the contact)
RELAYS = (
    (ENABLE, s.PCS_ENABLE_OK, s.PERMIT_1_CLOSED, s.G_IO_1),
    (SUPPLY, s.CONTACTOR_SUPPLY_OK, s.PERMIT_2_CLOSED, s.G_IO_2),
)


class Relays:
    """`bits`: bits of the relays that do not follow their outputs now."""

    def __init__(self, core: Core, tick_ms: int):
        """core: its outputs are compared with its inputs."""
        self.bits = 0
        self._core = core
        self._ages = core.kernel.evaluator.features.ages
        self._ticks = [0] * len(RELAYS)
        self._ticks_max = p.ticks(FOLLOW_MS, tick_ms)

    def step(self, inp: Sequence[int], elapsed: int) -> None:
        """Compare the outputs of the last step with `inp`, where the contact is known."""
        self.bits = 0
        for index, (bit, output, contact, group) in enumerate(RELAYS):
            if self._ages.known(group):
                differs = self._differs(self._core.out[output], inp[contact])
                self._ticks[index] = self._ticks[index] + elapsed if differs else 0
            if self._ticks[index] > self._ticks_max:
                self.bits |= bit

    def _differs(self, is_commanded: int, is_closed: int) -> bool:
        """True if the relay is closed although it is commanded open, or open in RUNNING although it
        is commanded closed. In other states an open relay is no fault: a hard-wired chain may open
        it first, while the kernel waits for a fuse (C65).
        """
        if is_closed:
            return not is_commanded
        return bool(is_commanded) and self._core.out[s.STATE] == s.RUNNING
