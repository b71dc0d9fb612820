"""Base of the parts of a site beside the cabinets: `signals` {name: value in the unit of the name},
requests by `ask`; it feeds in `feeds_W` and has switched off `sheds_W` of the load. A part that was
not asked for its time-out goes back to its own value.
"""

import math
from collections.abc import Mapping


class SitePart:
    """parameters: those of the device's role or of the site's file, beside DEFAULTS."""

    UNHEARD_S = math.inf  # until it goes back to its own value
    kind, text = "", ""  # its role, and its name on pages
    FEEDS = GIVES_WAY = False  # it gives power to the site; less of it, on a surplus
    FLOW = "shed"  # account of the energy of `sheds_W`
    DEFAULTS: Mapping[str, float] = {}

    def __init__(self, parameters: Mapping[str, float]) -> None:
        self.parameters = {**self.DEFAULTS, **parameters}
        self.asked: dict[str, int] = {}
        self._heard_s = 0.0
        self.feeds_W = self.sheds_W = 0.0
        self.is_live = True  # the site has a voltage: without one nothing feeds in

    def ask(self, name: str, value: int) -> None:
        """A write of the controller."""
        self.asked[name] = value
        self._heard_s = 0.0

    def begin_at(self, begin_s: float) -> None:
        """A file of its power begins at this time of it."""

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


def towards(value: float, target: float, dt_s: float, time_constant_s: float) -> float:
    """The value after dt_s of a first-order lag."""
    return value + (target - value) * (1 - math.exp(-dt_s / time_constant_s))
