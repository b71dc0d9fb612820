"""The words of a letter about new alarms, the most dangerous first."""

import hashlib
import json
import textwrap
from typing import Any, NamedTuple

SUBJECT_MAX, WIDTH = 120, 78
Row = dict[str, Any]


class Letter(NamedTuple):
    """identity: the same for the same content, so that a receiver can drop a repeated one."""

    subject: str
    text: str
    content: dict[str, Any]
    identity: str


def silent(cabinet: str, trouble: str) -> Row:
    """The row of a controller that does not answer."""
    return {
        "instance": "controller",
        "danger": "unknown",
        "reason": {
            "name": "the controller does not answer",
            "sentence": trouble,
            "remedy": "Look at the cabinet, then at `firebreak status`.",
        },
        "cabinet": cabinet,
    }


def letter(cabinet: str, rows: list[Row]) -> Letter:
    """One letter about some rows (state/rows.py), each with `seen_text`."""
    first = rows[0]
    more = f" (+{len(rows) - 1})" if len(rows) > 1 else ""
    subject = _ascii(f"{cabinet}: {first['danger']}: {first['reason']['name']}{more}")
    content = {"cabinet": cabinet, "alarms": rows}
    stable = json.dumps(content, sort_keys=True).encode()
    text = "\n".join([_ascii(cabinet), "", *_numbered(rows), *FOOT, ""])
    return Letter(subject[:SUBJECT_MAX], text, content, hashlib.sha256(stable).hexdigest()[:32])


FOOT = (
    "An alarm that stands is told once. The pages `alarms` and `why` of the cabinet show more.",
    "A letter protects nobody: the cabinet acts by itself, the fire panel calls by itself.",
)


def _numbered(rows: list[Row]) -> list[str]:
    lines: list[str] = []
    for number, row in enumerate(rows, 1):
        reason = row["reason"]
        lines.append(_ascii(f"{number}. {row['danger'].upper()}: {reason['name']}"))
        for name, value in (
            ("Where", row.get("where")),
            ("Seen", row.get("seen_text")),
            ("What", reason["sentence"]),
            ("Effect", row.get("effect")),
            ("Check", reason["remedy"]),
            ("Reset", row.get("reset")),
        ):
            if value:
                lines += textwrap.wrap(
                    _ascii(str(value)),
                    WIDTH,
                    initial_indent=f"   {name:<7}",
                    subsequent_indent=" " * 10,
                )
        lines.append("")
    return lines


def _ascii(text: str) -> str:
    """One printable line, for a header too."""
    return "".join(each if " " <= each <= "~" else "?" for each in text)
