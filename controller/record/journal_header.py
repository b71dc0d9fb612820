"""What a journal of this program says of itself: images, names of its words, devices; and the core
made of it.
"""

from array import array

from controller.core.core import Core
from controller.core.image import own_names
from controller.core.policies import hint_table
from controller.core.setpoint import CHAIN_OUTPUTS
from controller.record import replay
from controller.record.journal_writer import JournalWriter
from controller.site import limit_images, proof_plan
from safety import matrix
from safety import signals as s

JOURNAL_BYTES = 64 << 20  # at about 150 bytes a tick: the last two and a half hours


def stage_instances(layout):
    """Name of every stage instance in the kernel's order: "29.rack2", "41a.unit1", "1a" in the
    cabinet.
    """
    names = []
    for scope, name, count in (
        (s.CABINET, "", 1),
        (s.UNIT, ".unit", layout.units),
        (s.RACK, ".rack", layout.racks),
    ):
        for number in range(1, count + 1):
            names += [
                stage[matrix.S_ID] + (name and f"{name}{number}")
                for stage in matrix.STAGES
                if stage[matrix.S_SCOPE] == scope
            ]
    return names


def journal_header(config):
    """What a replay needs and a reader wants to name: images and signal names."""
    layout = config.layout()
    inputs, outputs = replay.signal_names(layout)
    units = [f"unit_{unit}.setpoint_W" for unit in range(layout.units)]
    return {
        "schema": 1,
        "safety_image": array("i", config.safety_image),
        "control_image": array("i", config.control_image),
        "source_image": array("i", config.source_image),
        "source_names": [source.name for source in config.sources],
        "input_names": inputs + own_names(config.units),
        "output_names": outputs
        + list(CHAIN_OUTPUTS)
        + hint_table.output_names(len(config.sources))
        + units,
        "stage_instances": stage_instances(layout),
        "names": dict(config.names),
        "not_fitted": dict(config.topology.not_fitted),
        "rows_not_fitted": limit_images.rows_not_fitted(config.topology),
        "proof_tests": proof_plan.plan(config),
        "proof_allowed_ms": proof_plan.allowed_ms(config),
        "chemistry": config.hma["chemistry"],
        "neighbours": dict(config.neighbours),
        "buses": [
            {"name": bus.name, "kind": bus.kind, "speed": bus.bitrate_bps or bus.baud_Bd}
            for bus in config.buses
        ],
        "devices": [
            {
                "name": device.name,
                "role": device.role,
                "bus": device.bus,
                "address": device.address,
                "index": device.index,
            }
            for device in config.devices
        ],
    }


def open_journal(path, config, core, capacity_bytes=JOURNAL_BYTES):
    """A new JournalWriter at `path` for this configuration and core. Raises OSError,
    JournalError.
    """
    return JournalWriter(
        path,
        journal_header(config),
        len(core.inp),
        len(core.fresh),
        len(core.out),
        len(core.state_words()),
        capacity_bytes,
    )


def core_of(header):
    """Core of a journal header: the factory replay asks for. Raises ValueError when the header is
    another version's.
    """
    core = Core(
        header["safety_image"], header["control_image"], header.get("source_image", array("i"))
    )
    if (
        len(header["input_names"]) != len(core.inp)
        or len(header["output_names"]) != core.standing_at
    ):
        raise ValueError("its ticks have other inputs or outputs")
    return core
