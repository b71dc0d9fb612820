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

    words = "what a GPU vendor's battery guide asks: T1, T4, T6, T10, T11 in the rig"
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
        if not any([source.rank >= GRID_CAP_RANK for source in self.config.sources]):
            raise options.WrongOptionError(
                f"--cabinet {self.given.cabinet}: has no source that may limit the import; T1 and "
                f"T6 need its hints"
            )
        return [self.given.test] if self.given.test else [*plays.PLAYS]

    def play(self, case: str) -> trials.Found:
        """See Trial."""
        found = plays.played(case, self.given.cabinet, self.given.seed)
        return {"test": case, **verdicts.plain(found)}

    def line(self, found: trials.Found) -> str:
        """See Trial."""
        word = "met" if found["is_met"] else "not all met"
        lines = [f"{found['test']:10} {word}: {found['line']}"]
        lines += [f"{'':10} {asked}: {answer}" for asked, answer, _ in found["answers"]]
        return "\n".join(lines)

    def judge(self, found: list[trials.Found]) -> trials.Judged:
        """See Trial."""
        about = f"seed {self.given.seed}, byte mode, {self.config.tick_ms} ms; T11 chain only"
        tests, numbers = dict(zip(self.cases, found)), gains.of_config(self.config)
        if self.given.html:
            report.write(self.given.html, page.html_page(tests, about, numbers) + "\n")
            for path, content in page.csv_files(self.given.html, tests, numbers):
                report.write(path, content)
        document = {
            "about": about,
            "tests": tests,
            "others": dict(page.OTHERS),
            "gains": [number._asdict() for number in numbers],
        }
        wrong = [each["test"] for each in found if not each["is_met"]]
        verdict = report.counted(len(found), wrong, "played tests met in all they ask")
        others = [f"{name:10} {word}" for name, word in page.OTHERS]
        return trials.Judged(document, others, verdict, not wrong)


add = trials.command("vendor-pack", VendorPack)
