"""The HTML page of a command's runs: promised and kept, where energy came from, worst day, bill."""

import io
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure as Picture

from hil.results import site_page, template
from hil.results.plot import COLOURS, SOC, STYLE
from hil.results.site_plot import LEGEND as LEGEND_ABOVE
from hil.results.template import Cell, marked
from hil.systems import cost, figures, run
from hil.systems.run import Result
from hil.systems.series import SLOT_S, SLOTS_PER_DAY

GENSET, PV, PRICE = "#999999", "#e69f00", "#cc79a7"
MWH_PER_J = 1 / 3.6e9
KEPT = {True: "kept", False: "not kept", None: ""}
BILL = ("energy", "demand charge", "tags", "total", "highest billed import")


def html(sections: Sequence[tuple[dict[str, Any], str]]) -> str:
    """sections: of each run its document (command.document) and `section`."""
    return template.rendered(
        "systems.html",
        title="Systems",
        overview=[(each["name"], *_verdict_cells(each)) for each, _ in sections],
        sections=[template.Markup(section) for _, section in sections],
    )


def _kept(document: dict[str, Any]) -> tuple[int, int]:
    """(promises that are kept, promises of which the run can say it)."""
    known = [each["is_met"] for each in document["figures"] if each["is_met"] is not None]
    return sum(known), len(known)


def _verdict_cells(document: dict[str, Any]) -> list[Cell]:
    kept, count = _kept(document)
    paid = document["cost"]
    more = paid["bill"] - paid["without_battery"]
    return [
        marked(kept == count, f"{kept} of {count}"),
        marked(not document["violations"], str(len(document["violations"]) or "none")),
        marked(more <= 0, f"{more:+,.0f} {paid['currency']}"),
    ]


def section(result: Result, document: dict[str, Any]) -> str:
    """One run; document: of command.document."""
    broken = [marked(False, each) for each in document["violations"]]
    unbroken = [marked(True, "No limit of the connection or reserve was violated.")]
    return template.rendered(
        "system.html",
        run=document,
        summary=_summary(document),
        promises=[_row(each) for each in document["figures"]],
        broken=broken or unbroken,
        flows=site_page.flows({name: J * MWH_PER_J for name, J in result.account.items()}),
        picture=_picture(result),
        worst=_worst(result),
        bill_head=(result.spec.tariff["currency"], *BILL),
        bill=_bill(result),
    )


def _summary(document: dict[str, Any]) -> list[Cell]:
    """Cost or saving of the run, and its promises; worse ones first."""
    is_well, promised = cost.verdict(document)
    is_dearer, paid = cost.words(document["cost"])
    lines = [marked(is_well, promised), marked(not is_dearer, paid)]
    return lines[::-1] if is_well and is_dearer else lines


def _row(figure: dict[str, Any]) -> list[Cell]:
    known = [figure[key] for key in ("asked", "reached", "optimum", "baseline")]
    text = KEPT[figure["is_met"]]
    if figures.is_unreachable(figure):
        text = "cannot be kept at this size"
    status = text or figure["status"]
    if figure["mode"] != run.MODE:
        status += f" ({figure['mode']})"
    values = [number(each) for each in known]
    return [figure["text"], *values, figure["unit"], marked(figure["is_met"], status)]


def number(value: float | None) -> str:
    """Three digits, at most as many decimals as a reader can use; "-": not known."""
    if value is None:
        return "-"
    if abs(value) < 0.005:
        return "0"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _worst(result: Result) -> list[tuple[str, str, str]]:
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
    return [
        (name, text, f"{begin + timedelta(seconds=second):%a %d %B %H:%M:%S}")
        for name, second, text in found
    ]


def _bill(result: Result) -> list[list[str]]:
    names = ("with the system", "without the battery", "without battery and PV")
    return [
        [name, *[f"{each:,.0f}" for each in (bill.energy, bill.demand, bill.tags, bill.total)]]
        + [f"{bill.peak_W / 1000:,.0f} kW"]
        for name, bill in zip(names, figures.bills(result))
    ]


def _picture(result: Result) -> template.Markup:
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
    return template.svg(file.getvalue())
