"""The source image: the senders of hints and their rights, as one flat array of integers.

Layout: schema, number of sources, then the words of each source in the order of their index. A
journal contains this image beside the other images, so that a replay needs no file.
controller/config/sources.py makes the sources from TOML.
"""

from array import array
from collections.abc import Iterable
from typing import Any, NamedTuple

from controller.core.base import hint_codes

SOURCES_MAX = 8
IMAGE_SCHEMA = 1
HEADER_WORDS = 2  # schema, number of sources
ABSENT_W = -1  # marks a fallback that is not configured
NO_PRIORITY = 0
QUANTITIES = tuple(hint_codes.QUANTITIES)
# Place of each role in ROLES: each includes the ones before it.
CAP, REQUEST, GRID_CAP, OPERATOR = range(4)


class Source(NamedTuple):
    """Words of one source. rank: place of its role in ROLES; fallback_W: the fallback of each
    quantity, in the order of QUANTITIES.
    """

    rank: int
    priority: int
    valid_s_max: int
    hints_per_s_max: int
    request_ramp_W_per_s: int
    energy_Wh_per_h_max: int
    fallback_W: tuple[int, ...]


_PLAIN = Source._fields[:-1]
SOURCE_WORDS = len(_PLAIN) + len(QUANTITIES)


def image(configured: Iterable[Any]) -> "array[int]":
    """The source image, array('i'), of sources from controller/config/sources.py."""
    image_words = []
    for source in configured:
        image_words += [getattr(source, name) for name in _PLAIN]
        image_words += [ABSENT_W if watts is None else watts for watts in source.fallback.values()]
    return array("i", [IMAGE_SCHEMA, len(image_words) // SOURCE_WORDS, *image_words])


def sources(source_image: "array[int]") -> list[Source]:
    """The sources of an image. Raises ValueError when it is not of this version."""
    if len(source_image) < HEADER_WORDS or source_image[0] != IMAGE_SCHEMA:
        raise ValueError("source image schema is not this version's")
    count, places = source_image[1], range(HEADER_WORDS, len(source_image), SOURCE_WORDS)
    if count > SOURCES_MAX or len(source_image) != HEADER_WORDS + count * SOURCE_WORDS:
        raise ValueError("source image length does not fit its sources")
    blocks = [source_image[start : start + SOURCE_WORDS] for start in places]
    return [Source._make([*block[: len(_PLAIN)], tuple(block[len(_PLAIN) :])]) for block in blocks]
