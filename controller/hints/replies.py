"""Makes the replies to hints and schedules after their tick. This module only reads the core.

It also makes the answers for a source that asks for the state, or for the schedule in force.
"""

from controller.config.sources import Source
from controller.core.base import hint_codes as h, reasons, setpoint
from controller.core.base.integers import within
from controller.core.core import Core
from controller.core.policies import hint_outputs, schedule
from controller.core.policies.notices import SAME_MS, Notices
from controller.core.policies.schedule import Schedule
from controller.hints import admission, hint_check, schedule_wire as sw, wire as w

_MAY_OUTLAST = h.NOTICE, h.HEARTBEAT  # the reply may give more time than the hint


def reply(
    pending: admission.Pending, hint: w.Hint, core: Core, nonce: bytes, uptime_ms: int
) -> w.Reply:
    """Reply to an authentic hint. From it a sender learns the nonce of this run."""
    source = pending.account.source
    if hint.quantity in h.NOTICES:
        code, value_W, valid_ms = _of_notice(core, source.index, hint, uptime_ms)
        granted_W = value_W
    else:
        value_W, valid_ms, entry_state = in_force(core, source.index, hint.quantity)
        code, granted_W = effect(core, source, hint, value_W, entry_state)
        if hint.kind == h.HEARTBEAT:
            code, granted_W = h.GRANTED, value_W
    fallback_W = source.fallback.get(hint.quantity)
    is_shorter = not pending.code and hint.kind not in _MAY_OUTLAST
    return w.Reply(
        source=source.name,
        nonce=nonce,
        sequence=hint.sequence,
        uptime_ms=uptime_ms,
        code=pending.code or code,
        kind=hint.kind,
        quantity=hint.quantity,
        asked_W=hint.value_W,
        granted_W=granted_W,
        valid_ms=min(hint.valid_ms, valid_ms) if is_shorter else valid_ms,
        fallback_W=w.NOTHING_W if fallback_W is None else fallback_W,
        **_power(core.chain),
    )


def state(
    source_name: str, core: Core, sources: tuple[Source, ...], nonce: bytes, uptime_ms: int
) -> w.State:
    """State after the last tick for the source of this name."""
    control = _of_table(core, hint_outputs.O_CONTROL_SOURCE)
    return w.State(
        source=source_name,
        nonce=nonce,
        uptime_ms=uptime_ms,
        remaining_Wh=_of_table(core, hint_outputs.O_REMAINING_WH),
        reserve_peaks_permille=core.settings["soc_reserve_peaks_permille"],
        reserve_backup_permille=core.settings["soc_reserve_backup_permille"],
        control_source=sources[control - 1].name if control else "",
        **_power(core.chain),
    )


def _available(chain: setpoint.Chain) -> tuple[int, int]:
    """(low, high) of the available power in W."""
    return chain.out[setpoint.O_AVAILABLE_LOW_W], chain.out[setpoint.O_AVAILABLE_HIGH_W]


def _power(chain: setpoint.Chain) -> dict[str, int]:
    """The fields of a Reply and a State about set-point and available power."""
    low_W, high_W = _available(chain)
    return {
        "available_low_W": low_W,
        "available_high_W": high_W,
        "low_reason": end_reason(chain, chain.caps.low_W, chain.caps.low_reason),
        "high_reason": end_reason(chain, chain.caps.high_W, chain.caps.high_reason),
        "setpoint_W": chain.out[setpoint.O_SETPOINT_W],
        "binding_reason": chain.out[setpoint.O_BINDING_REASON],
    }


def _of_table(core: Core, place: int) -> int:
    """One output of the hint table."""
    return core.out[core.out_at["hint_table"] + place]


def _of_notice(core: Core, source_index: int, hint: w.Hint, uptime_ms: int) -> tuple[int, int, int]:
    """(result code, value, ms left) of a notice of a source; NOTHING_W without a value."""
    notices: Notices = core.functions[Notices.NAME]
    if hint.quantity == h.PRICE_IS_NEGATIVE:
        left_ms = notices.price_ms(source_index)
        return h.GRANTED, 1 if left_ms else w.NOTHING_W, left_ms
    start_ms = max(0, hint.start_ms - uptime_ms)
    for step in notices.steps():
        if step.source == source_index and abs(step.start_ms - start_ms) <= SAME_MS:
            return h.GRANTED, step.step_W, step.left_ms
    return h.FARTHER if hint.value_W else h.GRANTED, w.NOTHING_W, 0


def in_force(core: Core, source_index: int, quantity: int) -> tuple[int, int, int]:
    """(W, ms left, state) of a source's quantity; NOTHING_W: none. A fallback has 0 ms left."""
    if quantity not in h.QUANTITIES:
        return w.NOTHING_W, 0, hint_outputs.NONE
    value_W, valid_s, entry_state = [
        _of_table(core, hint_outputs.output_at(source_index, quantity, field))
        for field in (hint_outputs.F_VALUE_W, hint_outputs.F_VALID_S, hint_outputs.F_STATE)
    ]
    if entry_state == hint_outputs.NONE:
        return w.NOTHING_W, 0, entry_state
    return value_W, valid_s * 1000, entry_state


