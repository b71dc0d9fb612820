"""Documents to print: a list of blocks, written as Markdown, as plain text, or as one HTML page
without links to other files.

A cell of a table is text, or a Mark: text with a kind that colours a bar beside it. The words of a
Mark have the same meaning as its colour, for a black and white print.
"""

import html
import json
import re
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from controller.rows import facts as fact_table
from controller.system import cli
from controller.system.paths import ascii_only

WIDTH = 100  # of a report on a terminal
TERMINAL, LABEL = 79, 24  # columns of plain text, columns of its first cell
KINDS = ("armed", "other", "absent", "missing", "doubt")
SHORT = 9  # a cell of at most so many characters is not folded
# style of one upright page, for a wall
PORTRAIT = """@page { size: A4 portrait; margin: 10mm; }
h1 { font-size: 1.25rem; } h2 { font-size: 1rem; margin: .7rem 0 .2rem; } table { margin: .2rem 0; }
td:first-child { width: 10rem; font-weight: 600; } thead { display: none; }
th, td { padding: .1rem .4rem; } p { margin: .2rem 0; }
"""
SITE = cli.option("--site", metavar="FILE", required=True)
FORM = cli.option("--format", choices=("md", "html", "json"), default="md", help="(%(default)s)")


class Banner(NamedTuple):
    """A warning in a frame."""

    text: str


class Heading(NamedTuple):
    """A heading; level 1 is the title."""

    level: int
    text: str


class Text(NamedTuple):
    """A paragraph."""

    text: str


class Mark(NamedTuple):
    """Text of a kind of KINDS, and a note."""

    kind: str
    text: str
    note: str = ""


Cell = str | Mark


class Table(NamedTuple):
    """Rows of cells under their headers. blanks: number of last columns to fill in by hand."""

    headers: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    blanks: int = 0


class Picture(NamedTuple):
    """A drawing as SVG, for HTML alone. kind: its class."""

    svg: str
    kind: str


Block = Banner | Heading | Text | Table | Picture
Facts = dict[str, Any]  # a document as plain data: what `--format json` prints


Column = str | Callable[[Facts], Cell]


def table(
    rows: Iterable[Facts], columns: Mapping[str, Column], blanks: Sequence[str] = ()
) -> Table:
    """A line for each row: under a header the value of a key, or what a function makes of it.
    blanks: headers of columns to fill in by hand.
    """
    lines = [
        (*[_made(row, column) for column in columns.values()], *[""] * len(blanks)) for row in rows
    ]
    return Table((*columns, *blanks), lines, len(blanks))


def _made(row: Facts, column: Column) -> Cell:
    value = row[column] if isinstance(column, str) else column(row)
    return value if isinstance(value, Mark) else str(value)


def section(title: str, table: Table, words: str = "") -> list[Block]:
    """A heading, a paragraph unless words is "", and a table."""
    return [Heading(2, title), *([Text(words)] * bool(words)), table]


_OPENS_TAG = re.compile(r"<(?=[A-Za-z/!?])")  # not "<= 25 % LFL"


def show(form: str, facts: Facts, blocks: Callable[[], Sequence[Block]]) -> None:
    """Print a document with the facts that it cites. form: of FORM; blocks: makes its blocks."""
    if form == "json":
        print(json.dumps(facts, indent=1))
    else:
        made = blocks()
        print((page if form == "html" else markdown)([*made, *fact_blocks(made)]))


def fact_blocks(blocks: Sequence[Block]) -> list[Block]:
    """A section with the entries of the fact table that the blocks cite by key; [] without one."""
    cited = set(fact_table.keys(markdown(blocks)))
    rows = [tuple(fact_table.words(key).values()) for key in fact_table.FACTS if key in cited]
    if not rows:
        return []
    return [
        Heading(2, "Facts cited"),
        Table(("key", "fact", "source and clause", "confidence"), rows),
    ]


def wrapped(first: str, text: str, width: int = WIDTH) -> list[str]:
    """Lines of `text` behind `first`, folded to width."""
    return textwrap.wrap(
        first + text, width, subsequent_indent=" " * len(first), break_on_hyphens=False
    ) or [first]


def markdown(blocks: Sequence[Block]) -> str:
    """The blocks as Markdown, plain ASCII. HTML in a text, such as a cabinet's name, is escaped."""
    lines: list[str] = []
    for block in blocks:
        if isinstance(block, Heading):
            lines += ["#" * block.level + " " + block.text, ""]
        elif isinstance(block, Text):
            lines += [block.text, ""]
        elif isinstance(block, Banner):
            lines += [f"**{block.text}**", ""]
        elif isinstance(block, Table):
            lines += [_row(block.headers), _row(["---"] * len(block.headers))]
            lines += [*[_row(cells) for cells in block.rows], ""]
    return _OPENS_TAG.sub("&lt;", ascii_only("\n".join(lines)))


def _row(cells: Sequence[Cell]) -> str:
    texts = [text(cell).replace("|", "/").replace("\n", " ") for cell in cells]
    return f"| {' | '.join(texts)} |"


def text(cell: Cell) -> str:
    """A cell in plain words."""
    if not isinstance(cell, Mark):
        return cell
    return f"{cell.text}, {cell.note}" if cell.note else cell.text


def plain(blocks: Sequence[Block]) -> str:
    """The blocks as plain ASCII. The first cell of a row is the label of its line."""
    lines: list[str] = []
    for block in blocks:
        if isinstance(block, Table):
            for first, *rest in block.rows:
                label = f"{text(first):<{LABEL}} "
                lines += wrapped(label, " | ".join(map(text, rest)), TERMINAL)
            lines.append("")
        elif isinstance(block, Heading):
            lines += [block.text.upper(), ""] if block.level == 1 else [block.text.upper()]
        elif not isinstance(block, Picture):
            lines += [*wrapped("*** " * isinstance(block, Banner), block.text, TERMINAL), ""]
    return ascii_only("\n".join(lines).rstrip())


def page(blocks: Sequence[Block], style: str = "") -> str:
    """The blocks as one HTML page. style: CSS that is added to STYLE."""
    title = next(block.text for block in blocks if isinstance(block, Heading))
    body = "\n".join([_html(block) for block in blocks])
    text = (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>\n{STYLE}{style}</style>\n</head>\n"
        f"<body>\n{body}\n</body>\n</html>"
    )
    # a browser shows names of persons unchanged, in a file of plain ASCII
    return text.encode("ascii", "xmlcharrefreplace").decode("ascii")


def _html(block: Block) -> str:
    if isinstance(block, Heading):
        return f"<h{block.level}>{html.escape(block.text)}</h{block.level}>"
    if isinstance(block, Text):
        return f"<p>{html.escape(block.text)}</p>"
    if isinstance(block, Banner):
        return f"<p class=banner>{html.escape(block.text)}</p>"
    if isinstance(block, Picture):
        return f"<div class={block.kind}>{block.svg}</div>"
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


def _cell(cell: Cell) -> str:
    if isinstance(cell, Mark):
        note = f" {html.escape(cell.note)}" if cell.note else ""
        return f'<td><span class="{cell.kind}">{html.escape(cell.text)}</span>{note}</td>'
    return f"<td{' class=short' * (len(cell) <= SHORT)}>{html.escape(cell)}</td>"


# A4 landscape, black on white. A page break splits no row. Every sheet repeats the table's head.
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
