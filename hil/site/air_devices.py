"""Site devices that act on a cabinet's air: its fans and its heater."""

import math
from collections.abc import Iterable

from hil.site.cooling import Chiller
from hil.site.part import SitePart

UNHEARD_S = 60.0  # after this time without a request, the relay opens


class Heater(SitePart):
    """A heater whose whole power warms the air. Without voltage of the site, no power is drawn."""

    kind = "heater"
    UNHEARD_S = UNHEARD_S
    power_W = 0.0

    def _move(self, dt_s: float) -> None:
        self.power_W = self.parameters["rated_W"] * self.asked.get("heat", 0) * self.is_live

    def signals(self) -> dict[str, float]:
        """See SitePart."""
        return {"power_W": self.power_W, "is_ready_ok": True}


class Fan(SitePart):
    """`flow`: air flow / flow that the fan's own control gives. Cooling is proportional to it."""

    kind = "fan"
    UNHEARD_S = UNHEARD_S
    BOOST = 1.5

    @property
    def flow(self) -> float:
        """Relative air flow; 1 without a request to boost."""
        return self.BOOST if self.asked.get("boost") else 1.0

    def _move(self, dt_s: float) -> None:
        """A fan has no inertia here."""

    def signals(self) -> dict[str, float]:
        """See SitePart."""
        return {"speed_permille": 1000 * self.flow / self.BOOST, "is_ready_ok": True}


def heater_W(parts: Iterable[SitePart]) -> float:
    """Sum of the power of the heaters, W."""
    return math.fsum([part.power_W for part in parts if isinstance(part, Heater)])


def colder_K(parts: Iterable[SitePart]) -> float:
    """Reduction of the air's set-point, K. The chiller's water is colder by the same amount."""
    return max([part.colder_K for part in parts if isinstance(part, Chiller)], default=0.0)


def flow(parts: Iterable[SitePart], unit: int) -> float:
    """Air flow to the racks of a unit (from 1), relative to the design."""
    flows = [
        part.flow
        for part in parts
        if isinstance(part, Fan) and part.parameters["fan_unit"] in (0, unit)
    ]
    return max(flows, default=1.0)
