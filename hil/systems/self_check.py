"""`run --self-check` breaks each system on purpose, to show that its promises can fail.

A promise names the faults that must break it and those that it must survive. The system runs again
with each fault that its promises name. Promises that do not name this fault are printed and
not judged.
"""

import argparse
from typing import NamedTuple

from hil.runner import report
from hil.runner.cases import Runner
from hil.systems import contacts, figures, plays, swing_figures
from hil.systems.member import DAY_S, SENDER
from hil.systems.spec import Inputs, Spec, faults_of
from hil.systems.verdict import Document

TEXTS = {
    "battery": "a hundredth of the battery",
    "sender": "the sender of the schedule is dead",
    "set": "the generator set does not start",
    "pv": "no sun on the PV",
    "supply": "battery and set, both as above",
    "heater": "no heater",
    "notices": "no notice of a job",
    "load": "a steady load, a hundredth of the connection",
}
HUNDREDTH, UNIT_W_MIN, ENERGY_WH_MIN = 100, 1000, 1000
NEVER_STARTS, DARK_W = 100, 1.0


class Case(NamedTuple):
    """A system with a fault; "" is no fault."""

    name: str
    variant: str
    fault: str


def broken(spec: Spec, inputs: Inputs, fault: str) -> tuple[Spec, Inputs]:
    """The system and its inputs with this fault."""
    if fault == "supply":
        return broken(broken(spec, inputs, "battery")[0], inputs, "set")
    kept_inputs = {key: inputs[key] for key in inputs if not key.startswith(fault)}
    size, schedule = spec.size, dict(spec.schedule)
    site, devices = dict(spec.site), dict(size.devices)
    if fault == "battery":
        rated_W, energy_Wh = size.rated_W // HUNDREDTH, size.energy_Wh // HUNDREDTH
        size = size._replace(
            rated_W=max(UNIT_W_MIN, rated_W), energy_Wh=max(ENERGY_WH_MIN, energy_Wh)
        )
    elif fault == "set":
        site["genset"] = {**site["genset"], "failed_starts": NEVER_STARTS}
    elif fault == "pv":
        site["pv"] = {"rated_W": DARK_W}
        devices["pv"] = {**devices["pv"], "rated_W": round(DARK_W)}
    elif fault == "heater":
        del devices["heater"]
    elif fault == "notices":
        schedule["notice_min"] = 0
    elif fault == "load":
        site["load"] = {"kind": "constant", "power_W": size.import_W // HUNDREDTH}
        kept_inputs.pop("jobs", None)
    else:
        kept_inputs["dead"] = (SENDER,)
    size = size._replace(devices=devices)
    return spec._replace(site=site, size=size, schedule=schedule), kept_inputs


def judged(figure: Document, asked: Document, fault: str) -> Document:
    """One promise under one fault. figure: from the run; asked: from the system's file."""
    kinds = {"break": asked["breaks"], "survive": asked["survives"]}
    must = next((kind for kind, faults in kinds.items() if fault in faults), "")
    # None: with this fault, the figure cannot be computed.
    is_right = {"break": figure["is_met"] is not True, "survive": figure["is_met"] is True}
    return {
        "figure": figure["name"],
        "fault": fault,
        "reached": figure["reached"],
        "is_met": figure["is_met"],
        "must": must,
        "is_right": is_right.get(must),
    }


COLUMNS = "  {:<22}{:<38}{:>12}  {:<8}{:<9}{}"
KEPT = {True: "kept", False: "missed", None: "-"}
RIGHT = {True: "", False: "WRONG", None: "not judged"}


def lines(name: str, rows: list[Document]) -> list[str]:
    """The promises of a system under each fault."""
    head = COLUMNS.format("promise", "fault", "reached", "", "must", "").rstrip()
    return ["", name, head, *[_line(row) for row in rows]]


def _line(row: Document) -> str:
    reached = "-" if row["reached"] is None else f"{row['reached']:.4g}"
    texts = KEPT[row["is_met"]], row["must"], RIGHT[row["is_right"]]
    return COLUMNS.format(row["figure"], TEXTS[row["fault"]], reached, *texts).rstrip()


def cases_of(jobs: list[plays.Job], inputs: Inputs) -> list[Case]:
    """Each system with each fault that its promises name."""
    cases = []
    for job in jobs:
        spec = plays.chosen(*job, inputs)
        named = {
            fault for figure in spec.figures for fault in figure["breaks"] + figure["survives"]
        }
        possible = faults_of(spec.size.devices, spec.schedule)
        cases += [Case(*job, fault) for fault in possible if fault in named]
    return cases


def main(jobs: list[plays.Job], inputs: Inputs, arguments: argparse.Namespace) -> int:
    """Play and print each system with each of its faults. Returns the exit code."""
    cases = cases_of(jobs, inputs)
    with Runner(arguments) as runner:
        judgements = runner.play(cases, lambda case: _broken(case, inputs), name=" ".join)
    rows: dict[str, list[Document]] = {}
    for case, case_rows in zip(cases, judgements):
        rows.setdefault(f"{case.name} {case.variant}".strip(), []).extend(case_rows)
    for name, promises in rows.items():
        print("\n".join(lines(name, promises)))
    report.write_json(arguments.json, rows)
    is_wrong = any(row["is_right"] is False for promises in rows.values() for row in promises)
    return report.NOT_MET if is_wrong else report.MET


def _broken(case: Case, inputs: Inputs) -> list[Document]:
    chosen = plays.chosen(case.name, case.variant, inputs)
    faulty, faulty_inputs = broken(chosen, inputs, case.fault)
    asked = {figure["name"]: figure for figure in chosen.figures if figure["asked"] is not None}
    return [
        judged(figure._asdict(), asked[figure.name], case.fault)
        for figure in figures.of(plays.whole(faulty, faulty_inputs))
        if figure.name in asked
        and figure.status != "unreachable"
        and _may_show(figure.name, chosen, faulty_inputs)
    ]


def _may_show(name: str, chosen: Spec, inputs: Inputs) -> bool:
    """False if this run cannot show the figure: its event comes later, or no minutes are played."""
    if name in swing_figures.WITH_KERNEL:
        return inputs["kernel_minutes"] > 0
    if name == "contact_over_s":
        return contacts.closes(contacts.caps_W(chosen, chosen.days * DAY_S))
    return bool(chosen.events) or name != "event_over_kW"
