"""`firebreak proof-test record | list | verify`: the proof-test ledger, to write, to read, to
print, to check.

Exit codes: 0 done, nothing is overdue; 1 a test is overdue or failed, the ledger is damaged, or the
clock cannot be right; 2 wrong input; 3 it could not be read or written.
"""

import argparse
import re

from controller.console.proof_list import FORMATS, MADE, SLOW, is_slow
from controller.console.proof_scope import NoPlanError, ascii_of, has_folder, moment, plan_of
from controller.console.proof_verify import verify
from controller.record import proof_lines, proof_state, proof_tests, spool, utc
from controller.record.proof_lines import FAILED, PASSED
from controller.record.proof_tests import LedgerError, NotWrittenError
from controller.site.acceptance_text import names_nothing
from controller.site.refusal import ConfigError
from controller.system import clock
from controller.system.paths import (
    DONE,
    NO_START,
    NOT_DONE,
    RUN_DIRECTORY,
    STATE_DIRECTORY,
    WRONG_INPUT,
    plain,
    quoted,
    say,
)

EARLIEST_DAY = proof_lines.utc_text(utc.EARLIEST_US)[:10]
_NUMBER = re.compile("-?[0-9]{1,12}")


def add(commands):
    """Add the command."""
    parser = commands.add_parser("proof-test")
    what = parser.add_subparsers(required=True, metavar="WHAT", dest="what")
    record = _add_record(what)
    listing = what.add_parser(
        "list", help="every armed row: last test, result, next due; 1 when overdue or failed"
    )
    listing.add_argument("--format", choices=FORMATS, default="text", help="(%(default)s)")
    listing.set_defaults(run=_list)
    verifying = what.add_parser("verify", help="check the hash chain of the ledger")
    verifying.add_argument(
        "--head", metavar="HEX", help="a hash that was noted elsewhere: it must be in the chain"
    )
    verifying.set_defaults(run=verify)
    for each in (record, listing):
        each.add_argument(
            "--site", metavar="FILE", help="cabinet.toml (the configuration that runs)"
        )
        each.add_argument(
            "--run-dir", default=RUN_DIRECTORY, help="of the running controller (%(default)s)"
        )
    for each in (record, listing, verifying):
        each.add_argument(
            "--state-dir", default=STATE_DIRECTORY, help="where the ledger is (%(default)s)"
        )


def _add_record(what):
    record = what.add_parser("record", help="add a test of a row to the ledger")
    record.add_argument(
        "row", help="as the list shows them: a row of the matrix, 12b or the like, or 1w (by wire)"
    )
    record.add_argument(
        "--tester", required=True, metavar="TEXT", help="who tested, with credentials"
    )
    record.add_argument(
        "--reaction-ms",
        type=_milliseconds,
        required=True,
        metavar="N",
        help="measured, from cause to effect (by wire: to the PCS enable that is gone)",
    )
    record.add_argument("--result", required=True, choices=(PASSED, FAILED))
    record.add_argument("--remark", default="", metavar="TEXT")
    record.add_argument(
        "--date", metavar="DAY", help="UTC day of a test that was done earlier: 2026-03-14 (today)"
    )
    record.set_defaults(run=_record)
    return record


def _milliseconds(text):
    """The number as it is typed; one that Python alone would read (1_000) is none. Raises
    ArgumentTypeError.
    """
    if not _NUMBER.fullmatch(text):
        raise argparse.ArgumentTypeError(
            f"invalid int value: {quoted(text)}; allowed is 0 .. "
            f"{proof_lines.REACTION_MS_MAX}, milliseconds in digits "
            f"alone"
        )
    return int(text)


# -- record


