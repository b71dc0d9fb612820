"""The state of a fleet as data, in our names and in those of IEEE 2030.5 (CSIP-AUS).

share       opModImpLimW of a control, with its start and duration
fallback    opModImpLimW of the default control, which holds without a valid control
answers     received, started, superseded, completed
"""

from typing import Any

from controller.dispatch.dispatcher import Dispatcher


def topic(source: str) -> str:
    """The retained topic of the dispatcher's state."""
    return f"firebreak-fleet/{source}/state"


def of(dispatcher: Dispatcher, now_ms: float) -> dict[str, Any]:
    """The facts of the dispatcher, each cabinet with its controls of IEEE 2030.5."""
    found = dispatcher.facts(now_ms)
    for cabinet in found["cabinets"].values():
        cabinet["DERControl"] = {
            "opModImpLimW": cabinet["share_W"],
            "duration": cabinet["left_s"],
            "status": "started" if cabinet["left_s"] else "completed",
        }
        cabinet["DefaultDERControl"] = {"opModImpLimW": cabinet["fallback_W"]}
    return found
