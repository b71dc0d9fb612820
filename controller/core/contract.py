"""The form of a control function, and its view of a tick.

A function is a class in `policies/` with one row in `functions.py`. In each tick `core` gives it
the view and takes its answers: what it caps, limits, obliges or requests.
"""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from controller.core.answers import WIDE_W, Answer, ForDevice
from controller.core.site_devices.signals_view import DeviceView, Site, without_devices

# Order of the functions in a tick: estimates and bounds before requests, the base request before
# the fast one, which works in what the base request leaves. Before all: which signals others
# contradict, the mode of the site, then whether a meter is right.
BALANCE, MODE, PROVE, MEASURE, BOUND, BASE, FAST = range(7)

# The source of the site (View.source). ISLAND: a generator set, or the converters alone.
GRID, ISLAND = range(2)

# Behaviour of a function while an input that it needs is unknown.
TO_ZERO = "to zero"  # its request goes to zero at its ramp
DROP = "drop"  # it gives no obligation; without a grid meter row 50 forbids charging
NARROW = "narrow"  # it allows what is still known, and no more
CLOSE = "close"  # its limits close as if its threshold were reached
WAIT = "wait"  # its test waits; what is not proven stays so
HOLD = "hold"  # it goes on with what it knows
STOP = "stop"  # nothing of it acts; the fallbacks of its source act
KEEP = "keep"  # it needs no measurement; its caps and requests stay in force
# Behaviour of a function while the site is off the grid (View.is_off_grid).
ACT = "act"  # it is asked as on the grid
PAUSE = "pause"  # it gives no answer (Function.hold) and begins anew back on the grid


@dataclass(slots=True)
class View:
    """The known values of a tick; None is unknown (not fresh). Powers in W, > 0 discharges."""

    # by the test of the grid meter: measured path delay, from a change of the load to the battery's
    # answer, within its configured range; 0 while it is unknown or not believed
    path_delay_ms: int = 0
    is_meter_tested: bool = False  # the battery steps by the code of the test
    # by the core
    stored_path_delay_ms: int = 0  # of an earlier run; 0: none
    stored_peak: tuple[int, int] = (0, 0)  # of an earlier run: what peak_shaving published
    is_running: bool = False
    is_stopped_by_person: bool = False  # only a person's start can follow
    is_run_requested: bool = False  # a person's, or kept over a restart
    is_estop: bool = False  # an emergency stop is active or latched (rows 1a to 1c)
    air_temperature_ddegC: int | None = None  # of the cabinet
    module_temperature_ddegC: tuple[int, int] | None = None  # coldest, hottest
    # hottest module of each unit, within weights.HELD_DDEGC
    unit_temperature_ddegC: Sequence[int] | None = None
    source: int | None = None  # GRID or ISLAND, by the contact of the transfer switch
    is_forming: bool = False  # off the grid, a converter reports that it forms the voltage
    forming_W: int = 0  # what the kernel's limits leave of the discharge of those that form
    load_meter_W: int | None = None  # as the meter tells
    # a reply of this meter arrived in this tick
    is_load_meter_new: bool = False
    is_grid_meter_new: bool = False
    grid_meter_W: int | None = None  # as the meter tells, whether it is proven or not
    grid_W: int | None = None  # > 0 imports; this cabinet's share, like load_W and connection_W
    battery_W: int | None = None
    is_short: bool = False  # a converter gives less than it was sent (row 56b)
    soc_permille: tuple | None = None  # lowest of the racks, mean
    # by the state of health: energy of all racks when full, and power that the units should carry
    full_Wh: int = 0
    healthy_W: int = WIDE_W
    hints: tuple = (array("i", [0]), 0)  # inputs, place of the first slot
    # by the notices of sources: energy has a negative price; steps of the load to come
    is_price_negative: bool = False
    notices: tuple = ()
    # inputs, place of the first word of a table of slots that enters; by the schedule: source
    # index + 1 while a slot acts, the power that its band asks for, the fallbacks that it replaces
    schedule: tuple = (array("i", [0]), 0)
    scheduled_source: int = 0
    scheduled_W: int = 0
    scheduled_reserve_permille: int = 0
    lifted: int = 0
    # the site devices and their signals
    site: Site = field(default_factory=without_devices)
    # by stage BALANCE: generator sets carry the load, and nothing proves another source
    is_carried_by_sets: bool = False
    is_load_wrong: bool = False  # other measurements contradict the load meter
    others_W: int = 0  # draw that no meter sees, as it was on the grid
    # by stage MODE: of policies/modes.py
    mode: int = 0
    is_off_grid: bool = False
    # by load shedding: a stage of the load is open since an outage
    is_shed: bool = False
    # by the generator sets: the load that they carry off the grid
    genset_W: int = 0
    # by the chain: the largest discharge that all limits leave, without caps and obligations
    limit_W: int = 0
    # by the chain: the set-point in force; available power, after the bounds. The base request
    # takes its own part off all three.
    setpoint_W: int = 0
    low_W: int = 0
    high_W: int = 0
    # an obligation sets this end of the available power, not a cap or a limit
    is_low_obliged: bool = False
    is_high_obliged: bool = False
    # by stage MEASURE; connection_W: the import of the grid with the battery at 0
    load_source: int = 0
    load_W: int | None = None
    is_load_new: bool = False  # load_W comes from a reply of this tick
    connection_W: int | None = None
    # what the grid meter shows above what connection and set-point say: a converter that gives less
    meter_off_W: int = 0
    # import beyond that of now with the battery at 0, until the tightest obligation needs discharge
    import_room_W: int = WIDE_W
    # by the base request: a source decides on the power; load tracking pauses beside it
    is_requested: bool = False
    is_exact: bool = False


