"""The closing lines of a run: figures with their meaning, acting limits, the next command."""

import textwrap
from collections.abc import Sequence

from controller.core.base import reasons
from controller.rows import reason_words
from hil.observer.reactions import REACTIONS
from hil.results import swing, units
from hil.results.pauses import CONTROLLER
from hil.scenarios.scenario import Scenario

# of a device whose simulation has the register map of its profile
MIRRORED = "mirrored: proves wiring, not decoding"
TRIPS_SHOWN, PAUSES_SHOWN = 4, 3
NO_FAULT = (
    "Trips, figures and expectations from then on say nothing about controller or devices: run it "
    "again while this machine has less to do."
)
MAY_HANG = "If it comes back on an idle machine, the controller itself hangs."
AFTER_PAUSE = ("After the pause of this machine, so not judged.", "Run it again.")
WIDTH, INDENT = 80, " " * 11


def closing_lines(doc: dict) -> list[str]:
    """Lines of plain ASCII, about 80 characters wide; each begins with the name of its figures."""
    soc = {end: "-" if pct is None else f"{pct:.2f}" for end, pct in doc["soc_pct"].items()}
    trips, refused = doc["trips"], doc["load"]["rows_refused"]
    reactions = [(name, ms) for name, ms in doc["reaction_ms"].items() if ms is not None]
    return [
        *paused_lines(doc),
        *mirrored_lines(doc),
        *_point(doc),
        *_measured(doc),
        *_limits(doc),
        *([f"refused    {refused} rows of the load file: errors of its meter"] if refused else ()),
        f"charge     {soc['start']} % at the start, {soc['end']} % at the end",
        *[f"{name:11}{text}" for name, text in units.rows(doc)],
        f"ticks      {doc['ticks']}, missed {doc['missed']}; {_lateness(doc['lateness_us'])}",
        f"trips      {len(trips) or 'none'}",
        *[line for trip in trips[:TRIPS_SHOWN] for line in _wrapped(trip, doc)],
        *([f"{INDENT}and {len(trips) - TRIPS_SHOWN} more"] if len(trips) > TRIPS_SHOWN else ()),
        *[f"reaction   {ms:.0f} ms: {REACTIONS[name][-1]}" for name, ms in reactions],
    ]


def paused(pauses: Sequence[dict]) -> str:
    """The pauses of this machine in one sentence."""
    found = [f"{each['s']:.1f} s at {each['t_s']:.1f} s ({each['who']})" for each in pauses]
    more = f" and {len(found) - PAUSES_SHOWN} times more" if len(found) > PAUSES_SHOWN else ""
    alone = f" {MAY_HANG}" if {each["who"] for each in pauses} == {CONTROLLER} else ""
    return f"This machine paused for {', '.join(found[:PAUSES_SHOWN])}{more}.{alone}"


def after_pause(doc: dict, t_s: float) -> bool:
    """This machine had paused before this time of the run, so what came then is no fault."""
    return any(each["t_s"] <= t_s for each in doc.get("pauses", ()))


def verdict(is_ok: bool, doc: dict) -> str:
    """The word before an expectation or an invariant."""
    return "met" if is_ok else "not judged" if doc.get("pauses") else "NOT MET"


def paused_lines(doc: dict) -> list[str]:
    """The pauses of this machine and their meaning, if there are any."""
    if not doc.get("pauses"):
        return []
    text = f"{paused(doc['pauses'])} {NO_FAULT}"
    return textwrap.wrap(text, WIDTH, initial_indent="paused     ", subsequent_indent=INDENT)


def mirrored_lines(doc: dict) -> list[str]:
    """The devices that only mirror their profile, if there are any."""
    names = ", ".join(doc.get("mirrored", {}).get("devices", ()))
    prefix = f"{MIRRORED.partition(':')[0]:11}"
    text = f"{MIRRORED.partition(': ')[2]}: {names}"
    return textwrap.wrap(text, WIDTH, initial_indent=prefix, subsequent_indent=INDENT) * bool(names)


def _point(doc: dict) -> list[str]:
    """Headline and worst moment of the grid, as on the page."""
    worst = swing.explained(doc["worst_moment"])
    return [
        f"summary    {swing.headline(doc['swing_W'], doc.get('load_W_max'))}",
        *textwrap.wrap(worst, WIDTH, initial_indent=INDENT, subsequent_indent=INDENT),
    ]


def first_trip(doc: dict) -> str:
    """The first trip in one sentence; "": no trip."""
    trips = doc["trips"]
    if not trips or after_pause(doc, trips[0]["t_s"]):
        return ""
    name = reason_words.text(reasons.ROW + trips[0]["row"])[0]
    more = f" {len(trips) - 1} more followed." if len(trips) > 1 else ""
    where = f"row {trips[0]['stage']}, {trips[0]['scope']}"
    return f"First trip, {trips[0]['t_s']:.1f} s: {name} ({where}).{more}"


