"""`firebreak evidence`: hazard log, faults and bill of materials, for an assessor.

Exit code 1: a link between a hazard, its rows, its tests and its figures is missing, or a signal
has no fault.
"""

from argparse import Namespace
from collections.abc import Callable, Sequence

from controller.documents import bill_of_materials, document, fault_table, hazard_log, hazard_page
from controller.system import cli
from controller.system.paths import DONE, NO_START, NOT_DONE, WRONG_INPUT


def add(commands: cli.Commands) -> None:
    """Add to argparse's subparsers."""
    cli.add(
        commands,
        "evidence",
        _run,
        _part("--hazards", _hazards, "the hazard log: to rows, tests, figures, and back"),
        _part("--faults", _faults, "faults of each input and output: detection, time, safe state"),
        _part("--sbom", _materials, "the software bill of materials; as json: CycloneDX 1.5"),
        document.FORM,
    )


def _part(name: str, show: Callable[[str], Sequence], words: str) -> tuple[tuple, dict]:
    return cli.option(name, dest="show", action="store_const", const=show, help=words)


def _run(arguments: Namespace) -> int:
    if arguments.show is None:
        raise cli.Ended(WRONG_INPUT, "evidence: give one of --hazards, --faults, --sbom")
    with cli.ends(NO_START, OSError):
        return NOT_DONE if arguments.show(arguments.format) else DONE


def _hazards(form: str) -> Sequence:
    """Print the hazard log; returns its gaps."""
    facts = hazard_log.facts(*hazard_log.read())
    document.show(form, facts, lambda: hazard_page.blocks(facts))
    return facts["gaps"]


def _faults(form: str) -> Sequence:
    facts = fault_table.facts()
    document.show(form, facts, lambda: fault_table.blocks(facts))
    return fault_table.missing(facts)


def _materials(form: str) -> Sequence:
    facts = bill_of_materials.document()
    document.show(form, facts, lambda: bill_of_materials.blocks(facts))
    return []
