"""Describes one key of a TOML file: its allowed values and its default. Also checks a value."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, NamedTuple

from controller.forms.acceptance_text import names_nothing
from controller.forms.refusal import Path, Unit, in_unit, not_allowed, ranged, refuse, shown

FEW = 17  # most names in an error line: the 16 numbers of racks, and "all"
REQUIRED = object()  # stands for a default: the file must have the key
# Only ASCII, because paper, web pages and a serial terminal all show these texts.
LINE = re.compile(r"(?=.*\S)[ -~]{1,200}")  # not only blanks


class Entry(NamedTuple):
    """A value and its file. rank: place of this file in the order in which files are read."""

    value: Any
    file: str
    rank: int = 0


class Field(NamedTuple):
    """One key of a file.

    `allowed` depends on `kind`. int, number: (low, high). choice: the options. list: (length or 0,
    options of one type). as, named: (test, wanted, fault), see `passing`. table, tables: (form,).
    derived: (why no file may set it,).

    tighter: how a later file may change the value: up, down, fixed, free, subset. unit: of an
    integer whose key does not name its unit. note: meaning of the key. unknown: see message.py.
    """

    kind: str
    allowed: tuple[Any, ...] = ()
    default: Any = None
    tighter: str = "fixed"
    unit: Unit | None = None
    note: str = ""
    unknown: str = ""


Form = Mapping[str, Field]
Test = Callable[[Any], object]  # a value is allowed if the result is true
Fault = tuple[str, str] | None  # (what is wrong with a value, what is allowed)


def derived(reason: str) -> Field:
    """A parameter that no file may set."""
    return Field("derived", (reason,))


def integer(low: int, high: int, default: Any = REQUIRED, note: str = "") -> Field:
    """A whole number."""
    return Field("int", (low, high), default, note=note)


def number(low: float, high: float, default: Any = REQUIRED, note: str = "") -> Field:
    """A number, whole or not."""
    return Field("number", (low, high), default, note=note)


def flag(default: Any = REQUIRED, note: str = "") -> Field:
    """true or false."""
    return Field("bool", (False, True), default, note=note)


def choice(options: Collection[Any], default: Any = REQUIRED, note: str = "") -> Field:
    """One of several options, which are texts or whole numbers."""
    return Field("choice", tuple(options), default, note=note)


def some_of(options: Collection[Any], default: Any = REQUIRED, note: str = "") -> Field:
    """A list of options, which are texts or whole numbers. Each may occur at most once."""
    return Field("list", (0, tuple(options)), default, note=note)


def integers(low: int, high: int, default: Any = REQUIRED) -> Field:
    """A list of whole numbers."""

    def test(value: Any) -> bool:
        return is_list(value, lambda part: type(part) is int and low <= part <= high)

    return passing(test, f"a list of whole numbers {low}..{high}", default)


def passing(
    test: Test,
    wanted: str,
    default: Any = REQUIRED,
    note: str = "",
    fault: Callable[[Any], Fault] = lambda value: None,
) -> Field:
    """A value that passes `test`. wanted: allowed values. fault: a second test that says why."""
    return Field("as", (test, wanted, fault), default, note=note)


def matching(regex: re.Pattern[str], wanted: str, default: Any = REQUIRED, note: str = "") -> Field:
    """A text of this pattern. wanted: see `passing`."""
    return passing(lambda value: is_text(value) and regex.fullmatch(value), wanted, default, note)


def named(
    wanted: str,
    tighter: str = "fixed",
    note: str = "",
    test: Test = lambda value: is_text(value) and LINE.fullmatch(value),
) -> Field:
    """A text that names a paper or a person. The default test allows a line of ASCII."""

    def fault(value: str) -> Fault:
        problem = f"{shown(value)} is not allowed, it names nothing"
        return (problem, wanted) if names_nothing(value) else None

    return passing(test, wanted, None, note, fault)._replace(kind="named", tighter=tighter)


def text(default: Any = REQUIRED, note: str = "") -> Field:
    """Any text."""
    return passing(is_text, "a text", default, note)


def texts(default: Any = REQUIRED, note: str = "") -> Field:
    """A list of texts."""
    return passing(lambda value: is_list(value, is_text), "a list of texts", default, note)


def several(pattern: re.Pattern[str], most: int, wanted: str, default: Any = REQUIRED) -> Field:
    """A list of 1 to `most` texts of this pattern."""

    def test(value: Any) -> bool:
        are_texts = is_list(value, is_text) and 0 < len(value) <= most
        return are_texts and all(map(pattern.fullmatch, value))

    return passing(test, wanted, default)


def anything(default: Any = REQUIRED) -> Field:
    """Any value."""
    return passing(lambda value: True, "a value", default)


def table(form: Form | None = None, default: Any = REQUIRED, note: str = "") -> Field:
    """A table. If it has no form, its reader checks it."""
    return Field("table", () if form is None else (form,), default, note=note)


def tables(form: Form | None = None, default: Any = REQUIRED) -> Field:
    """A list of tables, [[name]]. If it has no form, its reader checks the tables."""
    return Field("tables", () if form is None else (form,), default)


def is_text(value: Any) -> bool:
    """True for a text without NUL, which no path and no line may have."""
    return isinstance(value, str) and "\0" not in value


def is_number(value: Any, low: float, high: float) -> bool:
    """True for a number in the range. A bool is no number."""
    is_real = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_real and low <= value <= high


def is_list(value: Any, test: Test) -> bool:
    """True for a list whose parts all pass a test."""
    return isinstance(value, list) and all(map(test, value))


def is_row(value: Any, ranges: Collection[tuple[float, float]]) -> bool:
    """True for a list with one number for each range, within that range."""
    has_length = isinstance(value, list) and len(value) == len(ranges)
    return has_length and all(is_number(part, *limits) for part, limits in zip(value, ranges))


def rows(*ranges: tuple[float, float]) -> Field:
    """A list of rows, empty by default. Each row has one number for each range."""
    allowed_row = f"[{', '.join(f'{low:g}..{high:g}' for low, high in ranges)}]"

    def fault(value: list[Any]) -> Fault:
        wrong = next((row for row in value if not is_row(row, ranges)), None)
        return None if wrong is None else (f"{shown(wrong)} is not allowed", allowed_row)

    wanted = f"a list of {allowed_row}"
    return passing(lambda value: isinstance(value, list), wanted, [], fault=fault)


def numbers(
    low: float, high: float, default: Any = REQUIRED, counts: Collection[int] = ()
) -> Field:
    """A list of numbers. counts: allowed lengths of the list, () for any length."""
    wanted = f"a list of {' or '.join(map(str, counts))} numbers" if counts else "a list of numbers"

    def test(value: Any) -> bool:
        are_numbers = is_list(value, lambda part: is_number(part, low, high))
        return are_numbers and (not counts or len(value) in counts)

    return passing(test, f"{wanted} {low:g}..{high:g}", default)


def few(names: Iterable[Any]) -> str:
    """The first FEW names, separated by commas, then "..." if there are more."""
    written = [str(name) for name in names if name or name == 0]
    return ", ".join(written[:FEW]) + (", ..." if len(written) > FEW else "")


def allowed_text(field: Field) -> str:
    """The allowed values of a Field in words."""
    kind, allowed = field.kind, field.allowed
    if kind == "int":
        return ranged(allowed[0], allowed[1], field.unit)
    if kind == "number":
        return f"a number {allowed[0]:g}..{allowed[1]:g}"
    if kind == "bool":
        return "true, false"
    if kind == "choice":
        return ", ".join(filter(None, map(str, allowed)))  # "" means none
    if kind == "list":
        return f"a list{f' of {allowed[0]}' if allowed[0] else ''} from {few(allowed[1])}"
    return {"table": "a table", "tables": "a list of tables"}.get(kind) or str(allowed[1])


def check_value(file: str, path: Path, value: Any, field: Field) -> None:
    """Refuse a value of a wrong type or range, and any value of a derived key."""
    if field.kind == "derived":
        refuse(file, path, f"cannot be set: {field.allowed[0]}")
    elif field.kind == "list":
        _check_list(file, path, value, field)
    elif not _fits(value, field):
        options = field.allowed if field.kind == "choice" else ()
        type_text = "a whole number " if field.kind == "int" and type(value) is not int else ""
        wanted = type_text + allowed_text(field) + _unquoted(value, options)
        not_allowed(file, path, value, wanted, _texts(options), field.unit)
    elif field.kind in ("as", "named") and (fault := field.allowed[2](value)):
        refuse(file, path, *fault)


def _fits(value: Any, field: Field) -> bool:
    kind, allowed = field.kind, field.allowed
    if kind == "int":
        return type(value) is int and bool(allowed[0] <= value <= allowed[1])
    if kind == "number":
        return is_number(value, *allowed)
    if kind == "bool":
        return type(value) is bool
    if kind == "choice":
        return type(value) in (int, str) and value in allowed
    if kind == "table":
        return isinstance(value, dict)
    if kind == "tables":
        return is_list(value, lambda part: isinstance(part, dict))
    return bool(allowed[0](value))


def _texts(options: Collection[Any]) -> list[str]:
    return [option for option in options if isinstance(option, str)]


def _unquoted(value: Any, options: Collection[Any]) -> str:
    """The remedy for a text where only numbers are allowed."""
    return ", without quotes" if isinstance(value, str) and options and not _texts(options) else ""


def _check_list(file: str, path: Path, value: Any, field: Field) -> None:
    length, options = field.allowed
    if not isinstance(value, list) or length and len(value) != length:
        not_allowed(file, path, value, allowed_text(field))
    for item in value:
        if type(item) is not type(options[-1]) or item not in options:
            wanted = allowed_text(field) + _unquoted(item, options)
            not_allowed(file, path, item, wanted, _texts(options))
    twice = next((item for index, item in enumerate(value) if item in value[:index]), None)
    if not length and twice is not None:  # a list of a fixed length may have "" several times
        refuse(file, path, f"contains {shown(twice)} twice", f"{allowed_text(field)}, each once")


def check_tighter(file: str, path: Path, value: Any, above: Entry, field: Field) -> None:
    """Refuse a value that is looser than `above`, the value of an earlier file."""
    tighter = field.tighter
    if (
        value == above.value
        or tighter == "free"
        or tighter == "subset"
        and set(value) <= set(above.value)
        or tighter == "up"
        and value > above.value
        or tighter == "down"
        and value < above.value
    ):
        return
    relation = "differs from" if tighter == "fixed" else "is looser than"
    allowed = shown(above.value)
    if field.kind == "int" and tighter == "down":
        allowed = ranged(field.allowed[0], above.value, field.unit)
    elif field.kind == "int" and tighter == "up":
        allowed = ranged(above.value, field.allowed[1], field.unit)
    own, before = in_unit(value, field.unit), in_unit(above.value, field.unit)
    refuse(file, path, f"{own} is not allowed, it {relation} {before} in {above.file}", allowed)
