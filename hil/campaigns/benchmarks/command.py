"""`python -m hil bench ...`: measures this machine against the budgets of the design.

Exit codes: 0 measured and all budgets met; 1 a budget is not met; 2 wrong input; 3 not measured.
"""

import argparse
import functools
import importlib
import inspect
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from controller.forms.refusal import ConfigError
from controller.journal.ring import JournalError
from controller.sites import EXAMPLE
from hil.campaigns.benchmarks import document, page
from hil.engine.arguments import number, whole
from hil.runner import options, report
from hil.runner.cases import Runner, in_turn

# {module of this folder: what it measures}
BENCHMARKS = {
    "step": "one step of the kernel, 1, 3 and 16 racks; instructions on MicroPython",
    "loop": "how late the loop wakes up, beside cyclictest; idle and under CPU stress",
    "rtu": "a Modbus RTU transaction beside libmodbus on the same pty",
    "start": "from exec to the first tick; memory; how long a page takes",
    "stop": "emergency stops in real time, beside the host's own stalls",
    "hint": "from a hint to the set-point it changes, on the wire",
    "path": "from a change of the load to the battery's power, 20 and 10 ms, in virtual time",
    "tick": "a whole tick of 10 ms, 3 and 16 racks",
    "rig": "lateness with devices, memory, virtual speed, replay",
    "pod": "two cabinets on one site in real time: lateness and memory of each controller",
    "doors": "the doors beside the loop: idle, at load, killed; hints to the wire",
    "planner": "the planner beside rules, perfect foresight, and EMHASS where it is installed",
    "fleet": "thousands of cabinets on a broker: from a report to its share, cores, memory",
}
MODULES = {"loop": "lateness"}
PAGE = "BENCHMARKS.md"
SECONDS = {"dest": "seconds", "type": number(1, 604_800), "help": "(%(default)g)"}
COUNT = {"type": whole(1, 10_000), "default": 200, "help": "how many (%(default)s)"}
ONE = {"--cabinet": {"metavar": "FILE", "help": "of this cabinet alone"}}
OPTIONS: options.Options = {
    "loop": {
        "--for": SECONDS | {"default": 60.0},
        "--cabinet": {"default": EXAMPLE, "metavar": "FILE", "help": "(the example cabinet)"},
    },
    "tick": ONE,
    "rig": {**options.SEED, "--for": SECONDS | {"default": 3600.0}},
    "pod": {**options.SEED, "--for": SECONDS | {"default": 300.0}},
    "doors": {
        **options.SEED,
        "--for": SECONDS | {"default": 300.0},
        "--short": {
            "action": "store_const",
            "const": 10.0,
            "dest": "seconds",
            "default": argparse.SUPPRESS,
            "help": "--for 10: to try it out",
        },
    },
    "stop": {**options.SEED, "--count": COUNT},
    "hint": {**options.SEED, "--count": COUNT},
    "path": {**options.SEED, "--count": COUNT, **ONE},
    "fleet": {
        **options.SEED,
        "--cabinets": {"type": whole(2, 20_000), "default": 10_000, "help": "(%(default)s)"},
        "--for": SECONDS | {"default": 60.0},
        "--tls": options.flag("encrypt the connections to the broker"),
    },
    "planner": {
        **options.SEED,
        "--days": {"type": whole(1, 28), "default": 28, "help": "of each month (%(default)s)"},
        "--data": options.value(
            str, "DIR", "measured loads, prices and sun, not the built-in ones"
        ),
    },
}
COMMITTED = sorted((Path(__file__).parent / "results").glob("*.json"))
RESULTS = {
    "results": {
        "nargs": "*",
        "metavar": "RESULT.json",
        "default": COMMITTED,
        "help": "(the results of this version)",
    }
}
EVERYTHING = {
    "--json": {"metavar": "DIR", "required": True, "help": "folder for all results and the page"},
    **options.BESIDE,
    "--short": options.flag("minutes instead of hours: to try it out"),
    "--resume": options.KEPT["--resume"],
}
# {benchmark: (option, length for `all`, length with --short)}
LENGTHS = {
    "loop": ("--for", "300", "10"),
    "stop": ("--count", "200", "3"),
    "hint": ("--count", "200", "3"),
    "path": ("--count", "200", "3"),
    "rig": ("--for", "3600", "60"),
    "pod": ("--for", "300", "30"),
    "doors": ("--for", "300", "10"),
    "fleet": ("--for", "60", "10"),
}


