"""`python -m hil plan --weeks` plans past months and compares the planner with its bounds."""

import math
from argparse import Namespace
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from controller.forms.refusal import ConfigError
from hil.engine.arguments import number, whole
from hil.runner import options, report
from hil.runner.cases import Runner
from hil.systems import back_tests, measured, pasts, plan_without, spec
from hil.systems.pasts import Case

# {system or system/variant: (goal of the saving, goal of the peak cut)}. Goals are in percent of
# perfect foresight.
GOALS: dict[str, tuple[int, int | None]] = {
    "berlin": (85, 80),
    "norway/weekday": (75, 85),
    "norway": (55, 45),
    "nordic": (35, 25),
    "nordic/small": (80, 90),
    "north_america": (75, 70),
    "shanghai": (95, None),
}
WORSE_PERMILLE = 2.5  # a month may be worse than no battery by this share of the bill (assumed)
HEAD = "{:<22} {:>9} {:>8} {:>8} {:>8} {:>6} {:>6} {:>6} {:>6} {:>9} {:>9} {:>9} {:>9}  {}".format
COLUMNS = (
    "system, month", "bill", "saved", "rules", "optimum", "share%", "goal%", "cut%", "goal%",
    "cycles", "most kW", "above kWh", "p50/p99 ms", "",
)  # fmt: skip
OPTIONS: options.Options = {
    "system": {
        "nargs": "?",
        "metavar": "SYSTEM",
        "default": "all",
        "help": "berlin, norway/weekday, ...: a system or one of its variants (all of the goals)",
    },
    "--weeks": {
        "nargs": "?",
        "type": whole(1, 5),
        "metavar": "N",
        "const": 4,
        "default": 4,
        "help": "of each month (4); 5: the whole month",
    },
    "--months": options.value(str, "LIST", "of the year (%(default)s)", "1,4,7,10"),
    "--data": options.value(str, "DIR", "measured loads, prices and sun, not the built-in ones"),
    "--year": options.value(whole(1900, 2100), "YEAR", "of the prices of --data"),
    "--yields": options.value(
        number(0, 50),
        "PERCENT",
        "of the highest load, for 20 h a month: what a load that yields is worth",
    ),
    "--without": {
        "nargs": "+",
        "metavar": "PART",
        "choices": ("all", *plan_without.PARTS),
        "help": f"what a part earns: all, {', '.join(plan_without.PARTS)}",
    },
    "--tariff": options.value(str, "FILE", "a file with another [tariff], for each system"),
    "--site": options.value(str, "FILE", "a planner.toml, with --series"),
    "--series": options.value(str, "DIR", "its load.csv, prices.csv, pv.csv: all their months"),
}
Row = dict[str, Any]  # result of back_tests.judged


def main(arguments: Namespace) -> int:
    """Plan each month again and print. Returns the exit code."""
    if bool(arguments.site) != bool(arguments.series):
        raise ConfigError("--site and --series: allowed are both, or none of them")
    tariff = pasts.tariff_of(arguments.tariff) if arguments.tariff else None
    works = _works(arguments)  # wrong files are refused before the first month is planned
    with Runner(arguments) as runner:
        if arguments.without:
            is_all = "all" in arguments.without
            parts = list(plan_without.PARTS) if is_all else arguments.without
            report.write_json(arguments.json, plan_without.run(works, parts, runner))
            return report.MET
        rows = runner.play(
            list(works),
            lambda name: back_tests.judged(works[name]().billed(tariff).yielding(arguments.yields)),
        )
    print("\n".join(lines(rows)))
    report.write_json(arguments.json, rows)
    return report.MET if all(map(is_good, rows)) else report.NOT_MET


def _works(arguments: Namespace) -> dict[str, Callable[[], Case]]:
    """A function for the case of each month, by its name."""
    days, seed = 7 * arguments.weeks, arguments.seed
    if arguments.site:
        cases = pasts.of_folder(arguments.site, arguments.series, days)
        return {case.label: partial(_same, case) for case in cases}
    works: dict[str, Callable[[], Case]] = {}
    for system in _systems(arguments):
        name, _, variant = system.partition("/")
        for month in _months(arguments):
            work: Callable[[], Case] = partial(pasts.built_in, name, variant, month, days, seed)
            if arguments.data:
                folder, year = arguments.data, arguments.year
                case = measured.month(folder, (name, variant), month, days, seed, year)
                work = partial(_same, case)
            works[f"{name}/{variant} {month}"] = work
    return works


