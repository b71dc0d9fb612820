"""Makes the document `firebreak document wiring`. It shows the terminals of the I/O modules, the
contacts of the hard-wired chain, and the buses.

The page has only what the configuration and safety/README.md state. Everything else, such as types
of relays and the place of terminators, is in the drawings of the cabinet's manufacturer.
"""

from controller.config import equipment, time_chain, wired
from controller.config.bus_schema import Bus
from controller.config.cabinet_config import Config
from controller.config.devices import Device
from controller.documents.document import (
    Blocks,
    Columns,
    Facts,
    Heading,
    Table,
    Text,
    section,
    table,
)
from controller.rows import records

# {output: (effect while its coil is energised, effect while it is released)}
OUTPUTS = {
    "pcs_enable_ok": ("PCS enabled", "PCS stopped"),
    "contactor_supply_ok": ("contactors may close", "contactors open"),
    "fan_on": ("fan on", "fan off"),
    "horn_on": ("horn on", "horn off"),
    "lamp_on": ("amber lamp on", "amber lamp off"),
    "red_lamp_on": ("red lamp on", "red lamp off"),
    "supervisory_ok": ("supervisory contact of the panel well", "supervisory contact at fault"),
    "pre_alarm_on": ("pre-alarm to the fire panel", "no pre-alarm"),
    "shunt_trip_on": ("trip of the breaker upstream (energise to trip)", "no trip"),
    "aux_load_ok": ("auxiliary loads fed", "auxiliary loads off"),
}
# {contact: when it is closed}. Every other contact is closed while all is well.
CLOSES = {
    "key_run_ok": "in RUN",
    "permit_1_closed": "while the relay is on",
    "permit_2_closed": "while the relay is on",
    "key_service_closed": "out of RUN",
    "source_code": "off the grid; without a transfer switch it stays open",
}
# {contact: the part with this contact}. These contacts belong to no equipment of equipment.py and
# to no row of the cause-and-effect matrix.
UNWATCHED = {
    "permit_1_closed": "permit relay of the PCS enable",
    "permit_2_closed": "permit relay of the contactor supply",
    "source_code": "transfer switch",
}
KEY = {"key_run_ok": "key switch"}
WELL = "while all is well"
CHAIN = (
    "Contacts in series with PCS enable and contactor supply. The permit relays of both outputs "
    "and the contacts of these rows are in it. The order within the chain is the maker's. The "
    "times are assumed ones: firebreak document times."
)
LEFT_OUT = (
    "Not stated by configuration or documents, so not here: types of relays and contactors, cross "
    "sections, fuses, terminators of RS-485 and CAN, pins. Take them from the drawings."
)


def facts(config: Config) -> Facts:
    """The wiring of a cabinet as plain data."""
    channel_b = config.channel_b
    return {
        "cabinet": config.names[-1][1],
        "modules": [
            _module(device) for device in config.devices if device.inputs or device.outputs
        ],
        "chain": [_contact(config, row) for row in wired.rows(config) if row != wired.EXPIRY],
        "channel_b": channel_b and {"port": channel_b.port, "baud_Bd": channel_b.baud_Bd},
        "permit_expiry_ms": config.cabinet["permit_expiry_ms"],
        "enable_expired_ms": wired.enable_ms(config, wired.EXPIRY),
        "supply_expired_ms": wired.supply_ms(config, wired.EXPIRY),
        "opening_ms": time_chain.OPENING_MS,
        "buses": [_bus(config, bus) for bus in config.buses],
    }


def _module(device: Device) -> Facts:
    inputs = [_input(terminal, name) for terminal, name in enumerate(device.inputs, 1)]
    outputs = [_output(terminal, name) for terminal, name in enumerate(device.outputs, 1)]
    where = {"bus": device.bus, "unit_id": device.address, "profile": device.profile.path.stem}
    return {"device": device.name, **where, "inputs": inputs, "outputs": outputs}


def _input(terminal: int, name: str) -> Facts:
    if not name:
        return {"terminal": terminal, "signal": "", "what": "", "closed": "", "rows": []}
    return {
        "terminal": terminal,
        "signal": name,
        "what": _what(name),
        "closed": CLOSES.get(name, WELL),
        "rows": [] if name in UNWATCHED else list(equipment.rows_of_input(name)),
    }


def _what(name: str) -> str:
    """The name of the part with this contact: a piece of equipment, or the words of the first row
    feature that reads the contact.
    """
    fitted = equipment.of_signal(name)
    if fitted:
        return equipment.EQUIPMENT[fitted[0]].text
    watching = [feature.words for feature in records.FEATURES.values() if name in feature.contacts]
    return UNWATCHED.get(name) or KEY.get(name) or watching[0].removesuffix(" open")


