"""A sample of the loads in the byte-accurate rig, beside the simple simulator."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from controller.config import configuration
from controller.sites import EXAMPLE
from hil.campaigns.smooth import followers, loads, metrics, simulator
from hil.campaigns.smooth.paths import PATHS, Path
from hil.campaigns.smooth.simulator import SOC_START, TICK_S
from hil.engine.simulate import VirtualRig
from hil.loads.selection import START_S
from hil.results.figures import window_means
from hil.runner.cases import Runner

LOADS, SECONDS = 4, 300


class Job(NamedTuple):
    """One load, as its first kind; seed: of the rig."""

    source: loads.Source
    seed: int


def run(sources: list, seed: int, runner: Runner) -> list:
    """Rows {load, kind, path, rig, simple}: 2 s rms residual, %; prints them."""
    chosen = sources[:: -(-len(sources) // LOADS)]
    todo = [Job(source, seed) for source in chosen]
    print(f"{'':38}{'kind':6}{'ms':>5}  2 s rms, % of the load: rig, simple simulator", flush=True)
    return runner.play(todo, played, _line, lambda job: f"load {job.source.name} in the rig")


def _line(row: dict) -> str:
    figures = [f"{row[way]['rms']:.1f}" if row[way] else "-" for way in ("rig", "simple")]
    return f"{row['load']:38}{row['kind']:6}{row['path']:>5}  {', '.join(figures)}"


def played(job: Job) -> dict:
    """One row: the first SECONDS of the load."""
    load = loads.read(job.source)
    kind = load.kinds[0]
    load_W = loads.ticks_W(load, kind, job.source.name)[: round(SECONDS / TICK_S)]
    config = configuration.load(str(EXAMPLE))
    path = path_of(config.control["track_sample_ms"])
    seen_W = simulator.seen_W(load_W, path)
    track = followers.function(path, config.control["track_path_delay_ms"])
    grid_W = simulator.run(followers.Ours(seen_W, path, track), load_W, path).grid_W
    rig = VirtualRig(config, power_of(load_W), job.seed, (), {"soc": SOC_START})
    rig.run(START_S + len(load_W) * TICK_S)
    return {
        "load": job.source.name,
        "kind": kind,
        "path": path.name,
        "rig": _residual(rig),
        "simple": metrics.residual_pct(*[metrics.changes_W(x, 2) for x in (load_W, grid_W)]),
    }


def path_of(sample_ms: int) -> Path:
    """The simulated path that is most like the example cabinet's, by its load meter."""
    return PATHS["100f" if sample_ms == PATHS["100f"].sample_ms else "170"]


def power_of(load_W: np.ndarray) -> Callable:
    """t_s -> W for the rig; the load begins when the cabinet has started."""
    powers_W, last = load_W.tolist(), len(load_W) - 1
    return lambda t_s: powers_W[min(max(0, int((t_s - START_S) / TICK_S)), last)]


def _residual(rig: VirtualRig) -> dict | None:
    rows = rig.recorder.rows()
    rows = rows[rows["t_us"] >= START_S * 1e6]
    changes_W = []
    for name in ("load_W", "grid_W"):
        moved_W = np.abs(np.diff(window_means(rows["t_us"], rows[name])))
        changes_W.append(metrics.figures_W(moved_W))
    return metrics.residual_pct(*changes_W)
