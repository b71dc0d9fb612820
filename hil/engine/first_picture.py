"""The picture of README.md: a hundred seconds of load, grid and battery.

`python -m hil.engine.first_picture` runs the example cabinet in virtual time and prints an SVG
file; `tests/hil/test_first_picture.py` compares the curves of the committed file with a new run.
"""

import numpy as np

from controller.config import configuration
from controller.documents.drawing import curves
from controller.sites import EXAMPLE
from hil.engine.simulate import VirtualRig
from hil.loads import selection
from hil.results.plot import COLOURS

BEGIN_s, END_s = 30.0, 130.0  # after a clean start, the limits need 30 s to rise fully
STEP_s = 0.2
SEED, SOC = 1, 0.55
NAMES = {"load": "load", "grid": "grid", "battery": "battery (above 0: discharging)"}


def rows() -> np.ndarray:
    """The rows of the run, one per tick (hil.results.recorder.SAMPLE)."""
    load = selection.load_of({"seed": SEED, "duration_s": END_s})
    rig = VirtualRig(configuration.load(EXAMPLE), load.power, SEED, (), {"soc": SOC})
    return rig.run(END_s).recorder.rows()


def picture(samples: np.ndarray) -> str:
    """The SVG file: means over STEP_s, kW."""
    return curves([(NAMES[name], COLOURS[name], points(samples, name)) for name in NAMES], "kW")


def points(samples: np.ndarray, name: str) -> list[tuple[float, float]]:
    """[(s, kW)] of a curve. Each point is the mean over a step."""
    from_s = samples["t_us"] / 1e6 - BEGIN_s
    steps = np.floor(from_s / STEP_s + 1e-6).astype(int)
    inside = (steps >= 0) & (steps < round((END_s - BEGIN_s) / STEP_s))
    sums = np.bincount(steps[inside], samples[f"{name}_W"][inside] / 1e3)
    counts = np.bincount(steps[inside])
    return [(step * STEP_s, mean) for step, mean in enumerate((sums / counts).tolist())]


if __name__ == "__main__":
    print(picture(rows()))
