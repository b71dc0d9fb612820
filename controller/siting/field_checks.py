"""Checks a value of a siting file by the kind and the range of its key."""

from collections.abc import Callable
from typing import Any

from controller.config.acceptance_text import names_nothing
from controller.config.refusal import not_allowed, refuse, shown
from controller.siting import fields as f, ground


def frozen(value: Any) -> Any:
    """A list as a tuple, lists inside it included; another value unchanged."""
    return tuple([frozen(each) for each in value]) if isinstance(value, list) else value


def check_value(path: str, where: tuple[str, ...], value: Any, field: f.Key) -> None:
    """Refuse a value that its key does not allow."""
    fits = FITS[field.kind]
    if not fits(value, field):
        options = field.allowed if field.kind in ("choice", "choices") else ()
        wrong = value
        if field.kind == "choices" and isinstance(value, list):
            wrong = next((each for each in value if each not in options), value)
        not_allowed(path, where, wrong, f.allowed_words(field), [str(each) for each in options])
    if field.kind == "named" and names_nothing(value):
        refuse(
            path, where, f"{shown(value)} is not allowed, it names nothing", f.allowed_words(field)
        )
    if field.kind == "points" and field.allowed[0] == 3:
        fault = ground.fault_of_outline(frozen(value))
        if fault:
            refuse(
                path,
                where,
                fault,
                "at least 3 points around an area, each once, no edges that cross or touch",
            )
    if field.kind == "points" and any([a == b for a, b in zip(value, value[1:], strict=False)]):
        refuse(path, where, "has a point twice in a row", "points that differ")


def _is_number(value: Any, low: float, high: float) -> bool:
    return type(value) in (int, float) and low <= value <= high


def _is_point(
    value: Any, low: float = -f.COORDINATE_m_MAX, high: float = f.COORDINATE_m_MAX
) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 2
        and all([_is_number(each, low, high) for each in value])
    )


def _is_points(value: Any, field: f.Key) -> bool:
    """A polygon may have too few points here: `check_value` has a separate message for it."""
    if (
        not isinstance(value, list)
        or not 1 <= len(value) <= f.POINTS_MAX
        or not all(map(_is_point, value))
    ):
        return False
    if len(field.allowed) == 2:
        return len(value) == field.allowed[0]
    return field.allowed[0] == 3 or len(value) >= field.allowed[0]


def _is_text(value: Any, field: f.Key) -> bool:
    return (
        isinstance(value, str)
        and bool(value.strip())
        and len(value) <= f.TEXT_CHARACTERS
        and value.isprintable()
    )


FITS: dict[str, Callable[[Any, f.Key], bool]] = {
    "number": lambda value, field: _is_number(value, *field.allowed),
    "flag": lambda value, field: type(value) is bool,
    "choice": lambda value, field: type(value) in (int, str) and value in field.allowed,
    "choices": lambda value, field: (
        isinstance(value, list)
        and all([each in field.allowed for each in value])
        and len(set(value)) == len(value)
    ),
    "text": _is_text,
    "named": _is_text,
    "size": lambda value, field: _is_point(value, *field.allowed),
    "point": lambda value, field: _is_point(value),
    "points": _is_points,
}
