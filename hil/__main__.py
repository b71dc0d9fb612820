"""`python -m hil rig`: the controller against the built-in simulated cabinet, in real or in virtual
time.

`python -m hil rows`: every stage of the matrix brought about. `python -m hil bench`: what is
measured with it.
"""

import argparse
import os
import signal
import sys
import time

from controller.record.journal_header import stage_instances
from controller.site import config as configs
from controller.site import limit_images
from controller.site.layers import ConfigError
from controller.sites import EXAMPLE
from controller.system import realtime
from hil import rig
from hil.arguments import number, whole, writable
from hil.campaigns import golden, hint_attack
from hil.campaigns.benchmarks import command as benchmarks
from hil.campaigns.channel_b import command as channel_b
from hil.campaigns.chaos import command as chaos
from hil.campaigns.rows import command as rows
from hil.campaigns.runaway import command as detection
from hil.loads import selection
from hil.loads.trace import LoadError
from hil.results import run_result, view
from hil.results.screen import Screen
from hil.rig import RigError
from hil.scenarios import scenario
from hil.scenarios.scenario import ScenarioError
from hil.simulate import VirtualRig

PROGRAM = "python -m hil"
DEFAULT_S = 120.0
WRONG_INPUT, NO_START = 2, 3
SEED_MAX = 2**31 - 1
PLOTS = (".html", ".png", ".svg")
VIEW_EVERY_S = 1.0  # virtual time between two views


def main(argv=None):
    """Returns the exit code: 0 all as expected, 1 not, 2 wrong input, 3 could not start or go on,
    130 interrupted.
    """
    before = {
        number: signal.signal(number, signal.default_int_handler)
        for number in (signal.SIGTERM, signal.SIGHUP)
    }
    name = PROGRAM.split()[-1]
    try:
        arguments, left = _parser().parse_known_args(argv)
        name = arguments.program
        if left:  # argparse would say this in the name of the program
            raise InputError(f"unrecognized arguments: {' '.join(left)}")
        _check_apart(arguments)
        return arguments.run(arguments)
    except (ScenarioError, LoadError, ConfigError, InputError) as error:
        return _say(name, error, WRONG_INPUT)
    except (RigError, OSError) as error:
        return _say(name, error, NO_START)
    except KeyboardInterrupt:
        return _say(name, "interrupted before there was anything to report", run_result.INTERRUPTED)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _say(name, line, exit_code):
    """One line on stderr, headed with the name of the command that was given."""
    print(f"{name}: {line}", file=sys.stderr)
    return exit_code


class InputError(ValueError):
    """Something on the command line that cannot be; one line."""


class _Parser(argparse.ArgumentParser):
    """Complains in one line, like everything else here."""

    def error(self, message):
        """Print the line and leave with the code of wrong input."""
        name = (self.prog.removeprefix(PROGRAM).split() or PROGRAM.split()[-1:])[0]
        self.exit(WRONG_INPUT, f"{name}: {message}\n")


def _parser():
    parser = _Parser(prog=PROGRAM)
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="program")
    hint_attack.add(commands)
    golden.add(commands)
    chaos.add(commands)
    rows.add(commands)
    detection.add(commands)
    benchmarks.add(commands)
    channel_b.add(commands)
    command = commands.add_parser("rig", help="run the controller against the simulated cabinet")
    command.set_defaults(run=_rig)
    command.add_argument("--load", metavar="FILE", help="CSV (or .gz) with t_s and power columns")
    command.add_argument("--column", metavar="NAME", help="which power column of the file")
    command.add_argument(
        "--scale", type=number(0.001, 1000), metavar="FACTOR", help="factor on the file's load (1)"
    )
    command.add_argument(
        "--raw",
        action="store_true",
        help="pass the file's meter rows on as they are, wrong ones too",
    )
    command.add_argument(
        "--for",
        dest="seconds",
        type=number(1, 31 * 86_400),
        metavar="SECONDS",
        help=f"how long to run (the file's or scenario's length, else {DEFAULT_S:g})",
    )
    command.add_argument("--scenario", metavar="NAME", help=f"one of {', '.join(scenario.names())}")
    command.add_argument(
        "--seed", type=whole(0, SEED_MAX), metavar="NUMBER", help="of plant, load and faults (1)"
    )
    command.add_argument(
        "--soc",
        type=number(5, 95),
        metavar="PERCENT",
        help="state of charge at the start (what load tracking returns to)",
    )
    command.add_argument("--virtual", action="store_true", help="virtual time, as fast as it goes")
    command.add_argument("--headless", action="store_true", help="no screen")
    command.add_argument(
        "--run-dir",
        metavar="DIR",
        help="new or empty folder for the "
        "controller's files, which stay: "
        "another terminal may look with firebreak status --run-dir DIR",
    )
    command.add_argument("--json", metavar="FILE", help="write all figures there")
    command.add_argument(
        "--journal",
        metavar="FILE",
        help="keep the controller's journal there, for firebreak replay",
    )
    command.add_argument(
        "--plot", metavar="FILE", default="rig.html", help=".html, .png or .svg (rig.html)"
    )
    return parser


