"""`python -m hil trials ask`: compares answers of `firebreak ask` with the simulated jobs."""

from collections import Counter

from hil.campaigns.ask import job
from hil.campaigns.trials import Judged, Trial, count_option
from hil.engine.arguments import whole
from hil.runner import options, report

RIGHT_PERMILLE_MIN = 950
PART = 50  # jobs in one case


class Ask(Trial):
    """This trial is met if no job that was answered yes fell short, and at least 95 % of answers
    are right.
    """

    summary = "random jobs: the answer of firebreak ask against what happens then"
    mode = "chain only, 1 s"
    own_options = count_option(1_000_000, 1000, "jobs") | {
        "--minutes": options.value(whole(2, 240), "NUMBER", "longest job (%(default)s)", 60)
    }

    def draw(self) -> list[range]:
        """The numbers of the jobs, with PART of them in each case."""
        numbers = range(self.arguments.count)
        return [numbers[first : first + PART] for first in range(0, len(numbers), PART)]

    def name(self, case: range) -> str:
        """See Trial."""
        return f"jobs {case.start} to {case.stop - 1}"

    def play(self, case: range) -> list[job.Outcome]:
        """See Trial."""
        return job.several(self.arguments.seed, case, self.arguments.minutes)

    def judge(self, outcomes: list) -> Judged:
        """See Trial."""
        document = summary([job.Outcome(*fields) for part in outcomes for fields in part])
        return Judged(
            document | {"minutes": self.arguments.minutes},
            lines(document),
            verdict(document),
            is_met(document),
        )


def summary(outcomes: list[job.Outcome]) -> dict:
    """Counts of (answer, short), what was missing, and the numbers of the wrong answers."""
    known = [outcome for outcome in outcomes if outcome.answer != "not known"]
    wrong = [outcome for outcome in known if (outcome.answer == "yes") == bool(outcome.short)]
    return {
        "jobs": len(outcomes),
        "outcomes": Counter(
            f"{outcome.answer}, {outcome.short or 'carried'}" for outcome in outcomes
        ),
        "missing": Counter(shortage for outcome in outcomes for shortage in outcome.missing),
        "known": len(known),
        "right": len(known) - len(wrong),
        "false_yes": [outcome.number for outcome in wrong if outcome.answer == "yes"],
        "false_no": [
            [outcome.number, *outcome.missing] for outcome in wrong if outcome.answer == "no"
        ],
    }


def is_met(document: dict) -> bool:
    """True if no job that was answered yes fell short, and enough answers are right."""
    enough = document["right"] * 1000 >= RIGHT_PERMILLE_MIN * document["known"] > 0
    return enough and not document["false_yes"]


def lines(document: dict) -> list[str]:
    """The table of outcomes, and lines about what was missing."""
    rows = [(*name.split(", "), str(count)) for name, count in sorted(document["outcomes"].items())]
    strict = Counter(" + ".join(shortages) for _, *shortages in document["false_no"])
    short = ", ".join(map(str, document["false_yes"])) or "-"
    return [
        *report.table(("answer", "then", "jobs"), rows),
        f"missing    {_counted(document['missing'])}",
        f"too strict {len(document['false_no'])} no that were carried: {_counted(strict)}",
        f"short      {len(document['false_yes'])} yes that were short: {short}",
    ]


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items())) or "-"


def verdict(document: dict) -> str:
    """A text: how many known answers were right."""
    share = f", {100 * document['right'] / document['known']:.1f} %" if document["known"] else ""
    return f"{document['right']} of {document['known']} known answers right{share}"
