"""Checks all devices of a cabinet together: their roles, their addresses, and the contacts and
coils of the I/O modules.
"""

from collections.abc import Iterable

from controller.config import equipment, schema
from controller.config.bus_schema import Bus
from controller.config.devices import Device, Topology, key_of_address, parts_absent
from controller.config.values import Values
from controller.forms.refusal import Path, not_allowed, shown

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


def check(values: Values, topology: Topology) -> None:
    """Refuse a role, address or signal that is used twice, and a missing role or signal."""
    _check_roles(values, topology)
    for bus in topology.buses:
        _check_addresses(values, bus, topology.on_bus(bus.name))
    _check_mapping(values, topology, "inputs", _inputs_needed(topology))
    absent = parts_absent(topology.not_fitted, "outputs")
    outputs = [name for name in OUTPUTS_ALWAYS if name not in absent]
    _check_mapping(values, topology, "outputs", outputs)


def _check_roles(values: Values, topology: Topology) -> None:
    needed = [(role, -1, "") for role in (*ROLES_ALWAYS, *_roles_needed(topology))]
    for role, kind, count in (("pcs", "unit", topology.units), ("bms", "rack", topology.racks)):
        needed += [(role, index, f" and {kind} {index + 1}") for index in range(count)]
    for role, index, scope in needed:
        if topology.device(role, index) is None:
            names = [name for name in _of_role(role) if name not in topology.not_fitted]
            rows = [row for name in names for row in equipment.rows_of(name)]
            problem = f"no device with role {role}{scope}{_unarmed(rows)}"
            allowed = f"exactly one{_or_accepted(values, names)}"
            values.refuse(("device",), problem, allowed, equipment=names)
    _check_once(values, topology)


def _roles_needed(topology: Topology) -> list[str]:
    """The first role of each fitted equipment, and the third I/O module if a contact needs it."""
    absent = parts_absent(topology.not_fitted, "roles")
    roles = [piece.roles[0] for piece in equipment.EQUIPMENT.values() if piece.roles]
    roles = [role for role in roles if role not in absent]
    io_3_inputs = set(schema.INPUT_NAMES["io_3"]) & set(_inputs_needed(topology))
    return roles + (["io_3"] if io_3_inputs else [])


def _of_role(role: str) -> list[str]:
    """The equipment that needs a device of this role, or that is wired to the third I/O module."""
    pieces, io_3_inputs = equipment.EQUIPMENT.items(), set(schema.INPUT_NAMES["io_3"])
    if role == "io_3":
        return [name for name, piece in pieces if io_3_inputs & set(piece.inputs)]
    return [name for name, piece in pieces if piece.roles[:1] == (role,)]


def _unarmed(rows: Iterable[int]) -> str:
    """ ": row 9 (draft of ...) would not be armed", or "" without rows."""
    return f": {equipment.with_clauses(sorted(set(rows)))} would not be armed" if rows else ""


def _or_accepted(values: Values, names: list[str]) -> str:
    """Words about what a person may accept instead, such as ", or not_fitted.hvac". "" if the type
    does not allow this.
    """
    allowed = set(names) <= set(values.get("optional_equipment"))
    acceptances = " and ".join(f"not_fitted.{name}" for name in names)
    return f", or {acceptances}" if names and allowed else ""


def _check_once(values: Values, topology: Topology) -> None:
    seen: dict[tuple[str, int], Device] = {}
    for device in topology.devices:
        first = seen.setdefault((device.role, device.index), device)
        if first is not device:
            where = " for each unit or rack" if device.index >= 0 else ""
            allowed = f"one device with this role{where} (device.{first.name} has it)"
            values.not_allowed(("device", device.name, "role"), allowed)


def _check_addresses(values: Values, bus: Bus, devices: list[Device]) -> None:
    if not devices:
        values.refuse(("bus", bus.name), "has no device", "a bus that a device names")
    seen: dict[int, Device] = {}
    for device in devices:
        key = ("device", device.name, key_of_address(device.profile) or "bus")
        first = seen.setdefault(device.address, device)
        if first is not device:
            allowed = f"no other device on bus {bus.name} has (device.{first.name} has this one)"
            values.not_allowed(key, f"an address that {allowed}")
        if not key_of_address(device.profile) and len(devices) > 1:
            values.not_allowed(key, "a CAN bus without other devices: its frames carry no address")


def _inputs_needed(topology: Topology) -> list[str]:
    absent = [*parts_absent(topology.not_fitted, "inputs"), *equipment.OPTIONAL]
    return [name for names in schema.INPUT_NAMES.values() for name in names if name not in absent]


def _check_mapping(values: Values, topology: Topology, key: str, needed: list[str]) -> None:
    """Refuse a needed signal without a contact or coil, and a signal that has two of them."""
    mapped: list[tuple[str, Path]] = [
        (name.lstrip("!"), ("device", device.name, key))
        for device in topology.devices
        for name in getattr(device, key)
        if name
    ]
    names = [name for name, _ in mapped]
    for name, path in mapped:
        if names.count(name) > 1:
            not_allowed(values.file(*path), path, name, "each name once")
    for name in [name for name in needed if name not in names]:
        module_roles = [role for role, inputs in schema.INPUT_NAMES.items() if name in inputs]
        # An input has one module. A missing output is reported at the first of its modules.
        module = topology.device(module_roles[0] if module_roles else "io_1")
        equipment_names = equipment.of_signal(name)[:1]
        unarmed = _unarmed(equipment.rows_of_input(name)) if key == "inputs" else ""
        values.refuse(
            ("device", module.name if module else "", key),
            f"{shown(name)} is not mapped{unarmed}",
            f"all {len(needed)} needed {key}, each once{_or_accepted(values, equipment_names)}",
            equipment=[name] if name in equipment.REQUIRED else equipment_names,
        )
