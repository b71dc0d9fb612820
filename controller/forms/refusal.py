"""Makes the error line of a refused file. It names the file, the key, the wrong value and the
allowed values.
"""

import difflib
import json
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NoReturn

from controller.system.paths import WrongInput, one_line

SHOWN_MAX = 60  # an error line repeats at most so many characters of a wrong value
Path = tuple[str, ...]  # place of a key in its file: the names of its tables, then its own name
Unit = tuple[int, str]  # divisor of an integer, and the unit that the quotient then has
SECRET = frozenset("token password secret sha256 key".split())
PLAIN_BITS = 40  # a longer integer is shown without its unit; no threshold is so long
_PLAIN = re.compile(r"[A-Za-z0-9_.-]{1,64}")  # a key that needs no quotes


class ConfigError(WrongInput, ValueError):
    """A file is refused. The text is one printable line, whatever the file contains.

    built: the refused Config, for a report, or None if it could not be made. key: (file, path) of
    the refused key. equipment: names of missing equipment, if this is the only reason. A person
    must fit it, or accept in the file that it is missing.
    """

    built: Any = None
    key: tuple[str, Path] | None = None
    equipment: tuple[str, ...] = ()

    def __init__(self, line: str):
        super().__init__(one_line(line))


def shown(value: Any) -> str:
    """The value in the form of TOML, short, on one line and in ASCII."""
    try:
        text = json.dumps(value, default=str)
    except TypeError:  # a map of msgpack may have keys of any type
        text = ascii(value)
    return text if len(text) <= SHOWN_MAX else text[: SHOWN_MAX - 3] + "..."


def is_secret(name: str) -> bool:
    """True for a key whose value may be or contain a secret. No error line may repeat it."""
    *_, last = name.removesuffix("_file").split("_")
    return last in SECRET or name in ("url", "urls")


def in_unit(value: Any, unit: Unit | None) -> str:
    """The value as text. An integer with a unit also shows its plain number: 650 with the unit (10,
    "degC") is "650 (65 degC)".
    """
    if unit is None or type(value) is not int or value.bit_length() > PLAIN_BITS:
        return shown(value)
    divisor, word = unit
    return f"{value} {word}" if divisor == 1 else f"{value} ({value / divisor:g} {word})"


def ranged(low: int, high: int, unit: Unit | None) -> str:
    """A range of integers, also in the plain unit: "163..650 (16.3..65 degC)"."""
    divisor, word = unit or (0, "")
    plain = f" ({low / divisor:g}..{high / divisor:g} {word})" if divisor > 1 else f" {word}"
    return f"{low}..{high}{plain if unit else ''}"


def dotted(path: Path) -> str:
    """("rack", "1", "unit") -> "rack.1.unit"."""
    # a part that begins with a quotation mark is quoted already
    return ".".join(
        part if _PLAIN.fullmatch(part) or part[:1] == '"' else shown(part) for part in path
    )


def refuse(
    file: str,
    path: Path,
    problem: str,
    allowed: str = "",
    nearest: Sequence[str] = (),
    equipment: Sequence[str] = (),
) -> NoReturn:
    """Raise a ConfigError. nearest: [known name that the line proposes], or []. equipment: see
    ConfigError.
    """
    line = f"{file}:{dotted(path)}: {problem}"
    if allowed:
        line += f"; allowed {allowed}"
    if nearest:
        line += f'; nearest key "{nearest[0]}"'
    error = ConfigError(line)
    error.key, error.equipment = (file, path), tuple(equipment)
    raise error


def refuse_key(file: str, path: Path, table: Mapping[str, Any], key: str, allowed: str) -> NoReturn:
    """Raise a ConfigError for the value of a key in the table at `path`."""
    not_allowed(file, (*path, key), table[key], allowed)


def not_allowed(
    file: str,
    path: Path,
    value: Any,
    allowed: str,
    candidates: Collection[str] = (),
    unit: Unit | None = None,
) -> NoReturn:
    """Raise a ConfigError for a wrong value. candidates: the allowed names. unit: see Field."""
    is_hidden = bool(path) and is_secret(path[-1])
    word = value if isinstance(value, str) and not is_hidden else ""
    text = "this value" if is_hidden else in_unit(value, unit)
    nearest = difflib.get_close_matches(word, candidates, 1, 0.5) if word else ()
    refuse(file, path, f"{text} is not allowed", allowed, nearest)
