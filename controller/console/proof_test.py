"""`firebreak proof-test record | list | verify`: the proof-test ledger, to write, to read, to
print, to check.

Exit codes: 0 done, nothing is overdue; 1 a test is overdue or failed, the ledger is damaged, or the
clock cannot be right; 2 wrong input; 3 it could not be read or written.
"""

import argparse
import csv
import io
import json
import os
import re
from typing import NamedTuple

from controller.documents import document
from controller.record import chain, proof_lines, proof_state, proof_tests, spool, utc
from controller.record.journal import JournalError, JournalReader
from controller.record.proof_lines import FAILED, PASSED
from controller.record.proof_tests import LedgerError, NotWrittenError
from controller.site import config, proof_plan
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

FORMATS = ("text", "csv", "json", "html")
COLUMNS = (
    "row",
    "what",
    "last",
    "tester",
    "measured_ms",
    "allowed_ms",
    "result",
    "interval_d",
    "due",
    "state",
    "remark",
    "recorded",
    "clock",
    "number",
    "hash",
)
PRINTED = (
    "row",
    "what",
    "last test",
    "tester",
    "measured, ms",
    "allowed, ms",
    "result",
    "every, d",
    "next due",
    "state",
    "remark",
    "record",
    "hash",
)
TEXT_HEAD = (
    f"{'ROW':<5}{'LAST TEST':<11}{'RESULT':<7}{'TOOK, ms':>8}{'ALLOWED':>8}  {'NEXT DUE':<11}STATE"
)
FORMULA = ("=", "+", "-", "@")  # what a spreadsheet would run
SLOW = "slower than allowed"
EARLIEST_DAY = proof_lines.utc_text(utc.EARLIEST_US)[:10]
_NUMBER = re.compile("-?[0-9]{1,12}")


class NoPlanError(Exception):
    """Nobody says which rows are armed; the text is one line."""


class Plan(NamedTuple):
    """What a cabinet has to have tested: {key: days}, {key: ms} of the latest and the soonest
    reaction, its name.
    """

    days: dict
    allowed_ms: dict
    soonest_ms: dict
    cabinet: str


def add(commands):
    """Add the command."""
    parser = commands.add_parser("proof-test")
    what = parser.add_subparsers(required=True, metavar="WHAT", dest="what")
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
    listing = what.add_parser(
        "list", help="every armed row: last test, result, next due; 1 when overdue or failed"
    )
    listing.add_argument("--format", choices=FORMATS, default="text", help="(%(default)s)")
    listing.set_defaults(run=_list)
    verify = what.add_parser("verify", help="check the hash chain of the ledger")
    verify.add_argument(
        "--head", metavar="HEX", help="a hash that was noted elsewhere: it must be in the chain"
    )
    verify.set_defaults(run=_verify)
    for each in (record, listing):
        each.add_argument(
            "--site", metavar="FILE", help="cabinet.toml (the configuration that runs)"
        )
        each.add_argument(
            "--run-dir", default=RUN_DIRECTORY, help="of the running controller (%(default)s)"
        )
    for each in (record, listing, verify):
        each.add_argument(
            "--state-dir", default=STATE_DIRECTORY, help="where the ledger is (%(default)s)"
        )


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


def _plan(arguments):
    """What is armed. Raises ConfigError, NoPlanError."""
    if arguments.site is not None:
        found = config.load(arguments.site)
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
        raise NoPlanError(
            f"no controller says which rows are armed: {why}; give --site FILE"
        ) from None


def _has_folder(arguments):
    """False, and it is said, where the state directory is not there: a ledger made elsewhere would
    prove nothing.
    """
    if not os.path.isdir(arguments.state_dir):
        say(f"--state-dir {ascii_of(arguments.state_dir) or repr('')}: there is no such folder")
        return False
    return True


