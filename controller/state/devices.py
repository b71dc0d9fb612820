"""Facts of the page `devices`: signals of site devices, and the chain of each actuator."""

from controller.core.base import reasons
from controller.core.policies import grid_contact
from controller.core.site_devices import bridging
from controller.core.site_devices.layout import OTHER_DEVICE, REFUSED_VALUE
from controller.core.site_devices.reading_roles import GRID_CONTACT, ON_BATTERY
from controller.core.site_devices.signals_view import AGE_MS_MAX, DeviceView
from controller.journal.snapshot import Shadow
from controller.state import actuators, base
from controller.state.base import Facts

POWER = "power_W"


def facts(shadow: Shadow) -> Facts:
    """The page `devices` as plain data: {devices: [...]}. Each name ends with the value's unit."""
    devices = [_device(shadow, view) for view in shadow.core.site.devices]
    return {**base.head(shadow), "devices": devices}


def age_ms(view: DeviceView) -> int | None:
    """Age of the newest signal of a device, ms; None: the device was never heard."""
    return view.youngest_ms if view.youngest_ms < AGE_MS_MAX else None


def _device(shadow: Shadow, view: DeviceView) -> Facts:
    device, role = view.device, view.device.role
    # first register that differs from the profile's identity
    differs = base.differing(base.entry_of(shadow, device), view.word(OTHER_DEVICE))
    # another party has fixed the device at a lower value than the configuration file
    is_fixed = differs in [actuator.name for actuator in role.actuators]
    return {
        "name": device.name,
        "device": base.configured(shadow, device),
        "role": role.text,
        "is_known": view.is_known,
        "age_ms": age_ms(view),
        "signals": {signal.name: view.value(signal.name) for signal in role.signals},
        "refused": _refused(view),
        "differs": None if is_fixed else differs,
        "fixed": {differs: view.word(REFUSED_VALUE)} if is_fixed else {},
        "beyond": _beyond(view),
        "actuators": actuators.of_device(shadow, view),
        "settings": dict(device.settings),
    }


def _refused(view: DeviceView) -> Facts:
    """{signal: {value, low, high}} of the signals whose last answers were out of range."""
    signals = [signal for signal in view.device.role.signals if view.is_refused(signal.name)]
    value = view.word(REFUSED_VALUE) if len(signals) == 1 else None
    bounds = [(signal.name, *signal.bounds(view.settings)) for signal in signals]
    return {name: {"value": value, "low": low, "high": high} for name, low, high in bounds}


def _beyond(view: DeviceView) -> dict[str, int]:
    """{actuator: reported power} if it exceeds the sent value by more than 5 % of the rating."""
    powers_W: dict[str, int] = {}
    rated_W = view.settings.get("rated_W", 0)
    for actuator in view.device.role.actuators if rated_W else ():
        power_W = view.value(actuator.feedback) if actuator.name.endswith("_W") else None
        if power_W is not None and power_W > view.sent(actuator.name) + rated_W // 20:
            powers_W[actuator.name] = power_W
    return powers_W


def _reading(shadow: Shadow, view: DeviceView) -> Facts:
    """The closed contacts of the grid operator. Of the UPS of a load, the energy that it can give,
    and whether it runs on its battery although the site is on the grid. {} for other devices.
    """
    if view.device.role is GRID_CONTACT:
        return {"closed": [name for name in grid_contact.CONTACTS if view.value(name)]}
    if view.device.role.name != bridging.ROLE:
        return {}
    is_on_battery = view.value("state_code") == ON_BATTERY
    return {
        "ups_Wh": bridging.total_Wh([view]),
        "is_alone": is_on_battery and not shadow.core.found.is_off_grid,
    }


def powers(shadow: Shadow) -> list[Facts]:
    """[{device, role, is_known, power_W, asked}], with the facts of _reading. power_W: None while
    unknown.
    """
    rows = []
    for view in shadow.core.site.devices:
        name, role = base.configured(shadow, view.device), view.device.role
        if name is not None:
            reports = POWER in [s.name for s in role.signals] and view.read(POWER) is not None
            power = {POWER: view.value(POWER)} if reports else {}
            asked = {
                actuator["name"]: actuator["value"]
                for actuator in actuators.of_device(shadow, view)
            }
            identity = {"device": name, "role": role.text, "is_known": view.is_known}
            rows.append({**identity, **power, **_reading(shadow, view), "asked": asked})
    return rows


def bound_by(actuator: Facts) -> str:
    """Label and name of the reason that decided the value."""
    reason = actuator["binding"] or actuator["request_reason"]
    return f"{reason['label']} {reason['name']}" if reason else reasons.label(reasons.NO_REQUEST)
