"""Makes the commissioning report, which a person signs, from configuration, proof tests and store.

The report has the hashes of the files, the result of each test of the checklist, and the rows of
the cause-and-effect matrix that are not armed, with reasons. It also has the approval of the limit
image (all safety limits of the cabinet), the audit of the site's plan, and all open points.
"""

import hashlib
import pathlib
from argparse import Namespace
from collections.abc import Iterable, Iterator

from controller.config import approval, configuration, hma, layers, proof_plan, stage_states
from controller.config.cabinet_config import Config
from controller.config.places import RESPONDER
from controller.documents import check_facts, matrix_facts, matrix_tables
from controller.documents.document import Facts
from controller.rows import proof_intervals, records
from controller.run import sign_hold
from controller.store import (
    proof_lines,
    proof_state,
    proof_tests,
    replacements,
    sign_tests,
    two_copies,
)
from controller.store.two_copies import Loaded
from controller.system import cli, release, utc
from controller.system.paths import NO_START, STATE_DIRECTORY
from controller.system.worded import counted
from safety import matrix as m

APPROVED, CHANGED, NEVER = "approved", "another limit image is approved", "not approved"
UNREAD = "not known: the store cannot be read"


def facts(arguments: Namespace) -> Facts:
    """The report of a site file as plain data. Raises ConfigError."""
    path, directory = arguments.site, arguments.state_dir
    if directory != STATE_DIRECTORY:
        cli.check_folder(directory)
    config, missing = configuration.survey(path)
    doubts = () if missing else configuration.with_doubts(path)[1]
    with cli.ends(NO_START, OSError, at=proof_tests.path_of(directory)):
        ledger = proof_tests.read(directory)
    stored, now = two_copies.Store(directory).load(), utc.moment()
    utc_text = proof_lines.utc_text(now[0])
    site = matrix_tables.site_facts(config, missing)
    rows = matrix_facts.facts(config)["rows"]
    report = {
        "site": site,
        "utc": utc_text,
        "clock": now[1],
        "program": release.version(),
        "files": _files(config),
        "devices": {name: f"{crc:08X}" for name, crc in approval.devices(config).items()},
        "tests": _tests(config, ledger, now),
        "signs": sign_tests.units(sign_hold.codes_of(config), ledger.records),
        "ledger": {"records": ledger.newest, "tests": ledger.tests, "head": ledger.head},
        "not_armed": _not_armed(rows),
        "open_hazards": check_facts.open_hazards(config),
        "approval": _approval(config, stored),
        "plan": _plan(config),
    }
    return {**report, "open": [*missing, *_open(report, config, ledger, stored), *doubts]}


def _files(config: Config) -> list[Facts]:
    """{file, sha256} of each file of the configuration, and of the site's plan if there is one."""
    paths = [layer.file for layer in layers.read_chain(config.path)]
    paths += [config.site_plan.path] if config.site_plan else []
    return [
        {"file": path, "sha256": hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()}
        for path in paths
    ]


def _tests(config: Config, ledger: proof_lines.Found, now: proof_tests.Moment) -> list[Facts]:
    """The tests of the checklist. Each has its longest allowed time, and its last result from the
    ledger of proof tests.
    """
    allowed_ms, stages = proof_plan.allowed_ms(config), _stages(config)
    due = proof_state.rows(proof_plan.plan(config), ledger.records, now)
    tests = [
        {**row, "allowed_ms": allowed_ms[row["row"]], "stages": stages.get(row["row"], [])}
        for row in due
    ]
    return [{**test, "is_slow": proof_state.is_slow(test)} for test in tests]


def _stages(config: Config) -> dict[str, list[str]]:
    """{key of a proof test: [ids of the armed stages that it tests]}."""
    armed = stage_states.stages_in(config.topology, stage_states.ARMED_STATES)
    by_key: dict[str, list[str]] = {}
    for stages in records.by_row().values():
        for stage in stages:
            if stage in armed:
                by_key.setdefault(proof_intervals.key_of(stage), []).append(stage[m.S_ID])
    return by_key


