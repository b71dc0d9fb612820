"""The epoch of a dispatcher, kept over its restarts. Each start stores a new epoch before use.

At its first start, and at a take-over, another dispatcher may still run. A restart must not forget
this until every cabinet refuses the other one. So these two draw an epoch so far above that
restarts of an earlier dispatcher never reach it. The file names its origin, so that neither a copy
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
    """The file. epoch: of the last start; 0: none yet. is_taken: an earlier dispatcher may still
    run. cabinets: digest of the cabinets' names.
    """

    epoch: int = 0
    is_taken: bool = True
    origin: str = ""
    cabinets: str = ""


def origin(path: str) -> str:
    """Identity of the host, and path of the file. A copy elsewhere has another origin."""
    machine = ""
    with contextlib.suppress(ConfigError, OSError):
        machine = file_text(MACHINE_ID, BYTES_MAX, "an identity").strip()
    return f"{machine or socket.gethostname()}:{os.path.realpath(path)}"


def digest(names: Iterable[str]) -> str:
    """Digest of the names of cabinets, in any order."""
    return hashlib.sha256(" ".join(sorted(names)).encode()).hexdigest()[:DIGITS]


def read(path: str) -> Kept:
    """The content that the last start has stored. Refused: the file is damaged."""
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
    time draw different epochs. Refused: it cannot be stored.
    """
    epoch = kept.epoch + 1 + (0 if is_restart else APART + secrets.randbelow(APART))
    if epoch > EPOCH_MAX:
        remedy = "give the cabinets new keys, put this file aside, then start with --take-over"
        raise Refused(f"{path}: the epochs are used up; {remedy}")
    put(path, kept._replace(epoch=epoch, origin=origin(path)))
    return epoch


def put(path: str, kept: Kept) -> None:
    """Store the content of the file. Refused: it cannot be stored."""
    try:
        durable.put(path, ".new", [json.dumps(kept._asdict()).encode()], 0o600)
        durable.sync_directory(os.path.dirname(path))
    except OSError as error:
        raise Refused(f"{path}: the epoch cannot be stored: {error.strerror}") from None
