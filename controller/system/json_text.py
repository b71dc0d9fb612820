"""The only reader of JSON from other programs and from files.

The library recurses for every bracket, so the nesting is checked first.
"""

import json
import re
from collections.abc import Callable
from typing import Any

DEPTH_MAX = 32  # the deepest file or message of this program has five
# Finds the next bracket outside of strings. The pattern is possessive: it scans no text twice.
_BRACKET = re.compile(r'(?:[^"\[{\]}]++|"[^"\\]*+(?:\\.[^"\\]*+)*+"?)*+([\[{\]}]|\Z)', re.DOTALL)


def loads(data: bytes | str, hook: Callable[[dict[str, Any]], Any] | None = None) -> Any:
    """The value of a text. hook: converts each object.

    ValueError: not JSON, or nested too deeply. TypeError: not a text.
    """
    if not isinstance(data, (str, bytes)):
        raise TypeError("not a text")
    text = data if isinstance(data, str) else data.decode("utf-8-sig")
    depth = 0
    for match in _BRACKET.finditer(text):
        bracket = match[1]
        depth += (bracket in ("[", "{")) - (bracket in ("]", "}"))
        if depth > DEPTH_MAX:
            raise ValueError("nested too deeply")
    return json.loads(text, object_hook=hook)


def whole(message: object) -> object:
    """The message with 20000 for 20000.0, because JSON has only one kind of numbers."""
    if not isinstance(message, dict):
        return message
    return {
        key: int(part) if isinstance(part, float) and part.is_integer() else part
        for key, part in message.items()
    }


def is_shallow(value: object) -> bool:
    """True if a value from another library is not nested more deeply than JSON may be."""
    level = [value]
    for _ in range(DEPTH_MAX + 1):
        inside: list[object] = []
        for part in level:
            if isinstance(part, dict):
                inside += part.values()
            elif isinstance(part, (list, tuple)):
                inside += part
        if not inside:
            return True
        level = inside
    return False
