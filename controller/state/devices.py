"""Site devices: signals, and each actuator's chain from request to value."""

from controller.core import reasons
from controller.core.site_devices.signals_view import AGE_MS_MAX, DeviceView
from controller.journal.snapshot import Shadow
from controller.state import actuators, base
from controller.state.base import Facts

POWER = "power_W"


def facts(shadow: Shadow) -> Facts:
    """The page `devices` as plain data: {devices: [...]}; the unit ends each name."""
    found = [_device(shadow, view) for view in shadow.core.site.devices]
    return {**base.head(shadow), "devices": found}


def age_ms(shadow: Shadow, view: DeviceView) -> int | None:
    """Age of the oldest value of a device, ms; None if it was never heard."""
    site = shadow.core.site
    found_ms = site.ages_ms[site.devices.index(view)]
    return found_ms if found_ms < AGE_MS_MAX else None


def _device(shadow: Shadow, view: DeviceView) -> Facts:
    device, role = view.device, view.device.role
    return {
        "name": device.name,
        "device": base.configured(shadow, device),
        "role": role.text,
        "is_known": view.is_known,
        "age_ms": age_ms(shadow, view),
        "signals": {signal.name: view.value(signal.name) for signal in role.signals},
        "actuators": actuators.of_device(shadow, view),
        "settings": dict(device.settings),
    }


def powers(shadow: Shadow) -> list[Facts]:
    """[{device, role, is_known, power_W, asked}] of each configured device; power_W: None while it
    is unknown, absent where the device reports none; asked: {actuator: value}.
    """
    found = []
    for view in shadow.core.site.devices:
        name, role = base.configured(shadow, view.device), view.device.role
        if name is not None:
            reports = POWER in [s.name for s in role.signals] and view.read(POWER) is not None
            power = {POWER: view.value(POWER)} if reports else {}
            asked = {each["name"]: each["value"] for each in actuators.of_device(shadow, view)}
            words = {"device": name, "role": role.text, "is_known": view.is_known}
            found.append({**words, **power, "asked": asked})
    return found


def bound_by(actuator: Facts) -> str:
    """Label and name of the reason that decided the value; "" where the request did."""
    reason = actuator["binding"] or actuator["request_reason"]
    return f"{reason['label']} {reason['name']}" if reason else reasons.label(reasons.NO_REQUEST)
