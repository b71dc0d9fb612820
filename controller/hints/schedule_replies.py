"""The answer to a schedule that is whole in the image, and the table read back. Reads only."""

from controller.config.sources import Source
from controller.core.base import hint_codes as h
from controller.core.core import Core
from controller.core.policies import schedule as s
from controller.hints import admission, schedule_wire as sw
from controller.hints.schedule_check import AHEAD_MIN_MAX


def answer(pending: admission.Pending, core: Core, nonce: bytes, uptime_ms: int) -> sw.Answer:
    """The nonce is always that of this run, so that a sender with an old nonce learns it."""
    refused, out = pending.refused, core.functions[s.Schedule.NAME].out
    return sw.Answer(
        pending.account.source.name,
        nonce,
        pending.hint.sequence,
        uptime_ms,
        refused.code or h.GRANTED,
        refused.slot,
        refused.field,
        out[s.O_STATE],
        out[s.O_SLOT],
        core.functions[s.Schedule.NAME].state.slot_count,
    )


def held(
    source_name: str, core: Core, sources: tuple[Source, ...], nonce: bytes, uptime_ms: int
) -> sw.Held:
    """The table in force, for the source of this name."""
    function = core.functions[s.Schedule.NAME]
    state = function.state
    return sw.Held(
        source_name,
        nonce,
        uptime_ms,
        sources[state.source - 1].name if state.source else "",
        state.start_min,
        state.slot_min,
        function.out[s.O_STATE],
        function.out[s.O_SLOT],
        tuple(function.slots()),
    )


def is_held_by_better(source: Source, core: Core, sources: tuple[Source, ...]) -> bool:
    """True while a better source's schedule may act: operators, then the lowest priority."""
    holder = core.functions[s.Schedule.NAME].holder
    return holder >= 0 and _order(sources[holder]) < _order(source)


def is_far(schedule: sw.Schedule, core: Core) -> bool:
    """True if a schedule begins farther ahead than a schedule may, by a clock that is trusted."""
    minute = core.functions[s.Schedule.NAME].minute()
    return (
        bool(schedule.slots)
        and minute is not None
        and (schedule.start_min > minute + AHEAD_MIN_MAX)
    )


def _order(source: Source) -> tuple[bool, int]:
    return source.role != "operator", source.priority
