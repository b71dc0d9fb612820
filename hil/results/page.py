"""The HTML page of a run: a summary in two sentences, the picture, a few figures, the trips.

The JSON document (`--json`) has every figure. The page loads nothing from any server.
"""

import html
from collections.abc import Iterable, Mapping
from typing import Any

from hil.results import swing, words

CSS = """body{font:15px/1.5 system-ui,sans-serif;color:#22272e;
max-width:1180px;margin:1.2rem auto;padding:0 1rem}h1{font-size:1.7rem;margin:0}
p{margin:.2rem 0}small{color:#68717c}svg{width:100%;height:auto}
table{border-collapse:collapse;margin:.8rem 0}
td,th{text-align:left;padding:.2rem 1.2rem .2rem 0;border-bottom:1px solid #e3e6ea;
font-variant-numeric:tabular-nums;vertical-align:top}h2{font-size:1.05rem;
margin:1.4rem 0 0}.ok{color:#00745a}.no{color:#c0272d;font-weight:600}"""


TRIP_HEAD = "<tr><th>time<th>row<th>where<th>cause<th>remedy"


def page(title: str, picture: str, doc: dict, results: Iterable[tuple[bool, str]] = ()) -> str:
    """One self-contained HTML page: headline, SVG, expectations, trips, a few figures."""
    expected = "".join(
        f"<tr><td class={'ok' if ok else 'no'}>{words.verdict(ok, doc)}</td>"
        f"<td>{html.escape(text)}</td></tr>"
        for ok, text in results
    )
    trips = "".join(_trip(trip, doc) for trip in doc["trips"])
    figures = "".join(
        f"<tr><td>{html.escape(name)}</td><td>{html.escape(text)}</td></tr>"
        for name, text in words.few_figures(doc)
    )
    sections = [
        f"<h2>Expectations of the scenario</h2><table>{expected}</table>" if expected else "",
        f"<h2>Trips, in order of time</h2><table>{TRIP_HEAD}{trips}</table>" if trips else "",
        f"<table>{figures}</table><small>For all figures, add --json FILE</small>",
    ]
    svg = picture[picture.index("<svg") :]
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport "
        f"content='width=device-width'>"
        f"<title>{html.escape(title)}</title><style>{CSS}</style><body>"
        f"<small>{html.escape(title)}</small>"
        f"{paused(doc)}"
        f"<h1>{html.escape(swing.headline(doc['swing_W'], doc.get('load_W_max')))}</h1>"
        f"<p>{html.escape(swing.explained(doc['worst_moment']))}</p>"
        f"<p>{html.escape(words.first_trip(doc))}</p>"
        f"<p>{html.escape(' '.join(' '.join(words.mirrored_lines(doc)).split()))}</p>"
        f"{svg}{''.join(sections)}</body></html>\n"
    )


def paused(doc: Mapping[str, Any]) -> str:
    """The pauses of this machine, before the headline."""
    if not doc.get("pauses"):
        return ""
    return f"<p class=no>{html.escape(words.paused(doc['pauses']))} {words.NO_FAULT}</p>"


def _trip(trip: dict, doc: dict) -> str:
    """A row of the table of trips."""
    told = words.cause_and_remedy(trip, doc)
    cells = (f"{trip['t_s']:.3f} s", str(trip["stage"]), str(trip["scope"]), *told)
    return "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells) + "</tr>"
