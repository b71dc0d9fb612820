"""What a scenario may expect of a run, and whether it got it: one sentence per expectation with the
measured value.

A moment (`after`, `until`) is the label of an action, the name of an observer event (its first
occurrence), or a number of seconds from the start. Times are read from the observer's timeline and
the trips, never from the expectation.
"""

from typing import NamedTuple

from hil.plant.cabinet import CONTACTS
from hil.scenarios.fields import NUMBER, REQUIRED, TEXT, Field

MOMENT, MOMENTS, TEXTS = (
    "an event, an action's label or seconds",
    "a list of events",
    "a list of texts",
)
STATES = ("inhibited", "ready", "closing", "running", "stopping", "tripped")
QUANTITIES = ("load_W", "grid_W", "battery_W", "setpoint_W", "soc_permille", "temperature_degC_max")
EVENTS = (
    "pcs_enable_on_sent",
    "pcs_enable_off_sent",
    "contactor_supply_on_sent",
    "contactor_supply_off_sent",
    "setpoint_zero_sent",
    "setpoint_sent",
    "pcs_stop_sent",
    "pcs_start_sent",
    "bms_close_sent",
    "bms_open_sent",
    "pcs_silent",
    "pcs_back",
    "bms_silent",
    "bms_back",
    "pcs_enable_on",
    "pcs_enable_off",
    "contactor_supply_on",
    "contactor_supply_off",
    "contactor_close",
    "contactors_closed",
    "contactor_open",
    "contactors_open",
    "power_zero",
    "power_flowing",
    *(f"{name}_open_seen" for name in CONTACTS),
    *(f"{name}_closed_seen" for name in CONTACTS),
)
_MS = {"ms_min": Field(NUMBER, 0, -60_000, 600_000), "ms_max": Field(NUMBER, REQUIRED, 0, 600_000)}


class Evidence(NamedTuple):
    """What a run left behind. timeline: [(t_us, name, detail)] in order; trips: [{row, stage,
    scope, t_s}] in order; rows: Recorder.rows(); doc: report.document(); violations: the observer's
    sentences.
    """

    timeline: list
    trips: list
    rows: object
    doc: dict
    violations: list


class Outcome(NamedTuple):
    """Whether an expectation was met, and the sentence that says what was measured."""

    ok: bool
    text: str


class Kind(NamedTuple):
    """One kind of expectation: its keys and the function of (expectation, evidence) that gives an
    Outcome.
    """

    fields: dict
    judge: object


def evaluate(expects, evidence):
    """[Outcome] for each expectation, then one for the invariants, which every scenario must
    keep.
    """
    outcomes = [KINDS[expect["what"]].judge(expect, evidence) for expect in expects]
    violations = evidence.violations
    text = "invariants kept" if not violations else f"invariant broken: {'; '.join(violations[:3])}"
    return outcomes + [Outcome(not violations, text)]


def moment_s(moment, evidence, from_s=0.0):
    """Seconds of a moment at or after from_s, None if it did not come."""
    if not isinstance(moment, str):
        return float(moment)
    return next(
        (
            t_us / 1e6
            for t_us, name, _ in evidence.timeline
            if name == moment and t_us >= from_s * 1e6 - 1
        ),
        None,
    )


def _within(expect, evidence, what, find):
    """Outcome for something found by find(after_s) that must come ms_min .. ms_max after the moment
    `after`.
    """
    after_s = moment_s(expect["after"], evidence)
    if after_s is None:
        return Outcome(False, f"{what}: {_name(expect['after'])} never came")
    found_s = find(after_s + min(0.0, expect["ms_min"] / 1000.0))
    wanted = f"{expect['ms_min']:g} .. {expect['ms_max']:g} ms after {_name(expect['after'])}"
    if found_s is None:
        return Outcome(False, f"{what} {wanted}: never came")
    late_ms = (found_s - after_s) * 1000.0
    # Virtual times are sums of whole us, read back from floats: half a us of doubt.
    return Outcome(
        expect["ms_min"] - 5e-4 <= late_ms <= expect["ms_max"] + 5e-4,
        f"{what} {wanted}: {late_ms:.1f} ms",
    )


