"""Describes a run in two sentences: swing of load and grid, worst moment of the grid.

The swing is the range of one-second means within any five minutes. The worst moment is the
quickest change that reaches four fifths of the largest change of the grid within 2 s. The largest
change itself may be two small events that add up by chance.
"""

from typing import Any

import numpy as np

from controller.rows import reason_words
from hil.results import ratio

MEAN_US = 1_000_000
WITHIN_S = 300
MOMENT_US = 2_000_000
NEAR_US = 500_000  # movements this long before and after the worst moment belong to it
SEARCH_US = 10_000_000  # the return of the grid is searched for this long
# The worst moment reaches AS_BAD of the largest change of any duration. Of such moments with the
# shortest duration, the first that reaches ALIKE of their largest change is shown.
AS_BAD, ALIKE = 0.8, 0.95
QUIET_W = 1000
FOLLOW = "load", "battery"


def window_means(t_us: np.ndarray, power_W: np.ndarray, window_us: int = 2_000_000) -> np.ndarray:
    """Time-weighted means over consecutive windows. Default: 2 s, the period of the measured
    traces. The unfinished last window is left out. Each sample holds until the next.
    """
    if len(t_us) < 2:
        return np.empty(0)
    steps_us = np.diff(t_us).astype(float)
    steps_us = np.append(steps_us, np.median(steps_us))
    times_us = np.append(0.0, np.cumsum(steps_us))
    work = np.append(0.0, np.cumsum(power_W * steps_us))
    edges_us = np.arange(0, int(times_us[-1] // window_us) + 1) * float(window_us)
    return np.diff(np.interp(edges_us, times_us, work)) / window_us


def swing_W(rows: np.ndarray) -> dict:
    """{load, grid, within_s}: largest range of one-second means within within_s, W; None: fewer
    than two means.
    """
    swings: dict = {"load": None, "grid": None, "within_s": None}
    for name in ("load", "grid"):
        means = window_means(rows["t_us"], rows[f"{name}_W"], MEAN_US)
        if len(means) >= 2:
            width = min(len(means), WITHIN_S)
            spans = np.lib.stride_tricks.sliding_window_view(means, width)
            swings |= {name: round(float(np.ptp(spans, axis=1).max()), 1), "within_s": width}
    return swings


def worst_moment(rows: np.ndarray) -> dict | None:
    """The quickest large change of the grid within 2 s; None with fewer than two rows.

    - t_s: its end; within_s: its duration; change_W;
    - load_change_W, battery_change_W: their largest changes from 0.5 s before to 0.5 s after it;
    - delay_ms: from the middle of the load's change to the middle of the battery's; None: the
      battery did not follow;
    - back_after_s: time until the grid is three quarters of the way back to its median of the 2 s
      before; None: longer than 10 s;
    - limit_reason: code of the limit that held the battery back, or 0.
    """
    if len(rows) < 2:
        return None
    t_us, grid_W = rows["t_us"], rows["grid_W"]
    first, last = _worst_change(t_us, grid_W)
    change_W = float(grid_W[last] - grid_W[first])
    near = rows[_between(t_us, t_us[first] - NEAR_US, t_us[last] + NEAR_US)]
    codes, counts = np.unique(rows["limit_reason"][first : last + 1], return_counts=True)
    return {
        "t_s": round(float(t_us[last]) / 1e6, 2),
        "within_s": round(float(t_us[last] - t_us[first]) / 1e6, 2),
        "change_W": round(change_W, 1),
        "load_change_W": _signed_range(near["load_W"]),
        "battery_change_W": _signed_range(near["battery_W"]),
        "delay_ms": _delay_ms(near),
        "back_after_s": _back_after_s(t_us, grid_W, first, last),
        "limit_reason": int(codes[counts.argmax()]),
    }


def _between(t_us: np.ndarray, from_us: int, until_us: int) -> slice:
    return slice(*(int(np.searchsorted(t_us, at_us)) for at_us in (from_us, until_us)))


def _back_after_s(t_us: np.ndarray, grid_W: np.ndarray, first: int, last: int) -> float | None:
    level_W = np.median(grid_W[_between(t_us, t_us[first] - MOMENT_US, t_us[first] + 1)])
    ahead_W = grid_W[last : _between(t_us, 0, t_us[last] + SEARCH_US).stop]
    back = np.flatnonzero(np.abs(ahead_W - level_W) < abs(grid_W[last] - grid_W[first]) / 4)
    return round(float(t_us[last + back[0]] - t_us[last]) / 1e6, 2) if len(back) else None


def _delay_ms(near: np.ndarray) -> int | None:
    load_us, battery_us = (_middle_us(near["t_us"], near[f"{name}_W"]) for name in FOLLOW)
    signs = [np.sign(_signed_range(near[f"{name}_W"])) for name in FOLLOW]
    has_followed = signs[0] == signs[1] and battery_us >= load_us
    return round(float(battery_us - load_us) / 1e3) if has_followed else None


def _middle_us(t_us: np.ndarray, power_W: np.ndarray) -> int:
    """Time at which half of the largest change was done."""
    ends = sorted((int(power_W.argmin()), int(power_W.argmax())))
    part = power_W[ends[0] : ends[1] + 1]
    is_past = (part - (part[0] + part[-1]) / 2) * np.sign(part[-1] - part[0]) >= 0
    return int(t_us[ends[0] + int(is_past.argmax())])


def _worst_change(t_us: np.ndarray, power_W: np.ndarray) -> tuple[int, int]:
    """(first, last) index of the worst moment."""
    changes_W = []
    for lag in range(1, len(t_us)):
        is_within = t_us[lag:] - t_us[:-lag] <= MOMENT_US
        if not is_within.any():
            break
        changes_W.append(np.abs(power_W[lag:] - power_W[:-lag]) * is_within)
    if not changes_W:
        return 0, 1
    enough_W = AS_BAD * max([change_W.max() for change_W in changes_W])
    lag, lag_changes_W = next(
        (lag, change_W) for lag, change_W in enumerate(changes_W, 1) if change_W.max() >= enough_W
    )
    first = int(np.flatnonzero(lag_changes_W >= ALIKE * lag_changes_W.max())[0])
    return _extended(t_us, power_W, first, first + lag)


def _extended(t_us: np.ndarray, power_W: np.ndarray, first: int, last: int) -> tuple[int, int]:
    """Extend the change by movement in the same direction before and after it, within 2 s."""
    sign = 1.0 if power_W[last] >= power_W[first] else -1.0
    is_on = np.diff(power_W) * sign > 0
    while last < len(is_on) and is_on[last] and t_us[last + 1] - t_us[first] <= MOMENT_US:
        last += 1
    while first > 0 and is_on[first - 1] and t_us[last] - t_us[first - 1] <= MOMENT_US:
        first -= 1
    return first, last


def _signed_range(values: np.ndarray) -> float:
    """Highest minus lowest; negative if the lowest came last."""
    low, high = int(values.argmin()), int(values.argmax())
    return round(float(values[high] - values[low]) * (1 if high >= low else -1), 1)


def headline(swing: dict, peak_W: float | None = None) -> str:
    """The main figure in one sentence. swing: of `swing_W`; peak_W: the highest load, if known."""
    if swing["load"] is None:
        return "Nothing was measured: the battery was not in use for 2 s."
    if peak_W and swing["load"] * 100 < ratio.STILL_SWING_PCT * peak_W:
        moved = f"The load hardly moved ({swing['load'] / 1000:.1f} kW)"
        return f"{moved}: this run shows nothing of load tracking."
    load, grid = (f"{swing[name] / 1000:.0f} kW" for name in ("load", "grid"))
    if swing["grid"] > swing["load"]:
        return f"The grid swung by {grid}, more than the load with {load}."
    return f"The load swung by {load}; the grid saw {grid}."


def explained(worst: dict | None) -> str:
    """The worst moment in two sentences: the change of the grid and its cause; "" for None."""
    if worst is None:
        return ""
    change_W = worst["change_W"]
    if abs(change_W) < QUIET_W:
        return f"The grid never changed by more than {abs(change_W) / 1000:.1f} kW within 2 s."
    moment = f"Worst moment, {worst['t_s']:.1f} s: the grid {_moved(change_W)}"
    within_s = max(worst["within_s"], 0.1)
    back_s = worst["back_after_s"]
    back = "" if back_s is None else f" and was back {max(back_s, 0.1):.1f} s later"
    return f"{moment} within {within_s:.1f} s{back}. {_why(worst)}"


def _moved(change_W: float) -> str:
    return f"{'rose' if change_W > 0 else 'fell'} by {abs(change_W) / 1000:.0f} kW"


def _why(worst: dict[str, Any]) -> str:
    load_W, battery_W, delay_ms = (
        worst[name] for name in ("load_change_W", "battery_change_W", "delay_ms")
    )
    if worst["limit_reason"]:
        name = reason_words.text(worst["limit_reason"])[0]
        return f"A limit held the battery back: {name}."
    size = f"{abs(battery_W) / 1000:.0f} kW"
    is_more = abs(battery_W) > 1.1 * abs(load_W)
    # The grid moved against the load without an overshoot: the battery moved too early.
    is_early = (load_W > 0) != (worst["change_W"] > 0) and not is_more
    if delay_ms is None or is_early or abs(load_W) < 0.3 * abs(worst["change_W"]):
        return f"The battery moved by {size}, the load by {abs(load_W) / 1000:.0f} kW."
    more = ", more than the load" if is_more else ""
    return f"The load {_moved(load_W)}; {delay_ms} ms later the battery followed with {size}{more}."
