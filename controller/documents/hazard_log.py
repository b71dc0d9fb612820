"""Checks the hazard log. It compares the log with the cause-and-effect matrix, with the computed
times of the example site, and with measured times.

Every hazard must name rows of the matrix and tests, and every row must be named by a hazard. The
check prints one line for each gap, for example a missing test or a time that is too long.
"""

import functools
import json
import pathlib
import zlib
from collections.abc import Iterator

import safety
from controller.config import bus_times, configuration, time_chain
from controller.config.bus_times import Schedule
from controller.config.cabinet_config import Config
from controller.documents.document import Facts
from controller.rows.records import ROWS, by_row, feature_name
from controller.sites import EXAMPLE
from controller.system import toml_text
from safety import matrix as m

ROOT = pathlib.Path(safety.__file__).parents[1]
LOG = ROOT / "safety/hazards/log.toml"
MEASURED = ROOT / "safety/hazards/measured.json"
MEASURE = "python -m hil rows --measured --only"
TEXT_KEYS = "hazard cause hurt safety_function process_safety_basis open".split()


def numbers(stage: tuple) -> str:
    """A digest of a stage's numbers in the matrix. A time that was measured with other numbers has
    another digest and does not count.
    """
    asks = [(m.DEMANDS[output], level) for output, level in enumerate(stage[m.S_DEMAND]) if level]
    gate = "" if stage[m.S_GATE] == m.NO_GATE else feature_name(stage, m.S_GATE)
    fields = (*stage[: m.S_FEATURE], feature_name(stage), *stage[m.S_SENSE : m.S_GATE], gate, asks)
    return f"{zlib.crc32(repr(fields).encode()):08x}"


def read() -> tuple[Facts, Facts]:
    """(log, measured): the content of the two files. Raises OSError."""
    return toml_text.read(LOG), json.loads(MEASURED.read_text(encoding="ascii"))


def whole() -> Facts:
    """The facts of the two files. Raises OSError."""
    return facts(*read())


def facts(log: Facts, measured: Facts) -> Facts:
    """The hazard log as plain data, with all its gaps. log, measured: results of `read`."""
    rows = _rows(measured)
    in_order = sorted(log["hazard"], key=lambda hazard: (len(hazard["id"]), hazard["id"]))
    hazards = [_hazard(hazard, rows) for hazard in in_order]
    hazard_ids = {
        row: [hazard["id"] for hazard in hazards if row in hazard["rows"]] for row in rows
    }
    gaps = [f"row {row}: no hazard names it" for row in rows if not hazard_ids[row]]
    names = [hazard["id"] for hazard in hazards]
    gaps += [f"{name}: is listed twice" for name in sorted(set(names)) if names.count(name) > 1]
    for hazard in hazards:
        gaps += [f"{hazard['id']}: {gap}" for gap in _gaps(hazard, rows, log["tests_of_every_row"])]
    return {
        "site": EXAMPLE.name,
        "is_source_tree": _is_source_tree(),
        "tests_of_every_row": log["tests_of_every_row"],
        "hazards": hazards,
        "rows": [{**facts, "hazards": hazard_ids[row]} for row, facts in rows.items()],
        "tests": _hazards_by(hazards, "tests"),
        "scenarios": _hazards_by(hazards, "scenarios"),
        "outside": log["outside"],
        "gaps": gaps,
    }


@functools.cache
def example_site() -> tuple[Config, Schedule]:
    """(Config, bus schedule) of the example site. All computed times are of this site."""
    config = configuration.load(str(EXAMPLE))
    return config, bus_times.schedule(config)


def _rows(measured: Facts) -> dict[int, Facts]:
    """{row: {row, what, stages}}. Each stage has its longest times and its test cases."""
    config, schedule = example_site()
    return {
        row: {
            "row": row,
            "what": ROWS[row].what,
            "stages": [_stage(config, schedule, stage, measured) for stage in stages],
        }
        for row, stages in by_row().items()
    }


def _stage(config: Config, schedule: Schedule, stage: tuple, measured: Facts) -> Facts:
    return {
        "stage": stage[m.S_ID],
        "takes_energy": bool(stage[m.S_DEMAND][m.D_PCS]),
        "latest_ms": _latest_ms(config, schedule, stage),
        "courses": [
            {"course": label, **case, "is_of_now": case["numbers"] == numbers(stage)}
            for label, case in measured.items()
            if case["stage"] == stage[m.S_ID]
        ],
    }


