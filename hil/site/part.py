"""Base class of the site's parts other than cabinets.

`signals`: {name: value, in the unit that the name ends with}; `ask` takes requests. `feeds_W` is
the power that the part gives, `sheds_W` the load that it has switched off. If no request comes
within the part's time-out, the part returns to its own value.
"""

import math
from collections.abc import Mapping


class SitePart:
    """parameters: from the device's role or from the site file; they replace DEFAULTS."""

    UNHEARD_S = math.inf  # after this time without a request it returns to its own value
    kind, text = "", ""  # its role, and its name on pages
    FEEDS = GIVES_WAY = False  # the part gives power; the part gives less in a surplus
    FLOW = "shed"  # the flow of account.FLOWS that counts `sheds_W`
    DEFAULTS: Mapping[str, float] = {}

    def __init__(self, parameters: Mapping[str, float]) -> None:
        self.parameters = {**self.DEFAULTS, **parameters}
        self.asked: dict[str, int] = {}
        self._heard_s = 0.0
        self.feeds_W = self.sheds_W = self.load_W = self.time_s = 0.0
        self.is_live = True  # the site has a voltage; without voltage, no part feeds in

    def ask(self, name: str, value: int) -> None:
        """Take a value that the controller wrote."""
        self.asked[name] = value
        self._heard_s = 0.0

    def begin_at(self, begin_s: float) -> None:
        """Begin at this time of the part's power file or of its own times, if it has any."""

    def step(self, time_s: float, dt_s: float, load_W: float) -> None:
        """Advance by dt_s to time_s. load_W: what the load of the site would draw."""
        self._heard_s += dt_s
        if self._heard_s > self.UNHEARD_S:
            self.asked.clear()
        self.time_s, self.load_W = time_s, load_W
        self._move(dt_s)

    def _move(self, dt_s: float) -> None:
        raise NotImplementedError

    def signals(self) -> dict[str, float]:
        """{signal of the role: value}."""
        raise NotImplementedError


def towards(value: float, target: float, dt_s: float, time_constant_s: float) -> float:
    """The value after dt_s of a first-order lag."""
    return value + (target - value) * (1 - math.exp(-dt_s / time_constant_s))
