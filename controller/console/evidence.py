"""`firebreak evidence`: hazard log, faults and bill of materials, for an assessor.

Exit code 1: a link between a hazard, its rows, its tests and its figures is missing, or a signal
has no fault.
"""

from argparse import Namespace
from collections.abc import Callable, Sequence

from controller.documents import bill_of_materials, document, fault_table, hazard_log, hazard_page
from controller.documents.document import Facts
from controller.system import cli
from controller.system.paths import DONE, NO_START, NOT_DONE, WRONG_INPUT

# part: (its facts, its blocks, its gaps, help)
PARTS: dict[str, tuple[Callable[[], Facts], Callable, Callable[[Facts], Sequence], str]] = {
    "--hazards": (
        lambda: hazard_log.facts(*hazard_log.read()),
        hazard_page.blocks,
        lambda found: found["gaps"],
        "the hazard log: to rows, tests, figures, and back",
    ),
    "--faults": (
        lambda: fault_table.facts(),
        fault_table.blocks,
        lambda found: fault_table.missing(found),
        "faults of each input and output: detection, time, safe state",
    ),
    "--sbom": (
        bill_of_materials.document,
        bill_of_materials.blocks,
        lambda found: (),
        "the software bill of materials; as json: CycloneDX 1.5",
    ),
}


@cli.command(
    "evidence",
    *[
        cli.option(name, dest="show", action="store_const", const=name, help=words)
        for name, (*_, words) in PARTS.items()
    ],
    document.FORM,
)
def _run(arguments: Namespace) -> int:
    if arguments.show is None:
        raise cli.Ended(WRONG_INPUT, "evidence: give one of --hazards, --faults, --sbom")
    facts, blocks, gaps, _ = PARTS[arguments.show]
    with cli.ends(NO_START, OSError):
        found = facts()
        document.show(arguments.format, found, lambda: blocks(found))
        return NOT_DONE if gaps(found) else DONE
