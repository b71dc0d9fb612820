"""A generator set: cranking with failed starts, warm-up, ramp, least load, cool-down, fuel.

In parallel with the grid, the set gives its base power. In an island the site sets `feeds_W`. The
set's own controller ramps the load down before the breaker opens, so that other sources see no
step.
"""

from collections.abc import Mapping

from hil.site.part import SitePart

STOPPED, CRANKING, RESTING, FAILED, WARMING, LOADED, COOLING = range(7)
DEFAULTS = {
    "start_s": 10.0,  # duration of one try to start
    "failed_starts": 0,  # the number of tries that fail
    "tries_max": 3,
    "rest_s": 10.0,  # pause between two tries
    "warm_up_s": 5.0,
    "cool_down_s": 60.0,
    "ramp_permille_per_s": 100.0,  # of the rating
    "base_permille": 700.0,
    "least_permille": 300.0,  # of the rating; with less load the engine would soot
    "tank_l": 1000.0,
    "fuel_permille": 900.0,
    "fuel_l_per_kWh": 0.22,  # at the rating; at no load idle_permille of it
    "idle_permille": 70.0,
}


class Genset(SitePart):
    """parameters: rated_W, and any of DEFAULTS. `called`: True if a transfer switch calls it."""

    kind, text, FEEDS, DEFAULTS = "genset", "Generator set", True, DEFAULTS
    state, called, tries = STOPPED, False, 0
    _left_s = 0.0

    def __init__(self, parameters: Mapping[str, float]) -> None:
        super().__init__(parameters)
        self.fuel_l = self.parameters["tank_l"] * self.parameters["fuel_permille"] / 1000

    @property
    def is_running(self) -> bool:
        """True if the engine runs and the voltage is present."""
        return self.state in (WARMING, LOADED, COOLING)

    @property
    def capacity_W(self) -> float:
        """The highest power that the set carries alone."""
        return self.parameters["rated_W"] if self.state == LOADED else 0.0

    def _move(self, dt_s: float) -> None:
        self._left_s -= dt_s
        self._change(bool(self.asked.get("run")) or self.called)
        if self.state in (LOADED, COOLING) and self.is_live:
            self._ramp(dt_s)
        else:
            self.feeds_W = 0.0
        if self.is_running:
            self._burn(dt_s)

    def _change(self, wanted: bool) -> None:
        """Go to the next state if the time of this state is over or the request has changed."""
        parameters, is_over = self.parameters, self._left_s <= 1e-9
        if self.state == STOPPED and wanted and self.fuel_l > 0:
            self._enter(CRANKING, parameters["start_s"])
        elif self.state in (CRANKING, RESTING, FAILED) and not wanted:
            self._enter(STOPPED)
        elif self.state == CRANKING and is_over:
            self._crank()
        elif self.state == RESTING and is_over:
            self._enter(CRANKING, parameters["start_s"])
        elif self.state == WARMING and is_over:
            self._enter(LOADED)
        elif self.state in (WARMING, LOADED) and not wanted:
            self._enter(COOLING, parameters["cool_down_s"])
        elif self.state == COOLING and (wanted or is_over):
            self._enter(LOADED if wanted else STOPPED)

    def _crank(self) -> None:
        parameters = self.parameters
        if self.tries > parameters["failed_starts"]:
            self._enter(WARMING, parameters["warm_up_s"])
        elif self.tries >= parameters["tries_max"]:
            self._enter(FAILED)
        else:
            self._enter(RESTING, parameters["rest_s"])

    def _enter(self, state: int, duration_s: float = 0.0) -> None:
        self.state, self._left_s = state, duration_s
        self.tries = 0 if state == STOPPED else self.tries + (state == CRANKING)

    def _ramp(self, dt_s: float) -> None:
        parameters, rated_W = self.parameters, self.parameters["rated_W"]
        base_W = parameters["base_permille"] * rated_W / 1000
        least_W = parameters["least_permille"] * rated_W / 1000
        wanted_W = max(least_W, min(base_W, self.load_W)) if self.state == LOADED else 0.0
        step_W = parameters["ramp_permille_per_s"] * rated_W / 1000 * dt_s
        self.feeds_W = max(self.feeds_W - step_W, min(self.feeds_W + step_W, wanted_W))

    def _burn(self, dt_s: float) -> None:
        parameters = self.parameters
        rated_W = parameters["rated_W"]
        full_l_per_s = parameters["fuel_l_per_kWh"] * rated_W / 3.6e6
        share = self.feeds_W / rated_W
        idle = parameters["idle_permille"] / 1000
        self.fuel_l -= full_l_per_s * (idle + (1 - idle) * share) * dt_s
        if self.fuel_l <= 0:
            self.fuel_l, self.feeds_W = 0.0, 0.0
            self._enter(STOPPED)

    def signals(self) -> dict[str, float]:
        """See SitePart."""
        states = {"is_running": self.is_running, "is_ready_ok": self.state != FAILED}
        fuel_permille = self.fuel_l / self.parameters["tank_l"] * 1000
        return {"power_W": self.feeds_W, "fuel_permille": fuel_permille, **states}
