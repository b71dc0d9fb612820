"""Site devices: signals, and each actuator's chain from request to value."""

from typing import Any

from controller.core import reasons
from controller.core.site_devices.layout import OTHER_DEVICE, REFUSED_VALUE
from controller.core.site_devices.signals_view import AGE_MS_MAX, DeviceView
from controller.journal.snapshot import Shadow
from controller.state import actuators, base

Facts = dict[str, Any]


def facts(shadow: Shadow) -> Facts:
    """The page `devices` as plain data: {devices: [...]}; the unit ends each name."""
    site = shadow.core.site
    found = [_device(shadow, view) for view in site.devices]
    return {**base.head(shadow), "devices": found}


def _device(shadow: Shadow, view: DeviceView) -> Facts:
    device, role, age_ms = view.device, view.device.role, view.youngest_ms
    return {
        "name": device.name,
        "role": role.text,
        "is_known": view.is_known,
        "age_ms": age_ms if age_ms < AGE_MS_MAX else None,
        "signals": {signal.name: view.value(signal.name) for signal in role.signals},
        "refused": _refused(view),
        "differs": _differs(shadow, view),
        "beyond": _beyond(view),
        "actuators": actuators.of_device(shadow, view),
        "settings": dict(device.settings),
    }


def _refused(view: DeviceView) -> dict[str, Any]:
    """{signal: {value: of the last refused one, None with several signals; low, high: possible by
    the role and the rating}} of the signals whose last answers were out of range.
    """
    signals = [each for each in view.device.role.signals if view.is_refused(each.name)]
    value = view.word(REFUSED_VALUE) if len(signals) == 1 else None
    found = {}
    for each in signals:
        low, high = each.bounds(view.settings)
        found[each.name] = {"value": value, "low": low, "high": high}
    return found


def _beyond(view: DeviceView) -> dict[str, int]:
    """{actuator: power reported} where it exceeds what was sent by 5 % of the rating: an inverter
    follows its limit within seconds, or takes no commands.
    """
    found = {}
    for each in view.device.role.actuators:
        power_W = view.value(each.feedback) if each.name.endswith("_W") else None
        if power_W is not None and power_W > view.sent(each.name) + view.settings["rated_W"] // 20:
            found[each.name] = power_W
    return found


def _differs(shadow: Shadow, view: DeviceView) -> str | None:
    """The first register of the identity that holds another value than the profile says."""
    number, device = view.word(OTHER_DEVICE), view.device
    for each in shadow.reader.header.get("devices", []):
        if (each["role"], each["index"] + 1) == (device.role.name, device.number):
            names: list[str] = each["identity"]
            return names[number - 1] if 0 < number <= len(names) else None
    return None


def bound_by(actuator: Facts) -> str:
    """Label and name of the reason that decided the value; "" where the request did."""
    reason = actuator["binding"] or actuator["request_reason"]
    return f"{reason['label']} {reason['name']}" if reason else reasons.label(reasons.NO_REQUEST)
