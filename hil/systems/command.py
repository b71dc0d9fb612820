"""`python -m hil run SYSTEM|all` runs systems and prints figures, violations and sizing."""

import hashlib
import json
from argparse import ArgumentParser, Namespace
from pathlib import Path

from controller.forms.refusal import ConfigError, not_allowed
from controller.system.worded import counted
from hil.engine.arguments import number, output_file, whole
from hil.loads.trace import LoadError
from hil.runner import options, report
from hil.runner.cases import Runner
from hil.systems import (
    cost,
    figures,
    minutes,
    minutes_table,
    optimum,
    page,
    plays,
    resized,
    run,
    self_check,
    series,
    shares,
    sizing,
    spec,
    verdict,
    violations,
    year as of_year,
)
from hil.systems.verdict import Document
from hil.values.mean_readings import NOT_KNOWN, NOT_KNOWN_IN_WORDS

Done = tuple[Document, str]  # (document, section of the page)
BASE = "base"  # value of --variant: the system itself
COLUMNS = "  {:<58}{:>12}{:>12}{:>12}{:>16}  {}"
FILES = {
    "load": "CSV with t_s and powers, instead of the built-in load",
    "jobs": "CSV with at_s, for_s and power_W of each job, instead of the drawn ones",
    "pv": "CSV with t_s and the power of the PV",
    "prices": "CSV with a time and a price each 5 to 60 min, price_EUR_per_MWh or another unit",
    "weather": "CSV with ghi_W_per_m2 and air_degC of 8760 hours",
}


OPTIONS: options.Options = {
    "system": {"choices": (*spec.NAMES, "all"), "help": "which one"},
    **{f"--{name}": {"metavar": "FILE", "help": text} for name, text in FILES.items()},
    "--variant": {"metavar": "NAME", "help": f"only this variant; {BASE}: the system without one"},
    "--load-column": {"metavar": "NAME", "help": "power column of --load"},
    "--pv-column": {"metavar": "NAME", "help": "power column of --pv"},
    "--days": options.value(whole(1, 366), "N", "length (that of the system's file)"),
    "--seed": options.SEED["--seed"] | {"default": None, "help": "of the built-in series"},
    "--kernel-minutes": options.value(
        whole(0, 1440), "N", "of a plain day with the kernel, at a drawn moment (%(default)s)", 10
    ),
    "--outages": options.value(
        whole(0, 1000),
        "N",
        f"of {minutes.OUTAGE_S} s with the kernel, at drawn moments (%(default)s)",
        0,
    ),
    **{
        option: options.value(number(1, 10_000_000), "SIZE", f"{text}, not the file's")
        for option, text in resized.OPTIONS.items()
    },
    "--year": options.flag("a week of each season, weighted to a year, instead of the run"),
    "--sweep": options.flag("--year with other sizes of the battery (half an hour of CPU time)"),
    "--self-check": options.flag("break each system on purpose, to show which promises can fail"),
    "--html": options.value(
        output_file(), "FILE", "write a page to FILE; with --year, make the run too"
    ),
}


def main(arguments: Namespace) -> int:
    """Run one system or all with their variants, and print. Returns 1 if a promise is not kept."""
    inputs = {key: var for key, var in vars(arguments).items() if var is not None}
    runs = _runs(arguments)
    _check_files(inputs)
    _check_size(arguments)
    longest = max([plays.chosen(*pair, inputs) for pair in runs], key=lambda chosen: chosen.days)
    print("".join([f"{line}\n" for line in series.remarks(longest, inputs)]), end="")
    for pair in runs:  # wrong inputs are refused before the first run
        chosen = plays.chosen(*pair, inputs)
        series.site_of(chosen, inputs)
        series.prices_of(chosen, inputs)
        _check_figures(chosen)
    if arguments.self_check:
        return self_check.main(runs, inputs, arguments)
    years = {}
    if arguments.year or arguments.sweep:
        years = of_year.played(runs, inputs, arguments)
        if not arguments.html:
            report.write_json(arguments.json, list(years.values()))
            return report.MET if of_year.pays(years) else report.NOT_MET
    done = _all(runs, arguments, inputs, years)
    documents = [document for document, _ in done]
    for document in documents:
        print("\n".join(lines(document)))
    report.write_json(arguments.json, documents)
    if arguments.html:
        with open(arguments.html, "w", encoding="utf-8") as file:
            file.write(page.html(done))
    is_good = not any(map(verdict.wrong, documents)) and of_year.pays(years)
    return report.MET if is_good else report.NOT_MET


def _runs(arguments: Namespace) -> list[plays.Job]:
    """(system, variant) of each run."""
    runs = spec.runs(spec.NAMES if arguments.system == "all" else (arguments.system,))
    selected = [pair for pair in runs if arguments.variant in (None, pair[1] or BASE)]
    if not selected:
        known = ", ".join(dict.fromkeys([variant or BASE for _, variant in runs]))
        raise ConfigError(f"--variant {arguments.variant}: allowed are {known}")
    return selected


def _check_figures(chosen: spec.Spec) -> None:
    for place, figure in enumerate(chosen.figures, 1):
        if figure["name"] not in figures.FIGURES:
            path, known = ("figure", str(place), "name"), figures.FIGURES
            not_allowed(chosen.name, path, figure["name"], ", ".join(known), known)


def _check_size(arguments: Namespace) -> None:
    for option in resized.OPTIONS:
        if arguments.system == "all" and getattr(arguments, resized.key(option)) is not None:
            raise ConfigError(f"{option}: needs one system, not all")


