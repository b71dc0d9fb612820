"""Reads the devices of a cabinet from the merged configuration: the role, profile, bus and address
of each device, and the wiring of the I/O modules.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from controller.config import equipment, meter_profile, profile_form, profiles, schema
from controller.config.bus_schema import Bus
from controller.config.values import Values
from controller.core.site_devices import roles
from controller.forms.refusal import ConfigError, not_allowed
from drivers.profile import Profile
from safety import signals

Names = tuple[str, ...]
NotFitted = dict[str, str]  # {equipment: who accepted that it is not fitted}

# When the controller is dead, all coils become 0. Then the permits must drop, the contact to the
# panel must show a fault, the fan must run and the red lamp must be on (A51, safety/README.md). So
# these outputs have a fixed wiring. Every other output may be inverted.
PLAIN_ONLY = ("pcs_enable_ok", "contactor_supply_ok", "supervisory_ok", "aux_load_ok")
METERS = ("meter_grid", "meter_load")
OF_METERS = {"meter_grid": ("rated_W",), "meter_load": ("rated_W", schema.BUFFER)}
RESPONSE = ("control", "droop_W_max")
SERIAL_IDS = range(1, 248)  # Modbus over serial line V1.02, 2.2
INVERTED_ONLY = ("fan_on", "red_lamp_on")


@dataclass(frozen=True, slots=True)
class Device:
    """One device. address: unit id on Modbus, node on CAN, or 0. index: number of its unit or rack,
    from 0, or -1. inputs: names of 8 signals in the order of the contacts, "" for a spare contact.
    outputs: names of 8 coils, with "!" before an inverted one. setpoint_ms: time between
    set-points.
    """

    name: str
    role: str
    profile: Profile
    bus: str
    address: int
    index: int
    inputs: Names
    outputs: Names
    setpoint_ms: int
    settings: dict[str, int]  # {parameter of its role: integer} of a site device; see _settings


@dataclass(frozen=True, slots=True)
class Topology:
    """The structure of a cabinet. rack_units: unit of each rack, from 0. dc_buses: name of each
    unit's DC bus. forming: whether each unit can form an island. not_fitted: {equipment: who
    accepted it, or ""}. hma: {key of [hma]: value}.
    """

    units: int
    racks: int
    rack_units: tuple[int, ...]
    dc_buses: Names
    forming: tuple[bool, ...]
    buses: tuple[Bus, ...]
    devices: tuple[Device, ...]
    not_fitted: NotFitted
    hma: dict[str, Any]
    second_channel: bool
    channel_b: Bus | None

    def device(self, role: str, index: int = -1) -> Device | None:
        """The device with this role (and unit or rack), or None."""
        place = (role, index)
        return next(
            (device for device in self.devices if (device.role, device.index) == place), None
        )

    def required(self, role: str, index: int = -1) -> Device:
        """The device with this role. device_checks.py has refused a file without it."""
        return next(
            device for device in self.devices if (device.role, device.index) == (role, index)
        )

    def on_bus(self, name: str) -> list[Device]:
        """Devices on the bus `name`."""
        return [device for device in self.devices if device.bus == name]

    def mapped(self, signal: str) -> tuple[Device, int] | None:
        """(device, bit) of an input signal, or None."""
        wired = [device for device in self.devices if signal in device.inputs]
        return (wired[0], wired[0].inputs.index(signal)) if wired else None

    def driven(self, output: str) -> Device | None:
        """The device that has this output, inverted or not, or None."""
        coils = {output, f"!{output}"}
        return next((device for device in self.devices if coils & set(device.outputs)), None)


def fitted(values: Values, name: str, not_fitted: Iterable[str]) -> bool:
    """True unless the device of table `name` is equipment that is not fitted."""
    return values.need("device", name, "role") not in parts_absent(not_fitted, "roles")


def read(
    values: Values,
    name: str,
    buses: Iterable[Bus],
    units: int,
    racks: int,
    not_fitted: Iterable[str],
) -> Device:
    """The device of table `name`. not_fitted: names of equipment that is not fitted."""
    role = values.need("device", name, "role")
    profile = _profile(values, name, role)
    bus = _bus_of(values, name, role, profile.family, buses)
    address_key = key_of_address(profile)
    address = values.need("device", name, address_key) if address_key else 0
    if address_key == "unit_id" and address not in SERIAL_IDS:
        _check_is_tcp(values, name, bus, buses)
    index_key, count = {"pcs": ("unit", units), "bms": ("rack", racks)}.get(role, ("", 0))
    index = values.need("device", name, index_key) - 1 if index_key else -1
    if index_key and index >= count:
        values.not_allowed(("device", name, index_key), f"1..{count}")
    wired = role in schema.INPUT_NAMES
    inputs = _inputs(values, name, role, parts_absent(not_fitted, "inputs")) if wired else ()
    outputs = _outputs(values, name, not_fitted) if wired else ()
    role_keys = ("inputs", "outputs") if wired else ("setpoint_ms",) if role == "pcs" else ()
    settings = _settings(values, name, role)
    keys = filter(None, ("role", "profile", "bus", address_key, index_key, *role_keys, *settings))
    kind = f"a device with role {role} and this profile"
    values.check_no_more(("device", name), kind, (*keys, "period_ms", *facts_of(role)))
    return Device(
        name,
        role,
        profile,
        bus=bus,
        address=address,
        index=index,
        inputs=inputs,
        outputs=outputs,
        setpoint_ms=values.get("device", name, "setpoint_ms"),
        settings=settings,
    )


def _check_is_tcp(values: Values, name: str, bus: str, buses: Iterable[Bus]) -> None:
    if bus in [known_bus.name for known_bus in buses if known_bus.kind == "rtu"]:
        path = ("device", name, "unit_id")
        values.not_allowed(path, "1..247 on a serial bus; 0 and 255 are for kind tcp")


def _settings(values: Values, name: str, role: str) -> dict[str, int]:
    """{parameter: integer} of a site device. For a meter of the cabinet, only the parameters that
    the file states.
    """
    settings: dict[str, int] = {}
    for key in OF_METERS.get(role, ()):
        if ("device", name, key) in values.entries:
            settings[key] = values.need("device", name, key)
    if role not in roles.ROLES:
        return settings
    for key, unit, low, high, default, _ in roles.ROLES[role].parameters:
        path = ("device", name, key)
        number = values.get(*path)
        if number is None and default is None:
            values.refuse(path, f"is missing; role {role} needs it", f"{low}..{high} {unit}")
        default_number = settings[default] if isinstance(default, str) else default
        settings[key] = default_number if number is None else number
        if not low <= settings[key] <= high:
            values.not_allowed(path, f"{low}..{high} {unit} for role {role}")
    return settings


def _profile(values: Values, name: str, role: str) -> Profile:
    """The profile of a device, with the period and the facts that this configuration states."""
    key = ("device", name, "profile")
    stated = values.need(*key)
    if stated.endswith(".toml"):  # a profile in the folder of the file that names it
        stated = os.path.join(os.path.dirname(values.file(*key)), stated)
    try:
        profile = profiles.load(stated)
    except ConfigError as error:
        values.refuse(key, str(error))
    own_role = profile.settings.get("role", role)
    if profile.family in schema.ROLES[role] and own_role != role:
        values.not_allowed(key, f"a profile for role {role} (this one is for {own_role})")
    if profile.family not in schema.ROLES[role]:
        wanted = f"{' or '.join(schema.ROLES[role])} for role {role}"
        values.not_allowed(key, f"a profile of family {wanted} (this one is {profile.family})")
    profile.period_ms = values.get("device", name, "period_ms") or profile.period_ms
    for fact in facts_of(role):
        number = values.get("device", name, fact)
        if number is not None and fact in profile.settings:
            profile.settings[fact] = number
        elif number is not None:
            setattr(profile, fact, number)
    responds = role == "meter_grid" and values.get(*RESPONSE)
    if responds and (problem := meter_profile.read_frequency(profile)):
        response = f"{meter_profile.RESPONSE_HZ * 1000:g} mHz and {meter_profile.RESPONSE_MS} ms"
        values.not_allowed(RESPONSE, f"0, or a meter of {response}: device.{name} {problem}")
    return profile


def facts_of(role: str) -> list[str]:
    """Keys that a file may state for a device with this role, in place of its profile."""
    return [key for key, (_, of_roles) in schema.FACTS_OF_DEVICE.items() if role in of_roles]


def _bus_of(values: Values, name: str, role: str, family: str, buses: Iterable[Bus]) -> str:
    """Name of the device's bus."""
    key, kinds = ("device", name, "bus"), bus_kinds(role, family)
    stated: str = values.need(*key)
    names = [bus.name for bus in buses if bus.kind in kinds]
    if stated not in names:
        values.not_allowed(key, ", ".join(names) or f"a bus of kind {' or '.join(kinds)}", names)
    return stated


