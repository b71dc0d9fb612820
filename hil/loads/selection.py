"""Which load a run has: from the command line, from its scenario, or the built-in synthetic
cluster.
"""

from typing import NamedTuple

from hil.loads import trace as traces
from hil.scenarios.scenario import step_load

# a trace begins after the cabinet has started (2 s) and its limits have recovered to rated (20 s)
START_S = 30.0
# a run that leaves less than this after START_S is measured from its beginning
MEASURED_S_MIN = 10.0


class Load(NamedTuple):
    """power: t_s -> W for the plant; about: the document's `load`; duration_s: of the run; from_us:
    where the figures of the load begin, None = at the start of the run.
    """

    power: object
    about: dict
    duration_s: object
    from_us: object


def load_of(order, scenario=None):
    """Load from an order dict (file, column, scale, raw, seed, duration_s). Raises LoadError."""
    if order.get("file"):
        return _trace(
            order["file"], order.get("column"), order.get("scale", 1.0), order.get("raw", False)
        )
    chosen = scenario.load if scenario else {"kind": "synthetic"}
    if chosen["kind"] == "file":
        return _trace(chosen["file"], chosen["column"], chosen["scale"], chosen["raw"])
    duration_s = order.get("duration_s") or scenario.duration_s
    if chosen["kind"] == "steps":
        return Load(step_load(chosen["steps_kW"]), _about("steps"), duration_s, None)
    trace = traces.synthetic_load(order["seed"], max(duration_s, 1.0))
    is_long = scenario is None and duration_s > START_S + MEASURED_S_MIN
    return Load(trace, _about("synthetic"), duration_s, round(START_S * 1e6) if is_long else None)


def _about(column):
    return {"file": None, "column": column, "scale": 1.0, "rows_refused": 0}


def _trace(path, column, scale, raw):
    trace = traces.read_trace(path, column, scale=scale, raw=raw)

    def power(t_s):
        return trace(t_s - START_S)

    about = {
        "file": path,
        "column": trace.column,
        "scale": scale,
        "rows_refused": trace.rows_refused,
        "rows_read": trace.rows_read,
        "gaps_cut": trace.gaps_cut,
    }
    return Load(power, about, START_S + trace.duration_s, round(START_S * 1e6))
