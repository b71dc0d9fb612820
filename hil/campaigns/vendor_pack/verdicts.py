"""Judges each test by the limits of a GPU vendor's battery guide.

T1 follows the guide v1.0. The limits of the other tests are a third party's reading of v0.4, so
each of them is printed with (?).
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from controller.audit import judge, rules
from controller.recorder.limits import Limits
from hil.results.audited import RunSource

T1_PERCENT, SETTLED_S = 0.5, 3.0
FLAT_MS_MAX, LOG_DAYS = 1000.0, 7
T4_PERCENT_PER_S, TRACKING_PERCENT = 20.0, 2.0
FAST_S, SLOW_S, REACHED = 2.0, 60.0, 0.02
DRIFT_PERCENT, SOC_LOW, SOC_HIGH = 5.0, 0.2, 0.8
Rows = Sequence[tuple[float, ...]]


class Findings(NamedTuple):
    """Findings of a test. answers: [(what is asked, what was found, True if met)]. columns: names
    of the values of a row, with the time first; drawn: the columns of the picture, with their
    factor.
    """

    is_met: bool
    line: str
    answers: list[tuple[str, str, bool]]
    columns: tuple[str, ...]
    rows: Rows
    drawn: tuple[tuple[str, float, str], ...]  # (column, factor, label with unit)


def _judged(line: str, answers: list[tuple[str, str, bool]], *shown: Any) -> Findings:
    """Findings that are met if every answer is met. shown: columns, rows, drawn."""
    return Findings(all(is_met for _, _, is_met in answers), line, answers, *shown)


def t1(rows: Rows, tick_ms: int, ends_s: Sequence[float]) -> Findings:
    """Judges the power at each share, at the terminals and as reported, and then the logs."""
    control, reported, metered = _greatest_errors(rows, ends_s)
    flat = _longest_flat([row[5] for row in rows])
    gaps = sum(b[0] - a[0] > 1.5 * tick_ms / 1000 for a, b in zip(rows, rows[1:]))
    tick = f"one tick of {tick_ms} ms"
    kept_days = Limits().fast_days
    limit = f"within {T1_PERCENT} % of the reading"
    answers = [
        (
            f"active power as the converter reports it, {limit}",
            f"{reported:.2f} %",
            reported <= T1_PERCENT,
        ),
        (
            f"active power as the grid meter reports it, {limit}",
            f"{metered:.2f} %",
            metered <= T1_PERCENT,
        ),
        (f"reactive power {limit}", "no: the controller commands and records none", False),
        ("time stamps within 5 ms", f"no: {tick}", False),
        ("event stamps of 1 ms", f"no: {tick}", False),
        (
            "no channel missing, none flat",
            f"{gaps} gaps in {rows[-1][0] - rows[0][0]:.0f} s, grid meter flat for {flat} ticks",
            not gaps and flat * tick_ms <= FLAT_MS_MAX,
        ),
        (
            f"logs held for {LOG_DAYS} days",
            f"the recorder's ring of ticks holds {kept_days} days unless --fast-days says else",
            kept_days >= LOG_DAYS,
        ),
    ]
    line = (
        f"reported power within {reported:.2f} % of the reading, power as asked within "
        f"{control:.2f} % of it, of simulated devices without an error; stamps: no: {tick}"
    )
    columns = "t_s", "asked_W", "battery_W", "reported_W", "grid_W", "grid_meter_W"
    drawn = ("asked_W", 1e-3, "asked, kW"), ("battery_W", 1e-3, "battery, kW")
    return _judged(line, answers, columns, rows, drawn)


def _greatest_errors(rows: Rows, ends_s: Sequence[float]) -> list[float]:
    """Greatest errors, %, of the battery, of the converter's report and of the grid meter."""
    errors = []
    for end_s in ends_s:
        part = [row[1:] for row in rows if end_s - SETTLED_S < row[0] <= end_s]
        wanted_W, battery_W, report_W, grid_W, meter_W = np.mean(part, axis=0).tolist()
        pairs = (battery_W, wanted_W), (report_W, battery_W), (meter_W, grid_W)
        errors.append([100 * abs(real_W - ideal_W) / abs(ideal_W) for real_W, ideal_W in pairs])
    return [max(column) for column in zip(*errors)]


def _longest_flat(values: Sequence[float]) -> int:
    longest = count = 0
    for before, value in zip(values, values[1:]):
        count = count + 1 if value == before else 0
        longest = max(longest, count)
    return longest


