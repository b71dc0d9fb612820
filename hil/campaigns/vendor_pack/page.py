"""Writes the tests of a GPU vendor's battery guide as one HTML page, and their rows as CSV."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from controller.documents import document, drawing
from controller.documents.document import Block, Heading, Mark, Picture, Table, Text
from controller.documents.html_page import SCREEN, page
from hil.campaigns.trials import Figures
from hil.campaigns.vendor_pack.gains import Gain

COLOURS = "#0072b2", "#d55e00"
POINTS_MAX = 900
MET = {True: "met", False: "not all met"}
# tests that no rig can answer: (test, answer)
OTHERS = (
    ("T2", "hardware"),
    ("T3", "hardware"),
    ("T5", "EMT: not provable here"),
    ("T7", "hardware"),
    ("T8", "text not known here"),
    ("T9", "EMT: not provable here"),
    ("T12", "gains of the controller: see the table; model and impedance: EMT, not provable here"),
)
SOURCE = (
    "Limits: NVIDIA BESS self-qualification guide v1.0 of 28 May 2026 for T1, which was "
    "read; a third party's reading of v0.4 for the others. (?) marks what was not read in the "
    "document. Nothing here is a certificate: the cabinet is simulated."
)


def html_page(tests: dict[str, Figures], about: str, numbers: Sequence[Gain]) -> str:
    """The page. tests: {test: findings}; about: text about the run; numbers: those of T12."""
    blocks: list[Block] = [Heading(1, "Pack for the GPU vendor's battery guide"), Text(SOURCE)]
    blocks += [Text(about), Table(("test", "verdict", ""), _summary(tests))]
    for name, findings in tests.items():
        blocks += [Heading(2, name), Text(findings["line"])]
        rows = [
            (asked, document.judged(is_met, answer))
            for asked, answer, is_met in findings["answers"]
        ]
        blocks += [Table(("asked", "answer"), rows), Picture(picture(findings), "curve")]
    blocks.append(Heading(2, "T12: gains of the controller"))
    blocks.append(Table(Gain._fields, _cells(numbers)))
    return page(blocks, SCREEN)


def _summary(tests: dict[str, Figures]) -> list[tuple[document.Cell, ...]]:
    marks = {is_met: document.judged(is_met, text) for is_met, text in MET.items()}
    rows: dict[str, tuple[document.Cell, ...]] = {
        name: (name, marks[findings["is_met"]], findings["line"])
        for name, findings in tests.items()
    }
    rows |= {name: (name, Mark("absent", "no answer"), word) for name, word in OTHERS}
    return [rows[name] for name in sorted(rows, key=lambda name: int(name[1:]))]


def picture(findings: Figures) -> str:
    """The chosen columns over time, as an SVG."""
    rows, columns = findings["rows"], list(findings["columns"])
    thin = rows[:: max(1, -(-len(rows) // POINTS_MAX))]
    lines = [
        (label, colour, [(row[0], row[columns.index(name)] * factor) for row in thin])
        for (name, factor, label), colour in zip(findings["drawn"], COLOURS)
    ]
    return drawing.curves(lines)


def csv_files(path: str, tests: dict[str, Figures], numbers: list[Gain]) -> list[tuple[str, str]]:
    """[(path, content)] of the CSV files of all tests, beside the page."""
    stem = Path(path).with_suffix("")
    tables = {
        name: (findings["columns"], _cells(findings["rows"])) for name, findings in tests.items()
    }
    tables["T12"] = Gain._fields, _cells(numbers)
    return [
        (f"{stem}_{name}.csv", "".join(",".join(row) + "\n" for row in (head, *rows)))
        for name, (head, rows) in tables.items()
    ]


def _cells(rows: Iterable[Sequence[Any]]) -> list[list[str]]:
    """Each number as text; words stay as they are."""
    return [[cell if isinstance(cell, str) else f"{cell:g}" for cell in row] for row in rows]
