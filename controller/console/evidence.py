"""`firebreak evidence`: what an assessor asks for beside the matrix.

It ends with 1 where something is missing: between a hazard, its rows, its tests and what was
measured of them; or a signal without a fault.
"""

from controller.documents import bill_of_materials, document, fault_table, hazard_log, hazard_page
from controller.system import cli
from controller.system.paths import DONE, NO_START, NOT_DONE, WRONG_INPUT


def add(commands) -> None:
    """Add the command to argparse's subparsers."""
    cli.add(
        commands,
        "evidence",
        _run,
        _part("--hazards", _hazards, "the hazard log: to rows, tests, figures, and back"),
        _part("--faults", _faults, "faults of each input and output: noticed by what, when, safe"),
        _part("--sbom", _materials, "the software bill of materials; as json: CycloneDX 1.5"),
        document.FORM,
    )


def _part(name, show, words):
    return cli.option(name, dest="show", action="store_const", const=show, help=words)


def _run(arguments):
    if arguments.show is None:
        raise cli.Ended(WRONG_INPUT, "evidence: give one of --hazards, --faults, --sbom")
    with cli.ends(NO_START, OSError):
        return NOT_DONE if arguments.show(arguments.format) else DONE


def _hazards(form):
    """Shows the hazard log; returns its gaps."""
    facts = hazard_log.facts(*hazard_log.read())
    document.show(form, facts, lambda: hazard_page.blocks(facts))
    return facts["gaps"]


def _faults(form):
    facts = fault_table.facts()
    document.show(form, facts, lambda: fault_table.blocks(facts))
    return fault_table.missing(facts)


def _materials(form):
    facts = bill_of_materials.document()
    document.show(form, facts, lambda: bill_of_materials.blocks(facts))
    return []
