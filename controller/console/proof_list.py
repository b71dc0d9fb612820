"""The proof-test ledger as text, CSV, JSON and HTML."""

import csv
import io
import json

from controller.console.proof_scope import ascii_of
from controller.documents import document
from controller.record import proof_state

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


def recorded(tests, records):
    """ "1 test in 2 records": the first record of a ledger is the first start of the cabinet."""
    return f"{tests} test{'s' * (tests != 1)} in {records} record{'s' * (records != 1)}"


def text_lines(facts):
    """The list as lines."""
    late = len(proof_state.wrong(facts["rows"]))
    yield (
        f"{facts['cabinet']}: {facts['rows_armed']} rows armed, {len(facts['rows'])} tests, "
        f"{late} to be done now"
    )
    yield f"{facts['utc']} (clock: {facts['clock']}), {recorded(facts['tests'], facts['records'])}"
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
    wrong = [(document.Mark("missing", line),) for line in facts["wrong"]]
    return document.page(
        [
            document.Heading(1, f"Proof tests: {facts['cabinet']}"),
            document.Text(
                f"Printed {facts['utc']} (clock: {facts['clock']}). Ledger of "
                f"{recorded(facts['tests'], facts['records'])} (record 1 is the first start), "
                f'newest hash {facts["head"]}. Intervals are at most what stands under "every"; '
                "allowed is the worst case of this configuration, of a row the longest of what is "
                "not tested apart under a name of its own; with the controller off (w), of the PCS "
                "enable."
            ),
            *([document.Table(("wrong with this ledger",), wrong)] if wrong else []),
            document.Table(PRINTED, [_html_row(row) for row in facts["rows"]]),
        ]
    )


def _html_row(row):
    marks = {proof_state.OK: "armed", proof_state.DUE: "doubt"}
    mark = "missing" if is_slow(row) else marks.get(row["state"], "missing")
    cells = {key: "-" if value in (None, "") else str(value) for key, value in _cells(row).items()}
    other = {"state": document.Mark(mark, cells["state"]), "hash": cells["hash"][:16]}
    shown = [key for key in COLUMNS if key not in ("recorded", "clock")]
    return tuple([other.get(key, cells[key]) for key in shown])


MADE = {"text": _text, "csv": _csv, "json": _json, "html": _html}
