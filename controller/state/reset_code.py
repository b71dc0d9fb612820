"""A short code for the active and latched stages: a reset names what its operator has seen."""

import re
import struct
from zlib import crc32

from controller.core.image import PEER_EMPTY

FORM = re.compile(r"[0-9A-F]{8}")
# a row of its own stands then, so the code is another one
TURN_KEY = "turn the key, then look again"
_CAUSES = struct.Struct("<4i")
_EMPTY = 2 * PEER_EMPTY  # of both channels


def code_of(causes: tuple):
    """FORM of what a reset names (snapshot.Snapshot.causes: of both channels), None where nothing
    stands in either.
    """
    return None if causes == _EMPTY else f"{crc32(_CAUSES.pack(*causes)):08X}"


def command_of(code: str, by_key: bool, is_key_out: bool) -> str | None:
    """What is typed to reset what has this code; None where it goes by the key, and that is in RUN
    still.
    """
    if by_key and not is_key_out:
        return None
    return f"firebreak reset {'--key ' if by_key else ''}{code}"
