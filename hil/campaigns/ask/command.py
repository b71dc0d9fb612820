"""`python -m hil ask`: random jobs, the answer of `firebreak ask`, and the simulated job."""

import argparse
from collections import Counter

from hil.campaigns.ask import trials
from hil.engine.arguments import whole
from hil.runner import options, report
from hil.runner.cases import Runner

RIGHT_PERMILLE_MIN = 950
PART = 50  # jobs of one case
OPTIONS = options.CASES | {
    "--count": options.value(whole(1, 1_000_000), "NUMBER", "jobs (%(default)s)", 1000),
    "--minutes": options.value(whole(2, 240), "NUMBER", "longest job (%(default)s)", 60),
}


def run(arguments: argparse.Namespace) -> int:
    """Play all jobs; MET without a yes that was short, and with 95 % of right answers."""
    numbers = range(arguments.count)
    parts = [numbers[first : first + PART] for first in range(0, arguments.count, PART)]

    def part(of: range) -> list[trials.Outcome]:
        return trials.several(arguments.seed, of, arguments.minutes)

    with Runner(arguments) as runner:
        found = runner.play(parts, part, name=lambda of: f"jobs {of.start} to {of.stop - 1}")
    played = [trials.Outcome(*each) for results in found for each in results]
    document = summary(played) | {"seed": arguments.seed, "minutes": arguments.minutes}
    print(f"seed       {arguments.seed}\njobs       {arguments.count}, chain only, 1 s")
    return report.finish(arguments, document, lines(document), is_met(document))


def summary(played: list[trials.Outcome]) -> dict:
    """Counts of (answer, short), what was missing, and the numbers of the wrong answers."""
    known = [each for each in played if each.answer != "not known"]
    wrong = [each for each in known if (each.answer == "yes") == bool(each.short)]
    return {
        "jobs": len(played),
        "outcomes": Counter([f"{each.answer}, {each.short or 'carried'}" for each in played]),
        "missing": Counter([what for each in played for what in each.missing]),
        "known": len(known),
        "right": len(known) - len(wrong),
        "false_yes": [each.number for each in wrong if each.answer == "yes"],
        "false_no": [[each.number, *each.missing] for each in wrong if each.answer == "no"],
    }


def is_met(document: dict) -> bool:
    """No yes was short, and enough answers are right."""
    enough = document["right"] * 1000 >= RIGHT_PERMILLE_MIN * document["known"] > 0
    return enough and not document["false_yes"]


def lines(document: dict) -> list[str]:
    """The table of outcomes, and the verdict."""
    rows = [(*name.split(", "), str(count)) for name, count in sorted(document["outcomes"].items())]
    named = ", ".join([f"{name} {count}" for name, count in sorted(document["missing"].items())])
    strict = Counter([" + ".join(whats) for _, *whats in document["false_no"]])
    share = f", {100 * document['right'] / document['known']:.1f} %" if document["known"] else ""
    return [
        *report.table(("answer", "then", "jobs"), rows),
        f"missing    {named or '-'}",
        f"too strict {len(document['false_no'])} no that were carried: "
        + (", ".join([f"{name} {count}" for name, count in sorted(strict.items())]) or "-"),
        f"short      {len(document['false_yes'])} yes that were short: "
        + (", ".join(map(str, document["false_yes"])) or "-"),
        report.verdict(f"{document['right']} of {document['known']} known answers right{share}"),
    ]


add = options.command(
    "ask",
    "random jobs: the answer of firebreak ask against what happens then",
    run,
    options.JSON | options.SEED | OPTIONS,
)