def _record(arguments):
    if not has_folder(arguments):
        return WRONG_INPUT
    now = moment()
    try:
        proof_tests.check_test(
            arguments.row,
            arguments.tester,
            arguments.reaction_ms,
            arguments.result,
            arguments.remark,
        )
        if names_nothing(arguments.tester):
            raise LedgerError(
                f"tester {quoted(arguments.tester)} names nobody; allowed is a name "
                f"with "
                "credentials"
            )
        if (
            arguments.date is not None
            and proof_lines.is_day(arguments.date)
            and arguments.date < EARLIEST_DAY
        ):
            raise LedgerError(
                f"date {arguments.date} is before {EARLIEST_DAY}, and there was no "
                f"such cabinet then: "
                f"allowed is {EARLIEST_DAY} or later"
            )
        _check_possible(plan_of(arguments), arguments.row, arguments.reaction_ms, arguments.result)
        if now[0] < utc.EARLIEST_US:
            raise LedgerError(
                f"the clock says {proof_lines.utc_text(now[0])}, which cannot be: "
                f"set the clock first"
            )
    except (ConfigError, LedgerError, NoPlanError) as error:
        say(ascii_of(error))
        return NO_START if isinstance(error, NoPlanError) else WRONG_INPUT
    return _written(arguments, now)


def _check_possible(planned, row, reaction_ms, result):
    """Raises LedgerError for a row that is not armed, and for a reaction with which no test of it
    can have passed.
    """
    if row not in planned.days:
        raise LedgerError(f"row {row} is not armed here; armed {', '.join(planned.days)}")
    if result != PASSED:
        return
    latest_ms, soonest_ms = planned.allowed_ms[row], planned.soonest_ms.get(row, 0)
    if reaction_ms > latest_ms:
        raise LedgerError(
            f"row {row} with {reaction_ms} ms is {SLOW}, {latest_ms} ms: this test has {FAILED}"
        )
    if reaction_ms < soonest_ms:
        raise LedgerError(
            f"row {row} with {reaction_ms} ms is sooner than its debounce and "
            f"silence let it trip: "
            f"allowed is {soonest_ms} .. {latest_ms} ms; is it in ms?"
        )


def _written(arguments, now):
    try:
        record = proof_tests.Ledger(arguments.state_dir).test(
            now,
            arguments.row,
            arguments.tester,
            arguments.reaction_ms,
            arguments.result,
            arguments.remark,
            arguments.date,
        )
        found = proof_tests.read(arguments.state_dir)
    except (LedgerError, OSError) as error:
        say(ascii_of(plain(error, arguments.state_dir)))
        return NO_START if isinstance(error, (OSError, NotWrittenError)) else WRONG_INPUT
    print(
        ascii_of(
            f"test {found.tests} (record {record.number}): row {record.row} "
            f"{record.result} on {record.date} "
            f"by {record.tester}, {record.reaction_ms} ms; hash {record.hash}"
        )
    )
    if record.clock != utc.NTP:
        say(
            f"the clock is not synchronised ({record.clock}): the date {record.recorded_utc[:10]} "
            f"is uncertain"
        )
    for line in found.lines:
        say(f"{proof_tests.path_of(arguments.state_dir)}: {line}")
    _tell_recorder(arguments.run_dir, record)
    return NOT_DONE if found.lines else DONE


def _tell_recorder(run_directory, record):
    """The record of events holds the ledger's hash as well, so that taking the newest lines away
    shows there.
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
    # What has to be tested can be listed on any box; one that names a folder means a ledger.
    if arguments.state_dir != STATE_DIRECTORY and not has_folder(arguments):
        return WRONG_INPUT
    try:
        planned = plan_of(arguments)
        found = proof_tests.read(arguments.state_dir)
    except (ConfigError, NoPlanError, OSError) as error:
        say(ascii_of(plain(error, proof_tests.path_of(arguments.state_dir))))
        return WRONG_INPUT if isinstance(error, ConfigError) else NO_START
    utc_us, source = moment()
    facts = _facts(planned, found, proof_lines.utc_text(utc_us), source)
    print(MADE[arguments.format](facts))
    if arguments.format != "text":  # whose output has them
        for line in found.lines:
            say(line)
    is_timeless = utc_us < utc.EARLIEST_US
    if is_timeless:
        say(
            f"the clock says {facts['utc']}, which cannot be: tests may be late that are not "
            f"called so"
        )
    rows = facts["rows"]
    is_wrong = found.breaks or proof_state.wrong(rows) or any(map(is_slow, rows))
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
