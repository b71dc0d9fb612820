"""`firebreak evidence`: what an assessor asks for beside the matrix.

--hazards ends with 1 where something is missing between a hazard, its rows, its tests and what was
measured of them.
"""

from controller.documents import document, hazard_log, hazard_page
from controller.system import cli
from controller.system.paths import DONE, NO_START, NOT_DONE


def add(commands) -> None:
    """Add the command to argparse's subparsers."""
    cli.add(
        commands,
        "evidence",
        _run,
        cli.option("--hazards", action="store_true", required=True, help="the hazard log"),
        document.FORM,
    )


def _run(arguments):
    with cli.ends(NO_START, OSError):
        facts = hazard_log.facts(*hazard_log.read())
    document.show(arguments.format, facts, lambda: hazard_page.blocks(facts))
    return NOT_DONE if facts["gaps"] else DONE
