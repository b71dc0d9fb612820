"""Processes of a campaign: modules of this repository beside the rig."""

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
