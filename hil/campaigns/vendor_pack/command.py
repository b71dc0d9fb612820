"""`python -m hil vendor-pack` plays the tests of a GPU vendor's guide that a rig can answer.

Exit codes: 0 all that was played is met, 1 not, 2 wrong input, 3 could not start, 130 interrupted.
"""

from controller.core.base import hint_codes
from hil.campaigns import trials
from hil.campaigns.vendor_pack import gains, page, plays, verdicts
from hil.engine.arguments import output_file
from hil.runner import options, report

GRID_CAP_RANK = hint_codes.ROLES.index("grid_cap")


class VendorPack(trials.Trial):
    """This trial is met if every played test is met."""

    summary = "what a GPU vendor's battery guide asks: T1, T4, T6, T10, T11 in the rig"
    mode = trials.BYTE
    own_options = {
        **options.CABINET,
        "--html": options.value(
            output_file(), "FILE", "write the pack as a page, with a CSV file of each test"
        ),
        "--test": {"choices": tuple(plays.PLAYS), "help": "only this one"},
    }

    def draw(self) -> list[str]:
        """The tests. Raises WrongOptionError if the cabinet has no source for the hints they
        need.
        """
        if not any(source.rank >= GRID_CAP_RANK for source in self.config.sources):
            raise options.WrongOptionError(
                f"--cabinet {self.arguments.cabinet}: has no source that may limit the import; "
                f"T1 and T6 need its hints"
            )
        return [self.arguments.test] if self.arguments.test else [*plays.PLAYS]

    def play(self, case: str) -> trials.Figures:
        """See Trial."""
        findings = plays.played(case, self.arguments.cabinet, self.arguments.seed)
        return {"test": case, **verdicts.plain(findings)}

    def line(self, outcome: trials.Figures) -> str:
        """See Trial."""
        lines = [f"{outcome['test']:10} {page.MET[outcome['is_met']]}: {outcome['line']}"]
        lines += [f"{'':10} {asked}: {answer}" for asked, answer, _ in outcome["answers"]]
        return "\n".join(lines)

    def judge(self, outcomes: list[trials.Figures]) -> trials.Judged:
        """See Trial."""
        about = f"seed {self.arguments.seed}, byte mode, {self.config.tick_ms} ms; T11 chain only"
        tests, numbers = dict(zip(self.cases, outcomes)), gains.of_config(self.config)
        if self.arguments.html:
            report.write(self.arguments.html, page.html_page(tests, about, numbers) + "\n")
            for path, content in page.csv_files(self.arguments.html, tests, numbers):
                report.write(path, content)
        document = {
            "about": about,
            "tests": tests,
            "others": dict(page.OTHERS),
            "gains": [number._asdict() for number in numbers],
        }
        wrong = [outcome["test"] for outcome in outcomes if not outcome["is_met"]]
        verdict = report.counted(len(outcomes), wrong, "played tests met in all they ask")
        unanswered = [f"{name:10} {text}" for name, text in page.OTHERS]
        return trials.Judged(document, unanswered, verdict, not wrong)


add = trials.command("vendor-pack", VendorPack)
