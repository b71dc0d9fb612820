"""Site devices: signals, and each actuator's chain from request to value."""

from typing import Any

from controller.core import reasons
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
        "actuators": actuators.of_device(shadow, view),
        "settings": dict(device.settings),
    }


def bound_by(actuator: Facts) -> str:
    """Label and name of the reason that decided the value; "" where the request did."""
    reason = actuator["binding"] or actuator["request_reason"]
    return f"{reason['label']} {reason['name']}" if reason else reasons.label(reasons.NO_REQUEST)
