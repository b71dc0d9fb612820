"""The HTML page of a site: energies as flows, the picture, a table of the cabinets."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from controller.documents.document import (
    Block,
    Column,
    Heading,
    Picture,
    Table,
    Text,
    section,
    table,
    texts,
)
from controller.documents.drawing import tag
from hil.results import site_plot, words
from hil.results.page import NOTE, around, pct
from hil.results.plot import BATTERY, GRID, LOAD
from hil.site.parts import FEEDING, PARTS

# {flow of site.account: (label, colour)}
CAME_IN = {
    "imported": ("Grid, import", GRID),
    **{kind: site_plot.POWERS[kind][:2] for kind in FEEDING},
    "discharged": ("Battery, discharge", BATTERY),
}
WENT_OUT = {
    "load": ("Load", LOAD),
    "other": ("Other load", "#68717c"),
    "auxiliaries": ("Auxiliaries", "#8a939e"),
    "exported": ("Grid, export", GRID),
    "charged": ("Battery, charge", BATTERY),
}
SUM_PX, SLOT_PX_MIN, GAP_PX = 190, 24, 10
EDGE_PX, BUS_PX, WIDTH_PX = 230, 590, 1180
MOVES = "swing within 2 s (p99, of the highest load)"
MEMBERS: dict[str, Column] = {
    "": "name",
    "share": lambda member: f"{member['share_permille'] / 10:g} %",
    "state": "state",
    "meter test": lambda member: member["meter_test"] or "-",
    "charge": lambda member: "{:.2f} to {:.2f} %".format(
        *[permille / 10 for permille in member["soc_permille"]]
    ),
    "out": lambda member: f"{member['discharged_kWh']:.2f} kWh",
    "in": lambda member: f"{member['charged_kWh']:.2f} kWh",
    "trips": lambda member: (
        ", ".join([f"{trip['stage']} at {trip['t_s']:.1f} s" for trip in member["trips"]]) or "none"
    ),
    "violations": lambda member: str(len(member["violations"]) or "none"),
    "mirrored": lambda member: ", ".join(member["mirrored"]) or "none",
}


def page(doc: Mapping[str, Any], columns: Mapping[str, np.ndarray], window_s: float) -> str:
    """One self-contained HTML page. doc: made by pod_command. columns: made by site_record, not
    empty.
    """
    site, members = doc["site"], doc["members"]
    violated = [f"{member['name']}: {text}" for member in members for text in member["violations"]]
    mirrored = [words.MIRRORED] if any(member["mirrored"] for member in members) else []
    blocks: list[Block] = [
        Text(f"All figures: {doc['mode']}, seed {doc['seed']}, {doc['simulated_s']:g} s."),
        Heading(2, "Energy, kWh"),
        Picture(flows(site["energy_kWh"])),
        Heading(2, "Power and charge"),
        Picture(site_plot.svg(columns, site["parts"], doc["measured_from_s"])),
        Text(
            f"Means of {window_s:g} s. Grey: until the meters are tested; the swing counts after "
            "it. Red: off the grid.",
            NOTE,
        ),
        *section("Cabinets", table(members, MEMBERS)),
        *texts((*mirrored, *violated)),
        *section("Site", Table((), _figures(site))),
    ]
    return around(f"{doc['name']} ({doc['file']})", doc, headline(site["energy_kWh"]), blocks)


def _figures(site: Mapping[str, Any]) -> list[tuple[str, str]]:
    beside_pv = site["swing_beside_pv_pct"]
    swings = [(MOVES, _swing(site["swing_2s_pct"], "load", "grid"))]
    if beside_pv is not None:
        swings = [
            (MOVES, _swing(beside_pv["answered"], "load", "load less battery")),
            (MOVES, _swing(beside_pv["unanswered"], "load less PV", "grid")),
        ]
    return [
        ("highest import", f"{site['import_W_max'] / 1000:.1f} kW"),
        ("highest import, mean of 15 min", f"{site['quarter_W_max'] / 1000:.1f} kW"),
        *swings,
        ("load without supply", f"{site['energy_kWh']['unserved']:.2f} kWh"),
    ]


def _swing(swing_pct: Mapping[str, float | None], load: str, grid: str) -> str:
    return f"{load} {pct(swing_pct['load'])}, {grid} {pct(swing_pct['grid'])}"


def headline(energy_kWh: Mapping[str, float]) -> str:
    """The sources of the load's energy in one sentence."""
    net_kWh = {
        "grid": energy_kWh["imported"] - energy_kWh["exported"],
        **{_in_sentence(PARTS[kind].text): energy_kWh[kind] for kind in FEEDING},
        "battery": energy_kWh["discharged"] - energy_kWh["charged"],
    }
    sources = [f"{name} {kWh:.2f}" for name, kWh in net_kWh.items() if abs(kWh) >= 0.005]
    unserved_kWh = energy_kWh.get("unserved", 0.0)
    lacked = f"{unserved_kWh:.2f} kWh of the load had no supply. " if unserved_kWh >= 0.005 else ""
    return f"{lacked}The load drew {energy_kWh['load']:.2f} kWh: {', '.join(sources)}."


