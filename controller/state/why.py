"""Why the power is what it is: the chain from request to wire with every bound, and what would be
without the last.
"""

from controller.core import reasons, setpoint
from controller.core.integers import within
from controller.core.policies import site_load, track
from controller.core.sent import NOTHING, SENT
from controller.state import base, hints, limits
from safety import signals as s

STAGES = ("caps", "ramp", "obligations", "limits")
NAMED = (setpoint.O_REQUEST_BASE_REASON, setpoint.O_REQUEST_FAST_REASON)
LOAD_SOURCES = {
    track.UNKNOWN: "unknown",
    track.CALCULATED: "calculated",
    track.MEASURED: "measured",
}


def facts(shadow):
    """The page `why` as plain data. Every power in W, > 0 discharges."""
    chain = shadow.chain
    code = chain(setpoint.O_BINDING_REASON)
    binding = base.reason(code)
    return {
        **base.head(shadow),
        "request_W": chain(setpoint.O_REQUEST_W),
        "setpoint_W": chain(setpoint.O_SETPOINT_W),
        "held_back_W": chain(setpoint.O_HELD_BACK_W),
        "request": _request(shadow),
        "caps": _caps(shadow),
        "ramp": _ramp(shadow),
        "obligations": _obligations(shadow),
        "limits": _limits(shadow),
        "short_W": chain(setpoint.O_OBLIGATION_SHORT_W),
        "short_reason": base.reason(chain(setpoint.O_OBLIGATION_SHORT_REASON)),
        "binding": binding,
        "cause": cause(shadow, code),
        "without": without(shadow) if binding else None,
        "units": [_unit(shadow, unit) for unit in range(shadow.layout.units)],
        "standing_count": len(shadow.standing),
        "differs": shadow.differs,
    }


def cause(shadow, code):
    """The numbers behind a reason, of hints too; None where the code says everything."""
    found = {
        reasons.HINT: "control",
        reasons.OPERATOR: "control",
        reasons.REQUEST_RESTS: "control",
        reasons.GRID_CAP_HINT: "import_W_max",
    }.get(code)
    if code == reasons.HINT_CAP:
        found = "charge_W_max" if shadow.chain(setpoint.O_REQUEST_W) < 0 else "discharge_W_max"
    if found == "import_W_max" and not hints.of_source(shadow, found):
        found = "export_W_max"
    if found:
        return {"kind": "hint", "hints": hints.of_source(shadow, found)}
    return limits.cause(shadow, code)


def _request(shadow):
    chain, load = shadow.chain, shadow.core.load.state
    return {
        "base_W": chain(setpoint.O_REQUEST_BASE_W),
        "base_reason": base.reason(chain(setpoint.O_REQUEST_BASE_REASON)),
        "base_cause": cause(shadow, chain(setpoint.O_REQUEST_BASE_REASON)),
        "fast_W": chain(setpoint.O_REQUEST_FAST_W),
        "fast_reason": base.reason(chain(setpoint.O_REQUEST_FAST_REASON)),
        "load_from": LOAD_SOURCES[load[site_load.S_SOURCE]],
        "load_W": load[site_load.S_LOAD_W] if load[site_load.S_SOURCE] else None,
    }


def _interval(shadow, first, after, acted):
    """One stage of the chain: its interval with both reasons, what it leaves, the reason that moved
    the value.
    """
    chain = shadow.chain
    return {
        "low_W": chain(first),
        "low_reason": base.reason(chain(first + 1)),
        "high_W": chain(first + 2),
        "high_reason": base.reason(chain(first + 3)),
        "leaves_W": chain(after),
        "acted": base.reason(chain(acted)),
    }


def _caps(shadow):
    found = _interval(
        shadow, setpoint.O_CAPS_LOW_W, setpoint.O_AFTER_CAPS_W, setpoint.O_CAPS_REASON
    )
    return _with_causes(shadow, found)


def _limits(shadow):
    found = _interval(
        shadow, setpoint.O_LIMITS_LOW_W, setpoint.O_SETPOINT_W, setpoint.O_LIMIT_REASON
    )
    return _with_causes(shadow, found)


def _with_causes(shadow, found):
    """The numbers behind both ends."""
    for end in ("low", "high"):
        named = found[f"{end}_reason"]
        found[f"{end}_cause"] = cause(shadow, named["code"]) if named else None
    return found


def _ramp(shadow):
    chain = shadow.chain
    return {
        "low_W": chain(setpoint.O_RAMP_LOW_W),
        "high_W": chain(setpoint.O_RAMP_HIGH_W),
        "leaves_W": chain(setpoint.O_AFTER_RAMP_W),
        "acted": base.reason(chain(setpoint.O_RAMP_REASON)),
    }


