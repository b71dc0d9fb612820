"""Reads the layers of a configuration (type > site > cabinet) and merges them, each only tighter
than the one above.

A layer is one TOML file; it names the layer above with `extends`. The result of a merge is a flat
dictionary `{("rack", "1", "rated_current_mA"): Entry(value, file)}`; what the keys mean is in
schema.py. Everything a user can get wrong here becomes a ConfigError of one line: file, key, value,
what is allowed, the nearest right key.
"""

import difflib
import os
import re
import tomllib
from typing import NamedTuple

from controller.config.refusal import MANY_DIGITS, ConfigError, dotted, not_allowed, refuse, shown
from controller.config.value_checks import check_tighter, check_value, few
from controller.core.parameters import RETIRED
from controller.system.regular_file import link_opener

SCHEMA = 1
LAYERS = ("type", "site", "cabinet")
META_KEYS = ("schema", "layer", "extends", "name")
FREE_NAME = (
    "a name of a-z, 0-9 and _ that begins with a letter, at most 32 characters (16 for a source)"
)
# Names are printed on paper, pages and a serial line: all of them show ASCII alike.
TEXT = re.compile(r"(?=.*\S)[ -~]{1,200}")  # blanks alone say nothing
NAME_WORDS = "a name for this layer, on one line of ASCII"
FILE_BYTES_MAX = 262_144  # some ten times a cabinet of 16 racks with every key said
DEPTH_MAX = 16  # tables within tables; a configuration has three


class Entry(NamedTuple):
    """A value, the file that said it, and the rank of that layer."""

    value: object
    file: str
    rank: int = 0


class Layer(NamedTuple):
    """One file: its name as shown, its rank in LAYERS, its own name, its content without
    META_KEYS.
    """

    file: str
    rank: int
    name: str
    content: dict


class Spec(NamedTuple):
    """What one key may hold. kind: int, bool, choice, text, named (a text that has to name a paper
    or a person), list or derived; tighter: up, down, fixed, free or subset.

    allowed: int (low, high); choice its options; text and named (regular expression, description);
    list (length or 0, options); derived (from what it follows,): a parameter that no file may say.
    The options of a list are of one type. unit: (how many of the file's are one, name) of an
    integer whose key does not say it, else None.
    """

    kind: str
    allowed: tuple
    default: object = None
    tighter: str = "fixed"
    unit: tuple | None = None


def derived(reason: str):
    """Spec of a parameter that no file may hold."""
    return Spec("derived", (reason,))


def read_chain(path: str) -> list:
    """Layers from `path` up along `extends`, the type first. Raises ConfigError."""
    if not path:
        raise ConfigError("no file is named; allowed the path of a cabinet.toml")
    chain = []
    seen = set()
    while path:
        if "\0" in path:
            raise ConfigError(f"{path}: cannot be read: no file has such a name")
        real = os.path.realpath(path)
        if real in seen:
            raise ConfigError(f"{path}:extends: leads back to itself")
        seen.add(real)
        layer, above = _read(path)
        if chain and layer.rank >= chain[-1].rank:
            allowed = " or ".join(LAYERS[: chain[-1].rank]) or "nothing"
            not_allowed(path, ("layer",), LAYERS[layer.rank], f"{allowed} above {chain[-1].file}")
        chain.append(layer)
        path = os.path.normpath(os.path.join(os.path.dirname(path), above)) if above else ""
    if chain[-1].rank != 0:
        refuse(chain[-1].file, ("extends",), "is missing", "the file of the layer above it")
    return chain[::-1]


def _read(path):
    """(Layer, extends) of one file."""
    content = _parsed(path)
    schema = content.pop("schema", None)
    if type(schema) is not int or schema != SCHEMA:
        refuse(
            path,
            ("schema",),
            f"{shown(schema)} is not allowed" if schema is not None else "is missing",
            f'{SCHEMA}; to migrate the file see "Other schemas" in '
            "controller/config/CONFIGURATION.md",
        )
    layer, above, name = (_meta(path, content, key) for key in META_KEYS[1:])
    if not layer:
        refuse(path, ("layer",), "is missing", ", ".join(LAYERS))
    if layer not in LAYERS:
        not_allowed(path, ("layer",), layer, ", ".join(LAYERS), LAYERS)
    if not name:
        refuse(path, ("name",), "is missing", NAME_WORDS)
    if not TEXT.fullmatch(name):
        not_allowed(path, ("name",), name, NAME_WORDS)
    return Layer(path, LAYERS.index(layer), name, content), above