def few_figures(doc: dict) -> list[tuple[str, str]]:
    """[(name, text)] of the figures on the page; the JSON has all."""
    swings, soc, delay_ms = doc["swing_2s_pct"], doc["soc_pct"], doc["delay_ms"]
    less = "not measured: the load hardly moves"
    if swings["reduction"] is not None:
        less = f"{swings['reduction']:.1f} % less than the load"
    limits = _limit_words(doc.get("limited_s", {}))
    charge = ["-" if soc[end] is None else f"{soc[end]:.1f} %" for end in ("start", "end")]
    within_s = doc["swing_W"]["within_s"] or 0
    return [
        ("swing in the headline", f"highest minus lowest 1 s mean within {within_s:.0f} s"),
        ("change of the grid from one 2 s mean to the next (p99)", less),
        ("delay of the battery behind the load", _delay(delay_ms)),
        ("limits that held the battery back", "; ".join(limits) or "none"),
        ("charge", " to ".join(charge)),
        *units.rows(doc),
        ("trips", str(len(doc["trips"]) or "none")),
    ]


def _measured(doc: dict) -> list[str]:
    """The measured time and the figures of load tracking."""
    swing = doc["swing_2s_pct"]
    if swing["load"] is None:
        return [
            "measured   nothing: the run ended before the limits were open for 4 s",
            f"{INDENT}(the contactors close and the limits recover within about 30 s)",
        ]
    less = "; the load hardly moves"
    if swing["reduction"] is not None:
        less = f": {swing['reduction']:.1f} % less"
    delay = _delay(doc["delay_ms"])
    if doc["delay_ms"] is not None:
        delay += " from a change of the load to that of the battery"
    from_to = f"{doc['measured_from_s']:.1f} s .. {doc['simulated_s']:.1f} s"
    return [
        f"measured   {from_to}, after the limits have recovered",
        f"swing      load {swing['load']:.1f} %, grid {swing['grid']:.1f} % of the highest load"
        f"{less}",
        f"{INDENT}(99 % of the changes from one 2 s mean to the next are smaller)",
        f"delay      {delay}",
    ]


def _delay(delay_ms: float | None) -> str:
    return "not measured: the load hardly moves" if delay_ms is None else f"{delay_ms:.0f} ms"


def _limits(doc: dict) -> list[str]:
    """Duration of each acting limit; load above connection plus battery; exceeded limits."""
    if doc.get("limited_s") is None:
        return []
    limited_s, overload = doc["limited_s"], doc["overload"]
    lines = [f"limits     {text}" for text in _limit_words(limited_s)]
    lines = lines or ["limits     none held the battery back"]
    if overload["s"]:
        above = f"{overload['s']:.1f} s by up to {overload['W_max'] / 1000:.0f} kW"
        lines.append(f"overload   load above grid connection plus battery for {above}")
    return lines + _beyond(doc["beyond"])


def _beyond(beyond: dict) -> list[str]:
    """Excess of the grid above each limit of its connection, or that both were kept."""
    limits = {way: beyond[way] for way in ("import", "export")}
    means = f"(means of {beyond['window_ms'] / 1000:.2f} s)"
    kept = " and ".join([f"{way} {each['limit_W'] / 1000:.0f} kW" for way, each in limits.items()])
    return [
        f"exceeded   limit of {way}, {each['limit_W'] / 1000:.0f} kW, for {each['s']:.1f} s "
        f"by up to {each['W_max'] / 1000:.1f} kW {means}"
        for way, each in limits.items()
        if each["s"]
    ] or [f"kept       limits of {kept} {means}"]


def _limit_words(limited_s: dict[str, float]) -> list[str]:
    """["3.0 s set-point ramp (R501)", ...], the longest first."""
    return [
        f"{seconds:.1f} s {reason_words.text(int(label.removeprefix('R')))[0]} ({label})"
        for label, seconds in sorted(limited_s.items(), key=lambda item: -item[1])
        if seconds >= 0.1
    ]


def _lateness(late: dict) -> str:
    if late["p50"] is None:
        return "virtual time is never late"
    names = (("p50", "p50"), ("p99", "p99"), ("p99.9", "p99_9"), ("max", "max"))
    return f"late us {', '.join(f'{name} {late[key]}' for name, key in names)}"


def cause_and_remedy(trip: dict, doc: dict) -> tuple[str, str]:
    """Words of a trip. A row after a pause of this machine says nothing of device or wiring."""
    if after_pause(doc, trip["t_s"]):
        return AFTER_PAUSE
    _, sentence, remedy = reason_words.text(reasons.ROW + trip["row"])
    return sentence, remedy


def _wrapped(trip: dict, doc: dict) -> list[str]:
    """The lines of a trip: time, row, place, cause and remedy."""
    name, (sentence, remedy) = (
        reason_words.text(reasons.ROW + trip["row"])[0],
        cause_and_remedy(trip, doc),
    )
    text = (
        f"{trip['t_s']:.2f} s, row {trip['stage']} ({trip['scope']}), {name}: {sentence} {remedy}"
    )
    return textwrap.wrap(text, WIDTH, initial_indent=INDENT, subsequent_indent=f"{INDENT}  ")


def next_command(doc: dict, scenario: Scenario | None) -> tuple[str, str]:
    """(a command to try after this run, its purpose)."""
    swing, file = doc["swing_2s_pct"], doc["load"]["file"]
    is_still = swing["reduction"] is None and not file
    if scenario is None and (swing["load"] is None or is_still):
        return "./flash.sh rig --for 120", "long enough for figures"
    if doc["load"]["file"] and (doc.get("limited_s") or doc.get("overload", {}).get("s")):
        scale = doc["load"]["scale"] / 2
        return f"the same with --scale {scale:g}", "half the load, so that fewer limits act"
    if scenario is None:
        return "./flash.sh rig --virtual --scenario bms_silent", "a fault and its consequences"
    return "./flash.sh rig --load FILE.csv --column NAME", "your own load"
