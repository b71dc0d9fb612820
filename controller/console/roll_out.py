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

LISTEN_US = 10_000_000  # by then every cabinet has sent a report
PLACEHOLDER = "{}"


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
    command = _command_parts(arguments.install)
    reader = reader_of(arguments.file)
    roll_out = RollOut(list(reader.overview.seen), arguments.release)
    rolling = Rolling(roll_out, command, reader.now_us + LISTEN_US)
    with cli.ends(WRONG_INPUT, DoorError, OSError), contextlib.suppress(KeyboardInterrupt):
        asyncio.run(reader.watch(rolling.look))
    if roll_out.halted:
        raise cli.Ended(NOT_DONE, f"stopped: {roll_out.halted}")
    return DONE if roll_out.is_done(reader.overview.cabinets(reader.now_us)) else NOT_DONE


def _command_parts(command: str) -> list[str]:
    with contextlib.suppress(ValueError):
        parts = shlex.split(command)
        if any(PLACEHOLDER in part for part in parts):
            return parts
    raise cli.Ended(
        WRONG_INPUT, f"--install: allowed is a command with {PLACEHOLDER} for the cabinet"
    )


class Rolling:
    """Installs the release, one cabinet after the other, as the reports allow. first_us: time at
    which the first installation may begin.
    """

    def __init__(self, roll_out: RollOut, command: Sequence[str], first_us: int):
        self._roll_out, self._command, self._first_us = roll_out, command, first_us
        self._shown: list[str] = []
        self._cabinet = ""
        self._installation: subprocess.Popen[bytes] | None = None

    def look(self, overview: Overview, now_us: int, trouble: str) -> None:
        """Show changes, and begin what is to begin. KeyboardInterrupt: nothing is left to do."""
        cabinets = overview.cabinets(now_us)
        lines = self._roll_out.lines(cabinets)
        if lines != self._shown:
            print("\n".join([*lines, ""]), flush=True)
            self._shown = lines
        if self._installation and self._installation.poll() is not None:
            if self._installation.returncode:
                problem = f"the command has ended with {self._installation.returncode}"
                self._roll_out.failed(self._cabinet, problem)
            self._installation = None
        if trouble or now_us < self._first_us or self._installation:
            return
        for name in self._roll_out.step(cabinets, now_us):
            self._install(name)
        if self._roll_out.halted or self._roll_out.is_done(cabinets):
            raise KeyboardInterrupt

    def _install(self, name: str) -> None:
        print(f"{name}: begins", flush=True)
        command = [part.replace(PLACEHOLDER, name) for part in self._command]
        try:
            self._cabinet, self._installation = name, subprocess.Popen(command)
        except OSError as error:
            self._roll_out.failed(name, f"{command[0]}: {error.strerror}")
