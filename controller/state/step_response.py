"""Measures how a unit follows a step of its set-point: dead time, ramp, gain, overshoot.

Each step is scaled to 0 .. 1 by its own settled values. The time at which a step crosses a level is
only known as an interval: from the last value before it to the first value after it. The
uncertainty of this time is half of the interval that the steps have in common, plus one tick.

Two points are measured: the converter's own register, and the grid meter. The grid meter averages
over a window, and its figures contain the delay of this window.
"""

from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

from controller.state import step_numbers as numbers
from controller.state.base import Facts
from controller.state.step_numbers import Phases
from controller.state.step_samples import AC, GRID, Sample, Samples

POINTS = (AC, GRID)
LOW, HIGH = 0.1, 0.9  # levels of a scaled step
STEPS_MIN = 3
QUANTA_MIN = 4  # smallest step, in quanta of the set-point
NOISE_MAX = 0.1  # largest standard deviation of settled values, part of the step
BELOW, NOISY, FEW, SLACK = (
    "the step is less than four quanta of the set-point",
    "the noise is more than a tenth of the step",
    "fewer than three whole steps",
    "the value moves less than a fifth of the step",
)


class Step(NamedTuple):
    """One step at one point: times in ms from the sent set-point, values scaled to 0 .. 1."""

    size_W: float  # of the set-point
    moved_W: float
    low: tuple[float, float]  # interval in which the values cross LOW
    high: tuple[float, float]
    peak: float


def facts(samples: Samples, phases: Phases, tick_ms: int) -> Facts:
    """{unit, rated_W, points: see `_point`} of a unit."""
    points = [_point(name, samples, phases, tick_ms) for name in POINTS if name in samples.points]
    return {"unit": samples.place.unit + 1, "rated_W": samples.place.rated_W, "points": points}


def _point(name: str, samples: Samples, phases: Phases, tick_ms: int) -> Facts:
    """{point, too_little, steps, refresh_ms}, and the keys of `_figures` if too_little is ""."""
    seen, sign = samples.points[name], -1 if name == GRID else 1
    steps = _steps(samples, seen, phases)
    point: Facts = {
        "point": name,
        "too_little": _too_little(samples, seen, phases, steps),
        "steps": len(steps),
        "refresh_ms": numbers.refresh_ms(seen),
    }
    if point["too_little"]:
        return point
    return {**point, **_figures(samples, seen, phases, steps, tick_ms, sign)}


def _too_little(
    samples: Samples, seen: Sequence[Sample], phases: Phases, steps: Sequence[Step]
) -> str:
    """Reason why the samples are too few, too small or too noisy for figures; "": they are good
    enough.
    """
    if len(steps) < STEPS_MIN:
        return FEW
    size_W = median([abs(step.size_W) for step in steps])
    if size_W < QUANTA_MIN * samples.place.quantum_W:
        return BELOW
    moved_W = median([abs(step.moved_W) for step in steps])
    if moved_W < size_W / 5:
        return SLACK
    least_W = max(numbers.noise_W(seen, phases) / NOISE_MAX, numbers.resolution_W(seen))
    return NOISY if moved_W < least_W else ""


def _steps(samples: Samples, seen: Sequence[Sample], phases: Phases) -> list[Step]:
    steps = []
    for before, after in zip(phases, phases[1:]):
        sent = [sample for sample in samples.sent if after[0] <= sample.at_ms < after[1]]
        asked = [numbers.settled(samples.setpoints, phase) for phase in (before, after)]
        shown = [numbers.settled(seen, phase) for phase in (before, after)]
        if sent and all(asked) and all(shown):
            size_W = median(asked[1]) - median(asked[0])
            step = _step(seen, sent[0].at_ms, after[1], size_W, *map(median, shown))
            steps += [step] if step else []
    return steps


def _step(
    seen: Sequence[Sample],
    begin_ms: float,
    end_ms: float,
    size_W: float,
    before_W: float,
    after_W: float,
) -> Step | None:
    """The step that was sent at begin_ms, from before_W to after_W (settled values). None: the
    values did not move, or did not reach HIGH.
    """
    moved_W = after_W - before_W
    if not moved_W or not size_W:
        return None
    curve = [
        (sample.at_ms - begin_ms, (sample.value_W - before_W) / moved_W)
        for sample in seen
        if begin_ms < sample.at_ms <= end_ms
    ]
    low, high = [_crossing(curve, level) for level in (LOW, HIGH)]
    if low is None or high is None:
        return None
    return Step(size_W, moved_W, low, high, max(level for _, level in curve))


def _crossing(curve: Sequence[tuple[float, float]], level: float) -> tuple[float, float] | None:
    """(last time before a value reaches the level, time of that value), ms; None: none
    reaches it.
    """
    before_ms = 0.0
    for at_ms, value in curve:
        if value >= level:
            return before_ms, at_ms
        before_ms = at_ms
    return None


def _figures(
    samples: Samples,
    seen: Sequence[Sample],
    phases: Phases,
    steps: Sequence[Step],
    tick_ms: int,
    sign: int,
) -> Facts:
    """The figures of a point. Each is a number or {value, uncertainty}; None: no upper limit."""
    low_ms, low_off_ms = _time([step.low for step in steps], tick_ms)
    high_ms, high_off_ms = _time([step.high for step in steps], tick_ms)
    rise_ms, off_ms = max(0.0, (high_ms - low_ms) / (HIGH - LOW)), low_off_ms + high_off_ms
    moved_W = median([abs(step.moved_W) for step in steps])
    rated_per_step = samples.place.rated_W / moved_W
    xs, ys = numbers.means(samples.setpoints, seen, phases)
    gain, gain_error = numbers.slope(xs, ys) or (0.0, 0.0)
    overshoot = median([step.peak for step in steps]) - 1
    slowest_ms, fastest_ms = rise_ms + off_ms, max(0.0, rise_ms - off_ms)
    noise = numbers.noise_W(seen, phases) / moved_W
    return {
        "step_W": round(moved_W),
        "dead_time_ms": _figure(max(0.0, low_ms - LOW * rise_ms), low_off_ms + LOW * off_ms),
        "ramp_ms": _figure(rise_ms * rated_per_step, off_ms * rated_per_step),
        "slew_W_per_s_min": round(moved_W / slowest_ms * 1000),
        "slew_W_per_s_max": round(moved_W / fastest_ms * 1000) if fastest_ms else None,
        "gain": _figure(sign * gain, 2 * gain_error, 3),
        "overshoot_pct": _figure(100 * max(0.0, overshoot), 300 * noise, 1),
    }


def _time(intervals: Sequence[tuple[float, float]], tick_ms: int) -> tuple[float, float]:
    """(middle, uncertainty) of a crossing, ms. Each step meets the meter's refresh at a different
    moment, so the interval that the steps have in common is shorter than that of one step. It
    ignores the latest quarter of the lower ends and the earliest quarter of the upper ends, because
    a few disturbed steps must not move it.
    """
    lows, highs = sorted(low for low, _ in intervals), sorted(high for _, high in intervals)
    place = len(intervals) // 4
    low_ms, high_ms = lows[-1 - place], highs[place]
    return (low_ms + high_ms) / 2, abs(high_ms - low_ms) / 2 + tick_ms


def _figure(value: float, uncertainty: float, digits: int = 0) -> Facts:
    return {"value": round(value, digits), "uncertainty": round(uncertainty, digits)}
