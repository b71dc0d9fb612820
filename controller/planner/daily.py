"""Makes the plans of a day: the first plan chooses habit and caps, and the later plans keep them.

A habit is a way to plan (habits.py). A cap bounds the import that a demand charge bills.
"""

from datetime import date

from controller.core.base.schedule_table import Slot as Row
from controller.planner import habits, learnt, planning
from controller.planner.planning import Habit, Known, Planned, Site


class Daily:
    """Plans one after the other, as the process and a back-test need them."""

    def __init__(self, site: Site, habit: Habit | None = None):
        """habit: None if it is chosen each day from the last days."""
        # `site` has the present battery, `usual` the battery of the last two days (able.py).
        self.site = self.usual = site
        self._given, self._day = habit, date.min
        self.habit, self.caps_W = planning.ENERGY_ONLY, list[float]()

    def begin(self, known: Known) -> None:
        """Choose habit and caps, once a day: the choice takes as long as some tens of plans."""
        if known.time.date() != self._day:
            self._day = known.time.date()
            self.habit = self._given or habits.habit_of(self.usual, known)
            self.caps_W = learnt.caps_of(self.usual, known, self.habit)

    def rows(self, known: Known) -> list[Row]:
        """The rows of the schedule from now on. This method is a Way of backtest.py."""
        return self.planned(known).rows

    def planned(self, known: Known) -> Planned:
        """The schedule from now on."""
        self.begin(known)
        # The month may have billed a higher peak by now. A cap below that peak saves nothing.
        most_W = planning.CAP_PART * self.site.import_W
        caps_W = [min(max(pair), most_W) for pair in zip(self.caps_W, known.peaks_W, strict=True)]
        return planning.planned(self.site, known, caps_W, self.habit)