def _all(
    runs: list[plays.Job], arguments: Namespace, inputs: spec.Inputs, years: dict[str, Document]
) -> list[Done]:
    """Play the runs in parallel, the longest first. years: {name: document of `--year`}."""
    ordered = sorted(runs, key=lambda pair: -plays.chosen(pair[0], pair[1], inputs).days)
    with Runner(arguments) as runner:
        done = runner.play(
            ordered, lambda pair: _one(pair, inputs, years), name=lambda pair: _label(pair, years)
        )
    for (document, _), evidence in zip(done, runner.evidence):
        document["code"] = evidence
    return [done[ordered.index(pair)] for pair in runs]


def _label(pair: plays.Job, years: dict[str, Document]) -> str:
    """The name of the kept result of a run. The digest is that of the `--year` in the result."""
    name, variant = pair
    year = years.get(name) if not variant else None
    digest = hashlib.sha256(json.dumps(year).encode()).hexdigest() if year else ""
    return " ".join([name, variant, digest]).strip()


def documents_of(runs: list[plays.Job]) -> list[Document]:
    """The documents of some runs of `hil run all`, played or still valid."""
    parser = ArgumentParser(prog="python -m hil")
    add(parser.add_subparsers(dest="program"))
    arguments = parser.parse_args(["run", "all"])
    inputs = {key: var for key, var in vars(arguments).items() if var is not None}
    return [document for document, _ in _all(runs, arguments, inputs, {})]


def _check_files(inputs: spec.Inputs) -> None:
    """Refuse a missing file, and a file or its column without the other."""
    for name in FILES:
        if name in inputs and not Path(inputs[name]).is_file():
            raise LoadError(f"--{name} {inputs[name]}: no such file")
    for name in ("load", "pv"):
        if f"{name}_column" in inputs and name not in inputs:
            raise LoadError(f"--{name}-column describes a file: it needs --{name} FILE")
        if name in inputs and f"{name}_column" not in inputs:
            raise LoadError(f"--{name} {inputs[name]}: it needs --{name}-column NAME, of its power")


def _one(pair: plays.Job, inputs: spec.Inputs, years: dict[str, Document]) -> Done:
    result = plays.whole(plays.chosen(*pair, inputs), inputs)
    run_document = document(*pair, result)
    name, variant = pair
    if not variant and name in years:
        run_document["year"] = years[name]
    return run_document, page.section(result, run_document)


def document(name: str, variant: str, result: run.Result) -> Document:
    """Figures, violations and sizing of a run as plain data."""
    chosen, share = result.spec, shares.of(result)
    return {
        "system": name,
        "variant": variant,
        "name": chosen.name,
        "text": chosen.text,
        "start": f"{chosen.start:%Y-%m-%d}",
        "season": chosen.season,
        "days": chosen.days,
        "seed": chosen.seed,
        "mode": run.MODE,
        "aggregate": chosen.size.is_aggregate,
        "soc_begin": chosen.soc_permille / 1000,
        "soc_end": float(result.soc[-1]),
        "figures": [figure._asdict() for figure in [*figures.of(result), *shares.promise(share)]],
        "violations": violations.of(result),
        "modes_s": result.modes_s,
        "not_known": NOT_KNOWN,
        "sizing": sizing.lines(result),
        "cost": cost.of(result),
        "shares": share,
        "minutes": list(result.minutes),
    }


def lines(document: Document) -> list[str]:
    """The figures as a table."""
    kind = ", aggregate: each unit stands for several" if document["aggregate"] else ""
    days = counted(document["days"], "day")
    modes = [f"{name} {seconds / 3600:.2f} h" for name, seconds in document["modes_s"].items()]
    return [
        "",
        f"{document['name']}",
        f"  {document['text']}; {days} of {document['season']} from "
        f"{document['start']}, {document['mode']}, seed {document['seed']}{kind}",
        f"  state of charge {document['soc_begin']:.0%} at first, "
        f"{document['soc_end']:.0%} at last",
        f"  modes of the controller: {', '.join(modes)}",
        f"  this mode does not know: {NOT_KNOWN_IN_WORDS}",
        COLUMNS.format("figure", "asked", "reached", "bound", "without", ""),
        *[_line(figure, document["mode"]) for figure in document["figures"]],
        *([f"  {optimum.MISSING}"] if optimum.highspy is None else []),
        f"  cost: {cost.sentences(document['cost'])[1]}",
        *shares.lines(document["shares"], document["cost"]["currency"]),
        *[f"  VIOLATED: {violation}" for violation in document["violations"]],
        *([] if document["violations"] else ["  no violation"]),
        *minutes_table.lines(document["minutes"]),
        *[f"  sizing: {line}" for line in document["sizing"]],
    ]


def _line(figure: Document, mode: str) -> str:
    """The line of a figure. mode: that of the run; another mode is named after the figure."""
    state = {True: "met", False: "NOT MET", None: ""}[figure["is_met"]]
    if verdict.is_unreachable(figure):
        state = "unreachable at this size"
    if figure["mode"] != mode:
        state += f" ({figure['mode']})"
    text = f"{figure['text']} [{figure['unit']}]"
    return COLUMNS.format(text, *page.numbers(figure), state).rstrip()


add = options.command(
    "run",
    "a system of the mission: its figures and its bill",
    main,
    OPTIONS | options.JSON | options.CASES,
)