def _latest_ms(config: Config, schedule: Schedule, stage: tuple) -> int | None:
    """Longest time until the contactors are open, ms. If the stage does not open them, the longest
    time until power is zero. None if the stage takes no energy away.
    """
    if not stage[m.S_DEMAND][m.D_PCS] or feature_name(stage).startswith("boot_"):
        return None
    opened_ms = time_chain.opened_ms(config, schedule, stage)
    if opened_ms is not None:
        return opened_ms
    return sum(part.time_ms for part in time_chain.chain(config, schedule, stage))


def _hazard(hazard: Facts, rows: dict[int, Facts]) -> Facts:
    numbers = [int(row) for row in hazard["rows"]]
    stages = [stage for row in numbers if row in rows for stage in rows[row]["stages"]]
    timed = [stage for stage in stages if stage["latest_ms"] is not None]
    measured_ms = [case["off_ms"] for stage in timed for case in stage["courses"]]
    return {
        **hazard,
        "rows": numbers,
        "latest_ms": max([stage["latest_ms"] for stage in timed], default=None),
        "measured_ms": max(measured_ms, default=None),
    }


def _gaps(hazard: Facts, rows: dict[int, Facts], common: list[str]) -> Iterator[str]:
    """A line for each gap of a hazard."""
    yield from [f"{key} is empty" for key in TEXT_KEYS if not hazard[key].strip()]
    if not hazard["rows"]:
        yield "no row"
    if not hazard["tests"]:
        yield "no test"
    allowed_ms = hazard["process_safety_time_s"] * 1000
    for row in hazard["rows"]:
        if row not in rows:
            yield f"row {row} is not a row of the matrix"
            continue
        for stage in rows[row]["stages"]:
            yield from _gaps_of_stage(stage, allowed_ms)
    for name, claim in (("measured_s", "its scenarios took"), ("latest_s", "it may take")):
        if not 0 < hazard.get(name, 1e-3) * 1000 <= allowed_ms:
            yield f"{claim} {hazard[name]} s, allowed {allowed_ms / 1000:g} s"
    if _is_source_tree():
        for test in (*hazard["tests"], *common):
            if not _exists(test):
                yield f"there is no test {test}"
        yield from _gaps_of_scenarios(hazard)


def _gaps_of_stage(stage: Facts, allowed_ms: float) -> Iterator[str]:
    name = stage["stage"]
    old = [case["course"] for case in stage["courses"] if not case["is_of_now"]]
    # A test of the hard wiring runs with the controller off, so it measures no time of the program.
    if old or all(case["active_ms"] is None for case in stage["courses"]):
        cases = ",".join(old or [name])
        yield f"stage {name} was not measured with its present numbers: {MEASURE} '{cases}'"
    for case in stage["courses"]:
        if not case["met"]:
            yield f"case {case['course']} failed"
        if stage["latest_ms"] is not None and case["off_ms"] > allowed_ms:
            yield f"case {case['course']} took {case['off_ms']} ms, allowed {allowed_ms:g} ms"
    if (stage["latest_ms"] or 0) > allowed_ms:
        yield f"stage {name} may take {stage['latest_ms']} ms, allowed {allowed_ms:g} ms"


def _gaps_of_scenarios(hazard: Facts) -> Iterator[str]:
    for name in hazard["scenarios"]:
        path = ROOT / "hil" / "scenarios" / f"{name}.toml"
        if not path.is_file():
            yield f"there is no scenario {name}"
            continue
        expectations = toml_text.read(path)["expect"]
        stages = [
            expectation["stage"] for expectation in expectations if expectation["what"] == "trip"
        ]
        if not {int(stage.rstrip("abcdefg")) for stage in stages} & set(hazard["rows"]):
            yield f"scenario {name} expects no trip of its rows"


def _exists(test: str) -> bool:
    path, _, function = test.partition("::")
    file = ROOT / path
    return file.is_file() and f"def {function}(" in file.read_text(encoding="utf-8")


def _is_source_tree() -> bool:
    """False on a cabinet, where no tests are installed."""
    return (ROOT / "tests" / "safety").is_dir()


def _hazards_by(hazards: list[Facts], key: str) -> dict[str, list[str]]:
    """{test or scenario: [ids of the hazards that name it]}. key: "tests" or "scenarios"."""
    return {
        name: [hazard["id"] for hazard in hazards if name in hazard[key]]
        for name in sorted({name for hazard in hazards for name in hazard[key]})
    }
