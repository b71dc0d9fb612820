"""One load in each form on every path: load tracking ("ours") and the other control methods."""

from typing import NamedTuple

import numpy as np

from hil.campaigns.smooth import followers, loads, metrics, predictor, rules, simulator
from hil.campaigns.smooth.paths import PATHS, Path
from hil.campaigns.smooth.simulator import TICK_S
from hil.results import ratio

WAYS = ("ours", "plain", "predictor", "held back")
PICTURE_S, POINT_S = 60, 0.1
QUIET_kW = 1.0  # a load with a smaller range has none that could get less


class Cell(NamedTuple):
    """source: the load; paths: names of PATHS; seed: of the jitter. is_joined: samples joined by
    lines, else its other kinds; range_W_max: a stated 5 s range.
    """

    source: loads.Source
    paths: tuple
    seed: int
    is_joined: bool = False
    range_W_max: int | None = None


def played(cell: Cell) -> list:
    """Rows, one for each kind of the load and path: a dictionary of figures, as in the JSON."""
    load, rows = loads.read(cell.source), []
    others = [loads.read(source) for source in cell.source.runs()[: predictor.RUNS_MAX]]
    for kind in load.kinds:
        if (kind == loads.JOINED) != cell.is_joined:
            continue
        load_W = loads.ticks_W(load, kind, f"{cell.seed}/{cell.source.name}")
        others_W = [loads.ticks_W(each, kind, f"{cell.seed}/other") for each in others]
        about = {
            "load": cell.source.name,
            "kind": kind,
            "is_joined": cell.is_joined,
            "scale": load.scale,
            "seconds": len(load_W) * TICK_S,
            "is_cut": load.trace.duration_s > loads.LENGTH_S,
            "rows_refused": load.trace.rows_refused,
        }
        for name in cell.paths:
            rows.append(about | _row(load_W, others_W, PATHS[name]))
            if cell.range_W_max is not None:
                rows[-1]["strict"] = _strict(load_W, PATHS[name], cell.range_W_max)
    return rows


def _row(load_W: np.ndarray, others_W: list, path: Path) -> dict:
    seen_W = simulator.seen_W(load_W, path)
    guess_W = predictor.guess_W(load_W, others_W, path)
    guesses_W = seen_W, guess_W, predictor.held_back_W(guess_W, seen_W)
    ways: list[simulator.Follower] = [
        followers.Ours(seen_W, path),
        *[followers.Guessed(each_W, seen_W, path) for each_W in guesses_W],
    ]
    results = [simulator.run(follower, load_W, path) for follower in ways]
    peak_W = float(np.abs(load_W).max())
    return {
        "path": path.name,
        "delay_ms": path.delay_ms,
        "rules": {
            "no_battery": rules.figures_pct(load_W, peak_W),
            "ours": rules.figures_pct(results[0].grid_W, peak_W),
        },
        "no_battery": {"changes_W": _by_window(load_W), "range_300s_kW": metrics.range_kW(load_W)},
        "ways": {name: _figures(load_W, result, path) for name, result in zip(WAYS, results)},
        "picture": picture(load_W, results[0]),
    }


def _strict(load_W: np.ndarray, path: Path, range_W_max: int) -> dict:
    """What a stated 5 s range costs: 2 s residual and figures of the rules, both in %."""
    seen_W, track = simulator.seen_W(load_W, path), followers.function(path, None, range_W_max)
    grid_W = simulator.run(followers.Ours(seen_W, path, track), load_W, path).grid_W
    changes_W = [metrics.changes_W(power_W, 2) for power_W in (load_W, grid_W)]
    figures = rules.figures_pct(grid_W, float(np.abs(load_W).max()))
    return {"residual_pct": metrics.residual_pct(*changes_W), "rules": figures}


def _by_window(power_W: np.ndarray) -> dict:
    return {f"{s:g}": metrics.changes_W(power_W, s) for s in metrics.WINDOWS_S}


def _figures(load_W: np.ndarray, result: simulator.Result, path: Path) -> dict:
    of_load, of_grid = _by_window(load_W), _by_window(result.grid_W)
    gains = metrics.gains(load_W, result.grid_W, 1000 / path.sample_ms / 3)
    range_kW = metrics.range_kW(load_W)
    left_kW = metrics.range_kW(result.grid_W)
    return {
        "changes_W": of_grid,
        "residual_pct": {w: metrics.residual_pct(of_load[w], of_grid[w]) for w in of_load},
        "range_300s_kW": left_kW,
        "range_300s_less_pct": ratio.less_pct(left_kW, range_kW, QUIET_kW),
        "soc_pct": [100 * float(result.soc.min()), 100 * float(result.soc.max())],
        "gain": {f"{centre:g}": gain for centre, gain in gains.items()},
        "worst_gain": metrics.worst(gains),
    }


def picture(load_W: np.ndarray, result: simulator.Result) -> dict:
    """{from_s, load, grid, battery}: kW in steps of POINT_S around the grid's largest change."""
    ticks = round(PICTURE_S / TICK_S)
    moved_W = np.abs(np.diff(metrics.means_W(result.grid_W, 2)))
    middle = (int(moved_W.argmax()) + 1) * round(2 / TICK_S) if len(moved_W) else 0
    first = max(0, min(middle - ticks // 2, len(load_W) - ticks))
    powers_W = {"load": load_W, "grid": result.grid_W, "battery": result.battery_W}
    part = slice(first, first + ticks)
    return {"from_s": first * TICK_S} | {
        name: np.round(metrics.means_W(power_W[part], POINT_S) / 1000, 1).tolist()
        for name, power_W in powers_W.items()
    }
