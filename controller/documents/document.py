"""Documents to print: a list of blocks, written as Markdown or as one HTML page that needs nothing
from outside.

A block is a Heading, a Text or a Table. A cell of a table is text, or a Mark: text with a kind that
colours a bar beside it; the words say the same, so nothing depends on colour.
"""

import html
import json
import re
import textwrap
from typing import NamedTuple

from controller.rows import facts as fact_table
from controller.system import cli
from controller.system.paths import ascii_only

WIDTH = 100  # of a report on a terminal
TERMINAL, LABEL = 79, 24  # of plain text: columns, and those of the first cell
KINDS = ("armed", "other", "absent", "missing", "doubt")
SHORT = 9  # characters that are not folded
# one page upright, for a wall
PORTRAIT = """@page { size: A4 portrait; margin: 10mm; }
h1 { font-size: 1.25rem; } h2 { font-size: 1rem; margin: .7rem 0 .2rem; } table { margin: .2rem 0; }
td:first-child { width: 10rem; font-weight: 600; } thead { display: none; }
th, td { padding: .1rem .4rem; } p { margin: .2rem 0; }
"""
FORM = cli.option("--format", choices=("md", "html", "json"), default="md", help="(%(default)s)")


class Banner(NamedTuple):
    """What nobody may overlook, in a frame."""

    text: str


class Heading(NamedTuple):
    """level: 1 for the title."""

    level: int
    text: str


class Text(NamedTuple):
    """A paragraph."""

    text: str


class Table(NamedTuple):
    """headers: of the columns; rows: of cells; blanks: how many empty columns to fill in by hand
    stand at the end.
    """

    headers: tuple | list
    rows: list
    blanks: int = 0


class Mark(NamedTuple):
    """Text of a kind of KINDS, and a note."""

    kind: str
    text: str
    note: str = ""


_OPENS_TAG = re.compile(r"<(?=[A-Za-z/!?])")  # "<= 25 % LFL" opens none


def show(form: str, facts: dict, blocks) -> None:
    """Print a document with the facts that it cites. form: of FORM; facts: of it as plain data;
    blocks: makes its blocks.
    """
    if form == "json":
        print(json.dumps(facts, indent=1))
    else:
        made = blocks()
        print((page if form == "html" else markdown)([*made, *fact_blocks(made)]))


def fact_blocks(blocks: list) -> list:
    """The facts that the blocks cite, as a section, so that no key leads nowhere; [] for none."""
    cited = set(fact_table.keys(markdown(blocks)))
    rows = [tuple(fact_table.words(key).values()) for key in fact_table.FACTS if key in cited]
    return rows and [
        Heading(2, "Facts cited"),
        Table(("key", "fact", "source and clause", "confidence"), rows),
    ]


def wrapped(first: str, text: str, width: int = WIDTH) -> list:
    """Lines of `text` behind `first`, folded to width."""
    return textwrap.wrap(
        first + text, width, subsequent_indent=" " * len(first), break_on_hyphens=False
    ) or [first]


def markdown(blocks: list) -> str:
    """The blocks as Markdown, plain ASCII. HTML in it, as in the name of a cabinet, is escaped."""
    lines = []
    for block in blocks:
        if isinstance(block, Heading):
            lines += ["#" * block.level + " " + block.text, ""]
        elif isinstance(block, Text):
            lines += [block.text, ""]
        elif isinstance(block, Banner):
            lines += [f"**{block.text}**", ""]
        else:
            lines += [_row(block.headers), _row(["---"] * len(block.headers))]
            lines += [*[_row(cells) for cells in block.rows], ""]
    return _OPENS_TAG.sub("&lt;", ascii_only("\n".join(lines)))


def _row(cells):
    texts = [text(cell).replace("|", "/").replace("\n", " ") for cell in cells]
    return f"| {' | '.join(texts)} |"


def text(cell: str | Mark) -> str:
    """A cell in plain words."""
    if not isinstance(cell, Mark):
        return cell
    return f"{cell.text}, {cell.note}" if cell.note else cell.text


def plain(blocks: list) -> str:
    """The blocks as plain ASCII for a terminal or a line printer; of a table's row the first cell
    leads.
    """
    lines = []
    for block in blocks:
        if isinstance(block, Table):
            for first, *rest in block.rows:
                label = f"{text(first):<{LABEL}} "
                lines += wrapped(label, " | ".join(map(text, rest)), TERMINAL)
            lines.append("")
        elif isinstance(block, Heading):
            lines += [block.text.upper(), ""] if block.level == 1 else [block.text.upper()]
        else:
            lines += [*wrapped("*** " * isinstance(block, Banner), block.text, TERMINAL), ""]
    return ascii_only("\n".join(lines).rstrip())


def page(blocks: list, style: str = "") -> str:
    """The blocks as one HTML page. style: CSS behind STYLE."""
    title = next(block.text for block in blocks if isinstance(block, Heading))
    body = "\n".join([_html(block) for block in blocks])
    text = (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>\n{STYLE}{style}</style>\n</head>\n"
        f"<body>\n{body}\n</body>\n</html>"
    )
    # names of persons stay what they are
    return text.encode("ascii", "xmlcharrefreplace").decode("ascii")


def _html(block):
    if isinstance(block, Heading):
        return f"<h{block.level}>{html.escape(block.text)}</h{block.level}>"
    if isinstance(block, Text):
        return f"<p>{html.escape(block.text)}</p>"
    if isinstance(block, Banner):
        return f"<p class=banner>{html.escape(block.text)}</p>"
    filled = len(block.headers) - block.blanks
    head = "".join(
        [
            f"<th{' class=blank' * (place >= filled)}>{html.escape(text)}</th>"
            for place, text in enumerate(block.headers)
        ]
    )
    rows = "\n".join(
        ["<tr>" + "".join([_cell(cell) for cell in cells]) + "</tr>" for cells in block.rows]
    )
    return f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table>"


def _cell(cell):
    if isinstance(cell, Mark):
        note = f" {html.escape(cell.note)}" if cell.note else ""
        return f'<td><span class="{cell.kind}">{html.escape(cell.text)}</span>{note}</td>'
    return f"<td{' class=short' * (len(cell) <= SHORT)}>{html.escape(cell)}</td>"


# A4 landscape, black on white; a row of a table is not torn, its head is repeated on every sheet.
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
