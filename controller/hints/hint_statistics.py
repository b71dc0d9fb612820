"""Counters of hints per source in a mapped file: the loop writes it, every user may read it.

The file has a head, a text (JSON) about the sources, one row of words for all sources (COMMON), and
one row for each source (OWN). The words of 8 bytes are aligned, so that a reader never sees half of
one.
"""

import json
import os
import struct
from typing import Any

from controller.config.sources import Source
from controller.core.base import hint_codes
from controller.system import json_text, regular_file

HEAD = struct.Struct("<8sII")  # magic, bytes of the text, words begin at
MAGIC = b"FBHINT\x00\x01"
COMMON = ("wrong_length", "wrong_magic", "unknown_source", "hellos", "unsent")
OWN = (
    "accepted",
    "limited",
    "refused",
    "bad_mac",
    "last_code",
    "last_seen_ms",
    "last_sequence",
    "last_purpose",
    "key_fingerprint",
    "key_made_s",
    "old_key_until_ms",
)
WRONG_LENGTH, WRONG_MAGIC, UNKNOWN_SOURCE, HELLOS, UNSENT = range(len(COMMON))
ACCEPTED, LIMITED, REFUSED, BAD_MAC, LAST_CODE, LAST_SEEN_MS, LAST_SEQUENCE, LAST_PURPOSE = range(8)
KEY_FINGERPRINT, KEY_MADE_S, OLD_KEY_UNTIL_MS = range(8, len(OWN))
TOTALS = OWN[:4]


class HintStatistics:
    """Writer: an assignment to `common` or `rows[source index]` changes the file."""

    def __init__(self, path: str, sources: tuple[Source, ...]):
        """Makes a new file. Raises OSError."""
        text = json.dumps([describe(source) for source in sources]).encode()
        words_at = -(-(HEAD.size + len(text)) // 8) * 8
        size = words_at + 8 * (len(COMMON) + len(OWN) * len(sources))
        self._map = regular_file.mapped(path, size)
        self._map[HEAD.size : HEAD.size + len(text)] = text
        self._words = memoryview(self._map)[words_at:].cast("Q")
        self.common = self._words[: len(COMMON)]
        self.rows = [
            self._words[first : first + len(OWN)]
            for first in range(len(COMMON), len(self._words), len(OWN))
        ]
        HEAD.pack_into(self._map, 0, MAGIC, len(text), words_at)

    def close(self) -> None:
        """Release the mapping. The file stays."""
        for view in (*self.rows, self.common, self._words):
            view.release()
        self._map.close()


def describe(source: Source) -> dict[str, Any]:
    """A configured source as plain values."""
    return {
        "name": source.name,
        "role": source.role,
        "priority": source.priority,
        "valid_s_max": source.valid_s_max,
        "hints_per_s_max": source.hints_per_s_max,
        "fallback": {
            hint_codes.QUANTITIES[quantity]: value_W
            for quantity, value_W in source.fallback.items()
        },
    }


def read(path: str) -> dict[str, Any] | None:
    """{accepted, limited, refused, bad_mac, COMMON ..., sources: describe and OWN}; None: no file.

    accepted: hints that were taken. limited: the part of them with less or another effect than
    requested.
    """
    content = regular_file.content(path)
    if len(content) < HEAD.size or not content.startswith(MAGIC):
        return None  # the loop has just started, or writes another version
    _, text_bytes, words_at = HEAD.unpack_from(content)
    sources = _described(content[HEAD.size : HEAD.size + text_bytes])
    if sources is None or len(content) != words_at + 8 * (len(COMMON) + len(OWN) * len(sources)):
        return None
    counters = memoryview(content)[words_at:].cast("Q")
    for index, source in enumerate(sources):
        source.update(zip(OWN, counters[len(COMMON) + index * len(OWN) :]))
    if not all(source["last_code"] in (0, *hint_codes.TEXTS) for source in sources):
        return None
    totals = {name: sum(source[name] for source in sources) for name in TOTALS}
    return {**totals, **dict(zip(COMMON, counters)), "sources": sources}


def of_source(run_directory: str, name: str) -> dict[str, Any] | None:
    """The counters of one source, as in `read`; None if the file does not have them."""
    counts = read(os.path.join(run_directory, "hints.stats"))
    return next((row for row in counts["sources"] if row["name"] == name), None) if counts else None


def _described(text: bytes) -> list[dict[str, Any]] | None:
    """The result of `describe` of each source, None when the text is something else."""
    try:
        sources = json_text.loads(text)
    except ValueError:
        return None
    return sources if isinstance(sources, list) and all(map(_is_description, sources)) else None


def _is_description(source: object) -> bool:
    if not isinstance(source, dict) or not isinstance(source.get("fallback"), dict):
        return False
    texts = [source.get(name) for name in ("name", "role")]
    numbers = [source.get(name) for name in ("priority", "valid_s_max", "hints_per_s_max")]
    numbers += [value_W for value_W in source["fallback"].values() if value_W is not None]
    return all(
        isinstance(word, str) and word.isascii() and word.isprintable() for word in texts
    ) and all(isinstance(number, int) for number in numbers)
