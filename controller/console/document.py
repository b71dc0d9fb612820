"""`firebreak document NAME`: a page made of the program's own tables; without a name their list."""

import importlib.util
from argparse import Namespace
from collections.abc import Callable

from controller.documents import (
    document,
    equipment_table,
    fault_table,
    hazard_log,
    hazard_page,
    matrix_facts,
    matrix_page,
    profile_table,
    reason_book,
    time_table,
)
from controller.documents.document import Block, Facts, Heading, Table
from controller.rows import facts
from controller.system import cli
from controller.system.paths import DONE, NO_START

OFFICE = "controller.siting"  # a package of its own


def _all_facts() -> list[Block]:
    rows = [tuple(facts.words(key).values()) for key in facts.FACTS]
    headers = ("key", "fact", "source and clause", "confidence")
    return [Heading(1, "The facts behind the rows"), Table(headers, rows)]


def _of_office() -> list[Block]:
    if importlib.util.find_spec(OFFICE) is None:
        raise cli.Ended(NO_START, "siting: not on a box: install the package firebreak-office")
    made: list[Block] = importlib.import_module(f"{OFFICE}.rule_page").blocks()
    return made


# name: (what makes the page, words of the list)
PAGES: dict[str, tuple[Callable[[], list[Block]], str]] = {
    "equipment": (equipment_table.blocks, "what a cabinet may lack, and its rows"),
    "facts": (_all_facts, "what the rows rest on: each fact with its source"),
    "faults": (
        lambda: fault_table.blocks(fault_table.facts()),
        "faults of each input and output: detection, time, safe state",
    ),
    "hazards": (
        lambda: hazard_page.blocks(hazard_log.facts(*hazard_log.read())),
        "the hazard log: rows, tests, times, what stays open",
    ),
    "matrix": (
        lambda: matrix_page.matrix_blocks(matrix_facts.facts(None, [])),
        "the cause-and-effect matrix: every row, stage and number",
    ),
    "profile": (profile_table.blocks, "every key of a device's profile"),
    "reasons": (reason_book.blocks, "every reason code, its meaning and remedy"),
    "siting": (_of_office, "rules and keys of the siting audit"),
    "times": (time_table.blocks, "how long each stage takes, part by part"),
}


@cli.command(
    "document",
    cli.option("name", nargs="?", choices=PAGES, metavar="NAME", help="of the list"),
    document.FORM,
)
def _run(arguments: Namespace) -> int:
    with cli.ends(NO_START, OSError):
        made = PAGES[arguments.name][0]() if arguments.name else _names()
    document.show(arguments.format, _facts(made), lambda: made)
    return DONE


def _names() -> list[Block]:
    rows = [(name, words) for name, (_, words) in PAGES.items()]
    return [Heading(1, "Pages: firebreak document NAME"), Table(("name", "what it has"), rows)]


def _facts(made: list[Block]) -> Facts:
    """{heading: [{header: cell}]}: the tables of a page, each under the heading before it."""
    found: Facts = {}
    heading = ""
    for block in made:
        if isinstance(block, Heading):
            heading = block.text
        elif isinstance(block, Table):
            rows = [map(document.text, cells) for cells in block.rows]
            found[heading] = [dict(zip(block.headers, row)) for row in rows]
    return found