def _obligations(shadow):
    """Those that stand, lowest rank first; is_met: by the set-point."""
    chain, kept = shadow.chain, shadow.core.chain.obligations
    setpoint_W = chain(setpoint.O_SETPOINT_W)
    standing, value_W = [], chain(setpoint.O_AFTER_RAMP_W)
    for rank in kept.ranks:
        value_W = within(value_W, kept.low_W[rank], kept.high_W[rank])
        hinted = rank == setpoint.GRID_CAP_HINT
        standing.append(
            {
                "rank": setpoint.RANKS[rank],
                "low_W": kept.low_W[rank],
                "low_reason": base.reason(kept.low_reason[rank]),
                "high_W": kept.high_W[rank],
                "high_reason": base.reason(kept.high_reason[rank]),
                "leaves_W": value_W,
                "is_met": kept.low_W[rank] <= setpoint_W <= kept.high_W[rank],
                "cause": cause(shadow, reasons.GRID_CAP_HINT) if hinted else None,
            }
        )
    return {
        "standing": standing,
        "leaves_W": chain(setpoint.O_OBLIGATION_W),
        "acted": base.reason(chain(setpoint.O_OBLIGATION_REASON)),
        "is_known": bool(shadow.core.load.state[site_load.S_CONNECTION_OK]),
    }


def _unit(shadow, unit):
    """One converter: what it was told, what it says it was told, what it does."""
    names, layout = shadow.reader.header["input_names"], shadow.layout
    at = names.index(f"unit_{unit}.sent_W")
    code = shadow.inp[at + 1]
    first = shadow.output_names.index(f"unit_{unit}.setpoint_W")
    charge, discharge = (
        shadow.out[layout.unit_output(unit, signal)]
        for signal in (s.CHARGE_REASON, s.DISCHARGE_REASON)
    )
    return {
        "unit": unit + 1,
        "setpoint_W": shadow.out[first],
        "sent_W": None if code == NOTHING else shadow.inp[at],
        "refused": base.reason(code) if code > SENT else None,
        "read_back_W": base.unit_value(shadow, unit, s.PCS_SETPOINT_W),
        "read_back_age_ms": base.age_ms(shadow, layout.unit_group(unit, s.G_PCS_CONTROL)),
        "measured_W": base.unit_value(shadow, unit, s.PCS_POWER_W),
        "measured_age_ms": base.age_ms(shadow, layout.unit_group(unit, s.G_PCS_MEASURE)),
        "is_run_permitted": bool(shadow.out[layout.unit_output(unit, s.PCS_RUN_OK)]),
        "charge_W_max": shadow.out[layout.unit_output(unit, s.CHARGE_W_MAX)],
        "charge_reason": base.reason(reasons.KERNEL_CHARGE[charge]),
        "discharge_W_max": shadow.out[layout.unit_output(unit, s.DISCHARGE_W_MAX)],
        "discharge_reason": base.reason(reasons.KERNEL_DISCHARGE[discharge]),
    }


# What would be without what binds: the chain once more with that one bound left out, and without
# the ramp, which only delays the answer.


def without(shadow):
    """{setpoint_W, next: the reason that would then bind, None if none would}."""
    stage, code = _last_stage(shadow), shadow.chain(setpoint.O_BINDING_REASON)
    chain = shadow.core.chain
    caps = _ends(shadow, chain.caps.parts, code if stage == "caps" else None)
    bounds = _ends(shadow, chain.limits.parts, code if stage == "limits" else None)
    value_W, reason = _held(shadow.chain(setpoint.O_REQUEST_W), caps, reasons.NONE)
    kept = chain.obligations
    for rank in kept.ranks:
        ends = (
            (kept.low_W[rank], kept.low_reason[rank]),
            (kept.high_W[rank], kept.high_reason[rank]),
        )
        if stage != "obligations" or code not in (ends[0][1], ends[1][1]):
            value_W, reason = _held(value_W, ends, reason)
    value_W, reason = _held(value_W, bounds, reason)
    return {"setpoint_W": value_W, "next": base.reason(reason)}


def _last_stage(shadow):
    acted = {
        "limits": setpoint.O_LIMIT_REASON,
        "obligations": setpoint.O_OBLIGATION_REASON,
        "ramp": setpoint.O_RAMP_REASON,
        "caps": setpoint.O_CAPS_REASON,
    }
    return next(stage for stage, word in acted.items() if shadow.chain(word))


def _held(value_W, ends, reason):
    """value_W within the ends ((W, reason), (W, reason)), with the reason that moved it, else the
    one before.
    """
    (low_W, low_reason), (high_W, high_reason) = ends
    if value_W < low_W:
        return low_W, low_reason
    return (high_W, high_reason) if value_W > high_W else (value_W, reason)


def _ends(shadow, parts, code):
    """((low_W, its reason), (high_W, its reason)) of caps or limits, the reason `code` left out of
    them.
    """
    low, high = (setpoint.WIDE_W, reasons.NONE), (setpoint.WIDE_W, reasons.NONE)
    for charge_W, charge_reason, discharge_W, discharge_reason in parts:
        low = min(low, _left(shadow, charge_W, charge_reason, code))
        high = min(high, _left(shadow, discharge_W, discharge_reason, code))
    return (-low[0], low[1]), high


def _left(shadow, part_W, part_reason, code):
    """(W, reason) that one part still allows once the reason `code` is left out of it."""
    if code is None or part_reason != code:
        return part_W, part_reason
    found = limits.way_and_limit(code)
    if found is None:
        return setpoint.WIDE_W, reasons.NONE
    way, number = found
    rising = limits.recovering(shadow, way)
    return (rising["to_W"], code) if rising else limits.next_limit(shadow, way, number)
