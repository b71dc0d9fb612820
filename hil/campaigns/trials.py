"""`python -m hil trials NAME` draws cases from a seed, plays them in parallel, judges them.

A trial only says what it draws, how it plays a case, and what the results mean. This module does
the rest, from the options to the exit code.
"""

import functools
import pkgutil
from argparse import Namespace
from collections.abc import Callable, Collection, Sequence
from typing import Any, NamedTuple

from controller.config.cabinet_config import Config
from hil.engine import coverage
from hil.engine.arguments import whole
from hil.results import words
from hil.runner import options, report
from hil.runner.cases import Engine, Runner, on_processes

# {name: module in hil/campaigns/ and class}
TRIALS = {
    "ask": "ask.command:Ask",
    "fleet": "fleet.command:Fleet",
    "frequency": "frequency.command:Frequency",
    "hint-attack": "hint_attack.command:HintAttack",
    "islands": "outage.islands:Islands",
    "nuisance": "nuisance.command:Nuisance",
    "outage": "outage.command:Outages",
    "ride": "ride.command:Ride",
    "runaway": "runaway.command:Runaway",
    "windows": "windows.command:Windows",
}
Figures = dict[str, Any]  # plain data: figures of one case or of several
BYTE = "byte"  # the mode; the tick of --cabinet is printed after it
HELP = "random cases, each judged: a job, an outage, a sag, a bad hint, a runaway"


class Judged(NamedTuple):
    """document: for --json; lines: printed above the verdict."""

    document: Figures
    lines: list[str]
    verdict: str
    is_met: bool


class Trial:
    """A trial. summary: for --help; mode: how its cases are played, printed after the seed."""

    summary = mode = ""
    own_options: options.Options = {}
    engine: Engine = staticmethod(on_processes)

    def __init__(self, arguments: Namespace) -> None:
        """arguments: the options of the command line."""
        self.arguments = arguments
        self.cases: Sequence[Any] = ()
        self._started: dict[Any, Any] = {}

    def start(self, keys: Collection[Any]) -> None:
        """Start a rig for each key. A case runs in a copy of this process, so also of its rig. With
        dask no rig is started here, because one process plays many cases.
        """
        if not self.arguments.dask:
            self._started = {key: self.rig(key) for key in sorted(keys)}

    def started(self, key: Any) -> Any:
        """The rig of `start` with this key, or a new one."""
        return self._started.get(key) or self.rig(key)

    def rig(self, key: Any) -> Any:
        """A new rig for the cases of this key."""
        raise NotImplementedError

    @functools.cached_property
    def config(self) -> Config:
        """The cabinet of --cabinet. Raises ConfigError or NotSimulatedError."""
        return coverage.loaded(self.arguments.cabinet)

    def draw(self) -> Sequence[Any]:
        """The cases. The same options give the same cases."""
        raise NotImplementedError

    def name(self, case: Any) -> str:
        """The name of a case: its own, if it has one."""
        return str(getattr(case, "name", case))

    def play(self, case: Any) -> Any:
        """The result of a case, as plain data."""
        raise NotImplementedError

    def line(self, outcome: Any) -> str | None:
        """The text to print when this result has come, or None for no text."""

    def judge(self, outcomes: list[Any]) -> Judged:
        """Judge the results, which are in the order of `cases`."""
        raise NotImplementedError


def count_option(most: int, usual: int, text: str) -> options.Options:
    """The option --count, with this maximum, default and help."""
    return {"--count": options.value(whole(1, most), "NUMBER", f"{text} (%(default)s)", usual)}


def run(kind: type[Trial], arguments: Namespace) -> int:
    """Play and judge a trial. Returns the exit code."""
    trial = kind(arguments)
    trial.cases = trial.draw()
    config = trial.config if getattr(arguments, "cabinet", None) else None
    mode = f"{BYTE}, {config.tick_ms} ms" if config and trial.mode == BYTE else trial.mode
    about = {"seed": arguments.seed, "mode": mode}
    print(f"seed       {arguments.seed}\nmode       {mode}", flush=True)
    with Runner(arguments) as runner:
        outcomes = runner.play(trial.cases, trial.play, trial.line, trial.name, trial.engine)
    judged = trial.judge(outcomes)
    mirrored = {"mirrored": coverage.about(config)} if config else {}
    document = about | mirrored | judged.document
    closing = [*words.mirrored_lines(document), *judged.lines, report.verdict(judged.verdict)]
    return report.finish(arguments, document, closing, judged.is_met)


def command(name: str, kind: type[Trial]) -> Callable[[Any], Any]:
    """A function that adds a trial to argparse's subparsers."""
    own_options = options.JSON | options.SEED | options.CASES | kind.own_options
    return options.command(name, kind.summary, functools.partial(run, kind), own_options)


def add(commands: Any) -> None:
    """Add the command to the subparsers."""
    parser = commands.add_parser("trials", help=HELP)
    names = parser.add_subparsers(required=True, metavar="NAME", dest="trial")
    for name, place in TRIALS.items():
        command(name, pkgutil.resolve_name(f"hil.campaigns.{place}"))(names)
