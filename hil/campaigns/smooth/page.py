"""The HTML page of the campaign: a table for each path. The worst load comes first, loads of joined
samples last.
"""

from controller.documents import drawing, html_page
from controller.documents.document import (
    Block,
    Cell,
    Heading,
    Mark,
    Picture,
    Table,
    Text,
    judged,
    section,
    texts,
)
from hil.campaigns.smooth import cells, loads, rules

WIDTH, HEIGHT = 300, 70  # of a picture
COLOURS = {
    "load": ("grey", "#9aa4b2"),
    "battery": ("blue", "#2f6fde"),
    "grid": ("green", "#00745a"),
}
STORY = (
    "The load of a GPU cluster jumps. The battery takes the jumps, so that the grid supplies a "
    "steady power. The tables say how much of the load's movement the grid still has: 100 % would "
    "be no battery at all, 0 % a grid that never moves. Lower is better.",
    "Movement is the change from one 2 s mean of the power to the next (rms, and the 99th "
    "percentile p99). Ours is the control function of the product. Plain sends the last value of "
    "the meter. Predictor is the best linear guess with hindsight of other data: it overshoots, "
    "which a converter should not do. Held back is the same guess kept to what the load has shown. "
    "Range: by how much the spread of the power within 5 minutes falls. Charge: between which "
    "states of charge the battery moved.",
    "Held: each measured value holds until the next. Lin: the power is a line between them. Jit: "
    "held, with times moved at random by up to 35 %. A small load is enlarged by the factor shown.",
)
HEAD = (
    *("load", "kind", "factor", "no battery, rms kW", "ours, rms", "plain", "predictor"),
    *("held back", "range in 5 s, % of the peak: ours/no battery", "change in 15 s", "line"),
    *("ramp of 1 s (T4)", "ours, p99", "range", "charge", "its worst minute"),
)


def text(document: dict) -> str:
    """The whole page."""
    missed = [judged(False, line) for line in document["missed"]] or ["None."]
    colours = ", ".join([f"{name} {word}" for name, (word, _) in COLOURS.items()])
    files = f"Files are played for {loads.LENGTH_S:.0f} s at most."
    blocks: list[Block] = [
        Heading(1, "How much of the load's movement reaches the grid"),
        *texts((summary(document), *STORY)),
        Text(f"Pictures: {colours}, in the minute in which the grid moves most. {files}"),
        Heading(2, "Figures that are off"),
        *texts(missed),
    ]
    for path in document["delays"]:
        table = Table(HEAD, _rows(document, path))
        blocks += section(f"{path} ms from load to battery", table)
    return html_page.page(blocks, title="Load tracking")


def summary(document: dict) -> str:
    """A sentence on all rows: first those whose grid moves more than the load, or than plain."""
    two_s = [{way: _rms(row, way) for way in ("ours", "plain")} for row in document["rows"]]
    moved = [each for each in two_s if each["ours"] >= 0]
    if not moved:
        return "No load of these files moves, so there is nothing to smooth."
    more, than_plain = [
        sum(each["ours"] > bound for each, bound in zip(moved, bounds))
        for bounds in ([100.0] * len(moved), [each["plain"] for each in moved])
    ]
    worse = f"In {more} of {len(moved)} rows the grid moves more than the load. " if more else ""
    if than_plain:
        worse += f"In {than_plain} of {len(moved)} rows it moves more than with the plain way. "
    low, high = [pick(each["ours"] for each in moved) for pick in (min, max)]
    return f"{worse}With ours {low:.1f} to {high:.1f} % of the load's movement reach the grid."


def _rows(document: dict, path: str) -> list[list[Cell]]:
    """The loads on a path, the worst first; each has its picture once."""
    rows = sorted(
        [row for row in document["rows"] if row["path"] == path],
        key=lambda row: (row["is_joined"], -_rms(row)),
    )
    firsts = {row["load"]: row for row in reversed(rows)}
    return [
        [*_row(row), Picture(_lines(row)) if firsts[row["load"]] is row else ""] for row in rows
    ]


def _rms(row: dict, way: str = "ours") -> float:
    """RMS of the changes of 2 s means; -1: the load does not move."""
    residual = row["ways"][way]["residual_pct"]["2"]
    return residual["rms"] if residual else -1.0


def _row(row: dict) -> list[Cell]:
    ours, changes_W = row["ways"]["ours"], row["no_battery"]["changes_W"]["2"]
    two_s = [row["ways"][way]["residual_pct"]["2"] for way in cells.WAYS]
    rms = [f"{each['rms']:.1f} %" if each else "-" for each in two_s]
    less, (low, high) = ours["range_300s_less_pct"], ours["soc_pct"]
    without = f"{changes_W['rms'] / 1000:.1f}" if changes_W else "-"
    kind = row["kind"] + ", joined samples: no evidence of slopes" * row["is_joined"]
    return [
        *[row["load"], kind, f"{row['scale']:.4g}", without, Mark("armed", rms[0]), *rms[1:]],
        *rules.pairs(row["rules"]["ours"], row["rules"]["no_battery"]),
        f"{two_s[0]['p99']:.1f} %" if two_s[0] else "-",
        "-" if less is None else f"{-less:.0f} %",
        f"{low:.1f} to {high:.1f} %",
    ]


def _lines(row: dict) -> str:
    """Load, battery and grid, all on one scale that holds 0."""
    powers_kW = {name: row["picture"][name] for name in COLOURS}
    low = min(0.0, *[min(power) for power in powers_kW.values()])
    high = max(1.0, *[max(power) for power in powers_kW.values()])
    step, scale = WIDTH / max(1, len(row["picture"]["load"]) - 1), HEIGHT / (high - low)
    lines = [
        drawing.polyline([(i * step, (high - kW) * scale) for i, kW in enumerate(power)], colour)
        for power, (_, colour) in zip(powers_kW.values(), COLOURS.values())
    ]
    return drawing.tag("svg", "".join(lines), width=WIDTH, height=HEIGHT)
