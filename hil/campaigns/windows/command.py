"""`python -m hil trials windows` judges the mean import of each 15 or 30 minutes."""

from hil.campaigns.trials import Figures, Judged, Trial
from hil.campaigns.windows import course
from hil.engine.arguments import whole
from hil.runner import options
from hil.systems import run as system_run

LIMIT_W = 470_000  # for the mean import


class Windows(Trial):
    """This trial is met if the mean stayed within the limit wherever that was possible."""

    summary = "peak shaving over a quarter, with restarts and clock errors"
    mode = system_run.MODE
    own_options = {"--days": options.value(whole(1, 366), "N", "(%(default)s)", 90)}

    def draw(self) -> tuple[int, ...]:
        """The lengths of an interval, s."""
        return 900, 1800

    def play(self, case: int) -> Figures:
        """See Trial."""
        return course.play(self.arguments.seed, self.arguments.days, LIMIT_W, case)

    def judge(self, outcomes: list[Figures]) -> Judged:
        """See Trial."""
        over = sum(outcome["over"] for outcome in outcomes)
        impossible = sum(outcome["energy_short"] + outcome["power_short"] for outcome in outcomes)
        count = sum(outcome["intervals"] for outcome in outcomes) - impossible
        excess = sum(outcome["over_all"] for outcome in outcomes) - over
        beside = f"; {excess} more above it, which the battery could not keep" if excess else ""
        verdict = f"{over} of {count} possible intervals above the limit{beside}"
        closing = [line for outcome in outcomes for line in lines(outcome)]
        return Judged({"runs": outcomes}, closing, verdict, not over)


def lines(run: Figures) -> list[str]:
    """Lines about one length of interval."""
    used = run["used_permille"]
    mean = "" if used is None else f"; {used / 10:g} % in intervals that needed the battery"
    return [
        f"{run['interval_min']} min     {run['intervals']} intervals in {run['days']} days, "
        f"limit {run['limit_W'] / 1000:g} kW; {run['needed_over']} of them need the battery, "
        f"{run['with_restart']} have a restart",
        f"           impossible: {run['energy_short']} by energy (a battery that always charges "
        f"up to the limit: {run['ideal_short']}), {run['power_short']} after a restart; in all "
        f"{run['over_all']} intervals are above the limit",
        f"           above the limit although possible: {run['over']}"
        + (f", by {run['over_W']:.0f} W" if run["over"] else "")
        + f"; highest mean {run['highest_permille'] / 10:g} % of the limit{mean}",
    ]
