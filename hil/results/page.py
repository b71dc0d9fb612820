"""The HTML page of a run: picture, expectations, summary, trips in words, every figure."""

import html

from controller.core import reasons
from controller.rows import reason_words
from hil.results import words

CSS = """body{font:15px/1.5 system-ui,sans-serif;color:#22272e;
max-width:1180px;margin:1.5rem auto;padding:0 1rem}
svg{width:100%;height:auto}table{border-collapse:collapse;margin:.8rem 0}
td,th{text-align:left;padding:.2rem 1.2rem .2rem 0;border-bottom:1px solid #e3e6ea;
font-variant-numeric:tabular-nums;vertical-align:top}h2{font-size:1.05rem;
margin:1.4rem 0 0}.ok{color:#00745a}.no{color:#c0272d;font-weight:600}
pre{background:#f5f6f8;padding:.7rem}"""


TRIP_HEAD = "<tr><th>time<th>row<th>where<th>what<th>remedy"


def page(title, picture, doc, results=()):
    """One self-contained HTML page: the SVG, the expectations, the summary, and every figure of the
    document.
    """
    expected = "".join(
        f"<tr><td class={'ok' if ok else 'no'}>{'met' if ok else 'NOT MET'}</td>"
        f"<td>{html.escape(text)}</td></tr>"
        for ok, text in results
    )
    trips = "".join(_trip(trip) for trip in doc["trips"])
    figures = "".join(
        f"<tr><td>{html.escape(key)}</td><td>{html.escape(_cell(value))}</td></tr>"
        for key, value in doc.items()
        if key != "trips"
    )
    sections = [
        f"<pre>{html.escape(chr(10).join(words.closing_lines(doc)))}</pre>",
        f"<h2>Expected of this scenario</h2><table>{expected}</table>" if expected else "",
        f"<h2>Trips, in order</h2><table>{TRIP_HEAD}{trips}</table>" if trips else "",
        f"<h2>All figures</h2><table>{figures}</table>",
    ]
    svg = picture[picture.index("<svg") :]
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport "
        f"content='width=device-width'>"
        f"<title>{html.escape(title)}</title><style>{CSS}</style>"
        f"<body>{svg}{''.join(sections)}</body></html>\n"
    )


def _trip(trip):
    """A row of the table of trips."""
    _, sentence, remedy = reason_words.text(reasons.ROW + trip["row"])
    cells = (f"{trip['t_s']:.3f} s", str(trip["stage"]), str(trip["scope"]), sentence, remedy)
    return "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells) + "</tr>"


def _cell(value):
    if isinstance(value, dict):
        return ", ".join(f"{key} {_cell(part)}" for key, part in value.items())
    return "-" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
