"""The state of a fleet as data, with the project's names and those of IEEE 2030.5 (CSIP-AUS).

share       opModImpLimW of a control, with its duration; the newest control is the first
fallback    opModImpLimW of the default control, which holds without a valid control
answers     status: at first none, received (waits for a heartbeat), started, superseded, completed
charge      stateOfChargeStatus, in hundredths of a percent
discharge   statWAvail, for availabilityDuration seconds

A broker takes messages up to 64 kB, so a large fleet has several: `state`, `state/2` and so on.
Each has the sums of the whole fleet, and up to 90 cabinets.
"""

from collections.abc import Iterator
from typing import Any

from controller.dispatch.dispatcher import Dispatcher

Facts = dict[str, Any]
CHARGING, DISCHARGING, HOLDING = range(3)  # of storageModeStatus
IDLE_W = 50  # below this power the battery counts as holding
HELD_S = 900  # held_15min_high_W
CABINETS_MAX = 90  # in one message; each has at most 650 bytes


def topic(source: str) -> str:
    """The first retained topic of the dispatcher's state; the others are below it."""
    return f"firebreak-fleet/{source}/state"


def parts(dispatcher: Dispatcher, now_us: int) -> Iterator[tuple[str, Facts]]:
    """(topic, facts) of each message, each cabinet with its controls of IEEE 2030.5."""
    place, count = topic(dispatcher.fleet.source), len(dispatcher.members)
    for first in range(0, count, CABINETS_MAX):
        part = dispatcher.facts(now_us, range(first, min(count, first + CABINETS_MAX)))
        for cabinet in part["cabinets"].values():
            cabinet["DefaultDERControl"] = default(cabinet["fallback_W"])
        yield f"{place}/{first // CABINETS_MAX + 1}" if first else place, part


def default(fallback_W: int) -> Facts:
    """The control that holds while there is no other one."""
    return {"opModImpLimW": fallback_W}


def status(report: Facts) -> Facts:
    """The status of a cabinet with battery_W, soc_permille and held_15min_high_W."""
    charge, battery_W = report["soc_permille"], report["battery_W"]
    mode = None
    if battery_W is not None:
        mode = DISCHARGING if battery_W > 0 else CHARGING
        mode = HOLDING if abs(battery_W) < IDLE_W else mode
    return {
        "DERStatus": {
            "stateOfChargeStatus": None if charge is None else charge * 10,
            "storageModeStatus": mode,
        },
        "DERAvailability": {
            "statWAvail": report["held_15min_high_W"],
            "availabilityDuration": HELD_S,
        },
    }