def file_text(path: str, bytes_max: int, allowed: str) -> str:
    """The text of a regular file. allowed: what one of at most bytes_max may hold, in words.

    Raises ConfigError, UnicodeDecodeError.
    """
    try:
        with open(path, "rb", opener=link_opener) as file:
            data = file.read(bytes_max + 1)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    if len(data) > bytes_max:
        raise ConfigError(f"{path}: has more than {bytes_max} bytes; allowed {allowed}")
    return data.decode("utf-8-sig")  # some editors put a mark in front


def _parsed(path):
    """What one file holds, as tomllib says it. Raises ConfigError."""
    try:
        content = tomllib.loads(file_text(path, FILE_BYTES_MAX, "one layer of a cabinet"))
    except RecursionError:
        content = None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: is not TOML: {str(error).splitlines()[0]}") from error
    except ValueError:  # of a decimal that is longer than Python reads
        raise ConfigError(f"{path}: is not usable TOML: {MANY_DIGITS}") from None
    if content is None or _is_deep(content):
        raise ConfigError(f"{path}: is not usable TOML: nested too deeply")
    return content


def _is_deep(content):
    """True where tables or lists lie in each other beyond DEPTH_MAX: a key with dots makes them
    without recursion, a walk over them would not return.
    """
    level, depth = [content], 0
    while level and depth <= DEPTH_MAX:
        inside = [
            each for one in level for each in (one.values() if isinstance(one, dict) else one)
        ]
        level, depth = [each for each in inside if isinstance(each, (dict, list))], depth + 1
    return bool(level)


def _meta(path, content, key):
    value = content.pop(key, "")
    if not isinstance(value, str):
        not_allowed(path, (key,), value, "a text")
    return value


def leaves(content: dict, path: tuple = ()):
    """(path, value) of every value that is not a table, and (path, {}) of every empty table."""
    for key, value in content.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, (*path, key))
        else:
            yield (*path, key), value


def merge(chain: list, spec_of, siblings_of) -> dict:
    """Flat {path: Entry} of all layers.

    spec_of(path) -> Spec or None (unknown); siblings_of(path) -> names that would be right in that
    place.
    """
    values = {}
    for layer in chain:
        for path, value in leaves(layer.content):
            spec = spec_of(path)
            if spec is None:
                check_names(layer.file, path, siblings_of)
                if value != {}:
                    refuse(layer.file, path, f"{shown(value)} is not allowed", "a section")
                values.setdefault(path, Entry({}, layer.file, layer.rank))
                continue
            check_value(layer.file, path, value, spec)
            if path in values:
                check_tighter(layer.file, path, value, values[path], spec)
            values[path] = Entry(value, layer.file, layer.rank)
    return values


def check_names(file: str, path: tuple, siblings_of) -> None:
    """Refuse the first part of the path that is not a name of its place, and say what is near
    it.
    """
    if path[0] == "control" and path[-1] in RETIRED:
        refuse(file, path, f"is a retired key: {RETIRED[path[-1]]}; remove it")
    for depth in range(1, len(path) + 1):
        names = siblings_of(path[:depth])
        if path[depth - 1] not in names:
            wrong = path[depth - 1]
            near = [] if wrong.isdigit() else difflib.get_close_matches(wrong, names, 1, 0.5)
            nearest = [dotted((*path[: depth - 1], near[0]))] if near else []
            refuse(
                file,
                path[:depth],
                "is not a known key",
                "" if nearest else few(names) or FREE_NAME,
                nearest,
                nearest[0] if nearest else "",
            )
