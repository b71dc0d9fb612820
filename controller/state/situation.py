"""Reads the situation of a cabinet, the input of ask.py, in plain numbers. They come from the
control functions of a simulation, or of a shadow: a core that follows a controller's journal.
"""

from collections.abc import Callable, Sequence

from controller.core import parameters
from controller.core.base import hint_codes, reasons, setpoint
from controller.core.base.answers import WIDE_W, Cap
from controller.core.base.hint_sources import QUANTITIES
from controller.core.base.schedule_table import Slot
from controller.core.control import Control
from controller.core.kernel_facts import KernelFacts
from controller.core.policies import (
    droop,
    hint_outputs,
    peak_shaving,
    schedule as of_slots,
    site_load,
)
from controller.core.policies.hint_table import HintTable
from controller.core.policies.notices import Notices
from controller.core.policies.track import Track
from controller.hints import no_answer
from controller.journal.history import Moment
from controller.journal.ring import JournalError
from controller.journal.snapshot import Shadow, ticks
from controller.state.situation_forms import (
    Battery,
    Connection,
    LimitHint,
    Peak,
    Situation,
    Step,
    Tracking,
)
from controller.system.utc import elapsed_s
from safety import parameters as p, signals as s

LOOK_BACK_MS = 300_000
DAY_S = 86_400
# The forecast itself computes these limits over time, because they change or expire.
_CHANGING = (
    reasons.PEAK_SHAVING,
    reasons.SCHEDULE_GRID_CAP,
    reasons.GRID_CAP_HINT,
    reasons.HINT_CAP,
    reasons.SCHEDULE_BAND,
    reasons.SCHEDULE_RESERVE,
    reasons.RESERVE_PEAKS,
    reasons.RESERVE_PEAKS_SOC_UNKNOWN,
    droop.FREQUENCY_RESPONSE,
    droop.FREQUENCY_UNKNOWN,
)


def of_journal(path: str, pause: Callable[[], object]) -> Situation:
    """The situation now. pause: waits for the next tick. JournalError: no controller has
    written.
    """
    shadow = Shadow(path)
    try:
        shadow.reader.skip()
        is_live = ticks(shadow.reader, pause)
        if not shadow.update() or not shadow.settled:
            raise JournalError(f"{path}: the controller has not made two ticks yet")
        core, names = shadow.core, shadow.reader.header.get("source_names", ())
        imports_W = _connections_W(shadow)
        situation = of_control(core.control, core.settings, core.facts, imports_W, names)
        doubts = [] if is_live else [no_answer.NO_TICKS]
        if shadow.differs:
            doubts.append("another version wrote the journal")
        return situation._replace(unknown=(*doubts, *situation.unknown))
    finally:
        shadow.close()


