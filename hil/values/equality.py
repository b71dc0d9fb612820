"""Measures how near value mode (no bytes) is to byte mode, with eight scenarios and a pod.

The reference is byte mode at 20 ms. Load tracking begins at the load of one instant, and this
instant differs between modes. So the load is constant at first, in a pod until its meter tests are
over.
"""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from controller.config import configuration
from controller.core.policies.meter_statistics import TURN_S
from controller.sites import EXAMPLE
from hil.engine import forks
from hil.engine.pod import Pod
from hil.engine.simulate import VirtualRig
from hil.loads import selection
from hil.loads.trace import Trace, synthetic_load
from hil.scenarios.faults import Action
from hil.values.rig import ValueRig

HELD_S, END_S, MEAN_US = 60.0, 240.0, 10_000_000
MODES = {
    "byte, 20 ms": (VirtualRig, 20),
    "value, 20 ms": (ValueRig, 20),
    "value, 100 ms": (ValueRig, 100),
}
REFERENCE = next(iter(MODES))


def training(t_s: float) -> float:
    """The built-in training job of the example cabinet."""
    return _trace().power_W(t_s)


@functools.cache
def _trace() -> Trace:
    return synthetic_load(1, END_S, selection.PEAK_W, "training")


def swing(t_s: float) -> float:
    """A square wave with a period of 2 s, like the load of inference."""
    return 180_000.0 + 60_000.0 * (t_s % 2.0 < 1.0)


SILENT = {"device": "bms_2", "fault": "silent", "value": True}
HIGH_CELL = {"rack": 1, "module": 1, "cell": 1, "offset_mV": 450}
# {name: (load, state of charge, action at FAULT_S or None)}
SCENARIOS: dict[str, tuple[Callable[[float], float], float, tuple | None]] = {
    "training": (training, 0.5, None),
    "swing of 2 s": (swing, 0.5, None),
    "nearly full": (training, 0.965, None),
    "at the reserve": (training, 0.16, None),
    "emergency stop": (training, 0.5, ("estop_press", {})),
    "BMS silent": (training, 0.5, ("device_fault", SILENT)),
    "cell over-voltage": (training, 0.5, ("cell_offset", HIGH_CELL)),
    "converter stuck": (training, 0.5, ("pcs_stick", {"unit": 1, "on": True})),
}
FAULT_S = 100.0
COMPARED = "soc_permille", "discharge_Wh", "charge_Wh", "grid_Wh"
POD, POD_HELD_S, QUARTER_S = "pod of two", 2 * TURN_S, 900.0
POD_FILE = Path(__file__).parents[1] / "site" / "examples" / "two_cabinets_pv_genset.toml"


class Played(NamedTuple):
    """rows: from held_s on, with the power of all batteries; trips: of all cabinets."""

    held_s: float
    rows: np.ndarray
    trips: list[dict[str, Any]]


def run(job: tuple[str, str]) -> dict[str, Any]:
    """The figures of one (scenario, mode)."""
    played = _pod(*MODES[job[1]]) if job[0] == POD else _rig(*SCENARIOS[job[0]], *MODES[job[1]])
    rows, held_s = played.rows, played.held_s
    dt_s = np.diff(rows["t_us"], prepend=held_s * 1e6) / 1e6
    battery_W = rows["battery_W"]
    places = (rows["t_us"] - held_s * 1e6 - 1) // MEAN_US
    return {
        "scenario": job[0],
        "mode": job[1],
        "soc_permille": float(rows["soc_permille"][-1]),
        "discharge_Wh": float((np.maximum(battery_W, 0) * dt_s).sum() / 3600),
        "charge_Wh": float((np.maximum(-battery_W, 0) * dt_s).sum() / 3600),
        "grid_Wh": float((rows["grid_W"] * dt_s).sum() / 3600),
        "means_W": np.bincount(places.astype(int), rows["grid_W"] * dt_s) / (MEAN_US / 1e6),
        "rows": [(trip["stage"], round(trip["t_s"] - FAULT_S, 2)) for trip in played.trips],
    }


