"""The epoch of a dispatcher, kept over its restarts: each start takes a new one, stored first.

The first start knows of no other dispatcher, and a take-over knows that one may still run: until
every cabinet has been fenced, a restart must not forget that. Both draw an epoch far above, which
restarts of an earlier dispatcher never reach. The file names its origin, so that neither a copy
nor a dispatcher that was replaced starts again without a person.
"""

import contextlib
import hashlib
import json
import os
import secrets
import socket
from collections.abc import Iterable
from typing import Any, NamedTuple

from controller.forms.reading import file_text
from controller.forms.refusal import ConfigError
from controller.hints.wire import EPOCH_MAX
from controller.store import durable
from controller.system import json_text

BYTES_MAX = 10_000
MACHINE_ID = "/etc/machine-id"
DIGITS = 16
APART = 1000  # more than the restarts of a dispatcher that was replaced


class Refused(Exception):
    """The dispatcher must not run. One line says why, and what to do."""


class Kept(NamedTuple):
    """epoch: of the last start; 0: none yet. is_taken: an earlier dispatcher may still run.
    cabinets: digest of the names for which this holds.
    """

    epoch: int = 0
    is_taken: bool = True
    origin: str = ""
    cabinets: str = ""


def origin(path: str) -> str:
    """Host and place of the file: a copy elsewhere has another one."""
    machine = ""
    with contextlib.suppress(ConfigError, OSError):
        machine = file_text(MACHINE_ID, BYTES_MAX, "an identity").strip()
    return f"{machine or socket.gethostname()}:{os.path.realpath(path)}"


def digest(names: Iterable[str]) -> str:
    """Digest of the names of cabinets, in any order."""
    return hashlib.sha256(" ".join(sorted(names)).encode()).hexdigest()[:DIGITS]


def read(path: str) -> Kept:
    """What the last start has stored. Refused: the file is damaged."""
    if not os.path.exists(path):
        return Kept()
    try:
        content = json_text.loads(file_text(path, BYTES_MAX, "the file that dispatch has written"))
    except (ConfigError, ValueError) as error:
        raise Refused(f"{path}: {error}") from None
    content = content if isinstance(content, dict) else {}
    kept: dict[str, Any] = {name: content.get(name) for name in Kept._fields}
    is_right = [type(field) for field in kept.values()] == [int, bool, str, str]
    if not is_right or not 0 < kept["epoch"] <= EPOCH_MAX:
        allowed = f"allowed an epoch of 1 to {EPOCH_MAX}, is_taken, origin, and cabinets"
        raise Refused(f"{path}: {allowed}. Put the file aside, then start with --take-over")
    return Kept(**kept)


def take(path: str, kept: Kept, is_restart: bool) -> int:
    """Store and return an epoch above that of `kept`. Two dispatchers that both start for the first
    time draw different ones. Refused: it cannot be stored.
    """
    epoch = kept.epoch + 1 + (0 if is_restart else APART + secrets.randbelow(APART))
    if epoch > EPOCH_MAX:
        remedy = "give the cabinets new keys, put this file aside, then start with --take-over"
        raise Refused(f"{path}: the epochs are used up; {remedy}")
    put(path, kept._replace(epoch=epoch, origin=origin(path)))
    return epoch


def put(path: str, kept: Kept) -> None:
    """Store it. Refused: it cannot be stored."""
    try:
        durable.put(path, ".new", [json.dumps(kept._asdict()).encode()], 0o600)
        durable.sync_directory(os.path.dirname(path))
    except OSError as error:
        raise Refused(f"{path}: the epoch cannot be stored: {error.strerror}") from None
