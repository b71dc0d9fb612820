"""`python -m hil rig`: the controller against the simulated cabinet, in real or in virtual time."""

import collections
import os
import sys
import time

from controller.config import configuration, stage_states
from controller.sites import EXAMPLE
from hil.engine import rig, virtual_run
from hil.engine.arguments import number, output_file, whole
from hil.loads import selection
from hil.scenarios import scenario

DEFAULT_S = 120.0
SEED_MAX = 2**31 - 1
# of a run without a scenario; the state of charge is the target of load tracking
DEFAULTS = collections.namedtuple("Defaults", "duration_s seed soc_pct")(DEFAULT_S, 1, None)
# --for SECONDS is stored as `seconds`; a flag has action="store_true"
OPTIONS = {
    "--load": {"metavar": "FILE", "help": "CSV (or .gz) with t_s and power columns"},
    "--column": {"metavar": "NAME", "help": "which power column of the file"},
    "--scale": {
        "type": number(0.001, 1000),
        "metavar": "FACTOR",
        "help": "factor on the file's load (1)",
    },
    "--raw": {
        "action": "store_true",
        "help": "pass the file's meter rows on as they are, wrong ones too",
    },
    "--for": {
        "dest": "seconds",
        "type": number(1, 31 * 86_400),
        "metavar": "SECONDS",
        "help": f"how long to run (the file's or scenario's length, else {DEFAULT_S:g})",
    },
    "--scenario": {"metavar": "NAME", "help": f"one of {', '.join(scenario.names())}"},
    "--seed": {
        "type": whole(0, SEED_MAX),
        "metavar": "NUMBER",
        "help": "of plant, load and faults (1)",
    },
    "--soc": {
        "type": number(5, 95),
        "metavar": "PERCENT",
        "help": "state of charge at the start (what load tracking returns to)",
    },
    "--virtual": {"action": "store_true", "help": "virtual time, as fast as it goes"},
    "--headless": {"action": "store_true", "help": "no screen; progress on stderr"},
    "--progress": {
        "action": "store_true",
        "help": "with --headless: progress on stderr even if that is no terminal",
    },
    "--run-dir": {
        "metavar": "DIR",
        "help": "new or empty folder for the controller's files, which stay: another terminal may "
        "look with firebreak status --run-dir DIR",
    },
    "--json": {"type": output_file(), "metavar": "FILE", "help": "write all figures there"},
    "--journal": {
        "type": output_file(),
        "metavar": "FILE",
        "help": "keep the controller's journal there, for firebreak replay",
    },
    "--plot": {
        "type": output_file(".html", ".png", ".svg", or_none=True),
        "metavar": "FILE",
        "default": "rig.html",
        "help": ".html, .png or .svg (rig.html)",
    },
}


class InputError(ValueError):
    """Something on the command line that cannot be; one line."""


def add(commands):
    """Add the command to the subparsers."""
    parser = commands.add_parser("rig", help="run the controller against the simulated cabinet")
    for option, settings in OPTIONS.items():
        parser.add_argument(option, **settings)
    parser.set_defaults(run=main)


def main(arguments):
    """Run, write and print. Returns the exit code."""
    _check(arguments)
    chosen = scenario.load(arguments.scenario) if arguments.scenario else None
    config = configuration.load(str(EXAMPLE))
    order = order_of(arguments, chosen, config)
    load = selection.load_of(order, chosen)
    if arguments.seconds is None and order["file"]:
        order["duration_s"] = load.duration_s
    began_s = time.monotonic()
    run = virtual_run.run if arguments.virtual else rig.run
    outcome = run(order, chosen, config, arguments.headless, load)
    outcome.doc["wall_s"] = round(time.monotonic() - began_s, 3)
    title = chosen.title if chosen else f"Load tracking on {load.about['column']}"
    written = outcome.write(arguments.json, arguments.plot, title)
    written += _journals(arguments.journal, began_s)
    names = ", ".join(written) or "nothing"
    _print([f"seed       {order['seed']}", *outcome.lines(), f"written    {names}"])
    if outcome.doc["interrupted"]:
        ran_s = outcome.doc["simulated_s"]
        print(f"rig: interrupted after {ran_s:g} s; all figures are of that part", file=sys.stderr)
    return outcome.exit_code


def _check(arguments):
    """Refuse now what would fail at the end of the run, or would be ignored."""
    for option in ("column", "scale", "raw"):
        if getattr(arguments, option) and not arguments.load:
            raise InputError(f"--{option} describes a file: it needs --load FILE")
    if arguments.progress and not arguments.headless:
        raise InputError("--progress is for a run without a screen: it needs --headless")
    path = arguments.run_dir
    if path and arguments.virtual:
        raise InputError("--run-dir is for a controller in real time: leave --virtual out")
    if path and os.path.exists(path) and not (os.path.isdir(path) and not os.listdir(path)):
        raise InputError(f"--run-dir {path}: is not an empty folder")


def order_of(arguments, chosen, config):
    """What the run is, as plain values that can be handed to another process."""
    usual = chosen or DEFAULTS._replace(soc_pct=config.control["soc_target_permille"] / 10)
    return {
        "site": str(EXAMPLE),
        "extends": str(EXAMPLE.parent / "site.toml"),
        "scenario": arguments.scenario,
        "file": arguments.load and os.path.abspath(arguments.load),
        "column": arguments.column,
        "scale": arguments.scale or 1.0,
        "raw": arguments.raw,
        "peak_W": selection.peak_W(config),
        "duration_s": arguments.seconds or usual.duration_s,
        "seed": usual.seed if arguments.seed is None else arguments.seed,
        "soc_pct": arguments.soc or usual.soc_pct,
        "journal": arguments.journal,
        "armed": len(stage_states.rows_armed(config.topology)),
        "not_fitted": len(stage_states.rows_not_fitted(config.topology)),
        "keep_dir": arguments.run_dir and os.path.abspath(arguments.run_dir),
        "progress": arguments.progress or sys.stderr.isatty(),
    }


def _journals(path, began_s):
    """The journals of this run: that of a controller that was killed is kept beside the one of its
    successor.
    """
    previous = f"{path}.previous"
    began_utc_s = time.time() - (time.monotonic() - began_s)
    killed = path and os.path.exists(previous) and os.stat(previous).st_mtime >= began_utc_s
    return [name for name, there in ((path, path), (previous, killed)) if there]


def _print(lines):
    """Print; the reader may leave before the end (rig ... | head)."""
    try:
        print("\n".join(lines), flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
