"""Gathers the facts that `firebreak check --json` prints about a site file."""

from collections.abc import Callable

from controller.config import configuration, hma
from controller.config.cabinet_config import Config
from controller.documents import matrix_tables
from controller.documents.document import Facts
from safety import parameters


def of(path: str, open_hazards: Callable[[Config], list[str]]) -> Facts:
    """The facts: whether the file is accepted, what it lacks, what it configures. Raises
    ConfigError.
    """
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
