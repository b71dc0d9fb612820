"""The pack as one HTML page, and the rows of each test as CSV."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from controller.documents import document
from controller.documents.document import Block, Heading, Mark, Picture, Table, Text
from hil.campaigns.vendor_pack import gains
from hil.campaigns.vendor_pack.gains import Gain

COLOURS = "#0072b2", "#d55e00"
WIDTH_px, HEIGHT_px, LEFT_px, FOOT_px, COLUMNS_MAX = 900, 220, 60, 24, 900
STYLE = "body { max-width: 1000px; } svg { width: 100%; height: auto; } table { width: auto; }\n"
# tests that no rig answers: (test, answer)
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


def html_page(found: dict[str, dict[str, Any]], about: str, numbers: Sequence[Gain]) -> str:
    """The page. found: by test; about: of the run; numbers: of T12."""
    blocks: list[Block] = [Heading(1, "Pack for the GPU vendor's battery guide"), Text(SOURCE)]
    blocks += [Text(about), Table(("test", "verdict", ""), _summary(found))]
    for name, each in found.items():
        blocks += [Heading(2, name), Text(each["line"])]
        rows = [
            (asked, Mark("armed" if is_met else "missing", answer))
            for asked, answer, is_met in each["answers"]
        ]
        blocks += [Table(("asked", "answer"), rows), Picture(picture(each), "curve")]
    gains_rows = [(each.name, f"{each.value:g}", each.unit) for each in numbers]
    blocks.append(Heading(2, "T12: gains of the controller"))
    blocks.append(Table(("name", "value", "unit"), gains_rows))
    return document.page(blocks, STYLE)


def _summary(found: dict[str, dict[str, Any]]) -> list[tuple[document.Cell, ...]]:
    words = {True: Mark("armed", "met"), False: Mark("missing", "not all met")}
    made: list[tuple[int, tuple[document.Cell, ...]]] = [
        (int(name[1:]), (name, words[each["is_met"]], each["line"])) for name, each in found.items()
    ]
    made += [(int(name[1:]), (name, Mark("absent", "no answer"), word)) for name, word in OTHERS]
    return [row for _, row in sorted(made, key=lambda pair: pair[0])]


def picture(found: dict[str, Any]) -> str:
    """The drawn columns over the time, as SVG."""
    rows, columns = found["rows"], list(found["columns"])
    thin = rows[:: max(1, len(rows) // COLUMNS_MAX)]
    lines = [
        ([row[columns.index(name)] * factor for row in thin], label)
        for name, factor, label in found["drawn"]
    ]
    low = min([min(values) for values, _ in lines])
    high = max([max(values) for values, _ in lines])
    span, left_s, right_s = (high - low) or 1.0, thin[0][0], thin[-1][0]
    parts = []
    for value in (low, high):
        y = _y(value, high, span) + 4
        parts.append(f'<text x="{LEFT_px - 5}" y="{y:.1f}" text-anchor="end">{value:.4g}</text>')
    foot = HEIGHT_px + FOOT_px - 6
    for at, ((values, label), colour) in enumerate(zip(lines, COLOURS)):
        points = " ".join(
            [
                f"{_x(row[0], left_s, right_s):.1f},{_y(value, high, span):.1f}"
                for row, value in zip(thin, values)
            ]
        )
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}"/>')
        parts.append(f'<text x="{300 + 200 * at}" y="{foot}" fill="{colour}">{label}</text>')
    parts.append(f'<text x="{LEFT_px}" y="{foot}">{left_s:.0f} s</text>')
    parts.append(f'<text x="{WIDTH_px}" y="{foot}" text-anchor="end">{right_s:.0f} s</text>')
    box = f'viewBox="0 0 {WIDTH_px} {HEIGHT_px + FOOT_px}" role="img" font-size="12"'
    return f'<svg {box} fill="#68717c">{"".join(parts)}</svg>'


def _x(t_s: float, left_s: float, right_s: float) -> float:
    return LEFT_px + (WIDTH_px - LEFT_px) * (t_s - left_s) / ((right_s - left_s) or 1.0)


def _y(value: float, high: float, span: float) -> float:
    return 10 + (HEIGHT_px - 20) * (high - value) / span


def csv_files(
    path: str, found: dict[str, dict[str, Any]], numbers: list[Gain]
) -> list[tuple[str, str]]:
    """[(path, content)] of the CSV of each test, beside the page."""
    stem = Path(path).with_suffix("")
    files = [(f"{stem}_{name}.csv", _csv(each)) for name, each in found.items()]
    return [*files, (f"{stem}_T12.csv", gains.csv(numbers))]


def _csv(found: dict[str, Any]) -> str:
    lines: Sequence[str] = [",".join([f"{value:g}" for value in row]) for row in found["rows"]]
    return "\n".join([",".join(found["columns"]), *lines]) + "\n"
