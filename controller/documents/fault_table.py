"""Faults of each input and output: what notices it, within which time, whether it is safe.

Groups, contacts, wiring and times come from the tables of the project and the example site;
safety/hazards/faults.toml has what only a person can say.
"""

import tomllib

from controller.config import time_chain
from controller.documents import effect_words
from controller.documents.document import Heading, Mark, Table, Text
from controller.documents.hazard_log import ROOT, site
from controller.rows import matrix_words, proof_intervals, records
from safety import frame, matrix as m, signals as s

FILE = ROOT / "safety/hazards/faults.toml"
BY_ID = {stage[m.S_ID]: stage for stage in m.STAGES}
INPUTS = (*s.CABINET_INPUTS, *s.UNIT_INPUTS, *s.RACK_INPUTS)
GROUPS = s.CABINET_GROUPS + s.UNIT_GROUPS + s.RACK_GROUPS
MODULES = "module_temperature_ddegC"
WIRED_GROUPS = (s.G_IO_1, s.G_IO_2, s.G_IO_3)
CONTACTS = tuple([each[0] for each in s.CABINET_INPUTS if each[4] in WIRED_GROUPS])
VALUES = tuple([each[0] for each in INPUTS if each[0] not in CONTACTS]) + (MODULES,)
COILS = ("pcs_enable_ok", *[output for _, output in time_chain.OUTPUTS])
DRIVEN = COILS + tuple(
    [each[0] for each in s.UNIT_OUTPUTS + s.RACK_OUTPUTS if each[1] in ("bool", "W")]
)
HEAD = (
    "Within: the longest time until the slowest of these stages is decided, by the time chain of "
    "the example site. Safe: energy is removed, or the fault cannot keep it on. No failure rates: "
    "none are known. One fault at a time."
)
TABLES = {
    "groups": "A whole group is silent",
    "contacts": "A contact",
    "values": "A value is wrong, but possible",
    "outputs": "An output",
    "expired": "Outputs without the controller",
}
HEADERS = ("signal", "fault", "noticed by", "within", "safe", "how")


def facts() -> dict:
    """{groups, contacts, values, outputs: lists of faults; expired}. Raises OSError."""
    with FILE.open("rb") as file:
        told = tomllib.load(file)
    return {
        "groups": [_acts(name, "nothing arrives", told["silent"][name]) for name in GROUPS],
        "contacts": [line for name in CONTACTS for line in _contact(name, told["read_back"])],
        "values": [_told(each, each["signals"]) for each in told["wrong"]],
        "outputs": [_told(each, each["outputs"]) for each in told["output"]],
        "expired": _expired(),
    }


def missing(found: dict) -> list:
    """One line for each value or output of the tables without a fault, and the other way round."""
    pairs = (("values", VALUES), ("outputs", DRIVEN))
    named = {key: {name for line in found[key] for name in line["signals"]} for key, _ in pairs}
    return [
        f"faults.toml: {key}: {name}"
        for key, names in pairs
        for name in sorted(named[key] ^ set(names))
    ]


def _line(names, fault, stages, safe, how):
    return {
        "signals": names,
        "fault": fault,
        "stages": stages,
        "within_ms": _within_ms(stages),
        "safe": safe,
        "how": how,
    }


def _within_ms(stages):
    found, schedule = site()
    times_ms = [
        sum([part.time_ms for part in time_chain.decision(found, schedule, BY_ID[stage])])
        for stage in stages
    ]
    return max(times_ms, default=None)


def _told(each, names):
    return _line(names, each["fault"], each["by"], each["safe"], each["words"])


def _acts(name, fault, stages):
    """A fault that is the cause of these stages: safe where one of them takes the energy away."""
    last = BY_ID[stages[-1]]
    takes = any(BY_ID[stage][m.S_DEMAND][m.D_PCS] for stage in stages)
    how = f"{matrix_words.cause(last)}: {', '.join(effect_words.effects(last))}"
    return _line([name], fault, stages, "yes" if takes else "partly", how)


def _contact(name, read_back):
    """A wire that breaks: by the first stage, that no gate holds up, if there is one. And a contact
    or its input that stays closed.
    """
    if name in read_back:
        yield _acts(name, "wire breaks, or stays closed", read_back[name])
        return
    own = [stage for stage in m.STAGES if name in records.feature(stage).contacts]
    own.sort(key=lambda stage: stage[m.S_GATE] != m.NO_GATE)
    apart = [stage for stage in own if "discrepancy" in records.feature_name(stage)]
    yield _acts(name, "wire breaks", [own[0][m.S_ID]])
    if apart:
        yield _acts(name, "stays closed", [apart[0][m.S_ID]])
        return
    days = min([proof_intervals.INTERVALS[proof_intervals.key_of(each)].interval_d for each in own])
    shared = name in frame.SHARED_NAMES
    yield _line(
        [name],
        "stays closed",
        ["51"] if shared else [],
        "partly" if shared else "no",
        ("where channel B is fitted; else " if shared else "") + f"proof test every {days} days",
    )


def _expired():
    """{output: "on" or "off" without the controller}."""
    found, _ = site()
    wired = {name for device in found.devices for name in device.outputs}
    return {name: "on" if f"!{name}" in wired else "off" for name in COILS}


def table(found: dict, name: str) -> Table:
    """The table of this name of TABLES."""
    if name == "expired":
        return Table(("output", "after its expiry"), list(found["expired"].items()))
    return Table(HEADERS, [_cells(line) for line in found[name]])


def _cells(line):
    within_ms = line["within_ms"]
    return (
        ", ".join(line["signals"]),
        line["fault"],
        ", ".join(line["stages"]) or Mark("missing", "not noticed"),
        "-" if within_ms is None else f"{within_ms / 1000:.2f} s",
        line["safe"],
        line["how"],
    )


def blocks(found: dict) -> list:
    """The document."""
    parts = [(Heading(2, title), table(found, name)) for name, title in TABLES.items()]
    head = [Heading(1, "Faults of each input and output"), Text(HEAD)]
    return [*head, *[block for part in parts for block in part]]
