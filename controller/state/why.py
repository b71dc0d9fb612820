"""Facts of the page `why`: chain from request to wire, set-point without the binding limit."""

from controller.core.base import reasons, setpoint
from controller.core.base.sent import NOTHING, SENT
from controller.core.policies.hint_table import GRID_CAP_HINT
from controller.core.policies.site_load import CALCULATED, MEASURED, UNKNOWN
from controller.core.policies.track import Track
from controller.core.tracking.judge import J_CHOICE, J_MOST, ONE, SHARES
from controller.core.tracking.strict import S_RANGE_W
from controller.journal.snapshot import Shadow
from controller.state import actuators, base, hints, limits, links
from controller.state.base import Facts, reason
from safety import signals as s

LOAD_SOURCES = {UNKNOWN: "unknown", CALCULATED: "calculated", MEASURED: "measured"}


def facts(shadow: Shadow) -> Facts:
    """The page `why` as plain data. Every power in W, > 0 discharges."""
    chain, findings = shadow.chain, shadow.core.found
    binding_code = chain(setpoint.O_BINDING_REASON)
    request_code = chain(setpoint.O_REQUEST_BASE_REASON)
    return {
        **base.head(shadow),
        "request_W": chain(setpoint.O_REQUEST_W),
        "setpoint_W": chain(setpoint.O_SETPOINT_W),
        "held_back_W": chain(setpoint.O_HELD_BACK_W),
        "request": {
            "base_W": chain(setpoint.O_REQUEST_BASE_W),
            "base_reason": reason(request_code),
            "base_cause": cause(shadow, request_code),
            "fast_W": chain(setpoint.O_REQUEST_FAST_W),
            "fast_reason": reason(chain(setpoint.O_REQUEST_FAST_REASON)),
            "load_from": LOAD_SOURCES[findings.load_source],
            "load_W": findings.load_W,
        },
        "range": _range(shadow),
        "caps": _interval(
            shadow, setpoint.O_CAPS_LOW_W, setpoint.O_AFTER_CAPS_W, setpoint.O_CAPS_REASON
        ),
        "ramp": _ramp(shadow),
        "obligations": _obligations(shadow),
        "limits": _interval(
            shadow, setpoint.O_LIMITS_LOW_W, setpoint.O_SETPOINT_W, setpoint.O_LIMIT_REASON
        ),
        "short_W": chain(setpoint.O_OBLIGATION_SHORT_W),
        "short_reason": reason(chain(setpoint.O_OBLIGATION_SHORT_REASON)),
        "binding": reason(binding_code),
        "cause": cause(shadow, binding_code),
        "without": without(shadow) if binding_code else None,
        "schedule": hints.schedule(shadow),
        "actuators": actuators.facts(shadow),
        "units": [_unit(shadow, unit) for unit in range(shadow.layout.units)],
        "standing_count": len(shadow.standing),
        "differs": shadow.differs,
        "is_off_grid": findings.is_off_grid,
    }


def _range(shadow: Shadow) -> Facts | None:
    """The share of the load's swings that the strict judge allows to load tracking. None: the judge
    does not reduce the share now.
    """
    judge, chain = shadow.core.control.functions[Track.NAME].guess.judge, shadow.chain
    share, wanted = judge.words[J_MOST], max(SHARES[judge.words[J_CHOICE]])
    is_tracking = chain(setpoint.O_REQUEST_FAST_REASON) == reasons.LOAD_TRACKING
    is_own = shadow.core.found.load_source == MEASURED
    if judge.strict is None or share >= wanted or not (is_tracking and is_own):
        return None
    return {
        "share_permille": share * 1000 // ONE,
        "load_W": judge.strict.words[S_RANGE_W],
        "allowed_W": shadow.core.settings["range_5s_W_max"],
    }


def cause(shadow: Shadow, code: int) -> Facts | None:
    """The numbers that explain a reason, also a reason of hints; None: the code explains itself."""
    quantity = {
        reasons.HINT: "control",
        reasons.OPERATOR: "control",
        reasons.REQUEST_RESTS: "control",
        reasons.GRID_CAP_HINT: "import_W_max",
    }.get(code)
    if code == reasons.HINT_CAP:
        quantity = "charge_W_max" if shadow.chain(setpoint.O_REQUEST_W) < 0 else "discharge_W_max"
    if quantity == "import_W_max" and not hints.of_source(shadow, quantity):
        quantity = "export_W_max"
    if quantity:
        return {"kind": "hint", "hints": hints.of_source(shadow, quantity)}
    numbers = limits.cause(shadow, code)
    if numbers and numbers["kind"] == "schedule":
        numbers |= hints.schedule(shadow) or {}
    return numbers


