"""`firebreak test proof record | list | verify`: writes, prints and checks the proof-test ledger. A
proof test shows that an interlock still works.

Exit codes: 0 done, and no test is overdue; 1 a test is overdue or failed, the ledger is damaged, or
the clock is impossible; 2 wrong input; 3 the ledger could not be read or written.
"""

import os
from argparse import Namespace
from typing import NamedTuple

from controller.config import configuration, proof_plan
from controller.console import proof_list
from controller.forms.acceptance_text import names_nothing
from controller.journal.ring import JournalError, JournalReader
from controller.state.base import Facts
from controller.store import chain, proof_lines, proof_state, proof_tests, spool
from controller.store.proof_lines import FAILED, PASSED
from controller.store.proof_tests import LedgerError, NotWrittenError
from controller.system import cli, clock, utc
from controller.system.paths import (
    DONE,
    NO_START,
    NOT_DONE,
    STATE_DIRECTORY,
    escaped,
    plain,
    quoted,
    say,
)

EARLIEST_DAY = proof_lines.utc_text(utc.EARLIEST_US)[:10]


cli.group("test proof", "WHAT")
_SITE = cli.option("--site", metavar="FILE", help="cabinet.toml (the configuration that runs)")


class Plan(NamedTuple):
    """The proof tests of a cabinet, as {row: number}. days: days between two tests. allowed_ms,
    soonest_ms: latest and earliest time at which the cabinet may react. cabinet: its name.
    """

    days: dict[str, int]
    allowed_ms: dict[str, int]
    soonest_ms: dict[str, int]
    cabinet: str


def _plan(arguments: Namespace) -> Plan:
    """The Plan, from the file of --site or from the running controller. Ends the command if there
    is neither.
    """
    if arguments.site is not None:
        config = configuration.load(arguments.site)
        return Plan(
            proof_plan.plan(config),
            proof_plan.allowed_ms(config),
            proof_plan.soonest_ms(config.safety_image),
            config.names[-1][1],
        )
    try:
        reader = JournalReader(os.path.join(arguments.run_dir, "journal"))
        header = reader.header
        reader.close()
        return Plan(
            header["proof_tests"],
            header["proof_allowed_ms"],
            proof_plan.soonest_ms(header["safety_image"]),
            list(header["names"].values())[-1],
        )
    except (OSError, JournalError, KeyError, ValueError) as error:
        why = "another version" if isinstance(error, (KeyError, ValueError)) else plain(error)
        line = f"no list of armed rows from a controller: {why}; give --site FILE"
        raise cli.Ended(NO_START, line) from error


# -- record


@cli.command(
    "test proof record",
    cli.option("row", help="as in the list: a matrix row, 12b, or 1w (by wire)"),
    cli.option("--tester", required=True, metavar="TEXT", help="name and credentials"),
    cli.option(
        "--reaction-ms",
        type=cli.whole(0, proof_lines.REACTION_MS_MAX),
        required=True,
        metavar="N",
        help="measured, from cause to effect (by wire: until the PCS enable is off)",
    ),
    cli.option("--result", required=True, choices=(PASSED, FAILED)),
    cli.option("--remark", default="", metavar="TEXT"),
    cli.option("--date", metavar="DAY", help="UTC day of an earlier test: 2026-03-14 (today)"),
    _SITE,
    cli.RUN_DIR,
    cli.STATE_DIR,
    help="add a test to the ledger",
)
def _record(arguments: Namespace) -> int:
    cli.check_folder(arguments.state_dir)
    now = utc.moment()
    result, remark = arguments.result, arguments.remark
    test = arguments.row, arguments.tester, arguments.reaction_ms, result, remark
    proof_tests.check_test(*test)
    _check_tester_and_day(arguments)
    _check_possible(_plan(arguments), arguments.row, arguments.reaction_ms, result)
    if result == PASSED and not utc.is_set(now[0]):
        shown = proof_lines.utc_text(now[0])
        raise LedgerError(f"the clock shows {shown}, which is impossible: set the clock first")
    with cli.ends(NO_START, OSError, NotWrittenError, at=arguments.state_dir):
        record = proof_tests.Ledger(arguments.state_dir).test(now, *test, arguments.date)
        ledger = proof_tests.read(arguments.state_dir)
    summary = (
        f"test {ledger.tests} (record {record.number}): row {record.row} {record.result} on "
        f"{record.date} by {record.tester}, {record.reaction_ms} ms; hash {record.hash}"
    )
    print(escaped(summary))
    if record.clock != utc.NTP:
        day = record.recorded_utc[:10]
        say(f"the clock is not synchronised ({record.clock}): the date {day} is uncertain")
    for line in ledger.lines:
        say(f"{proof_tests.path_of(arguments.state_dir)}: {line}")
    note_hash(arguments.run_dir, record)
    return NOT_DONE if ledger.lines else DONE


