"""Racks -> DC bus -> PCS, and the buses: the structure a configuration describes, resolved and
without gaps.

Everything here is about which things there are and how they hang together; whether the whole makes
sense (times, loads of buses, silence budgets) is in sense.py.
"""

import os
from dataclasses import dataclass

from controller.site import device_checks, hma, schema
from controller.site import devices as device_tables
from controller.site.acceptance_text import lacks_of_acceptance
from controller.site.refusal import not_allowed, refuse, shown

ACCEPTED_WORDS = "who accepted it, when (YYYY-MM-DD) and why"


@dataclass(frozen=True, slots=True)
class Bus:
    """One wire. kind "can": interface, channel, bitrate_bps; kind "rtu": port, baud_Bd,
    character_bits, characters.
    """

    name: str
    kind: str
    interface: str
    channel: str
    bitrate_bps: int
    port: str
    baud_Bd: int
    characters: str

    @property
    def character_bits(self):
        """Bits of one character on the wire, start and stop included."""
        return schema.CHARACTERS[self.characters]


@dataclass(frozen=True, slots=True)
class Topology:
    """units, racks: counts; rack_units: unit of each rack from 0; dc_buses: name of each unit's DC
    bus.

    not_fitted: {equipment: who accepted that, "" for nobody}; hma: {key of [hma]: value};
    second_channel: True where there is one; channel_b: the Bus that leads to it, or None.
    """

    units: int
    racks: int
    rack_units: tuple
    dc_buses: tuple
    buses: tuple
    devices: tuple
    not_fitted: dict
    hma: dict
    second_channel: bool
    channel_b: object

    def device(self, role, index=-1):
        """The device with this role (and unit or rack), or None."""
        for device in self.devices:
            if device.role == role and device.index == index:
                return device
        return None

    def on_bus(self, name):
        """Devices on the bus `name`."""
        return [device for device in self.devices if device.bus == name]

    def mapped(self, signal):
        """(device, bit) of an input signal, or None."""
        for device in self.devices:
            if signal in device.inputs:
                return device, device.inputs.index(signal)
        return None

    def driven(self, output):
        """The device that has this output, inverted or not, or None."""
        return next(
            (device for device in self.devices if {output, f"!{output}"} & set(device.outputs)),
            None,
        )


def build(values, missing=()):
    """Topology of the merged values. Raises ConfigError.

    missing: equipment that counts as not fitted although nobody accepted that, for a report about
    such a file.
    """
    units, racks = values.numbers("unit"), values.numbers("rack")
    dc_buses = _dc_buses(values, units)
    rack_units = tuple([_unit_of(values, rack, dc_buses) for rack in range(1, racks + 1)])
    for unit, name in enumerate(dc_buses):
        if unit not in rack_units:
            refuse(
                values.file("unit", str(unit + 1), "dc_bus"),
                ("unit", str(unit + 1), "dc_bus"),
                f"{shown(name)} has no rack",
                "a DC bus that a rack names",
            )
    not_fitted = dict.fromkeys(missing, "") | _not_fitted(values)
    fitted = [
        name for name in values.tables("device") if device_tables.fitted(values, name, not_fitted)
    ]
    buses = tuple([_bus(values, name) for name in _bus_names(values, fitted)])
    channel_b = _channel_b(values)
    _check_wires(values, buses, channel_b)
    devices = [device_tables.read(values, name, buses, units, racks, not_fitted) for name in fitted]
    # The module that drops the PCS enable comes first: its coils are written before those of any
    # other.
    devices = tuple(sorted(devices, key=lambda device: "pcs_enable_ok" not in device.outputs))
    topology = Topology(
        units,
        racks,
        rack_units,
        dc_buses,
        buses,
        devices,
        not_fitted,
        hma.read(values, not_fitted),
        values.get("cabinet", "second_channel") == "fitted",
        channel_b,
    )
    device_checks.check(values, topology)
    return topology


