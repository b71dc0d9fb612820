"""Checks over all devices: roles, addresses, contacts and coils that a cabinet needs."""

from controller.site import equipment, schema
from controller.site.devices import key_of_address, parts_absent
from controller.site.refusal import not_allowed, refuse, shown

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
    third = set(schema.INPUT_NAMES["io_3"]) - set(parts_absent(topology.not_fitted))
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
        key = ("device", device.name, key_of_address(device.profile) or "bus")
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


def _inputs_needed(topology):
    absent = parts_absent(topology.not_fitted)
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
