"""Finds devices whose register map is proven by no reading ("map only"), and what depends on them.

The author of a profile may have misread the document, or the device may be of another build.
Nothing shows this before the device runs. So a named person must accept such maps in the site file.
"""

from collections.abc import Iterable

from controller.config import can_profile, equipment, profile_evidence
from controller.config.cabinet_config import Config
from controller.config.devices import Device
from controller.config.profile_form import MAP_ONLY
from controller.config.values import Values
from controller.core.site_devices.roles import ROLES
from drivers.profile import Profile

LIMITS = "bms_limits"
NO_READING = "no captured or documented reading proves the map"


def is_map_only(profile: Profile) -> bool:
    """True if the map or its set-point is proven by no reading, neither of a device nor in a
    document.
    """
    return profile.evidence in MAP_ONLY or profile_evidence.is_set_point_bare(profile)


def acceptance_of(role: str) -> str:
    """The name in [not_fitted] with which a person accepts the map of a device of this role."""
    return next(name for name, (_, roles) in equipment.MAPS.items() if role in roles)


def map_only(devices: Iterable[Device]) -> dict[str, list[Device]]:
    """{acceptance: the devices whose maps need it}."""
    by_acceptance: dict[str, list[Device]] = {}
    for device in devices:
        if is_map_only(device.profile):
            by_acceptance.setdefault(acceptance_of(device.role), []).append(device)
    return by_acceptance


def check(values: Values, config: Config) -> None:
    """Refuse a register map that is neither proven by a reading nor accepted by a person."""
    by_acceptance = map_only(config.devices)
    missing = [name for name in by_acceptance if name not in config.topology.not_fitted]
    for name in missing[:1]:
        devices = by_acceptance[name]
        problem = f"{_named(devices)}: {NO_READING}; on it depend {rests_on(devices)}"
        problem += "".join(f"; {acceptance} is missing too" for acceptance in missing[1:])
        values.not_accepted(name, problem)


def check_limits(values: Values, config: Config) -> None:
    """Refuse a BMS that does not report limits of its current, unless a person accepts that the
    rated current of the rack is used instead.
    """
    racks = [device for device in config.devices if can_profile.lacks_limits(device.profile)]
    if racks and LIMITS not in config.topology.not_fitted:
        problem = f"{_named(racks)}: {equipment.not_reported(LIMITS)}; that of the rack counts"
        values.not_accepted(LIMITS, problem)


def _named(devices: Iterable[Device]) -> str:
    return ", ".join(f"device.{device.name} ({device.profile.path.stem})" for device in devices)


def rests_on(devices: Iterable[Device]) -> str:
    """The rows and actuators that depend on the maps of these devices, in words."""
    inputs = [contact for device in devices for contact in device.inputs if contact]
    rows = equipment.rows_read_by([device.role for device in devices], inputs)
    actuator_names = [actuator for device in devices for actuator in actuators(device)]
    row_text = f"rows {', '.join(map(str, rows))}" if rows else ""
    parts = [row_text, ", ".join(dict.fromkeys(actuator_names))]
    return "; ".join(filter(None, parts))


def actuators(device: Device) -> list[str]:
    """Names of the outputs that the controller moves through this device."""
    if device.role == "pcs":
        return ["set-point"]
    if device.role == "bms":
        return ["contactor command"] if can_profile.has_close(device.profile) else []
    if device.role in ROLES:
        names = [actuator.name for actuator in ROLES[device.role].actuators]
        return [f"{device.role} {name}" for name in names if name in device.profile.registers]
    return [output.lstrip("!") for output in device.outputs if output]
