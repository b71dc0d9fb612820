"""Chooses the load of a run: from the command line, its scenario, or the built-in job."""

import math
from typing import Any, Protocol

from controller.config.cabinet_config import Config
from controller.core.base.hint_codes import EXPORT_W_MAX, IMPORT_W_MAX
from hil.loads import reader, shape
from hil.loads.trace import Load, Power, step_load, synthetic_load

# A file begins when the cabinet has started (3 s) and its limits have recovered to rated (20 s).
START_S = 30.0
SYNTHETIC_W = 400_000.0
PEAK_W = 284_000.0  # default peak of a load; it fits the example cabinet


class Chosen(Protocol):
    """The part of a scenario that chooses the load. `load` contains `kind`."""

    @property
    def load(self) -> dict[str, Any]:
        """The scenario's table [load]."""

    @property
    def duration_s(self) -> float:
        """Length of the run, s."""


def battery_W(config: Config) -> float:
    """Power that all units together can charge and discharge at half charge, W."""
    racks_W = [0.0] * len(config.unit_tables)
    for rack in config.rack_tables:
        lowest_V = rack["cells"] * rack["discharge_taper_mV"] / 1000
        racks_W[rack["unit"]] += lowest_V * rack["rated_current_mA"] / 1000
    limits = ("rated_W", "installer_charge_W_max", "installer_discharge_W_max")
    units_W = [[unit[name] for name in limits] for unit in config.unit_tables]
    return math.fsum(min(of_racks_W, *unit_W) for of_racks_W, unit_W in zip(racks_W, units_W))


def connection_W(config: Config, has_hints: bool) -> dict:
    """{import, export}: limits of the grid connection, W. A source that sends no hints uses its
    fallback limits, so these count too, unless has_hints.
    """
    limits_W = {}
    for direction, quantity in (("import", IMPORT_W_MAX), ("export", EXPORT_W_MAX)):
        sources = () if has_hints else config.sources
        fallbacks_W = [source.fallback[quantity] for source in sources]
        set_W = [limit_W for limit_W in fallbacks_W if limit_W is not None]
        limits_W[direction] = min([config.control[f"grid_{direction}_W_max"], *set_W])
    return limits_W


def carried_W(config: Config) -> float:
    """Highest load that grid connection and battery can carry together, W."""
    return config.control["grid_import_W_max"] + battery_W(config)


def peak_W(config: Config) -> float:
    """Highest power of a training job for this cabinet, rounded down to kW. The battery must carry
    the step from idle; the connection must carry the job alone.
    """
    fits_W = min(battery_W(config) / (1.0 - shape.IDLE[0]), config.control["grid_import_W_max"])
    return fits_W // 1000 * 1000


def load_of(order: dict, scenario: Chosen | None = None) -> Load:
    """The load that the run's options choose: file, column, scale, raw, seed, duration_s, peak_W.
    Raises LoadError.
    """
    chosen: dict[str, Any] = scenario.load if scenario else {"kind": "training"}
    if order.get("file"):
        chosen = {"kind": "file", "column": None, "scale": 1.0, "raw": False, **order}
    kind = chosen["kind"]
    if kind == "file":
        return _file(chosen["file"], chosen["column"], chosen["scale"], chosen["raw"])
    duration_s = order.get("duration_s") or (scenario.duration_s if scenario else 0.0)
    if kind == "steps":
        power: Power = step_load(chosen["steps_kW"])
    else:
        highest_W = SYNTHETIC_W if kind == "synthetic" else order.get("peak_W", PEAK_W)
        power = synthetic_load(order["seed"], max(duration_s, 1.0), highest_W, kind)
    about = {"file": None, "column": kind, "scale": 1.0, "rows_refused": 0}
    return Load(power, about, duration_s, None)


def _file(path: str, column: str | None, scale: float, raw: bool) -> Load:
    trace = reader.read_trace(path, column, scale=scale, raw=raw)
    about = {"file": path, "column": trace.column, "scale": scale}
    about |= {name: getattr(trace, name) for name in ("rows_refused", "rows_read", "gaps_cut")}
    from_us = round(START_S * 1e6)
    return Load(lambda t_s: trace(t_s - START_S), about, START_S + trace.duration_s, from_us)
