"""`python -m hil smooth` plays loads with load tracking, and compares grid and load."""

from argparse import Namespace
from typing import Any

from hil.campaigns.smooth import (
    ablation,
    cells,
    expected,
    largest_command,
    loads,
    notices,
    rivals,
    rules,
    spectra,
)
from hil.campaigns.smooth.paths import PATHS, paths
from hil.engine.arguments import whole
from hil.engine.refusals import InputError
from hil.runner import options, report
from hil.runner.cases import Runner

OPTIONS = {
    **loads.OPTIONS,
    "--delays": options.value(
        paths,
        "MS,MS",
        f"path delays of {', '.join(PATHS)} (100,170); f: with a meter of 20 ms",
        ("100", "170"),
    ),
    "--notices": options.flag("announced steps as well"),
    "--spectra": options.flag("210 spectra and ramps of --seed, by their range in 5 s"),
    "--spectra-seeds": options.value(whole(1, 1000), "NUMBER", "seeds of --spectra (1)"),
    "--without": {
        "nargs": "+",
        "metavar": "PART",
        "choices": ("all", *ablation.PARTS),
        "help": f"what a part earns: all, {', '.join(ablation.PARTS)}",
    },
    "--range-kW": options.value(whole(1, 100_000), "KW", "a 5 s range that the site states"),
}


WORDS = "how smooth load tracking makes the grid beside each load; largest: of which site"


def sources(arguments: Namespace) -> list:
    """The loads to play. LoadError: a file has no power column, or --only names no load."""
    built_in = [loads.Source("", name) for name in loads.BUILT_IN]
    return loads.chosen([*built_in, *loads.measured(arguments.loads)], arguments.only)


def run(arguments: Namespace) -> int:
    """Play all loads. Returns MET if every figure is as good as the study and the targets ask.
    Raises InputError.
    """
    _refuse_what_has_no_effect(arguments)
    print(f"seed       {arguments.seed}", flush=True)
    document = {"seed": arguments.seed, "delays": list(arguments.delays)}
    with Runner(arguments) as runner:
        if arguments.without:
            parts = list(ablation.PARTS) if "all" in arguments.without else arguments.without
            document["without"] = ablation.run(
                sources(arguments), arguments.delays, parts, arguments.seed, runner
            )
            return report.finish(arguments, document, (), True)
        document["rows"] = _rows(arguments, runner)
        means = rivals.means(document["rows"])
        print("\n".join(rivals.lines(means)), flush=True)
        if not arguments.only:  # the targets are for the mean of all loads
            document["rivals"] = means
        if arguments.notices:
            document["notices"] = notices.run(arguments.delays, runner)
        if arguments.spectra:
            document["spectra"] = spectra.run(
                arguments.delays, arguments.seed, runner, arguments.spectra_seeds or 1
            )
    missed = document["missed"] = misses(document)
    closing = [f"off        {line}" for line in missed]
    closing.append(report.verdict(f"{len(missed)} figures are off"))
    return report.finish(arguments, document, closing, not missed)


def _refuse_what_has_no_effect(arguments: Namespace) -> None:
    flags = {
        "--notices": arguments.notices,
        "--spectra": arguments.spectra,
        "--spectra-seeds": arguments.spectra_seeds is not None,
        "--range-kW": arguments.range_kW is not None,
    }
    named = ", ".join(option for option, is_given in flags.items() if is_given)
    if arguments.without and named:
        raise InputError(f"{named} cannot stand beside --without, which plays the loads alone")
    if flags["--spectra-seeds"] and not arguments.spectra:
        raise InputError("--spectra-seeds counts the seeds of --spectra: give --spectra as well")


def _rows(arguments: Namespace, runner: Runner) -> list:
    allowed_W = None if arguments.range_kW is None else 1000 * arguments.range_kW
    todo = [
        cells.Cell(source, arguments.delays, arguments.seed, is_joined, allowed_W)
        for is_joined in (False, True)
        for source in sources(arguments)
    ]
    print(HEAD, flush=True)
    groups = runner.play(
        todo,
        cells.played,
        lambda rows: "\n".join(map(table_line, rows)) or None,
        lambda cell: f"load {cell.source.name}{', joined' * cell.is_joined}",
    )
    return sorted(
        [row for rows in groups for row in rows],
        key=lambda row: (
            arguments.delays.index(row["path"]),
            row["is_joined"],
            row["load"],
            row["kind"],
        ),
    )


