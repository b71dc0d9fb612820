"""The HTML page of a command's runs: what a manager asks, the worst day, the flows of energy, the
bill, the promises.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import numpy as np

from hil.results import site_page, template
from hil.results.plot import BATTERY
from hil.results.template import Cell, marked
from hil.site.parts import FEEDING
from hil.systems import answers, cost, drawings, figures, run
from hil.systems.run import Result
from hil.systems.series import SLOT_S

MWH_PER_J, MWH_PER_W = 1 / 3.6e9, SLOT_S / 3.6e9
UNUSED = ("PV, unused", drawings.GENSET)
CAME_IN = {
    **{name: site_page.CAME_IN[name] for name in ("imported", *FEEDING)},
    "unused_in": UNUSED,
    "spent": ("Battery, from its charge", BATTERY),
}
WENT_OUT = {
    **{name: site_page.WENT_OUT[name] for name in ("load", "other", "auxiliaries", "exported")},
    "lost": ("Battery, losses", BATTERY),
    "unused": UNUSED,
    "gained": ("Battery, into its charge", BATTERY),
}
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
        money=answers.money(result, document),
        outage=answers.outage(result),
        hours=answers.hours(result),
        sweep=drawings.sweep(document["year"]) if len(_swept(document)) > 1 else "",
        swept=[_size(each) for each in _swept(document)],
        flows=site_page.flows(balance(result), CAME_IN, WENT_OUT),
        sides=[_side(balance(result), side) for side in (CAME_IN, WENT_OUT)],
        pictures=[drawings.day(result, size) for size in (drawings.WIDE, drawings.PHONE)],
        minutes=drawings.minutes(result),
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


def balance(result: Result) -> dict[str, float]:
    """Energies of the run, MWh: those that came in are as much as those that went out. The battery
    has its losses, and the difference between its charge at the begin and at the end.
    """
    found = {name: J * MWH_PER_J for name, J in result.account.items()}
    gained = result.gained_Wh / 1e6
    unused = max(0.0, float((result.series.pv_W - result.pv_W).sum()) * MWH_PER_W)
    lost = found["charged"] - found["discharged"] - gained
    return found | {
        **{"unused_in": unused, "unused": unused, "lost": lost},
        **{"spent": max(0.0, -gained), "gained": max(0.0, gained)},
    }


def _side(energy_MWh: dict[str, float], names: dict[str, tuple[str, str]]) -> list[list[str]]:
    """The energies of one side as a table, for a phone."""
    known = [
        (label, energy_MWh[name]) for name, (label, _) in names.items() if energy_MWh[name] > 0
    ]
    return [[label, f"{value:,.2f}"] for label, value in known]


def _swept(document: dict[str, Any]) -> list[dict[str, Any]]:
    return document.get("year", {}).get("sweep", [])


def _size(found: dict[str, Any]) -> list[Cell]:
    money = [f"{each:,.0f}" for each in (found["year"]["saved"], found["worth_per_kWh"])]
    return [found["battery"], money[0], marked(found["pays"], f"{found['net']:,.0f}"), money[1]]
