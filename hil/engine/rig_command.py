"""`python -m hil rig`: the controller against the simulated cabinet, in real or in virtual time."""

import os
import sys
import time
from argparse import Namespace
from typing import Any

from controller.config import configuration
from controller.config.cabinet_config import Config
from controller.core.base.hint_sources import GRID_CAP
from hil.engine import (
    coverage,
    external,
    planner_beside,
    pod,
    pod_command,
    pod_rig,
    rig,
    virtual_run,
)
from hil.engine.arguments import CABINET, number, output_file, run_options
from hil.engine.refusals import InputError
from hil.loads import selection
from hil.results import audited, run_result, words
from hil.scenarios import scenario

DEFAULT_S, DEFAULT_SEED = 120.0, 1  # for a run without a scenario
RUN_DIR = "new or empty folder; keeps the controller's files, for firebreak status --run-dir DIR"
RAW = "replay the file's meter rows unchanged, also wrong ones"
PROGRESS = "with --headless: progress on stderr, also when it is no terminal"
JOURNAL = "keep the controller's journal in FILE, for firebreak replay"
PLOT = 'picture: .html, .png or .svg (rig.html); "" for none'
WITH = "planner: recorder and planner run too; two weeks and prices are made by a formula. "
WITH += "doors: recorder, page and Modbus TCP on 127.0.0.1"
AUDIT = "judge load and grid by grid operators' rules, as a site of MW (as simulated)"
OWN_MW = -1.0  # the value of --audit if the user gives no size
EXTERNAL = "a foreign device or simulator answers on this bus; each bus once, in real time"


def add(commands: Any) -> None:
    """Add the command to the subparsers."""
    parser = commands.add_parser("rig", help="run the controller against the simulated cabinet")
    option = parser.add_argument
    factor, size = number(0.001, 1000), number(0.001, 1e5)
    picture = output_file(".html", ".png", ".svg", or_none=True)
    option("--cabinet", **CABINET["--cabinet"])
    option("--load", metavar="FILE", help="CSV (or .gz) with t_s and power columns")
    option("--column", metavar="NAME", help="power column of the file")
    option("--scale", type=factor, metavar="FACTOR", help="multiply the file's load by this (1)")
    option("--raw", action="store_true", help=RAW)
    option("--scenario", metavar="NAME", help="--list prints all")
    option("--list", action="store_true", help="print the scenarios with their titles")
    run_options(option, f"that of file or scenario, else {DEFAULT_S:g}", "target of load tracking")
    option("--virtual", action="store_true", help="virtual time, as fast as possible")
    option("--headless", action="store_true", help="no screen; progress on stderr")
    option("--progress", action="store_true", help=PROGRESS)
    option("--run-dir", metavar="DIR", help=RUN_DIR)
    option("--with", dest="beside", choices=("planner", "doors"), help=WITH)
    option("--external", action="append", metavar="BUS=ADDRESS", default=[], help=EXTERNAL)
    option("--journal", type=output_file(replaces=True), metavar="FILE", help=JOURNAL)
    option("--audit", type=size, nargs="?", const=OWN_MW, metavar="MW", help=AUDIT)
    option("--plot", type=picture, metavar="FILE", default="rig.html", help=PLOT)
    parser.set_defaults(run=main)


def main(arguments: Namespace) -> int:
    """Run, write the files and print. Returns the exit code."""
    if arguments.list:
        _print([f"{name:20} {scenario.load(name).title}" for name in scenario.names()])
        return 0
    if pod.is_pod(arguments.cabinet):
        return _run_pod(arguments)
    _check(arguments)
    chosen = scenario.load(arguments.scenario) if arguments.scenario else None
    config = configuration.load(arguments.cabinet)
    plugs = external.plugs(config, arguments.external)
    simulated = external.inside(config, plugs)
    coverage.check(simulated, arguments.virtual)
    coverage.check_scenario(simulated, chosen)
    if arguments.beside == "planner":
        _check_source(config)
    order = order_of(arguments, chosen, config)
    order |= {"mirrored": coverage.about(simulated), "external": plugs}
    order["foreign"] = external.about(config, plugs)
    external.reach(config, plugs)
    _print(words.foreign_lines(order))
    load = selection.load_of(order, chosen)
    if arguments.seconds is None and order["file"]:
        order["duration_s"] = load.duration_s
    order["doors"] = arguments.beside == "doors"
    if arguments.beside == "planner":
        order["planner"] = {"mean_W": planner_beside.mean_W(load), "soc_pct": order["soc_pct"]}
    began_s, run = time.monotonic(), virtual_run.run if arguments.virtual else rig.run
    outcome = run(order, chosen, config, arguments.headless, load)
    outcome.doc["wall_s"] = round(time.monotonic() - began_s, 3)
    title = chosen.title if chosen else f"Load tracking on {load.about['column']}"
    report = _add_audit(arguments.audit, outcome)
    written = outcome.write(arguments.json, arguments.plot, title)
    written += _journals(arguments.journal, began_s)
    files = f"written    {', '.join(written) or 'nothing'}"
    _print([f"seed       {order['seed']}", *outcome.lines(), files, *report])
    if outcome.doc["interrupted"]:
        ran_s = outcome.doc["simulated_s"]
        print(f"rig: interrupted; all figures are of the first {ran_s:g} s", file=sys.stderr)
    return outcome.exit_code


