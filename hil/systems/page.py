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

from hil.results.page import CSS
from hil.results.plot import COLOURS, SOC, STYLE
from hil.systems import figures
from hil.systems.run import SLOT_S, SLOTS_PER_DAY, Result

GENSET, PV, PRICE = "#999999", "#e69f00", "#cc79a7"
MWH = SLOT_S / 3.6e9
HEAD = "<tr><th>figure<th>asked<th>reached<th>bound<th>without<th>unit<th>status<th>mode"
STATUS = {True: "met", False: "not met", None: ""}


def html(sections: Sequence[str]) -> str:
    """sections: of each run."""
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport "
        f"content='width=device-width'><title>Systems</title><style>{CSS}</style><body>"
        f"{''.join(sections)}</body></html>\n"
    )


def section(result: Result, document: dict[str, Any]) -> str:
    """One run; document: of command.document."""
    rows = "".join(_row(each) for each in document["figures"])
    broken = "".join(f"<li class=no>{escape(each)}" for each in document["violations"])
    sizing = "".join(f"<li>{escape(each)}" for each in document["sizing"])
    kind = "; each unit stands for several real ones" if document["aggregate"] else ""
    return (
        f"<h1>{escape(document['name'])}</h1><p>{escape(document['text'])}. "
        f"{document['days']} days, seed {document['seed']}, {document['mode']}{kind}; "
        f"state of charge {document['soc_begin']:.0%} at first, {document['soc_end']:.0%} at last."
        "</p>"
        f"<table>{HEAD}{rows}</table>"
        f"<ul>{broken or '<li class=ok>no limit, reserve or connection was violated'}</ul>"
        f"<h2>Where the energy came from and went</h2><table>{_flows(result)}</table>"
        f"<h2>The day with the highest import</h2>{_picture(result)}"
        f"<h2>The bill</h2><table>{_bill(result)}</table>"
        f"<h2>Size</h2><ul>{sizing}</ul>"
    )


def _row(figure: dict[str, Any]) -> str:
    known = [figure[key] for key in ("asked", "reached", "optimum", "baseline")]
    cells = "".join(f"<td>{_number(each)}" for each in known)
    mark = "ok" if figure["is_met"] else "no" if figure["is_met"] is False else ""
    status = f"{figure['status']} {STATUS[figure['is_met']]}"
    return (
        f"<tr><td>{escape(figure['text'])}{cells}<td>{escape(figure['unit'])}"
        f"<td class='{mark}'>{status}<td>{figure['mode']}"
    )


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _flows(result: Result) -> str:
    """Energies in MWh, in and out."""
    grid, battery = result.grid_W, result.battery_W
    flows = {
        "from the grid": np.maximum(0, grid).sum(),
        "into the grid": np.maximum(0, -grid).sum(),
        "from PV": result.pv_W.sum(),
        "from the generator set": result.genset_W.sum(),
        "out of the battery": np.maximum(0, battery).sum(),
        "into the battery": np.maximum(0, -battery).sum(),
        "load with its cooling": result.load_W.sum(),
    }
    return "".join(
        f"<tr><td>{name}<td>{float(each) * MWH:,.1f} MWh" for name, each in flows.items() if each
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
        power.legend(loc="upper left", ncols=5, frameon=False)
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
