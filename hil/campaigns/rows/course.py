"""A course is a test case as data: the cause that trips a stage, and its circumstances.

A stage is one threshold of the cause-and-effect matrix.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from hil.campaigns.rows.inside import INSIDE
from hil.oracle import design
from hil.plant.cabinet import CabinetPlant

DISCHARGE_kW = 200


class Do(NamedTuple):
    """An action of hil/scenarios/faults.py or inside.py, at_s after the start of the cause."""

    at_s: float
    do: str
    arguments: dict[str, Any]

    @property
    def is_inside(self) -> bool:
        """True if the action works inside the controller, not over a wire."""
        return self.do in INSIDE

    @property
    def words(self) -> str:
        """The action as the table shows it."""
        values = [f"{key}={value}" for key, value in self.arguments.items()]
        later = f" after {self.at_s:g} s" if self.at_s else ""
        return " ".join([self.do, *values]) + later


def do(action: str, at_s: float = 0.0, /, **arguments: Any) -> Do:
    """Make one action (a Do)."""
    return Do(at_s, action, arguments)


class Course(NamedTuple):
    """Trips one stage. Times are measured from the last action of `cause`.

    - power_kW: requested all the time, > 0 discharges; soc_pct: charge at the start;
    - at_start: actions before the first tick; before: actions settle_s before the cause; repair:
      actions before a new start is requested;
    - seen: plant -> True when the sensor shows the cause; None: at once. Effects are measured
      from then on;
    - armed: stages to arm that the example site does not arm; alone: stages to disarm, because
        they would also trip, with the same effects;
    - starts: the test case is a start, so power never flows;
    - behind: rows that trip earlier cause all its effects, so only the trip is checked;
    - name: label of a further course of the same stage; "" for the first one.
    """

    stage: str
    cause: tuple[Do, ...]
    power_kW: int = DISCHARGE_kW
    at_start: tuple[Do, ...] = ()
    before: tuple[Do, ...] = ()
    settle_s: float = 0.0
    seen: Callable[[CabinetPlant], bool] | None = None
    armed: tuple[str, ...] = ()
    starts: bool = False
    repair: tuple[Do, ...] = ()
    soc_pct: float = 55.0
    name: str = ""
    alone: tuple[str, ...] = ()
    behind: bool = False

    @property
    def label(self) -> str:
        """Name of the course in the table."""
        return self.name or self.stage

    @property
    def asks(self) -> set[str]:
        """The effects of the stage, in the oracle's letters."""
        return design.effects(self.stage)

    def does(self, action: str) -> bool:
        """True if the cause contains this action."""
        return any(act.do == action for act in self.cause)

    @property
    def is_inside(self) -> bool:
        """True if the cause works inside the controller, not over a wire."""
        return any(act.is_inside for act in self.cause)

    @property
    def is_by_wiring_alone(self) -> bool:
        """True if the controller stays killed, so that only the wiring acts."""
        return self.does("controller_kill") and not self.does("controller_start")

    @property
    def ends_s(self) -> float:
        """Time of the last action of the cause, s."""
        return max(act.at_s for act in self.cause)

    @property
    def how(self) -> str:
        """The cause as text: its actions, and the actions before it."""
        prepared = ", ".join(act.words for act in self.at_start + self.before)
        notes = [f"before: {prepared}"] if prepared else []
        notes += [f"not armed: {', '.join(self.alone)}"] if self.alone else []
        text = ", ".join(act.words for act in self.cause)
        return text + (f" ({'; '.join(notes)})" if notes else "")
