"""`firebreak siting SITE.toml`: prints the report; options write it as JSON and the plan as SVG."""

import argparse
import itertools
import os

from controller.forms.refusal import ConfigError
from controller.siting import audit, geometry, live, places, plan, reading, report
from controller.siting.site import Site
from controller.system import cli
from controller.system.paths import DONE, NOT_DONE, WRONG_INPUT, say


@cli.command(
    "siting",
    cli.option("file", help="a siting file; `firebreak document siting` lists its keys"),
    cli.option("--json", type=cli.output_file, metavar="FILE", help="write the findings as JSON"),
    cli.option("--svg", type=cli.output_file, metavar="FILE", help="write the plan"),
    cli.option(
        "--places",
        type=cli.output_file,
        metavar="FILE",
        help="write the places, for [plan] of a site file",
    ),
    cli.option(
        "--live",
        metavar="FILE",
        action="append",
        default=[],
        help="show its values on the plan: `firebreak map --json` of a cabinet; may be repeated",
    ),
    cli.option(
        "--lengths",
        choices=tuple(geometry.LENGTHS),
        default="m",
        help="unit of report and plan (%(default)s)",
    ),
)
def run(arguments: argparse.Namespace) -> int:
    """Exit code 1: a rule is not met or a fact is missing; 2: wrong file; 3: nothing written."""
    try:
        site = reading.load(arguments.file)
        if arguments.live:
            site.live = live.load(arguments.live, [unit.name for unit in site.units])
    except ConfigError as error:
        say(error)
        return WRONG_INPUT
    site.lengths = arguments.lengths
    outputs = [(arguments.json, _json), (arguments.svg, plan.svg), (arguments.places, places.toml)]
    all_paths = (arguments.file, *arguments.live, *[path for path, _ in outputs])
    paths = [path for path in all_paths if path is not None]
    for first, second in itertools.combinations(paths, 2):
        if _is_same(second, first):
            say(
                f"{second}: is named twice; allowed a file of its own for the site and for each "
                "output"
            )
            return WRONG_INPUT
    findings = audit.audit(site)
    for path, content in outputs:
        if path is not None:
            cli.write(path, content(site, findings))
    print(report.text(site, findings))
    return DONE if audit.is_met(findings) else NOT_DONE


def _is_same(path: str, other_path: str) -> bool:
    """True if both paths are the same regular file. Outputs may share a device such as a pipe."""
    if os.path.exists(path) and not os.path.isfile(path):
        return False
    return os.path.realpath(path) == os.path.realpath(other_path)


def _json(site: Site, findings: list[audit.Finding]) -> str:
    return cli.as_json(report.document(site, findings)) + "\n"
