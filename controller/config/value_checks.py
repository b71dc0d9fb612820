"""Checks of one value: its key allows it, and it is not looser than in the layer above."""

from collections.abc import Iterable
from typing import Any

from controller.config.acceptance_text import names_nothing
from controller.config.refusal import in_unit, not_allowed, ranged, refuse, shown
from controller.config.spec import Entry, Spec

FEW = 17  # names in an error line: enough for the 16 numbers of racks and "all"


def few(names: Iterable[Any]) -> str:
    """The first FEW names with commas."""
    found = [str(name) for name in names if name]
    return ", ".join(found[:FEW]) + (", ..." if len(found) > FEW else "")


def allowed_text(spec: Spec) -> str:
    """The allowed range of a Spec in words."""
    if spec.kind == "int":
        low, high = spec.allowed
        return ranged(low, high, spec.unit)
    if spec.kind == "bool":
        return "true, false"
    if spec.kind == "choice":
        return ", ".join(map(str, spec.allowed))
    if spec.kind in ("text", "named"):
        return str(spec.allowed[1])
    length, options = spec.allowed
    return f"a list{f' of {length}' if length else ''} from {few(options)}"


def check_value(file: str, path: tuple[str, ...], value: Any, spec: Spec) -> None:
    """Refuse a value of a wrong type or range, and any value of a derived key."""
    if spec.kind == "derived":
        refuse(file, path, f"cannot be set: {spec.allowed[0]}")
    elif spec.kind == "list":
        _check_list(file, path, value, spec)
    elif not _fits(value, spec):
        options = spec.allowed if spec.kind == "choice" and isinstance(value, str) else ()
        not_allowed(
            file, path, value, allowed_text(spec), [str(option) for option in options], spec.unit
        )
    elif spec.kind == "named" and names_nothing(value):
        refuse(file, path, f"{shown(value)} is not allowed, it names nothing", allowed_text(spec))


def _fits(value: Any, spec: Spec) -> bool:
    if spec.kind == "int":
        return type(value) is int and bool(spec.allowed[0] <= value <= spec.allowed[1])
    if spec.kind == "bool":
        return type(value) is bool
    if spec.kind == "choice":
        return type(value) in (int, str) and value in spec.allowed
    return isinstance(value, str) and spec.allowed[0].fullmatch(value) is not None


def _check_list(file: str, path: tuple[str, ...], value: Any, spec: Spec) -> None:
    length, options = spec.allowed
    if not isinstance(value, list) or length and len(value) != length:
        not_allowed(file, path, value, allowed_text(spec))
    for item in value:
        if type(item) is not type(options[-1]) or item not in options:
            not_allowed(file, path, item, allowed_text(spec), [str(option) for option in options])
    twice = next((item for index, item in enumerate(value) if item in value[:index]), None)
    if not length and twice is not None:  # a list of a fixed length has an entry for each place
        refuse(file, path, f"contains {shown(twice)} twice", f"{allowed_text(spec)}, each once")


def check_tighter(file: str, path: tuple[str, ...], value: Any, above: Entry, spec: Spec) -> None:
    """Refuse a value that is looser than in a layer above; a fixed value may not differ."""
    if value == above.value or spec.tighter == "free":
        return
    if spec.tighter == "subset" and set(value) <= set(above.value):
        return
    if (
        spec.tighter == "up"
        and value > above.value
        or spec.tighter == "down"
        and value < above.value
    ):
        return
    relation = "differs from" if spec.tighter == "fixed" else "is looser than"
    allowed = shown(above.value)
    if spec.kind == "int" and spec.tighter == "down":
        allowed = ranged(spec.allowed[0], above.value, spec.unit)
    elif spec.kind == "int" and spec.tighter == "up":
        allowed = ranged(above.value, spec.allowed[1], spec.unit)
    own, before = in_unit(value, spec.unit), in_unit(above.value, spec.unit)
    refuse(file, path, f"{own} is not allowed, it {relation} {before} in {above.file}", allowed)
