"""Plans one after the other: habit and cap of a day are chosen at its first one, from the past."""

from datetime import date

from controller.core.base.schedule_table import Slot as Row
from controller.planner import planning
from controller.planner.planning import Habit, Known, Planned, Site


class Daily:
    """Plans one after the other, as the process and a back-test make them."""

    def __init__(self, site: Site, habit: Habit | None = None) -> None:
        """No habit: the last days show it."""
        # site: of the plan; usual: by which habit and cap of a day are chosen (able.py)
        self.site = self.usual = site
        self._given, self._day = habit, date.min
        self.habit, self.cap_W = planning.ENERGY_ONLY, 0.0

    def begin(self, known: Known) -> None:
        """Choose for this day: once a day, which takes as long as some tens of plans."""
        if known.time.date() != self._day:
            self._day = known.time.date()
            self.habit = self._given or planning.habit_of(self.usual, known)
            self.cap_W = planning.cap_of(self.usual, known._replace(peak_W=0.0), self.habit)

    def rows(self, known: Known) -> list[Row]:
        """The rows of the schedule from now on: a way of backtest.py."""
        return self.planned(known).rows

    def planned(self, known: Known) -> Planned:
        """The schedule from now on."""
        self.begin(known)
        # what the month has paid already is not undercut
        most_W = planning.CAP_PART * self.site.import_W
        cap_W = min(max(self.cap_W, known.peak_W), most_W)
        return planning.planned(self.site, known, cap_W, self.habit)
