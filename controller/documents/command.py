"""The command `firebreak document NAME` and the table of all documents that it can print. Exit code
1 means that a document still has an open point.
"""

import functools
import importlib
import importlib.util
from argparse import Namespace
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from controller.config import profile_form
from controller.documents import document, html_page
from controller.documents.document import Block, Facts, Heading, Table
from controller.rows import facts as fact_table
from controller.system import cli
from controller.system.cli import Ended, Option
from controller.system.paths import DONE, NO_START, NOT_DONE, WRONG_INPUT, say

OFFICE = "controller.siting"  # part of the separate package firebreak-office
SITE = cli.option("--site", metavar="FILE", required=True)
FACT_HEADERS = ("key", "fact", "source and clause", "confidence")
Content = Any  # facts of a document, or the blocks of a document that has only tables


class Document(NamedTuple):
    """A document. facts: makes its facts, from the arguments if its command has options. blocks:
    makes the printed blocks from the facts. is_open: whether a point is open, from the facts.
    """

    title: str
    facts: Callable[..., Content]
    blocks: Callable[[Content], Sequence[Block]] = list
    is_open: Callable[[Content], object] = lambda content: False
    options: tuple[Option, ...] = ()
    forms: tuple[str, ...] = ("md", "html", "json")
    style: str = ""


def _late(name: str) -> Callable[..., Any]:
    """The function controller.NAME. Its module is imported only when the function is called, so
    that printing one document does not load the modules of all others.
    """
    module, _, function = name.rpartition(".")

    def call(*arguments: object) -> Any:
        return getattr(importlib.import_module(f"controller.{module}"), function)(*arguments)

    return call


def _of_site(name: str) -> Callable[[Namespace], Any]:
    """A function that makes the facts of an accepted site, with the function controller.NAME."""
    load = _late("config.configuration.load")
    return lambda arguments: _late(name)(load(arguments.site))


def _matrix(arguments: Namespace) -> Any:
    """The facts of the cause-and-effect matrix. Prints a line to stderr for each required piece of
    equipment that the site lacks.
    """
    site = getattr(arguments, "site", None)
    config, lines = _late("config.configuration.survey")(site) if site else (None, [])
    for line in lines:
        say(line)
    return _late("documents.matrix_facts.facts")(config, lines)


def _checklist(arguments: Namespace) -> Any:
    config, lines = _late("config.configuration.survey")(arguments.site)
    for line in lines[:-1]:
        say(line)
    if lines:  # a cabinet that lacks required equipment must not be energised: no checklist
        raise Ended(WRONG_INPUT, lines[-1])
    return _late("documents.checklist.facts")(config)


def _fact_rows(keys: Iterable[str]) -> Table:
    return Table(FACT_HEADERS, [tuple(fact_table.words(key).values()) for key in keys])


def _of_office() -> Any:
    if importlib.util.find_spec(OFFICE) is None:
        raise Ended(NO_START, "siting: install the package firebreak-office")
    return _late("siting.rule_page.blocks")()


