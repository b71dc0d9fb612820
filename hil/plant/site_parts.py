"""The parts of a site beside the cabinet: PV, generator set, load shedding, chiller; plain floats.

Each part has `signals` {name: value in the unit of the name} and takes requests by `ask`. It feeds
in `feeds_W` and has switched off `sheds_W` of the load.
A part that was not asked for its time-out goes back to its own value.
"""

import math
from collections.abc import Callable

DAY_S = 86_400


class SitePart:
    """Base of all parts. parameters: those of the device's role."""

    UNHEARD_S = math.inf  # until it goes back to its own value

    def __init__(self, parameters: dict[str, int]):
        self.parameters = parameters
        self.asked: dict[str, int] = {}
        self._heard_s = 0.0
        self.feeds_W = self.sheds_W = 0.0

    def ask(self, name: str, value: int) -> None:
        """A write of the controller."""
        self.asked[name] = value
        self._heard_s = 0.0

    def step(self, time_s: float, dt_s: float, load_W: float) -> None:
        """Advance by dt_s. load_W: what the site would draw."""
        self._heard_s += dt_s
        if self._heard_s > self.UNHEARD_S:
            self.asked.clear()
        self._move(time_s, dt_s, load_W)

    def _move(self, time_s: float, dt_s: float, load_W: float) -> None:
        raise NotImplementedError

    def signals(self) -> dict[str, float]:
        """{signal of the role: value}."""
        raise NotImplementedError


def clear_sky(time_s: float) -> float:
    """Share of the rated power at a time of day: a sine between 6 and 18 h."""
    return max(0.0, math.sin(math.pi * (time_s % DAY_S / DAY_S * 2 - 0.5)))


class Pv(SitePart):
    """An inverter that follows its limit within a second."""

    UNHEARD_S, TIME_CONSTANT_S = 60.0, 0.5

    def __init__(self, parameters: dict[str, int], share: Callable[[float], float] = clear_sky):
        super().__init__(parameters)
        self.share = share
        self.available_W = 0.0

    def _move(self, time_s: float, dt_s: float, load_W: float) -> None:
        rated_W = self.parameters["rated_W"]
        self.available_W = rated_W * self.share(time_s)
        wanted_W = min(self.available_W, self.asked.get("limit_W", rated_W))
        part = 1 - math.exp(-dt_s / self.TIME_CONSTANT_S)
        self.feeds_W += (wanted_W - self.feeds_W) * part

    def signals(self) -> dict[str, float]:
        """As SitePart says."""
        return {"power_W": self.feeds_W, "available_W": self.available_W}


class Genset(SitePart):
    """A generator set that takes its base power 15 s after the start, and cools down for 60 s."""

    START_S, COOL_DOWN_S, BASE_SHARE, LITRES_SHARE_PER_S = 15.0, 60.0, 0.7, 1 / (24 * 3600)

    def __init__(self, parameters: dict[str, int]):
        super().__init__(parameters)
        self._run_s = self._cool_s = 0.0
        self.is_running, self.fuel_share = False, 0.9

    def _move(self, time_s: float, dt_s: float, load_W: float) -> None:
        if self.asked.get("run"):
            self._run_s, self._cool_s = self._run_s + dt_s, self.COOL_DOWN_S
        else:
            self._run_s, self._cool_s = 0.0, max(0.0, self._cool_s - dt_s)
        self.is_running = self._run_s >= self.START_S or 0 < self._cool_s < self.COOL_DOWN_S
        gives = self._run_s >= self.START_S and self.fuel_share > 0
        base_W = self.BASE_SHARE * self.parameters["rated_W"]
        self.feeds_W = min(base_W, load_W) if gives else 0.0
        if self.is_running:
            self.fuel_share = max(0.0, self.fuel_share - dt_s * self.LITRES_SHARE_PER_S)

    def signals(self) -> dict[str, float]:
        """As SitePart says."""
        states = {"is_running": self.is_running, "is_ready_ok": True}
        return {"power_W": self.feeds_W, "fuel_permille": self.fuel_share * 1000, **states}


class LoadShed(SitePart):
    """Relays that switch off stages of the load."""

    def _move(self, time_s: float, dt_s: float, load_W: float) -> None:
        self.sheds_W = min(load_W, self.asked.get("stages", 0) * self.parameters["stage_W"])

    def signals(self) -> dict[str, float]:
        """As SitePart says."""
        return {"stages": self.asked.get("stages", 0)}


class Chiller(SitePart):
    """A chiller whose water is 12 degC, with pre-cooling 8 degC."""

    NORMAL_ddegC, COLD_ddegC, TIME_CONSTANT_S = 120.0, 80.0, 300.0

    def __init__(self, parameters: dict[str, int]):
        super().__init__(parameters)
        self.supply_ddegC = self.NORMAL_ddegC

    def _move(self, time_s: float, dt_s: float, load_W: float) -> None:
        wanted_ddegC = self.COLD_ddegC if self.asked.get("pre_cool") else self.NORMAL_ddegC
        part = 1 - math.exp(-dt_s / self.TIME_CONSTANT_S)
        self.supply_ddegC += (wanted_ddegC - self.supply_ddegC) * part

    def signals(self) -> dict[str, float]:
        """As SitePart says."""
        return {"supply_temperature_ddegC": self.supply_ddegC, "is_ready_ok": True}


class BranchMeter(SitePart):
    """A meter of a branch that draws a fixed share of the load."""

    SHARE = 0.25

    def __init__(self, parameters: dict[str, int]):
        super().__init__(parameters)
        self.power_W = 0.0

    def _move(self, time_s: float, dt_s: float, load_W: float) -> None:
        self.power_W = self.SHARE * load_W

    def signals(self) -> dict[str, float]:
        """As SitePart says."""
        return {"power_W": self.power_W}


PARTS = {
    "pv": Pv,
    "genset": Genset,
    "load_shed": LoadShed,
    "chiller": Chiller,
    "meter": BranchMeter,
}
