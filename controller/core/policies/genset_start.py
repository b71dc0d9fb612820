"""Generator set: starts at a low state of charge and stops at a high one.

While the state of charge is unknown the request stays as it is: an engine that runs goes on.
"""

from array import array

from controller.core import contract, reasons
from controller.core.answers import BaseRequest, ForDevice
from controller.core.contract import Function, Setup, View


class GensetStart(Function):
    """One request for each generator set; `state`: whether each is wanted."""

    NAME, STAGE = "genset_start", contract.BASE
    ROLE = "genset"
    TEXTS = {
        reasons.GENSET_NEEDED: (
            "generator needed",
            "The battery's charge is low: the generator set is asked to run.",
            "Nothing. The generator stops when the battery is charged.",
        )
    }

    def __init__(self, setup: Setup):
        self._devices = setup.actuators(self.ROLE)
        self.state = array("i", [0] * len(self._devices))

    def step(self, view: View, elapsed_ticks: int) -> list[ForDevice]:
        """For each generator 1 to run, 0 to stop."""
        found = []
        for place, (device, number) in enumerate(self._devices):
            if view.soc_permille is not None:
                lowest = view.soc_permille[0]
                if lowest <= device.settings["start_soc_permille"]:
                    self.state[place] = 1
                elif lowest >= device.settings["stop_soc_permille"]:
                    self.state[place] = 0
            wanted = self.state[place]
            reason = reasons.GENSET_NEEDED if wanted else reasons.NO_REQUEST
            found.append(ForDevice(number, BaseRequest(wanted, reason)))
        return found
