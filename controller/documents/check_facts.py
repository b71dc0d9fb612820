"""Gathers the facts that `firebreak check --json` prints about a site file."""

from controller.config import configuration, hma
from controller.config.cabinet_config import Config
from controller.documents import matrix_tables
from controller.documents.document import Facts
from safety import parameters


def of(path: str) -> Facts:
    """The facts of the site file at this path. A refused file has only the reasons."""
    refused = configuration.refusals(path)
    if refused:
        return {"file": path, "is_accepted": False, "refused": refused}
    config, doubts = configuration.with_doubts(path)
    lacking = config.topology.not_fitted
    return {
        "file": path,
        "is_accepted": True,
        "refused": [],
        "doubts": list(doubts),
        "placeholders": hma.placeholder_lines(config.hma, lacking),
        "dated_ahead": hma.ahead_lines(config.hma, lacking, matrix_tables.today()),
        "layers": [{"layer": layer, "name": name} for layer, name in config.names],
        "limits_words": len(config.safety_image),
        "limits_crc": f"{parameters.image_crc(config.safety_image):08X}",
        "tick_ms": config.tick_ms,
        "units": config.units,
        "devices": [
            {
                "device": device.name,
                "role": device.role,
                "profile": device.profile.path.stem,
                "bus": device.bus,
            }
            for device in config.devices
        ],
        "not_fitted": lacking,
        "open_hazards": open_hazards(config),
    }


def open_hazards(config: Config) -> list[str]:
    """Hazards that the hazard log leaves open for a cabinet with this configuration."""
    hazards = []
    if config.channel_b is None:
        hazards.append(
            "H6: without channel B the controller cannot detect that an older store was put back: "
            "later latches and lock-outs are then lost"
        )
    if not config.cabinet["close_command_fitted"]:
        hazards.append(
            "H41: the BMS closes the contactors as soon as it has its supply, so no start tests "
            "that the permits expire; test it by hand, with the controller off (row 44)"
        )
    return hazards
