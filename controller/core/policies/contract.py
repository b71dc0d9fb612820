"""The form of a control function, and how the functions work together.

About twenty functions share one battery. The naive way lets each of them write the set-point: then
the last one wins, and the reason is lost. So a function never sets a power. It gives answers (caps,
limits, obligations, requests), and one chain combines them:

    Known  -->  function  -->  function  -->  ...     in the order of STAGE, on Found
                   |              |
                   +-- answers ---+-->  chain (../base/setpoint.py)  -->  set-point, reason

A function is a class in `policies/` with one row in `functions.py`. In each tick `control.py` gives
it the values of the tick (Known) and the findings of the functions before it (Found).
"""

from array import array
from collections.abc import Sequence
from typing import Any

from controller.core.base import hint_sources
from controller.core.base.answers import Answer, ForDevice
from controller.core.base.texts import Text
from controller.core.policies.found import Found as Found
from controller.core.policies.known import Known as Known
from controller.core.site_devices.signals_view import (
    DeviceView as DeviceView,
    Site,
    without_devices,
)

# Stages of a tick, in their order.
# BALANCE finds contradicted signals. MODE finds the mode of the site. PROVE tests the grid meter.
# MEASURE makes estimates. BOUND gives caps, limits and obligations. BASE gives the base request.
# FAST gives the request of load tracking, within the power that the others leave.
BALANCE, MODE, PROVE, MEASURE, BOUND, BASE, FAST = range(7)

# Behaviour of a function while an input that it needs is unknown.
TO_ZERO = "to zero"  # its request goes to zero at its ramp
DROP = "drop"  # it gives no obligation; matrix row 50 forbids charging without a grid meter
NARROW = "narrow"  # it allows only the power that the known inputs permit
CLOSE = "close"  # its limits close as if its threshold were reached
WAIT = "wait"  # its test waits; an unproven result stays unproven
HOLD = "hold"  # it continues with the inputs that it knows
STOP = "stop"  # it does not act; the fallbacks of the hint source that sent the schedule hold
KEEP = "keep"  # it needs no measurement; its caps and requests stay in force
# Behaviour of a function while the site is off the grid (Found.is_off_grid).
ACT = "act"  # it works as on the grid
PAUSE = "pause"  # it gives no answer (Function.hold) and begins anew when the grid is back


# Name, unit, low, high, default and tighter direction of a parameter (../parameters.py).
ParameterRow = tuple[str, str, int, int, int, str]


class Setup:
    """Data from which a function is built. functions: {name: each function built before it}."""

    def __init__(
        self,
        settings: dict[str, int],
        tick_ms: int,
        rated_W: int,
        source_image: "array[int]",
        site: Site | None = None,
    ):
        """rated_W: sum of all units; source_image: see hint_sources. Raises ValueError for an image
        of another version.
        """
        self.settings, self.tick_ms, self.rated_W = settings, tick_ms, rated_W
        self.sources = hint_sources.sources(source_image)
        self.site = site or without_devices()
        self.functions: dict[str, Any] = {}

    def actuators(self, roles: tuple[str, ...]) -> list[tuple[DeviceView, int]]:
        """(device, number of its first actuator) of each device of these roles."""
        devices, number = [], 0
        for view in self.site.devices:
            if view.device.role.name in roles:
                devices.append((view, number))
            number += len(view.device.role.actuators)
        return devices


class Function:
    """Base of all control functions; built from a Setup. The journal holds all its `arrays`."""

    NAME = ""
    STAGE = BOUND
    ROLES: tuple[str, ...] = ()  # roles of the site devices that it commands
    READS: tuple[str, ...] = ()  # fields of Known and Found
    BEFORE: tuple[str, ...] = ()  # fields of Found that it reads as the previous tick left them
    WRITES: tuple[str, ...] = ()  # fields of Found, which no other function writes
    ASKS: tuple[str, ...] = ()  # functions built before it whose state it reads or sets
    PARAMETERS: tuple[ParameterRow, ...] = ()  # rows as in controller/core/parameters.py
    TEXTS: dict[int, Text] = {}  # text of every reason code that it gives
    OUTPUTS: tuple[str, ...] = ()  # names of the words of `out`
    state: "array[int]" = array("i")  # words that it remembers
    more: Sequence["array[int]"] = ()  # further arrays that it remembers
    out: "array[int]" = array("i")  # words that it publishes

    def __init__(self, setup: Setup):
        """Keep what `step` needs of the setup."""

    @classmethod
    def output_names(cls, source_count: int) -> Sequence[str]:
        """Name of each word of `out`. source_count: number of hint sources."""
        return cls.OUTPUTS

    def step(
        self, known: Known, findings: Found, elapsed_ticks: int
    ) -> Sequence[Answer | ForDevice]:
        """Answers of this tick (controller/core/base/answers.py), an empty sequence for none."""
        raise NotImplementedError

    def hold(self, known: Known, findings: Found, elapsed_ticks: int) -> None:
        """Called off the grid instead of `step`, if the row in functions.py says PAUSE."""

    def contradicted(self) -> list[tuple[str, int]]:
        """(name, reason code) of each reading that is unknown, because it is contradicted."""
        return []

    def arrays(self) -> list["array[int]"]:
        """The arrays that carry over to the next tick, in the order of the journal."""
        return [self.state, *self.more, *([self.out] if self.out else [])]

    def numbers(self, code: int) -> dict[str, Any] | None:
        """{"kind": ..., numbers that explain the code}; None if its sentence says everything."""
        return None
