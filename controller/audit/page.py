"""Writes the findings of an audit as one HTML page. It has a table of the rules and a picture of
each worst moment, and needs no other file.
"""

import itertools
from collections.abc import Iterator

import numpy as np

from controller.audit import judge, report
from controller.audit.judge import Findings, Verdict
from controller.audit.rules import RIDE
from controller.audit.samples import GRID, LOAD, POWERS, Steady, Values, joined, rows_of
from controller.documents import drawing
from controller.documents.document import Block, Blocks, Heading, Mark, Picture, Table, Text
from controller.documents.html_page import SCREEN, page

COLOURS = {LOAD: "#22272e", GRID: "#0072b2"}  # the same colours as in the pictures of the test rig
COLUMNS_MAX = 900
BESIDE = 0.5  # a picture shows this share of the worst moment's length before it and after it
BESIDE_S_MIN = 1.0
KINDS = {judge.MET: "armed", judge.BROKEN: "missing", judge.REFUSED: "doubt"}
Span_s = tuple[float, float]
TIME = "time_s"  # a column of a curve


def html_page(findings: Findings) -> str:
    """The page."""
    spans = {
        index: _span(verdict)
        for index, verdict in enumerate(findings.verdicts)
        if verdict.at_s is not None
    }
    curves = _curves(findings, spans)
    first, *_, last = report.text(findings).split("\n\n")
    title, *lines = [*first.split("\n"), *last.split("\n")]
    blocks: Blocks = [Heading(1, "Audit by the rules of grid operators"), Text(title)]
    blocks += [Text(line) for line in lines]
    numbered = enumerate(findings.verdicts)
    for _, group in itertools.groupby(numbered, key=lambda pair: id(pair[1].rule)):
        blocks += _rule(findings, list(group), curves)
    return page(blocks, SCREEN)


def _rule(
    findings: Findings, group: list[tuple[int, Verdict]], curves: dict[int, Values]
) -> Iterator[Block]:
    rule = group[0][1].rule
    yield Heading(2, rule.title)
    yield Text(report.limit_words(rule))
    yield Text(f"{rule.document} ({rule.date}), {report.PROVENANCE[rule.provenance]}. {rule.note}")
    if unseen := report.unseen(findings, rule):
        yield Text(unseen)
    rows = [
        (
            verdict.series,
            Mark(KINDS.get(verdict.word, "absent"), verdict.word),
            report.details(findings, verdict),
        )
        for _, verdict in group
    ]
    yield Table(("", "verdict", ""), rows)
    for index, verdict in group:
        if index in curves and verdict.series == findings.judged:
            yield Picture(_picture(findings, verdict, curves[index]), "worst")


def _span(verdict: Verdict) -> Span_s:
    assert verdict.begin_s is not None and verdict.at_s is not None
    beside_s = max(BESIDE_S_MIN, BESIDE * (verdict.at_s - verdict.begin_s))
    back_s = verdict.value or 0.0 if verdict.rule.quantity == RIDE else 0.0
    return verdict.begin_s - beside_s, verdict.at_s + beside_s + back_s


def _curves(findings: Findings, spans: dict[int, Span_s]) -> dict[int, Values]:
    """The powers in each span of time. This reads the source a second time."""
    curves: dict[int, Values] = {index: {} for index in spans}
    for block in Steady(findings.source).blocks():
        for index, (from_s, to_s) in spans.items():
            part = slice(*np.searchsorted(block.times_s, (from_s, to_s)))
            if part.stop > part.start:
                powers = {name: block.values[name] for name in POWERS if name in block.values}
                new = rows_of({TIME: block.times_s, **powers}, part)
                curves[index] = joined(curves[index], new)
    return {index: curve for index, curve in curves.items() if curve}


def _picture(findings: Findings, verdict: Verdict, curve: Values) -> str:
    """A picture of the powers around the worst moment, which is shaded."""
    powers = dict(curve)
    times_s = powers.pop(TIME)
    scale = findings.site_MW / findings.peak_W
    drawn = [
        (
            judge.SERIES[name],
            COLOURS[name],
            [(time_s, power_W * scale) for time_s, power_W in _thinned(times_s, values)],
        )
        for name, values in powers.items()
    ]
    assert verdict.begin_s is not None and verdict.at_s is not None
    shaded_s = verdict.begin_s, verdict.at_s
    return drawing.curves(drawn, "MW", f"{verdict.rule.title}, worst moment", shaded_s)


def _thinned(times_s: np.ndarray, values: np.ndarray) -> Iterator[tuple[float, float]]:
    """The lowest and the highest point of each column of the picture."""
    width = -(-len(values) // COLUMNS_MAX)
    for first in range(0, len(values), width):
        part = values[first : first + width]
        for index in sorted({int(part.argmin()), int(part.argmax())}):
            yield float(times_s[first + index]), float(part[index])
