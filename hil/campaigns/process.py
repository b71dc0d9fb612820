"""Processes of a campaign: modules of this repository, and programs of Debian packages."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from hil.engine.rig import ROOT

END_S = 15.0


def module(name: str, *arguments: object, **options: Any) -> "subprocess.Popen[Any]":
    """Start `python -m name arguments` with an empty standard input; options: of Popen."""
    given: dict[str, Any] = {"cwd": ROOT, "stdin": subprocess.DEVNULL} | options
    return subprocess.Popen([sys.executable, "-m", name, *map(str, arguments)], **given)


def end(process: "subprocess.Popen[Any]", wait_s: float = END_S) -> int:
    """End a process by SIGTERM, and by SIGKILL after wait_s. Returns its exit code."""
    process.terminate()
    return wait(process, wait_s)


def wait(process: "subprocess.Popen[Any]", wait_s: float = END_S) -> int:
    """Wait for the end of a process; kill it after wait_s. Returns its exit code."""
    try:
        return process.wait(wait_s)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def options(text: str) -> list[str]:
    """Arguments of a command line from a text with one option and its value per line."""
    return [word for line in text.splitlines() for word in line.split(" ", 1) if word]


def search_path() -> str:
    """Search path of programs, including those for the administrator."""
    return f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


def needed(programs: Mapping[str, str]) -> str | None:
    """A line that installs missing programs, or None. programs: {program: packages}."""
    path = search_path()
    missing = {each for name, each in programs.items() if not shutil.which(name, path=path)}
    packages = " ".join(sorted(missing))
    return f"needs {packages}: apt-get install {packages}" if packages else None
