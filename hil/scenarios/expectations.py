"""Expectations of a scenario: their kinds, and how each is judged against a run.

A moment is the label of an action, an event of the observer (the first of that name), or a number
of seconds.
"""

import itertools
import math
from collections.abc import Callable, Iterable
from typing import Any

from controller.forms import field as forms
from hil.observer.run import Run
from hil.plant.cabinet import CONTACTS
from safety.signals import STATES

MOMENTS = ("after", "until", "at", "events")  # keys with a moment; scenario.py checks the names
QUANTITIES = ("load_W", "grid_W", "battery_W", "setpoint_W", "soc_permille", "temperature_degC_max")
ROUNDING_ms = 5e-4  # virtual times are sums of whole us that are read back from floats
EVENTS = (
    *"pcs_enable_on_sent pcs_enable_off_sent contactor_supply_on_sent".split(),
    *"contactor_supply_off_sent setpoint_zero_sent setpoint_sent pcs_stop_sent".split(),
    *"pcs_start_sent bms_close_sent bms_open_sent pcs_silent pcs_back bms_silent".split(),
    *"bms_back pcs_enable_on pcs_enable_off contactor_supply_on contactor_supply_off".split(),
    *"contactor_close contactors_closed contactor_open contactors_open".split(),
    *"power_zero power_flowing".split(),
    *(f"{name}_open_seen" for name in CONTACTS),
    *(f"{name}_closed_seen" for name in CONTACTS),
)
_MS = {"ms_min": forms.number(-60_000, 600_000, 0), "ms_max": forms.number(0, 600_000)}

Verdict = tuple[bool, str]  # (is met, sentence)


def moment(default: object = forms.REQUIRED) -> forms.Field:
    """The form of a key that takes a moment."""
    return forms.passing(
        lambda value: forms.is_text(value) or forms.is_number(value, -math.inf, math.inf),
        "an event, an action's label or seconds",
        default,
    )


class NeverCame(Exception):
    """A moment did not come. The argument is its name."""


def evaluate(expects: Iterable[dict], run: Run, doc: dict) -> list[Verdict]:
    """[(is met, sentence)] for each expectation, and at the end for the invariants. doc: the result
    of figures.document() for the run.
    """
    violations = run.violations
    text = f"invariant broken: {'; '.join(violations[:3])}" if violations else "invariants kept"
    return [*(_judged(expect, run, doc) for expect in expects), (not violations, text)]


def _judged(expect: dict, run: Run, doc: dict) -> Verdict:
    try:
        return KINDS[expect["what"]][1](expect, run, doc)
    except NeverCame as moment:
        keys = ("event", "stage", "name", "is", "what")
        subject = next(expect[key] for key in keys if key in expect)
        return False, f"{subject}: {moment} never came"


def _event_s(name: str, run: Run, from_s: float) -> float | None:
    """Time of the first event of that name at or after from_s, s; None without such an event."""
    times_s = (time_us / 1e6 for time_us, event, _ in run.timeline if event == name)
    return next((time_s for time_s in times_s if time_s >= from_s - 1e-6), None)


def _moment_s(moment: str | float, run: Run, from_s: float = 0.0) -> float:
    """Time of a moment at or after from_s, s. Raises NeverCame."""
    time_s = _event_s(moment, run, from_s) if isinstance(moment, str) else float(moment)
    if time_s is None:
        raise NeverCame(moment)
    return time_s


def _moment_text(moment: str | float) -> str:
    return moment if isinstance(moment, str) else f"{moment:g} s"


def _within(expect: dict, run: Run, name: str, find: Callable[[float], float | None]) -> Verdict:
    """Judge whether find(from_s) is ms_min .. ms_max later than the moment `after`."""
    after_s, after = _moment_s(expect["after"], run), _moment_text(expect["after"])
    time_s = find(after_s + min(0.0, expect["ms_min"] / 1000.0))
    text = f"{name} {expect['ms_min']:g} .. {expect['ms_max']:g} ms after {after}"
    if time_s is None:
        return False, f"{text}: never came"
    late_ms = (time_s - after_s) * 1000.0
    return _in_time(late_ms, expect), f"{text}: {late_ms:.1f} ms"


def _in_time(late_ms: float, expect: dict) -> bool:
    return expect["ms_min"] - ROUNDING_ms <= late_ms <= expect["ms_max"] + ROUNDING_ms


def _trip(expect: dict, run: Run, doc: dict) -> Verdict:
    stage, scope = expect["stage"], expect["scope"]
    times_s = [
        trip["t_s"]
        for trip in run.trips
        if trip["stage"] == stage and scope in (None, trip["scope"])
    ]

    def find(from_s: float) -> float | None:
        return next((time_s for time_s in times_s if time_s >= from_s), None)

    return _within(expect, run, f"row {stage}{f' {scope}' if scope else ''} trips", find)


def _event(expect: dict, run: Run, doc: dict) -> Verdict:
    name = expect["event"]
    return _within(expect, run, name, lambda from_s: _event_s(name, run, from_s))


def _no_trip(expect: dict, run: Run, doc: dict) -> Verdict:
    allowed = expect["except"] or ()
    trips = [trip for trip in run.trips if trip["stage"] not in allowed]
    unexpected = [f"row {trip['stage']} {trip['scope']} at {trip['t_s']:.2f} s" for trip in trips]
    names = f"no trip but {', '.join(allowed)}" if allowed else "no trip"
    return not unexpected, f"{names}: {', '.join(unexpected[:4]) or 'none'}"


