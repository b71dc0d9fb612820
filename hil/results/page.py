"""The HTML page of a run: headline, picture, trips, a few figures; `--json` has every figure."""

from collections.abc import Iterable, Mapping
from typing import Any

from hil.results import swing, template, units, words
from hil.results.template import Cell

TRIP_HEAD = ("time", "row", "where", "cause", "remedy")


def page(title: str, picture: str, doc: dict, results: Iterable[tuple[bool, str]] = ()) -> str:
    """One self-contained HTML page: headline, SVG, expectations, trips, a few figures."""
    beside = words.in_one_line(doc)
    return template.rendered(
        "run.html",
        title=title,
        paused=paused(doc),
        headline=swing.headline(doc["swing_W"], doc.get("load_W_max")),
        sentences=[swing.explained(doc["worst_moment"]), words.first_trip(doc), beside],
        picture=template.svg(picture),
        expected=[(template.marked(ok, words.verdict(ok, doc)), text) for ok, text in results],
        trip_head=TRIP_HEAD,
        trips=[_trip(trip, doc) for trip in doc["trips"]],
        doc=doc,
        within_s=f"{doc['swing_W']['within_s'] or 0:.0f}",
        delay=words.delay(doc["delay_ms"]),
        limits=words.limits(doc.get("limited_s", {})),
        units=units.rows(doc),
    )


def paused(doc: Mapping[str, Any]) -> list[Cell]:
    """The pauses of this machine, before the headline."""
    if not doc.get("pauses"):
        return []
    return [template.marked(False, f"{words.paused(doc['pauses'])} {words.NO_FAULT}")]


def _trip(trip: dict, doc: dict) -> tuple[str, ...]:
    """A row of the table of trips."""
    told = words.cause_and_remedy(trip, doc)
    return (f"{trip['t_s']:.3f} s", str(trip["stage"]), str(trip["scope"]), *told)
