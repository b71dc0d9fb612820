"""Records with one violation of known size and place. No code of the rules: closed forms alone."""

import math
from typing import NamedTuple

import numpy as np

from controller.audit.samples import Piece

BASE_MW = 80.0
ONE_SAMPLE = 1.001


class Given:
    """A record of these arrays, in pieces."""

    path, begin_utc_s, meter_s = "given", None, 0.0

    def __init__(self, times_s, values, count):
        self.times_s, self.values, self._count = times_s, values, count

    def pieces(self):
        for first in range(0, len(self.times_s), self._count):
            part = slice(first, first + self._count)
            yield Piece(self.times_s[part], {key: v[part] for key, v in self.values.items()})


class Planted(NamedTuple):
    """columns: by name, powers in W; value: in the unit of the rule; at_s within near_s."""

    times_s: np.ndarray
    columns: dict
    value: float
    at_s: float
    near_s: float


def _times(length_s, step_s):
    return np.arange(round(length_s / step_s) + 1) * step_s


def _lines(times_s, *corners):
    """Straight lines between (time, MW), as W."""
    return 1e6 * np.interp(times_s, *zip(*corners))


def change(rng, size, window_s, step_s=0.02):
    """A ramp of this height, shorter than the window. Its way back is too slow for any window."""
    begin_s = step_s * rng.integers(round(window_s / step_s), round(2 * window_s / step_s))
    rise_s = step_s * rng.integers(1, round(0.9 * window_s / step_s))
    top_s = begin_s + rise_s
    times_s = _times(top_s + 12 * window_s, step_s)
    sign = rng.choice((-1, 1))
    level = BASE_MW + sign * size
    back_s = top_s + 1.5 * window_s
    corners = (begin_s, BASE_MW), (top_s, level), (back_s, level), (times_s[-1], BASE_MW)
    return Planted(times_s, {"load_W": _lines(times_s, *corners)}, size, top_s, ONE_SAMPLE * step_s)


def through_band(rng, size, low_Hz, high_Hz, step_s, poles=1):
    """A ramp whose answer behind one pole at each edge, or two at the lower one, has this range.

    Laplace: a ramp through s T1 / ((1 + s T1) (1 + s T2)) is
    T1 (1 - (T1 exp(-t / T1) - T2 exp(-t / T2)) / (T1 - T2)),
    through Butterworth's s^2 / (s^2 + 2 a s + 2 a^2) it is exp(-a t) sin(a t) / a.
    """
    slow_s = 1 / (2 * math.pi * low_Hz)
    quick_s = 1 / (2 * math.pi * high_Hz) if high_Hz else 0.0

    def answer(after_s):
        after_s = np.maximum(after_s, 0.0)
        if poles == 2:
            a_per_s = math.sqrt(2) * math.pi * low_Hz
            return np.exp(-a_per_s * after_s) * np.sin(a_per_s * after_s) / a_per_s
        quick = quick_s * np.exp(-after_s / quick_s) if quick_s else 0.0
        return slow_s * (1 - (slow_s * np.exp(-after_s / slow_s) - quick) / (slow_s - quick_s))

    begin_s = 1 / low_Hz + step_s * rng.integers(200, 900)
    rise_s = step_s * rng.integers(1, max(2, round(min(4.0, slow_s) / step_s)))
    top_s = begin_s + rise_s
    length_s = top_s + 60 * max(slow_s, 0.3)
    times_s = _times(length_s, step_s)
    seen = answer(times_s - begin_s) - answer(times_s - top_s)
    height = size * rise_s / (seen.max() - seen.min())
    corners = (begin_s, BASE_MW), (top_s, BASE_MW + height)
    columns = {"load_W": _lines(times_s, *corners)}
    extremes = float(times_s[max(seen.argmax(), seen.argmin())])
    return Planted(times_s, columns, size, extremes, ONE_SAMPLE * step_s)