def _output(terminal: int, name: str) -> Facts:
    if not name:
        return {"terminal": terminal, "signal": "", "energised": "", "released": ""}
    on, off = OUTPUTS[name.removeprefix("!")]
    energised, released = (off, on) if name.startswith("!") else (on, off)
    return {"terminal": terminal, "signal": name, "energised": energised, "released": released}


def _contact(config: Config, row: int) -> Facts:
    return {
        "row": row,
        "what": records.ROWS[row].what,
        "enable_latest_ms": wired.enable_ms(config, row),
        "supply_latest_ms": wired.supply_ms(config, row),
    }


def _bus(config: Config, bus: Bus) -> Facts:
    lines: dict[str, Facts] = {
        "rtu": {"place": bus.port, "baud_Bd": bus.baud_Bd, "characters": bus.characters},
        "tcp": {"place": bus.address},
        "can": {"place": f"{bus.interface} {bus.channel}", "bitrate_bps": bus.bitrate_bps},
    }
    return {
        "bus": bus.name,
        "kind": bus.kind,
        **lines[bus.kind],
        "devices": [
            {"device": device.name, "address": device.address, "profile": device.profile.path.stem}
            for device in config.topology.on_bus(bus.name)
        ],
    }


def blocks(wiring: Facts) -> Blocks:
    """The page."""
    modules = [block for module in wiring["modules"] for block in _module_blocks(module)]
    rows: Columns = {
        "row": lambda contact: f"row {contact['row']}",
        "what": "what",
        "until": lambda contact: (
            f"PCS enable off within {contact['enable_latest_ms']} ms, "
            f"contactors open within {contact['supply_latest_ms']} ms"
        ),
    }
    return [
        Heading(1, f"Wiring: {wiring['cabinet']}"),
        *modules,
        *section("Hard-wired chain", table(wiring["chain"], rows), CHAIN),
        *section("What drops, in this order", Table((), _order(wiring))),
        *[block for bus in wiring["buses"] for block in _bus_blocks(bus)],
        *_channel_b(wiring),
        Text(LEFT_OUT),
    ]


def _module_blocks(module: Facts) -> Blocks:
    where = f"bus {module['bus']}, unit {module['unit_id']}, {module['profile']}"
    inputs = {"terminal": lambda contact: f"  in  {contact['terminal']}", "contact": _input_words}
    outputs = {"terminal": lambda output: f"  out {output['terminal']}", "coil": _output_words}
    return [
        Heading(2, f"{module['device']} ({where})"),
        table(module["inputs"], inputs),
        table(module["outputs"], outputs),
    ]


def _input_words(terminal: Facts) -> str:
    if not terminal["signal"]:
        return "spare"
    rows = f" (row {', '.join(map(str, terminal['rows']))})" if terminal["rows"] else ""
    return f"{terminal['signal']}: {terminal['what']}; closed {terminal['closed']}{rows}"


def _output_words(output: Facts) -> str:
    if not output["signal"]:
        return "spare"
    return f"{output['signal']}: energised: {output['energised']}; released: {output['released']}"


def _order(wiring: Facts) -> list[tuple[str, str]]:
    supply_ms = wiring["opening_ms"]
    expiry, enable_ms = wiring["permit_expiry_ms"], wiring["enable_expired_ms"]
    return [
        ("  1 PCS enable", "at once, when a contact of the chain or a permit relay opens"),
        ("  2 contactor supply", "after the off-delay relay: 200 ms, set at commissioning"),
        ("  3 contactors", f"open {supply_ms} ms after the PCS enable at the latest (assumed)"),
        (
            "  controller dead",
            f"outputs expire after {expiry} ms: PCS enable off within {enable_ms} ms, contactors "
            f"open within {wiring['supply_expired_ms']} ms",
        ),
    ]


def _bus_blocks(bus: Facts) -> Blocks:
    speed, word = "Modbus TCP", "unit"
    if bus["kind"] == "rtu":
        speed = f"RS-485, Modbus RTU, {bus['baud_Bd']} Bd, {bus['characters']}"
    elif bus["kind"] == "can":
        speed, word = f"CAN, {bus['bitrate_bps']} bit/s", "node"
    columns: Columns = {
        "device": lambda device: f"  {device['device']}",
        "address": lambda device: f"{word} {device['address'] or '-'}",
        "profile": "profile",
    }
    title = f"Bus {bus['bus']}: {speed}"
    return section(title, table(bus["devices"], columns), f"At {bus['place']}.")


def _channel_b(wiring: Facts) -> Blocks:
    fitted = wiring["channel_b"]
    if not fitted:
        return []
    sentence = (
        f"At {fitted['port']}, {fitted['baud_Bd']} Bd. Its permit relay is before the off-delay."
    )
    return [Heading(2, "Channel B"), Text(sentence)]
