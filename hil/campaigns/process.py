"""Processes of a campaign: modules of this repository, and programs of Debian packages."""

import os
import shutil
import subprocess
import sys

from hil.engine.rig import ROOT

END_S = 15.0


def module(name, *arguments, **options):
    """Start `python -m name arguments` with an empty standard input; options: of Popen."""
    return subprocess.Popen(
        [sys.executable, "-m", name, *map(str, arguments)],
        **{"cwd": ROOT, "stdin": subprocess.DEVNULL} | options,
    )


def end(process, wait_s=END_S):
    """End a process by SIGTERM, and by SIGKILL after wait_s. Returns its exit code."""
    process.terminate()
    return wait(process, wait_s)


def wait(process, wait_s=END_S):
    """Wait for the end of a process; kill it after wait_s. Returns its exit code."""
    try:
        return process.wait(wait_s)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def options(text):
    """Arguments of a command line from a text with one option and its value per line."""
    return [word for line in text.splitlines() for word in line.split(" ", 1) if word]


def search_path():
    """Search path of programs, including those for the administrator."""
    return f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


def needed(programs):
    """A line that installs missing programs, or None. programs: {program: packages}."""
    path = search_path()
    missing = {each for name, each in programs.items() if not shutil.which(name, path=path)}
    packages = " ".join(sorted(missing))
    return f"needs {packages}: apt-get install {packages}" if packages else None
