"""Makes the header of a journal: limit images, names of the inputs and outputs, devices."""

from array import array
from typing import Any

from controller.config import approval, proof_plan, stage_states
from controller.config.cabinet_config import Config
from controller.config.devices import Device, key_of_address
from controller.core import functions
from controller.core.base.instances import stage_instances
from controller.core.base.setpoint import CHAIN_OUTPUTS
from controller.core.core import Core
from controller.core.image import own_names
from controller.core.site_devices.layout import trace_names
from controller.journal import replay
from controller.journal.writer import JournalWriter

Facts = dict[str, Any]
# times that a converter states; `test step` shows them beside the measured ones
STATED = "dead_time_ms", "ramp_ms"
JOURNAL_BYTES = 64 << 20  # about 150 bytes a tick: two and a half hours at 20 ms


def journal_header(config: Config, approved: bytes = b"") -> Facts:
    """The header: images for a replay, and names for a reader.

    approved: the limit image that was approved before this start.
    """
    layout = config.layout()
    inputs, outputs = replay.signal_names(layout)
    units = [f"unit_{unit}.setpoint_W" for unit in range(layout.units)]
    return {
        "schema": 1,
        "safety_image": array("i", config.safety_image),
        "approved": approved,
        "device_crcs": approval.devices(config),
        "control_image": array("i", config.control_image),
        "source_image": array("i", config.source_image),
        "site_image": array("i", config.site_image),
        "source_names": [source.name for source in config.sources],
        "input_names": inputs + own_names(config.units, config.site_devices),
        "output_names": outputs
        + list(CHAIN_OUTPUTS)
        + functions.output_names(len(config.sources))
        + trace_names(config.site_devices)
        + units,
        "stage_instances": stage_instances(layout),
        "names": dict(config.names),
        "not_fitted": dict(config.topology.not_fitted),
        "rows_not_fitted": stage_states.rows_not_fitted(config.topology),
        "proof_tests": proof_plan.plan(config),
        "proof_allowed_ms": proof_plan.allowed_ms(config),
        "chemistry": config.hma["chemistry"],
        "neighbours": dict(config.neighbours),
        **({"plan": config.site_plan.shown()} if config.site_plan else {}),
        "buses": [
            {"name": bus.name, "kind": bus.kind, "speed": bus.bitrate_bps or bus.baud_Bd}
            for bus in config.buses
        ],
        "devices": [_device(device) for device in config.devices],
        "places": _places(config),
    }


def _places(config: Config) -> dict[str, Facts]:
    """{device: its profile, its wiring, the proof tests that depend on it}, to replace a device."""
    tests = proof_plan.resting(config)
    return {
        device.name: {
            "profile": device.profile.path.name,
            "wiring": _wiring(config, device),
            "tests": tests[device.name],
        }
        for device in config.devices
    }


def _wiring(config: Config, device: Device) -> str:
    bus = next(bus for bus in config.buses if bus.name == device.bus)
    speed = f"{bus.bitrate_bps or bus.baud_Bd}"
    wirings = {
        "can": f"CAN {bus.channel}, {speed} bit/s",
        "rtu": f"RTU {bus.port}, {speed} Bd, {bus.characters}",
        "tcp": f"TCP {bus.address}",
    }
    key = key_of_address(device.profile)
    return f"bus {bus.name}, {wirings[bus.kind]}{f', {key} {device.address}' if key else ''}"


def _device(device: Device) -> Facts:
    fields = ("name", "role", "bus", "address", "index")
    meanings = device.profile.fault_bits.values()
    bits = {name: bit for table in meanings for name, bit in table.items()}
    settings = device.profile.settings
    facts: Facts = {name: getattr(device, name) for name in fields}
    facts |= {"fault_bits": bits, "identity": device.profile.tells}
    facts["stated"] = {key: settings[key] for key in STATED if key in settings}
    if device.role == "pcs" and not device.profile.shows_stop:
        facts["shows_stop"] = False
    return facts


def open_journal(
    path: str,
    config: Config,
    core: Core,
    capacity_bytes: int = JOURNAL_BYTES,
    approved: bytes = b"",
) -> JournalWriter:
    """Create a journal at `path` for this configuration and core. Raises OSError, JournalError."""
    header = journal_header(config, approved)
    return JournalWriter(path, header, replay.counts_of(core), capacity_bytes)
