"""Reads the tables [source.NAME], which describe the programs that may send hints. A hint asks for
power or for a tighter limit. core/base/hint_sources.py makes an array of integers from them.
"""

from dataclasses import dataclass

from controller.config.values import Values
from controller.core.base import hint_codes
from controller.core.base.hint_sources import CAP, NO_PRIORITY, QUANTITIES, SOURCES_MAX
from controller.core.parameters import SOURCE_PARAMETERS
from controller.forms.refusal import refuse

FALLBACK_KEYS = {
    hint_codes.CHARGE_W_MAX: "fallback_charge_W_max",
    hint_codes.DISCHARGE_W_MAX: "fallback_discharge_W_max",
    hint_codes.IMPORT_W_MAX: "fallback_import_W_max",
    hint_codes.EXPORT_W_MAX: "fallback_export_W_max",
}


@dataclass(frozen=True, slots=True)
class Source:
    """One source of hints. index: place among the sorted names, from 0. priority: 1 is the highest
    for requests of power, 0 means no requests. fallback: {quantity: the limit that applies when no
    hint is valid, W, or None}.
    """

    name: str
    index: int
    role: str
    priority: int
    valid_s_max: int
    hints_per_s_max: int
    request_ramp_W_per_s: int
    energy_Wh_per_h_max: int
    fallback: dict[int, int | None]

    @property
    def rank(self) -> int:
        """Place of the role in hint_codes.ROLES."""
        return hint_codes.ROLES.index(self.role)


def read(values: Values) -> tuple[Source, ...]:
    """Every Source, by index. Raises ConfigError."""
    names = sorted(values.tables("source"))
    if len(names) > SOURCES_MAX:
        last = ("source", names[SOURCES_MAX])
        refuse(values.last_file, last, "is one source too many", f"at most {SOURCES_MAX} sources")
    sources = tuple(_source(values, name, index) for index, name in enumerate(names))
    _check_priorities(values, sources)
    return sources


def _source(values: Values, name: str, index: int) -> Source:
    role = values.need("source", name, "role")
    settings = {row[0]: values.get("source", name, row[0]) for row in SOURCE_PARAMETERS}
    if role == hint_codes.ROLES[CAP]:
        if settings["priority"] is not None:
            problem = 'is not allowed: a source of role "cap" sends no requests'
            values.refuse(("source", name, "priority"), problem)
        settings["priority"] = NO_PRIORITY
    else:
        values.need("source", name, "priority")
    fallback = {
        quantity: settings.pop(FALLBACK_KEYS[quantity]) if quantity in FALLBACK_KEYS else None
        for quantity in QUANTITIES
    }
    return Source(name=name, index=index, role=role, fallback=fallback, **settings)


def _check_priorities(values: Values, sources: tuple[Source, ...]) -> None:
    seen: dict[int, Source] = {}
    for source in sources:
        first = seen.setdefault(source.priority, source)
        if source.priority != NO_PRIORITY and first is not source:
            allowed = f"a priority that no other source has (source.{first.name} has this one)"
            values.not_allowed(("source", source.name, "priority"), allowed)
