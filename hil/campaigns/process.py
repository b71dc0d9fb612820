"""Functions for the processes of a campaign: a pty, arguments, search path, programs."""

import os
import shutil
import tty
from collections.abc import Mapping

from hil.engine.processes import end as end, kill as kill, module as module, wait as wait


def raw_pty() -> tuple[int, int]:
    """(master, slave) of a new pty that changes no byte. Reading the master never blocks."""
    master, slave = os.openpty()
    tty.setraw(slave)
    os.set_blocking(master, False)
    return master, slave


def options(text: str) -> list[str]:
    """The arguments of a command line, from a text with one option and its value per line."""
    return [word for line in text.splitlines() for word in line.split(" ", 1) if word]


def search_path() -> str:
    """The search path for programs, with the administrator's programs."""
    return f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


def needed(programs: Mapping[str, str]) -> str | None:
    """A line that tells how to install the missing programs, or None. programs: {program:
    packages}.
    """
    path = search_path()
    missing = {program for name, program in programs.items() if not shutil.which(name, path=path)}
    packages = " ".join(sorted(missing))
    return f"needs {packages}: apt-get install {packages}" if packages else None
