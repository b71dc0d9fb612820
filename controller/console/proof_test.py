"""`firebreak proof-test record | list | verify`: writes, prints and checks the proof-test ledger.

Exit codes: 0 done, nothing is overdue; 1 a test is overdue or failed, the ledger is damaged, or the
clock cannot be right; 2 wrong input; 3 it could not be read or written.
"""

import os
from typing import NamedTuple

from controller.config import configuration, proof_plan
from controller.config.acceptance_text import names_nothing
from controller.config.refusal import ConfigError
from controller.console import proof_list
from controller.journal.ring import JournalError, JournalReader
from controller.store import chain, proof_lines, proof_state, proof_tests, spool
from controller.store.proof_lines import FAILED, PASSED
from controller.store.proof_tests import LedgerError, NotWrittenError
from controller.system import cli, clock, utc
from controller.system.paths import (
    DONE,
    NO_START,
    NOT_DONE,
    STATE_DIRECTORY,
    WRONG_INPUT,
    plain,
    quoted,
    say,
)

EARLIEST_DAY = proof_lines.utc_text(utc.EARLIEST_US)[:10]


def add(commands) -> None:
    """Add the command."""
    what = commands.add_parser("proof-test").add_subparsers(
        required=True, metavar="WHAT", dest="what"
    )
    site = cli.option("--site", metavar="FILE", help="cabinet.toml (the configuration that runs)")
    places = site, cli.RUN_DIR, cli.STATE_DIR
    cli.add(
        what, "record", _record, *_test_options(), *places, help="add a test of a row to the ledger"
    )
    text = "every armed row: last test, result, next due; 1 when overdue or failed"
    formats = cli.option(
        "--format", choices=tuple(proof_list.MADE), default="text", help="(%(default)s)"
    )
    cli.add(what, "list", _list, formats, *places, help=text)
    cli.add(
        what, "verify", _verify, cli.HEAD, cli.STATE_DIR, help="check the hash chain of the ledger"
    )


def _test_options():
    return (
        cli.option("row", help="as the list shows it: a matrix row, 12b, or 1w (by wire)"),
        cli.option("--tester", required=True, metavar="TEXT", help="who tested, with credentials"),
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
    )


class Plan(NamedTuple):
    """The proof tests of a cabinet: {key: days}, {key: ms} of the latest and the soonest reaction,
    its name.
    """

    days: dict
    allowed_ms: dict
    soonest_ms: dict
    cabinet: str


