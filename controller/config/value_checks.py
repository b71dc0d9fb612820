"""Whether a value is one that its key may have, and no looser than in the layer above."""

from controller.config.acceptance_text import names_nothing
from controller.config.refusal import in_unit, not_allowed, ranged, refuse, shown

FEW = 17  # names that are listed in an error line: as many as there are numbers of racks with "all"


def few(names: tuple) -> str:
    """Words with commas; the first of many."""
    names = [str(name) for name in names if name]
    return ", ".join(names[:FEW]) + (", ..." if len(names) > FEW else "")


def allowed_text(spec) -> str:
    """The allowed range of a Spec in words."""
    if spec.kind == "int":
        return ranged(*spec.allowed, spec.unit)
    if spec.kind == "bool":
        return "true, false"
    if spec.kind == "choice":
        return ", ".join(map(str, spec.allowed))
    if spec.kind in ("text", "named"):
        return spec.allowed[1]
    length, options = spec.allowed
    return f"a list{f' of {length}' if length else ''} from {few(options)}"


def check_value(file: str, path: tuple, value, spec) -> None:
    """Refuse a value whose type or range is wrong, or that is not for a file to say."""
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


def _fits(value, spec):
    if spec.kind == "int":
        return type(value) is int and spec.allowed[0] <= value <= spec.allowed[1]
    if spec.kind == "bool":
        return type(value) is bool
    if spec.kind == "choice":
        return type(value) in (int, str) and value in spec.allowed
    return isinstance(value, str) and spec.allowed[0].fullmatch(value) is not None


def _check_list(file, path, value, spec):
    length, options = spec.allowed
    if not isinstance(value, list) or length and len(value) != length:
        not_allowed(file, path, value, allowed_text(spec))
    for item in value:
        if type(item) is not type(options[-1]) or item not in options:
            not_allowed(file, path, item, allowed_text(spec), [str(option) for option in options])
    twice = next((item for index, item in enumerate(value) if item in value[:index]), None)
    if not length and twice is not None:  # a list of a fixed length has an entry for each place
        refuse(file, path, f"contains {shown(twice)} twice", f"{allowed_text(spec)}, each once")


def check_tighter(file: str, path: tuple, value, above, spec) -> None:
    """Refuse a value that is looser than what a layer above said (or differs, where nothing is
    tighter).
    """
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
    word = "differs from" if spec.tighter == "fixed" else "is looser than"
    allowed = shown(above.value)
    if spec.kind == "int" and spec.tighter == "down":
        allowed = ranged(spec.allowed[0], above.value, spec.unit)
    elif spec.kind == "int" and spec.tighter == "up":
        allowed = ranged(above.value, spec.allowed[1], spec.unit)
    said, before = in_unit(value, spec.unit), in_unit(above.value, spec.unit)
    refuse(file, path, f"{said} is not allowed, it {word} {before} in {above.file}", allowed)
