"""Makes the load that a site's file describes: a function from time in s to power in W."""

import os
from collections.abc import Callable, Iterator
from typing import Any

from hil.loads import stream

Table = dict[str, Any]  # of a site's file


def constant(power_W: float) -> Callable[[float], float]:
    """A load with the same power at any time."""
    return lambda t_s: power_W


def of_table(
    load: Table, seed: object, folder: str, time_of_day_s: float = 0.0
) -> Callable[[float], float]:
    """The load of a checked table of description.LOADS. folder: where the site file is;
    time_of_day_s: at the start of the run.
    """
    if load["kind"] == "constant":
        return constant(load["power_W"])
    if load["kind"] == "training":
        return stream.training(seed, load["peak_W"])
    if load["kind"] == "file":
        path = os.path.join(folder, load["file"])
        return stream.of_file(path, load["column"], load["scale"], load["zone"])
    listed_jobs = [stream.Job(*job) for job in sorted(load["jobs"])]
    jobs = iter(listed_jobs) if listed_jobs else _drawn(load, seed, time_of_day_s)
    return stream.queue(jobs, load["capacity_W"], load["idle_W"])


def _drawn(load: Table, seed: object, time_of_day_s: float) -> Iterator[stream.Job]:
    length_s, power_W = ((load[f"job_{name}_min"], load[f"job_{name}_max"]) for name in ("s", "W"))
    swing, weekend, use = [
        load[f"{name}_permille"] / 1000 for name in ("day_swing", "weekend", "use")
    ]
    pattern = stream.Pattern(swing, weekend, load["weekday"], time_of_day_s)
    return stream.drawn_jobs(seed, use * load["capacity_W"], length_s, power_W, pattern)
