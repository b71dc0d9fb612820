"""The report of a cabinet for a dispatcher that serves many cabinets: one JSON object of at most
BYTES_MAX bytes. `report` makes it of the facts of `firebreak status --json`.

A report is sent when it has changed, and again when the last one is RENEWED_US old. The first one
after a connect waits for a random time, because all cabinets of a site connect again at once when
their broker starts.
"""

import random
from typing import Any

from controller.core.policies.meter_sign import METER_SIGN
from controller.core.site_devices.roles import PV
from controller.doors.mqtt.payload import steady, text
from controller.state.base import Facts
from controller.store.joining import WHOLE

BYTES_MAX = 800
RENEWED_US = 7_500_000  # reports are at most 9 s apart if the outlet looks each 1.5 s
TROUBLE_MAX = 100  # a character has at most 6 bytes in JSON
POWERS = tuple("battery_W grid_W load_W available_low_W available_high_W held_15min_high_W".split())
ENERGIES = ("remaining_Wh", "full_Wh")
TEXTS = (("alarm", "remedy"), ("alarm", "words"), ("binding", "name"))  # shortened in this order
SHARE = "import_W_max"
# Smaller changes wait for the next report.
CHANGE_PERMILLE = 10  # of the rated power, or of the whole energy
CHANGES = {"soc_permille": 10, "temperature_ddegC": 10, "ready_permille": 10}


def report(facts: Facts | None, release: str, trouble: str, on_trial: bool = False) -> Facts:
    """The report. facts: None while no controller is live; trouble says why. on_trial: the release
    may still go back by itself. Unknown values are None. ready_permille is left out while all of
    the battery counts.
    """
    if facts is None:
        return {"state": None, "trouble": trouble[:TROUBLE_MAX]}
    binding, standing, hints = facts.get("binding"), facts.get("standing"), facts.get("hints")
    return {
        **{name: facts.get(name) for name in ("uptime_ms", "state", *POWERS, *ENERGIES)},
        "discharge_W_max": _discharge_W(facts),
        "pv_W": _pv_W(facts),
        "soc_permille": facts.get("soc_permille_min"),
        "soh_permille": facts.get("soh_permille_min"),
        "temperature_ddegC": facts.get("temperature_ddegC_max"),
        "binding": binding and {name: binding.get(name) for name in ("label", "name")},
        "alarms": None if standing is None else len(standing),
        "alarm": _alarm(standing[0]) if standing else None,
        "share": None if hints is None else _shares(hints),
        "limits_crc": facts.get("version", {}).get("limits_crc"),
        "release": release,
        "clock": facts.get("is_clock_trusted"),
        "on_trial": on_trial,
        **({} if _ready_permille(facts) == WHOLE else {"ready_permille": _ready_permille(facts)}),
    }


def _discharge_W(facts: Facts) -> int | None:
    """The discharge on which others may count, by the limits. It is less while the cabinet joins or
    leaves, and 0 while it does not run, or tests its meter.
    """
    high_W = (facts.get("limits") or {}).get("high_W")
    if high_W is None:
        return None
    is_testing = (facts.get("binding") or {}).get("code") == METER_SIGN
    whole_W = max(0, high_W) if facts.get("state") == "running" and not is_testing else 0
    return whole_W * _ready_permille(facts) // WHOLE


def _ready_permille(facts: Facts) -> int:
    """The part of the discharge on which others may count (store/joining.py). 0 if the ledger
    cannot be read.
    """
    if not facts.get("proof_tests"):
        return WHOLE
    join = facts["proof_tests"].get("join")
    return int(join["ready_permille"]) if join else 0


def _pv_W(facts: Facts) -> int | None:
    """Power of all PV inverters that report theirs; None without one."""
    powers_W = [
        device.get("power_W") for device in facts.get("site") or [] if device.get("role") == PV.text
    ]
    known = [power_W for power_W in powers_W if isinstance(power_W, int)]
    return sum(known) if known else None


def _alarm(row: Facts) -> Facts:
    reason = row.get("reason", {})
    names = {"label": "label", "words": "sentence", "remedy": "remedy"}
    return {name: reason.get(key) for name, key in names.items()}


def _shares(hints: list[Facts]) -> Facts:
    """{source: its import maximum in force}."""
    return {
        hint["source"]: {name: hint[name] for name in ("value_W", "valid_s", "state")}
        for hint in hints
        if hint["quantity"] == SHARE
    }


def fitted(facts: Facts) -> str:
    """The report as JSON of at most BYTES_MAX bytes. If it is too long, texts are shortened. If
    that is not enough, the highest shares become null.
    """
    facts = dict(facts)
    for part, name in TEXTS:
        surplus, sentence = len(text(facts)) - BYTES_MAX, (facts.get(part) or {}).get(name)
        if surplus > 0 and sentence:
            facts[part] = {**facts[part], name: _shortened(sentence, surplus)}
    shares = facts.get("share") or {}
    for source in sorted(shares, key=lambda source: -shares[source]["value_W"]):
        if len(text(facts)) > BYTES_MAX:
            facts["share"] = {**facts["share"], source: None}
    return text(facts)


def _shortened(sentence: str, surplus: int) -> str:
    """The sentence, shorter by `surplus` bytes or more if it has so many."""
    kept = sentence[: max(0, len(sentence) - surplus - len("..."))]
    return f"{kept}..." if kept else ""


def differs(before: Facts, after: Facts, rated_W: int) -> bool:
    """True if the change is worth a report."""
    before, after = steady(before), steady(after)
    limits = {**CHANGES, **dict.fromkeys(POWERS, rated_W * CHANGE_PERMILLE // 1000)}
    full_Wh = after.get("full_Wh") or 0
    limits |= dict.fromkeys(ENERGIES, full_Wh * CHANGE_PERMILLE // 1000)
    return any(
        _is_apart(before.get(name), after.get(name), limits.get(name))
        for name in before.keys() | after.keys()
    )


def _is_apart(before: Any, after: Any, most: int | None) -> bool:
    """True if a value has changed by more than `most`, or is known no longer."""
    if most is None or before is None or after is None:
        return bool(before != after)
    return abs(after - before) > most


class Pace:
    """Says when the next report of one connection is due."""

    def __init__(self, period_us: int, now_us: int):
        """period_us: least time between two reports."""
        self._period_us = period_us
        self._first_us = now_us + int(random.uniform(0, RENEWED_US))
        self._last: tuple[Facts, int] | None = None

    def is_due(self, facts: Facts, rated_W: int, now_us: int) -> bool:
        """True if this report is to be sent now."""
        if self._last is None:
            return now_us >= self._first_us
        before, sent_us = self._last
        age_us = now_us - sent_us
        if age_us < self._period_us:
            return False
        return age_us >= RENEWED_US or differs(before, facts, rated_W)

    def sent(self, facts: Facts, now_us: int) -> None:
        """Note that this report was sent."""
        self._last = facts, now_us
