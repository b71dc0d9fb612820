"""Prints the list of proof tests as text, CSV, JSON or HTML. It shows for each test when it was
last done and when it is due.
"""

import csv
import io
from collections.abc import Iterator

from controller.documents import document, html_page
from controller.state.base import Facts
from controller.store import proof_state
from controller.system import cli
from controller.system.paths import escaped
from controller.system.worded import counted

# {column of the CSV: (its header in HTML, or None if HTML leaves it out; field of the last test's
# record, or "" if the value comes from elsewhere)}
COLUMNS = {
    "row": ("row", ""),
    "what": ("what", ""),
    "last": ("last test", "date"),
    "tester": ("tester", "tester"),
    "measured_ms": ("measured, ms", "reaction_ms"),
    "allowed_ms": ("allowed, ms", ""),
    "result": ("result", "result"),
    "interval_d": ("every, d", ""),
    "due": ("next due", ""),
    "state": ("state", ""),
    "remark": ("remark", "remark"),
    "recorded": (None, "recorded_utc"),
    "clock": (None, "clock"),
    "number": ("record", "number"),
    "hash": ("hash", "hash"),
}
HEADERS = {key: header for key, (header, _) in COLUMNS.items()}
TEXT_HEAD = (
    f"{'ROW':<5}{'LAST TEST':<11}{'RESULT':<7}{'TOOK, ms':>8}{'ALLOWED':>8}  {'NEXT DUE':<11}STATE"
)
FORMULA = ("=", "+", "-", "@")  # a spreadsheet would run a text that begins with one of these
SLOW = "slower than allowed"


def _cells(row: Facts) -> Facts:
    """{column: value} of a row of the list. A missing value is None."""
    last, state = row["last"] or {}, proof_state.words(row)
    if proof_state.is_slow(row):
        state += f"; {SLOW}"
    interval_d = "at commissioning" if row["interval_d"] is None else row["interval_d"]
    columns = {**row, "interval_d": interval_d, "state": state}
    return {key: last.get(field) if field else columns[key] for key, (_, field) in COLUMNS.items()}


def _texts(row: Facts) -> dict[str, str]:
    """{column: text} of a row of the list. A missing value is "-"."""
    return {key: "-" if value in (None, "") else str(value) for key, value in _cells(row).items()}


def recorded(tests: int, records: int) -> str:
    """ "1 test in 2 records". The first record of a ledger is no test but the cabinet's first
    start.
    """
    return f"{counted(tests, 'test')} in {counted(records, 'record')}"


def text_lines(facts: Facts) -> Iterator[str]:
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
        cells = _texts(row)
        yield (
            f"{cells['row']:<5}{cells['last']:<11}{cells['result']:<7}{cells['measured_ms']:>8}"
            f"{cells['allowed_ms']:>8}  {cells['due']:<11}{cells['state']}"
        )
        if row["last"]:
            remark = f": {cells['remark']}" if row["last"]["remark"] else ""
            yield f"     by {cells['tester']}{remark}"


def _text(facts: Facts) -> str:
    """The list as text, 79 columns of ASCII."""
    from controller.console.pages.text import cut

    return "\n".join(cut(escaped(line)) for line in text_lines(facts))


def _csv(facts: Facts) -> str:
    """The list as CSV (RFC 4180). An apostrophe comes before a text that a spreadsheet would take
    for a formula.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(HEADERS)
    for row in facts["rows"]:
        writer.writerow([_quoted(value) for value in _cells(row).values()])
    return escaped(out.getvalue().removesuffix("\r\n"))


def _quoted(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.lstrip().startswith(FORMULA) else value


def _html(facts: Facts) -> str:
    wrong = [(document.Mark("missing", line),) for line in facts["wrong"]]
    return html_page.page(
        [
            document.Heading(1, f"Proof tests: {facts['cabinet']}"),
            document.Text(
                f"Printed {facts['utc']} (clock: {facts['clock']}). Ledger of "
                f"{recorded(facts['tests'], facts['records'])} (record 1 is the first start), "
                f'newest hash {facts["head"]}. Test at least as often as "every" says. "allowed" '
                "is the worst case of this configuration: of a row, the longest of its parts "
                "without a test of their own; with the controller off (w), of the PCS enable."
            ),
            *([document.Table(("faults of this ledger",), wrong)] if wrong else []),
            document.Table(
                [header for header in HEADERS.values() if header],
                [_html_row(row) for row in facts["rows"]],
            ),
        ]
    )


def _html_row(row: Facts) -> tuple:
    marks = {proof_state.OK: "armed", proof_state.DUE: "doubt"}
    kind = "missing" if proof_state.is_slow(row) else marks.get(row["state"], "missing")
    texts = _texts(row)
    state = document.Mark(kind, texts["state"])
    cells = {**texts, "state": state, "hash": texts["hash"][:16]}
    return tuple(cells[key] for key, header in HEADERS.items() if header)


FORMATS = {"text": _text, "csv": _csv, "json": cli.as_json, "html": _html}
