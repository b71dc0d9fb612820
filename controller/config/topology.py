"""Builds the structure of a cabinet from its merged configuration. It finds the racks, DC buses and
converters, and the devices with their buses.
"""

import collections
import itertools
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace

from controller.config import bus_schema, device_checks, devices as device_tables, hma
from controller.config.bus_schema import Bus
from controller.config.devices import Device, Topology
from controller.config.equipment import EQUIPMENT, OF_DEVICES
from controller.config.values import Values
from controller.core.site_devices.roles import ROLES
from controller.forms.acceptance_text import lacks_of_acceptance
from controller.forms.refusal import Path, not_allowed, shown

# Assumed speed of a network. A frame of 256 bytes then takes 2.6 ms. The times that a profile
# states come on top.
TCP_BAUD_BD = 1_000_000
ACCEPTED_WORDS = "who accepted it, when (YYYY-MM-DD) and why"


def build(values: Values, missing: Sequence[str] = ()) -> Topology:
    """Topology of the merged values. missing: equipment that counts as not fitted although nobody
    has accepted this. It is only for a report about a refused file.
    """
    units, racks = values.numbers("unit"), values.numbers("rack")
    dc_buses = _dc_buses(values, units)
    rack_units = _rack_units(values, racks, dc_buses)
    not_fitted = dict.fromkeys(missing, "") | _not_fitted(values)
    tables = values.tables("device")
    fitted = [name for name in tables if device_tables.fitted(values, name, not_fitted)]
    buses = tuple(_bus(values, name) for name in _bus_names(values, fitted))
    second_channel = values.get("cabinet", "second_channel") == "fitted"
    channel_b = _channel_b(values, second_channel)
    _check_wires(values, buses, channel_b)
    fitted_devices = [
        device_tables.read(values, name, buses, units, racks, not_fitted) for name in fitted
    ]
    devices = _numbered(fitted_devices)
    topology = Topology(
        units,
        racks,
        rack_units,
        dc_buses=dc_buses,
        forming=tuple(values.get("unit", str(unit), "can_form") for unit in range(1, units + 1)),
        buses=buses,
        # the module with the PCS enable comes first, so that its coils are written first
        devices=tuple(sorted(devices, key=lambda device: "pcs_enable_ok" not in device.outputs)),
        not_fitted=not_fitted,
        hma=hma.read(values, not_fitted),
        second_channel=second_channel,
        channel_b=channel_b,
    )
    device_checks.check(values, topology)
    return topology


def _numbered(devices: list[Device]) -> list[Device]:
    """The devices. Each site device gets an index among the devices of its role."""
    counts: dict[str, Iterator[int]] = collections.defaultdict(itertools.count)
    return [
        replace(device, index=next(counts[device.role])) if device.role in ROLES else device
        for device in devices
    ]


def _channel_b(values: Values, is_fitted: bool) -> Bus | None:
    """The Bus to channel B, or None. Without channel B its keys are refused."""
    if is_fitted:
        port, baud_Bd = values.need("channel_b", "port"), values.get("channel_b", "baud_Bd")
        return Bus("channel_b", "channel", port=port, baud_Bd=baud_Bd)
    for path in values.entries:
        if path[0] == "channel_b":
            problem = 'is set although cabinet.second_channel is "none"'
            values.refuse(path, problem, 'nothing, or second_channel = "fitted"')
    return None


def _dc_buses(values: Values, units: int) -> tuple[str, ...]:
    """Name of each unit's DC bus."""
    names: list[str] = []
    for unit in range(1, units + 1):
        path = ("unit", str(unit), "dc_bus")
        entry = values.needed(*path)
        if entry.value in names:
            not_allowed(entry.file, path, entry.value, "one PCS on a DC bus")
        names.append(entry.value)
    return tuple(names)


def _rack_units(values: Values, racks: int, dc_buses: tuple[str, ...]) -> tuple[int, ...]:
    """Unit of each rack. Refuses a unit without a rack."""
    rack_units = []
    for rack in range(1, racks + 1):
        path = ("rack", str(rack), "dc_bus")
        entry = values.needed(*path)
        if entry.value not in dc_buses:
            not_allowed(entry.file, path, entry.value, ", ".join(dc_buses), dc_buses)
        rack_units.append(dc_buses.index(entry.value))
    for unit, name in enumerate(dc_buses):
        if unit not in rack_units:
            path = ("unit", str(unit + 1), "dc_bus")
            values.refuse(path, f"{shown(name)} has no rack", "a DC bus that a rack names")
    return tuple(rack_units)


def _not_fitted(values: Values) -> dict[str, str]:
    """{equipment: acceptance that it is not fitted}."""
    optional = values.get("optional_equipment")
    accepted = {name: values.get("not_fitted", name) for name in EQUIPMENT}
    accepted = {name: who for name, who in accepted.items() if who is not None}
    for name, who in accepted.items():
        if name not in optional and name not in OF_DEVICES:
            allowed = ", ".join(optional) or "nothing (optional_equipment of the type is empty)"
            problem = "is not allowed: optional_equipment of the type does not name it"
            values.refuse(("not_fitted", name), problem, allowed)
        lacking = lacks_of_acceptance(who)
        if lacking:
            values.refuse(("not_fitted", name), lacking, ACCEPTED_WORDS)
    return accepted


def _bus_names(values: Values, fitted: list[str]) -> list[str]:
    """Names of the buses, without those of which no device is fitted. A bus that no device names
    stays in the list, because it is refused later.
    """
    bus_of = {name: values.get("device", name, "bus") for name in values.tables("device")}
    used = {bus_of[name] for name in fitted}
    return [name for name in values.tables("bus") if name in used or name not in bus_of.values()]


def _bus(values: Values, name: str) -> Bus:
    kind = values.need("bus", name, "kind")
    settings = {key: values.need("bus", name, key) for key in bus_schema.BUS_KEYS[kind]}
    values.check_no_more(("bus", name), f"a {kind} bus", ("kind", *settings, "characters"))
    if kind == "tcp":
        settings["baud_Bd"] = TCP_BAUD_BD
    form = bus_schema.CHANNELS.get(settings.get("interface", ""))
    if form and not form[0].fullmatch(settings["channel"]):
        values.not_allowed(("bus", name, "channel"), form[1])
    return Bus(name, kind, **settings, characters=values.get("bus", name, "characters"))


def _check_wires(values: Values, buses: tuple[Bus, ...], channel_b: Bus | None) -> None:
    """Require a separate wire for each bus and for channel B, because two masters on one wire would
    collide.
    """
    seen: dict[str, Bus] = {}
    wires: list[tuple[Bus, Path]] = [
        (bus, ("bus", bus.name, bus_schema.WIRE_KEYS[bus.kind])) for bus in buses
    ]
    if channel_b is not None:
        wires.append((channel_b, ("channel_b", "port")))
    for bus, key in wires:
        first_bus = seen.setdefault(_wire(bus), bus)
        if first_bus is not bus:
            allowed = f"a wire that no other bus uses (bus.{first_bus.name} uses this one)"
            values.not_allowed(key, allowed)


def _wire(bus: Bus) -> str:
    """The wire of a bus, as a path in normal form. Links are not followed, because a file may be
    checked on another machine.
    """
    path = bus.port or bus.address or bus.channel
    if path.startswith("/"):
        return os.path.normpath(f"/{path.lstrip('/')}")
    return f"{bus.interface}:{path}"
