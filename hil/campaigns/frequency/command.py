"""`python -m hil trials frequency` judges the response of a cabinet to the grid's frequency."""

from collections.abc import Sequence

from controller.config.cabinet_config import Config
from controller.series.refusal import SeriesError
from hil.campaigns.frequency import course, shapes
from hil.campaigns.trials import BYTE, Figures, Judged, Trial, count_option
from hil.engine.simulate import VirtualRig
from hil.runner import options, report

AFTER_S = 1500.0  # the return of the energy is watched for this time after the recorded case
COLUMNS = {
    "case": "case",
    "ideal_Wh": "ideal, Wh",
    "energy_permille": "given, permille",
    "error_permille": "apart, permille",
    "delay_s": "delay, s",
    "most_W": "most, W",
    "used_Wh": "used, Wh",
    "back_permille": "back, permille",
    "rest_s": "rest after, s",
}


class Frequency(Trial):
    """This trial is met if each response was near the droop's ideal and in time."""

    summary = "the response to a dip, a rise, drawn deviations and bad readings of the frequency"
    mode = BYTE
    own_options = {
        **options.CABINET,
        **count_option(1000, shapes.DRAWN, "drawn cases"),
        "--frequency": options.value(str, "FILE", "with t_s and frequency_Hz, as the first case"),
    }

    def draw(self) -> list[shapes.Case]:
        """The recorded case, the drawn ones and the bad ones. Raises WrongOptionError."""
        arguments = self.arguments
        try:
            first = (
                shapes.of_file(arguments.frequency) if arguments.frequency else shapes.built_in()
            )
            self.responding: Config = course.responding(self.config)
        except (SeriesError, OSError, ValueError) as error:
            raise options.WrongOptionError(str(error)) from None
        cases = [shapes.drawn(number, arguments.seed) for number in range(arguments.count)]
        self.start({""})
        return [first._replace(after_s=AFTER_S), *cases, *shapes.bad()]

    def rig(self, key: str) -> VirtualRig:
        """See Trial."""
        return course.started(self.responding, self.arguments.seed)

    def play(self, case: shapes.Case) -> Figures:
        """See Trial."""
        return course.play(case, self.started(""))

    def line(self, outcome: Figures) -> str | None:
        """A line for a case with faults."""
        return f"{outcome['case']:12} {', '.join(outcome['faults'])}" if outcome["faults"] else None

    def judge(self, outcomes: list[Figures]) -> Judged:
        """See Trial."""
        wrong = [outcome["case"] for outcome in outcomes if outcome["faults"]]
        verdict = report.counted(len(outcomes), wrong, "responses as promised")
        promise = (
            f"promise    at most {course.DELAY_S_MAX:g} s late, energy within "
            f"{course.ENERGY_PERMILLE_MAX / 10:g} % and power within "
            f"{course.ERROR_PERMILLE_MAX / 10:g} % of the droop's ideal"
        )
        return Judged({"cases": outcomes}, [*table(outcomes), promise], verdict, not wrong)


def table(outcomes: Sequence[Figures]) -> list[str]:
    """A table as lines, with a row for each case."""
    rows = [
        ["-" if outcome[key] is None else str(outcome[key]) for key in COLUMNS]
        for outcome in outcomes
    ]
    return report.table(tuple(COLUMNS.values()), rows)
