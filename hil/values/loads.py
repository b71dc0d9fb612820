"""Loads of many days: a training job anew each day, or a file again and again.

Only one day is in memory.
"""

from collections.abc import Callable

from hil.loads import reader
from hil.loads.trace import Trace, synthetic_load

DAY_S = 86_400.0


class Days:
    """A synthetic load; each day has a seed of its own."""

    def __init__(self, seed: int, peak_W: float, kind: str = "training") -> None:
        self._seed, self._peak_W, self._kind = seed, peak_W, kind
        self._day = -1

    def __call__(self, t_s: float) -> float:
        """Power at t_s (>= 0), W."""
        day = int(t_s // DAY_S)
        if day != self._day:
            self._day = day
            self._trace = synthetic_load(f"{self._seed}/{day}", DAY_S, self._peak_W, self._kind)
        return self._trace.power_W(t_s - day * DAY_S)


class Again:
    """A trace from a file that begins again at its end."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace

    def __call__(self, t_s: float) -> float:
        """Power at t_s (>= 0), W."""
        return self._trace.power_W(t_s % self._trace.duration_s)


def load_of(order: dict) -> Callable[[float], float]:
    """The load of an order (file, column, scale, seed, peak_W). Raises LoadError."""
    if order["file"]:
        return Again(reader.read_trace(order["file"], order["column"], scale=order["scale"]))
    return Days(order["seed"], order["peak_W"])
