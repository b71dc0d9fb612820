"""Hands actions of persons over to the recorder.

Each action is a small file in RUN_DIR/console until the recorder has stored it. Only complete files
of the user of the recorder count.
"""

import contextlib
import json
import os
import secrets
import stat
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from controller.store import durable
from controller.system import json_text, regular_file
from controller.system.paths import printable

FOLDER, SUFFIX = "console", ".event"
WAITING_MAX = 500
FILE_BYTES_MAX = 1000
TEXT_CHARACTERS_MAX = 200
CODES = (
    "LOGIN OUT FAIL GLASS RESET ACK FILES LAMPS LOCK UNLOCK PROOF START STOP APPROVE REPLACE STEP"
).split()


class Act(NamedTuple):
    """One action. code: one of CODES. text: a sentence. moment_us: monotonic time, us."""

    name: str
    moment_us: int
    code: str
    text: str


def folder(run_directory: str) -> str:
    """Path of the folder, which is made if it is missing. Raises OSError."""
    path = os.path.join(run_directory, FOLDER)
    with contextlib.suppress(FileExistsError):
        os.mkdir(path, 0o700)
    if not _is_trusted(os.lstat(path), stat.S_ISDIR):
        raise OSError(f"{path}: belongs to another user; remove it")
    return path


def _is_trusted(status: os.stat_result, is_kind: Callable[[int], bool]) -> bool:
    return is_kind(status.st_mode) and status.st_uid == os.geteuid()


def put(run_directory: str, moment_us: int, code: str, text: str) -> None:
    """Leave one action for the recorder. Raises OSError, also if WAITING_MAX actions wait."""
    path = folder(run_directory)
    if len(_names(path)) >= WAITING_MAX:
        raise OSError(
            f"{WAITING_MAX} acts wait for the recorder: firebreak record run does not run"
        )
    content = {"moment_us": moment_us, "code": code, "text": plain(text)}
    name = os.path.join(path, f"{moment_us:016}-{secrets.token_hex(4)}{SUFFIX}")
    durable.put(name, ".new", [json.dumps(content).encode("ascii")], 0o600)


def plain(text: str) -> str:
    """The text in printable ASCII, cut to TEXT_CHARACTERS_MAX."""
    return printable(text)[:TEXT_CHARACTERS_MAX]


def _names(path: str) -> list[str]:
    return sorted(name for name in os.listdir(path) if name.endswith(SUFFIX))


class Inbox:
    """The recorder's end: `take` new actions, then `settle` after they (`taken`) are durable."""

    def __init__(self, run_directory: str, stored: Iterable[str]):
        """stored: names of durable actions, whose files an earlier recorder may have left."""
        self._path = os.path.join(run_directory, FOLDER)
        self.taken = list(stored)
        self.settle()

    def take(self, count_max: int) -> list[Act]:
        """The oldest new actions. A file that is no action is removed."""
        with contextlib.suppress(OSError):
            names = [name for name in _names(self._path) if name not in self.taken]
            return [act for name in names[:count_max] if (act := self._read(name))]
        return []

    def _read(self, name: str) -> Act | None:
        path = os.path.join(self._path, name)
        try:
            content = _content(path)
            act = Act(name, int(content["moment_us"]), content["code"], plain(content["text"]))
            if act.code not in CODES:
                raise ValueError
        except (OSError, ValueError, TypeError, KeyError, OverflowError):
            with contextlib.suppress(OSError):
                os.unlink(path)
            return None
        self.taken.append(name)
        return act

    def settle(self) -> None:
        """Remove the files of the taken actions, which are durable now."""
        for name in self.taken:
            with contextlib.suppress(OSError):
                os.unlink(os.path.join(self._path, os.path.basename(name)))
        self.taken = []


def _content(path: str) -> dict[str, Any]:
    """The JSON of a file that belongs to the user of the recorder. Raises OSError, ValueError."""
    with open(path, "rb", opener=regular_file.opener) as file:
        if not _is_trusted(os.fstat(file.fileno()), stat.S_ISREG):
            raise ValueError
        return json_text.loads(file.read(FILE_BYTES_MAX).decode("ascii"))