def _name(moment):
    return moment if isinstance(moment, str) else f"{moment:g} s"


def _trip(expect, evidence):
    scope = expect["scope"]

    def find(from_s):
        return next(
            (
                trip["t_s"]
                for trip in evidence.trips
                if trip["stage"] == expect["stage"]
                and scope in (None, trip["scope"])
                and trip["t_s"] >= from_s
            ),
            None,
        )

    return _within(
        expect, evidence, f"row {expect['stage']}" + (f" {scope}" if scope else "") + " trips", find
    )


def _event(expect, evidence):
    return _within(
        expect,
        evidence,
        expect["event"],
        lambda from_s: moment_s(expect["event"], evidence, from_s),
    )


def _no_trip(expect, evidence):
    other = [trip for trip in evidence.trips if trip["stage"] not in (expect["except"] or ())]
    names = "no trip" + (f" but {', '.join(expect['except'])}" if expect["except"] else "")
    found = ", ".join(
        f"row {trip['stage']} {trip['scope']} at {trip['t_s']:.2f} s" for trip in other[:4]
    )
    return Outcome(not other, f"{names}: {found or 'none'}")


def _order(expect, evidence):
    """Each event must come ms_min .. ms_max after the one before it (ms_max 600 s unless given)."""
    at_s = moment_s(expect["after"], evidence)
    times_s = []
    for name in expect["events"]:
        at_s = None if at_s is None else moment_s(name, evidence, at_s)
        times_s.append(at_s)
    what = ", then ".join(expect["events"])
    if None in times_s:
        return Outcome(
            False, f"{what}: {expect['events'][times_s.index(None)]} did not come in this order"
        )
    gaps_ms = [(b - a) * 1000.0 for a, b in zip(times_s, times_s[1:])]
    ok = all(expect["ms_min"] - 5e-4 <= gap <= expect["ms_max"] + 5e-4 for gap in gaps_ms)
    return Outcome(
        ok,
        f"{what}, {expect['ms_min']:g} .. {expect['ms_max']:g} ms apart: "
        + ", ".join(f"{gap:.1f} ms" for gap in gaps_ms),
    )


def _never(expect, evidence):
    from_s = moment_s(expect["after"], evidence)
    until_s = (
        None
        if from_s is None or expect["until"] is None
        else moment_s(expect["until"], evidence, from_s)
    )
    what = f"no {expect['event']} after {_name(expect['after'])}"
    if expect["until"] is not None:
        what += f" until {_name(expect['until'])}"
    if from_s is None or expect["until"] is not None and until_s is None:
        missing = _name(expect["after"] if from_s is None else expect["until"])
        return Outcome(False, f"{what}: {missing} never came")
    found_s = moment_s(expect["event"], evidence, from_s)
    ok = found_s is None or until_s is not None and found_s >= until_s
    return Outcome(ok, f"{what}: {'none' if ok else f'at {found_s:.3f} s'}")


def _state(expect, evidence):
    rows = evidence.rows
    at_s = None if expect["at"] is None else moment_s(expect["at"], evidence)
    if expect["at"] is not None and at_s is None:
        return Outcome(False, f"{expect['is']}: {_name(expect['at'])} never came")
    at_us = rows["t_us"][-1] if at_s is None else at_s * 1e6
    place = max(0, int(rows["t_us"].searchsorted(at_us, "right")) - 1)
    found = STATES[int(rows["state"][place])]
    when = "end" if expect["at"] is None else _name(expect["at"])
    return Outcome(found == expect["is"], f"{expect['is']} at {when}: {found}")


