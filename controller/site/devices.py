"""Devices: which role, profile, bus and address each has, and what is wired to the I/O modules."""

import copy
import os
from dataclasses import dataclass

from controller.site import equipment, schema
from controller.site.layers import not_allowed, refuse, shown
from drivers import profile as profiles
from safety import signals

FAMILIES = {
    "pcs": ("sunspec_pcs",),
    "bms": ("native_bms", "pylontech_bms"),
    "meter_grid": ("meter",),
    "meter_load": ("meter",),
    "io_1": ("io",),
    "io_2": ("io",),
    "io_3": ("io",),
    "gas_1": ("gas",),
    "gas_2": ("gas",),
    "offgas_1": ("offgas",),
    "offgas_2": ("offgas",),
    "toxic": ("toxic",),
    "climate": ("climate",),
    "ups": ("ups",),
}
ROLES_ALWAYS = ("io_1", "io_2", "meter_grid")
OUTPUTS_ALWAYS = (
    "pcs_enable_ok",
    "contactor_supply_ok",
    "fan_on",
    "horn_on",
    "lamp_on",
    "red_lamp_on",
    "supervisory_ok",
    "shunt_trip_on",
    "aux_load_ok",
    "pre_alarm_on",
)
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


def fitted(values, name, not_fitted):
    """True unless the device of table `name` is equipment that is not fitted."""
    role = values.need("device", name, "role")
    return not any(role in equipment.EVERY[each].roles for each in not_fitted)


def read(values, name, buses, units, racks, not_fitted):
    """Device of table `name`; not_fitted: {equipment: who accepted}."""
    role = values.need("device", name, "role")
    profile = _profile(values, name, role)
    bus = _bus_of(values, name, role, buses)
    address_key = _address_key(profile)
    address = values.need("device", name, address_key) if address_key else 0
    index_key, count = {"pcs": ("unit", units), "bms": ("rack", racks)}.get(role, ("", 0))
    index = _index(values, name, index_key, count)
    wired = role in schema.INPUT_NAMES
    inputs = _inputs(values, name, role, _absent(not_fitted)) if wired else ()
    outputs = _outputs(values, name, not_fitted) if wired else ()
    own = ("inputs", "outputs") if wired else ("setpoint_ms",) if role == "pcs" else ()
    _refuse_surplus(values, name, role, (address_key, index_key, *own))
    return Device(
        name,
        role,
        profile,
        bus.name,
        address,
        index,
        inputs,
        outputs,
        values.get("device", name, "setpoint_ms"),
    )


def _profile(values, name, role):
    """The device's profile, with the period this configuration gives it."""
    key = ("device", name, "profile")
    stated = values.need(*key)
    if stated.endswith(".toml"):  # a profile of the site's own, beside the file that names it
        stated = os.path.join(os.path.dirname(values.file(*key)), stated)
    try:
        profile = profiles.load(stated)
    except profiles.ProfileError as error:
        refuse(values.file(*key), key, str(error))
    if profile.family not in FAMILIES[role]:
        not_allowed(
            values.file(*key),
            key,
            values.get(*key),
            f"a profile of family {' or '.join(FAMILIES[role])} for "
            f"role {role} (this one is {profile.family})",
        )
    period_ms = values.get("device", name, "period_ms")
    if period_ms is not None:
        profile = copy.copy(profile)
        profile.period_ms = period_ms
    return profile


def _bus_of(values, name, role, buses):
    key = ("device", name, "bus")
    stated = values.need(*key)
    kind = "can" if role == "bms" else "rtu"
    names = [bus.name for bus in buses if bus.kind == kind]
    if stated not in names:
        not_allowed(
            values.file(*key), key, stated, ", ".join(names) or f"a bus of kind {kind}", names
        )
    return next(bus for bus in buses if bus.name == stated)


def _address_key(profile):
    """The key that holds the device's address: Pylontech LV has none."""
    return {"native_bms": "node", "pylontech_bms": ""}.get(profile.family, "unit_id")


def _index(values, name, key, count):
    if not key:
        return -1
    number = values.need("device", name, key)
    if number > count:
        not_allowed(values.file("device", name, key), ("device", name, key), number, f"1..{count}")
    return number - 1


def _inputs(values, name, role, absent):
    names = values.need("device", name, "inputs")
    for signal in names:
        if signal and signal not in schema.INPUT_NAMES[role]:
            not_allowed(
                values.file("device", name, "inputs"),
                ("device", name, "inputs"),
                signal,
                ", ".join(schema.INPUT_NAMES[role]),
                schema.INPUT_NAMES[role],
            )
    return tuple(["" if signal in absent else signal for signal in names])


def _outputs(values, name, not_fitted):
    absent = [output for each in not_fitted for output in equipment.EVERY[each].outputs]
    key = ("device", name, "outputs")
    names = values.need(*key)
    for output in names:
        if output.startswith("!") and output[1:] in PLAIN_ONLY:
            not_allowed(
                values.file(*key), key, output, f"{output[1:]}: an expired module must not permit"
            )
        if output in INVERTED_ONLY:
            not_allowed(
                values.file(*key), key, output, f"!{output}: an expired module must leave it on"
            )
    return tuple(["" if output.lstrip("!") in absent else output for output in names])


def _refuse_surplus(values, name, role, used):
    for key in ("unit_id", "node", "unit", "rack", "inputs", "outputs", "setpoint_ms"):
        path = ("device", name, key)
        if key not in used and path in values.entries:
            refuse(
                values.file(*path),
                path,
                f"is not a key of a device with role {role} and this profile",
                ", ".join(("role", "profile", "bus", *filter(None, used))),
            )


