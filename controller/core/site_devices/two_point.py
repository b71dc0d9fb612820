"""A control function that asks each device of its roles for 1 between two thresholds, else for 0.

The request stays as it is between the thresholds and while the compared value is unknown.
"""

from array import array

from controller.core import contract, reasons
from controller.core.answers import BaseRequest, ForDevice
from controller.core.contract import DeviceView, Function, Setup, View


class TwoPoint(Function):
    """A subclass gives ROLES, REASON of the request, and `wanted`; `state`: 1 for each device that
    is asked for 1.
    """

    STAGE = contract.BASE
    REASON = reasons.NONE

    def __init__(self, setup: Setup):
        self._devices = setup.actuators(self.ROLES)
        self.state = array("i", [0] * len(self._devices))

    def wanted(self, view: View, settings: dict[str, int]) -> bool | None:
        """True: ask for 1; False: for 0; None: as before. settings: of one device."""
        raise NotImplementedError

    def request(self, device: DeviceView, is_wanted: int) -> BaseRequest:
        """The request to one device."""
        return BaseRequest(is_wanted, self.REASON if is_wanted else reasons.NO_REQUEST)

    def step(self, view: View, elapsed_ticks: int) -> list[ForDevice]:
        """One request for each device."""
        found = []
        for place, (device, number) in enumerate(self._devices):
            wanted = self.wanted(view, device.settings)
            if wanted is not None:
                self.state[place] = wanted
            found.append(ForDevice(number, self.request(device, self.state[place])))
        return found