def _same(case: Case) -> Case:
    return case


def _systems(arguments: Namespace) -> list[str]:
    if arguments.system == "all":
        return list(GOALS)
    known = [f"{name}/{variant}".rstrip("/") for name, variant in spec.runs()]
    if arguments.system not in known:
        raise ConfigError(f"SYSTEM {arguments.system}: allowed are all, {', '.join(known)}")
    return [arguments.system]


def _months(arguments: Namespace) -> list[int]:
    try:
        months = [int(month) for month in arguments.months.split(",")]
    except ValueError:
        months = []
    if not months or not all([1 <= month <= 12 for month in months]):
        raise ConfigError(
            f"--months {arguments.months}: allowed are numbers from 1 to 12, as 1,4,7"
        )
    return months


def is_good(row: Row) -> bool:
    """True if the month is not worse than without a battery, and no billed peak is higher. With
    several charges, a cheap peak may rise to lower an expensive one.
    """
    return row["saved"] >= -WORSE_PERMILLE / 1000 * row["bill"] and (
        row["cut_W"] >= -1.0 or row["one_charge"] is not None
    )


def lines(all_rows: Sequence[Row]) -> list[str]:
    """A line for each month, one for each system, and the sum of all."""
    text = [HEAD(*COLUMNS).rstrip()]
    for name in dict.fromkeys([row["name"] for row in all_rows]):
        rows = [row for row in all_rows if row["name"] == name]
        text += [_line(f"  {row['label']}", [row]) for row in rows]
        text.append(_line(name, rows, GOALS.get(name)))
        if rows[0]["one_charge"] is not None:
            saved, best = _sums(rows, "one_charge", "best")
            text.append(f"  knowing the best one of the charges only: {_percent(saved, best)} %")
        if any([row["yields_W"] for row in rows]):
            text.append(_yields(rows))
    saved, best = [
        math.fsum([row[key] * back_tests.EUR.get(row["currency"], 1.0) for row in all_rows])
        for key in ("saved", "best")
    ]
    text.append(f"weighted by what can be saved: {_percent(saved, best)} %")
    text += [
        f"{row['name']} {row['label']}: {doubt}" for row in all_rows for doubt in row["doubts"]
    ]
    return text


def _sums(rows: Sequence[Row], *keys: str) -> list[float]:
    return [math.fsum([row[key] for row in rows]) for key in keys]


def _yields(rows: Sequence[Row]) -> str:
    """A line about the energy that the load did not get, and its worth beside the battery alone."""
    alone, best = _sums(rows, "alone", "best")
    alone_cut_W, best_cut_W, less_kWh = _sums(rows, "alone_cut_W", "best_cut_W", "yielded_kWh")
    most_W, most_h = [max([row[key] for row in rows]) for key in ("yields_W", "yielded_h")]
    return (
        f"  the load yields up to {most_W / 1000:.0f} kW: {less_kWh:.0f} kWh later, at most "
        f"{most_h:.1f} h a month (agreed {rows[0]['yields_h']:.0f}); without that share "
        f"{_percent(alone, best)} %, cut {_percent(alone_cut_W, best_cut_W)} %"
    )


def _line(head: str, rows: Sequence[Row], goal: Any = None) -> str:
    bill, saved, rules, best, cycles = _sums(rows, "bill", "saved", "rules", "best", "cycles")
    cut_W, best_W, above = _sums(rows, "cut_W", "best_cut_W", "above_connection_kWh")
    most = {key: max([row[key] for row in rows]) for key in ("highest_W", "p50_ms", "p99_ms")}
    goals = goal or (None, None)
    worse = "" if all(map(is_good, rows)) else "WORSE than no battery"
    return HEAD(
        head, *[f"{amount:.0f}" for amount in (bill, saved, rules, best)],
        _percent(saved, best), goals[0] or "",
        _percent(cut_W, best_W), goals[1] or "",
        f"{cycles:.1f}", f"{most['highest_W'] / 1000:.0f}", f"{above:.1f}",
        f"{most['p50_ms']:.1f}/{most['p99_ms']:.1f}", worse,
    ).rstrip()  # fmt: skip


def _percent(part: float, whole: float) -> str:
    return f"{100 * part / whole:.0f}" if whole > 0 else "-"


add = options.command(
    "plan",
    "the planner on past months: its share of what perfect foresight saves",
    main,
    options.JSON | options.SEED | options.CASES | OPTIONS,
)
