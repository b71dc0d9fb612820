"""`firebreak document profile`: every key of a device's profile, as drivers/README.md has it."""

from controller.config import profile_form
from controller.config.profile_words import unit_of, words_of
from controller.documents.document import Block, Heading, Table
from controller.forms.field import REQUIRED, Field, allowed_text
from controller.forms.refusal import shown

HEADERS = ("key", "in", "allowed", "unit", "default", "meaning")
# words for what is too long for a cell
SHORT = {
    "family": "see above",
    "invalid": "a list of raw values",
    "equals": "a list of raw values",
    "value": "a raw value",
}


def table() -> Table:
    """A row for each key; tables that have the same one share its row."""
    places: dict[tuple[str, ...], list[str]] = {}
    for key, field in profile_form.every_key():
        table, _, name = key.rpartition(".")
        row = (name, _allowed(name, field), unit_of(name), _default(field), words_of(key))
        places.setdefault(row, []).append(table.removesuffix(".NAME"))
    rows = [(f"`{row[0]}`", ", ".join(_named(found)), *row[1:]) for row, found in places.items()]
    return Table(HEADERS, rows)


def blocks() -> list[Block]:
    """The page."""
    return [Heading(1, "Every key of a profile"), table()]


def _allowed(name: str, field: Field) -> str:
    words = SHORT.get(name, "")
    return words if words and field.kind in ("as", "choice") else allowed_text(field).lstrip(", ")


def _default(field: Field) -> str:
    if field.default is REQUIRED:
        return "**needed**"
    return "none" if field.default in (None, "", {}) else shown(field.default)


def _named(found: list[str]) -> list[str]:
    """Names of tables: one that several families have is named once."""
    of_table: dict[str, list[str]] = {}
    for each in found:
        family, _, name = each.partition(".")
        own = family.split(",") if name else []
        of_table.setdefault((name or family or "top").replace(",", ", "), []).extend(own)
    same: dict[str, list[str]] = {}
    for name, families in of_table.items():
        same.setdefault(", ".join(families), []).append(name)
    return [f"{', '.join(names)}{f' ({own})' * bool(own)}" for own, names in same.items()]
