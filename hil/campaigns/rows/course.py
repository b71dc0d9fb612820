"""One course as data: a cause, and what must follow from it. Actions as in a scenario."""

from typing import NamedTuple

from hil import oracle
from hil.campaigns.rows.inside import INSIDE
from safety import matrix as m

STAGES = {stage[m.S_ID]: stage for stage in m.STAGES}
DISCHARGE_kW = 200


class Do(NamedTuple):
    """An action of hil/scenarios/faults.py or of inside.py, at_s after the cause begins."""

    at_s: float
    do: str
    arguments: dict

    @property
    def is_inside(self):
        """True if no wire brings it."""
        return self.do in INSIDE

    @property
    def words(self):
        """The action as the table has it."""
        values = [f"{key}={value}" for key, value in self.arguments.items()]
        later = f" after {self.at_s:g} s" if self.at_s else ""
        return " ".join([self.do, *values]) + later


def do(action, at_s=0.0, /, **arguments):
    """One Do."""
    return Do(at_s, action, arguments)


class Course(NamedTuple):
    """How one stage is brought about. Times are measured from the last action of `cause`.

    power_kW: asked for all the time, > 0 discharges. at_start: done before the first tick; before:
    after the start, settle_s before the cause. seen: plant -> True once the sensor shows the cause,
    None where it shows at once: the time until then is the sensor's. armed: stages that the example
    site does not arm. starts: the course is the start itself, power never flows. repair: done
    before a new start is asked for. soc_pct: at the start. name: of a second course of a stage.
    alone: not armed, because these stages trip as well and would do this one's work. behind: rows
    that trip before ask for all of it already, so no effect shows this stage.
    """

    stage: str
    cause: tuple
    power_kW: int = DISCHARGE_kW
    at_start: tuple = ()
    before: tuple = ()
    settle_s: float = 0.0
    seen: object = None
    armed: tuple = ()
    starts: bool = False
    repair: tuple = ()
    soc_pct: float = 55.0
    name: str = ""
    alone: tuple = ()
    behind: bool = False

    @property
    def label(self):
        """Its name in the table."""
        return self.name or self.stage

    @property
    def asks(self):
        """What its stage does, in letters of the oracle."""
        return oracle.effects(self.stage)

    def does(self, action):
        """True if the cause contains this action."""
        return any(each.do == action for each in self.cause)

    @property
    def is_inside(self):
        """True if no wire brings the cause."""
        return any(each.is_inside for each in self.cause)

    @property
    def is_stopped(self):
        """True if the controller is killed and not started again: the wiring acts alone."""
        return self.does("controller_kill") and not self.does("controller_start")

    @property
    def ends_s(self):
        """When the last action of the cause is done."""
        return max(each.at_s for each in self.cause)

    @property
    def how(self):
        """The cause in words: its actions and what was done before."""
        prepared = ", ".join(each.words for each in self.at_start + self.before)
        notes = [f"before: {prepared}"] if prepared else []
        notes += [f"not armed: {', '.join(self.alone)}"] if self.alone else []
        words = ", ".join(each.words for each in self.cause)
        return words + (f" ({'; '.join(notes)})" if notes else "")
