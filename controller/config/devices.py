"""Devices: which role, profile, bus and address each has, and what is wired to the I/O modules."""

import os
from dataclasses import dataclass

from controller.config import equipment, schema
from controller.config.refusal import not_allowed
from drivers import profile as profiles
from safety import signals

# What an expired module (all coils 0) must mean, as safety/README.md promises it for a dead
# controller: permits gone, the panel's contact at fault, fan running, red lamp on (A51). Others may
# be wired either way.
PLAIN_ONLY = ("pcs_enable_ok", "contactor_supply_ok", "supervisory_ok", "aux_load_ok")
INVERTED_ONLY = ("fan_on", "red_lamp_on")


@dataclass(frozen=True, slots=True)
class Device:
    """One device. address: unit id (rtu) or node (can, 0 where it has none); index: unit or rack
    from 0, or -1.

    inputs: 8 signal names in the order of the contacts, "" spare; outputs: 8 names, "!" before an
    inverted one; setpoint_ms: time between two set-point writes to a PCS, but for what may not wait
    (field.py).
    """

    name: str
    role: str
    profile: profiles.Profile
    bus: str
    address: int
    index: int
    inputs: tuple
    outputs: tuple
    setpoint_ms: int


def fitted(values, name: str, not_fitted: dict) -> bool:
    """True unless the device of table `name` is equipment that is not fitted."""
    role = values.need("device", name, "role")
    return not any(role in equipment.EVERY[each].roles for each in not_fitted)


def read(values, name: str, buses: tuple, units: int, racks: int, not_fitted: dict):
    """Device of table `name`; not_fitted: {equipment: who accepted}."""
    role = values.need("device", name, "role")
    profile = _profile(values, name, role)
    bus = _bus_of(values, name, role, buses)
    address_key = key_of_address(profile)
    address = values.need("device", name, address_key) if address_key else 0
    index_key, count = {"pcs": ("unit", units), "bms": ("rack", racks)}.get(role, ("", 0))
    index = _index(values, name, index_key, count) if index_key else -1
    wired = role in schema.INPUT_NAMES
    inputs = _inputs(values, name, role, parts_absent(not_fitted)) if wired else ()
    outputs = _outputs(values, name, not_fitted) if wired else ()
    own = ("inputs", "outputs") if wired else ("setpoint_ms",) if role == "pcs" else ()
    _refuse_surplus(values, name, role, (address_key, index_key, *own))
    setpoint_ms = values.get("device", name, "setpoint_ms")
    return Device(name, role, profile, bus, address, index, inputs, outputs, setpoint_ms)


def _profile(values, name, role):
    """The device's profile, with the period this configuration gives it."""
    key = ("device", name, "profile")
    stated = values.need(*key)
    if stated.endswith(".toml"):  # a profile of the site's own, beside the file that names it
        stated = os.path.join(os.path.dirname(values.file(*key)), stated)
    try:
        profile = profiles.load(stated)
    except profiles.ProfileError as error:
        values.refuse(key, str(error))
    if profile.family not in schema.ROLES[role]:
        values.not_allowed(
            key,
            f"a profile of family {' or '.join(schema.ROLES[role])} for role {role} (this one is "
            f"{profile.family})",
        )
    profile.period_ms = values.get("device", name, "period_ms") or profile.period_ms
    return profile


def _bus_of(values, name, role, buses):
    """Name of its bus."""
    key, kind = ("device", name, "bus"), "can" if role == "bms" else "rtu"
    stated = values.need(*key)
    names = [bus.name for bus in buses if bus.kind == kind]
    if stated not in names:
        values.not_allowed(key, ", ".join(names) or f"a bus of kind {kind}", names)
    return stated


def key_of_address(profile) -> str:
    """The key that holds the device's address: Pylontech LV has none."""
    return {"native_bms": "node", "pylontech_bms": ""}.get(profile.family, "unit_id")


def _index(values, name, key, count):
    number = values.need("device", name, key)
    if number > count:
        values.not_allowed(("device", name, key), f"1..{count}")
    return number - 1


def _inputs(values, name, role, absent):
    key, allowed = ("device", name, "inputs"), schema.INPUT_NAMES[role]
    names = values.need(*key)
    for signal in names:
        if signal and signal not in allowed:
            not_allowed(values.file(*key), key, signal, ", ".join(allowed), allowed)
    return tuple(["" if signal in absent else signal for signal in names])


def _outputs(values, name, not_fitted):
    absent = [output for each in not_fitted for output in equipment.EVERY[each].outputs]
    key = ("device", name, "outputs")
    names = values.need(*key)
    for output in names:
        allowed = ""
        if output.startswith("!") and output[1:] in PLAIN_ONLY:
            allowed = f"{output[1:]}: an expired module must switch it off"
        elif output in INVERTED_ONLY:
            allowed = f"!{output}: an expired module must leave it on"
        if allowed:
            not_allowed(values.file(*key), key, output, allowed)
    return tuple(["" if output.lstrip("!") in absent else output for output in names])


def _refuse_surplus(values, name, role, used):
    for key in ("unit_id", "node", "unit", "rack", "inputs", "outputs", "setpoint_ms"):
        if key not in used and ("device", name, key) in values.entries:
            values.refuse(
                ("device", name, key),
                f"is not a key of a device with role {role} and this profile",
                ", ".join(("role", "profile", "bus", *filter(None, used))),
            )


def parts_absent(not_fitted: dict) -> list:
    """Contacts of equipment that is not fitted."""
    return [signal for name in not_fitted for signal in equipment.EVERY[name].inputs]


def input_indexes(device) -> tuple:
    """Index into the cabinet's inputs of each of the module's contacts, -1 where it is spare."""
    names = [row[0] for row in signals.CABINET_INPUTS]
    return tuple([names.index(name) if name else -1 for name in device.inputs])
