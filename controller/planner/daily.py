"""Plans one after the other: habit and cap of a day are chosen at its first one, from the past."""

from datetime import date

from controller.core.base.schedule_table import Slot as Row
from controller.planner import habits, learnt, planning
from controller.planner.planning import Habit, Known, Planned, Site


class Daily:
    """Plans one after the other, as the process and a back-test make them."""

    def __init__(self, site: Site, habit: Habit | None = None) -> None:
        """No habit: the last days show it."""
        # site: of the plan; usual: by which habit and caps of a day are chosen (able.py)
        self.site = self.usual = site
        self._given, self._day = habit, date.min
        self.habit, self.caps_W = planning.ENERGY_ONLY, list[float]()

    def begin(self, known: Known) -> None:
        """Choose for this day: once a day, which takes as long as some tens of plans."""
        if known.time.date() != self._day:
            self._day = known.time.date()
            self.habit = self._given or habits.habit_of(self.usual, known)
            self.caps_W = learnt.caps_of(self.usual, known, self.habit)

    def rows(self, known: Known) -> list[Row]:
        """The rows of the schedule from now on: a way of backtest.py."""
        return self.planned(known).rows

    def planned(self, known: Known) -> Planned:
        """The schedule from now on."""
        self.begin(known)
        # what the month has paid since then is not undercut
        most_W = planning.CAP_PART * self.site.import_W
        caps_W = [min(max(each), most_W) for each in zip(self.caps_W, known.peaks_W, strict=True)]
        return planning.planned(self.site, known, caps_W, self.habit)
