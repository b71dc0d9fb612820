"""The energy that UPSs can give to the load. An island needs that much less from the battery.

The bridging time that a UPS reports is for the present load, and some report hours at a load of 0.
The state of charge alone does not show that a battery is worn. So the smaller of two energies
counts: the energy by the state of charge, or the bridging time x the present load.
"""

from collections.abc import Iterable

from controller.core.site_devices.reading_roles import LOAD_UPS, ON_BATTERY
from controller.core.site_devices.signals_view import DeviceView

ROLE, SIGNALS = LOAD_UPS.name, tuple([signal.name for signal in LOAD_UPS.signals])
ALL = (1 << len(SIGNALS)) - 1
# Above this charge a UPS can bridge some seconds. If it reports 0 s, its energy counts as unknown.
CHARGED_PERMILLE = 100


def total_Wh(upses: Iterable[DeviceView]) -> int | None:
    """Energy of all UPSs whose energy is known, Wh; None if there is no such UPS."""
    known = [energy_Wh for energy_Wh in map(_gives_Wh, upses) if energy_Wh is not None]
    return sum(known) if known else None


def _gives_Wh(ups: DeviceView) -> int | None:
    """Energy of one UPS. None if a signal is unknown or contradicts another. 0 in bypass and when
    off, because the UPS does not bridge then.
    """
    if ups.known != ALL:
        return None
    state, charge_permille, bridging_s, load_W = [ups.read(name) or 0 for name in SIGNALS]
    if charge_permille > CHARGED_PERMILLE and not bridging_s:
        return None
    if state > ON_BATTERY:
        return 0
    stored_Wh = charge_permille * ups.settings["energy_Wh"] // 1000
    return max(0, min(stored_Wh, bridging_s * load_W // 3600))
