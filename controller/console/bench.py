"""`firebreak bench ...`: measures what the design promises on this machine, as lines, JSON and a page.

Exit codes: 0 measured and every budget met, 1 one is not met, 2 wrong input, 3 could not measure. What needs the rig is
under `python -m hil bench`; `all` runs both, each in a process of its own.
"""

import argparse
import os
import signal
import subprocess
import sys

from controller.journal import JournalError
from controller.places import DONE, NO_START, NOT_DONE, WRONG_INPUT, say

OWN = ("step", "loop", "rtu", "replay")
RIG = ("stop", "hint", "rig")
PAGE = "BENCHMARKS.md"
INTERRUPTED = 130  # 128 + SIGINT, as shells say it
# What `all` gives each benchmark, and with --short, to try it out.
LENGTHS = {"loop": ("--for", "300"), "stop": ("--count", "200"), "hint": ("--count", "200"), "rig": ("--for", "3600")}
SHORT = {"loop": ("--for", "10"), "stop": ("--count", "3"), "hint": ("--count", "3"), "rig": ("--for", "60")}


def add(commands):
    """Add `bench` with its own subcommands."""
    parser = commands.add_parser("bench", help="measure this machine against the budgets and the rivals")
    kinds = parser.add_subparsers(required=True, metavar="WHAT")
    made = {name: kinds.add_parser(name, help=text) for name, text in (
        ("step", "one step of the kernel, 1, 3 and 16 racks; instructions on MicroPython"),
        ("loop", "how late the loop wakes up, beside cyclictest; idle and under CPU stress"),
        ("rtu", "a Modbus RTU transaction beside libmodbus on the same pty"),
        ("replay", "the speed of a replay"))}
    made["loop"].add_argument("--for", dest="seconds", type=positive, default=60.0, help="of each condition (60)")
    made["replay"].add_argument("journal", nargs="?", help="a journal; without one it makes one")
    for name, each in made.items():
        add_output(each)
        each.set_defaults(run=lambda arguments, name=name: measure(arguments, _measure(name), say))
    page = kinds.add_parser("page", help="print the page of these results")
    page.add_argument("results", nargs="+", metavar="RESULT.json")
    page.set_defaults(run=_page)
    every = kinds.add_parser("all", help="everything, that of the rig too: two and a half hours")
    every.add_argument("--json", metavar="DIR", required=True, help="folder for all results and the page")
    every.add_argument("--beside", default="", metavar="TEXT", help="what runs on this machine meanwhile")
    every.add_argument("--short", action="store_true", help="minutes instead of hours: to try it out")
    every.set_defaults(run=_all)


def add_output(parser):
    """The options all benchmarks have."""
    parser.add_argument("--json", metavar="FILE", help="write the result there")
    parser.add_argument("--beside", default="", metavar="TEXT", help="what runs on this machine meanwhile")


def positive(text):
    """An argument's type: seconds, 1 .. a week."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 1 <= seconds <= 604_800:
        raise argparse.ArgumentTypeError(f"{text}: allowed is a number from 1 to 604800")
    return seconds


def _measure(name):
    """The function of (arguments) that gives the document; imported here because most commands need none of it."""
    from controller.benchmarks import lateness, replay, rtu, step
    return {"step": lambda given: step.run(beside=given.beside),
            "loop": lambda given: lateness.run(given.seconds, given.beside),
            "rtu": lambda given: rtu.run(beside=given.beside),
            "replay": lambda given: replay.run(given.journal, given.beside)}[name]


def measure(arguments, run, complain):
    """Run one benchmark, print its lines, write its JSON; the exit code. complain(line): where to say what failed."""
    from controller.benchmarks import document
    folder = os.path.dirname(arguments.json) or "." if arguments.json else "."
    if not os.path.isdir(folder):
        complain(f"--json {arguments.json}: there is no folder {folder}")
        return WRONG_INPUT
    if arguments.json and os.path.isdir(arguments.json):
        complain(f"--json {arguments.json}: is a folder; name a file in it")
        return WRONG_INPUT
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what was started is ended on any way out
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
    except (OSError, RuntimeError, ValueError) as error:  # a wire, a port, a child process; each says one line
        complain(error)
        return NO_START
    print("\n".join(document.lines(doc)))
    return document.exit_code(doc)


def _page(arguments):
    from controller.benchmarks import document, page
    try:
        docs = [document.read(path) for path in arguments.results]
    except document.ResultError as error:
        say(error)
        return WRONG_INPUT
    print(page.page(docs), end="")
    return DONE


def _all(arguments):
    from controller.benchmarks import document, page
    os.makedirs(arguments.json, exist_ok=True)
    code, written = DONE, []
    for name in OWN + RIG:
        path = os.path.join(arguments.json, f"{name}.json")
        print(f"bench {name}", flush=True)
        try:
            ended = subprocess.run(command_of(name, path, arguments.beside, arguments.short)).returncode
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
    package = "controller" if name in OWN else "hil"
    length = (SHORT if short else LENGTHS).get(name, ())
    return [sys.executable, "-m", package, "bench", name, *length, "--json", path, "--beside", beside]