def bus_kinds(role: str, family: str) -> Names:
    """The kinds of bus that a device of this role and family may be on."""
    # A network may stop at any time. These devices may be on a network, because their silence is
    # safe: the enable stops a converter by wire, and a rack stops when its BMS is silent.
    network = ("rtu", "tcp") if role in (*roles.ROLES, *METERS, "pcs", "bms") else ("rtu",)
    return ("can",) if family == profile_form.CAN_BMS else network


def key_of_address(profile: Profile) -> str:
    """The key of the device's address. "" for a BMS whose frames contain no address."""
    if profile.settings.get("node_stride") == 0:
        return ""
    return "node" if profile.family == profile_form.CAN_BMS else "unit_id"


def _inputs(values: Values, name: str, role: str, absent: list[str]) -> Names:
    key, allowed = ("device", name, "inputs"), schema.INPUT_NAMES[role]
    names = values.need(*key)
    for signal in names:
        if signal and signal not in allowed:
            not_allowed(values.file(*key), key, signal, ", ".join(allowed), allowed)
    return tuple("" if signal in absent else signal for signal in names)


def _outputs(values: Values, name: str, not_fitted: Iterable[str]) -> Names:
    key, absent = ("device", name, "outputs"), parts_absent(not_fitted, "outputs")
    names = values.need(*key)
    for output in names:
        allowed = ""
        if output.startswith("!") and output[1:] in PLAIN_ONLY:
            allowed = f"{output[1:]}: an expired module must switch it off"
        elif output in INVERTED_ONLY:
            allowed = f"!{output}: an expired module must leave it on"
        if allowed:
            not_allowed(values.file(*key), key, output, allowed)
    return tuple("" if output.lstrip("!") in absent else output for output in names)


def parts_absent(not_fitted: Iterable[str], kind: str) -> list[str]:
    """Parts of equipment that is not fitted. kind: "roles", "inputs" or "outputs"."""
    return [part for name in not_fitted for part in getattr(equipment.EVERY[name], kind)]


def input_indexes(device: Device) -> tuple[int, ...]:
    """Index into the cabinet's inputs of each contact of the module, -1 for a spare contact."""
    names = [row[0] for row in signals.CABINET_INPUTS]
    return tuple(names.index(name) if name else -1 for name in device.inputs)
