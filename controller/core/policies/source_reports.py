"""Reports of PV inverters, generator sets and load meter, unless others contradict them."""

from controller.core.base import balance
from controller.core.base.integers import within
from controller.core.policies.contract import DeviceView, Found, Known


def gives(device: DeviceView) -> bool:
    """True if this set reports power."""
    power_W = device.value("power_W")
    return power_W is not None and power_W >= balance.noise_W(device.settings["rated_W"])


def runs(device: DeviceView) -> int | None:
    """1 if the engine of this set runs, 0 if not, None while this is unknown. A set that reports
    power never counts as stopped. If other measurements contradict its report, its power alone
    decides.
    """
    reported = device.settled("is_running")
    if reported is not None and device.is_doubted("is_running"):
        return None if device.value("power_W") is None else int(gives(device))
    return None if reported == 0 and gives(device) else reported


def metered_W(
    known: Known, findings: Found, inverters: list[DeviceView], share_permille: int
) -> int | None:
    """This cabinet's share of the load by its meter, less the PV power. None if one of them is
    unknown or contradicted.
    """
    pv_W = 0
    for pv in inverters:
        power_W = pv.value("power_W")
        if power_W is None:
            return None
        pv_W += within(power_W, 0, pv.settings["rated_W"])
    if known.load_meter_W is None or findings.is_load_wrong:
        return None
    return known.load_meter_W * share_permille // 1000 - pv_W


def is_loaded(device: DeviceView) -> bool:
    """True if this set reports more power than a current transformer may show at a standstill."""
    power_W = device.value("power_W")
    return power_W is not None and power_W >= balance.tolerance_W(device.settings["rated_W"])


def given_W(known: Known, sources: list[DeviceView]) -> int | None:
    """Power of the battery and of these sources together; None while any of them is unknown."""
    sum_W = known.battery_W
    for source in sources:
        power_W = source.value("power_W")
        if sum_W is None or power_W is None:
            return None
        sum_W += power_W
    return sum_W
