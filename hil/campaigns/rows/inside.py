"""Applies causes that have no wire, inside the controller's process. The table marks these."""

import os
import tempfile
from collections.abc import Callable
from functools import partial
from typing import Any

from controller.core.policies.meter_sign import REVERSED, UNDECIDED
from controller.run.self_test import SelfTest
from safety import parameters as p

COOL, HOT = b"45000", b"111000"  # thousandths of a degree, as the operating system reports them


def flip_word(rig: Any) -> None:
    """Flip a bit of the limit image in memory: in P_FUSE_WAIT_MS, which no course uses."""
    index = rig.config.image_map().cabinet + p.P_FUSE_WAIT_MS
    rig.controller.cabinet.core.kernel.image[index] ^= 1


class _SelfTestOnRig(SelfTest):
    """The controller's self-test, with the rig's time."""

    def __init__(self, rig: Any, zone: str) -> None:
        """zone: the file that holds the processor's temperature."""
        super().__init__(rig.controller.cabinet.core.kernel.state_blocks(), zones=zone)
        self._rig = rig

    def step(self, monotonic_us: int | None = None, raw_us: int | None = None) -> None:
        """Run one slice. Both clocks show the rig's time."""
        super().step(self._rig.now_us, self._rig.now_us)


def watch_itself(rig: Any) -> None:
    """Start the self-test, with a cool processor."""
    rig.zone, path = tempfile.mkstemp(prefix="firebreak-zone-")
    os.write(rig.zone, COOL)
    rig.controller.cabinet.self_test = _SelfTestOnRig(rig, path)
    os.unlink(path)


def change_program(rig: Any) -> None:
    """Change a constant of the kernel's function `in_range`, which only a start calls."""
    code = p.in_range.__code__
    p.in_range.__code__ = code.replace(co_consts=(*code.co_consts, 1))


def hot_processor(rig: Any) -> None:
    """Let the operating system report a hot processor."""
    os.pwrite(rig.zone, HOT, 0)


def forget_obligations(rig: Any) -> None:
    """Remove the obligations, as a wrong model of the connection would."""
    rig.controller.cabinet.core.chain.obligations.add = lambda obligation: None


def _end_meter_test(state: int, rig: Any) -> None:
    """End the grid meter's sign test with a bad result: undecided or reversed."""
    rig.controller.cabinet.core.functions["meter_sign"].out[0] = state


INSIDE: dict[str, Callable[[Any], None]] = {
    "flip_word": flip_word,
    "watch_itself": watch_itself,
    "change_program": change_program,
    "hot_processor": hot_processor,
    "forget_obligations": forget_obligations,
    "meter_50c": partial(_end_meter_test, UNDECIDED),
    "meter_50d": partial(_end_meter_test, REVERSED),
}
