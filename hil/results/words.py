"""The closing lines of a run: figures with their meaning, active limits, the next command."""

import textwrap
from collections.abc import Sequence

from controller.core.base import reasons
from controller.rows import reason_words
from hil.observer.reactions import REACTIONS
from hil.results import swing, template, units
from hil.results.pauses import CONTROLLER
from hil.scenarios.scenario import Scenario

# note about a device whose simulation takes its register map from the profile
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
    worst = swing.explained(doc["worst_moment"])
    return template.rendered(
        "closing.txt",
        doc=doc,
        before=paused_lines(doc) + foreign_lines(doc) + mirrored_lines(doc),
        headline=swing.headline(doc["swing_W"], doc.get("load_W_max")),
        worst=_wrapped(INDENT, worst),
        delay=delay(doc["delay_ms"]),
        limits=limits(doc.get("limited_s") or {}),
        soc=soc,
        units=units.rows(doc),
        trips=[line for trip in doc["trips"][:TRIPS_SHOWN] for line in _trip_lines(trip)],
        shown=TRIPS_SHOWN,
        reactions=REACTIONS,
    ).splitlines()


def planner_lines(plan: dict | None) -> list[str]:
    """Lines about the last schedule of the planner beside the rig. plan: None without a planner."""
    if plan is None:
        return []
    if not plan.get("sent"):
        waits = "; ".join(plan.get("waits", ())) or "it has written no plan.json"
        return [f"planner    NO SCHEDULE WAS SENT: {waits}"]
    sent = plan["sent"]
    cap = "-" if plan["cap_W"] is None else f"{plan['cap_W'] / 1000:.0f} kW"
    return [
        f"planner    plan of {plan['made_at'][11:16]}, cap {cap}: {sent['code']} {sent['text']}",
        *[f"           waits: {line}" for line in plan["waits"]],
    ]


def paused(pauses: Sequence[dict]) -> str:
    """The pauses of this machine in one sentence."""
    listed = [f"{pause['s']:.1f} s at {pause['t_s']:.1f} s ({pause['who']})" for pause in pauses]
    more = f" and {len(listed) - PAUSES_SHOWN} times more" if len(listed) > PAUSES_SHOWN else ""
    alone = f" {MAY_HANG}" if {pause["who"] for pause in pauses} == {CONTROLLER} else ""
    return f"This machine paused for {', '.join(listed[:PAUSES_SHOWN])}{more}.{alone}"


def verdict(is_ok: bool, doc: dict) -> str:
    """The word before an expectation or an invariant."""
    return "met" if is_ok else "not judged" if doc.get("pauses") else "NOT MET"


def paused_lines(doc: dict) -> list[str]:
    """The pauses of this machine and their meaning, if there are any."""
    if not doc.get("pauses"):
        return []
    return _wrapped("paused     ", f"{paused(doc['pauses'])} {NO_FAULT}")


def _wrapped(head: str, text: str) -> list[str]:
    """Lines of the text after its head, with at most WIDTH characters."""
    return textwrap.wrap(text, WIDTH, initial_indent=head, subsequent_indent=INDENT)


def foreign_lines(doc: dict) -> list[str]:
    """The buses that the rig does not simulate, if there are any."""
    texts = doc.get("foreign") or ()
    return [line for text in texts for line in _wrapped("external   ", text)]


def mirrored_lines(doc: dict) -> list[str]:
    """The devices that only mirror their profile, if there are any."""
    names = ", ".join(doc.get("mirrored", {}).get("devices", ()))
    if not names:
        return []
    head, _, meaning = MIRRORED.partition(": ")
    return _wrapped(f"{head:11}", f"{meaning}: {names}")


def in_one_line(doc: dict) -> str:
    """Text about devices that are not simulated, or only mirrored; "": none."""
    return " ".join(" ".join(foreign_lines(doc) + mirrored_lines(doc)).split())


def first_trip(doc: dict) -> str:
    """The first trip in one sentence; "": no trip."""
    trips = doc["trips"]
    if not trips or trips[0].get("is_after_pause"):
        return ""
    name = reason_words.text(reasons.ROW + trips[0]["row"])[0]
    more = f" {len(trips) - 1} more followed." if len(trips) > 1 else ""
    where = f"row {trips[0]['stage']}, {trips[0]['scope']}"
    return f"First trip, {trips[0]['t_s']:.1f} s: {name} ({where}).{more}"


def delay(delay_ms: float | None) -> str:
    """The delay of the battery in words."""
    return "not measured: the load hardly moves" if delay_ms is None else f"{delay_ms:.0f} ms"


def limits(limited_s: dict[str, float]) -> list[str]:
    """["3.0 s set-point ramp (R501)", ...], the longest first."""
    return [
        f"{seconds:.1f} s {reason_words.text(int(label.removeprefix('R')))[0]} ({label})"
        for label, seconds in sorted(limited_s.items(), key=lambda limit: -limit[1])
        if seconds >= 0.1
    ]


def cause_and_remedy(trip: dict) -> tuple[str, str]:
    """Cause and remedy of a trip. A trip after a pause of this machine shows no fault."""
    if trip.get("is_after_pause"):
        return AFTER_PAUSE
    _, sentence, remedy = reason_words.text(reasons.ROW + trip["row"])
    return sentence, remedy


def _trip_lines(trip: dict) -> list[str]:
    """The lines of a trip: time, row, place, cause and remedy."""
    name = reason_words.text(reasons.ROW + trip["row"])[0]
    where = f"{trip['t_s']:.2f} s, row {trip['stage']} ({trip['scope']})"
    text = f"{where}, {name}: {' '.join(cause_and_remedy(trip))}"
    return textwrap.wrap(text, WIDTH, initial_indent=INDENT, subsequent_indent=f"{INDENT}  ")


def next_command(doc: dict, scenario: Scenario | None) -> tuple[str, str]:
    """(a command to try after this run, its purpose)."""
    swing_pct, load = doc["swing_2s_pct"], doc["load"]
    if load["file"] and (doc.get("limited_s") or doc.get("overload", {}).get("s")):
        scale = load["scale"] / 2
        return f"the same with --scale {scale:g}", "half the load, so that fewer limits act"
    is_still = swing_pct["reduction"] is None and not load["file"]
    if scenario is None and (swing_pct["load"] is None or is_still):
        return "./flash.sh rig --for 120", "long enough for figures"
    if scenario is None:
        return "./flash.sh rig --virtual --scenario bms_silent", "a fault and its consequences"
    return "./flash.sh rig --load FILE.csv --column NAME", "your own load"
