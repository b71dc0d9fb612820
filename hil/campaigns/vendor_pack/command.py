"""`python -m hil vendor-pack`: the tests of a GPU vendor's battery guide that a rig can answer.

Exit codes: 0 all that was played is met, 1 not, 2 wrong input, 3 could not start, 130 interrupted.
"""

from argparse import Namespace
from typing import Any

from controller.core.base import hint_codes
from hil.campaigns.vendor_pack import gains, page, plays, verdicts
from hil.engine import coverage
from hil.engine.arguments import output_file
from hil.results import words
from hil.runner import options, report
from hil.runner.cases import Runner

GRID_CAP_RANK = hint_codes.ROLES.index("grid_cap")
OPTIONS: dict[str, dict[str, Any]] = {
    **options.CASES,
    **options.CABINET,
    "--html": options.value(
        output_file(), "FILE", "write the pack as a page, with a CSV file of each test beside it"
    ),
    "--test": {"choices": tuple(plays.PLAYS), "help": "only this one"},
}


def run(arguments: Namespace) -> int:
    """Play, print, write. Returns the exit code."""
    config = coverage.loaded(arguments.cabinet)
    if not any([each.rank >= GRID_CAP_RANK for each in config.sources]):
        raise options.WrongOptionError(
            f"--cabinet {arguments.cabinet}: has no source that may limit the import; T1 and T6 "
            f"need its hints"
        )
    names = [arguments.test] if arguments.test else [*plays.PLAYS]
    about = f"seed {arguments.seed}, byte mode, {config.tick_ms} ms; T11 chain only"
    print(f"pack       {about}", flush=True)
    with Runner(arguments) as runner:
        played = runner.play(
            names,
            lambda name: {
                "test": name,
                **verdicts.plain(plays.played(name, arguments.cabinet, arguments.seed)),
            },
            _line,
        )
    found = {name: each for name, each in zip(names, played)}
    numbers = gains.of_config(config)
    if arguments.html:
        report.write(arguments.html, page.html_page(found, about, numbers) + "\n")
        for path, content in page.csv_files(arguments.html, found, numbers):
            report.write(path, content)
    document = {
        "about": about,
        "mirrored": coverage.about(config),
        "tests": found,
        "others": dict(page.OTHERS),
        "gains": [each._asdict() for each in numbers],
    }
    closing = [
        *words.mirrored_lines(document),
        *[f"{name:10} {word}" for name, word in page.OTHERS],
        report.verdict(_verdict(found)),
    ]
    is_met = all([each["is_met"] for each in played])
    return report.finish(arguments, document, closing, is_met)


def _line(found: dict[str, Any]) -> str:
    word = "met" if found["is_met"] else "not all met"
    lines = [f"{found['test']:10} {word}: {found['line']}"]
    lines += [f"{'':10} {asked}: {answer}" for asked, answer, _ in found["answers"]]
    return "\n".join(lines)


def _verdict(found: dict[str, dict[str, Any]]) -> str:
    wrong = [name for name, each in found.items() if not each["is_met"]]
    return report.counted(len(found), wrong, "played tests met in all they ask")


add = options.command(
    "vendor-pack",
    "what a GPU vendor's battery guide asks: T1, T4, T6, T10, T11 in the rig",
    run,
    options.JSON | options.SEED | OPTIONS,
)