def moment(clocks=None):
    """(utc_us, source) of now; clocks: utc.Clocks or a stand-in."""
    wall = utc.WallClock(clocks)
    now_us, _ = wall.poll()
    return wall.label(now_us)[:2]


# -- record


def _record(arguments):
    if not _has_folder(arguments):
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
        _check_possible(_plan(arguments), arguments.row, arguments.reaction_ms, arguments.result)
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


def ascii_of(text):
    """The text in ASCII."""
    return str(text).encode("ascii", "backslashreplace").decode("ascii")


# -- list


def _list(arguments):
    # What has to be tested can be listed on any box; one that names a folder means a ledger.
    if arguments.state_dir != STATE_DIRECTORY and not _has_folder(arguments):
        return WRONG_INPUT
    try:
        planned = _plan(arguments)
        found = proof_tests.read(arguments.state_dir)
    except (ConfigError, NoPlanError, OSError) as error:
        say(ascii_of(plain(error, proof_tests.path_of(arguments.state_dir))))
        return WRONG_INPUT if isinstance(error, ConfigError) else NO_START
    utc_us, source = moment()
    rows = [
        {**row, "allowed_ms": planned.allowed_ms[row["row"]]}
        for row in proof_state.rows(
            planned.days, found.records, proof_lines.day(proof_lines.utc_text(utc_us))
        )
    ]
    facts = {
        "cabinet": planned.cabinet,
        "utc": proof_lines.utc_text(utc_us),
        "clock": source,
        "head": found.head,
        "records": len(found.records),
        "tests": found.tests,
        "wrong": found.lines,
        "rows_armed": proof_state.rows_armed(rows),
        "rows": rows,
    }
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
    return (
        NOT_DONE
        if found.breaks or proof_state.wrong(rows) or any(map(is_slow, rows)) or is_timeless
        else DONE
    )


def is_slow(row):
    """True where the last test measured longer than the time chain allows: since it was recorded,
    its site was changed.
    """
    return bool(row["last"] and row["last"]["reaction_ms"] > row["allowed_ms"])


def _state(row):
    return proof_state.words(row) + (f"; {SLOW}" if is_slow(row) else "")


def _cells(row):
    last = row["last"] or {}
    every = "at commissioning" if row["interval_d"] is None else row["interval_d"]
    return {
        "row": row["row"],
        "what": row["what"],
        "last": last.get("date"),
        "tester": last.get("tester"),
        "measured_ms": last.get("reaction_ms"),
        "allowed_ms": row["allowed_ms"],
        "result": last.get("result"),
        "interval_d": every,
        "due": row["due"],
        "state": _state(row),
        "remark": last.get("remark"),
        "recorded": last.get("recorded_utc"),
        "clock": last.get("clock"),
        "number": last.get("number"),
        "hash": last.get("hash"),
    }


def _recorded(tests, records):
    """ "1 test in 2 records": the first record of a ledger is the first start of the cabinet."""
    return f"{tests} test{'s' * (tests != 1)} in {records} record{'s' * (records != 1)}"


def text_lines(facts):
    """The list as lines."""
    late = len(proof_state.wrong(facts["rows"]))
    yield (
        f"{facts['cabinet']}: {facts['rows_armed']} rows armed, {len(facts['rows'])} tests, "
        f"{late} to be done now"
    )
    yield f"{facts['utc']} (clock: {facts['clock']}), {_recorded(facts['tests'], facts['records'])}"
    yield from facts["wrong"]
    yield TEXT_HEAD
    for row in facts["rows"]:
        cells = {
            key: "-" if value in (None, "") else str(value) for key, value in _cells(row).items()
        }
        yield (
            f"{cells['row']:<5}{cells['last']:<11}{cells['result']:<7}{cells['measured_ms']:>8}"
            f"{cells['allowed_ms']:>8}  {cells['due']:<11}{cells['state']}"
        )
        if row["last"]:
            yield (f"     by {cells['tester']}") + (
                f": {cells['remark']}" if row["last"]["remark"] else ""
            )


