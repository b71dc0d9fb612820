"""The HTML page of a site: energies as flows, the picture, a table of the cabinets."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from hil.results import site_plot, template, words
from hil.results.page import paused
from hil.results.plot import BATTERY, GRID, LOAD
from hil.site.parts import FEEDING, PARTS

# flow of site.account: label, colour
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


def page(doc: Mapping[str, Any], columns: Mapping[str, np.ndarray], window_s: float) -> str:
    """One self-contained HTML page. doc: of pod_command; columns: of site_record, not empty."""
    site = doc["site"]
    picture = site_plot.svg(columns, site["parts"], doc["measured_from_s"])
    return template.rendered(
        "site.html",
        title=f"{doc['name']} ({doc['file']})",
        paused=paused(doc),
        headline=headline(site["energy_kWh"]),
        doc=doc,
        seconds=f"{doc['simulated_s']:g}",
        flows=flows(site["energy_kWh"]),
        picture=template.svg(picture),
        window=f"{window_s:g}",
        mirrored=words.MIRRORED,
    )


def headline(energy_kWh: Mapping[str, float]) -> str:
    """Whence the energy of the load came, in one sentence."""
    net = {
        "grid": energy_kWh["imported"] - energy_kWh["exported"],
        **{_inside(PARTS[kind].text): energy_kWh[kind] for kind in FEEDING},
        "battery": energy_kWh["discharged"] - energy_kWh["charged"],
    }
    found = [f"{name} {value:.2f}" for name, value in net.items() if abs(value) >= 0.005]
    dark = energy_kWh.get("unserved", 0.0)
    lacked = f"{dark:.2f} kWh of the load had no supply. " if dark >= 0.005 else ""
    return f"{lacked}The load drew {energy_kWh['load']:.2f} kWh: {', '.join(found)}."


def _inside(text: str) -> str:
    """A name within a sentence: an abbreviation keeps its capitals."""
    return text if text.isupper() else text.lower()


def flows(
    energy_kWh: Mapping[str, float],
    came_in: Mapping[str, tuple[str, str]] = CAME_IN,
    went_out: Mapping[str, tuple[str, str]] = WENT_OUT,
) -> dict[str, Any]:
    """Energies that came in, from the left to a bus, and out of it to the right (macros.html)."""
    sides = [
        [(*names[name], energy_kWh[name]) for name in names if energy_kWh[name] > 0]
        for names in (came_in, went_out)
    ]
    total_kWh = max(sum(each[2] for each in side) for side in sides) or 1.0
    drawn = [_side(side, total_kWh, is_left) for side, is_left in zip(sides, (True, False))]
    return {
        "bands": [band for bands, _ in drawn for band in bands],
        "width": WIDTH_PX,
        "height": f"{max(height for _, height in drawn):.0f}",
        "colour": LOAD,
        "bus_px": BUS_PX - 4,
        "top_px": GAP_PX,
        "sum_px": SUM_PX,
    }


def _side(
    side: Iterable[tuple[str, str, float]], total_kWh: float, is_left: bool
) -> tuple[list[dict[str, Any]], float]:
    """(bands of one side, their height). Each has its label in a slot of its own."""
    found, slot, bus = [], float(GAP_PX), float(GAP_PX)
    edge = EDGE_PX if is_left else WIDTH_PX - EDGE_PX
    anchor, text_px = ("end", edge - 8) if is_left else ("start", edge + 8)
    middle = (edge + BUS_PX) / 2
    for label, colour, value_kWh in side:
        thick = max(1.0, value_kWh / total_kWh * SUM_PX)
        at = slot + max(0.0, SLOT_PX_MIN - thick) / 2
        path = (
            f"M{edge},{at:.1f}C{middle},{at:.1f} {middle},{bus:.1f} {BUS_PX},{bus:.1f}"
            f"V{bus + thick:.1f}C{middle},{bus + thick:.1f} {middle},{at + thick:.1f} "
            f"{edge},{at + thick:.1f}Z"
        )
        text = {"text_px": text_px, "y": f"{at + thick / 2 + 5:.1f}", "anchor": anchor}
        label = f"{label} {value_kWh:,.2f}"
        found.append({"colour": colour, "path": path, "label": label, **text})
        slot += max(thick, SLOT_PX_MIN) + GAP_PX
        bus += thick
    return found, max(slot, bus + GAP_PX)
