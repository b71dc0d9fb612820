"""The controller's part of T12, a test of a GPU vendor's battery guide: gains, limits, times.

The converter's maker has the rest: the electric model and the impedance at the terminals.
"""

from typing import NamedTuple

from controller.config import track_path
from controller.config.cabinet_config import Config
from controller.core import parameters


class Gain(NamedTuple):
    """One number of the controller."""

    name: str
    value: float
    unit: str


def of_config(config: Config) -> list[Gain]:
    """The parameters of [control], and the typical time of each part of the load tracking path."""
    units = {row[0]: row[1] for row in parameters.CONTROL_PARAMETERS}
    gains = [Gain("tick_ms", config.tick_ms, "ms")]
    gains += [Gain(name, value, units[name]) for name, value in config.control.items()]
    parts = track_path.path_delay(config)
    return gains + [Gain(f"path: {part.what}", part.typical_us / 1000, "ms") for part in parts]
