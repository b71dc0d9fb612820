"""A short code for the active and latched stages, with which a reset names what a person saw."""

import re
import struct
from zlib import crc32

from controller.core.image import PEER_EMPTY

FORM = re.compile(r"[0-9A-F]{8}")
# The code changes when the key is turned, because the turned key makes a row active.
TURN_KEY = "turn the key, then look again"
_CAUSES = struct.Struct("<4i")
_EMPTY = 2 * PEER_EMPTY  # causes when nothing is active or latched in either channel


def code_of(causes: tuple[int, ...]) -> str | None:
    """The code of snapshot.Snapshot.causes; None if no row is active or latched."""
    return None if causes == _EMPTY else f"{crc32(_CAUSES.pack(*causes)):08X}"


def command_of(code: str, by_key: bool, is_key_out: bool) -> str | None:
    """The command for a reset; None if it needs the key and the key is in RUN."""
    if by_key and not is_key_out:
        return None
    return f"firebreak reset {'--key ' if by_key else ''}{code}"