def _add_audit(size_MW: float | None, outcome: run_result.Outcome) -> list[str]:
    """Put the findings of the audit into the run's document. Returns the lines of the report."""
    if size_MW is None or len(outcome.rows) < 2:
        return []
    from_s = outcome.doc["measured_from_s"]
    outcome.doc["audit"], text = audited.judged(
        outcome.rows, from_s, None if size_MW == OWN_MW else size_MW
    )
    return ["", *text.split("\n")]


def _run_pod(arguments: Namespace) -> int:
    """Run a site of several cabinets. Returns the exit code."""
    order = _site_order(arguments, "run_dir" if arguments.virtual else "scenario")
    order["scenario"] = arguments.scenario
    if arguments.virtual:
        doc = pod_command.played(order, arguments.cabinet, arguments.plot)
    else:
        doc = _pod_in_real_time(arguments, order)
    return pod_command.finished(doc, arguments.json)


def _pod_in_real_time(arguments: Namespace, order: dict[str, Any]) -> dict[str, Any]:
    _check_run_dir(arguments.run_dir)
    page = arguments.plot and os.path.abspath(arguments.plot)
    paths = {"file": os.path.abspath(arguments.cabinet), "html": page}
    doc = pod_rig.played(order | paths, lambda rig: None, arguments.run_dir)
    print("\n".join(pod_command.lines(doc)), flush=True)
    return doc


def _site_order(arguments: Namespace, refused: str) -> dict[str, Any]:
    """The options of a run, for pod_command. Refuses the options that have no meaning for a site,
    and `refused`.
    """
    site = f"--cabinet {arguments.cabinet}: a site of several cabinets"
    allowed = _option("scenario" if refused == "run_dir" else "run_dir")
    names = "load", "column", "scale", "raw", "journal", "beside", "external", "audit", refused
    for name in names:
        if getattr(arguments, name, None):
            raise InputError(
                f"{site} takes no {_option(name)}; allowed are --virtual, --for, "
                f"--seed, --soc, --headless, --json, --plot FILE.html, {allowed}"
            )
    page = arguments.plot
    if page and not page.endswith(".html"):
        raise InputError(f'{site}: --plot {page}: allowed is a name with .html, or ""')
    return {
        "seconds": arguments.seconds or pod_command.DEFAULT_S,
        "seed": DEFAULT_SEED if arguments.seed is None else arguments.seed,
        "soc_pct": arguments.soc or pod_command.DEFAULT_SOC_PCT,
        "values": False,
    }


def _check(arguments: Namespace) -> None:
    """Refuse options that would fail only at the end of the run, or would have no effect."""
    for option in ("column", "scale", "raw"):
        if getattr(arguments, option) and not arguments.load:
            raise InputError(f"--{option} describes a file: it needs --load FILE")
    if arguments.audit is not None and not audited.is_installed():
        raise InputError(audited.MISSING)
    if arguments.progress and not arguments.headless:
        raise InputError("--progress has no effect beside the screen: it needs --headless")
    for name in ("run_dir", "beside", "external"):
        if getattr(arguments, name) and arguments.virtual:
            raise InputError(f"{_option(name)} works only in real time: leave --virtual out")
    if arguments.external and arguments.scenario:
        raise InputError("--external takes no --scenario: it judges the simulated cabinet alone")
    _check_run_dir(arguments.run_dir)


def _option(name: str) -> str:
    """The option that sets this attribute of the arguments."""
    return "--with" if name == "beside" else "--" + name.replace("_", "-")


def _check_source(config: Config) -> None:
    name = planner_beside.SOURCE
    if not any([source.name == name and source.rank >= GRID_CAP for source in config.sources]):
        raise InputError(
            f"--with planner: {config.path} has no such source; add [source.{name}] with "
            'role = "grid_cap" and a priority to its site.toml'
        )


def _check_run_dir(path: str | None) -> None:
    if path and os.path.exists(path) and not (os.path.isdir(path) and not os.listdir(path)):
        raise InputError(f"--run-dir {path}: allowed is a new or an empty folder")


def order_of(arguments: Namespace, chosen: scenario.Scenario | None, config: Config) -> dict:
    """The options of a run, as plain values, because the plant process gets them as JSON."""
    if chosen is not None:
        duration_s, seed, soc_pct = chosen.duration_s, chosen.seed, chosen.soc_pct
    else:
        # Beside other programs, a person needs time to look.
        duration_s = planner_beside.DEFAULT_S if arguments.beside else DEFAULT_S
        seed, soc_pct = DEFAULT_SEED, config.control["soc_target_permille"] / 10
    return {
        "site": os.path.abspath(config.path),
        "scenario": arguments.scenario,
        "file": arguments.load and os.path.abspath(arguments.load),
        "column": arguments.column,
        "scale": arguments.scale or 1.0,
        "raw": arguments.raw,
        "mirrored": coverage.about(config),
        "peak_W": selection.peak_W(config),
        "duration_s": arguments.seconds or duration_s,
        "seed": seed if arguments.seed is None else arguments.seed,
        "soc_pct": arguments.soc or soc_pct,
        "journal": arguments.journal,
        "keep_dir": arguments.run_dir and os.path.abspath(arguments.run_dir),
        "progress": arguments.progress or sys.stderr.isatty(),
    }


def _journals(path: str | None, began_s: float) -> list[str]:
    """Paths of this run's journals. After a kill, the killed controller has a journal too."""
    if not path:
        return []
    previous = f"{path}.previous"
    began_utc_s = time.time() - (time.monotonic() - began_s)
    is_killed = os.path.exists(previous) and os.stat(previous).st_mtime >= began_utc_s
    return [path, previous] if is_killed else [path]


def _print(lines: list[str]) -> None:
    print("\n".join(lines), end=("\n" if lines else ""), flush=True)
