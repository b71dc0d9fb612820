"""Reads and writes `record.head`, a file in the run directory about the newest event.

The file has number (`id`) and hash (hex) of this event, which systems upstream read. It also has
`meta`, a copy of that table of the record. If the database is lost, the recorder goes on with this
copy.
"""

import json
import os

from controller.store import durable
from controller.system import json_text, regular_file

FILE = "record.head"
HASH_BYTES = 32
BYTES_MAX = 1 << 20


def read(run_directory: str) -> dict:
    """The published {"id", "hash", "meta"}; {} if the file is missing or not valid."""
    try:
        text = regular_file.read(os.path.join(run_directory, FILE), BYTES_MAX).decode("ascii")
        content = json_text.loads(text)
        number, digest, meta = content["id"], bytes.fromhex(content["hash"]), content["meta"]
    except (OSError, ValueError, TypeError, KeyError):
        return {}
    is_number = type(number) is int and 0 <= number < 1 << 62
    is_valid = is_number and len(digest) == HASH_BYTES and type(meta) is dict
    return content if is_valid else {}


def publish(run_directory: str, content: dict) -> None:
    """Replace the file in one step, so that no reader sees half of it. Raises OSError."""
    text = json.dumps(content).encode("ascii")
    durable.put(os.path.join(run_directory, FILE), ".new", [text], 0o640)
