"""The figures of a run, computed from its recorded rows, and the JSON document with them."""

import pathlib

import numpy as np

from controller.core.base import reasons
from controller.hints.hint_statistics import TOTALS
from controller.system import cli
from hil.observer.reactions import reaction_ms
from hil.results import files, ratio
from hil.results.recorder import Run
from hil.results.swing import swing_W, window_means, worst_moment

BEYOND_W = 500  # tolerance for dead band and quantum of the set-point, and for the meter's error


def swing_2s_pct(rows: np.ndarray, peak_W: float | None = None) -> dict[str, float | None]:
    """{load, grid, reduction}: 99th percentile of the absolute changes between consecutive 2 s
    means, in percent of peak_W (None: the load's peak); reduction = 100 (1 - grid / load). None:
    the run is too short, or the load hardly moves.
    """
    swings_W = {
        name: np.abs(np.diff(window_means(rows["t_us"], rows[name + "_W"])))
        for name in ("load", "grid")
    }
    if peak_W is None:
        peak_W = float(rows["load_W"].max()) if len(rows) else 0.0
    if not len(swings_W["load"]) or peak_W <= 0:
        return {"load": None, "grid": None, "reduction": None}
    load, grid = (
        100.0 * float(np.percentile(swings_W[name], 99)) / peak_W for name in ("load", "grid")
    )
    less = ratio.less_pct(grid, load, ratio.STILL_SWING_PCT)
    reduction = None if less is None else round(less, 2)
    return {"load": round(load, 3), "grid": round(grid, 3), "reduction": reduction}


