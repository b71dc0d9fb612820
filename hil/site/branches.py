"""Parts of the load: relays that shed stages, a scheduler that lowers load, a branch meter."""

from hil.site.part import SitePart, towards


class LoadShed(SitePart):
    """Relays that switch off stages of the load."""

    kind = "load_shed"

    @property
    def open_W(self) -> float:
        """Power of the stages that are switched off, W, also while the site is dark."""
        return self.asked.get("stages", 0) * self.parameters["stage_W"]

    def _move(self, dt_s: float) -> None:
        self.sheds_W = min(self.load_W, self.open_W)

    def signals(self) -> dict[str, float]:
        """See SitePart."""
        return {"stages": self.asked.get("stages", 0)}


class LoadCap(SitePart):
    """A load that a scheduler lowers on request. UNHEARD_S after the last request, the load runs
    again.
    """

    kind, FLOW, UNHEARD_S = "load_cap", "lowered", 60.0
    DEFAULTS = {"follows_s": 5.0}  # time constant

    def _move(self, dt_s: float) -> None:
        asked_W = min(self.asked.get("lower_W", 0), self.parameters["lower_W_max"])
        follows_s = self.parameters["follows_s"]
        self.sheds_W = min(self.load_W, towards(self.sheds_W, asked_W, dt_s, follows_s))

    def signals(self) -> dict[str, float]:
        """See SitePart."""
        return {"lowered_W": self.sheds_W, "is_ready_ok": True}


class BranchMeter(SitePart):
    """The meter of a branch that draws a fixed share of the load."""

    kind, SHARE = "meter", 0.25
    power_W = 0.0

    def _move(self, dt_s: float) -> None:
        self.power_W = self.SHARE * self.load_W

    def signals(self) -> dict[str, float]:
        """See SitePart."""
        return {"power_W": self.power_W}
