"""Runs another program that may be missing, or that this user may not start."""

import subprocess
from typing import Any

NOT_STARTED = 127  # the exit code of a shell
NOTHING = subprocess.DEVNULL


def ran(line: list[str], **options: Any) -> "subprocess.CompletedProcess[Any]":
    """The result of a program. NOT_STARTED: it did not start, and stderr has the reason. It may be
    missing, or be in a folder that this user may not read.
    """
    try:
        return subprocess.run(line, **options)
    except OSError as error:
        reason = f"{line[0]}: {error.strerror}"
        if options.get("text"):
            return subprocess.CompletedProcess(line, NOT_STARTED, "", reason)
        return subprocess.CompletedProcess(line, NOT_STARTED, b"", reason.encode())