def _reaction(expect, evidence):
    value = evidence.doc["reaction_ms"].get(expect["name"])
    text = f"reaction {expect['name']} {expect['ms_min']:g} .. {expect['ms_max']:g} ms"
    if value is None:
        return Outcome(False, f"{text}: not exercised")
    return Outcome(expect["ms_min"] <= value <= expect["ms_max"], f"{text}: {value:.1f} ms")


def _quantity(expect, evidence):
    """All samples from `after` + ms_from to `until` (the end unless given) lie in low .. high."""
    rows, name = evidence.rows, expect["name"]
    from_s = moment_s(expect["after"], evidence)
    until_s = (
        rows["t_us"][-1] / 1e6
        if expect["until"] is None
        else moment_s(expect["until"], evidence, from_s or 0.0)
    )
    begins = f"{expect['ms_from']:g} ms after {_name(expect['after'])}"
    text = f"{name} in {expect['low']:g} .. {expect['high']:g} from {begins}"
    if from_s is None or until_s is None:
        missing = _name(expect["after"] if from_s is None else expect["until"])
        return Outcome(False, f"{text}: {missing} never came")
    from_us = from_s * 1e6 + expect["ms_from"] * 1000.0
    values = rows[name][(rows["t_us"] >= from_us) & (rows["t_us"] <= until_s * 1e6)]
    if not len(values):
        return Outcome(False, f"{text}: no samples")
    low, high = float(values.min()), float(values.max())
    return Outcome(
        expect["low"] <= low and high <= expect["high"], f"{text}: {low:.0f} .. {high:.0f}"
    )


def _figure(expect, evidence):
    """A figure of the JSON document, its path with dots: swing_2s_pct.reduction."""
    value = evidence.doc
    for key in expect["key"].split("."):
        value = value.get(key) if isinstance(value, dict) else None
    text = f"{expect['key']} in {expect['low']:g} .. {expect['high']:g}"
    ok = isinstance(value, (int, float)) and expect["low"] <= value <= expect["high"]
    return Outcome(ok, f"{text}: {'not measured' if value is None else value}")


_AFTER = {"after": Field(MOMENT, REQUIRED)}
_RANGE = {"low": Field(NUMBER, -1e9, -1e9, 1e9), "high": Field(NUMBER, 1e9, -1e9, 1e9)}
KINDS = {
    "trip": Kind(
        {"stage": Field(TEXT, REQUIRED), "scope": Field(TEXT, None), **_AFTER, **_MS}, _trip
    ),
    "no_trip": Kind({"except": Field(TEXTS, None)}, _no_trip),
    "event": Kind({"event": Field(TEXT, REQUIRED, choices=EVENTS), **_AFTER, **_MS}, _event),
    "order": Kind(
        {
            "events": Field(MOMENTS, REQUIRED),
            **_AFTER,
            "ms_min": Field(NUMBER, 0, 0, 600_000),
            "ms_max": Field(NUMBER, 600_000, 0, 600_000),
        },
        _order,
    ),
    "never": Kind(
        {"event": Field(TEXT, REQUIRED, choices=EVENTS), **_AFTER, "until": Field(MOMENT, None)},
        _never,
    ),
    "state": Kind({"is": Field(TEXT, REQUIRED, choices=STATES), "at": Field(MOMENT, None)}, _state),
    "reaction": Kind(
        {
            "name": Field(TEXT, REQUIRED),
            "ms_min": Field(NUMBER, 0, 0, 600_000),
            "ms_max": Field(NUMBER, REQUIRED, 0, 600_000),
        },
        _reaction,
    ),
    "quantity": Kind(
        {
            "name": Field(TEXT, REQUIRED, choices=QUANTITIES),
            **_AFTER,
            "until": Field(MOMENT, None),
            "ms_from": Field(NUMBER, 0, 0, 600_000),
            **_RANGE,
        },
        _quantity,
    ),
    "figure": Kind({"key": Field(TEXT, REQUIRED), **_RANGE}, _figure),
}
