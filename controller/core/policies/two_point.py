"""Control functions that ask each of their devices for 1 while a cause is present, else for 0.

A single threshold would switch a device at each small change of its value. With two thresholds a
cause stays as it is between them, and while the compared value is unknown.
"""

from array import array
from collections.abc import Sequence

from controller.core.base import reasons
from controller.core.base.answers import BaseRequest, ForDevice
from controller.core.policies.contract import BASE, DeviceView, Found, Function, Known, Setup


class TwoPoints(Function):
    """A subclass defines CAUSES and `present_causes`. `state`: bits of the present causes; the
    lowest bit gives the reason.
    """

    STAGE = BASE
    CAUSES: tuple[int, ...] = ()

    def __init__(self, setup: Setup):
        self._devices = setup.actuators(self.ROLES)
        self.state = array("i", [0] * len(self._devices))

    def present_causes(
        self, known: Known, findings: Found, settings: dict[str, int]
    ) -> Sequence[bool | None]:
        """True for each present cause, False for an absent one, None to keep it. settings: of one
        device.
        """
        raise NotImplementedError

    def step(self, known: Known, findings: Found, elapsed_ticks: int) -> list[ForDevice]:
        """One request for each device."""
        answers = []
        for place, (device, number) in enumerate(self._devices):
            present = self.state[place]
            for bit, is_present in enumerate(self.present_causes(known, findings, device.settings)):
                if is_present is not None:
                    present = present & ~(1 << bit) | is_present << bit
            self.state[place] = present
            answers.append(ForDevice(number, self.answer(known, findings, device, present)))
        return answers

    def answer(
        self, known: Known, findings: Found, device: DeviceView, present: int
    ) -> BaseRequest:
        """The request to one device. present: bits of the causes."""
        if not present:
            return BaseRequest(0, reasons.NO_REQUEST)
        return BaseRequest(1, self.CAUSES[(present & -present).bit_length() - 1])


def above(value: int | None, start: int, stop: int) -> bool | None:
    """True at or above `start`, False at or below `stop`, None between them or if unknown."""
    if value is None:
        return None
    return True if value >= start else False if value <= stop else None


def below(value: int | None, start: int, stop: int) -> bool | None:
    """True at or below `start`, False at or above `stop`, None between them or if unknown."""
    return None if value is None else above(-value, -start, -stop)
