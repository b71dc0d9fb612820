"""Makes the document `firebreak document profile [FAMILY]`. It lists every key that the profile of
a device may have, with its meaning.
"""

from argparse import Namespace

from controller.config import profile_form
from controller.config.profile_words import words_of
from controller.documents.document import Blocks, Heading, Table, section
from controller.forms.field import REQUIRED, Field, allowed_text
from controller.forms.refusal import shown

HEADERS = ("key", "allowed", "default", "meaning")
RAW_VALUES = "a list of raw values"  # printed instead of a range of 64 bits, which is very long


def blocks(arguments: Namespace) -> Blocks:
    """A block for each table of a profile. arguments.family: only the tables of this family."""
    family = getattr(arguments, "family", None)
    page: Blocks = [Heading(1, f"Every key of a profile{f' ({family})' if family else ''}")]
    for prefix, form in profile_form.every_table().items():
        owners, _, name = prefix.removesuffix(".").partition(".")
        families = profile_form.SENSORS if owners == "sensors" else owners.split(",")
        if not name or family in (None, *families):
            suffix = "" if family or not name else f" ({', '.join(families)})"
            title = f"{name or owners or 'top'}{suffix}".replace(".NAME", "")
            rows = [(key, *_cells(prefix + key, field)) for key, field in form.items()]
            page += section(title, Table(HEADERS, rows))
    return page


def _cells(key: str, field: Field) -> tuple[str, str, str]:
    is_raw = field.kind == "as" and key.endswith(("invalid", "equals"))
    allowed = RAW_VALUES if is_raw else allowed_text(field).lstrip(", ")
    return allowed, _default(field), words_of(key)


def _default(field: Field) -> str:
    if field.default is REQUIRED:
        return "needed"
    return "none" if field.default in (None, "", {}) else shown(field.default)