TERMINAL = ("text", "html", "json")
# documents about the program itself, which need no site file
OF_PROGRAM = {
    "equipment": Document(
        "what a cabinet may lack, and its rows", _late("documents.equipment_table.blocks")
    ),
    "facts": Document(
        "what the rows depend on: each fact with its source",
        lambda: [Heading(1, "The facts behind the rows"), _fact_rows(fact_table.FACTS)],
    ),
    "faults": Document(
        "faults of each input and output: detection, time, safe state",
        _late("documents.fault_table.facts"),
        _late("documents.fault_table.blocks"),
        _late("documents.fault_table.missing"),
    ),
    "hazards": Document(
        "the hazard log: rows, tests, times, what stays open",
        _late("documents.hazard_log.whole"),
        _late("documents.hazard_page.blocks"),
        lambda facts: facts["gaps"],
    ),
    "matrix": Document(
        "the cause-and-effect matrix: every row, stage and number",
        _matrix,
        _late("documents.matrix_page.blocks"),
        lambda facts: facts["site"] and facts["site"]["missing"],
        (cli.option("--site", metavar="FILE", help="cabinet.toml (or a site file without one)"),),
        ("md", "html", "json", "grid-html", "grid-csv"),
    ),
    "profile": Document(
        "every key of a device's profile, or of a FAMILY of devices",
        _late("documents.profile_table.blocks"),
        options=(cli.option("family", nargs="?", choices=profile_form.FAMILIES, metavar="FAMILY"),),
        forms=TERMINAL + ("md",),
    ),
    "reasons": Document(
        "every reason code, its meaning and remedy",
        _late("documents.reason_book.facts"),
        _late("documents.reason_book.blocks"),
    ),
    "sbom": Document(
        "the software bill of materials; as json: CycloneDX 1.5",
        _late("documents.bill_of_materials.document"),
        _late("documents.bill_of_materials.blocks"),
    ),
    "siting": Document("rules and keys of the siting audit", _of_office),
    "times": Document(
        "how long each stage takes, part by part", _late("documents.time_table.blocks")
    ),
}
DOCUMENTS = OF_PROGRAM | {
    "checklist": Document(
        "a test for each armed row of a site",
        _checklist,
        _late("documents.checklist_page.blocks"),
        options=(SITE,),
    ),
    "commissioning": Document(
        "one report to sign",
        _late("documents.commissioning.facts"),
        _late("documents.commissioning_page.blocks"),
        lambda facts: facts["open"],
        (SITE, cli.STATE_DIR),
    ),
    "responder": Document(
        "one page for the fire service",
        _of_site("documents.responder.facts"),
        _late("documents.responder.blocks"),
        is_open=lambda facts: facts["not_given"],
        options=(SITE,),
        forms=TERMINAL,
        style=html_page.PORTRAIT,
    ),
    "wiring": Document(
        "terminals, the hard-wired chain, buses",
        _of_site("documents.wiring.facts"),
        _late("documents.wiring.blocks"),
        options=(cli.option("site", metavar="FILE", help="cabinet.toml"),),
        forms=TERMINAL,
    ),
}


def with_cited(blocks: Sequence[Block]) -> Sequence[Block]:
    """The blocks, and then the entries of the fact table (such as A75) that these blocks cite."""
    cited = set(fact_table.keys(document.markdown(blocks)))
    keys = [key for key in fact_table.FACTS if key in cited]
    return [*blocks, *(document.section("Facts cited", _fact_rows(keys)) if keys else [])]


def tables(blocks: Content) -> Facts:
    """{heading: [{header: cell}]}: the tables of blocks, each under the heading before it."""
    by_heading: Facts = {}
    heading = ""
    for block in blocks:
        if isinstance(block, Heading):
            heading = block.text
        elif isinstance(block, Table):
            rows = [map(document.text, cells) for cells in block.rows]
            by_heading[heading] = [dict(zip(block.headers, row)) for row in rows]
    return by_heading


# {form: function that prints a document}
FORMS: dict[str, Callable[[Document, Content], str]] = {
    "md": lambda chosen, content: document.markdown(with_cited(chosen.blocks(content))),
    "text": lambda chosen, content: document.plain(chosen.blocks(content)),
    "html": lambda chosen, content: html_page.page(
        with_cited(chosen.blocks(content)), chosen.style
    ),
    "json": lambda _, content: cli.as_json(
        tables(content) if isinstance(content, list) else content
    ),
    "grid-html": lambda _, facts: html_page.page(
        with_cited(_late("documents.matrix_grid.blocks")(facts))
    ),
    "grid-csv": lambda _, facts: str(_late("documents.matrix_grid.comma_separated")(facts)),
}


def _form(forms: tuple[str, ...]) -> Option:
    suffix = "; grid: causes against outputs, to sign" if "grid-csv" in forms else ""
    return cli.option("--format", choices=forms, default=forms[0], help=f"(%(default)s){suffix}")


def facts_of(chosen: Document, arguments: Namespace) -> Content:
    """The facts of a document. A document that consists only of tables has blocks instead."""
    return chosen.facts(arguments) if chosen.options else chosen.facts()


def _print(chosen: Document, arguments: Namespace) -> int:
    with cli.ends(NO_START, OSError):
        content = facts_of(chosen, arguments)
        print(FORMS[arguments.format](chosen, content))
    return NOT_DONE if chosen.is_open(content) else DONE


cli.group("document", "NAME")
for _name, _document in sorted(DOCUMENTS.items()):
    _options = *_document.options, _form(_document.forms), cli.JSON_FORMAT
    cli.command(f"document {_name}", *_options, help=_document.title)(
        functools.partial(_print, _document)
    )