def _text(facts):
    """79 columns of ASCII."""
    from controller.console.pages.text import cut

    return "\n".join([cut(ascii_of(line)) for line in text_lines(facts)])


def _csv(facts):
    """RFC 4180; a text that a spreadsheet would take for a formula has an apostrophe before it."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for row in facts["rows"]:
        writer.writerow([_quoted(value) for value in _cells(row).values()])
    return ascii_of(out.getvalue().removesuffix("\r\n"))


def _quoted(value):
    return f"'{value}" if isinstance(value, str) and value.lstrip().startswith(FORMULA) else value


def _json(facts):
    return json.dumps(facts, indent=1)


def _html(facts):
    marks = {proof_state.OK: "armed", proof_state.DUE: "doubt"}
    table = []
    for row in facts["rows"]:
        cells = {
            key: "-" if value in (None, "") else str(value) for key, value in _cells(row).items()
        }
        mark = "missing" if is_slow(row) else marks.get(row["state"], "missing")
        table.append(
            (
                cells["row"],
                cells["what"],
                cells["last"],
                cells["tester"],
                cells["measured_ms"],
                cells["allowed_ms"],
                cells["result"],
                cells["interval_d"],
                cells["due"],
                document.Mark(mark, cells["state"]),
                cells["remark"],
                cells["number"],
                cells["hash"][:16],
            )
        )
    wrong = [
        document.Table(
            ("wrong with this ledger",),
            [(document.Mark("missing", line),) for line in facts["wrong"]],
        )
    ]
    return document.page(
        [
            document.Heading(1, f"Proof tests: {facts['cabinet']}"),
            document.Text(
                f"Printed {facts['utc']} (clock: {facts['clock']}). Ledger of "
                f"{_recorded(facts['tests'], facts['records'])} (record 1 is the first "
                f"start), newest hash "
                f'{facts["head"]}. Intervals are at most what stands under "every"; '
                f"allowed is the worst case "
                "of this configuration, of a row the longest of what is not tested apart "
                "under a name of its own; "
                "with the controller off (w), of the PCS enable."
            ),
            *(wrong if facts["wrong"] else []),
            document.Table(PRINTED, table),
        ]
    )


MADE = {"text": _text, "csv": _csv, "json": _json, "html": _html}


# -- verify


def _verify(arguments):
    path = proof_tests.path_of(arguments.state_dir)
    if not _has_folder(arguments):
        return WRONG_INPUT
    try:
        head = None if arguments.head is None else bytes.fromhex(arguments.head)
        if head is not None and len(head) != len(chain.START):
            raise ValueError
    except ValueError:
        say(
            ascii_of(
                f"--head {arguments.head or repr('')}: a hash is {2 * len(chain.START)} "
                f"hexadecimal digits"
            )
        )
        return WRONG_INPUT
    try:
        found = proof_tests.read(arguments.state_dir)
    except OSError as error:
        say(plain(error, path))
        return NO_START
    print(f"{path}: {_recorded(found.tests, len(found.records))}; head {found.head}")
    missed = None if head is None else _missed(found, head)
    lines = [*found.lines, *([missed] if missed else [])]
    start = ": 64 zeros are the start of a ledger without records" if head == chain.START else ""
    print("\n".join(lines) or "the chain is whole" + start)
    return NOT_DONE if found.breaks or missed else DONE


def _missed(found, head):
    """What is wrong with a hash that was noted, "" when it is in the chain; the start is in one
    without records only, as it proves nothing of those that came.
    """
    if head == chain.START:
        return (
            ("64 zeros are the start of an empty ledger, and this one has records")
            if found.newest
            else ""
        )
    known = head.hex() in [record.hash for record in found.records]
    return (
        ""
        if known
        else (
            "the hash that was noted is in no record: what came before it was changed or taken away"
        )
    )
