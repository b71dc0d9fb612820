"""`record.head` in the run directory: `id` and `hash` (hex) of the newest event.

Systems upstream read it. A recorder whose database was lost goes on with its `meta`.
"""

import json
import os

from controller.store import durable
from controller.system import json_text, regular_file

FILE = "record.head"
HASH_BYTES = 32
BYTES_MAX = 1 << 20


def read(run_directory: str) -> dict:
    """{"id", "hash", "meta"} as published last; {} if the file is missing or not valid."""
    try:
        with open(
            os.path.join(run_directory, FILE), encoding="ascii", opener=regular_file.opener
        ) as file:
            content = json_text.loads(file.read(BYTES_MAX))
        number, digest, meta = content["id"], bytes.fromhex(content["hash"]), content["meta"]
    except (OSError, ValueError, TypeError, KeyError):
        return {}
    well_formed = (
        type(number) is int
        and 0 <= number < 1 << 62
        and len(digest) == HASH_BYTES
        and type(meta) is dict
    )
    return content if well_formed else {}


def publish(run_directory: str, content: dict) -> None:
    """Replace the file at once, so that no reader sees half of it. Raises OSError."""
    text = json.dumps(content).encode("ascii")
    durable.put(os.path.join(run_directory, FILE), ".new", [text], 0o640)