def _not_armed(rows: list[Facts]) -> list[Facts]:
    """Each stage of the matrix that is not armed on every rack or unit, with its states and the
    persons who accepted them.
    """
    return [
        {key: stage[key] for key in ("stage", "cause", "states")}
        for row in rows
        for stage in row["stages"]
        if any(state["kind"] != "armed" for state in stage["states"])
    ]


def _approval(config: Config, stored: Loaded) -> Facts:
    """{state, by, lines, latched, locked_out} from the store. state: whether the limit image is
    approved, and by whom.
    """
    loaded = two_copies.of_cabinet(stored, config.names[-1][1])
    record = loaded.record
    if record is None or loaded.state == two_copies.UNREADABLE:
        is_new = loaded.state == two_copies.MISSING
        nothing = {"by": "", "latched": [], "locked_out": ""}
        return {"state": NEVER if is_new else UNREAD, "lines": loaded.lines, **nothing}
    approved = approval.unpacked(record.approved)
    state = APPROVED if approved == approval.of(config) else CHANGED if approved else NEVER
    return {
        "state": state,
        "by": record.approved_by,
        "lines": loaded.lines,
        "latched": sorted(record.latches, key=lambda name: record.latches[name]),
        "locked_out": record.locked_out,
    }


def _plan(config: Config) -> Facts | None:
    plan = config.site_plan
    return plan and {"name": plan.name, "audit": plan.audit, "open": plan.open, "racks": plan.racks}


def _open(
    report: Facts, config: Config, ledger: proof_lines.Found, stored: Loaded
) -> Iterator[str]:
    """A line for each point that is open."""
    analysis = config.hma, report["site"]["not_fitted"]
    yield from hma.placeholder_lines(*analysis)
    yield from hma.ahead_lines(*analysis, report["utc"][:10])
    yield from _open_tests(report["tests"])
    for sign in report["signs"]:
        if sign["state"] != sign_tests.DONE:
            is_accepted = sign["state"] == sign_tests.ACCEPTED
            by = f" without a test by {sign['tester']}" if is_accepted else ""
            yield f"sign test of unit {sign['unit']}: {sign['state']}{by} (firebreak test sign)"
    for replacement in replacements.open_of(ledger.records).values():
        yield f"{replacements.words(replacement)} (firebreak replace)"
    yield from [f"ledger of proof tests: {line}" for line in ledger.lines]
    limit_approval = report["approval"]
    if limit_approval["state"] != APPROVED:
        yield f"limit image: {limit_approval['state']} (firebreak approve)"
    if stored.state != two_copies.MISSING:
        yield from [f"store: {line}" for line in limit_approval["lines"]]
    if limit_approval["latched"]:
        yield f"latched in the store: {', '.join(limit_approval['latched'])}"
    if limit_approval["locked_out"]:
        yield f"locked out by {limit_approval['locked_out']}"
    places = [key for key in RESPONDER if not config.responder[key]]
    if places:
        yield f"sheet for the fire service: [responder] does not give {', '.join(places)}"
    if report["plan"] and report["plan"]["open"]:
        yield f"plan of the site: {report['plan']['open']}"
    if report["utc"] < proof_lines.utc_text(utc.EARLIEST_US):
        yield f"the clock shows {report['utc']}, which is impossible: more tests may be overdue"


def _open_tests(tests: Iterable[Facts]) -> Iterator[str]:
    """Lines about tests without a valid result, one line for each fault."""
    keys_by_fault: dict[str, list[str]] = {}
    for test in tests:
        fault = ""
        if test["last"] is None:
            fault = "never done"
        elif test["state"] == proof_state.NOT_PASSED:
            fault = "failed"
        elif test["is_slow"]:
            fault = "slower than this configuration allows"
        elif test["state"] == proof_state.OVERDUE:
            fault = "overdue"
        if fault:
            keys_by_fault.setdefault(fault, []).append(test["row"])
    for fault, keys in keys_by_fault.items():
        yield f"{counted(len(keys), 'test')} {fault}: {', '.join(keys)}"