def _interval(shadow: Shadow, first: int, after: int, acted: int) -> Facts:
    """One step of the chain, from the words of its trace: interval, reasons, causes, result."""
    chain = shadow.chain
    low_W, low_code, high_W, high_code = [chain(first + place) for place in range(4)]
    return {
        "low_W": low_W,
        "low_reason": reason(low_code),
        "high_W": high_W,
        "high_reason": reason(high_code),
        "leaves_W": chain(after),
        "acted": reason(chain(acted)),
        "low_cause": cause(shadow, low_code),
        "high_cause": cause(shadow, high_code),
    }


def _ramp(shadow: Shadow) -> Facts:
    chain = shadow.chain
    return {
        "low_W": chain(setpoint.O_RAMP_LOW_W),
        "high_W": chain(setpoint.O_RAMP_HIGH_W),
        "leaves_W": chain(setpoint.O_AFTER_RAMP_W),
        "acted": reason(chain(setpoint.O_RAMP_REASON)),
    }


def _obligations(shadow: Shadow) -> Facts:
    """The obligations in force, lowest rank first; is_met: by the set-point."""
    chain = shadow.chain
    setpoint_W = chain(setpoint.O_SETPOINT_W)
    steps = shadow.core.chain.obligations.steps(chain(setpoint.O_AFTER_RAMP_W))
    in_force = [
        {
            "rank": obligation.rank[1],
            "low_W": obligation.low_W,
            "low_reason": reason(obligation.low_reason),
            "high_W": obligation.high_W,
            "high_reason": reason(obligation.high_reason),
            "leaves_W": leaves_W,
            "is_met": obligation.low_W <= setpoint_W <= obligation.high_W,
            "cause": cause(shadow, reasons.GRID_CAP_HINT)
            if obligation.rank == GRID_CAP_HINT
            else None,
        }
        for obligation, leaves_W in steps
    ]
    return {
        "standing": in_force,
        "leaves_W": chain(setpoint.O_OBLIGATION_W),
        "acted": reason(chain(setpoint.O_OBLIGATION_REASON)),
        "is_known": shadow.core.found.connection_W is not None,
    }


def _unit(shadow: Shadow, unit: int) -> Facts:
    """One converter: set-point sent, set-point read back, power measured."""
    names, layout = shadow.reader.header["input_names"], shadow.layout
    code = shadow.inp[names.index(f"unit_{unit}.sent_code")]
    first = shadow.output_names.index(f"unit_{unit}.setpoint_W")

    def output(signal: int) -> int:
        return shadow.out[layout.unit_output(unit, signal)]

    return {
        "unit": unit + 1,
        "setpoint_W": shadow.out[first],
        "is_resting": shadow.core.units.in_use.rests(unit),
        "sent_W": None if code == NOTHING else shadow.inp[layout.unit_input(unit, s.PCS_SENT_W)],
        "refused": reason(code) if code > SENT else None,
        "read_back_W": base.unit_value(shadow, unit, s.PCS_SETPOINT_W),
        "read_back_age_ms": base.age_ms(shadow, layout.unit_group(unit, s.G_PCS_CONTROL)),
        "measured_W": base.unit_value(shadow, unit, s.PCS_POWER_W),
        "measured_age_ms": base.age_ms(shadow, layout.unit_group(unit, s.G_PCS_MEASURE)),
        "own_state": links.own_state(shadow, unit),
        "is_run_permitted": bool(output(s.PCS_RUN_OK)),
        "charge_W_max": output(s.CHARGE_W_MAX),
        "charge_reason": reason(reasons.KERNEL_CHARGE[output(s.CHARGE_REASON)]),
        "discharge_W_max": output(s.DISCHARGE_W_MAX),
        "discharge_reason": reason(reasons.KERNEL_DISCHARGE[output(s.DISCHARGE_REASON)]),
    }


def without(shadow: Shadow) -> Facts:
    """{setpoint_W, next: the reason that would bind then, or None} (actuators.without)."""
    code = shadow.chain(setpoint.O_BINDING_REASON)
    outcome = actuators.without(shadow.core.chain, code, lambda: _wider(shadow, code))
    return {"setpoint_W": outcome["value"], "next": outcome["next"]}


def _wider(shadow: Shadow, code: int) -> tuple[int, int]:
    """(W, reason) to which an end of an interval would widen without the reason `code`."""
    kernel_limit = limits.way_and_limit(code)
    if kernel_limit is None:
        return actuators.ANY
    way, number = kernel_limit
    rising = limits.recovering(shadow, way)
    return (rising["to_W"], code) if rising else limits.next_limit(shadow, way, number)
