"""What a source is told of its hint after the tick that took it: granted, left, fallback, available
power, and why. And of the cabinet, when it asks: power, energy, reserve, who is in control.

Reads the core as the tick has left it; changes nothing.
"""

from controller.core import hint_codes as h
from controller.core import reasons, setpoint
from controller.core.integers import within
from controller.core.policies import hint_table
from controller.hints import desk
from controller.hints import wire as w


def reply(pending, core, nonce, uptime_ms):
    """Reply to a hints.Pending. The nonce is always that of this run, so that a sender of another
    one learns it.
    """
    fields, source = pending.fields, pending.account.source
    quantity = fields[desk.F_QUANTITY]
    granted_W, valid_ms = in_force(core, source.index, quantity)
    code, granted_W = effect(core, source, fields, granted_W)
    if pending.code:
        code = pending.code
    else:
        valid_ms = min(fields[desk.F_VALID_MS], valid_ms)
    fallback_W = source.fallback.get(quantity)
    trace = core.chain.out
    low_W, high_W = trace[setpoint.O_AVAILABLE_LOW_W], trace[setpoint.O_AVAILABLE_HIGH_W]
    return w.Reply(
        source.name,
        nonce,
        fields[desk.F_SEQUENCE],
        uptime_ms,
        code,
        fields[desk.F_KIND],
        quantity,
        fields[desk.F_VALUE_W],
        granted_W,
        valid_ms,
        w.NOTHING_W if fallback_W is None else fallback_W,
        low_W,
        high_W,
        end_reason(core.chain, core.chain.caps.low_W, core.chain.caps.low_reason),
        end_reason(core.chain, core.chain.caps.high_W, core.chain.caps.high_reason),
        trace[setpoint.O_SETPOINT_W],
        trace[setpoint.O_BINDING_REASON],
    )


def state(source_name, core, sources, nonce, uptime_ms):
    """hint_wire.State after the last tick for the source of this name; sources: config.sources."""
    trace, caps, settings = core.chain.out, core.chain.caps, core.settings
    control = core.out[core.out_at["hint_table"] + hint_table.O_CONTROL_SOURCE]
    return w.State(
        source_name,
        nonce,
        uptime_ms,
        trace[setpoint.O_SETPOINT_W],
        trace[setpoint.O_AVAILABLE_LOW_W],
        trace[setpoint.O_AVAILABLE_HIGH_W],
        core.out[core.out_at["hint_table"] + hint_table.O_REMAINING_WH],
        settings["soc_reserve_soft_permille"],
        settings["soc_reserve_hard_permille"],
        end_reason(core.chain, caps.low_W, caps.low_reason),
        end_reason(core.chain, caps.high_W, caps.high_reason),
        trace[setpoint.O_BINDING_REASON],
        sources[control - 1].name if control else "",
    )


def in_force(core, source_index, quantity):
    """(value in W, ms left) of a source's quantity; NOTHING_W when it has none. A fallback has 0 ms
    left.
    """
    if quantity not in h.QUANTITIES:
        return w.NOTHING_W, 0
    value_W, valid_s, state = [
        core.out[core.out_at["hint_table"] + hint_table.output_at(source_index, quantity, field)]
        for field in (hint_table.F_VALUE_W, hint_table.F_VALID_S, hint_table.F_STATE)
    ]
    return (w.NOTHING_W, 0) if state == hint_table.NONE else (value_W, valid_s * 1000)


def effect(core, source, fields, value_W):
    """(result code of a hint that was taken, granted_W); value_W: what its source now has in force
    of that quantity.
    """
    kind, quantity = fields[desk.F_KIND], fields[desk.F_QUANTITY]
    if value_W == w.NOTHING_W:
        return h.GRANTED, value_W
    state = core.out[
        core.out_at["hint_table"] + hint_table.output_at(source.index, quantity, hint_table.F_STATE)
    ]
    if state == hint_table.FALLBACK and value_W != fields[desk.F_VALUE_W]:
        return h.FALLBACK_RULES, value_W
    if quantity == h.POWER_W:
        return _of_request(core, source, value_W)
    if kind == h.GRID_CAP:
        return _of_grid_cap(core, source, quantity, value_W)
    return h.GRANTED, value_W


def _of_request(core, source, value_W):
    out, at = core.out, core.out_at["hint_table"]
    if (
        out[at + hint_table.output_at(source.index, h.POWER_W, hint_table.F_STATE)]
        == hint_table.RESTING
    ):
        return h.RESTING, 0
    if out[at + hint_table.O_CONTROL_SOURCE] != source.index + 1:
        return h.OUTRANKED, 0
    trace = core.chain.out
    granted_W = within(
        value_W, trace[setpoint.O_AVAILABLE_LOW_W], trace[setpoint.O_AVAILABLE_HIGH_W]
    )
    if granted_W == value_W:
        return h.GRANTED, granted_W
    # Caps and limits only bring a power nearer to zero: what is beyond the request, or opposes it,
    # an obligation wants.
    return (
        h.LIMITED if within(granted_W, min(value_W, 0), max(value_W, 0)) == granted_W else h.MOVED
    ), granted_W


def _of_grid_cap(core, source, quantity, value_W):
    if not desk.obliges(source.role):
        return h.CHARGING_ONLY, value_W
    out, trace = core.out, core.chain.out
    place = hint_table.O_IMPORT_SOURCE if quantity == h.IMPORT_W_MAX else hint_table.O_EXPORT_SOURCE
    short_W = trace[setpoint.O_OBLIGATION_SHORT_W]
    short = short_W and trace[setpoint.O_OBLIGATION_SHORT_REASON] == reasons.GRID_CAP_HINT
    if short and out[core.out_at["hint_table"] + place] == source.index + 1:
        return h.LIMITED, value_W + short_W
    return h.GRANTED, value_W


def end_reason(chain, cap_W, cap_reason):
    """Reason code of one end of the available power: what moved the end of the caps last, in the
    order of the chain.
    """
    obliged_W, reason = chain.obligations.apply(cap_W)
    if obliged_W <= chain.limits.low_W:
        return chain.limits.low_reason
    if obliged_W >= chain.limits.high_W:
        return chain.limits.high_reason
    return reason or cap_reason