def _connections_W(shadow: Shadow) -> list[int]:
    """Known imports with the battery at 0, W, at the keyframes of the last LOOK_BACK_MS."""
    sequence, tick_ms = shadow.sequence or 0, shadow.core.safety_image[p.H_TICK_MS]
    moment, imports_W = Moment(shadow), []
    for frame in shadow.reader.recent(sequence - LOOK_BACK_MS // tick_ms):
        moment.take(frame)
        imports_W += connection_of(moment.core.control)
    return imports_W


def connection_of(control: Control) -> list[int]:
    """[import with the battery at 0, W], [] while it is unknown."""
    state = control.functions[site_load.SiteLoad.NAME].state
    return [state.connection_W] if state.is_connection_known else []


def of_control(
    control: Control,
    settings: dict[str, int],
    facts: KernelFacts,
    connections_W: Sequence[int],
    names: Sequence[str] = (),
) -> Situation:
    """The situation, from the control functions. connections_W: imports with the battery at 0 in
    the last minutes, the oldest first; names: names of the sources of hints.
    """
    known, findings = control.known, control.found
    battery = _battery(control, settings, facts)
    unknown_battery = []
    if known.soc_permille is None or battery.remaining_Wh < 0:
        unknown_battery.append("the state of charge: check the BMS")
    if known.module_temperature_ddegC is None:
        unknown_battery.append("the temperature of the modules: check the BMS")
    unknown = []
    if findings.connection_W is None:
        unknown.append(f"the power of the connection: {_meter_trouble(facts)}")
    if findings.is_off_grid:
        unknown.append("when the grid comes back: the site is off the grid")
    heard_s, schedule_source = _schedule(control, names)
    return Situation(
        unknown=tuple(unknown),
        unknown_battery=tuple(unknown_battery),
        connection=_connection(control, settings, connections_W),
        battery=battery,
        tracking=_tracking(control, settings, names),
        peak=_peak(control, settings),
        slots=_slots(control),
        steps=_steps(control, settings[parameters.SHARE]),
        ramp_W_per_s=settings["setpoint_ramp_W_per_s"],
        hints=_limit_hints(control, names),
        heard_s=heard_s,
        schedule_source=schedule_source,
    )


def _meter_trouble(facts: KernelFacts) -> str:
    """Why the power of the connection is unknown, with the remedy."""
    meters = {"grid meter": s.G_METER_GRID, "load meter": s.G_METER_LOAD}
    silent = [
        name
        for name, group in meters.items()
        if facts.is_expected(group) and not facts.was_seen(group)
    ]
    if silent:
        return f"no answer yet since the start by {' and '.join(silent)}, ask again in 10 s"
    return "check grid meter and load meter"


def _connection(
    control: Control, settings: dict[str, int], connections_W: Sequence[int]
) -> Connection:
    """The connection with its limits, except the limits that change by a clock."""
    now_W = control.found.connection_W
    seen_W = (*connections_W,) if now_W is None else (*connections_W, now_W)
    import_limit = settings["grid_import_W_max"], reasons.GRID_IMPORT
    export_W = settings["grid_export_W_max"]
    for duty in control.chain.obligations.standing:
        if now_W is None or duty.rank == site_load.GRID_CONNECTION or duty.low_reason in _CHANGING:
            continue
        import_limit = min(import_limit, (max(0, now_W - duty.low_W), duty.low_reason))
        export_W = min(export_W, max(0, duty.high_W - now_W))
    return Connection(seen_W, *import_limit, export_W, settings[parameters.SHARE])


def _battery(control: Control, settings: dict[str, int], facts: KernelFacts) -> Battery:
    limits, known = control.chain.limits, control.known
    soc, degC = known.soc_permille, known.module_temperature_ddegC
    return Battery(
        charge_W_max=-limits.low_W,
        discharge_W_max=limits.high_W,
        discharge_reason=limits.high_reason,
        rated_W=sum(facts.unit_parameters(p.U_RATED_W)),
        remaining_Wh=control.functions[HintTable.NAME].out[hint_outputs.O_REMAINING_WH],
        full_Wh=max(1, known.full_Wh),
        reserve_permille=settings["soc_reserve_peaks_permille"],
        soc_permille=soc[1] if soc else 0,
        target_permille=settings["soc_target_permille"],
        efficiency_permille=min(facts.unit_parameters(p.U_EFFICIENCY_PERMILLE_MIN)),
        hottest_ddegC=degC[1] if degC else 0,
        taper_ddegC=facts.temperature_tapers_ddegC(1)[0],
    )


def _tracking(control: Control, settings: dict[str, int], names: Sequence[str]) -> Tracking:
    out, findings = control.chain.out, control.found
    is_hint = out[setpoint.O_REQUEST_BASE_REASON] in (reasons.HINT, reasons.OPERATOR)
    base_s, base_source = _request(control, names) if is_hint else (None, "")
    return Tracking(
        choice_W=_choice_W(control.chain),
        base_W=out[setpoint.O_REQUEST_BASE_W] if is_hint else 0,
        is_requested=is_hint,
        is_exact=is_hint and findings.is_exact,
        reference=tuple(control.functions[Track.NAME].reference.words),
        energy_Wh=settings["energy_Wh"],
        energy_share_permille=settings["track_energy_share_permille"],
        path_delay_ms=findings.path_delay_ms or settings["track_path_delay_ms"],
        base_s=base_s,
        base_source=base_source,
    )


def _request(control: Control, names: Sequence[str]) -> tuple[int, str]:
    """(validity in s, name of the source) of the request that acts now."""
    out = control.functions[HintTable.NAME].out
    source = out[hint_outputs.O_CONTROL_SOURCE] - 1
    place = hint_outputs.output_at(source, hint_codes.POWER_W, hint_outputs.F_VALID_S)
    return out[place], _name(names, source)


def _name(names: Sequence[str], source: int) -> str:
    return names[source] if source < len(names) else f"source {source + 1}"


def _limit_hints(control: Control, names: Sequence[str]) -> tuple[LimitHint, ...]:
    """The valid hints and fallbacks of all sources that limit a power."""
    table: HintTable = control.functions[HintTable.NAME]
    hints = []
    for source in range(table.count):
        for quantity, name in hint_codes.QUANTITIES.items():
            value_W, valid_s, state = [
                table.out[hint_outputs.output_at(source, quantity, field)]
                for field in range(len(hint_outputs.OUTPUT_FIELDS))
            ]
            entry = source * len(hint_codes.QUANTITIES) + QUANTITIES.index(quantity)
            group, fallback_W = table.group[entry], table.fallback_W[entry]
            left_s = valid_s if state == hint_outputs.VALID else 0
            if group >= 0 and (left_s or fallback_W >= 0):
                then_W = fallback_W if fallback_W >= 0 else None
                source_name = _name(names, source)
                hints.append(LimitHint(source_name, name, group, value_W, left_s, then_W))
    return tuple(hints)


def _schedule(control: Control, names: Sequence[str]) -> tuple[int | None, str]:
    """(time in s until the heartbeat of its source expires, name of the source) of the schedule in
    force; (None, ""): no schedule is in force.
    """
    function, table = control.functions[of_slots.Schedule.NAME], control.functions[HintTable.NAME]
    if function.holder < 0:
        return None, ""
    return table.heard_ms(function.holder) // 1000, _name(names, function.holder)


def _steps(control: Control, share_permille: int) -> tuple[Step, ...]:
    """Each announced step that has not begun."""
    steps = control.functions[Notices.NAME].steps()
    return tuple(
        Step(step.start_ms // 1000, step.step_W * share_permille // 1000, step.left_ms // 1000)
        for step in steps
        if step.start_ms
    )


def _choice_W(chain: setpoint.Chain) -> tuple[int, int]:
    """(low, high) of all caps together, without the caps that the forecast computes over time."""
    caps = [answer for answer in chain.answers if type(answer) is Cap]
    charge_W = [cap.charge_W_max for cap in caps if cap.charge_reason not in _CHANGING]
    discharge_W = [cap.discharge_W_max for cap in caps if cap.discharge_reason not in _CHANGING]
    return -min([WIDE_W, *charge_W]), min([WIDE_W, *discharge_W])


def _peak(control: Control, settings: dict[str, int]) -> Peak | None:
    """The present interval. None: peak shaving is off, the power of the connection is unknown, or
    the clock is not exact. Without an exact clock the limit holds at every moment.
    """
    by_rank = {obligation.rank: obligation for obligation in control.chain.obligations.standing}
    obliged, now_W = by_rank.get(peak_shaving.RANK), control.found.connection_W
    if now_W is None or obliged is None or obliged.low_reason != reasons.PEAK_SHAVING:
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
    """A signal of the clock. The caller has checked that the clock is known."""
    (clock,) = control.known.site.of_role("clock")
    value = clock.value(signal)
    assert value is not None
    return value


def _slots(control: Control) -> tuple[tuple[int, int, Slot], ...]:
    """(start, end, slot) of each slot that has not ended, s from now. (): no schedule is in force,
    or it is over or does not act.
    """
    function = control.functions[of_slots.Schedule.NAME]
    if function.out[of_slots.O_STATE] not in (of_slots.ACTS, of_slots.LATER):
        return ()
    now_s = _clock(control, "day_d") * DAY_S + _clock(control, "time_of_day_s")
    start_s = elapsed_s(now_s, function.state.start_min * 60)
    slot_s = function.state.slot_min * 60
    numbered = enumerate(function.slots())
    begins = [(start_s + index * slot_s, slot) for index, slot in numbered]
    return tuple((at_s, at_s + slot_s, slot) for at_s, slot in begins if at_s + slot_s > 0)
