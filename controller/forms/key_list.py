"""Lists the keys of a form as lines, each with its allowed values, default and meaning."""

import textwrap
from collections.abc import Iterator
from typing import Any

from controller.forms.field import REQUIRED, Field, Form, allowed_text
from controller.forms.refusal import shown

WIDTH = 100


def line(key: str, field: Field) -> str:
    """One key in one line."""
    meaning = f". {field.note}" if field.note else ""
    return f"{key}: {allowed_text(field)}{_default(field.default)}{meaning}"


def listed(title: str, form: Form) -> Iterator[str]:
    """A title, each key below it, then the tables inside the form. Long lines are folded."""
    yield title or "file"
    for key, field in form.items():
        yield from textwrap.wrap(line(f"  {key}", field), WIDTH, subsequent_indent="    ")
    for key, field in form.items():
        if field.kind in ("table", "tables") and field.allowed:
            name = f"{title.strip('[]')}.{key}".lstrip(".")
            yield from listed(
                f"[[{name}]]" if field.kind == "tables" else f"[{name}]", *field.allowed
            )


def _default(value: Any) -> str:
    if value is REQUIRED:
        return "; required"
    return "" if value in (None, "", [], {}, ()) else f"; default {shown(value)}"