def _check_tester_and_day(arguments: Namespace) -> None:
    """Raise LedgerError for a tester without a name, and for a day before any cabinet existed."""
    tester, day = quoted(arguments.tester), arguments.date
    if names_nothing(arguments.tester):
        raise LedgerError(f"tester {tester} is no name; allowed is a name with credentials")
    if day is not None and proof_lines.is_day(day) and day < EARLIEST_DAY:
        raise LedgerError(f"date {day} is too early: allowed is {EARLIEST_DAY} or later")


def _check_possible(plan: Plan, row: str, reaction_ms: int, result: str) -> None:
    """Raise LedgerError for a row that is not armed, and for a test that is called passed although
    its reaction was too slow or too fast.
    """
    if row not in plan.days:
        raise LedgerError(f"row {row} is not armed here; armed {', '.join(plan.days)}")
    if result != PASSED:
        return
    latest_ms, soonest_ms = plan.allowed_ms[row], plan.soonest_ms.get(row, 0)
    tested = f"row {row} with {reaction_ms} ms is"
    if reaction_ms > latest_ms:
        raise LedgerError(f"{tested} {proof_list.SLOW}, {latest_ms} ms: this test has {FAILED}")
    if reaction_ms < soonest_ms:
        raise LedgerError(
            f"{tested} faster than its debounce and silence time: allowed is {soonest_ms} .. "
            f"{latest_ms} ms; is it in ms?"
        )


def note_hash(run_directory: str, record: proof_lines.Record) -> None:
    """Send the hash of the newest record to the recorder. Otherwise nobody would notice that the
    newest lines of the ledger were removed.
    """
    text = f"row {record.row} {record.result}, record {record.number}, {record.hash}"
    try:
        spool.put(run_directory, clock.now_us(), "PROOF", f"{text}, {record.tester}")
    except OSError:
        say("the recorder does not have the hash: write the hash down")


# -- list


@cli.command(
    "test proof list",
    cli.option("--format", choices=tuple(proof_list.FORMATS), default="text", help="(%(default)s)"),
    cli.JSON_FORMAT,
    _SITE,
    cli.RUN_DIR,
    cli.STATE_DIR,
    help="every armed row: last test, result, next due; 1 when overdue or failed",
)
def _list(arguments: Namespace) -> int:
    # A box without a ledger can also print the list. But a folder that the person names must exist.
    if arguments.state_dir != STATE_DIRECTORY:
        cli.check_folder(arguments.state_dir)
    plan = _plan(arguments)
    with cli.ends(NO_START, OSError, at=proof_tests.path_of(arguments.state_dir)):
        ledger = proof_tests.read(arguments.state_dir)
    now = utc.moment()
    facts = _facts(plan, ledger, now)
    print(proof_list.FORMATS[arguments.format](facts))
    is_timeless = not utc.is_set(now[0])
    lines = [] if arguments.format == "text" else [*ledger.lines]  # the text has these lines
    if is_timeless:
        impossible = f"the clock shows {facts['utc']}, which is impossible"
        lines.append(f"{impossible}: more tests may be overdue")
    for line in lines:
        say(line)
    rows = facts["rows"]
    is_wrong = ledger.breaks or proof_state.wrong(rows) or any(map(proof_state.is_slow, rows))
    return NOT_DONE if is_wrong or is_timeless else DONE


def _facts(plan: Plan, ledger: proof_lines.Found, now: proof_tests.Moment) -> Facts:
    due = proof_state.rows(plan.days, ledger.records, now)
    rows = [{**row, "allowed_ms": plan.allowed_ms[row["row"]]} for row in due]
    return {
        "cabinet": plan.cabinet,
        "utc": proof_lines.utc_text(now[0]),
        "clock": now[1],
        "head": ledger.head,
        "records": ledger.newest,
        "tests": ledger.tests,
        "wrong": ledger.lines,
        "rows_armed": proof_state.rows_armed(rows),
        "rows": rows,
    }


# -- verify


@cli.command(
    "test proof verify", cli.HEAD, cli.STATE_DIR, cli.JSON, help="check the ledger's hash chain"
)
def _verify(arguments: Namespace) -> int:
    path, head = proof_tests.path_of(arguments.state_dir), arguments.head
    cli.check_folder(arguments.state_dir)
    with cli.ends(NO_START, OSError, at=path):
        ledger = proof_tests.read(arguments.state_dir)
    first = f"{path}: {proof_list.recorded(ledger.tests, ledger.newest)}; head {ledger.head}"
    lines, note = list(ledger.lines), ""
    if head == chain.START and ledger.newest:
        lines.append("64 zeros are the start of an empty ledger, but this ledger has records")
    elif head == chain.START:
        note = ": 64 zeros are the start of a ledger without records"
    elif head and head.hex() not in [record.hash for record in ledger.records]:
        lines.append("no record has the noted hash: an earlier record was changed or removed")
    is_whole = not ledger.breaks and len(lines) == len(ledger.lines)
    facts = {"file": path, "is_whole": is_whole, "tests": ledger.tests, "head": ledger.head}
    facts |= {"records": ledger.newest, "wrong": lines}
    cli.show(arguments.json, facts, lambda: [first, *(lines or ["the chain is whole" + note])])
    return DONE if is_whole else NOT_DONE
