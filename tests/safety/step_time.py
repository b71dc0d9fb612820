"""A measurement, not a test: how long one kernel step takes with every group fresh and both meters moving.

`.venv/bin/python tests/safety/step_time.py` prints JSON: median and p99 in us by topology.
"""

import gc
import json
import time

from bench import Bench

from safety import signals as s

TOPOLOGIES = ((1, 15), (3, 15), (16, 64))  # racks, modules per rack
STEPS = 3000


def step_ns(bench, number):
    """Time of one step in ns."""
    kernel = bench.kernel
    kernel.inp[s.GRID_RAW_HASH] = kernel.inp[s.LOAD_RAW_HASH] = number
    for group in range(len(kernel.fresh)):
        kernel.fresh[group] = 1
    began_ns = time.perf_counter_ns()
    kernel.step(1)
    return time.perf_counter_ns() - began_ns


def measured(racks, modules):
    """{"racks", "modules", "median_us", "p99_us"} of one topology."""
    bench = Bench(racks=racks, modules=modules)
    bench.step(50)
    taken = sorted([step_ns(bench, number + 1) for number in range(STEPS)])
    return {"racks": racks, "modules": modules, "median_us": taken[STEPS // 2] / 1000,
            "p99_us": taken[STEPS * 99 // 100] / 1000}


if __name__ == "__main__":
    gc.disable()
    print(json.dumps([measured(*topology) for topology in TOPOLOGIES], indent=1))