# With a stated 5 s range, the grid's is at most so much above the largest of the stated range and
# the smaller of two others: without a battery, and without the statement.
RANGE_MAX = 1.15
HEAD = (
    f"{'':38}{'kind':6}{'ms':>5}{'scale':>7}  2 s rms, % of the load: ours, plain;"
    " range in 5 s, change in 15 s, strongest line, ramp of 1 s (T4), % of the peak:"
    " ours/no battery; ours: 2 s p99, 10 s rms, 300 s range less, charge"
)


def table_line(row: dict) -> str:
    """One row of the table."""
    ours = row["ways"]["ours"]
    rms = [_pct(row["ways"][way]["residual_pct"]["2"], "rms") for way in cells.WAYS]
    p99, ten_s = _pct(ours["residual_pct"]["2"], "p99"), _pct(ours["residual_pct"]["10"], "rms")
    less = ours["range_300s_less_pct"]
    low, high = ours["soc_pct"]
    return (
        f"{row['load']:38}{row['kind']:6}{row['path']:>5}{row['scale']:7.4g} {''.join(rms)} |"
        f"{_rules(row)} |{p99}"
        f"{ten_s}{'-' if less is None else format(-less, '.0f'):>6} %  {low:.1f} to {high:.1f} %"
        + f"  {rivals.door(row) or ''}"
        + _strict(row)
        + ("  joined samples: no evidence of slopes" if row["is_joined"] else "")
        + ("  first hour" if row["is_cut"] else "")
        + (f"  {row['rows_refused']} rows refused" if row["rows_refused"] else "")
    )


def _rules(row: dict) -> str:
    pairs = rules.pairs(row["rules"]["ours"], row["rules"]["no_battery"])
    return "".join(f"{pair:>12}" for pair in pairs)


def _strict(row: dict) -> str:
    """The figures with the stated 5 s range."""
    if "strict" not in row:
        return ""
    rms = _pct(row["strict"], "rms_2s_pct").strip()
    range_pct = row["strict"]["rules"]["range_5s"]
    range_text = "-" if range_pct is None else f"{range_pct:.1f} %"
    return f"  with the stated range: 2 s rms {rms} %, range in 5 s {range_text}"


def _pct(residual: dict | None, figure: str) -> str:
    residual_pct = residual and residual[figure]
    return f"{'-':>7}" if residual_pct is None else f"{residual_pct:7.1f}"


def misses(document: dict) -> list:
    """A line for each figure that is worse than expected."""
    lines = []
    for row in document["rows"]:
        lines += [
            f"{_about(row)}: {pair['figure']} {pair['measured']:.1f}, expected {pair['expected']:g}"
            for pair in expected.compared(row)
            if not pair["is_met"]
        ]
        lines += _missed_range(row)
    lines += rivals.missed(document["rows"], document.get("rivals", ()))
    parts = [row for part in ("spectra", "notices") for row in document.get(part, ())]
    return lines + [text for row in parts for text in row["missed"]]


def _about(row: dict) -> str:
    return f"{row['load']}, {row['kind']}, {row['path']} ms"


def _missed_range(row: dict) -> list[str]:
    """A line if the grid's 5 s range with a stated range is above its limit."""
    if row.get("strict", {}).get("rules", {}).get("range_5s") is None:
        return []
    left_pct, stated_pct = row["strict"]["rules"]["range_5s"], row["strict"]["stated_pct"]
    alone_pct, free_pct = [row["rules"][way]["range_5s"] for way in ("no_battery", "ours")]
    most_pct = RANGE_MAX * max(stated_pct, min(alone_pct, free_pct))
    if left_pct <= most_pct:
        return []
    return [f"{_about(row)}: stated range: 5 s range {left_pct:.2f}, at most {most_pct:.2f}"]


def add(commands: Any) -> None:
    """Add the command to the subparsers."""
    own_options = options.JSON | options.SEED | OPTIONS
    parser = options.add(commands, "smooth", WORDS, run, own_options)
    largest_command.add(options.part(parser, "largest"))