def slope(rng, size, window_s, per_s, step_s=0.02, base_MW=BASE_MW):
    """A ramp exactly as long as the window; back at a quarter of it. size below 0: a way down."""
    steps = round(window_s / step_s)
    begin_s = step_s * rng.integers(steps, 2 * steps)
    top_s, height = begin_s + window_s, size * window_s / per_s
    times_s = _times(top_s + 6 * window_s, step_s)
    corners = (
        (begin_s, base_MW),
        (top_s, base_MW + height),
        (top_s + window_s, base_MW + height),
        (top_s + 5.5 * window_s, base_MW),
    )
    columns = {"load_W": _lines(times_s, *corners)}
    return Planted(times_s, columns, abs(size), top_s, ONE_SAMPLE * step_s)


def relative_slope(rng, percent, window_s=1.0, step_s=0.02):
    """A slope of so many percent of the peak in a window; below 0: down from it."""
    share = percent / 100
    rise = BASE_MW * (share / (1 - share) if share > 0 else share)
    return slope(rng, rise, window_s, window_s, step_s)


def usual_slope(rng, size, share=0.26, window_s=60.0, step_s=0.5):
    """This slope per window over a share of all windows; else the power is level."""
    windows_s = 1000 * step_s * 4
    begin_s, length_s = 2 * window_s, share * windows_s + window_s
    times_s = _times(windows_s + window_s, step_s)
    end_s = begin_s + length_s
    corners = (begin_s, BASE_MW), (end_s, BASE_MW + size * length_s / window_s)
    middle_s = begin_s + length_s / 2
    return Planted(times_s, {"load_W": _lines(times_s, *corners)}, size, middle_s, length_s)


def tone(rng, size, step_s=0.02):
    """A sine of this amplitude for at least two windows of 60 s; a small other one all the time."""
    times_s = _times(420, step_s)
    begin_s, length_s = rng.uniform(60, 150), rng.uniform(125, 180)
    low_Hz, high_Hz = rng.uniform(0.3, 1.0), rng.uniform(2.0, 8.0)
    is_on = (times_s >= begin_s) & (times_s < begin_s + length_s)
    wave = size * np.sin(2 * np.pi * high_Hz * times_s) * is_on
    wave += 0.05 * size * np.sin(2 * np.pi * low_Hz * times_s)
    half_s = length_s / 2
    return Planted(times_s, {"load_W": 1e6 * (1000 + wave)}, size, begin_s + half_s, half_s)


def tones(rng, size, low_Hz, high_Hz, step_s=0.02):
    """Two sines in the band of 0.6 and 0.8 of this amplitude, and a larger one above it."""
    times_s = _times(240, step_s)
    first_Hz = rng.uniform(2.5 * low_Hz, 3.5 * low_Hz)
    second_Hz = rng.uniform(5.5 * low_Hz, 0.9 * high_Hz)
    sizes_Hz = (0.6 * size, first_Hz), (0.8 * size, second_Hz), (1.5 * size, 1.2 * high_Hz)
    wave = sum(each * np.sin(2 * np.pi * at_Hz * times_s) for each, at_Hz in sizes_Hz)
    return Planted(times_s, {"load_W": 1e6 * (1000 + wave)}, size, 120.0, 120.0)


def share(rng, percent, step_s=0.01):
    """Two sines whose energies have this ratio: one in the band, one above it."""
    times_s = _times(240, step_s)
    in_Hz, above_Hz = rng.uniform(1, 15), rng.uniform(25, 45)
    inside, above = math.sqrt(percent), math.sqrt(100 - percent)
    wave = inside * np.sin(2 * np.pi * in_Hz * times_s)
    wave += above * np.sin(2 * np.pi * above_Hz * times_s)
    return Planted(times_s, {"load_W": 1e6 * (1000 + wave)}, percent, 120.0, 120.0)


def late(rng, back_s, depth_pu=0.6, sag_s=0.3, step_s=0.02):
    """A sag inside the curve; 90 % of the power is back this long after it."""
    times_s = _times(60, step_s)
    begin = int(rng.integers(500, 1500))
    end = begin + round(sag_s / step_s)
    voltage = np.ones(len(times_s))
    voltage[begin:end] = depth_pu
    load = np.full(len(times_s), 100e6)
    back = end + round(back_s / step_s)
    load[begin:back] = 20e6
    columns = {"load_W": load, "voltage_pu": voltage}
    return Planted(times_s, columns, (back - end) * step_s, times_s[end - 1], ONE_SAMPLE * step_s)
