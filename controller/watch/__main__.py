"""Runs `firebreak-watch`, which is beside the scheduler of the cluster, not in the box.

Exit codes: 0 yes or done, 1 no, 2 wrong input, 3 not known or could not start.
"""

import argparse
import contextlib
import fcntl
import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from controller.forms.refusal import ConfigError
from controller.system import cli, clock, regular_file
from controller.system.caught import Last
from controller.system.output import guarded
from controller.system.paths import DONE, NO_START, NOT_DONE, WRONG_INPUT, printable
from controller.system.stop import Stop
from controller.system.utc import elapsed_s
from controller.watch import settings
from controller.watch.cabinet import POWER_W_MAX, Cabinet
from controller.watch.gate import Gate, coming_W
from controller.watch.jobs import DAY_S, GATED, PENDING, RELEASED, RUNNING, Away, Job, Scheduler
from controller.watch.watcher import TEXT_MAX, Watcher, answer_text

CODES = {"yes": DONE, "no": NOT_DONE}
LINES_MAX = 20  # lines about errors of this program, each error once
# Jobs with the same name are parts of one group of pods. A question is about the first part in this
# order.
ORDER = {GATED: 0, PENDING: 1, RELEASED: 2, RUNNING: 3}


def now_s() -> float:
    """Unix time, which schedulers use for their plans."""
    return int(clock.utc_us()) / 1e6


def say(line: str) -> None:
    """A line of the log."""
    print(f"firebreak-watch: {printable(line[:TEXT_MAX])}", flush=True)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Print one line and exit with the code of wrong input."""
        self.exit(WRONG_INPUT, f"firebreak-watch: {message}\n")


def _parser(program: str) -> _Parser:
    parser = _Parser(prog=program, description="Tells the cabinet what a queue will do.")
    config = _Parser(add_help=False)
    config.add_argument("--config", default=settings.FILE, help="watch.toml (%(default)s)")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    commands.add_parser(
        "run", help="announce the steps of the queue, until stopped", parents=[config]
    )
    ask = commands.add_parser("ask", help="may this job of the queue start now?", parents=[config])
    ask.add_argument("job", metavar="JOB")
    gate = commands.add_parser("gate", help="may the load rise by so much now?", parents=[config])
    gate.add_argument("--power-W", required=True, type=cli.whole(1, POWER_W_MAX), metavar="W")
    gate.add_argument("--for-s", required=True, type=cli.whole(1, DAY_S), metavar="SECONDS")
    commands.add_parser("keys", help="every key of watch.toml")
    purpose = "what the GPUs of [telemetry] take now"
    commands.add_parser("gpus", help=purpose, parents=[config])
    return parser


def main(argv: list[str] | None = None, program: str = "firebreak-watch") -> int:
    """The exit code of a command; argv without the program's name."""
    return guarded("firebreak-watch", lambda: _obey(_parser(program).parse_args(argv)))


def _obey(arguments: argparse.Namespace) -> int:
    if arguments.command == "keys":
        print(settings.keys())
        return DONE
    try:
        config = settings.load(arguments.config)
    except ConfigError as error:
        print(f"firebreak-watch: {error}", file=sys.stderr)
        return WRONG_INPUT
    cabinet = Cabinet(**config.values["cabinet"])
    try:
        if arguments.command == "gpus":
            return _gpus(config)
        if arguments.command == "run":
            return _run_alone(config, cabinet, os.path.dirname(os.path.abspath(arguments.config)))
        if arguments.command == "gate":
            return _ask(cabinet, arguments.power_W, arguments.for_s)
        return _ask_for_job(config, cabinet, arguments.job)
    except Away as error:
        say(f"not known: {error}")
        return NO_START


def _ask_for_job(config: settings.Settings, cabinet: Cabinet, name: str) -> int:
    """The answer for a job of the queue, together with the other loads that are coming.

    This command does not know which steps `run` has announced, so it counts these loads again. The
    age of a running job comes from the scheduler's time stamps.
    """
    queue = config.opened().queue()
    jobs = sorted([job for job in queue if job.name == name], key=lambda job: ORDER[job.state])
    if not jobs or jobs[0].unknown:
        say(f"job {name}: {jobs[0].unknown if jobs else 'it is not in the queue'}")
        return NO_START
    settle_s = (config.values["gate"] or {"settle_s": settings.SETTLE_S})["settle_s"]
    running = [job for job in queue if job.state == RUNNING]
    seen = [job for job in running if elapsed_s(job.start_s, now_s()) >= settle_s]
    beside_W = coming_W([job for job in queue if job is not jobs[0]], seen)
    return _ask(cabinet, jobs[0].power_W + beside_W, jobs[0].length_s)


def _ask(cabinet: Cabinet, power_W: int, for_s: int) -> int:
    answer = cabinet.ask(power_W, 0, for_s)
    say(f"{power_W} W: {answer_text(answer)}")
    return CODES.get(answer["answer"], NO_START)


def _gpus(config: settings.Settings) -> int:
    telemetry = config.telemetry(say)
    if not telemetry:
        say("watch.toml has no [telemetry]")
        return WRONG_INPUT
    return DONE if telemetry.show(now_s()) else NO_START


def _run_alone(config: settings.Settings, cabinet: Cabinet, folder: str) -> int:
    """The command `run`. With [gate], a lock allows only one process for this folder."""
    with contextlib.ExitStack() as stack:
        if config.values["gate"]:
            try:
                lock = regular_file.link_opener(folder, os.O_RDONLY)
                stack.callback(os.close, lock)
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say(
                    f"{folder}: another firebreak-watch with [gate] runs; allowed is one of a queue"
                )
                return NO_START
            except OSError as error:
                say(f"{folder}: cannot be locked: {error.strerror}")
                return NO_START
        return run(config, cabinet, Stop(signal.SIGTERM, signal.SIGINT))


def run(config: settings.Settings, cabinet: Cabinet, stop: Stop) -> int:
    """Read the queue and act on it again and again, until a signal ends the process."""
    scheduler, values = config.opened(), config.values
    watcher = Watcher(cabinet, values["horizon_s"], now_s, say)
    telemetry = config.telemetry(say)
    turns = [*([telemetry.keep_jobs] if telemetry else []), watcher.turn]
    if values["gate"]:
        clocks = now_s, say, clock.uptime_s
        turns.append(Gate(scheduler, cabinet, values, *clocks, watcher.announced).turn)
    last, last_trouble = Last("a turn ended here", LINES_MAX, say), ""
    while not stop.asked:
        with last:
            trouble = run_turns(scheduler, turns)
            if trouble != last_trouble:
                say(trouble or "all is well again")
            last_trouble = trouble
        with last:
            if telemetry:
                telemetry.turn(now_s(), clock.uptime_s())
        stop.wait(values["every_s"])
    watcher.withdraw()
    return DONE


def run_turns(scheduler: Scheduler, turns: Sequence[Callable[[list[Job]], None]]) -> str:
    """Read the queue and call all turns once. Returns the reasons of a failure; "": none."""
    try:
        jobs = scheduler.queue()
    except Away as error:
        return f"the queue is not known: {error}"
    troubles = []
    for turn in turns:
        try:
            turn(jobs)
        except Away as error:
            troubles.append(str(error))
    return "; ".join(troubles)


if __name__ == "__main__":
    sys.exit(main())
