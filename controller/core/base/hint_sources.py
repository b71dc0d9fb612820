"""The source image: who may send hints and what, as one flat array of integers.

Layout: schema, number of sources, then SOURCE_WORDS words of each in the order of their index
(W_...). A journal carries it beside the other two images, so that a replay needs no file.
controller/config/sources.py makes the sources from TOML.
"""

from array import array

from controller.core.base import hint_codes

SOURCES_MAX = 8
IMAGE_SCHEMA = 1
HEADER_WORDS = 2  # schema, number of sources
ABSENT_W = -1  # in the place of a fallback that is not configured
NO_PRIORITY = 0
QUANTITIES = tuple(hint_codes.QUANTITIES)
# Words of one source; its fallbacks follow in the order of QUANTITIES.
(
    W_ROLE,
    W_PRIORITY,
    W_VALID_S_MAX,
    W_HINTS_PER_S_MAX,
    W_REQUEST_RAMP,
    W_ENERGY_WH_PER_H_MAX,
    W_FALLBACK,
) = range(7)
SOURCE_WORDS = W_FALLBACK + len(QUANTITIES)
# Place of each role in ROLES: each includes the ones before it.
CAP, REQUEST, GRID_CAP, OPERATOR = range(4)


def image(sources: tuple) -> array:
    """array('i') of the sources as described at the head of this module."""
    words = [IMAGE_SCHEMA, len(sources)]
    for source in sources:
        words += [
            source.rank,
            source.priority,
            source.valid_s_max,
            source.hints_per_s_max,
            source.request_ramp_W_per_s,
            source.energy_Wh_per_h_max,
        ]
        words += [ABSENT_W if watts is None else watts for watts in source.fallback.values()]
    return array("i", words)


def words(source_image: array, index: int) -> array:
    """The SOURCE_WORDS words of one source in an image."""
    at = HEADER_WORDS + index * SOURCE_WORDS
    return source_image[at : at + SOURCE_WORDS]


def count(source_image: array) -> int:
    """Number of sources in an image. Raises ValueError when it is not of this version."""
    if len(source_image) < HEADER_WORDS or source_image[0] != IMAGE_SCHEMA:
        raise ValueError("source image schema is not this version's")
    if (
        not 0 <= source_image[1] <= SOURCES_MAX
        or len(source_image) != HEADER_WORDS + source_image[1] * SOURCE_WORDS
    ):
        raise ValueError("source image length does not fit its sources")
    return source_image[1]