def delay_ms(rows: np.ndarray) -> float | None:
    """Delay of the battery behind the load: the lag with the best correlation of their bends
    (second differences). The grid keeps the slow part of the load, so a correlation of the powers
    themselves would give a delay that is too short. None: load or battery hardly moves, or the
    correlation is below 0.3.
    """
    if len(rows) < 200:
        return None
    load_W = rows["load_W"]
    if float(np.ptp(load_W)) * 100.0 < ratio.STILL_RANGE_PCT * float(load_W.max()):
        return None
    step_us, lag_us_max = 20_000, 3_000_000
    t_us = np.arange(rows["t_us"][0], rows["t_us"][-1], step_us)
    load, battery = (
        _bends(np.interp(t_us, rows["t_us"], rows[name])) for name in ("load_W", "battery_W")
    )
    lags = min(lag_us_max // step_us, len(load) // 2)
    head = len(load) - lags
    scores = np.array(
        [float(np.dot(load[:head], battery[lag : lag + head])) for lag in range(lags)]
    )
    norm = float(np.sqrt(np.dot(load, load) * np.dot(battery, battery)))
    best = int(scores.argmax())
    if norm < 1.0 or scores[best] < 0.3 * norm:
        return None
    return round((best + _peak_offset(scores, best)) * step_us / 1000.0, 1)


def _bends(values: np.ndarray) -> np.ndarray:
    steps = 25  # 0.5 s: removes the meter's noise and keeps the edges
    return values[2 * steps :] - 2.0 * values[steps:-steps] + values[: -2 * steps]


def _peak_offset(scores: np.ndarray, best: int) -> float:
    """Top of the parabola through `best` and its neighbours, -0.5 .. 0.5 steps from `best`."""
    if not 0 < best < len(scores) - 1:
        return 0.0
    before, top, after = scores[best - 1 : best + 2]
    curvature = before - 2.0 * top + after
    return 0.5 * float((before - after) / curvature) if curvature < 0 else 0.0


def energy_kWh(rows: np.ndarray) -> dict[str, float]:
    """{load, grid, discharged, charged}: energies in kWh. Each sample holds until the next."""
    hours = np.diff(rows["t_us"], append=rows["t_us"][-1:]) / 3.6e9
    battery_kW = rows["battery_W"] / 1000.0
    powers_kW = {
        "load": rows["load_W"] / 1000.0,
        "grid": rows["grid_W"] / 1000.0,
        "discharged": battery_kW.clip(min=0),
        "charged": -battery_kW.clip(max=0),
    }
    return {name: round(float(np.dot(power_kW, hours)), 4) for name, power_kW in powers_kW.items()}


def metrics(rows: np.ndarray, from_us: float | None, to_us: float | None) -> dict:
    """Figures: swings, worst moment, charge, delay, energies, extremes.

    from_us: the figures begin here, for example when the limits are open. to_us: the delay is
    measured until here, for example until the first trip.
    """
    measured = rows if from_us is None else rows[rows["t_us"] >= from_us]
    tracked = measured if to_us is None else measured[measured["t_us"] < to_us]
    ends = rows["soc_permille"][[0, -1]] if len(rows) else (None, None)
    return {
        "swing_W": swing_W(measured),
        "worst_moment": worst_moment(measured),
        "swing_2s_pct": swing_2s_pct(measured),
        "soc_pct": {
            name: None if permille is None else round(float(permille) / 10.0, 3)
            for name, permille in zip(("start", "end"), ends)
        },
        "delay_ms": delay_ms(tracked),
        "energy_kWh": energy_kWh(rows),
        "measured_from_s": 0.0 if from_us is None else from_us / 1e6,
        "simulated_s": round(float(rows["t_us"][-1] - rows["t_us"][0]) / 1e6, 3)
        if len(rows)
        else 0.0,
        "load_W_max": _highest(rows["load_W"]),
        "grid_W_max": _highest(rows["grid_W"]),
        "battery_W_max_abs": _highest(np.abs(rows["battery_W"])),
        "battery_W": {
            "power_W_min": -(_highest(-rows["battery_W"]) or 0.0),
            "power_W_max": _highest(rows["battery_W"]) or 0.0,
        },
        "temperature_degC_max": _highest(rows["temperature_degC_max"]),
    }


def _highest(values: np.ndarray) -> float | None:
    return round(float(values.max()), 1) if len(values) else None


def limited_s(rows: np.ndarray) -> dict[str, float]:
    """{reason code: s} for the limits that held the battery back."""
    steps_s, codes = _steps_s(rows), [int(code) for code in np.unique(rows["limit_reason"]) if code]
    return {
        reasons.label(code): round(float(steps_s[rows["limit_reason"] == code].sum()), 2)
        for code in codes
    }


def overload(rows: np.ndarray, carried_W: float) -> dict[str, float]:
    """{s, W_max}: time and highest excess of the load above carried_W."""
    excess_W = rows["load_W"] - carried_W
    return {
        "s": round(float(_steps_s(rows)[excess_W > 0].sum()), 2),
        "W_max": max(0.0, _highest(excess_W) or 0.0),
    }


def _steps_s(rows: np.ndarray) -> np.ndarray:
    return np.diff(rows["t_us"], append=rows["t_us"][-1:]) / 1e6


def beyond(rows: np.ndarray, connection_W: dict, window_ms: int) -> dict:
    """{window_ms, import: {limit_W, s, W_max}, export: ...}: excess of the grid's mean over
    window_ms above the connection. A shorter window would show each unannounced step.
    """
    excesses: dict = {"window_ms": window_ms}
    steps_s = _steps_s(rows)
    work_J = np.append(0.0, np.cumsum(rows["grid_W"] * steps_s))
    times_s = np.append(0.0, np.cumsum(steps_s))
    window_s = window_ms / 1000
    ends_s = times_s[times_s >= window_s]
    work_before_J = np.interp(ends_s - window_s, times_s, work_J)
    means_W = (work_J[len(work_J) - len(ends_s) :] - work_before_J) / window_s
    for way, sign in (("import", 1), ("export", -1)):
        excess_W = sign * means_W - connection_W[way]
        is_beyond = excess_W > BEYOND_W
        excesses[way] = {
            "limit_W": connection_W[way],
            "s": round(float(np.diff(ends_s, prepend=ends_s[:1])[is_beyond].sum()), 2),
            "W_max": max(0.0, _highest(excess_W[is_beyond]) or 0.0),
        }
    return excesses


def document(run: Run, extra: dict, from_us: float | None = None) -> dict:
    """The JSON document of a run. Later versions only add keys. extra: further keys, with the
    totals of `hints`.
    """
    hints = dict.fromkeys(TOTALS, 0) | extra.pop("hints", {})
    return {
        "ticks": run.loop["ticks"],
        "missed": run.loop["missed"],
        "lateness_us": run.loop.get("lateness_us") or dict.fromkeys(("p50", "p99", "p99_9", "max")),
        "reaction_ms": reaction_ms(run.timeline),
        "trips": run.trips,
        "hints": hints,
        "load": run.load,
        **metrics(run.rows, from_us, 1e6 * run.trips[0]["t_s"] if run.trips else None),
        "timeline": [[time_us / 1e6, name, detail] for time_us, name, detail in run.timeline],
        "violations": run.violations,
        "units": list(run.units),
        **({"pauses": list(run.pauses)} if run.pauses else {}),
        **extra,
    }


def write_json(path: str | pathlib.Path, doc: dict) -> None:
    """Write the document, indented. ValueError: a figure is NaN."""
    text = cli.as_json(doc, allow_nan=False)
    with files.naming(path), open(path, "w", encoding="ascii") as file:
        file.write(text + "\n")
