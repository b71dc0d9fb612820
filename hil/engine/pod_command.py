"""`python -m hil pod FILE`: several cabinets on one connection, each answering its share."""

import json
import os
from argparse import Namespace
from pathlib import Path
from typing import Any

import numpy as np

from hil.engine import forks
from hil.engine.arguments import number, output_file, whole
from hil.engine.pod import Pod
from hil.results import files
from hil.results.figures import energy_kWh, swing_2s_pct
from safety import signals as s

DEFAULT_S = 600.0
METER_TESTS = "proven", "testing", "undecided", "reversed"  # of meter_sign.O_RESULT
OPTIONS: dict[str, dict[str, Any]] = {
    "--for": {
        "dest": "seconds",
        "type": number(1, 31 * 86_400),
        "metavar": "SECONDS",
        "default": DEFAULT_S,
        "help": "length of the run (%(default)g)",
    },
    "--seed": {"type": whole(0, 2**31 - 1), "metavar": "NUMBER", "default": 1, "help": "(1)"},
    "--soc": {
        "type": number(5, 95),
        "metavar": "PERCENT",
        "default": 55.0,
        "help": "state of charge at the start (%(default)g)",
    },
    "--compare": {
        "action": "store_true",
        "help": "run it again with each cabinet answering the whole load, and print both swings",
    },
    "--json": {"type": output_file(), "metavar": "FILE", "help": "write all figures to FILE"},
}


def add(commands: Any) -> None:
    """Add the command to the subparsers."""
    parser = commands.add_parser("pod", help="run several cabinets on one connection")
    parser.add_argument("file", metavar="FILE", help="a site's TOML file with [pod]")
    for option, settings in OPTIONS.items():
        parser.add_argument(option, **settings)
    parser.set_defaults(run=main)


def main(arguments: Namespace) -> int:
    """Run, write and print. Returns 0, or 1 when the observer saw a violation."""
    order = {"seconds": arguments.seconds, "seed": arguments.seed, "soc_pct": arguments.soc}
    doc = run_pod(order, arguments.file)
    print("\n".join(lines(doc)), flush=True)
    if arguments.compare:
        doc["whole"] = run_pod(order | {"whole": True}, arguments.file)
        print("each cabinet answers the whole load:", *lines(doc["whole"]), sep="\n", flush=True)
    if arguments.json:
        with files.naming(arguments.json):
            Path(arguments.json).write_text(json.dumps(doc, indent=1) + "\n", encoding="ascii")
    return int(any(member["violations"] for member in doc["members"]))


def run_pod(order: dict[str, Any], path: str) -> dict[str, Any]:
    """The document of a run. order: seconds, seed, soc_pct, and whole (bool, may be missing)."""
    began_s = forks.wall_s()
    pod = Pod.of_file(path, order["seed"], order["soc_pct"] / 100, order.get("whole", False))
    pod.run(order["seconds"])
    speed = order["seconds"] / (forks.wall_s() - began_s)
    return {"file": os.path.basename(path), **order, "speed": round(speed, 1), **document(pod)}


def document(pod: Pod) -> dict[str, Any]:
    """The figures of a pod: of the site, and of each member."""
    account, site = pod.site.account, pod.site
    rows = pod.members[0].recorder.rows()
    settled = rows[rows["t_us"] >= pod.settled_us]
    parts = {part.kind: part.signals() for part in site.parts}
    return {
        "simulated_s": pod.now_us / 1e6,
        "measured_from_s": pod.settled_us / 1e6,
        "site": {
            "energy_kWh": {name: round(J / 3.6e6, 4) for name, J in account.energy_J.items()},
            "balance_error_J": account.error_J(),
            "import_W_max": round(account.import_W_max, 1),
            "quarter_W_max": round(account.highest_quarter_W(), 1),
            "swing_2s_pct": swing_2s_pct(settled),
            "parts": parts,
        },
        "members": [_member(member) for member in pod.members],
    }


def _member(member: Any) -> dict[str, Any]:
    rows, cabinet = member.recorder.rows(), member.controller.cabinet
    energy = energy_kWh(rows)
    core = cabinet.core if cabinet else None
    return {
        "name": member.config.names[-1][1],
        "share_permille": member.config.control["share_permille"],
        "state": s.STATES[core.out[s.STATE]] if core else "dead",
        "meter_test": METER_TESTS[core.functions["meter_sign"].out[0]] if core else None,
        "soc_permille": [round(float(rows["soc_permille"][at]), 2) for at in (0, -1)],
        "discharged_kWh": energy["discharged"],
        "charged_kWh": energy["charged"],
        "battery_W_max_abs": round(float(np.abs(rows["battery_W"]).max()), 1),
        "trips": member.trips.trips,
        "violations": member.observer.violations,
    }


def lines(doc: dict[str, Any]) -> list[str]:
    """The closing lines."""
    site = doc["site"]
    energy = {name: value for name, value in site["energy_kWh"].items() if value}
    swing = site["swing_2s_pct"]
    found = [
        f"seed       {doc['seed']}, {doc['simulated_s']:g} s, {doc['speed']:g} x real time",
        "energy     " + ", ".join(f"{name} {value:.2f}" for name, value in energy.items()) + " kWh",
        f"import     highest {site['import_W_max'] / 1000:.1f} kW, of a quarter of an hour "
        f"{site['quarter_W_max'] / 1000:.1f} kW",
        f"swing      2 s: load {_pct(swing['load'])}, grid {_pct(swing['grid'])}, "
        f"{_changed(swing['reduction'])}, from {doc['measured_from_s']:g} s on",
    ]
    for number_, member in enumerate(doc["members"], 1):
        trips = ", ".join(trip["stage"] for trip in member["trips"]) or "no trip"
        found.append(
            f"cabinet {number_}  {member['share_permille']} permille, {member['state']}, meter "
            f"{member['meter_test']}, charge {member['soc_permille'][0]:g} to "
            f"{member['soc_permille'][1]:g} permille, out {member['discharged_kWh']:.2f} kWh, in "
            f"{member['charged_kWh']:.2f} kWh, {trips}, {len(member['violations'])} violations"
        )
        found += [f"           {each}" for each in member["violations"]]
    return found


def _pct(value: float | None) -> str:
    return "-" if value is None else f"{value:g} %"


def _changed(reduction_pct: float | None) -> str:
    if reduction_pct is None:
        return "-"
    return f"{abs(reduction_pct):g} % {'larger' if reduction_pct < 0 else 'smaller'}"
