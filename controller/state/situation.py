"""A cabinet and its connection in plain numbers: the input of ask.py.

`of_control` reads the control functions, in a shadow of the controller or in a simulation.
`of_journal` reads a running controller.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from controller.core import parameters, reasons, setpoint
from controller.core.answers import WIDE_W
from controller.core.control import Control
from controller.core.policies import hint_outputs, peak_shaving, schedule as of_slots, site_load
from controller.core.policies.hint_table import HintTable
from controller.core.policies.notices import Notices
from controller.core.policies.track import Track
from controller.core.schedule_table import Slot
from controller.journal.history import Moment
from controller.journal.ring import JournalError
from controller.journal.snapshot import Shadow, ticks
from safety import parameters as p, signals as s
from safety.kernel import Kernel

LOOK_BACK_MS = 300_000
DAY_S = 86_400
# the forecast follows the course of these over the time
_BY_TIME = (peak_shaving.PEAK_SHAVING, reasons.SCHEDULE_GRID_CAP)
_OF_RESERVE = (reasons.RESERVE_PEAKS, reasons.RESERVE_PEAKS_SOC_UNKNOWN)
_OF_SLOT = (reasons.SCHEDULE_BAND, reasons.SCHEDULE_RESERVE)


class Peak(NamedTuple):
    """Peak shaving by the clock: the interval of now. margin_Ws: import that may be uncounted."""

    limit_W: int
    interval_s: int
    age_s: int
    used_Ws: float
    margin_Ws: float


class Connection(NamedTuple):
    """This cabinet's share of the connection. seen_W: import with the battery at 0, in the last
    minutes; import_reason: code of the tightest import maximum.
    """

    seen_W: tuple[int, ...]
    import_W_max: int
    import_reason: int
    export_W_max: int
    share_permille: int


class Battery(NamedTuple):
    """Limits and reasons of now. remaining_Wh: above the peaks reserve, as published; full_Wh: of
    all racks, by their health; soc_permille: mean of the racks; taper_ddegC: of the hottest module,
    for full power and for none.
    """

    charge_W_max: int
    discharge_W_max: int
    discharge_reason: int
    rated_W: int
    remaining_Wh: int
    full_Wh: int
    reserve_permille: int
    soc_permille: int
    target_permille: int
    efficiency_permille: int
    hottest_ddegC: int
    taper_ddegC: tuple[int, int]


class Tracking(NamedTuple):
    """Load tracking. choice_W: (low, high) that caps leave; base_W: asked for by a hint; reference:
    its words; energy_Wh: that load tracking counts with.
    """

    choice_W: tuple[int, int]
    base_W: int
    is_requested: bool
    is_exact: bool
    reference: tuple[int, ...]
    energy_Wh: int
    energy_share_permille: int
    path_delay_ms: int


class Situation(NamedTuple):
    """The known state of a cabinet; powers in W, > 0 discharges.

    unknown: words for each value without which no answer is known; unknown_battery: for each one
    that counts if the battery is needed. slots: (begin, end, slot), in s from now. steps: (s from
    now, W) by notices.
    """

    unknown: tuple[str, ...]
    unknown_battery: tuple[str, ...]
    connection: Connection
    battery: Battery
    tracking: Tracking
    peak: Peak | None
    slots: tuple[tuple[int, int, Slot], ...]
    steps: tuple[tuple[int, int], ...]


def of_journal(path: str, pause: Callable[[], object]) -> Situation:
    """The situation of a running controller. pause: waits a little for its next tick. Raises
    JournalError (one line) without a controller.
    """
    shadow = Shadow(path)
    try:
        shadow.reader.skip()
        is_live = ticks(shadow.reader, pause)
        if not shadow.update() or not shadow.settled:
            raise JournalError(f"{path}: the controller has not made two ticks yet")
        core = shadow.core
        found = of_control(core.control, core.settings, core.kernel, _connections(shadow))
        wrong = ["the controller has stopped ticking"] * (not is_live)
        wrong += ["another version wrote the journal"] * shadow.differs
        return found._replace(unknown=(*wrong, *found.unknown))
    finally:
        shadow.close()


def _connections(shadow: Shadow) -> list[int]:
    """Import with the battery at 0 in each keyframe of LOOK_BACK_MS, W; nothing while unknown."""
    sequence, tick_ms = shadow.sequence or 0, shadow.core.safety_image[p.H_TICK_MS]
    moment, found = Moment(shadow), []
    for frame in shadow.reader.recent(sequence - LOOK_BACK_MS // tick_ms):
        moment.take(frame)
        found += connection_of(moment.core.control)
    return found


def connection_of(control: Control) -> list[int]:
    """[import with the battery at 0, W], [] while it is unknown."""
    state = control.functions[site_load.SiteLoad.NAME].state
    known = state[site_load.S_CONNECTION_OK]
    return [state[site_load.S_CONNECTION_W]] if known else []


def of_control(
    control: Control, settings: dict[str, int], kernel: Kernel, connections_W: Sequence[int]
) -> Situation:
    """connections_W: of the last minutes, the oldest first."""
    view = control.view
    battery = _battery(control, settings, kernel)
    unknown_battery = []
    if view.soc_permille is None or battery.remaining_Wh < 0:
        unknown_battery.append("the state of charge: check the BMS")
    if view.module_temperature_ddegC is None:
        unknown_battery.append("the temperature of the modules: check the BMS")
    unknown = []
    if view.connection_W is None:
        unknown.append(f"the power of the connection: {_of_meters(kernel)}")
    if view.is_off_grid:
        unknown.append("when the grid comes back: the site is off the grid")
    return Situation(
        tuple(unknown),
        tuple(unknown_battery),
        _connection(control, settings, connections_W),
        battery,
        _tracking(control, settings),
        _peak(control, settings),
        _slots(control),
        _steps(control, settings[parameters.SHARE]),
    )


def _of_meters(kernel: Kernel) -> str:
    """Why the power of the connection is unknown, with the remedy."""
    ages, meters = (
        kernel.features.ages,
        {"grid meter": s.G_METER_GRID, "load meter": s.G_METER_LOAD},
    )
    silent = [name for name, at in meters.items() if ages.expected[at] and not ages.seen[at]]
    if silent:
        return f"no answer yet since the start by {' and '.join(silent)}, ask again in 10 s"
    return "check grid meter and load meter"


def _connection(
    control: Control, settings: dict[str, int], connections_W: Sequence[int]
) -> Connection:
    """The limits leave out each one that follows a clock."""
    now_W = control.view.connection_W
    seen_W = (*connections_W, *(() if now_W is None else (now_W,)))
    imported = settings["grid_import_W_max"], reasons.GRID_IMPORT
    export_W = settings["grid_export_W_max"]
    for each in control.chain.obligations.standing:
        if now_W is None or each.rank == site_load.GRID_CONNECTION or each.low_reason in _BY_TIME:
            continue
        imported = min(imported, (max(0, now_W - each.low_W), each.low_reason))
        export_W = min(export_W, max(0, each.high_W - now_W))
    return Connection(seen_W, *imported, export_W, settings[parameters.SHARE])


def _battery(control: Control, settings: dict[str, int], kernel: Kernel) -> Battery:
    limits, view = control.chain.limits, control.view
    soc, degC = view.soc_permille, view.module_temperature_ddegC
    return Battery(
        -limits.low_W,
        limits.high_W,
        limits.high_reason,
        sum(_of_units(kernel, p.U_RATED_W)),
        control.functions[HintTable.NAME].out[hint_outputs.O_REMAINING_WH],
        max(1, view.full_Wh),
        settings["soc_reserve_peaks_permille"],
        soc[1] if soc else 0,
        settings["soc_target_permille"],
        min(_of_units(kernel, p.U_EFFICIENCY_PERMILLE_MIN)),
        degC[1] if degC else 0,
        kernel.bounds.racks.tapers[1][0],
    )


def _of_units(kernel: Kernel, word: int) -> list[int]:
    first = kernel.bounds.map.unit + word
    return [kernel.image[first + unit * p.UNIT_WORDS] for unit in range(kernel.layout.units)]


def _tracking(control: Control, settings: dict[str, int]) -> Tracking:
    out, view = control.chain.out, control.view
    is_hint = out[setpoint.O_REQUEST_BASE_REASON] in (reasons.HINT, reasons.OPERATOR)
    return Tracking(
        _choice_W(control.chain),
        out[setpoint.O_REQUEST_BASE_W] if is_hint else 0,
        is_hint,
        is_hint and view.is_exact,
        tuple(control.functions[Track.NAME].reference.words),
        settings["energy_Wh"],
        settings["track_energy_share_permille"],
        view.path_delay_ms or settings["track_path_delay_ms"],
    )


def _steps(control: Control, share_permille: int) -> tuple[tuple[int, int], ...]:
    """(s from now, W) of each announced step that has not begun."""
    steps = control.functions[Notices.NAME].steps()
    return tuple(
        [
            (each.start_ms // 1000, each.step_W * share_permille // 1000)
            for each in steps
            if each.start_ms
        ]
    )


def _choice_W(chain: setpoint.Chain) -> tuple[int, int]:
    """(low, high) of the caps, without those whose own course the forecast follows."""
    caps = chain.caps
    low_W = -WIDE_W if caps.low_reason in _OF_SLOT else caps.low_W
    return low_W, WIDE_W if caps.high_reason in _OF_RESERVE + _OF_SLOT else caps.high_W


def _peak(control: Control, settings: dict[str, int]) -> Peak | None:
    """None while peak shaving is off, or holds its limit at every moment for want of a clock."""
    by_rank = {each.rank: each for each in control.chain.obligations.standing}
    obliged, now_W = by_rank.get(peak_shaving.RANK), control.view.connection_W
    if now_W is None or obliged is None or obliged.low_reason != peak_shaving.PEAK_SHAVING:
        return None
    numbers = control.functions[peak_shaving.PeakShaving.NAME].numbers(obliged.low_reason)
    limit_W, left_s = numbers["limit_W"], numbers["left_s"]
    interval_s = settings["peak_interval_s"]
    uncertain_ms = _clock(control, "uncertainty_ms") + peak_shaving.READING_MS
    margin_Ws = settings["grid_import_W_max"] * uncertain_ms / 1000
    free_Ws = (now_W - obliged.low_W) * left_s
    used_Ws = limit_W * interval_s - margin_Ws - free_Ws
    return Peak(limit_W, interval_s, interval_s - left_s, used_Ws, margin_Ws)


def _clock(control: Control, signal: str) -> int:
    """A signal of the clock, which is known."""
    (clock,) = control.view.site.of_role("clock")
    value = clock.value(signal)
    assert value is not None
    return value


def _slots(control: Control) -> tuple[tuple[int, int, Slot], ...]:
    """(begin, end, slot) of each slot of a schedule that acts or begins later, s from now."""
    function = control.functions[of_slots.Schedule.NAME]
    if function.out[of_slots.O_STATE] not in (of_slots.ACTS, of_slots.LATER):
        return ()
    now_s = _clock(control, "day_d") * DAY_S + _clock(control, "time_of_day_s")
    start_s = function.state[of_slots.S_START_MIN] * 60 - now_s
    slot_s = function.state[of_slots.S_SLOT_MIN] * 60
    found = enumerate(function.slots())
    begins = [(start_s + index * slot_s, slot) for index, slot in found]
    return tuple([(at_s, at_s + slot_s, slot) for at_s, slot in begins if at_s + slot_s > 0])
