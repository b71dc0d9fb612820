"""The process of one way to plan, for `bench planner`: a month in, what came of it out, as JSON.

It imports only what its way needs, because its memory is measured.
"""

import json
import sys
from collections.abc import Callable
from datetime import datetime
from typing import Any

from hil.campaigns.benchmarks import timing


def main(name: str) -> dict[str, Any]:
    """Imports of each slot, CPU time of each plan, memory."""
    if name == "nothing":
        return {"kB": _memory_kB()}
    from controller.planner import backtest
    from controller.planner.backtest import Past
    from controller.planner.exact import Store
    from controller.planner.planning import Site

    (store, *site), (start, *past) = json.load(sys.stdin)
    own, given = Site(Store(*store), *site), Past(datetime.fromisoformat(start), *past)
    way, ms = WAYS[name](own), list[float]()

    def timed(known: Any) -> Any:
        if hasattr(way, "begin"):  # once a night
            way.begin(known)
        begun_ns = timing.cpu_ns()
        rows = way(known)
        ms.append((timing.cpu_ns() - begun_ns) / 1e6)
        return rows

    done = backtest.followed(own, given, 0.5 * own.full_J, timed)
    return {"done": done, "ms": ms, "kB": _memory_kB()}


def _planner(site: Any) -> Callable[[Any], Any]:
    from controller.planner.daily import Daily

    class Planner(Daily):
        def __call__(self, known: Any) -> Any:
            return self.planned(known).rows

    return Planner(site)


def _rules(site: Any) -> Callable[[Any], Any]:
    from hil.systems.rival_rules import Rules

    return Rules(site)


WAYS = {"planner": _planner, "rules": _rules}


def _memory_kB() -> int:
    """The most that this process had."""
    with open("/proc/self/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM"))


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1])))