class Setup:
    """Everything that a function is built from.

    settings: {name: integer}; rated_W: of all units; source_image: of hint_sources; site: the site
    devices; functions: those built before, by name.
    """

    def __init__(
        self,
        settings: dict[str, int],
        tick_ms: int,
        rated_W: int,
        source_image: array,
        site: Site | None = None,
    ):
        self.settings, self.tick_ms, self.rated_W = settings, tick_ms, rated_W
        self.source_image = source_image
        self.site = site or without_devices()
        self.functions: dict[str, Any] = {}

    def actuators(self, roles: tuple[str, ...]) -> list[tuple[DeviceView, int]]:
        """(device, number of its first actuator) of each device of these roles."""
        found, number = [], 0
        for view in self.site.devices:
            if view.device.role.name in roles:
                found.append((view, number))
            number += len(view.device.role.actuators)
        return found

    def has_work_for(self, function: "Function") -> bool:
        """False: the function is for site devices of a role that this cabinet does not have."""
        return not function.ROLES or bool(self.actuators(function.ROLES))


class Function:
    """Base of all control functions; built from a Setup.

    NAME; STAGE of the tick; ROLES of the site devices that it commands; PARAMETERS (rows
    as in controller/core/parameters.py); TEXTS {reason code: (name, sentence, remedy)} of every
    code it gives. `state` is the array of words that it remembers and `out` the array of words it
    publishes; both are in the journal, as all `arrays`.
    """

    NAME = ""
    STAGE = BOUND
    ROLES: tuple[str, ...] = ()
    PARAMETERS: tuple[tuple, ...] = ()
    TEXTS: dict[int, tuple[str, str, str]] = {}
    state: array
    out: array = array("i")

    @staticmethod
    def output_names(source_count: int) -> Sequence[str]:
        """Name of each word of `out` in a configuration with so many sources of hints."""
        return ()

    def step(self, view: View, elapsed_ticks: int) -> Sequence[Answer | ForDevice]:
        """Answers of this tick (controller/core/answers.py), an empty sequence for none."""
        raise NotImplementedError

    def hold(self, view: View, elapsed_ticks: int) -> None:
        """In place of `step` off the grid, where its row in functions.py says PAUSE."""

    def arrays(self) -> tuple:
        """Every array that carries over to the next tick, in the order of the journal."""
        return (self.state, self.out) if self.out else (self.state,)

    def explain(self, code: int) -> tuple:
        """(name, sentence, remedy) of one of its codes; KeyError for another's."""
        return self.TEXTS[code]

    def numbers(self, code: int) -> dict[str, Any] | None:
        """{"kind": ..., numbers behind the code}, None where the sentence says everything."""
        return None