def t4(rows: Rows, recorded: np.ndarray, from_s: float, rated_W: float) -> Findings:
    """Judges the grid's ramp by the rule `nvidia_t4` of the audit, and tracking by 1 s means of the
    battery's power and its set-point.
    """
    audit = judge.audit(RunSource(recorded, from_s), rules.load("nvidia_t4"), None)
    shares = {
        verdict.series: 100 * verdict.value / audit.site_MW
        for verdict in audit.verdicts
        if verdict.value is not None
    }
    grid, load = shares[judge.SERIES[judge.GRID]], shares[judge.SERIES[judge.LOAD]]
    ticks = round(1 / (rows[1][0] - rows[0][0]))
    off_W = [row[3] - row[4] for row in rows]
    means_W = np.convolve(off_W, np.ones(ticks) / ticks, "valid")
    error = float(100 * np.abs(means_W).max() / rated_W)
    asked = f"grid at most {T4_PERCENT_PER_S:g} % of the load's peak per second (?)"
    answers = [
        (asked, f"{grid:.1f} % (load alone {load:.1f} %)", grid <= T4_PERCENT_PER_S),
        (
            f"tracking within {TRACKING_PERCENT:g} % (?): 1 s means of battery and set-point",
            f"{error:.1f} % of rated",
            error <= TRACKING_PERCENT,
        ),
    ]
    line = f"steepest second of the grid {grid:.1f} %/s, load alone {load:.1f} %/s"
    columns = "t_s", "load_W", "grid_W", "battery_W", "setpoint_W"
    drawn = ("load_W", 1e-3, "load, kW"), ("grid_W", 1e-3, "grid, kW")
    return _judged(line, answers, columns, rows, drawn)


def t6(rows: Rows, load_W: float, less_W: float) -> Findings:
    """Judges the time until the grid has fallen by less_W, after a limit and after a request."""
    answers = []
    texts = []
    for column, name, most_s in (
        (1, "fast: a limit of the import", FAST_S),
        (2, "slow: a request, at the ramp of its source", SLOW_S),
    ):
        goal_W = load_W - (1 - REACHED) * less_W
        late = [row[0] for row in rows if row[column] > goal_W + 0.02 * less_W + 2000]
        took_s = late[-1] if late else 0.0
        is_met = took_s <= most_s and took_s < rows[-1][0] - 1
        answers.append((f"{name}, within {most_s:g} s (?)", f"{took_s:.2f} s", is_met))
        texts.append(f"{took_s:.2f} s")
    line = f"grid lower by {less_W / 1000:.0f} kW after {texts[0]} by limit, {texts[1]} by request"
    columns = "t_s", "grid_by_limit_W", "grid_by_request_W"
    drawn = (
        ("grid_by_limit_W", 1e-3, "grid, by limit, kW"),
        ("grid_by_request_W", 1e-3, "grid, by request, kW"),
    )
    return _judged(line, answers, columns, rows, drawn)


def t10(rows: Rows, moments_s: Sequence[float], stages: list[str], is_running: bool) -> Findings:
    """Judges whether the island carried each step."""
    dark = [row for row in rows if not row[4] and row[0] >= moments_s[0]]
    short_W = max(row[1] - row[2] for row in rows if row[0] >= moments_s[0])
    gap_ms = 1000 * sum(not row[4] for row in rows) * (rows[1][0] - rows[0][0])
    is_carried = not dark and short_W < 1 and is_running
    carried = "carried" if is_carried else f"not carried: up to {short_W / 1000:.0f} kW short"
    answers = [
        ("steps of 10, 25 and 50 % of rated in an island (?)", carried, is_carried),
        ("no stop, no stage of the matrix", ", ".join(stages) or "none", not stages),
        ("voltage and frequency in the step", "EMT: not provable here", False),
        ("start from a dark bus", f"not played: the island forms after {gap_ms:.0f} ms", False),
    ]
    line = f"three steps {carried}, power alone: the rig has no dynamics of the voltage"
    columns = "t_s", "load_wanted_W", "load_W", "battery_W", "is_live"
    drawn = ("load_W", 1e-3, "load, kW"), ("battery_W", 1e-3, "battery, kW")
    return Findings(is_carried and not stages, line, answers, columns, rows, drawn)


def t11(rows: Rows, mode: str) -> Findings:
    """Judges how the charge changed in a day."""
    charges = [row[1] for row in rows]
    drift = 100 * (charges[-1] - charges[0])
    low, high = min(charges), max(charges)
    answers = [
        (
            f"charge within {DRIFT_PERCENT:g} % after 24 h (?)",
            f"{drift:+.1f} %",
            abs(drift) <= DRIFT_PERCENT,
        ),
        (
            "between 20 and 80 % (?)",
            f"{100 * low:.1f} .. {100 * high:.1f} %",
            low >= SOC_LOW and high <= SOC_HIGH,
        ),
    ]
    line = f"charge {drift:+.1f} % in 24 h, {100 * low:.1f} .. {100 * high:.1f} % ({mode})"
    columns, drawn = ("t_s", "charge", "load_W", "grid_W"), (("charge", 100.0, "charge, %"),)
    return _judged(line, answers, columns, rows, drawn)


def plain(findings: Findings) -> dict[str, Any]:
    """The findings as plain data, which the runner keeps."""
    rows = [[round(float(value), 6) for value in row] for row in findings.rows]
    return findings._asdict() | {"rows": rows}
