"""Makes the table of faults of each input and output. For each fault, it says what detects the
fault, within which time, and whether the result is safe.

Groups, contacts, wiring and times come from the tables of the project and the example site. A
person has written the rest in safety/hazards/faults.toml.
"""

from collections.abc import Iterator

from controller.config import equipment, time_chain
from controller.documents import document, effect_words
from controller.documents.document import Blocks, Columns, Facts, Heading, Mark, Table, Text
from controller.documents.hazard_log import ROOT, example_site
from controller.rows import matrix_words, proof_intervals, records
from controller.rows.records import BY_ID
from controller.system import toml_text
from safety import frame, matrix as m, signals as s

FILE = ROOT / "safety/hazards/faults.toml"
INPUTS = (*s.CABINET_INPUTS, *s.UNIT_INPUTS, *s.RACK_INPUTS)
GROUPS = s.CABINET_GROUPS + s.UNIT_GROUPS + s.RACK_GROUPS
MODULES = "module_temperature_ddegC"
WIRED_GROUPS = (s.G_IO_1, s.G_IO_2, s.G_IO_3)
NAME, KIND, GROUP = 0, 1, 4  # fields of an input or output of safety/signals.py
# The contacts that can make a row of the cause-and-effect matrix active. The faults of other
# contacts are in faults.toml.
CONTACTS = tuple(
    str(signal[NAME])
    for signal in s.CABINET_INPUTS
    if signal[GROUP] in WIRED_GROUPS and signal[NAME] not in equipment.OPTIONAL
)
VALUES = tuple(signal[NAME] for signal in INPUTS if signal[NAME] not in CONTACTS) + (MODULES,)
COILS = ("pcs_enable_ok", *[output for _, output in time_chain.OUTPUTS])
DRIVEN = COILS + tuple(
    output[NAME] for output in s.UNIT_OUTPUTS + s.RACK_OUTPUTS if output[KIND] in ("bool", "W")
)
HEAD = (
    "Within: the longest time until the slowest of these stages acts, by the time chain of the "
    "example site. Safe: energy is removed, or the fault cannot keep energy on. The table assumes "
    "one fault at a time. It has no failure rates, because the project knows none."
)
TABLES = {
    "groups": "A whole group is silent",
    "contacts": "A contact",
    "values": "A value is wrong, but possible",
    "outputs": "An output",
}
COLUMNS: Columns = {
    "signal": lambda line: ", ".join(line["signals"]),
    "fault": "fault",
    "detected by": lambda line: ", ".join(line["stages"]) or Mark("missing", "not detected"),
    "within": lambda line: _seconds(line["within_ms"]),
    "safe": "safe",
    "how": "how",
}


def facts() -> Facts:
    """{groups, contacts, values, outputs: lists of faults; expired: the state of each output
    without the controller}. Raises OSError.
    """
    written = toml_text.read(FILE)
    return {
        "groups": [_acts(name, "nothing arrives", written["silent"][name]) for name in GROUPS],
        "contacts": [line for name in CONTACTS for line in _contact(name, written["read_back"])],
        "values": [_written(fault, fault["signals"]) for fault in written["wrong"]],
        "outputs": [_written(fault, fault["outputs"]) for fault in written["output"]],
        "expired": _expired(),
    }


def missing(faults: Facts) -> list[str]:
    """A line for each value or output without a fault, and for each fault of an unknown signal."""
    pairs = (("values", VALUES), ("outputs", DRIVEN))
    covered = {key: {name for line in faults[key] for name in line["signals"]} for key, _ in pairs}
    return [
        f"faults.toml: {key}: {name}"
        for key, names in pairs
        for name in sorted(covered[key] ^ set(names))
    ]


def _line(names: list[str], fault: str, stages: list[str], safe: str, how: str) -> Facts:
    return {
        "signals": names,
        "fault": fault,
        "stages": stages,
        "within_ms": _within_ms(stages),
        "safe": safe,
        "how": how,
    }


def _within_ms(stages: list[str]) -> int | None:
    config, schedule = example_site()
    times_ms = [
        sum(part.time_ms for part in time_chain.decision(config, schedule, BY_ID[stage]))
        for stage in stages
    ]
    return max(times_ms, default=None)


def _written(fault: Facts, names: list[str]) -> Facts:
    return _line(names, fault["fault"], fault["by"], fault["safe"], fault["words"])


def _acts(name: str, fault: str, stages: list[str]) -> Facts:
    """A fault that makes these stages of the matrix active. The fault is safe if one of the stages
    stops the converter.
    """
    last = BY_ID[stages[-1]]
    is_stop = any(BY_ID[stage][m.S_DEMAND][m.D_PCS] for stage in stages)
    how = f"{matrix_words.cause(last)}: {', '.join(effect_words.effects(last))}"
    return _line([name], fault, stages, "yes" if is_stop else "partly", how)


def _contact(name: str, read_back: dict[str, list[str]]) -> Iterator[Facts]:
    """The two faults of a contact: its wire breaks, or it stays closed. A stage of the matrix
    always detects the first fault. The second is found by a stage, by channel B, or by a proof
    test.
    """
    if name in read_back:
        yield _acts(name, "wire breaks, or stays closed", read_back[name])
        return
    stages: list[tuple] = [stage for stage in m.STAGES if name in records.feature(stage).contacts]
    stages.sort(key=lambda stage: stage[m.S_GATE] != m.NO_GATE)
    discrepancies = [stage for stage in stages if "discrepancy" in records.feature_name(stage)]
    yield _acts(name, "wire breaks", [stages[0][m.S_ID]])
    if discrepancies:
        yield _acts(name, "stays closed", [discrepancies[0][m.S_ID]])
        return
    intervals_d = [
        proof_intervals.INTERVALS[proof_intervals.key_of(stage)].interval_d for stage in stages
    ]
    days = min(interval_d for interval_d in intervals_d if interval_d is not None)
    how = f"proof test every {days} days"
    if name in frame.SHARED_NAMES:
        how = f"by channel B if fitted, or by a {how}"
        yield _line([name], "stays closed", ["51"], "partly", how)
    else:
        yield _line([name], "stays closed", [], "no", how)


def _expired() -> dict[str, str]:
    """{output: "on" or "off"}, the state that the output takes without the controller."""
    config, _ = example_site()
    wired = {name for device in config.devices for name in device.outputs}
    return {name: "on" if f"!{name}" in wired else "off" for name in COILS}


def _seconds(time_ms: int | None) -> str:
    return "-" if time_ms is None else f"{time_ms / 1000:.2f} s"


def blocks(faults: Facts) -> Blocks:
    """The document."""
    page: Blocks = [Heading(1, "Faults of each input and output"), Text(HEAD)]
    for name, title in TABLES.items():
        page += document.section(title, document.table(faults[name], COLUMNS))
    expired = Table(("output", "after its expiry"), list(faults["expired"].items()))
    return page + document.section("Outputs without the controller", expired)