def _order(expect: dict, run: Run, doc: dict) -> Verdict:
    """Each event must come ms_min .. ms_max after the previous event."""
    from_s, times_s = _moment_s(expect["after"], run), list[float]()
    sequence = ", then ".join(expect["events"])
    for name in expect["events"]:
        time_s = _event_s(name, run, times_s[-1] if times_s else from_s)
        if time_s is None:
            return False, f"{sequence}: {name} did not come in this order"
        times_s.append(time_s)
    gaps_ms = [(later_s - time_s) * 1000.0 for time_s, later_s in itertools.pairwise(times_s)]
    gaps = ", ".join(f"{gap_ms:.1f} ms" for gap_ms in gaps_ms)
    return (
        all(_in_time(gap_ms, expect) for gap_ms in gaps_ms),
        f"{sequence}, {expect['ms_min']:g} .. {expect['ms_max']:g} ms apart: {gaps}",
    )


def _never(expect: dict, run: Run, doc: dict) -> Verdict:
    from_s = _moment_s(expect["after"], run)
    until, text = expect["until"], f"no {expect['event']} after {_moment_text(expect['after'])}"
    until_s = math.inf
    if until is not None:
        until_s = _moment_s(until, run, from_s)
        text += f" until {_moment_text(until)}"
    event_s = _event_s(expect["event"], run, from_s)
    ok = event_s is None or event_s >= until_s
    return ok, f"{text}: {'none' if ok else f'at {event_s:.3f} s'}"


def _state(expect: dict, run: Run, doc: dict) -> Verdict:
    moment, times_us = expect["at"], run.rows["t_us"]
    at_us = times_us[-1] if moment is None else _moment_s(moment, run) * 1e6
    index = max(0, int(times_us.searchsorted(at_us, "right")) - 1)
    state = STATES[int(run.rows["state"][index])]
    text = f"{expect['is']} at {'end' if moment is None else _moment_text(moment)}: {state}"
    return state == expect["is"], text


def _reaction(expect: dict, run: Run, doc: dict) -> Verdict:
    reaction_ms = doc["reaction_ms"].get(expect["name"])
    text = f"reaction {expect['name']} {expect['ms_min']:g} .. {expect['ms_max']:g} ms"
    if reaction_ms is None:
        return False, f"{text}: not exercised"
    return expect["ms_min"] <= reaction_ms <= expect["ms_max"], f"{text}: {reaction_ms:.1f} ms"


def _quantity(expect: dict, run: Run, doc: dict) -> Verdict:
    """Every sample from `after` + ms_from to `until` (default: the end) must be low .. high."""
    times_us, name, until = run.rows["t_us"], expect["name"], expect["until"]
    from_s = _moment_s(expect["after"], run)
    until_us = times_us[-1] if until is None else _moment_s(until, run, from_s) * 1e6
    from_us = from_s * 1e6 + expect["ms_from"] * 1000.0
    values = run.rows[name][(times_us >= from_us) & (times_us <= until_us)]
    begins = f"{expect['ms_from']:g} ms after {_moment_text(expect['after'])}"
    text = f"{name} in {expect['low']:g} .. {expect['high']:g} from {begins}"
    if not len(values):
        return False, f"{text}: no samples"
    low, high = float(values.min()), float(values.max())
    return expect["low"] <= low and high <= expect["high"], f"{text}: {low:.0f} .. {high:.0f}"


def _figure(expect: dict, run: Run, doc: dict) -> Verdict:
    """A figure of the JSON document. `key` is its path, with dots: swing_2s_pct.reduction."""
    value: Any = doc
    for key in expect["key"].split("."):
        value = value.get(key) if isinstance(value, dict) else None
    text = f"{expect['key']} in {expect['low']:g} .. {expect['high']:g}"
    ok = isinstance(value, (int, float)) and expect["low"] <= value <= expect["high"]
    return ok, f"{text}: {'not measured' if value is None else value}"


_AFTER = {"after": moment()}
_FROM_MS, _UNTIL_MS = forms.number(0, 600_000, 0), forms.number(0, 600_000, 600_000)
_RANGE = {"low": forms.number(-1e9, 1e9, -1e9), "high": forms.number(-1e9, 1e9, 1e9)}
KINDS = {
    "trip": ({"stage": forms.text(), "scope": forms.text(None), **_AFTER, **_MS}, _trip),
    "no_trip": ({"except": forms.texts(None)}, _no_trip),
    "event": ({"event": forms.choice(EVENTS), **_AFTER, **_MS}, _event),
    "order": ({"events": forms.texts(), **_AFTER, "ms_min": _FROM_MS, "ms_max": _UNTIL_MS}, _order),
    "never": ({"event": forms.choice(EVENTS), **_AFTER, "until": moment(None)}, _never),
    "state": ({"is": forms.choice(STATES), "at": moment(None)}, _state),
    "reaction": ({"name": forms.text(), **_MS, "ms_min": _FROM_MS}, _reaction),
    "quantity": (
        {"name": forms.choice(QUANTITIES), **_AFTER, "until": moment(None), "ms_from": _FROM_MS}
        | _RANGE,
        _quantity,
    ),
    "figure": ({"key": forms.text(), **_RANGE}, _figure),
}
FORMS = {name: form for name, (form, _) in KINDS.items()}
