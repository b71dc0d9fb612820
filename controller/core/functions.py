"""The table of control functions, in the order of their state in the journal (append only).

A row says what the function does while an input that it needs is unknown, and what it does off the
grid. The control image has the parameters in the same order, but those of the reserve come first.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from controller.core.policies import found
from controller.core.policies.contract import (
    ACT,
    BOUND,
    CLOSE,
    DROP,
    HOLD,
    KEEP,
    NARROW,
    PAUSE,
    STOP,
    TO_ZERO,
    WAIT,
    Function,
    ParameterRow,
)
from controller.core.policies.droop import Droop
from controller.core.policies.fan_boost import FanBoost
from controller.core.policies.formed import Formed
from controller.core.policies.genset_start import GensetStart
from controller.core.policies.grid_contact import GridContact
from controller.core.policies.health_cap import HealthCap
from controller.core.policies.hint_request import HintRequest
from controller.core.policies.hint_table import HintTable
from controller.core.policies.known import Known
from controller.core.policies.load_cap import LoadCap
from controller.core.policies.meter_sign import MeterSign
from controller.core.policies.modes import Modes
from controller.core.policies.notices import Notices
from controller.core.policies.peak_shaving import PeakShaving
from controller.core.policies.pre_cool import PreCool
from controller.core.policies.pre_heat import PreHeat
from controller.core.policies.pv_limit import PvLimit
from controller.core.policies.pv_ramp import PvRamp
from controller.core.policies.reserve import Reserve
from controller.core.policies.schedule import Schedule
from controller.core.policies.shed import Shed
from controller.core.policies.site_balance import SiteBalance
from controller.core.policies.site_load import SiteLoad
from controller.core.policies.step_test import StepTest
from controller.core.policies.track import Track

FALLBACKS = {
    # function: (while an input is unknown, off the grid)
    Track: (TO_ZERO, PAUSE),
    SiteLoad: (NARROW, PAUSE),
    Reserve: (CLOSE, ACT),
    HintTable: (DROP, ACT),
    HintRequest: (KEEP, PAUSE),
    PeakShaving: (DROP, PAUSE),
    MeterSign: (WAIT, PAUSE),
    PvLimit: (NARROW, ACT),
    Shed: (HOLD, ACT),
    GensetStart: (HOLD, ACT),
    PreCool: (HOLD, ACT),
    Notices: (KEEP, ACT),
    Schedule: (STOP, PAUSE),
    FanBoost: (HOLD, ACT),
    PreHeat: (TO_ZERO, ACT),
    HealthCap: (HOLD, ACT),
    Modes: (WAIT, ACT),
    SiteBalance: (WAIT, ACT),
    Formed: (WAIT, ACT),
    LoadCap: (HOLD, ACT),
    StepTest: (KEEP, PAUSE),
    GridContact: (DROP, PAUSE),
    PvRamp: (TO_ZERO, PAUSE),
    Droop: (TO_ZERO, PAUSE),
}
FUNCTIONS = tuple(FALLBACKS)
PAUSED = frozenset(
    [function.NAME for function, (_, off_grid) in FALLBACKS.items() if off_grid == PAUSE]
)
PARAMETERS: tuple[ParameterRow, ...] = tuple(
    row
    for function in sorted(FUNCTIONS, key=lambda function: function is not Reserve)
    for row in function.PARAMETERS
)
TEXTS = {code: text for function in FUNCTIONS for code, text in function.TEXTS.items()}


def in_turn(functions: Iterable[Any]) -> list[Any]:
    """Return the functions sorted by stage; within a stage they keep the order of FUNCTIONS."""
    return sorted(functions, key=lambda function: function.STAGE)


def writers(functions: Sequence[type[Function]]) -> dict[str, str]:
    """{field of Found: name of its writer}. ValueError if two functions write one field, or if a
    function reads a field that does not exist, has no writer, or is written later.
    """
    turn = in_turn(functions)
    fields = vars(found.Found()).keys()
    written = dict.fromkeys(found.FIRST, found.CHAIN)
    for function in turn:
        if function.STAGE > BOUND:
            written |= dict.fromkeys(found.BOUNDED, found.CHAIN)
        for name in function.READS:
            if name not in written and name not in Known._fields:
                raise ValueError(f"{function.NAME} reads {name}, which nothing has written yet")
        for name in function.WRITES:
            if name in written or name in found.BOUNDED:
                by = written.get(name, found.CHAIN)
                raise ValueError(f"{function.NAME} writes {name}, as {by} does")
            if name not in fields:
                raise ValueError(f"{function.NAME} writes {name}, which Found does not have")
            written[name] = function.NAME
    for function in turn:
        for name in function.BEFORE:
            if name not in written:
                raise ValueError(f"{function.NAME} reads {name}, which nothing writes")
    return written


WRITERS = writers(FUNCTIONS)
BEFORE = tuple(sorted({name for function in FUNCTIONS for name in function.BEFORE}))


def output_names(source_count: int) -> list[str]:
    """Names of all words that the functions publish. source_count: number of hint sources."""
    return [name for function in FUNCTIONS for name in function.output_names(source_count)]
