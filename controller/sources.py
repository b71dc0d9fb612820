"""Who may send hints: the tables [source.NAME] of a configuration, and the source image made of them.

The image is one flat array of integers: schema, number of sources, then SOURCE_WORDS words of each in the order of
their index (W_...). A journal carries it beside the other two images, so that a replay needs no file.
"""

from array import array
from dataclasses import dataclass

from controller import hint_codes
from controller.layers import not_allowed, refuse
from controller.parameters import SOURCE_PARAMETERS

SOURCES_MAX = 8
IMAGE_SCHEMA = 1
HEADER_WORDS = 2  # schema, number of sources
ABSENT_W = -1  # in the place of a fallback that nobody configured
NO_PRIORITY = 0
QUANTITIES = tuple(hint_codes.QUANTITIES)
FALLBACK_KEYS = {hint_codes.CHARGE_W_MAX: "fallback_charge_W_max",
                 hint_codes.DISCHARGE_W_MAX: "fallback_discharge_W_max",
                 hint_codes.IMPORT_W_MAX: "fallback_import_W_max",
                 hint_codes.EXPORT_W_MAX: "fallback_export_W_max"}
# Words of one source; its fallbacks follow in the order of QUANTITIES.
W_ROLE, W_PRIORITY, W_VALID_S_MAX, W_HINTS_PER_S_MAX, W_REQUEST_RAMP, W_ENERGY_WH_PER_H_MAX, W_FALLBACK = range(7)
SOURCE_WORDS = W_FALLBACK + len(QUANTITIES)
# Place of each role in ROLES: each includes the ones before it.
CAP, REQUEST, GRID_CAP, OPERATOR = range(4)


@dataclass(frozen=True, slots=True)
class Source:
    """One source of hints. index: place among the sorted names, from 0; role: of hint_codes.ROLES.

    priority: of its requests, 1 first, 0 if it may not send any; fallback: {quantity: W or None}, every quantity.
    """

    name: str
    index: int
    role: str
    priority: int
    valid_s_max: int
    hints_per_s_max: int
    request_ramp_W_per_s: int
    energy_Wh_per_h_max: int
    fallback: dict

    @property
    def rank(self):
        """Place of the role in hint_codes.ROLES."""
        return hint_codes.ROLES.index(self.role)


def read(values):
    """Tuple of Source, by index. Raises ConfigError."""
    names = sorted(values.tables("source"))
    if len(names) > SOURCES_MAX:
        refuse(values.last_file, ("source", names[SOURCES_MAX]), "is one source too many", f"{SOURCES_MAX} sources")
    found = tuple([_source(values, name, index) for index, name in enumerate(names)])
    _check_priorities(values, found)
    return found


def _source(values, name, index):
    role = values.need("source", name, "role")
    said = {row[0]: values.get("source", name, row[0]) for row in SOURCE_PARAMETERS}
    if role == hint_codes.ROLES[CAP]:
        if said["priority"] is not None:
            path = ("source", name, "priority")
            refuse(values.file(*path), path, 'is for requests, which a source of role "cap" cannot send')
        said["priority"] = NO_PRIORITY
    else:
        values.need("source", name, "priority")
    fallback = {quantity: said.pop(FALLBACK_KEYS[quantity]) if quantity in FALLBACK_KEYS else None
                for quantity in QUANTITIES}
    return Source(name=name, index=index, role=role, fallback=fallback, **said)


def _check_priorities(values, sources):
    seen = {}
    for source in sources:
        other = seen.setdefault(source.priority, source)
        if source.priority != NO_PRIORITY and other is not source:
            path = ("source", source.name, "priority")
            not_allowed(values.file(*path), path, source.priority,
                        f"a priority of its own (source.{other.name} has this one)")


def image(sources):
    """array('i') of the sources as described at the head of this module."""
    words = [IMAGE_SCHEMA, len(sources)]
    for source in sources:
        words += [source.rank, source.priority, source.valid_s_max, source.hints_per_s_max,
                  source.request_ramp_W_per_s, source.energy_Wh_per_h_max]
        words += [ABSENT_W if watts is None else watts for watts in source.fallback.values()]
    return array("i", words)


def no_sources():
    """The image of a configuration without sources."""
    return image(())


def words(source_image, index):
    """The SOURCE_WORDS words of one source in an image."""
    at = HEADER_WORDS + index * SOURCE_WORDS
    return source_image[at:at + SOURCE_WORDS]


def count(source_image):
    """Number of sources in an image. Raises ValueError when it is not of this version."""
    if len(source_image) < HEADER_WORDS or source_image[0] != IMAGE_SCHEMA:
        raise ValueError("source image schema is not this version's")
    if not 0 <= source_image[1] <= SOURCES_MAX or len(source_image) != HEADER_WORDS + source_image[1] * SOURCE_WORDS:
        raise ValueError("source image length does not fit its sources")
    return source_image[1]
