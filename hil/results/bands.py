"""Computes the RMS power of a run's load, grid and battery in several frequency bands.

The bands are those of `firebreak status`. The powers are the true ones of the plant. Results are
means over windows of a minute that overlap by half.
"""

import numpy as np

from controller.state import bands

STEP_S = 0.02
WINDOW_STEPS = round(bands.WINDOW_MS / 1000 / STEP_S)


def of_run(rows: np.ndarray, sample_ms: int) -> dict:
    """Bands in the form of controller.state.bands.Samples.facts. sample_ms: time between two values
    of the load meter.
    """
    t_s = rows["t_us"] / 1e6
    even_s = np.arange(t_s[0], t_s[-1], STEP_S) if len(rows) else np.empty(0)
    facts: dict = {"window_s": bands.WINDOW_MS // 1000}
    for name in bands.SERIES:
        if len(even_s) < 2:
            facts[name] = bands.none_of("0 s of samples")
            continue
        powers = _powers(np.interp(even_s, t_s, rows[f"{name}_W"]))
        sample_s = max(sample_ms / 1000, STEP_S)
        facts[name] = bands.in_bands(powers.tolist(), STEP_S, len(even_s) * STEP_S, sample_s)
    return facts


def _powers(values_W: np.ndarray) -> np.ndarray:
    """Mean square per frequency, as in spectrum.powers, averaged over the windows."""
    count = min(len(values_W), WINDOW_STEPS) // 2 * 2
    window = np.hanning(count + 2)[1:-1]
    windows = np.lib.stride_tricks.sliding_window_view(values_W, count)[:: max(1, count // 2)]
    means_W = windows @ window / window.sum()
    spectrum = np.fft.rfft((windows - means_W[:, None]) * window)
    return (np.abs(spectrum) ** 2).mean(axis=0) * 2 / (count * (window**2).sum())