def check(values, topology):
    """Refuse roles missing or twice, addresses twice, signals missing or twice."""
    _check_roles(values, topology)
    for bus in topology.buses:
        _check_addresses(values, bus, topology.on_bus(bus.name))
    _check_mapping(values, topology, "inputs", _inputs_needed(topology))
    absent = [name for each in topology.not_fitted for name in equipment.EVERY[each].outputs]
    _check_mapping(
        values, topology, "outputs", [name for name in OUTPUTS_ALWAYS if name not in absent]
    )


def _check_roles(values, topology):
    needed = [(role, -1) for role in (*ROLES_ALWAYS, *_roles_needed(topology))]
    needed += [("pcs", unit) for unit in range(topology.units)] + [
        ("bms", rack) for rack in range(topology.racks)
    ]
    for role, index in needed:
        if topology.device(role, index) is None:
            whose = {"pcs": f" and unit {index + 1}", "bms": f" and rack {index + 1}"}.get(role, "")
            names = [name for name in _of_role(role) if name not in topology.not_fitted]
            rows = [row for name in names for row in equipment.rows_of(name)]
            refuse(
                values.last_file,
                ("device",),
                f"no device with role {role}{whose}{_unarmed(rows)}",
                f"exactly one{_or_accepted(values, names)}",
                equipment=names,
            )
    _check_once(values, topology)


def _roles_needed(topology):
    """The first role of all equipment that is fitted, and the third I/O module where a contact
    needs it.
    """
    absent = [role for name in topology.not_fitted for role in equipment.EVERY[name].roles]
    roles = [
        one.roles[0]
        for one in equipment.EQUIPMENT.values()
        if one.roles and one.roles[0] not in absent
    ]
    third = set(schema.INPUT_NAMES["io_3"]) - set(_absent(topology.not_fitted))
    return roles + ["io_3"] * bool(third)


def _of_role(role):
    """Names of the equipment that stands or falls with a role; of the third I/O module, what is
    wired to it.
    """
    if role == "io_3":
        return [
            name
            for name, one in equipment.EQUIPMENT.items()
            if set(one.inputs) & set(schema.INPUT_NAMES[role])
        ]
    return [name for name, one in equipment.EQUIPMENT.items() if one.roles[:1] == (role,)]


def _unarmed(rows):
    """ ": row 9 (A35) would not be armed", or "" where no row needs what is missing."""
    return f": {equipment.with_clauses(sorted(set(rows)))} would not be armed" if rows else ""


def _or_accepted(values, names):
    """What a site may say instead, where its type allows that: ", or not_fitted.hvac and
    not_fitted.leak".
    """
    allowed = all(name in values.get("optional_equipment") for name in names)
    return (
        ", or " + " and ".join([f"not_fitted.{name}" for name in names])
        if names and allowed
        else ""
    )


def _check_once(values, topology):
    seen = {}
    for device in topology.devices:
        place = (device.role, device.index)
        if place in seen:
            not_allowed(
                values.file("device", device.name, "role"),
                ("device", device.name, "role"),
                device.role,
                f"once{' for each unit or rack' if device.index >= 0 else ''} "
                f"(device.{seen[place]} has it)",
            )
        seen[place] = device.name


def _check_addresses(values, bus, devices):
    if not devices:
        refuse(
            values.file("bus", bus.name, "kind"),
            ("bus", bus.name),
            "has no device",
            "a bus that a device names",
        )
    seen = {}
    for device in devices:
        key = ("device", device.name, _address_key(device.profile) or "bus")
        if device.address in seen:
            not_allowed(
                values.file(*key),
                key,
                values.get(*key),
                f"an address of its own on bus {bus.name} "
                f"(device.{seen[device.address]} has this one)",
            )
        if device.profile.family == "pylontech_bms" and len(devices) > 1:
            not_allowed(
                values.file(*key),
                key,
                values.get(*key),
                "a CAN bus of its own: its frames carry no address",
            )
        seen[device.address] = device.name


def _absent(not_fitted):
    """Contacts of equipment that is not fitted."""
    return [signal for name in not_fitted for signal in equipment.EVERY[name].inputs]


def _inputs_needed(topology):
    absent = _absent(topology.not_fitted)
    return [name for names in schema.INPUT_NAMES.values() for name in names if name not in absent]


def _check_mapping(values, topology, key, needed):
    """Every needed signal exactly once over the I/O modules; no signal twice."""
    mapped = [
        (name.lstrip("!"), device)
        for device in topology.devices
        for name in getattr(device, key)
        if name
    ]
    names = [name for name, _ in mapped]
    for name, device in mapped:
        if names.count(name) > 1:
            not_allowed(
                values.file("device", device.name, key),
                ("device", device.name, key),
                name,
                "each name once",
            )
    for name in needed:
        if name not in names:
            device = topology.device(_home(name, key))
            path = ("device", device.name, key)
            rows = equipment.rows_of_input(name) if key == "inputs" else ()
            refuse(
                values.file(*path),
                path,
                f"{shown(name)} is not mapped{_unarmed(rows)}",
                f"all {len(needed)} needed {key}, each "
                f"once{_or_accepted(values, equipment.of_signal(name)[:1])}",
                equipment=[name] if name in equipment.REQUIRED else equipment.of_signal(name)[:1],
            )


def _home(name, key):
    """Role of the module on which a signal must lie (inputs) or by custom lies (outputs)."""
    roles = [role for role, names in schema.INPUT_NAMES.items() if name in names]
    return roles[0] if key == "inputs" else "io_1"


def input_indexes(device):
    """Index into the cabinet's inputs of each of the module's contacts, -1 where it is spare."""
    names = [row[0] for row in signals.CABINET_INPUTS]
    return tuple([names.index(name) if name else -1 for name in device.inputs])