def effect(
    core: Core, source: Source, hint: w.Hint, value_W: int, entry_state: int
) -> tuple[int, int]:
    """(result code of an accepted hint, granted_W). value_W, entry_state: of `in_force`."""
    if value_W == w.NOTHING_W:
        return h.GRANTED, value_W
    if entry_state == hint_outputs.FALLBACK and value_W != hint.value_W:
        return h.FALLBACK_RULES, value_W
    if hint.quantity == h.POWER_W:
        return _of_request(core, source, value_W, entry_state)
    if hint.kind == h.GRID_CAP:
        return _of_grid_cap(core, source, hint.quantity, value_W)
    return h.GRANTED, value_W


def _of_request(core: Core, source: Source, value_W: int, entry_state: int) -> tuple[int, int]:
    if entry_state == hint_outputs.RESTING:
        return h.RESTING, 0
    if _of_table(core, hint_outputs.O_CONTROL_SOURCE) != source.index + 1:
        return h.OUTRANKED, 0
    granted_W = within(value_W, *_available(core.chain))
    if granted_W == value_W:
        return h.GRANTED, granted_W
    # Caps and limits only bring a power nearer to zero. A power beyond the request, or against it,
    # comes from an obligation.
    is_nearer = within(granted_W, min(value_W, 0), max(value_W, 0)) == granted_W
    return h.LIMITED if is_nearer else h.MOVED, granted_W


def _of_grid_cap(core: Core, source: Source, quantity: int, value_W: int) -> tuple[int, int]:
    if not hint_check.obliges(source.role):
        return h.CHARGING_ONLY, value_W
    trace = core.chain.out
    place = (
        hint_outputs.O_IMPORT_SOURCE if quantity == h.IMPORT_W_MAX else hint_outputs.O_EXPORT_SOURCE
    )
    short_W = trace[setpoint.O_OBLIGATION_SHORT_W]
    is_short = short_W and trace[setpoint.O_OBLIGATION_SHORT_REASON] == reasons.GRID_CAP_HINT
    if is_short and _of_table(core, place) == source.index + 1:
        return h.LIMITED, value_W + short_W
    return h.GRANTED, value_W


def end_reason(chain: setpoint.Chain, cap_W: int, cap_reason: int) -> int:
    """Reason code of one end of the available power: the last step of the chain that moved it."""
    obliged_W, reason = chain.obligations.apply(cap_W)
    if obliged_W <= chain.limits.low_W:
        return chain.limits.low_reason
    if obliged_W >= chain.limits.high_W:
        return chain.limits.high_reason
    return reason or cap_reason


# -- schedules


def answer(pending: admission.Pending, core: Core, nonce: bytes, uptime_ms: int) -> sw.Answer:
    """Answer to a schedule. Its nonce is for a sender from before a restart."""
    refusal, out = pending.refused, core.functions[Schedule.NAME].out
    return sw.Answer(
        source=pending.account.source.name,
        nonce=nonce,
        sequence=pending.hint.sequence,
        uptime_ms=uptime_ms,
        code=refusal.code or h.GRANTED,
        refused_slot=refusal.slot,
        refused_field=refusal.field,
        state=out[schedule.O_STATE],
        slot=out[schedule.O_SLOT],
        slot_count=core.functions[Schedule.NAME].state.slot_count,
    )


def held(
    source_name: str, core: Core, sources: tuple[Source, ...], nonce: bytes, uptime_ms: int
) -> sw.Held:
    """The table in force, for the source of this name."""
    function = core.functions[Schedule.NAME]
    state = function.state
    return sw.Held(
        source=source_name,
        nonce=nonce,
        uptime_ms=uptime_ms,
        owner=sources[state.source - 1].name if state.source else "",
        start_min=state.start_min,
        slot_min=state.slot_min,
        state=function.out[schedule.O_STATE],
        slot=function.out[schedule.O_SLOT],
        slots=tuple(function.slots()),
    )


def is_held_by_better(source: Source, core: Core, sources: tuple[Source, ...]) -> bool:
    """True while the schedule of a source with a higher rank may act. Operators rank first, then
    sources by rising priority number.
    """
    holder = core.functions[Schedule.NAME].holder
    return holder >= 0 and _order(sources[holder]) < _order(source)


def is_far(table: sw.Schedule, core: Core) -> bool:
    """True if a schedule begins farther ahead than it may, by a trusted clock."""
    minute = core.functions[Schedule.NAME].minute()
    return (
        bool(table.slots)
        and minute is not None
        and (table.start_min > minute + hint_check.AHEAD_MIN_MAX)
    )


def _order(source: Source) -> tuple[bool, int]:
    return source.role != "operator", source.priority
