"""Facts of the page `why` about the actuators of site devices: the chain from request to value."""

from collections.abc import Callable

from controller.core.base import reasons, setpoint as c
from controller.core.base.answers import WIDE_W, Answer, Cap, Obligation
from controller.core.site_devices.actuator_chain import ActuatorChain
from controller.core.site_devices.signals_view import DeviceView
from controller.journal.snapshot import Shadow
from controller.state import base
from controller.state.base import Facts, reason

Trace = Callable[[int], int]  # gives the value of a word of setpoint.CHAIN_OUTPUTS
Wider = Callable[[], tuple[int, int]]
ANY = WIDE_W, reasons.NONE


def facts(shadow: Shadow) -> list[Facts]:
    """One entry for each actuator, in the order of the configuration."""
    chains = enumerate(shadow.core.actuators)
    return [_actuator(shadow, number, chain) for number, chain in chains]


def of_device(shadow: Shadow, view: DeviceView) -> list[Facts]:
    """The entries of one device."""
    chains = enumerate(shadow.core.actuators)
    return [_actuator(shadow, number, chain) for number, chain in chains if chain.view is view]


def _actuator(shadow: Shadow, number: int, actuator_chain: ActuatorChain) -> Facts:
    first = shadow.core.actuators_at + number * len(c.CHAIN_OUTPUTS)

    def trace(place: int) -> int:
        return shadow.out[first + place]

    actuator, view = actuator_chain.actuator, actuator_chain.view
    code = trace(c.O_BINDING_REASON)
    return {
        "name": actuator_chain.name,
        "device": base.configured(shadow, view.device),
        "text": actuator.text,
        "value": trace(c.O_SETPOINT_W),
        "request": trace(c.O_REQUEST_W),
        "request_reason": reason(trace(c.O_REQUEST_BASE_REASON)),
        "available": trace(c.O_AVAILABLE_HIGH_W),
        "steps": _steps(trace),
        "binding": reason(code),
        "without": without(actuator_chain.chain, code) if code else None,
        "sent": view.sent(actuator.name),
        "feedback": actuator.feedback,
        "feedback_value": view.value(actuator.feedback),
        "unheard": actuator.unheard,
    }


def _steps(trace: Trace) -> list[Facts]:
    """Each step: interval (None: no bound), value after the step, reason that changed the
    value.
    """
    rows = (
        ("request", None, None, c.O_REQUEST_W, None),
        ("caps", c.O_CAPS_LOW_W, c.O_CAPS_HIGH_W, c.O_AFTER_CAPS_W, c.O_CAPS_REASON),
        ("ramp", c.O_RAMP_LOW_W, c.O_RAMP_HIGH_W, c.O_AFTER_RAMP_W, c.O_RAMP_REASON),
        ("obligations", None, None, c.O_OBLIGATION_W, c.O_OBLIGATION_REASON),
        ("limits", c.O_LIMITS_LOW_W, c.O_LIMITS_HIGH_W, c.O_SETPOINT_W, c.O_LIMIT_REASON),
    )
    return [
        {
            "step": step,
            "low": low and _bound(trace(low)),
            "high": high and _bound(trace(high)),
            "leaves": trace(leaves),
            "acted": acted and reason(trace(acted)),
        }
        for step, low, high, leaves, acted in rows
    ]


def _bound(value: int) -> int | None:
    """The bound as a number, or None without a bound. An actuator without a ramp may change by
    WIDE_W in a tick, so the ends of its ramp lie at its value + or - WIDE_W. No real bound is
    beyond WIDE_W / 2.
    """
    return value if abs(value) <= WIDE_W // 2 else None


def without(chain: c.Chain, code: int, wider: Wider = lambda: ANY) -> Facts:
    """The result of the chain without the reason `code` and without the ramp: {value, next: the
    reason that would bind then, or None}.

    wider: gives the (value, reason) that replaces an end of a cap or limit if `code` set that end.
    """
    wider_chain = c.Chain(WIDE_W)
    for answer in chain.answers:
        wider_answer = _without(answer, code, wider)
        if wider_answer is not None:
            wider_chain.take(wider_answer)
    value = wider_chain.finish(1)
    return {"value": value, "next": reason(wider_chain.out[c.O_BINDING_REASON])}


def _without(answer: Answer, code: int, wider: Wider) -> Answer | None:
    """The answer without the bounds that have the reason `code`; None if no bound is left."""
    if isinstance(answer, Obligation):
        return None if code in (answer.low_reason, answer.high_reason) else answer
    if isinstance(answer, Cap):
        charge, discharge = answer[:2], answer[2:]  # (W, reason)
        return type(answer)(
            *(wider() if answer.charge_reason == code else charge),
            *(wider() if answer.discharge_reason == code else discharge),
        )
    return answer
