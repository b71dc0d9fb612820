"""Parts of the load's wiring: relays that shed stages of it, and the meter of a branch."""

from hil.site.part import SitePart


class LoadShed(SitePart):
    """Relays that switch off stages of the load."""

    kind = "load_shed"

    @property
    def open_W(self) -> float:
        """Power of the stages that are switched off, also while the site is dark."""
        return self.asked.get("stages", 0) * self.parameters["stage_W"]

    def _move(self, time_s: float, dt_s: float, load_W: float) -> None:
        self.sheds_W = min(load_W, self.open_W)

    def signals(self) -> dict[str, float]:
        """See SitePart."""
        return {"stages": self.asked.get("stages", 0)}


class BranchMeter(SitePart):
    """A meter of a branch that draws a fixed share of the load."""

    kind, SHARE = "meter", 0.25
    power_W = 0.0

    def _move(self, time_s: float, dt_s: float, load_W: float) -> None:
        self.power_W = self.SHARE * load_W

    def signals(self) -> dict[str, float]:
        """See SitePart."""
        return {"power_W": self.power_W}
