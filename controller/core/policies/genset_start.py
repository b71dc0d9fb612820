"""Generator set: starts at a low state of charge and stops at a high one."""

from controller.core import reasons
from controller.core.answers import BaseRequest
from controller.core.contract import DeviceView, View
from controller.core.site_devices.two_point import TwoPoint


class GensetStart(TwoPoint):
    """The lowest rack decides. An engine that runs goes on while the state of charge is unknown."""

    NAME, ROLES = "genset_start", ("genset",)
    REASON = reasons.GENSET_NEEDED
    TEXTS = {
        reasons.GENSET_NEEDED: (
            "generator needed",
            "The battery's charge is low: the generator set is asked to run.",
            "Nothing. The generator stops when the battery is charged.",
        ),
        reasons.GENSET_NOT_READY: (
            "generator not ready",
            "The battery's charge is low, but the generator set reports a fault or is not in "
            "automatic mode.",
            "Look at the generator's own panel: clear the fault, then choose automatic mode.",
        ),
    }

    def wanted(self, view: View, settings: dict[str, int]) -> bool | None:
        """As the contract says."""
        if view.soc_permille is None:
            return None
        lowest = view.soc_permille[0]
        if lowest <= settings["start_soc_permille"]:
            return True
        return False if lowest >= settings["stop_soc_permille"] else None

    def request(self, device: DeviceView, is_wanted: int) -> BaseRequest:
        """A generator that reports "not ready" is not asked to run."""
        if is_wanted and device.value("is_ready_ok") == 0:
            return BaseRequest(0, reasons.GENSET_NOT_READY)
        return super().request(device, is_wanted)
