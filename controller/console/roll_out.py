"""`firebreak fleet roll-out`: installs a release on the cabinets of a fleet, in waves.

A command of the caller installs and starts it on one cabinet, because only the caller knows the way
there, such as ssh. The reports of the cabinets say whether it stays. After an interruption the same
command goes on.

Exit codes: 0 every cabinet has kept the release, 1 it has stopped, 2 wrong input, 3 no broker.
"""

import asyncio
import contextlib
import shlex
import subprocess
from argparse import Namespace
from collections.abc import Sequence

from controller.console.fleet import FLEET_FILE, reader_of
from controller.dispatch.overview import Overview
from controller.dispatch.roll_out import RollOut
from controller.system import cli
from controller.system.paths import DONE, NOT_DONE, WRONG_INPUT
from controller.system.told import DoorError

FIRST_US = 10_000_000  # in which every cabinet is heard
NAME = "{}"


@cli.command(
    "fleet roll-out",
    FLEET_FILE,
    cli.option("--release", required=True, metavar="VERSION", help="as `firebreak --version`"),
    cli.option(
        "--install",
        required=True,
        metavar="COMMAND",
        help="installs and starts it on one cabinet; {} is the name",
    ),
)
def _run(arguments: Namespace) -> int:
    command = _words(arguments.install)
    reader = reader_of(arguments.file)
    out = RollOut(list(reader.overview.seen), arguments.release)
    rolling = Rolling(out, command, reader.now_us + FIRST_US)
    with cli.ends(WRONG_INPUT, DoorError, OSError), contextlib.suppress(KeyboardInterrupt):
        asyncio.run(reader.watch(rolling.look))
    if rolling.out.halted:
        raise cli.Ended(NOT_DONE, f"stopped: {rolling.out.halted}")
    is_done = rolling.out.is_done(reader.overview.cabinets(reader.now_us))
    return DONE if is_done else NOT_DONE


def _words(command: str) -> list[str]:
    with contextlib.suppress(ValueError):
        parts = shlex.split(command)
        if any(NAME in part for part in parts):
            return parts
    raise cli.Ended(WRONG_INPUT, f"--install: allowed is a command with {NAME} for the cabinet")


class Rolling:
    """Acts on what the cabinets report. first_us: when the first installation may begin.

    One installation goes on at a time, beside the reports.
    """

    def __init__(self, out: RollOut, command: Sequence[str], first_us: int):
        self.out, self._command, self._first_us = out, command, first_us
        self._shown: list[str] = []
        self._name = ""
        self._going: subprocess.Popen[bytes] | None = None

    def look(self, overview: Overview, now_us: int, trouble: str) -> None:
        """Show changes, and begin what is to begin. KeyboardInterrupt: nothing is left to do."""
        cabinets = overview.cabinets(now_us)
        lines = self.out.lines(cabinets)
        if lines != self._shown:
            print("\n".join([*lines, ""]), flush=True)
            self._shown = lines
        if self._going and self._going.poll() is not None:
            if self._going.returncode:
                problem = f"the command has ended with {self._going.returncode}"
                self.out.failed(self._name, problem)
            self._going = None
        if trouble or now_us < self._first_us or self._going:
            return
        for name in self.out.step(cabinets, now_us):
            self._install(name)
        if self.out.halted or self.out.is_done(cabinets):
            raise KeyboardInterrupt

    def _install(self, name: str) -> None:
        print(f"{name}: begins", flush=True)
        line = [part.replace(NAME, name) for part in self._command]
        try:
            self._name, self._going = name, subprocess.Popen(line)
        except OSError as error:
            self.out.failed(name, f"{line[0]}: {error.strerror}")
