"""JSON merge patch (RFC 7386) from one state to the next.

If a value becomes unknown (None), the patch removes its key. Without the key there is no value
either.
"""

from typing import Any

Facts = dict[str, Any]


def between(old: Facts, new: Facts) -> Facts:
    """The patch that turns `old` into `new`; {} when they are equal."""
    patch: Facts = {key: None for key in old if key not in new}
    for key, value in new.items():
        before = old.get(key)
        if isinstance(before, dict) and isinstance(value, dict):
            if part := between(before, value):
                patch[key] = part
        elif before != value or type(before) is not type(value):
            patch[key] = value
    return patch