def _plan(arguments):
    """Plan from the configuration or the running controller; ends the command without one."""
    if arguments.site is not None:
        with cli.ends(WRONG_INPUT, ConfigError):
            found = configuration.load(arguments.site)
        return Plan(
            proof_plan.plan(found),
            proof_plan.allowed_ms(found),
            proof_plan.soonest_ms(found.safety_image),
            found.names[-1][1],
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
        why = "of another version" if isinstance(error, (KeyError, ValueError)) else plain(error)
        raise cli.Ended(
            NO_START, f"no controller says which rows are armed: {why}; give --site FILE"
        ) from error


def _check_folder(directory):
    """A ledger that was made in another folder would prove nothing."""
    if not os.path.isdir(directory):
        raise cli.Ended(
            WRONG_INPUT, f"--state-dir {directory or repr('')}: there is no such folder"
        )


def moment():
    """(utc_us, source) of now."""
    wall = utc.WallClock(None)
    now_us, _ = wall.poll()
    return wall.label(now_us)[:2]


# -- record


def _record(arguments):
    _check_folder(arguments.state_dir)
    now = moment()
    test = (
        arguments.row,
        arguments.tester,
        arguments.reaction_ms,
        arguments.result,
        arguments.remark,
    )
    with cli.ends(WRONG_INPUT, LedgerError):
        proof_tests.check_test(*test)
        _check_words(arguments)
        _check_possible(_plan(arguments), arguments.row, arguments.reaction_ms, arguments.result)
        if now[0] < utc.EARLIEST_US:
            impossible = f"the clock says {proof_lines.utc_text(now[0])}, which cannot be"
            raise LedgerError(f"{impossible}: set the clock first")
    with (
        cli.ends(WRONG_INPUT, LedgerError),
        cli.ends(NO_START, OSError, NotWrittenError, at=arguments.state_dir),
    ):
        record = proof_tests.Ledger(arguments.state_dir).test(now, *test, arguments.date)
        found = proof_tests.read(arguments.state_dir)
    print(
        proof_list.ascii_of(
            f"test {found.tests} (record {record.number}): row {record.row} {record.result} on "
            f"{record.date} by {record.tester}, {record.reaction_ms} ms; hash {record.hash}"
        )
    )
    if record.clock != utc.NTP:
        day = record.recorded_utc[:10]
        say(f"the clock is not synchronised ({record.clock}): the date {day} is uncertain")
    for line in found.lines:
        say(f"{proof_tests.path_of(arguments.state_dir)}: {line}")
    _tell_recorder(arguments.run_dir, record)
    return NOT_DONE if found.lines else DONE


def _check_words(arguments):
    """Raises LedgerError for a tester without a name, and for a day before the first cabinet."""
    tester, day = quoted(arguments.tester), arguments.date
    if names_nothing(arguments.tester):
        raise LedgerError(f"tester {tester} names nobody; allowed is a name with credentials")
    if day is not None and proof_lines.is_day(day) and day < EARLIEST_DAY:
        raise LedgerError(f"date {day} is too early: allowed is {EARLIEST_DAY} or later")


def _check_possible(planned, row, reaction_ms, result):
    """Raises LedgerError for a row that is not armed, and for a reaction with which no test of it
    can have passed.
    """
    if row not in planned.days:
        raise LedgerError(f"row {row} is not armed here; armed {', '.join(planned.days)}")
    if result != PASSED:
        return
    latest_ms, soonest_ms = planned.allowed_ms[row], planned.soonest_ms.get(row, 0)
    tested = f"row {row} with {reaction_ms} ms is"
    if reaction_ms > latest_ms:
        raise LedgerError(f"{tested} {proof_list.SLOW}, {latest_ms} ms: this test has {FAILED}")
    if reaction_ms < soonest_ms:
        raise LedgerError(
            f"{tested} sooner than its debounce and silence let it trip: allowed is {soonest_ms} "
            f".. {latest_ms} ms; is it in ms?"
        )


def _tell_recorder(run_directory, record):
    """Put the ledger's hash into the record of events too, which shows when the newest lines of the
    ledger are removed.
    """
    try:
        spool.put(
            run_directory,
            clock.now_us(),
            "PROOF",
            f"row {record.row} {record.result}, record {record.number}, {record.hash}, "
            f"{record.tester}",
        )
    except OSError:
        say("the recorder is not told: keep the hash elsewhere")


# -- list


def _list(arguments):
    # The tests of a site can be listed on any box, but a folder that is named must be there.
    if arguments.state_dir != STATE_DIRECTORY:
        _check_folder(arguments.state_dir)
    planned = _plan(arguments)
    with cli.ends(NO_START, OSError, at=proof_tests.path_of(arguments.state_dir)):
        found = proof_tests.read(arguments.state_dir)
    utc_us, source = moment()
    facts = _facts(planned, found, proof_lines.utc_text(utc_us), source)
    print(proof_list.MADE[arguments.format](facts))
    is_timeless = utc_us < utc.EARLIEST_US
    lines = [] if arguments.format == "text" else [*found.lines]  # the text contains them
    if is_timeless:
        impossible = f"the clock says {facts['utc']}, which cannot be"
        lines.append(f"{impossible}: tests may be late that are not called so")
    for line in lines:
        say(line)
    rows = facts["rows"]
    is_wrong = found.breaks or proof_state.wrong(rows) or any(map(proof_list.is_slow, rows))
    return NOT_DONE if is_wrong or is_timeless else DONE


def _facts(planned, found, utc_text, source):
    """Plain data of the list."""
    due = proof_state.rows(planned.days, found.records, proof_lines.day(utc_text))
    rows = [{**row, "allowed_ms": planned.allowed_ms[row["row"]]} for row in due]
    return {
        "cabinet": planned.cabinet,
        "utc": utc_text,
        "clock": source,
        "head": found.head,
        "records": len(found.records),
        "tests": found.tests,
        "wrong": found.lines,
        "rows_armed": proof_state.rows_armed(rows),
        "rows": rows,
    }


# -- verify


def _verify(arguments):
    path, head = proof_tests.path_of(arguments.state_dir), arguments.head
    _check_folder(arguments.state_dir)
    with cli.ends(NO_START, OSError, at=path):
        found = proof_tests.read(arguments.state_dir)
    print(f"{path}: {proof_list.recorded(found.tests, len(found.records))}; head {found.head}")
    lines, more = list(found.lines), ""
    if head == chain.START and found.newest:
        lines.append("64 zeros are the start of an empty ledger, and this one has records")
    elif head == chain.START:
        more = ": 64 zeros are the start of a ledger without records"
    elif head and head.hex() not in [record.hash for record in found.records]:
        lines.append("the noted hash is in no record: what came before it was changed or removed")
    print("\n".join(lines) or "the chain is whole" + more)
    return NOT_DONE if found.breaks or len(lines) > len(found.lines) else DONE
