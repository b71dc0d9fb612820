"""The HTML page of the campaign: one table for each path, worst load first, in plain words."""

import html

from hil.campaigns.smooth import cells, loads

CSS = """body{font:15px/1.5 system-ui,sans-serif;color:#22272e;max-width:1180px;margin:1.5rem auto;
padding:0 1rem}table{border-collapse:collapse}td,th{text-align:right;padding:.2rem .6rem;
border-bottom:1px solid #e3e6ea;font-variant-numeric:tabular-nums}
td{white-space:nowrap}td:first-child,th:first-child{text-align:left;white-space:normal}
b{color:#00745a}.no{color:#c0272d}"""
WIDTH, HEIGHT = 300, 70  # of a picture
COLOURS = {"load": "#9aa4b2", "battery": "#2f6fde", "grid": "#00745a"}
INTRODUCTION = """<p>The load of a GPU cluster jumps. The battery takes the jumps, so that the grid
supplies a steady power. The tables say how much of the load's movement the grid still has: 100 %
would be no battery at all, 0 % a grid that never moves. Lower is better.</p>
<p>Movement is the change from one 2 s mean of the power to the next (rms, and the 99th percentile
p99). <b>Ours</b> is the control function of the product. <i>Plain</i> sends the last value of the
meter. <i>Predictor</i> is the best linear guess with hindsight of other data: it overshoots, which
a converter should not do. <i>Held back</i> is the same guess kept to what the load has shown.
Range: by how much the spread of the power within 5 minutes falls. Charge: between which states
of charge the battery moved.</p>
<p>Held: each measured value holds until the next. Lin: the power is a line between them. Jit: held,
with times moved at random by up to 35 %. A small load is enlarged by the factor shown.</p>"""
HEAD = "".join(
    f"<th>{name}"
    for name in (
        *("load", "kind", "factor", "no battery, rms kW", "ours, rms", "plain", "predictor"),
        *("held back", "ours, p99", "range", "charge", "its worst minute"),
    )
)


def text(document: dict) -> str:
    """The whole page, without requests to anywhere."""
    parts = [
        f"<h2>{html.escape(path)} ms from load to battery</h2>{_table(document, path)}"
        for path in document["delays"]
    ]
    missed = "".join(f"<li class=no>{html.escape(line)}" for line in document["missed"]) or "None."
    return (
        f"<!doctype html><meta charset=utf-8><title>Load tracking</title><style>{CSS}</style>"
        f"<h1>How much of the load's movement reaches the grid</h1><p>{summary(document)}</p>"
        f"{INTRODUCTION}"
        f"<p>{_legend()} Files are played for {loads.LENGTH_S:.0f} s at most.</p>"
        f"<h2>Figures that are off</h2><ul>{missed}</ul>{''.join(parts)}\n"
    )


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


def _legend() -> str:
    names = [f"<span style=color:{colour}>{name}</span>" for name, colour in COLOURS.items()]
    return f"Pictures: {', '.join(names)} in the minute in which the grid moves most."


def _table(document: dict, path: str) -> str:
    rows = [row for row in document["rows"] if row["path"] == path]
    rows.sort(key=_rms, reverse=True)
    shown, lines = set(), []
    for row in rows:
        picture = "" if row["load"] in shown else _picture(row["picture"])
        shown.add(row["load"])
        lines.append(_row(row, picture))
    return f"<table><tr>{HEAD}{''.join(lines)}</table>"


def _rms(row: dict, way: str = "ours") -> float:
    """Of the changes of 2 s means; -1: the load does not move."""
    residual = row["ways"][way]["residual_pct"]["2"]
    return residual["rms"] if residual else -1.0


def _row(row: dict, picture: str) -> str:
    ours, changes_W = row["ways"]["ours"], row["no_battery"]["changes_W"]["2"]
    two_s = [row["ways"][way]["residual_pct"]["2"] for way in cells.WAYS]
    less, (low, high) = ours["range_300s_less_pct"], ours["soc_pct"]
    values = [
        *(html.escape(row["load"]), row["kind"], f"{row['scale']:.4g}"),
        f"{changes_W['rms'] / 1000:.1f}" if changes_W else "-",
        *[f"{each['rms']:.1f} %" if each else "-" for each in two_s],
        f"{two_s[0]['p99']:.1f} %" if two_s[0] else "-",
        "-" if less is None else f"{-less:.0f} %",
        *(f"{low:.1f} to {high:.1f} %", picture),
    ]
    values[4] = f"<b>{values[4]}</b>"
    return "<tr>" + "".join(f"<td>{value}" for value in values)


def _picture(picture: dict) -> str:
    """Lines of load, battery and grid, all on one scale that holds 0."""
    powers_kW = {name: picture[name] for name in COLOURS}
    low = min(0.0, *[min(power) for power in powers_kW.values()])
    high = max(1.0, *[max(power) for power in powers_kW.values()])
    lines = []
    for name, power in powers_kW.items():
        step, scale = WIDTH / max(1, len(power) - 1), HEIGHT / (high - low)
        points = " ".join(f"{i * step:.0f},{(high - kW) * scale:.0f}" for i, kW in enumerate(power))
        lines.append(f"<polyline points='{points}' fill=none stroke={COLOURS[name]} />")
    return (
        f"<svg width={WIDTH} height={HEIGHT} viewBox='0 0 {WIDTH} {HEIGHT}'>{''.join(lines)}</svg>"
    )
