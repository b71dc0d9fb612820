"""The paths from a change of the load to the battery's answer that the campaign simulates.

The times of a path are those of meter, controller and converter.
"""

import argparse
from typing import NamedTuple

TICK_MS = 20


class Path(NamedTuple):
    """A path. Its times add up to the path delay."""

    name: str
    sample_ms: int  # window of the meter
    dead_ms: int  # time until the converter acts
    lag_ms: int  # time constant of the converter

    @property
    def delay_ms(self) -> int:
        """Delay from the middle of the meter's window to the mean action of the battery."""
        return self.sample_ms + self.dead_ms + self.lag_ms

    @property
    def sample_ticks(self) -> int:
        """Ticks from one value of the meter to the next."""
        return self.sample_ms // TICK_MS

    @property
    def dead_ticks(self) -> int:
        """Whole ticks of the dead time; the simulator interpolates the rest."""
        return self.dead_ms // TICK_MS


# A name is the delay in ms. "100f" has the meter of 20 ms that the example cabinet uses.
PATHS = {
    path.name: path
    for path in (
        Path("50", 20, 20, 10),
        Path("55", 20, 20, 15),
        Path("60", 20, 20, 20),
        Path("100", 40, 40, 20),
        Path("100f", 20, 60, 20),
        Path("170", 100, 40, 30),
        Path("250", 100, 100, 50),
        Path("500", 100, 340, 60),
    )
}


def paths(text: str) -> tuple[str, ...]:
    """Names of PATHS, separated by commas: the type of an option."""
    names = tuple(text.split(","))
    wrong = [name for name in names if name not in PATHS]
    if wrong:
        raise argparse.ArgumentTypeError(f"{wrong[0]}: allowed are {', '.join(PATHS)}")
    return names
