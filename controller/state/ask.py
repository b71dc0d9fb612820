"""Answers the question: may a job that raises the load run within battery and connection?

A "yes" must be right, a "no" may be too strict, so estimates are on the safe side. With an unknown
meter the answer is never "yes".
"""

import math
from collections.abc import Iterable

from controller.core.base import reasons
from controller.state import base
from controller.state.base import Facts
from controller.state.forecast import (
    BMS_DDEGC,
    MARGIN_PERMILLE,
    WARM_DDEGC_PER_C2_H,
    Forecast,
    Job,
    Moment,
)
from controller.state.futures import futures
from controller.state.situation import LOOK_BACK_MS
from controller.state.situation_forms import Situation
from safety.tapers import taper_permille

YES, NO, NOT_KNOWN = "yes", "no", "not known"
POWER_W_MAX, AT_S_MAX, FOR_S_MAX = 1_000_000_000, 86_400, 86_400


def answer(situation: Situation, job: Job) -> Facts:
    """{answer, power_W, at_s, for_s, missing: [{what, ...}], unknown: [text]}. If the meters are
    known, these facts too:

    course: the possible future that decides, None if there is only one; margin_W, margin_Wh: spare
    power and energy, None if the answer is not yes or the battery is not needed; needed_W: power
    that the battery must give in the worst moment; given_Wh: energy that it gives during the job.
    """
    if situation.unknown:
        return not_known(job, situation.unknown)
    forecasts = [Forecast(situation, job, future) for future in futures(situation)]
    if any(forecast.is_needed for forecast in forecasts) and situation.unknown_battery:
        return not_known(job, situation.unknown_battery)
    deciding = min(
        forecasts, key=lambda forecast: (not _missing(situation, forecast), forecast.margin_W)
    )
    missing, worst = _missing(situation, deciding), deciding.worst
    is_yes, seen_W = not missing, situation.connection.seen_W
    left_Wh = min(forecast.left_Wh for forecast in forecasts)
    return {
        "answer": YES if is_yes else NO,
        **job._asdict(),
        "course": deciding.future.name if len(forecasts) > 1 else None,
        "rests_on": _rests_on(situation, worst),
        "margin_W": int(deciding.margin_W) if is_yes else None,
        "margin_Wh": int(left_Wh) if is_yes and left_Wh < float("inf") else None,
        "missing": missing,
        "unknown": [],
        "needed_W": max(0, round(worst.need_W)),
        "given_Wh": round(deciding.given_Wh),
        "remaining_Wh": None if situation.unknown_battery else situation.battery.remaining_Wh,
        "reserve_permille": situation.battery.reserve_permille,
        "import_W_max": round(worst.cap.import_W),
        "import_reason": base.reason(worst.cap.reason),
        "connection_W": [sum(seen_W) // len(seen_W), max(seen_W)],
        "end_ddegC": round(deciding.ddegC),
        "assumptions": assumptions(situation),
    }


def _rests_on(situation: Situation, worst: Moment) -> list[Facts]:
    """The limits on which the answer depends. valid_s None: the limit has no end; decides: True
    for the limit that binds in the worst moment.
    """
    connection, tracking = situation.connection, situation.tracking
    limits: list[tuple] = [("", "connection", "configured", connection.import_W_max, None, None)]
    for hint in situation.hints:
        name = hint.source, hint.quantity
        if hint.valid_s:
            limits.append((*name, "valid", hint.value_W, hint.valid_s, hint.fallback_W))
        else:
            limits.append((*name, "fallback", hint.fallback_W, None, None))
    if tracking.is_requested:
        name = tracking.base_source, "power_W"
        limits.append((*name, "valid", tracking.base_W, tracking.base_s, None))
    if situation.slots:
        limits.append(
            (situation.schedule_source, "schedule", "valid", None, situation.heard_s, None)
        )
    names = "source", "what", "state", "value_W", "valid_s", "fallback_W"
    limit_names = {reasons.GRID_CAP_HINT: "import_W_max", reasons.SCHEDULE_GRID_CAP: "schedule"}
    deciding = worst.cap.source, limit_names.get(worst.cap.reason, "connection")
    return [{**dict(zip(names, limit)), "decides": limit[:2] == deciding} for limit in limits]


def not_known(job: Job, unknown: Iterable[str]) -> Facts:
    """The answer if no forecast is possible; unknown: texts about the unknown values."""
    return {"answer": NOT_KNOWN, **job._asdict(), "missing": [], "unknown": list(unknown)}


def assumptions(situation: Situation) -> list[str]:
    """One sentence for each assumption behind an answer."""
    sentences = [
        f"The load goes on as in the last {LOOK_BACK_MS // 60_000} min.",
        "Load tracking charges until then, within the connection, towards "
        f"{situation.battery.target_permille / 10:g} %.",
        f"Efficiency {situation.battery.efficiency_permille / 10:g} % each way; "
        f"{MARGIN_PERMILLE / 10:g} % of the energy stays unused.",
        "Limits, interlocks and start conditions stay as now.",
        f"Modules warm by {WARM_DDEGC_PER_C2_H / 10:g} K per hour at 1 C, with the square of the "
        f"power; the BMS may derate {BMS_DDEGC / 10:g} K early.",
    ]
    if len(futures(situation)) > 1:
        sentences.append(
            "Sources of hints may renew what they sent or fall silent, the worse one counts: a "
            "silent one's hint counts while it is valid, then its fallback."
        )
    if situation.steps:
        sentences.append(f"{len(situation.steps)} announced steps of the load come.")
    return sentences


def _missing(situation: Situation, forecast: Forecast) -> list[Facts]:
    """What is missing. `what` is condition, temperature, power, peak_window or energy."""
    missing = []
    if forecast.worst.spare_W < 0:
        missing.append(_missing_power(situation, forecast.worst))
    over = [interval for interval in forecast.intervals if interval.spare_W < 0]
    if over:
        first = over[0]
        missing.append(
            {
                "what": "peak_window",
                "missing_W": math.ceil(-first.spare_W),
                "from_s": first.begin_s,
                "until_s": first.end_s,
            }
        )
    if forecast.left_Wh < 0:
        missing.append(
            {
                "what": "energy",
                "missing_Wh": math.ceil(-forecast.left_Wh),
                "reserve_permille": forecast.reserve_permille,
            }
        )
    return missing


def _missing_power(situation: Situation, worst: Moment) -> Facts:
    """Why the battery cannot give the power of the worst moment."""
    battery = situation.battery
    limit = base.reason(battery.discharge_reason)
    shortage = {"missing_W": math.ceil(-worst.spare_W), "from_s": worst.now_s, "limit": limit}
    if not battery.discharge_W_max:
        return {"what": "condition", **shortage}
    if worst.need_W > worst.cool_W:
        return {"what": "power", **shortage}
    full_ddegC, none_ddegC = battery.taper_ddegC
    now_permille = taper_permille(battery.hottest_ddegC, full_ddegC, none_ddegC)
    needed = worst.need_W * now_permille / worst.cool_W / 1000  # share of the full power
    cool_ddegC = none_ddegC - (none_ddegC - full_ddegC) * needed - BMS_DDEGC
    return {"what": "temperature", **shortage, "missing_ddegC": math.ceil(worst.ddegC - cool_ddegC)}
