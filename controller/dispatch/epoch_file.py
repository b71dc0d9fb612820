"""The epoch of a dispatcher, kept over its restarts: each start takes a new one, stored first."""

import json
import os

from controller.forms.reading import file_text
from controller.forms.refusal import ConfigError
from controller.hints.wire import EPOCH_MAX
from controller.store import durable
from controller.system import json_text

BYTES_MAX = 1000


class EpochError(Exception):
    """No epoch can be taken. Its text is one line."""


def read(path: str) -> int:
    """The epoch that the last start took; 0: none yet. EpochError: the file is damaged."""
    if not os.path.exists(path):
        return 0
    try:
        found = json_text.loads(file_text(path, BYTES_MAX, "the file that dispatch has written"))
    except (ConfigError, ValueError) as error:
        raise EpochError(f"{path}: {error}") from None
    epoch = found.get("epoch") if isinstance(found, dict) else None
    if type(epoch) is not int or not 0 <= epoch <= EPOCH_MAX:
        raise EpochError(f"{path}: epoch is wrong; allowed 0 to {EPOCH_MAX}")
    return epoch


def take(path: str, highest: int) -> int:
    """Store and return an epoch above all that are known. EpochError: it cannot be stored."""
    epoch = highest + 1
    if epoch > EPOCH_MAX:
        raise EpochError(f"{path}: the epochs are used up; give the cabinets new keys")
    try:
        durable.put(path, ".new", [json.dumps({"epoch": epoch}).encode()], 0o600)
    except OSError as error:
        raise EpochError(f"{path}: the epoch cannot be stored: {error.strerror}") from None
    return epoch
