"""Plays one part of a long run in byte, value or chain-only mode.

The part starts LEAD_S early, so that the cabinet has started and load tracking has settled. No
figure counts this lead.
"""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from controller.config import configuration
from hil.engine import forks
from hil.engine.simulate import VirtualRig
from hil.loads import reader
from hil.loads.trace import Trace, synthetic_load
from hil.plant.cabinet import CabinetPlant
from hil.results.recorder import Recorder, flows
from hil.results.windows import Windows
from hil.values.chain_only import ChainOnly
from hil.values.rig import ValueRig

LEAD_S = 900
DAY_S = 86_400.0
BYTE, VALUE, CHAIN = "byte", "value", "chain"


class WindowRecorder(Recorder):
    """Adds the samples of a rig to windows."""

    def __init__(self, windows: Windows, offset_s: float) -> None:
        """offset_s: time in the long run at which the rig started."""
        super().__init__()
        self._windows, self._offset_s = windows, offset_s

    def sample(
        self, t_us: int, plant: CabinetPlant, setpoint_W: float, hottest_degC: float, *code: int
    ) -> None:
        """Add one tick."""
        *powers_W, soc_permille = flows(plant)
        self._windows.add(self._offset_s + t_us / 1e6, powers_W, soc_permille, hottest_degC)


def _each_day(seed: int, peak_W: float) -> Callable[[float], float]:
    """A training job that is drawn anew for each day, with its own seed. One day is in memory."""

    @functools.lru_cache(1)
    def drawn(day: int) -> Trace:
        return synthetic_load(f"{seed}/{day}", DAY_S, peak_W, "training")

    def power_W(t_s: float) -> float:
        day, time_s = divmod(t_s, DAY_S)
        return drawn(int(day)).power_W(time_s)

    return power_W


def load_of(order: dict) -> Callable[[float], float]:
    """The load that `order` chooses: file, column, scale, seed, peak_W. A file starts again when it
    has ended. Raises LoadError.
    """
    if order["file"]:
        trace = reader.read_trace(order["file"], order["column"], scale=order["scale"])
        return lambda t_s: trace.power_W(t_s % trace.duration_s)
    return _each_day(order["seed"], order["peak_W"])


def run(order: dict[str, Any], part: dict[str, Any], folder: Path | None) -> dict[str, Any]:
    """Figures of a part. part: begin_s, end_s, soc, degC; folder: for its files, or None."""
    began_s = forks.cpu_s()
    windows = Windows(folder, part["begin_s"])
    if order["mode"] == CHAIN:
        outcome, mode = _chain(order, part, windows), ChainOnly.MODE
    else:
        outcome, mode = _rig(order, part, windows), f"{order['mode']}, {order['tick_ms']} ms"
    windows.close()
    cpu_s = forks.cpu_s() - began_s
    return {**part, **windows.figures(), **outcome, "cpu_s": cpu_s, "mode": mode}


def _chain(order: dict, part: dict, windows: Windows) -> dict[str, Any]:
    """The figures, with the states at each time in order["marks_s"]."""
    config = configuration.load(order["cabinet"], tick_ms=100)
    chain = ChainOnly(config, load_of(order), part["soc"], part["degC"])
    marks, wanted_s = {}, set(order.get("marks_s", ()))
    for now_s in range(1, round(part["end_s"]) + 1):
        chain.step()
        powers_W = chain.load_W, chain.grid_W, chain.battery_W
        windows.add(now_s, powers_W, chain.soc * 1000.0, chain.degC)
        if now_s in wanted_s:
            marks[now_s] = chain.soc, chain.degC
    return {"marks": marks, "trips": [], "violations": []}


def rig_of(order: dict, part: dict, windows: Windows | None = None) -> VirtualRig:
    """The rig for a part, before its first step."""
    config = configuration.load(order["cabinet"], tick_ms=order["tick_ms"])
    begin_s, load = part["begin_s"] - part["lead_s"], load_of(order)
    kind = VirtualRig if order["mode"] == BYTE else ValueRig
    rig = kind(config, lambda t_s: load(begin_s + t_s), order["seed"], (), {"soc": part["soc"]})
    for rack in rig.plant.racks if part["degC"] is not None else ():
        rack.place_temperature(part["degC"])
    if windows is not None:
        rig.recorder = WindowRecorder(windows, begin_s)
    rig.quicken()
    return rig


def _rig(order: dict, part: dict, windows: Windows) -> dict[str, Any]:
    rig = rig_of(order, part, windows).run(part["end_s"] - part["begin_s"] + part["lead_s"])
    return {"trips": rig.trips.trips, "violations": rig.observer.violations}
