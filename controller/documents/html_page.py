"""Prints the blocks of a document (see document.py) as one HTML page. The page is plain ASCII and
needs no other file.
"""

import itertools
from collections.abc import Sequence
from html import escape

from controller.documents.document import CARDS, Banner, Block, Cell, Heading, Picture, Table

SHORT = 9  # a cell with at most this many characters is not folded
# A4 landscape, black on white. No row is split between two sheets. Every sheet repeats the head of
# its table.
STYLE = """
@page { size: A4 landscape; margin: 12mm; }
body { font: 13px/1.4 system-ui, "Segoe UI", "DejaVu Sans", Arial, sans-serif;
       color: #111; background: #fff;
       margin: 1.5rem auto; max-width: 1400px; padding: 0 1rem; }
h1 { font-size: 1.6rem; margin: 0 0 .5rem; } h2 { font-size: 1.15rem; margin: 1.6rem 0 .4rem; }
p { margin: .3rem 0; max-width: 70rem; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0; }
th, td { border: 1px solid #b5b5b5; padding: .25rem .45rem; text-align: left; vertical-align: top; }
th { background: #ececec; } .blank { min-width: 4.2rem; } .short { white-space: nowrap; }
tbody tr:nth-child(even) td { background: #f8f8f8; }
thead { display: table-header-group; } tr { break-inside: avoid; }
span { font-weight: 600; padding: 0 .3rem; border-left: .35rem solid; white-space: normal; }
.armed { border-color: #1a7f37; } .other { border-color: #0969da; }
.absent { border-color: #8a8a8a; }
.missing { border-color: #c1121f; color: #c1121f; } .doubt { border-color: #b36b00; }
.banner { border: 3px solid #c1121f; padding: .4rem .7rem; font-weight: 700; max-width: none; }
@media print { body { font-size: 9pt; margin: 0; max-width: none; padding: 0; }
               h2 { break-after: avoid; }
               * { print-color-adjust: exact; -webkit-print-color-adjust: exact; } }
"""
# for one upright page that hangs on a wall
PORTRAIT = """@page { size: A4 portrait; margin: 10mm; }
h1 { font-size: 1.25rem; } h2 { font-size: 1rem; margin: .7rem 0 .2rem; } table { margin: .2rem 0; }
td:first-child { width: 10rem; font-weight: 600; } thead { display: none; }
th, td { padding: .1rem .4rem; } p { margin: .2rem 0; }
"""
# for a page with pictures on a screen
SCREEN = "body { max-width: 1000px; } svg { width: 100%; height: auto; } table { width: auto; }\n"
# for a page of the test rig that is also read on a phone, where rows of a CARDS table become cards
PHONE = (
    SCREEN
    + """body { max-width: 1180px; font-size: 15px; } .note { color: #68717c; font-size: 14px; }
.phone { display: none; } .half { display: inline-block; max-width: 460px; margin-right: 2rem; }
@media (max-width: 1000px) { .wide { display: none; } .phone { display: block; } }
@media (max-width: 700px) { h1 { font-size: 1.3rem; } .cards thead { display: none; }
  .cards, .cards tbody, .cards tr, .cards td { display: block; }
  .cards td { border: 0; padding: 0; } .cards tr { padding: .5rem 0; border-bottom: 1px solid; }
  .cards td[data-h]:not(:empty) { display: flex; justify-content: space-between; gap: 1rem; }
  .cards td[data-h]::before { content: attr(data-h); color: #68717c; } }
"""
)


def page(blocks: Sequence[Block], style: str = "", title: str = "") -> str:
    """The page. style: CSS that is added to STYLE. title: by default the first heading."""
    title = title or next(block.text for block in blocks if isinstance(block, Heading))
    return around(body(blocks), style, title)


def body(blocks: Sequence[Block]) -> str:
    """The blocks as a part of a page."""
    return "\n".join(_block(block) for block in blocks)


def around(body: str, style: str, title: str) -> str:
    """A whole page with this body."""
    text = (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>\n{STYLE}{style}</style>\n</head>\n"
        f"<body>\n{body}\n</body>\n</html>"
    )
    # The file is plain ASCII, but a browser still shows the names of persons unchanged.
    return text.encode("ascii", "xmlcharrefreplace").decode("ascii")


def _block(block: Block) -> str:
    if isinstance(block, Table):
        return _table(block)
    if isinstance(block, Heading):
        return f"<h{block.level}>{escape(block.text)}</h{block.level}>"
    if isinstance(block, Picture):
        title = f"<p>{escape(block.title)}</p>" if block.title else ""
        return f"<div{_class(block.kind)}>{title}{_content(block)}</div>"
    kind = "banner" if isinstance(block, Banner) else block.kind
    return f"<p{_class(kind)}>{_content(block.text)}</p>"


def _class(kind: str) -> str:
    return f" class={kind}" if kind else ""


def _table(table: Table) -> str:
    first_blank = len(table.headers) - table.blanks
    head = "".join(
        f"<th{' class=blank' if index >= first_blank else ''}>{escape(text)}</th>"
        for index, text in enumerate(table.headers)
    )
    names = ("", *table.headers[1:]) if table.kind == CARDS else ()
    lines = [itertools.zip_longest(cells, names, fillvalue="") for cells in table.rows]
    rows = "\n".join(f"<tr>{''.join(itertools.starmap(_cell, line))}</tr>" for line in lines)
    head = f"<thead><tr>{head}</tr></thead>\n" if head else ""
    return f"<table{_class(table.kind)}>\n{head}<tbody>\n{rows}\n</tbody>\n</table>"


def _cell(cell: Cell, name: str) -> str:
    """A cell of a table. name: header of its column, which is shown if the row becomes a card."""
    is_short = isinstance(cell, str) and len(cell) <= SHORT
    label = f' data-h="{escape(name)}"' if name else ""
    return f"<td{' class=short' if is_short else ''}{label}>{_content(cell)}</td>"


def _content(cell: Cell) -> str:
    if isinstance(cell, str):
        return escape(cell)
    if isinstance(cell, Picture):
        return cell.svg[max(0, cell.svg.find("<svg")) :]  # without the XML head of an SVG file
    note = f" {escape(cell.note)}" if cell.note else ""
    return f'<span class="{cell.kind}">{escape(cell.text)}</span>{note}'
