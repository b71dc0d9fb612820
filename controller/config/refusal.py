"""A refusal of a configuration: one line with file, key, value and what is allowed."""

import difflib
import json

SHOWN_MAX = 60  # characters of a wrong value that are repeated in its error line
PLAIN_BITS = 40  # a longer number is nobody's threshold
MANY_DIGITS = "a number with thousands of digits"


class ConfigError(Exception):
    """A configuration that is refused; its text is the one line to show, whatever keys and paths
    are made of.
    """

    def __init__(self, line: str):
        super().__init__(
            "".join([each if each.isprintable() else ascii(each)[1:-1] for each in line])
        )


class UnarmedError(ConfigError):
    """Refused because a required row would not be armed. equipment: names that must be there or be
    accepted.
    """

    def __init__(self, line: str, equipment: list | tuple):
        super().__init__(line)
        self.equipment = tuple(equipment)


def shown(value) -> str:
    """The value as TOML would write it, short, on one line and in ASCII."""
    try:
        text = json.dumps(value, default=str)
    except ValueError:  # Python writes no decimal that long; in hexadecimal, TOML holds one
        return MANY_DIGITS
    return text if len(text) <= SHOWN_MAX else text[: SHOWN_MAX - 3] + "..."


def in_unit(value, unit: tuple | None) -> str:
    """The value, an integer also as a person says it: 650 of (10, "degC") is "650 (65 degC)"."""
    if unit is None or type(value) is not int or value.bit_length() > PLAIN_BITS:
        return shown(value)
    divisor, word = unit
    return f"{value} {word}" if divisor == 1 else f"{value} ({value / divisor:g} {word})"


def ranged(low: int, high: int, unit: tuple | None = None) -> str:
    """A range of integers, likewise: "163..650 (16.3..65 degC)"."""
    if unit is None:
        return f"{low}..{high}"
    divisor, word = unit
    return (
        (f"{low}..{high} {word}")
        if divisor == 1
        else f"{low}..{high} ({low / divisor:g}..{high / divisor:g} {word})"
    )


def dotted(path: tuple) -> str:
    """("rack", "1", "unit") -> "rack.1.unit"."""
    return ".".join(path)


def refuse(
    file: str,
    path: tuple,
    problem: str,
    allowed: str = "",
    candidates=(),
    word: str = "",
    equipment: list | tuple = (),
):
    """Raise the one line. candidates: right names near which `word` may have been meant.

    equipment: what is missing, if that alone is wrong.
    """
    line = f"{file}:{dotted(path)}: {problem}"
    if allowed:
        line += f"; allowed {allowed}"
    nearest = difflib.get_close_matches(word, candidates, 1, 0.5) if word else ()
    if nearest:
        line += f'; nearest key "{nearest[0]}"'
    raise UnarmedError(line, equipment) if equipment else ConfigError(line)


def not_allowed(
    file: str, path: tuple, value, allowed: str, candidates=(), unit: tuple | None = None
):
    """Raise the line for a wrong value; candidates: names it may have meant; unit: as in Spec."""
    word = value if isinstance(value, str) else ""
    refuse(file, path, f"{in_unit(value, unit)} is not allowed", allowed, candidates, word)
