"""The allowed keys of two tables that only people use. [responder] describes the site on the page
for the fire service. [plan] names the unit of the site's plan in which each rack stands.
"""

import re
from typing import Any

from controller.forms.field import is_text, named, passing, several

# {key: its label on the sheet}
PLACES = {
    "call": "Who answers at all hours",
    "address": "Address",
    "key_at": "Keys",
    "disconnect_at": "AC disconnect",
    "water_at": "Hydrant",
    "beside": "Beside it",
}
RESPONDER = {
    key: named(f"{meaning}, on one line of ASCII", "free") for key, meaning in PLACES.items()
}

NAME = re.compile(r"[A-Za-z0-9_-]{1,20}")
NAME_WORDS = "a name of A-Z, a-z, 0-9, _ and -, at most 20 characters"
RACKS_MAX = 16
FILE_CHARACTERS = 1000  # the path of a file has at most so many characters


def _is_file(value: Any) -> bool:
    is_short = is_text(value) and len(value) <= FILE_CHARACTERS
    return is_short and value.isprintable() and value.endswith(".toml")


PLAN = {
    "file": passing(_is_file, "a file of `firebreak siting --places`, seen from this one", None),
    "racks": several(NAME, RACKS_MAX, f"the plan's unit around each rack: {NAME_WORDS}", None),
}
PLAN = {key: field._replace(tighter="free") for key, field in PLAN.items()}
