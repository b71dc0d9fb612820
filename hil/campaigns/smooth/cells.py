"""Plays one load with load tracking ("ours") and with plain following, on every path.

A path is the way from the load meter to the battery (paths.py). A load has several kinds: ways to
fill the time between its samples (loads.py).
"""

from typing import NamedTuple

import numpy as np

from hil.campaigns.smooth import followers, loads, metrics, rules, simulator
from hil.campaigns.smooth.paths import PATHS, Path
from hil.results import ratio

WAYS = ("ours", "plain")
QUIET_kW = 1.0  # a load with a smaller range is too quiet to be made calmer


class Cell(NamedTuple):
    """A load that is played on paths."""

    source: loads.Source
    paths: tuple  # names of PATHS
    seed: int  # of the jitter
    is_joined: bool = False  # true: only samples joined by lines; false: all other kinds
    range_W_max: int | None = None  # a 5 s range that the site states


def played(cell: Cell) -> list:
    """A row of figures, as in the JSON, for each kind of the load and each path."""
    load, rows = loads.read(cell.source), []
    for kind in load.kinds:
        if (kind == loads.JOINED) != cell.is_joined:
            continue
        load_W = loads.ticks_W(load, kind, f"{cell.seed}/{cell.source.name}")
        about = {
            "load": cell.source.name,
            "kind": kind,
            "is_joined": cell.is_joined,
            "scale": load.scale,
            "seconds": len(load_W) * simulator.TICK_S,
            "is_cut": load.trace.duration_s > loads.LENGTH_S,
            "rows_refused": load.trace.rows_refused,
        }
        for name in cell.paths:
            rows.append(about | _row(load_W, PATHS[name]))
            if cell.range_W_max is not None:
                rows[-1]["strict"] = _strict(load_W, PATHS[name], cell.range_W_max)
    return rows


def _row(load_W: np.ndarray, path: Path) -> dict:
    seen_W = simulator.seen_W(load_W, path)
    peak_W = float(np.abs(load_W).max())
    plain = simulator.run(followers.Plain(seen_W, path), load_W, path)
    results = followers.ours(load_W, path), plain
    rivals = {
        name: simulator.run(rival(seen_W, peak_W), load_W, path).grid_W
        for name, rival in followers.RIVALS.items()
    }
    grids_W = {**dict(zip(WAYS, [outcome.grid_W for outcome in results])), **rivals}
    return {
        "path": path.name,
        "delay_ms": path.delay_ms,
        "rules": {
            "no_battery": rules.figures_pct(load_W, peak_W),
            **{name: rules.figures_pct(grid_W, peak_W) for name, grid_W in grids_W.items()},
        },
        "rms_2s_pct": {name: rms_2s_pct(load_W, grid_W) for name, grid_W in grids_W.items()},
        "no_battery": {"changes_W": _by_window(load_W), "range_300s_kW": metrics.range_kW(load_W)},
        "ways": {name: _figures(load_W, result) for name, result in zip(WAYS, results)},
    }


def _strict(load_W: np.ndarray, path: Path, range_W_max: int) -> dict:
    """Figures of the load with a stated 5 s range: residual of 2 s means, figures of the rules and
    the stated range, %.
    """
    grid_W = followers.ours(load_W, path, followers.function(path, None, range_W_max)).grid_W
    peak_W = float(np.abs(load_W).max())
    return {
        "rms_2s_pct": rms_2s_pct(load_W, grid_W),
        "rules": rules.figures_pct(grid_W, peak_W),
        "stated_pct": 100 * range_W_max / peak_W,
    }


def rms_2s_pct(load_W: np.ndarray, grid_W: np.ndarray) -> float | None:
    """Residual of the means of 2 s, % of the load's; None: the load is too short or hardly
    moves.
    """
    changes_W = [metrics.changes_W(power_W, 2) for power_W in (load_W, grid_W)]
    residual_pct = metrics.residual_pct(*changes_W)
    return None if residual_pct is None else residual_pct["rms"]


def _by_window(power_W: np.ndarray) -> dict:
    return {f"{s:g}": metrics.changes_W(power_W, s) for s in metrics.WINDOWS_S}


def _figures(load_W: np.ndarray, result: simulator.Result) -> dict:
    of_load, of_grid = _by_window(load_W), _by_window(result.grid_W)
    range_kW = metrics.range_kW(load_W)
    left_kW = metrics.range_kW(result.grid_W)
    return {
        "changes_W": of_grid,
        "residual_pct": {w: metrics.residual_pct(of_load[w], of_grid[w]) for w in of_load},
        "range_300s_kW": left_kW,
        "range_300s_less_pct": ratio.less_pct(left_kW, range_kW, QUIET_kW),
        "soc_pct": [100 * float(result.soc.min()), 100 * float(result.soc.max())],
    }
