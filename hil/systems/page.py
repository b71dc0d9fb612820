"""One HTML page for all that a command has run, for a facility manager: promised and kept, where
the energy came from, the worst day, the bill. The page loads nothing from any server.
"""

import io
from collections.abc import Sequence
from datetime import timedelta
from html import escape
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure as Picture

from hil.results import site_page
from hil.results.page import CSS
from hil.results.plot import COLOURS, SOC, STYLE
from hil.results.site_plot import LEGEND as LEGEND_ABOVE
from hil.systems import cost, figures, run
from hil.systems.run import Result
from hil.systems.series import SLOT_S, SLOTS_PER_DAY

GENSET, PV, PRICE = "#999999", "#e69f00", "#cc79a7"
MWH_PER_J = 1 / 3.6e9
HEAD = "<tr><th>promise<th>asked<th>reached<th>bound<th>without<th>unit<th>"
STATUS = {True: ("ok", "kept"), False: ("no", "not kept"), None: ("", "")}
LEGEND = (
    "Bound: the most that physics or arithmetic allows at this size. Without: the same site with "
    "no PV and no battery, if the line names no other case; beside a figure in percent, the "
    "quantity itself in kW, kWh or money. Projected: the figure depends on "
    "prices, load and weather that are assumed."
)
MORE_CSS = "small{display:block}td:nth-child(n+2){white-space:nowrap}li{margin:.15rem 0}"


def html(sections: Sequence[tuple[dict[str, Any], str]]) -> str:
    """sections: of each run its document (command.document) and `section`."""
    several = len(sections) > 1
    rows = "".join(f"<tr><td>{escape(each['name'])}{_verdict_cells(each)}" for each, _ in sections)
    head = "<tr><th>system<th>promises kept<th>violations<th>bill with the battery"
    overview = f"<table>{head}{rows}</table>" if several else ""
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport "
        f"content='width=device-width'><title>Systems</title><style>{CSS}{MORE_CSS}</style><body>"
        f"{overview}{''.join(section for _, section in sections)}</body></html>\n"
    )


def _kept(document: dict[str, Any]) -> tuple[int, int]:
    """(promises that are kept, promises of which the run can say it)."""
    known = [each["is_met"] for each in document["figures"] if each["is_met"] is not None]
    return sum(known), len(known)


def _verdict_cells(document: dict[str, Any]) -> str:
    kept, count = _kept(document)
    paid = document["cost"]
    more = paid["bill"] - paid["without_battery"]
    marks = [_mark(each) for each in (kept == count, not document["violations"], more <= 0)]
    return (
        f"<td class={marks[0]}>{kept} of {count}<td class={marks[1]}>"
        f"{len(document['violations']) or 'none'}<td class={marks[2]}>{more:+,.0f} "
        f"{escape(paid['currency'])}"
    )


def _mark(is_good: bool) -> str:
    return STATUS[is_good][0]


def section(result: Result, document: dict[str, Any]) -> str:
    """One run; document: of command.document."""
    rows = "".join(_row(each) for each in document["figures"])
    broken = "".join(f"<li class=no>{escape(each)}" for each in document["violations"])
    sizing = "".join(f"<li>{escape(each)}" for each in document["sizing"])
    names = ", ".join(map(escape, document["failures"]))
    failed = f" Each of {names} is silent for 10 minutes a day." if names else ""
    kind = " Each unit stands for several real ones (aggregate)." if document["aggregate"] else ""
    energy_MWh = {name: J * MWH_PER_J for name, J in result.account.items()}
    return (
        f"<h1>{escape(document['name'])}</h1><p>{escape(document['text'])}</p>"
        f"{_summary(document)}<small>{document['days']} days from "
        f"{result.spec.start:%Y-%m-%d}, seed {document['seed']}. "
        f"Figures without another mode come from the mode &ldquo;{document['mode']}&rdquo;."
        f"{kind} State of charge {document['soc_begin']:.0%} at first, "
        f"{document['soc_end']:.0%} at last.{failed}</small>"
        f"<h2>Promised and kept</h2><table>{HEAD}{rows}</table><small>{LEGEND}</small>"
        f"<ul>{broken or '<li class=ok>No limit of the connection or reserve was violated.'}</ul>"
        f"<h2>Energy, MWh</h2>{site_page.flows(energy_MWh)}"
        f"<h2>The day with the highest import</h2>{_picture(result)}"
        f"<h2>The worst moments</h2><table>{_worst(result)}</table>"
        f"<h2>The bill</h2><table>{_bill(result)}</table>"
        f"<h2>What the size allows</h2><ul>{sizing}</ul>"
    )


