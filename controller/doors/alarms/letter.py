"""Writes a letter about new alarms. The most dangerous alarm comes first."""

import hashlib
import json
import textwrap
from typing import Any, NamedTuple

from controller.hints import no_answer
from controller.state.record import utc_text
from controller.system.paths import printable

SUBJECT_MAX, WIDTH, RAW_MAX = 120, 78, 300
STORE = "store"  # name of the alarm "the store is not saved", in the place of a stage instance
Row = dict[str, Any]  # one alarm: an active or latched row of the matrix, as in state/rows.py


class Letter(NamedTuple):
    """A letter. identity: equal for equal content, so that a receiver can drop repeated letters."""

    subject: str
    text: str
    content: dict[str, Any]
    identity: str


def trouble(instance: str, name: str, sentence: str, remedy: str) -> Row:
    """An alarm about a problem that has no row in the cause-and-effect matrix."""
    reason = {"name": name, "sentence": sentence, "remedy": remedy}
    return {"instance": instance, "danger": "unknown", "reason": reason}


def silent(why: str) -> Row:
    """The alarm that the controller does not answer."""
    remedy = "Look at the cabinet, then at `firebreak status`."
    return trouble("controller", no_answer.SILENT, why, remedy)


def unsaved() -> Row:
    """The alarm that the store is not saved."""
    sentence = (
        "No contactor closes and no reset is accepted; a restart may lose latches and lock-outs."
    )
    remedy = "Free space on the disk of the state directory, or replace the disk."
    return trouble(STORE, "the store is not saved", sentence, f"{remedy} See `firebreak status`.")


def reading(signal: str, reason: Row) -> Row:
    """The alarm that a reading is unknown. reason: as in the state."""
    texts = f"{reason['name']}: {signal}", reason["sentence"], reason["remedy"]
    return trouble(f"reading {signal}", *texts)


def is_row(stored: Any) -> bool:
    """True if a letter can be made from a stored alarm."""
    try:
        letter("", [stored])
    except (LookupError, TypeError, AttributeError, ValueError):
        return False
    return True


def not_understood(instance: str, stored: object) -> Row:
    """An alarm that shows the raw text of a stored alarm which this release does not understand."""
    name = f"{instance}: an alarm that another release has stored"
    sentence = f"It could not be understood: {json.dumps(stored)[:RAW_MAX]}"
    return trouble(instance, name, sentence, "Look at `firebreak alarms`.")


def letter(cabinet: str, rows: list[Row]) -> Letter:
    """One letter about these alarms, each with `seen_text` and `began_text`."""
    first = rows[0]
    more = f" (+{len(rows) - 1})" if len(rows) > 1 else ""
    subject = printable(f"{cabinet}: {first['danger']}: {first['reason']['name']}{more}")
    content = {"cabinet": cabinet, "alarms": rows}
    stable = json.dumps(content, sort_keys=True).encode()
    text = "\n".join([printable(cabinet), "", *_numbered(rows), *FOOT, ""])
    return Letter(subject[:SUBJECT_MAX], text, content, hashlib.sha256(stable).hexdigest()[:32])


def began(row: Row, state: Row) -> str:
    """The UTC time at which an alarm began, and how long ago that was when the state was read."""
    if row["began_ms"] is None:
        return "before this start of the controller"
    ago_ms = max(0, state["uptime_ms"] - row["began_ms"])
    minutes, seconds = divmod(ago_ms // 1000, 60)
    hours, minutes = divmod(minutes, 60)
    parts = [(hours, "h"), (minutes, "min"), (seconds, "s")]
    age = " ".join(f"{value} {unit}" for value, unit in parts if value) or "less than 1 s"
    since = f"{age} before it was seen"
    utc_us = state.get("utc_us")
    return since if utc_us is None else f"{utc_text(utc_us - 1000 * ago_ms)}, {since}"


FOOT = (
    "An active alarm is reported once. The pages `alarms` and `why` of the cabinet show more.",
    "A letter protects nobody: the cabinet acts by itself, the fire panel calls by itself.",
)


def _numbered(rows: list[Row]) -> list[str]:
    lines: list[str] = []
    for number, row in enumerate(rows, 1):
        reason = row["reason"]
        lines.append(printable(f"{number}. {row['danger'].upper()}: {reason['name']}"))
        for name, value in (
            ("Where", row.get("where")),
            ("Began", row.get("began_text")),
            ("Seen", row.get("seen_text")),
            ("What", reason["sentence"]),
            ("Effect", row.get("effect")),
            ("Check", reason["remedy"]),
            ("Reset", row.get("reset")),
        ):
            if value:
                lines += textwrap.wrap(
                    printable(str(value)),
                    WIDTH,
                    initial_indent=f"   {name:<7}",
                    subsequent_indent=" " * 10,
                )
        lines.append("")
    return lines