def _in_sentence(text: str) -> str:
    """A name within a sentence: an abbreviation keeps its capitals."""
    return text if text.isupper() else text.lower()


def flows(
    energy_kWh: Mapping[str, float],
    came_in: Mapping[str, tuple[str, str]] = CAME_IN,
    went_out: Mapping[str, tuple[str, str]] = WENT_OUT,
) -> str:
    """Energies as SVG bands: from the left into a bus, and from the bus to the right."""
    sides = [
        [(*names[name], energy_kWh[name]) for name in names if energy_kWh[name] > 0]
        for names in (came_in, went_out)
    ]
    total_kWh = max(math.fsum(flow[2] for flow in side) for side in sides) or 1.0
    drawn = [_side(side, total_kWh, is_left) for side, is_left in zip(sides, (True, False))]
    bands = "".join([band for bands, _ in drawn for band in bands])
    bus = tag("rect", x=BUS_PX - 4, y=GAP_PX, width=8, height=SUM_PX, fill=LOAD)
    box = f"0 0 {WIDTH_PX} {max(height for _, height in drawn):.0f}"
    return tag("svg", bands + bus, viewBox=box, font_size=15, fill=LOAD)


def _side(
    side: Iterable[tuple[str, str, float]], total_kWh: float, is_left: bool
) -> tuple[list[str], float]:
    """(bands of one side, their height). Each band has a separate slot for its label."""
    bands: list[str] = []
    slot = bus = float(GAP_PX)  # y of the next band at the edge and at the bus
    edge = EDGE_PX if is_left else WIDTH_PX - EDGE_PX
    anchor, text_px = ("end", edge - 8) if is_left else ("start", edge + 8)
    middle = (edge + BUS_PX) / 2
    for label, colour, value_kWh in side:
        thick = max(1.0, value_kWh / total_kWh * SUM_PX)
        top = slot + max(0.0, SLOT_PX_MIN - thick) / 2
        path = (
            f"M{edge},{top:.1f}C{middle},{top:.1f} {middle},{bus:.1f} {BUS_PX},{bus:.1f}"
            f"V{bus + thick:.1f}C{middle},{bus + thick:.1f} {middle},{top + thick:.1f} "
            f"{edge},{top + thick:.1f}Z"
        )
        bands.append(tag("path", fill=colour, fill_opacity=".45", d=path))
        y, text = top + thick / 2 + 5, f"{label} {value_kWh:,.2f}"
        bands.append(tag("text", text, x=text_px, y=y, text_anchor=anchor))
        slot += max(thick, SLOT_PX_MIN) + GAP_PX
        bus += thick
    return bands, max(slot, bus + GAP_PX)
