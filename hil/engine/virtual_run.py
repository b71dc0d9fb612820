"""Makes one run in virtual time. hil.engine.rig.run makes one in real time."""

import time
from collections.abc import Callable

from controller.config.cabinet_config import Config
from controller.system import realtime
from hil.engine.simulate import VirtualRig
from hil.loads.trace import Load
from hil.results import recorder, run_result, view
from hil.results.live import Live
from hil.results.screen import shown_on
from hil.scenarios.scenario import Scenario

VIEW_EVERY_S = 1.0  # virtual time between two views


def run(
    order: dict, scenario: Scenario | None, config: Config, headless: bool, load: Load
) -> run_result.Outcome:
    """Run once in virtual time. Returns the outcome."""
    actions, soc = scenario.actions if scenario else (), order["soc_pct"] / 100
    options = order["seed"], actions, {"soc": soc}, order["journal"]
    virtual = VirtualRig(config, load.power, *options)
    common = view.of_order(order, scenario, config, load, "virtual time")
    began_s = time.monotonic()
    next_view = _views(virtual, config, common, began_s)
    interrupted = False
    with shown_on(headless, order["progress"], time.monotonic) as show:
        try:
            # Nothing here makes reference cycles, and the collector would cost 5 % of the time.
            realtime.freeze_collector()
            show_view = None if show is None else lambda: show(next_view())
            virtual.run(order["duration_s"], show_view, VIEW_EVERY_S)
        except KeyboardInterrupt:
            interrupted = True
    speed = round(virtual.now_us / 1e6 / (time.monotonic() - began_s), 1)
    extra = {"mode": "virtual time", "seed": order["seed"], "speed": speed}
    extra["mirrored"] = order["mirrored"]
    recorded = recorder.run_of(virtual, load.about)
    return run_result.measured(recorded, config, extra, scenario, load.from_us, interrupted)


def _views(virtual: VirtualRig, config: Config, common: dict, began_s: float) -> Callable[[], dict]:
    """A function that returns the view of the present moment of the run."""
    live = Live(virtual.recorder, virtual.observer.result, config)

    def now() -> dict:
        now_us, cabinet = virtual.now_us, virtual.controller.cabinet
        out, action = cabinet.core.out if cabinet else None, virtual.clockwork.upcoming()
        speed = now_us / 1e6 / max(1e-6, time.monotonic() - began_s)
        shown = live.view(now_us, virtual.plant, out, action)
        return {**shown, **common, "ticks": virtual.ticks, "speed": speed}

    return now