def add(commands: Any) -> None:
    """Add `bench` with its own subcommands."""
    parser = commands.add_parser(
        "bench", help="measure this machine against the budgets and the rivals"
    )
    kinds = parser.add_subparsers(required=True, metavar="WHAT")
    for name, text in BENCHMARKS.items():
        own = options.JSON | options.BESIDE | OPTIONS.get(name, {})
        options.add(kinds, name, text, functools.partial(_benchmark, name), own)
    options.add(kinds, "page", "print the page of these results", _page, RESULTS)
    options.add(kinds, "all", "everything: three and a half hours", _all, EVERYTHING)


def _benchmark(name: str, arguments: argparse.Namespace) -> int:
    """Run one benchmark. Its module is imported here, because most commands do not need it."""
    module = importlib.import_module(f"hil.campaigns.benchmarks.{MODULES.get(name, name)}")
    wanted = inspect.signature(module.run).parameters
    order = {key: vars(arguments)[key] for key in wanted if key in arguments}
    return measure(name, arguments, functools.partial(module.run, **order))


def measure(name: str, arguments: argparse.Namespace, run: Callable[[], document.Measured]) -> int:
    """Print the lines of a benchmark and write its JSON. Returns the exit code. Raises OSError."""
    try:
        measured = run()
    except (JournalError, ConfigError) as error:
        return report.refuse("bench", error)
    except (RuntimeError, ValueError) as error:  # of a wire or a child process, each one line
        return report.refuse("bench", error, report.NO_START)
    return document.finish(document.document(name, _again(name, arguments), measured), arguments)


def _again(name: str, arguments: argparse.Namespace) -> str:
    """The command that repeats the measurement."""
    parts = []
    if name in LENGTHS:
        option = LENGTHS[name][0]
        parts = [option, format(arguments.seconds if option == "--for" else arguments.count, "g")]
    if name == "planner":
        parts = ["--days", str(arguments.days), *(["--data DIR"] if arguments.data else [])]
    return " ".join(["python -m hil bench", name, *parts])


def _page(arguments: argparse.Namespace) -> int:
    try:
        docs = [document.read(path) for path in arguments.results]
    except document.ResultError as error:
        return report.refuse("bench", error)
    print(page.page(docs), end="")
    return report.MET


def _all(arguments: argparse.Namespace) -> int:
    os.makedirs(arguments.json, exist_ok=True)
    paths = {name: os.path.join(arguments.json, f"{name}.json") for name in BENCHMARKS}

    def measured(name: str) -> int:
        print(f"bench {name}", flush=True)
        argv = command_of(name, paths[name], arguments.beside, arguments.short)
        return subprocess.run(argv).returncode

    with Runner(arguments) as runner:
        codes = runner.play(list(BENCHMARKS), measured, engine=in_turn)
    measured_all = zip(paths.values(), codes)
    written = [path for path, code in measured_all if code in (report.MET, report.NOT_MET)]
    path = os.path.join(arguments.json, PAGE)
    text = page.page([document.read(result_path) for result_path in written])
    Path(path).write_text(text, encoding="ascii")
    print(f"written    {', '.join([*written, path])}")
    return max(codes)


def command_of(name: str, path: str, beside: str, short: bool) -> list[str]:
    """The command line of one benchmark, as `all` runs it."""
    option, *lengths = LENGTHS.get(name, ("", "", ""))
    length = [option, lengths[short]] if option else []
    return [sys.executable, "-m", "hil", "bench", name, *length, "--json", path, "--beside", beside]
