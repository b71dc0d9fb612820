"""Makes the table of `firebreak check --functions`. It lists the control functions in the order in
which they run, and the fields that each function reads and writes.
"""

from controller.core import functions
from controller.core.policies import contract, found
from controller.core.policies.known import Known
from controller.documents.document import wrapped

STAGES = ("balance", "mode", "prove", "measure", "bound", "base", "fast")


def table() -> str:
    """A line for each function. The word "before" marks fields whose value is of the last tick."""
    lines = ["STAGE    FUNCTION      FIELDS", *_chain("first", found.FIRST)]
    is_bounded = False
    for function in functions.in_turn(functions.FUNCTIONS):
        if function.STAGE > contract.BOUND and not is_bounded:
            lines += _chain("bound", found.BOUNDED)
            is_bounded = True
        known = [name for name in function.READS if name in Known._fields]
        read = [name for name in function.READS if name not in Known._fields]
        fields = {"knows": known, "reads": read, "before": function.BEFORE}
        fields |= {"asks": function.ASKS, "writes": function.WRITES}
        texts = [f"{word} {', '.join(names)}" for word, names in fields.items() if names]
        on_grid, off_grid = functions.FALLBACKS[function]
        texts.append(f"input unknown: {on_grid}; off the grid: {off_grid}")
        lines += wrapped(f"{STAGES[function.STAGE]:8} {function.NAME:13} ", "; ".join(texts))
    return "\n".join(lines)


def _chain(stage: str, fields: tuple[str, ...]) -> list[str]:
    return wrapped(f"{stage:8} {found.CHAIN:13} ", f"writes {', '.join(fields)}")


def drawing() -> str:
    """A Mermaid drawing with an arrow from each function that writes a field to each function that
    reads the field. A dotted arrow stands for a value of the last tick. An arrow that ends with a
    circle goes from a function to another function that it asks.
    """
    targets: dict[tuple[str, str], dict[str, None]] = {}  # {(source, arrow): names in order}
    for reader in functions.in_turn(functions.FUNCTIONS):
        for arrow, fields in ("-->", reader.READS), ("-.->", reader.BEFORE):
            for field in fields:
                if field in functions.WRITERS:
                    targets.setdefault((functions.WRITERS[field], arrow), {})[reader.NAME] = None
    for function in functions.FUNCTIONS:
        for asked in function.ASKS:
            targets.setdefault((function.NAME, "--o"), {})[asked] = None
    # Functions whose arrows go to the same functions share a line: A & B --> C.
    sources: dict[str, list[str]] = {}
    for (source, arrow), names in targets.items():
        sources.setdefault(f"{arrow} {' & '.join(names)}", []).append(source)
    arrows = [f"  {' & '.join(names)} {arrow}" for arrow, names in sources.items()]
    return "\n".join(["flowchart LR", *arrows])


FORMS = {"table": table, "drawing": drawing}