def _check(arguments):
    """Refuse now what would be found out at the end of the run, or would be left aside without a
    word.
    """
    for option, given in (
        ("--column", arguments.column),
        ("--scale", arguments.scale),
        ("--raw", arguments.raw),
    ):
        if given and not arguments.load:
            raise InputError(f"{option} says something about a file: it needs --load FILE")
    for option, path in (
        ("--json", arguments.json),
        ("--plot", arguments.plot),
        ("--journal", arguments.journal),
    ):
        folder = os.path.dirname(path) or "." if path else None
        if folder and not os.path.isdir(folder):
            raise InputError(f"{option} {path}: there is no folder {folder}")
        if folder and not writable(path):
            raise InputError(f"{option} {path}: cannot be written")
    _check_run_directory(arguments)
    if arguments.plot and not arguments.plot.endswith(PLOTS):
        raise InputError(f"--plot {arguments.plot}: allowed endings are {', '.join(PLOTS)}")


def _check_run_directory(arguments):
    path = arguments.run_dir
    if path and arguments.virtual:
        raise InputError("--run-dir is for a controller in real time: leave --virtual out")
    if path and os.path.exists(path) and not (os.path.isdir(path) and not os.listdir(path)):
        raise InputError(f"--run-dir {path}: is not an empty folder")


def _check_apart(arguments):
    """No output of any command may be written over the load or another output."""
    seen = {}
    for option in ("load", "json", "plot", "png", "md", "journal"):
        path = getattr(arguments, option, None)
        other = seen.setdefault(os.path.realpath(path), option) if path else option
        if other != option:
            raise InputError(
                f"--{option} {path}: is the file of --{other} too: allowed is one of its own"
            )


def _rig(arguments):
    _check(arguments)
    chosen = scenario.load(arguments.scenario) if arguments.scenario else None
    config = configs.load(str(EXAMPLE))
    order = _order(arguments, chosen, config)
    load = selection.load_of(order, chosen)
    if arguments.seconds is None and order["file"]:
        order["duration_s"] = load.duration_s
    began_s = time.monotonic()
    run = _virtual if arguments.virtual else rig.run
    outcome = run(order, chosen, config, arguments.headless, load)
    outcome.doc["wall_s"] = round(time.monotonic() - began_s, 3)
    written = outcome.write(
        arguments.json,
        arguments.plot,
        chosen.title if chosen else f"Load tracking on {load.about['column']}",
    )
    written += _journals(arguments.journal, began_s)
    _print(
        [
            f"seed       {order['seed']}",
            *outcome.lines(),
            f"written    {', '.join(written) or 'nothing'}",
        ]
    )
    if outcome.doc["interrupted"]:
        _say(
            "rig",
            f"interrupted after {outcome.doc['simulated_s']:g} s; all figures are of that part",
            0,
        )
    return outcome.exit_code


