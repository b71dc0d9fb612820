"""Checks that load tracking follows each load or does no harm, and is better than simple rivals.

On steps that cannot be predicted, no battery can both follow the load and do no harm (second study
of load tracking, chapter 2). So a load passes in one of two ways: its figures are at most those of
plain following, or at most those without a battery. Joined samples and slow paths are not judged.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

FIGURES = ("range_5s", "change_15s", "line")
WITHIN = 1.0  # tolerance, points
KINDS, PATHS = ("as is", "held"), ("50", "60", "100f")
FOLLOWS, HARMLESS, NEITHER = "follows", "harms nobody", "neither"
BESIDE = {"plain": FOLLOWS, "no_battery": HARMLESS}
OTHERS = {
    "plain": "plain following",
    "high_pass": "high pass of 60 s",
    "ramp_limit": "ramp limit of 0.2 %/s",
    "no_battery": "no battery",
}
MEANS = {"range_5s": "range in 5 s", "line": "line", "rms_2s": "2 s rms"}
Row = Mapping[str, Any]  # figures of a load, or their means


def door(row: Row) -> str | None:
    """The way in which a load passes, or NEITHER; None: it is not judged."""
    rules = row["rules"]
    if row["kind"] not in KINDS or row["path"] not in PATHS or rules["ours"]["line"] is None:
        return None
    for way, name in BESIDE.items():
        if all(rules["ours"][figure] <= rules[way][figure] + WITHIN for figure in FIGURES):
            return name
    return NEITHER


def means(rows: Sequence[Row]) -> list[Row]:
    """A row for each judged path: {path, loads, ours and each of OTHERS: % of each figure}."""
    averages: list[Row] = []
    for path in PATHS:
        judged = [row for row in rows if row["path"] == path and door(row)]
        if not judged:
            continue
        of_path: dict[str, Any] = {"path": path, "loads": len(judged)}
        for way in ("ours", *OTHERS):
            rms = [row["rms_2s_pct"].get(way, 100.0) for row in judged]
            of_path[way] = {
                **{
                    figure: _mean([row["rules"][way][figure] for row in judged])
                    for figure in MEANS
                    if figure != "rms_2s"
                },
                "rms_2s": _mean([rms_pct for rms_pct in rms if rms_pct is not None]),
            }
        averages.append(of_path)
    return averages


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values) if values else 0.0


def lines(averages: Sequence[Row]) -> list[str]:
    """The means as a table."""
    head = [f"means of the judged loads{'path':>6}  {', '.join(MEANS.values())}"]
    return head + [
        f"{name:25}{average['path']:>6}  "
        + "".join(f"{average[way][figure]:10.2f}" for figure in MEANS)
        for average in averages
        for way, name in {"ours": "ours", **OTHERS}.items()
    ]


def missed(rows: Sequence[Row], averages: Sequence[Row]) -> list[str]:
    """A line for each load that passes in neither way, and each mean with a better rival."""
    return [
        f"{row['load']}, {row['kind']}, {row['path']} ms: neither follows nor harms nobody"
        for row in rows
        if door(row) == NEITHER
    ] + [
        f"{average['path']} ms: mean of {MEANS[figure]} {average['ours'][figure]:.2f}, "
        f"{OTHERS[way]} {average[way][figure]:.2f}"
        for average in averages
        for way in OTHERS
        for figure in MEANS
        if average["ours"][figure] > average[way][figure]
    ]
