"""`python -m hil meter-sign`: trials of the coded step by load, wiring and path."""

import statistics
from argparse import Namespace
from collections import Counter
from typing import Any

from controller.core.policies.meter_sign import PROVEN, REVERSED
from controller.core.policies.meter_statistics import ERROR_PARTS
from hil.campaigns.meter_sign import trials
from hil.engine.arguments import whole
from hil.runner import options, report
from hil.runner.cases import Runner

OPTIONS = (
    options.CASES
    | options.LOADS
    | {
        "--trials": options.value(
            whole(1, 1_000_000),
            "NUMBER",
            "of each load, wiring, with and without a load meter (%(default)s)",
            100,
        )
    }
)


CELL = ("load", "wiring", "load_meter", "path")


def run(arguments: Namespace) -> int:
    """Try all; MET if no trial decided wrongly, and no measured delay is off by more than 30 %."""
    traces = trials.measured(arguments.loads) if arguments.loads else {}
    cells = [
        (load, wiring, is_beside, path)
        for path in trials.PATHS
        for load in (*trials.SYNTHETIC, *traces)
        for wiring in (trials.WIRINGS if path == trials.USUAL else ("right",))
        for is_beside in (True, False)
    ]

    def tried(cell: tuple[str, str, bool, str]) -> dict[str, Any]:
        *what, path = cell
        seeds = [f"{arguments.seed}/{tuple(what)}/{count}" for count in range(arguments.trials)]
        results = [
            trials.result_of(trials.Trial._make([*what, seed, path]), traces) for seed in seeds
        ]
        return dict(zip(CELL, cell)) | _figures(results, cell[1])

    with Runner(arguments) as runner:
        rows = runner.play(cells, tried, name=lambda cell: " / ".join(map(str, cell)))
    wrong, count = sum([row["wrong"] for row in rows]), len(rows) * arguments.trials
    found = {path: _delays([row for row in rows if row["path"] == path]) for path in trials.PATHS}
    far = sum([delays["far"] for delays in found.values()])
    closing = [
        f"seed       {arguments.seed}",
        *map(_line, rows),
        *[_delay_line(path, delays) for path, delays in found.items()],
        report.verdict(
            f"{wrong} of {count} trials decided wrongly, allowed is 1 in 10 000; {far} measured "
            f"delays off by more than 30 %, allowed is 0"
        ),
    ]
    shown = [{name: row[name] for name in row if name != "errors"} for row in rows]
    head = {"seed": arguments.seed, "trials": arguments.trials, "wrong": wrong}
    document = {**head, "delays": found, "rows": shown}
    is_good = wrong * ERROR_PARTS <= count and not far
    return report.finish(arguments, document, closing, is_good)


def _figures(results: list[trials.Result], wiring: str) -> dict[str, Any]:
    """{result: how many, "wrong": how many, "median_s": until a decision or None, "errors":
    (measured, true delay) in ms of each proven trial, "delay": _delays of this cell} of a cell.
    """
    found = Counter([trials.RESULTS[each.code] for each in results])
    decided = [each.ticks for each in results if each.code in (PROVEN, REVERSED)]
    wrong = len([each for each in results if each.code in trials.WRONG[wiring]])
    median_s = statistics.median(decided) * trials.TICK_MS / 1000 if decided else None
    errors = [(each.measured_ms, each.true_ms) for each in results if each.code == PROVEN]
    row = {"wrong": wrong, "median_s": median_s, "errors": errors}
    return {name: found[name] for name in trials.RESULTS} | row | {"delay": _delays([row])}


def _delays(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """{"proven", "unmeasured", "off" (by more than 15 % and 15 ms), "far" (by more than 30 %): how
    many; "median_ms", "p95_ms", "worst_ms": error of the measured delays, None without}.
    """
    pairs = [pair for row in rows for pair in row["errors"]]
    measured = [(abs(found_ms - true_ms), true_ms) for found_ms, true_ms in pairs if found_ms]
    errors_ms = sorted([error_ms for error_ms, _ in measured])
    at = {"median_ms": len(errors_ms) // 2, "p95_ms": len(errors_ms) * 95 // 100, "worst_ms": -1}
    return {
        "proven": len(pairs),
        "unmeasured": len(pairs) - len(measured),
        "off": len([1 for error_ms, true_ms in measured if error_ms > max(15, 0.15 * true_ms)]),
        "far": len([1 for error_ms, true_ms in measured if error_ms > 0.3 * true_ms]),
        **{name: round(errors_ms[place], 1) if measured else None for name, place in at.items()},
    }


def _line(row: dict[str, Any]) -> str:
    after = f", after {row['median_s']:.1f} s" if row["median_s"] else ""
    counts = ", ".join([f"{row[name]} {name}" for name in trials.RESULTS if row[name]])
    meter = "load meter" if row["load_meter"] else "without   "
    delay = _delay_words(row["delay"]) if row["wiring"] == "right" else ""
    return f"{row['path']:14} {row['load']:20} {meter} {row['wiring']:12} {counts}{after}{delay}"


def _delay_words(delays: dict[str, Any]) -> str:
    if not delays["proven"]:
        return ""
    words = f"; delay unmeasured {delays['unmeasured']}"
    if delays["median_ms"] is None:
        return words
    errors = [f"{delays[name]:.0f}" for name in ("median_ms", "p95_ms", "worst_ms")]
    return f"{words}, error median {errors[0]}, 95 % {errors[1]}, worst {errors[2]} ms"


def _delay_line(path: str, delays: dict[str, Any]) -> str:
    return (
        f"{path:14} {delays['proven']} proven{_delay_words(delays)}; {delays['off']} off by more "
        f"than 15 % and 15 ms"
    )


add = options.command(
    "meter-sign",
    "how surely the coded step finds a reversed grid meter",
    run,
    options.JSON | options.SEED | OPTIONS,
)
