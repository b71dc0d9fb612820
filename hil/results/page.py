"""The HTML page of a run: headline, picture, trips, a few figures; `--json` has every figure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from controller.documents import document, html_page
from controller.documents.document import Block, Heading, Mark, Picture, Table, Text, filled, texts
from controller.system import worded
from hil.results import swing, units, words

NOTE = "note"
TRIP_HEAD = ("time", "row", "where", "cause", "remedy")
MORE = Text("For all figures, add --json FILE", NOTE)


def page(title: str, picture: str, doc: dict, results: Iterable[tuple[bool, str]] = ()) -> str:
    """One self-contained HTML page: headline, SVG, expectations, trips, a few figures."""
    sentences = swing.explained(doc["worst_moment"]), words.first_trip(doc), words.in_one_line(doc)
    expected = [(document.judged(ok, words.verdict(ok, doc)), text) for ok, text in results]
    trips = [_trip(trip, doc) for trip in doc["trips"]]
    blocks: list[Block] = [
        *texts(sentences),
        Picture(picture),
        *filled("Expectations of the scenario", (), expected),
        *filled("Trips, in order of time", TRIP_HEAD, trips),
        Table((), _figures(doc)),
    ]
    return around(title, doc, swing.headline(doc["swing_W"], doc.get("load_W_max")), blocks)


def around(title: str, doc: Mapping[str, Any], headline: str, blocks: Sequence[Block]) -> str:
    """The page of a run of the rig: a head, then these blocks."""
    head = [Text(title, NOTE), *paused(doc), Heading(1, headline)]
    return html_page.page([*head, *blocks, MORE], html_page.PHONE, title)


def _figures(doc: dict) -> list[tuple[str, str]]:
    less, soc = doc["swing_2s_pct"]["reduction"], doc["soc_pct"]
    still = "not measured: the load hardly moves"
    return [
        (
            "swing in the headline",
            f"highest minus lowest 1 s mean within {doc['swing_W']['within_s'] or 0:.0f} s",
        ),
        (
            "change of the grid from one 2 s mean to the next (p99), beside that of the load",
            still if less is None else worded.less(less),
        ),
        ("delay of the battery behind the load", words.delay(doc["delay_ms"])),
        (
            "limits that held the battery back",
            "; ".join(words.limits(doc.get("limited_s", {}))) or "none",
        ),
        ("charge", f"{pct(soc['start'])} to {pct(soc['end'])}"),
        *units.rows(doc),
        ("trips", str(len(doc["trips"]) or "none")),
    ]


def pct(value: float | None) -> str:
    """Percent; "-": not known."""
    return "-" if value is None else f"{value:.1f} %"


def paused(doc: Mapping[str, Any]) -> list[Block]:
    """The pauses of this machine, before the headline."""
    if not doc.get("pauses"):
        return []
    return [Text(Mark("missing", f"{words.paused(doc['pauses'])} {words.NO_FAULT}"))]


def _trip(trip: dict, doc: dict) -> tuple[str, ...]:
    """A row of the table of trips."""
    explanation = words.cause_and_remedy(trip)
    return (f"{trip['t_s']:.3f} s", str(trip["stage"]), str(trip["scope"]), *explanation)
