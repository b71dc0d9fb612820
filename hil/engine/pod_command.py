"""Runs several cabinets on one grid connection, for `pod` and `rig`, and prints the figures."""

import os
import sys
from typing import Any

import numpy as np

from hil.engine import coverage, forks
from hil.engine.pod import Played, Pod
from hil.engine.simulate import VirtualRig
from hil.results import figures, files, recorder, template, words
from hil.results.figures import energy_kWh, swing_2s_pct, write_json
from hil.results.screen import shown_on
from hil.results.site_record import SiteRecord, powers_W
from hil.scenarios import expectations, scenario
from hil.site import description
from hil.site.parts import GIVING_WAY
from safety import signals as s

Order = dict[str, Any]  # the options of a run
Document = dict[str, Any]

DEFAULT_S, DEFAULT_SOC_PCT = 600.0, 55.0


def played(
    order: Order, path: str, html_path: str | None = None, kind: type[VirtualRig] = VirtualRig
) -> Document:
    """Run the file of a pod, print the closing lines and write the page. Returns the document.

    order: options of the run: seconds, seed, soc_pct, values, scenario (a name or None), whole (may
    be missing).
    """
    soc, is_whole = order["soc_pct"] / 100, order.get("whole", False)
    chosen = scenario.load(order["scenario"]) if order["scenario"] else None
    pod = Pod.of_file(path, order["seed"], soc, is_whole, kind, scenario=chosen)
    names = {"file": os.path.basename(path), "name": description.read(path)["name"]}
    doc = _run(pod, {**names, **order}) | {"expectations": _judged(pod, chosen)}
    print("\n".join(lines(doc)), flush=True)
    write_page(doc, pod.record, html_path)
    return doc


def write_page(doc: Document, record: SiteRecord, path: str | None) -> None:
    """Write the page of a run with at least one window. Without a path, write nothing."""
    columns = record.columns()
    if path and len(columns["t_s"]):
        # Imported late: matplotlib takes 0.4 s to load.
        from hil.results import site_page

        with files.naming(path), open(path, "w", encoding="utf-8") as file:
            file.write(site_page.page(doc, columns, record.window_s))


def finished(doc: Document, json_path: str | None) -> int:
    """Write the document. Returns the exit code."""
    if json_path:
        write_json(json_path, doc)
    is_violated = any(member["violations"] for member in doc["members"])
    is_met = all(expectation["ok"] for expectation in doc["expectations"]) and not doc.get("pauses")
    return int(is_violated or not is_met)


def _run(pod: Pod, order: Order) -> Document:
    """The document of a run. A terminal shows its progress."""
    began_s = forks.wall_s()
    with shown_on(True, sys.stderr.isatty(), forks.wall_s) as show:
        show_view = None if show is None else lambda: show(_view(pod, order["seconds"]))
        pod.run(order["seconds"], show_view)
    speed = order["seconds"] / (forks.wall_s() - began_s)
    return {**order, "speed": round(speed, 1), **document(pod)}


def _judged(pod: Pod, chosen: scenario.Scenario | None) -> list[Document]:
    """The chosen scenario's expectations that hold for any load, judged on cabinet 1."""
    if chosen is None:
        return []
    run = recorder.run_of(pod.members[0], {})
    results = expectations.evaluate(
        chosen.any_load_expects, run, figures.document(run, {}, pod.settled_us)
    )
    return [{"ok": ok, "text": text} for ok, text in results]


def _view(pod: Pod, duration_s: float) -> Document:
    """The keys of frame.py that the progress line needs."""
    states = {s.STATES[core.out[s.STATE]] for core in pod.cores()}
    powers = {f"{name}_W": power_W for name, power_W in powers_W(pod.site).items()}
    elapsed_s = pod.now_us / 1e6
    return {**powers, "elapsed_s": elapsed_s, "duration_s": duration_s, "state": "/".join(states)}


def document(pod: Played) -> Document:
    """The figures of a pod, for the site and for each member."""
    account, site = pod.site.account, pod.site
    parts = {part.kind: part.signals() for part in site.parts}
    return {
        "mode": pod.mode,
        "simulated_s": pod.now_us / 1e6,
        "measured_from_s": pod.settled_us / 1e6,
        "site": {
            "energy_kWh": {name: round(J / 3.6e6, 4) for name, J in account.energy_J.items()},
            "balance_error_J": account.error_J(),
            "import_W_max": round(account.import_W_max, 1),
            "quarter_W_max": round(account.highest_quarter_W(), 1),
            **_swings(pod),
            "parts": parts,
        },
        "members": [_member(member) for member in pod.members],
    }


def _swings(pod: Played) -> Document:
    """{swing_2s_pct, swing_beside_pv_pct}, in percent of the peak of the load. A cabinet answers
    the swings of the load, never those of PV. So beside PV, `answered` compares the swing of load
    less battery with that of the load, and `unanswered` compares the swing of the grid with that
    of load less PV. Without PV, swing_beside_pv_pct is None.
    """
    rows = pod.members[0].recorder.rows()
    is_settled = rows["t_us"] >= pod.settled_us
    battery_W = sum([member.recorder.rows()["battery_W"][is_settled] for member in pod.members])
    rows = rows[is_settled]
    swings: Document = {"swing_2s_pct": swing_2s_pct(rows), "swing_beside_pv_pct": None}
    if len(rows) and any([pod.site.account.energy_J[kind] for kind in GIVING_WAY]):
        peak_W, answered, unanswered = float(rows["load_W"].max()), rows.copy(), rows.copy()
        answered["grid_W"] = rows["load_W"] - battery_W
        unanswered["load_W"] = rows["grid_W"] + battery_W
        swings["swing_beside_pv_pct"] = {
            "answered": swing_2s_pct(answered, peak_W),
            "unanswered": swing_2s_pct(unanswered, peak_W),
        }
    return swings


def _member(member: Any) -> Document:
    rows = member.recorder.rows()
    energy = energy_kWh(rows)
    state, meter_test = member.shown
    return {
        "name": member.config.names[-1][1],
        "share_permille": member.config.control["share_permille"],
        "state": state,
        "meter_test": meter_test,
        "soc_permille": [round(float(rows["soc_permille"][index]), 2) for index in (0, -1)],
        "discharged_kWh": energy["discharged"],
        "charged_kWh": energy["charged"],
        "battery_W_max_abs": round(float(np.abs(rows["battery_W"]).max()), 1),
        "mirrored": coverage.mirrored(member.config),
        "trips": member.trips.trips,
        "violations": member.observer.violations,
    }


def lines(doc: Document) -> list[str]:
    """The closing lines."""
    return template.rendered(
        "pod.txt",
        **doc,
        paused=words.paused_lines(doc),
        mirrored=words.MIRRORED,
        verdict=lambda is_ok: words.verdict(is_ok, doc),
    ).splitlines()
