"""The energy that UPS of the load can give it: an island needs so much less from the battery.

The time that a UPS reports holds at the load of now, and some report hours at a load of 0. A charge
alone says nothing of a battery that is worn. So the smaller of the two counts.
"""

from collections.abc import Iterable

from controller.core.site_devices.roles import LOAD_UPS, ON_BATTERY
from controller.core.site_devices.signals_view import DeviceView

ROLE, SIGNALS = LOAD_UPS.name, tuple([each.name for each in LOAD_UPS.signals])
ALL = (1 << len(SIGNALS)) - 1
# A battery with more charge than this bridges some seconds: one that reports 0 s then is not read.
CHARGED_PERMILLE = 100


def total_Wh(upses: Iterable[DeviceView]) -> int | None:
    """Energy of all UPS that are known, Wh; None: none of them is."""
    known = [each for each in map(_gives_Wh, upses) if each is not None]
    return sum(known) if known else None


def _gives_Wh(ups: DeviceView) -> int | None:
    """None: a signal is unknown, or contradicts another. 0 in bypass: it does not bridge."""
    if ups.known != ALL:
        return None
    state, charge_permille, bridging_s, load_W = [ups.read(name) or 0 for name in SIGNALS]
    if charge_permille > CHARGED_PERMILLE and not bridging_s:
        return None
    if state > ON_BATTERY:
        return 0
    stored_Wh = charge_permille * ups.settings["energy_Wh"] // 1000
    return max(0, min(stored_Wh, bridging_s * load_W // 3600))