def _journals(path, began_s):
    """The journals of this run: that of a controller that was killed is kept beside the one of its
    successor.
    """
    previous = f"{path}.previous"
    began_utc_s = time.time() - (time.monotonic() - began_s)
    killed = path and os.path.exists(previous) and os.stat(previous).st_mtime >= began_utc_s
    return [name for name, there in ((path, path), (previous, killed)) if there]


def _print(lines):
    """Print; whoever reads may have seen enough before the end (rig ... | head)."""
    try:
        print("\n".join(lines), flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _order(arguments, chosen, config):
    """What the run is, as plain values that can be handed to another process."""
    duration_s = arguments.seconds or (chosen.duration_s if chosen else DEFAULT_S)
    seed = arguments.seed if arguments.seed is not None else chosen.seed if chosen else 1
    soc_pct = arguments.soc or (
        chosen.soc_pct if chosen else config.control["soc_target_permille"] / 10
    )
    return {
        "site": str(EXAMPLE),
        "extends": str(EXAMPLE.parent / "site.toml"),
        "scenario": arguments.scenario,
        "file": arguments.load and os.path.abspath(arguments.load),
        "column": arguments.column,
        "scale": arguments.scale or 1.0,
        "raw": arguments.raw,
        "duration_s": duration_s,
        "seed": seed,
        "soc_pct": soc_pct,
        "journal": arguments.journal,
        "armed": len(limit_images.rows_armed(config.topology)),
        "not_fitted": len(limit_images.rows_not_fitted(config.topology)),
        "keep_dir": arguments.run_dir and os.path.abspath(arguments.run_dir),
    }


def _virtual(order, chosen, config, headless, load):
    actions = chosen.actions if chosen else ()
    virtual = VirtualRig(
        config,
        load.power,
        order["seed"],
        actions,
        {"soc": order["soc_pct"] / 100},
        order["journal"],
    )
    shower = VirtualShow(virtual, order, load, chosen, config)
    began_s = time.monotonic()
    interrupted = False
    with Screen() as screen:
        try:
            # nothing here makes cycles; the collector's rounds cost a twentieth
            realtime.freeze_collector()
            virtual.run(
                order["duration_s"],
                None if headless else lambda: screen.show(shower.view()),
                VIEW_EVERY_S,
            )
        except KeyboardInterrupt:
            interrupted = True
    wall_s = time.monotonic() - began_s
    extra = {
        "mode": "virtual time",
        "seed": order["seed"],
        "speed": round(virtual.now_us / 1e6 / wall_s, 1),
    }
    loop = {"ticks": virtual.ticks, "missed": 0}
    return run_result.Outcome(
        virtual.recorder,
        virtual.observer,
        virtual.trips.trips,
        loop,
        load.about,
        extra,
        chosen,
        load.from_us,
        interrupted,
    )


class VirtualShow:
    """Views of a run in virtual time."""

    def __init__(self, virtual, order, load, chosen, config):
        self._virtual, self._order = virtual, order
        self._names = stage_instances(config.layout())
        self._since_s, self._load, self._grid = {}, [], []
        self._began_s = time.monotonic()
        self._common = {
            "title": chosen.title if chosen else "Load tracking",
            "load_name": load.about["column"],
            "mode": "virtual time",
            "duration_s": order["duration_s"],
            "tick_ms": config.tick_ms,
            "armed": order["armed"],
            "not_fitted": order["not_fitted"],
        }

    def view(self):
        """What the screen shows now."""
        virtual = self._virtual
        shown = view.plant_part(virtual.plant)
        now_s = virtual.now_us / 1e6
        self._load.append(shown["load_W"])
        self._grid.append(shown["grid_W"])
        cabinet = virtual.controller.cabinet
        if cabinet is not None:
            core = cabinet.core
            shown |= view.controller_part(core.out, core.layout, self._names, self._since_s, now_s)
        speed = now_s / max(1e-6, time.monotonic() - self._began_s)
        return {
            **shown,
            **self._common,
            "elapsed_s": now_s,
            "ticks": virtual.ticks,
            "speed": speed,
            "load_history": self._load,
            "grid_history": self._grid,
            "next_action": virtual.clockwork.upcoming(),
        }


if __name__ == "__main__":
    sys.exit(main())
