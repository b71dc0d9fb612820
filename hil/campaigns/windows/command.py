"""`python -m hil trials windows` judges the mean import of each 15 or 30 minutes."""

from hil.campaigns.trials import Found, Judged, Trial
from hil.campaigns.windows import course
from hil.engine.arguments import whole
from hil.runner import options
from hil.systems import run as system_run

LIMIT_W = 470_000  # for the mean import


class Windows(Trial):
    """This trial is met if the mean stayed within the limit wherever that was possible."""

    words = "peak shaving over a quarter, with restarts and clock errors"
    mode = system_run.MODE
    own_options = {"--days": options.value(whole(1, 366), "N", "(%(default)s)", 90)}

    def draw(self) -> tuple[int, ...]:
        """The lengths of an interval, s."""
        return 900, 1800

    def play(self, case: int) -> Found:
        """See Trial."""
        return course.play(self.given.seed, self.given.days, LIMIT_W, case)

    def judge(self, found: list[Found]) -> Judged:
        """See Trial."""
        over = sum(each["over"] for each in found)
        impossible = sum(each["energy_short"] + each["power_short"] for each in found)
        count = sum(each["intervals"] for each in found) - impossible
        others = sum(each["over_all"] for each in found) - over
        beside = f"; {others} more above it, which the battery could not keep" if others else ""
        verdict = f"{over} of {count} possible intervals above the limit{beside}"
        closing = [line for each in found for line in lines(each)]
        return Judged({"runs": found}, closing, verdict, not over)


def lines(found: Found) -> list[str]:
    """Lines about one length of interval."""
    used = found["used_permille"]
    mean = "" if used is None else f"; {used / 10:g} % in intervals that needed the battery"
    return [
        f"{found['interval_min']} min     {found['intervals']} intervals in {found['days']} days, "
        f"limit {found['limit_W'] / 1000:g} kW; {found['needed_over']} of them need the battery, "
        f"{found['with_restart']} have a restart",
        f"           impossible: {found['energy_short']} by energy (a battery that always charges "
        f"up to the limit: {found['ideal_short']}), {found['power_short']} after a restart; in all "
        f"{found['over_all']} intervals are above the limit",
        f"           above the limit although possible: {found['over']}"
        + (f", by {found['over_W']:.0f} W" if found["over"] else "")
        + f"; highest mean {found['highest_permille'] / 10:g} % of the limit{mean}",
    ]
