"""`python -m hil bench ...`: measures what the design promises on this machine, as lines, JSON and
a page.

Exit codes: 0 measured and every budget met, 1 one is not met, 2 wrong input, 3 could not measure.
"""

import importlib
import os
import subprocess
import sys

from controller.record.journal import JournalError
from hil.arguments import number, whole
from hil.campaigns import command
from hil.campaigns.benchmarks import document, page

# Module of this folder: what it measures.
BENCHMARKS = {
    "step": "one step of the kernel, 1, 3 and 16 racks; instructions on MicroPython",
    "loop": "how late the loop wakes up, beside cyclictest; idle and under CPU stress",
    "rtu": "a Modbus RTU transaction beside libmodbus on the same pty",
    "replay": "the speed of a replay",
    "start": "from exec to the first tick; memory; how long a page takes",
    "stop": "emergency stops in real time, beside the host's own stalls",
    "hint": "from a hint to the set-point it changes, on the wire",
    "rig": "lateness with devices, memory, virtual speed, replay",
}
MODULES = {"loop": "lateness"}
WITH_SEED = ("stop", "hint", "rig")
PAGE = "BENCHMARKS.md"
COUNT_MAX = 10_000
SECONDS_MAX = 604_800  # a week
# What `all` gives each benchmark, and with --short, to try it out.
LENGTHS = {
    "loop": ("--for", "300"),
    "stop": ("--count", "200"),
    "hint": ("--count", "200"),
    "rig": ("--for", "3600"),
}
SHORT = {
    "loop": ("--for", "10"),
    "stop": ("--count", "3"),
    "hint": ("--count", "3"),
    "rig": ("--for", "60"),
}


def add(commands):
    """Add `bench` with its own subcommands."""
    parser = commands.add_parser(
        "bench", help="measure this machine against the budgets and the rivals"
    )
    kinds = parser.add_subparsers(required=True, metavar="WHAT")
    made = {name: _benchmark(kinds, name) for name in BENCHMARKS}
    made["loop"].add_argument(
        "--for",
        dest="seconds",
        type=number(1, SECONDS_MAX),
        default=60.0,
        help="of each condition (60)",
    )
    made["rig"].add_argument(
        "--for",
        dest="seconds",
        type=number(1, SECONDS_MAX),
        default=3600.0,
        help="in real time (3600)",
    )
    made["replay"].add_argument("journal", nargs="?", help="a journal; without one it makes one")
    for name in ("stop", "hint"):
        made[name].add_argument(
            "--count", type=whole(1, COUNT_MAX), default=200, help="how many (200)"
        )
    of_results = kinds.add_parser("page", help="print the page of these results")
    of_results.add_argument("results", nargs="+", metavar="RESULT.json")
    of_results.set_defaults(run=_page)
    every = kinds.add_parser("all", help="everything: two and a half hours")
    every.add_argument(
        "--json", metavar="DIR", required=True, help="folder for all results and the page"
    )
    add_beside(every)
    every.add_argument(
        "--short", action="store_true", help="minutes instead of hours: to try it out"
    )
    every.set_defaults(run=_all)


def _benchmark(kinds, name):
    def run(given):
        return measure(given, lambda each: _run(name, each))

    parser = command.add(kinds, name, BENCHMARKS[name], run)
    add_beside(parser)
    if name in WITH_SEED:
        command.add_seed(parser)
    return parser


def _run(name, given):
    """The document of one benchmark; its module is imported here because most commands need none of
    it.
    """
    module = importlib.import_module(f"hil.campaigns.benchmarks.{MODULES.get(name, name)}")
    order = {
        key: getattr(given, key)
        for key in ("seconds", "count", "seed", "journal")
        if hasattr(given, key)
    }
    return module.run(**order, beside=given.beside)


def add_beside(parser):
    """What a result says of the machine, which cannot see it itself."""
    parser.add_argument(
        "--beside", default="", metavar="TEXT", help="what runs on this machine meanwhile"
    )


def measure(arguments, run):
    """Run one benchmark, print its lines, write its JSON; the exit code. Raises OSError."""
    try:
        doc = run(arguments)
    except JournalError as error:
        return command.refuse("bench", error)
    except (RuntimeError, ValueError) as error:  # a wire, a child process; each says one line
        return command.refuse("bench", error, command.NO_START)
    if arguments.json:
        document.write(arguments.json, doc)
    print("\n".join(document.lines(doc)))
    return document.exit_code(doc)


def _page(arguments):
    try:
        docs = [document.read(path) for path in arguments.results]
    except document.ResultError as error:
        return command.refuse("bench", error)
    print(page.page(docs), end="")
    return command.MET


def _all(arguments):
    os.makedirs(arguments.json, exist_ok=True)
    code, written = command.MET, []
    for name in BENCHMARKS:
        path = os.path.join(arguments.json, f"{name}.json")
        print(f"bench {name}", flush=True)
        argv = command_of(name, path, arguments.beside, arguments.short)
        ended = subprocess.run(argv).returncode
        if ended in (command.MET, command.NOT_MET):
            written.append(path)
        code = max(code, ended)
    with open(os.path.join(arguments.json, PAGE), "w", encoding="ascii") as file:
        file.write(page.page([document.read(path) for path in written]))
    print(f"written    {', '.join([*written, os.path.join(arguments.json, PAGE)])}")
    return code


def command_of(name, path, beside, short):
    """The command line of one benchmark, as `all` runs it."""
    length = (SHORT if short else LENGTHS).get(name, ())
    return [sys.executable, "-m", "hil", "bench", name, *length, "--json", path, "--beside", beside]
