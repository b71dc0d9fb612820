"""Types that describe a role, which is a kind of site device: its signals and its actuators.

The rest value of every actuator is 0: no PV power, generator off, nothing shed, no pre-cooling, no
heat. While a device is silent, the controller asks for 0, or holds the value if the actuator says
HOLD. Before the first reply of a device it asks for nothing.
"""

from typing import Any, NamedTuple

from drivers import plausible

POWER_W_MAX = 100_000_000
ParameterRow = tuple[str, str, int, int, Any, str]
# Behaviour of an actuator while an emergency stop is active.
TO_REST, HOLD, GO_ON = range(3)


class Signal(NamedTuple):
    """A value that a device reports, an integer within low .. high. Its name ends with its unit."""

    name: str
    low: int
    high: int
    text: str
    # margin of a power relative to the parameter `rating` (drivers/plausible.py), or None
    margin: plausible.Margin | None = None
    rating: str = "rated_W"
    # time after which a reported state counts (debounce.py); 0: at once
    settle_ms: int = 0
    # largest change of a power that counts at once, permille of its rating; 0: every change. A
    # larger one must last, or other readings must confirm it (../base/integrity.py).
    jump_permille: int = 0

    def bounds(self, settings: dict[str, int]) -> tuple[int, int]:
        """(lowest, highest) value that a device with these parameters can report."""
        if self.margin is None:
            return self.low, self.high
        low, high = plausible.limits(settings[self.rating], self.margin)
        return max(self.low, low), min(self.high, high)


def power(
    name: str,
    text: str,
    margin: plausible.Margin,
    rating: str = "rated_W",
    *,
    jump_permille: int = 0,
) -> Signal:
    """A power, W. rating: the parameter of the role to which the margin relates."""
    low_W = -POWER_W_MAX if margin[0] < 0 else 0
    bounds = margin, rating
    return Signal(name, low_W, POWER_W_MAX, text, *bounds, jump_permille=jump_permille)


def state(name: str, text: str, settle_ms: int) -> Signal:
    """A state, 0 or 1."""
    return Signal(name, 0, 1, text, settle_ms=settle_ms)


class Actuator(NamedTuple):
    """A value that a device is asked for, from 0 to `high`. Its name ends with its unit.

    Parameters of the role bound its changes: `ramp_W_per_s`, and the least times `on_s_min` and
    `off_s_min`.
    """

    name: str
    high: int | str  # a number, or the name of a parameter of the role
    text: str
    unheard: str  # what the device does by itself when it hears nothing
    feedback: str  # the signal that follows the value
    estop: int  # TO_REST, HOLD or GO_ON
    silent: int = TO_REST  # or HOLD, while the device does not answer


class Feed(NamedTuple):
    """The power that devices of a role feed into the site: `power_W` > 0, at most `rated_W`.

    The balance, the load estimate, load shedding and the page for the fire service use it.
    """

    words: str  # what the fire service must know
    # True: it can carry an island and reports `is_running`; False: its power depends on weather
    is_engine: bool = False


class Role(NamedTuple):
    """Signals, actuators and parameters that devices of one kind have in common."""

    name: str
    number: int  # in the site image, append only
    text: str
    signals: tuple[Signal, ...]  # unknown when older than the parameter `stale_ms`
    actuators: tuple[Actuator, ...] = ()
    # rows as in controller/core/parameters.py, keys of the device's table; a default may be the
    # name of an earlier parameter
    parameters: tuple[ParameterRow, ...] = ()
    feed: Feed | None = None  # None: it feeds nothing


STALE = ("stale_ms", "ms", 100, 60_000, 3000, "down")
RATED = ("rated_W", "W", 1, POWER_W_MAX, None, "down")


def least_s(name: str, default: int) -> ParameterRow:
    """Parameter for a least time of an actuator."""
    return name, "s", 0, 7200, default, "up"


def threshold(name: str, default: int) -> ParameterRow:
    """Parameter for a temperature at which an actuator switches."""
    return name, "ddegC", -400, 800, default, "free"