def _rig(
    load: Callable[[float], float],
    soc: float,
    fault: tuple | None,
    kind: type[VirtualRig],
    tick_ms: int,
) -> Played:
    actions = () if fault is None else (Action(round(FAULT_S * 1e6), fault[0], "fault", fault[1]),)
    config = configuration.load(str(EXAMPLE), tick_ms=tick_ms)
    rig = kind(config, lambda t_s: load(max(t_s, HELD_S)), 1, actions, {"soc": soc})
    rig.run(END_S)
    rows = rig.recorder.rows()
    return Played(HELD_S, rows[rows["t_us"] > HELD_S * 1e6], rig.trips.trips)


def _pod(kind: type[VirtualRig], tick_ms: int) -> Played:
    pod = Pod.of_file(str(POD_FILE), kind=kind, tick_ms=tick_ms)
    load = pod.site.load
    assert load is not None
    pod.site.load = lambda t_s: load(max(t_s, POD_HELD_S))
    pod.run(POD_HELD_S + QUARTER_S)
    each = [member.recorder.rows() for member in pod.members]
    rows = each[0]
    for name in ("battery_W", "soc_permille"):
        rows[name] = sum([one[name] for one in each])
    trips = [trip for member in pod.members for trip in member.trips.trips]
    return Played(POD_HELD_S, rows[rows["t_us"] > POD_HELD_S * 1e6], trips)


def table() -> list[dict[str, Any]]:
    """One row for each scenario and mode other than the reference, compared with the reference."""
    jobs = [(scenario, mode) for scenario in (*SCENARIOS, POD) for mode in MODES]
    played = forks.values(jobs, run, forks.cores())
    found = {(each["scenario"], each["mode"]): each for each in played}
    return [
        compared(found[scenario, mode], found[scenario, REFERENCE])
        for scenario, mode in jobs
        if mode != REFERENCE
    ]


def compared(run_: dict[str, Any], reference: dict[str, Any]) -> dict[str, Any]:
    """Differences between a run and the reference."""
    means_W = run_["means_W"] - reference["means_W"]
    stages = [[stage for stage, _ in each["rows"]] for each in (run_, reference)]
    return {
        "scenario": run_["scenario"],
        "mode": run_["mode"],
        **{name: run_[name] - reference[name] for name in COMPARED},
        "grid_permille": 1000 * (run_["grid_Wh"] / reference["grid_Wh"] - 1),
        "mean_bias_W": float(means_W.mean()),
        "mean_rms_W": float(np.sqrt((means_W**2).mean())),
        "mean_W_max": float(np.abs(means_W).max()),
        "rows_equal": stages[0] == stages[1],
        "rows": run_["rows"][:3],
        "reference_rows": reference["rows"][:3],
    }


def lines(rows: list[dict[str, Any]]) -> list[str]:
    """The table as lines of text."""
    head = f"{'scenario':20}{'mode':16}{'SOC':>8}{'disch.':>8}{'charge':>8}{'grid':>8}{'bias':>7}"
    found = [head + f"{'rms':>7}{'max':>7}  rows"]
    for row in rows:
        energies = "".join([f"{row[name]:8.1f}" for name in COMPARED[1:]])
        means = "".join([f"{row[f'mean_{each}']:7.0f}" for each in ("bias_W", "rms_W", "W_max")])
        word = "equal" if row["rows_equal"] else "differ"
        begin = f"{row['scenario']:20}{row['mode']:16}{row['soc_permille']:8.3f}{energies}{means}"
        found.append(f"{begin}  {word} {row['rows']} {row['reference_rows']}")
    return [
        *found,
        "against byte mode at 20 ms: SOC in permille (pod: sum of both cabinets), energies in Wh",
        "over 180 s (pod: 15 minutes), then means over 10 s of the grid in W; rows with their",
        "times after the fault, of this mode and of bytes",
    ]
