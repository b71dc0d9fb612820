"""`python -m hil bench ...`: measures what the design promises on this machine, as lines, JSON and
a page.

Exit codes: 0 measured and every budget met, 1 one is not met, 2 wrong input, 3 could not measure.
"""

import importlib
import os
import signal
import subprocess
import sys

from controller.record.journal import JournalError
from hil.arguments import number, whole
from hil.campaigns.benchmarks import document, page

DONE, NOT_DONE, WRONG_INPUT, NO_START = 0, 1, 2, 3
# Module of this folder: what it measures.
BENCHMARKS = {
    "step": "one step of the kernel, 1, 3 and 16 racks; instructions on MicroPython",
    "loop": "how late the loop wakes up, beside cyclictest; idle and under CPU stress",
    "rtu": "a Modbus RTU transaction beside libmodbus on the same pty",
    "replay": "the speed of a replay",
    "stop": "emergency stops in real time, beside the host's own stalls",
    "hint": "from a hint to the set-point it changes, on the wire",
    "rig": "lateness with devices, memory, virtual speed, replay",
}
MODULES = {"loop": "lateness"}
WITH_SEED = ("stop", "hint", "rig")
PAGE = "BENCHMARKS.md"
INTERRUPTED = 130  # 128 + SIGINT, as shells say it
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
    every.add_argument(
        "--beside", default="", metavar="TEXT", help="what runs on this machine meanwhile"
    )
    every.add_argument(
        "--short", action="store_true", help="minutes instead of hours: to try it out"
    )
    every.set_defaults(run=_all)


def _benchmark(kinds, name):
    parser = kinds.add_parser(name, help=BENCHMARKS[name])
    add_output(parser)
    if name in WITH_SEED:
        parser.add_argument("--seed", type=int, default=1, help="of plant, load and phases (1)")
    parser.set_defaults(run=lambda given: measure(given, lambda each: _run(name, each)))
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


def add_output(parser):
    """The options all benchmarks have."""
    parser.add_argument("--json", metavar="FILE", help="write the result there")
    parser.add_argument(
        "--beside", default="", metavar="TEXT", help="what runs on this machine meanwhile"
    )


def complain(line):
    """One line on stderr."""
    print(f"bench: {line}", file=sys.stderr)


def measure(arguments, run):
    """Run one benchmark, print its lines, write its JSON; the exit code."""
    folder = os.path.dirname(arguments.json) or "." if arguments.json else "."
    if not os.path.isdir(folder):
        complain(f"--json {arguments.json}: there is no folder {folder}")
        return WRONG_INPUT
    if arguments.json and os.path.isdir(arguments.json):
        complain(f"--json {arguments.json}: is a folder; name a file in it")
        return WRONG_INPUT
    # what was started is ended on any way out
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        doc = run(arguments)
        if arguments.json:
            document.write(arguments.json, doc)
    except KeyboardInterrupt:
        complain("interrupted; nothing was written")
        return INTERRUPTED
    except JournalError as error:
        complain(error)
        return WRONG_INPUT
    except (
        OSError,
        RuntimeError,
        ValueError,
    ) as error:  # a wire, a port, a child process; each says one line
        complain(error)
        return NO_START
    print("\n".join(document.lines(doc)))
    return document.exit_code(doc)


def _page(arguments):
    try:
        docs = [document.read(path) for path in arguments.results]
    except document.ResultError as error:
        complain(error)
        return WRONG_INPUT
    print(page.page(docs), end="")
    return DONE


def _all(arguments):
    os.makedirs(arguments.json, exist_ok=True)
    code, written = DONE, []
    for name in BENCHMARKS:
        path = os.path.join(arguments.json, f"{name}.json")
        print(f"bench {name}", flush=True)
        try:
            ended = subprocess.run(
                command_of(name, path, arguments.beside, arguments.short)
            ).returncode
        except KeyboardInterrupt:
            return INTERRUPTED
        if ended in (DONE, NOT_DONE):
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