def _summary(document: dict[str, Any]) -> str:
    """Cost or saving of the run, and its promises; worse ones first."""
    is_well, promised = cost.verdict(document)
    is_dearer, paid = cost.words(document["cost"])
    lines = [(_mark(is_well), promised), (_mark(not is_dearer), paid)]
    if is_well and is_dearer:
        lines.reverse()
    return "".join([f"<p class={mark}>{escape(text)}</p>" for mark, text in lines])


def _row(figure: dict[str, Any]) -> str:
    known = [figure[key] for key in ("asked", "reached", "optimum", "baseline")]
    cells = "".join(f"<td>{number(each)}" for each in known)
    mark, text = STATUS[figure["is_met"]]
    if figure["status"] == "unreachable" and figure["is_met"] is False:
        text = "cannot be kept at this size"
    status = text or figure["status"]
    if figure["mode"] != run.MODE:
        status += f" ({figure['mode']})"
    return (
        f"<tr><td>{escape(figure['text'])}{cells}<td>{escape(figure['unit'])}"
        f"<td class='{mark}'>{status}"
    )


def number(value: float | None) -> str:
    """Three digits, at most as many decimals as a reader can use; "-": not known."""
    if value is None:
        return "-"
    if abs(value) < 0.005:
        return "0"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _worst(result: Result) -> str:
    """Moments with their time: extremes of the connection in a second, of the charge in a slot."""
    load_W, grid_W = result.seconds_W
    steps_W = np.abs(np.diff(grid_W))
    found = [
        ("highest load", int(load_W.argmax()), f"{load_W.max() / 1000:,.0f} kW"),
        ("highest import", int(grid_W.argmax()), f"{grid_W.max() / 1000:,.0f} kW"),
        ("lowest import (below 0: export)", int(grid_W.argmin()), f"{grid_W.min() / 1000:,.0f} kW"),
        ("largest step of the grid's power within a second", int(steps_W.argmax()) + 1,
         f"{steps_W.max() / 1000:,.0f} kW"),
        ("lowest charge", (int(result.soc.argmin()) + 1) * SLOT_S, f"{result.soc.min():.1%}"),
    ]  # fmt: skip
    begin = result.spec.start
    return "".join(
        f"<tr><td>{name}<td>{text}<td>{begin + timedelta(seconds=second):%a %d %B %H:%M:%S}"
        for name, second, text in found
    )


def _bill(result: Result) -> str:
    names = ("with the system", "without the battery", "without battery and PV")
    currency = escape(result.spec.tariff["currency"])
    rows = "".join(
        f"<tr><td>{name}<td>{each.energy:,.0f}<td>{each.demand:,.0f}<td>{each.tags:,.0f}"
        f"<td>{each.total:,.0f}<td>{each.peak_W / 1000:,.0f} kW"
        for name, each in zip(names, figures.bills(result))
    )
    head = "<th>energy<th>demand charge<th>tags<th>total<th>highest billed import"
    return f"<tr><th>{currency}{head}{rows}"


def _picture(result: Result) -> str:
    """Powers, charge and price of the day with the highest import, as SVG."""
    day = int(result.grid_W.argmax()) // SLOTS_PER_DAY
    span = slice(day * SLOTS_PER_DAY, (day + 1) * SLOTS_PER_DAY)
    hours = np.arange(SLOTS_PER_DAY) * SLOT_S / 3600
    with matplotlib.rc_context(STYLE):
        picture = Picture(figsize=(12.5, 6.2))
        power, charge, price = picture.subplots(3, 1, sharex=True, height_ratios=(4, 1.2, 1.2))
        series = (
            ("load", result.load_W, COLOURS["load"]),
            ("grid", result.grid_W, COLOURS["grid"]),
            ("battery", result.battery_W, COLOURS["battery"]),
            ("PV", result.pv_W, PV),
            ("generator set", result.genset_W, GENSET),
        )
        for name, values, colour in series:
            if values.any():
                power.step(hours, values[span] / 1000, where="post", color=colour, label=name)
        power.axhline(result.cap_W / 1000, color=COLOURS["grid"], lw=0.8, ls=":")
        power.set_ylabel("kW, means of 15 min")
        power.legend(ncols=5, **LEGEND_ABOVE)
        charge.plot(hours, 100 * result.soc[span], color=SOC)
        charge.set_ylabel("charge, %")
        price.step(hours, result.series.price[span], where="post", color=PRICE)
        price.set_ylabel(f"{result.spec.tariff['currency']}/kWh")
        price.set_xlabel(f"hours of {(result.spec.start + timedelta(days=day)):%Y-%m-%d}")
        price.set_xlim(0, 24)
        file = io.StringIO()
        picture.savefig(file, format="svg", bbox_inches="tight", metadata={"Date": None})
    text = file.getvalue()
    return text[text.index("<svg") :]
