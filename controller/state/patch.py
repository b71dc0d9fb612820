"""JSON merge patch (RFC 7386) from one state to the next.

A value that becomes unknown (None) leaves the object of who applies the patch: the same, no value.
"""

from typing import Any

Facts = dict[str, Any]


def between(old: Facts, new: Facts) -> Facts:
    """The patch that makes `old` to `new`; {} when they are equal."""
    made: Facts = {key: None for key in old if key not in new}
    for key, value in new.items():
        before = old.get(key)
        if isinstance(before, dict) and isinstance(value, dict):
            if part := between(before, value):
                made[key] = part
        elif before != value or type(before) is not type(value):
            made[key] = value
    return made