def _channel_b(values):
    """Its Bus where a second channel is fitted, else None; what is said of one that is not there is
    refused.
    """
    fitted = values.get("cabinet", "second_channel") == "fitted"
    for key in ("port", "baud_Bd"):
        path = ("channel_b", key)
        if not fitted and path in values.entries:
            refuse(
                values.file(*path),
                path,
                'is said although cabinet.second_channel is "none"',
                'nothing, or second_channel = "fitted"',
            )
    if not fitted:
        return None
    return Bus(
        "channel_b",
        "channel",
        "",
        "",
        0,
        values.need("channel_b", "port"),
        values.get("channel_b", "baud_Bd"),
        "8N1",
    )


def _dc_buses(values, units):
    names = []
    for unit in range(1, units + 1):
        entry = values.numbered("unit", str(unit), "dc_bus") or values.need(
            "unit", str(unit), "dc_bus"
        )
        if entry.value in names:
            not_allowed(
                entry.file, ("unit", str(unit), "dc_bus"), entry.value, "one PCS on a DC bus"
            )
        names.append(entry.value)
    return tuple(names)


def _unit_of(values, rack, dc_buses):
    entry = values.numbered("rack", str(rack), "dc_bus") or values.need("rack", str(rack), "dc_bus")
    if entry.value not in dc_buses:
        not_allowed(
            entry.file, ("rack", str(rack), "dc_bus"), entry.value, ", ".join(dc_buses), dc_buses
        )
    return dc_buses.index(entry.value)


def _not_fitted(values):
    optional = values.get("optional_equipment")
    accepted = {}
    for name in schema.EQUIPMENT:
        entry = values.entry("not_fitted", name)
        if entry is None:
            continue
        if name not in optional:
            refuse(
                entry.file,
                ("not_fitted", name),
                "is not allowed: this type of cabinet needs it",
                ", ".join(optional) or "nothing (optional_equipment of the type is empty)",
            )
        lacking = lacks_of_acceptance(entry.value)
        if lacking:
            refuse(entry.file, ("not_fitted", name), lacking, ACCEPTED_WORDS)
        accepted[name] = entry.value
    return accepted


def _bus_names(values, fitted):
    """All buses but those whose devices are all not fitted."""
    used = {values.get("device", name, "bus") for name in fitted}
    absent = {
        values.get("device", name, "bus") for name in values.tables("device") if name not in fitted
    }
    return [name for name in values.tables("bus") if name in used or name not in absent]


def _bus(values, name):
    kind = values.need("bus", name, "kind")
    for key in schema.BUS_KEYS[kind]:
        values.need("bus", name, key)
    for other, keys in schema.BUS_KEYS.items():
        for key in keys if other != kind else ():
            if ("bus", name, key) in values.entries:
                refuse(
                    values.file("bus", name, key),
                    ("bus", name, key),
                    f"is not a key of a {kind} bus",
                    ", ".join(schema.BUS_KEYS[kind]),
                )
    take = [
        values.get("bus", name, key)
        for key in ("interface", "channel", "bitrate_bps", "port", "baud_Bd")
    ]
    interface, channel, bitrate_bps, port, baud_Bd = take
    return Bus(
        name,
        kind,
        interface or "",
        channel or "",
        bitrate_bps or 0,
        port or "",
        baud_Bd or 0,
        values.get("bus", name, "characters"),
    )


def _check_wires(values, buses, channel_b):
    """Two buses on one wire would be two masters on it; the second channel would talk among
    them.
    """
    seen = {}
    wires = [(bus, ("bus", bus.name, "port" if bus.port else "channel")) for bus in buses]
    for bus, key in [*wires, *[(channel_b, ("channel_b", "port"))] * (channel_b is not None)]:
        wire = _wire(bus)
        if wire in seen:
            not_allowed(
                values.file(*key),
                key,
                values.get(*key),
                f"a wire of its own (bus.{seen[wire]} has this one)",
            )
        seen[wire] = bus.name


def _wire(bus):
    """What two buses on one wire have in common, however a path to it is spelt; "//" in front means
    no more than "/".

    Of the text alone: where a link leads only the box knows, and a file is checked anywhere.
    """
    path = bus.port or bus.channel
    return (
        os.path.normpath(f"/{path.lstrip('/')}")
        if path.startswith("/")
        else f"{bus.interface}:{path}"
    )
