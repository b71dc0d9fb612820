"""Writes the findings of an audit as one HTML page. It has a table of the rules and a picture of
each worst moment, and needs no other file.
"""

import itertools
from collections.abc import Iterator

import numpy as np

from controller.audit import judge, report
from controller.audit.judge import Found, Verdict
from controller.audit.rules import RIDE
from controller.audit.samples import GRID, LOAD, POWERS, Steady, Values
from controller.documents import drawing
from controller.documents.document import Block, Blocks, Heading, Mark, Picture, Table, Text
from controller.documents.html_page import SCREEN, page

COLOURS = {LOAD: "#22272e", GRID: "#0072b2"}  # the same colours as in the pictures of the test rig
COLUMNS_MAX = 900
BESIDE = 0.5  # a picture shows this share of the worst moment's length before it and after it
BESIDE_S_MIN = 1.0
KINDS = {judge.MET: "armed", judge.BROKEN: "missing", judge.REFUSED: "doubt"}
Span_s = tuple[float, float]
Curve = tuple[np.ndarray, Values]


def html_page(found: Found) -> str:
    """The page."""
    spans = {
        at: _span(verdict) for at, verdict in enumerate(found.verdicts) if verdict.at_s is not None
    }
    curves = _curves(found, spans)
    first, *_, last = report.text(found).split("\n\n")
    title, *lines = [*first.split("\n"), *last.split("\n")]
    blocks: Blocks = [Heading(1, "Audit by the rules of grid operators"), Text(title)]
    blocks += [Text(line) for line in lines]
    each = enumerate(found.verdicts)
    for _, group in itertools.groupby(each, key=lambda pair: id(pair[1].rule)):
        blocks += _rule(found, list(group), curves)
    return page(blocks, SCREEN)


def _rule(
    found: Found, group: list[tuple[int, Verdict]], curves: dict[int, Curve]
) -> Iterator[Block]:
    rule = group[0][1].rule
    yield Heading(2, rule.title)
    yield Text(report.limit_words(rule))
    yield Text(f"{rule.document} ({rule.date}), {report.PROVENANCE[rule.provenance]}. {rule.note}")
    if unseen := report.unseen(found, rule):
        yield Text(unseen)
    rows = [
        (each.series, Mark(KINDS.get(each.word, "absent"), each.word), report.details(found, each))
        for _, each in group
    ]
    yield Table(("", "verdict", ""), rows)
    for at, verdict in group:
        if at in curves and verdict.series == found.judged:
            yield Picture(_picture(found, verdict, curves[at]), "worst")


def _span(verdict: Verdict) -> Span_s:
    assert verdict.begin_s is not None and verdict.at_s is not None
    beside_s = max(BESIDE_S_MIN, BESIDE * (verdict.at_s - verdict.begin_s))
    back_s = verdict.value or 0.0 if verdict.rule.quantity == RIDE else 0.0
    return verdict.begin_s - beside_s, verdict.at_s + beside_s + back_s


def _curves(found: Found, spans: dict[int, Span_s]) -> dict[int, Curve]:
    """The powers in each span of time. This reads the source a second time."""
    kept: dict[int, list[Curve]] = {at: [] for at in spans}
    for block in Steady(found.source).blocks():
        for at, (from_s, to_s) in spans.items():
            part = slice(*np.searchsorted(block.times_s, (from_s, to_s)))
            if part.stop > part.start:
                powers = {name: block.values[name][part] for name in POWERS if name in block.values}
                kept[at].append((block.times_s[part], powers))
    return {at: _one(parts) for at, parts in kept.items() if parts}


def _one(parts: list[Curve]) -> Curve:
    names = parts[0][1]
    times_s = np.concatenate([part[0] for part in parts])
    return times_s, {name: np.concatenate([part[1][name] for part in parts]) for name in names}


def _picture(found: Found, verdict: Verdict, curve: Curve) -> str:
    """A picture of the powers around the worst moment, which is shaded."""
    times_s, powers = curve
    scale = found.site_MW / found.peak_W
    drawn = [
        (
            judge.SERIES[name],
            COLOURS[name],
            [(at, v * scale) for at, v in _thinned(times_s, values)],
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
        for at in sorted({int(part.argmin()), int(part.argmax())}):
            yield float(times_s[first + at]), float(part[at])
