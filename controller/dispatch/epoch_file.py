"""The epoch of a dispatcher, kept over its restarts: each start takes a new one, stored first.

A take-over is stored too: until every cabinet has been fenced, the earlier dispatcher may still
run, and a restart must not forget that.
"""

import json
import os
from typing import NamedTuple

from controller.forms.reading import file_text
from controller.forms.refusal import ConfigError
from controller.hints.wire import EPOCH_MAX
from controller.store import durable
from controller.system import json_text

BYTES_MAX = 1000


class EpochError(Exception):
    """No epoch can be taken. Its text is one line."""


class Kept(NamedTuple):
    """epoch: of the last start; 0: none yet. is_taken: an earlier dispatcher may still run."""

    epoch: int = 0
    is_taken: bool = False


def read(path: str) -> Kept:
    """What the last start has stored. EpochError: the file is damaged."""
    if not os.path.exists(path):
        return Kept()
    try:
        found = json_text.loads(file_text(path, BYTES_MAX, "the file that dispatch has written"))
    except (ConfigError, ValueError) as error:
        raise EpochError(f"{path}: {error}") from None
    epoch, is_taken = (
        (found.get("epoch"), found.get("is_taken")) if isinstance(found, dict) else (0, 0)
    )
    if type(epoch) is not int or not 0 <= epoch <= EPOCH_MAX or not isinstance(is_taken, bool):
        raise EpochError(f"{path}: allowed an epoch of 0 to {EPOCH_MAX}, and is_taken")
    return Kept(epoch, is_taken)


def take(path: str, highest: int, is_taken: bool) -> int:
    """Store and return an epoch above all that are known. EpochError: it cannot be stored."""
    epoch = highest + 1
    if epoch > EPOCH_MAX:
        raise EpochError(f"{path}: the epochs are used up; give the cabinets new keys")
    put(path, Kept(epoch, is_taken))
    return epoch


def put(path: str, kept: Kept) -> None:
    """Store it. EpochError: it cannot be stored."""
    try:
        durable.put(path, ".new", [json.dumps(kept._asdict()).encode()], 0o600)
        durable.sync_directory(os.path.dirname(path))
    except OSError as error:
        raise EpochError(f"{path}: the epoch cannot be stored: {error.strerror}") from None
