"""Values as the payload of a message."""

import json
from typing import Any

# These change in every reading. A change of them alone causes no new message.
VOLATILE = frozenset(
    "sequence uptime_ms utc_us utc_text utc_uncertainty_us age_ms clear_for_ms loop valid_s left_s "
    "start_s next_token_ms reserve_in_s".split()
)


def text(value: object) -> str:
    """JSON without spaces."""
    return json.dumps(value, separators=(",", ":"), default=str)


def steady(value: Any) -> Any:
    """The value without the names in VOLATILE."""
    if isinstance(value, dict):
        return {name: steady(part) for name, part in value.items() if name not in VOLATILE}
    return [steady(part) for part in value] if isinstance(value, list) else value
