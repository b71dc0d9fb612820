"""Plans one month in one way, as a process of `bench planner`.

The process reads a month and prints the result, both as JSON. Only the modules that the way needs
are imported, because the memory of the process is measured.
"""

import json
import sys
from collections.abc import Callable
from datetime import datetime
from typing import Any

from hil.campaigns.benchmarks import timing
from hil.engine.process_memory import read, status_kB

KNOWN_SLOTS = 192  # slots of future load, if the load is known


def main(name: str) -> dict[str, Any]:
    """The result, CPU time of each plan, the cap of each slot, and memory."""
    if name == "nothing":
        return {"kB": _memory_kB()}
    from controller.planner import backtest
    from controller.planner.backtest import Past
    from controller.planner.cap import Agreed
    from controller.planner.exact import Store
    from controller.planner.planning import Site
    from controller.planner.reserve import Hours

    (store, *limits, agreed, hours, least), (start, *past), is_load_known = json.load(sys.stdin)
    agreement = {"yields": Agreed(*agreed), "hours": Hours(*hours), "least_part": least}
    site = Site(Store(*store), *limits)._replace(**agreement)
    history = Past(datetime.fromisoformat(start), *past)
    way, ms, caps_W = _way(name, site, history), list[float](), list[float]()

    def timed(known: Any) -> Any:
        index = len(known.past_load_W)
        future_W = history.load_W[index : index + KNOWN_SLOTS] if is_load_known else ()
        known = known._replace(load_W=future_W)
        if hasattr(way, "begin"):  # called once a night
            way.begin(known)
        begun_ns = timing.cpu_ns()
        rows = way(known)
        ms.append((timing.cpu_ns() - begun_ns) / 1e6)
        caps_W.extend([row.grid_cap_W for row in rows[: backtest.HOUR_SLOTS]])
        return rows

    done = backtest.followed(site, history, 0.5 * site.full_J, timed)
    failed = getattr(way, "failed", 0)
    return {"done": done, "ms": ms, "caps_W": caps_W, "failed": failed, "kB": _memory_kB()}


def _way(name: str, site: Any, past: Any) -> Callable[[Any], Any]:
    """A function that makes the rows of a schedule from a Known. name: a way of bench planner."""
    if name == "rules":
        from hil.systems.rival_rules import Rules

        return Rules(site)
    if name == "planner":
        from controller.planner.daily import Daily

        class Planner(Daily):
            def __call__(self, known: Any) -> Any:
                return self.planned(known).rows

        return Planner(site)
    from hil.campaigns.benchmarks.emhass_way import Emhass

    return Emhass(site, past, has_our_cap=name == "EMHASS, our cap")


def _memory_kB() -> int:
    """The largest memory of this process so far, kB."""
    return status_kB(read("/proc/self/status"), "VmHWM")


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1])))
