"""Checks keys of a configuration against each other. If two keys contradict each other, the file is
refused with one line that names the key to change.
"""

import functools
import itertools
from typing import NoReturn

from controller.config import (
    bus_schema,
    converters,
    equipment,
    maps,
    pairs,
    schema,
    stage_states,
    time_chain,
)
from controller.config.cabinet_config import Config, Numbers
from controller.config.silence import BUDGETS, entry_of, longest_period_ms
from controller.config.thresholds import STAGE_SET_FROM, levels
from controller.config.values import Values
from controller.core.policies import droop
from controller.core.units import PART_LOAD, TURNS
from controller.forms.refusal import Path, in_unit, not_allowed
from controller.rows.shapes import MatrixStage
from safety import frame, matrix, parameters, peer
from safety.signals import RACK

_STAGES: tuple[MatrixStage, ...] = matrix.STAGES
# A permit must outlast so many lost frames of channel B in a row, so that noise does not drop it.
LOST_FRAMES_MIN = 3
EXPIRY_TICKS_MIN = frame.FRAME_EVERY_TICKS * (LOST_FRAMES_MIN + 1)  # spare ticks come on top


def check(values: Values, config: Config) -> None:
    """Refuse a Config whose parts contradict each other."""
    _check_armed(values, config)
    _check_stages(values)
    _check_ladders(values)
    for number, table in enumerate(config.unit_tables, 1):
        _check_rating(values, config, number, table)
    for number, table in enumerate(config.rack_tables, 1):
        _check_ends(values, number, table)
        _check_reach(values, config, number, table)
    for check_site in (
        converters.check,
        maps.check,
        maps.check_limits,
        _check_forming,
        _check_turns,
        _check_cells,
        _check_fault_contact,
        _check_expiry,
        _check_frames,
        _check_link,
        _check_response,
        pairs.check,
    ):
        check_site(values, config)


def _check_rating(values: Values, config: Config, number: int, table: Numbers) -> None:
    profile = config.topology.required("pcs", number - 1).profile
    register = profile.registers.get("704.WSet")
    if register is not None and register.high is not None and table["rated_W"] > register.high:
        allowed = f"1000..{round(register.high)} by {profile.path.name}"
        _refuse_number(values, "unit", number, "rated_W", table, allowed)


def _check_reach(values: Values, config: Config, number: int, table: Numbers) -> None:
    """Refuse a rack whose full voltage or rated current is out of the range that the profile of its
    BMS allows.
    """
    profile = config.topology.required("bms", number - 1).profile
    for key, name, factor in (
        ("cells", "rack_voltage_mV", table["charge_end_mV"]),
        ("rated_current_mA", "rack_current_mA", 1),
    ):
        high = profile.signals[name]["range"][1]
        if table[key] * factor > high:
            ends = f"its {name} ends at {round(high)}"
            full = f", and a cell is full at {factor} mV" if factor > 1 else ""
            allowed = f"at most {high // factor:.0f} by {profile.path.name}: {ends}{full}"
            _refuse_number(values, "rack", number, key, table, allowed)


def _check_forming(values: Values, config: Config) -> None:
    """Refuse a converter that can form an island if no contact shows the island to the kernel."""
    for unit, forms in enumerate(config.topology.forming, 1):
        if forms and config.topology.mapped("source_code") is None:
            path, _ = entry_of(values, ("unit", str(unit), "can_form"))
            problem = (
                "true is not allowed: no I/O module has the input source_code, so row 56 would "
                "stop the converter in an island"
            )
            values.refuse(path, problem, "false, or the input")


def _check_turns(values: Values, config: Config) -> None:
    """Refuse an order of the units that is not whole, or that nothing would follow."""
    turns = [config.control[name] for name in TURNS[: config.units]]
    for unit, turn in enumerate(turns, 1):
        if not any(turns) or (turn in range(1, config.units + 1) and turns.count(turn) == 1):
            continue
        why = ": others have a turn"
        if turn:
            why = ": another unit has it too" if turns.count(turn) > 1 else ""
        allowed = f"1..{config.units}, each once"
        values.refuse(_turn_of(values, unit), f"{turn} is not allowed{why}", allowed)
    if any(turns) and not config.control[PART_LOAD]:
        problem = f"without effect, because control.{PART_LOAD} is 0"
        values.refuse(_turn_of(values, 1), problem, f"no turn, or {PART_LOAD} above 0")


def _turn_of(values: Values, unit: int) -> Path:
    return entry_of(values, ("unit", str(unit), "turn"))[0]


def _check_armed(values: Values, config: Config) -> None:
    """Refuse a file in which a row of the cause-and-effect matrix is not armed, unless a person has
    accepted this.
    """
    topology = config.topology
    lacking: dict[str, tuple[set[int], set[int]]] = {}
    for stage, index in stage_states.instances(topology):
        state, name = stage_states.stage_state(stage, topology, index)
        if (
            state in stage_states.TO_ACCEPT
            and name not in topology.not_fitted
            and not stage_states.accepted(topology, name)
        ):
            rows, racks = lacking.setdefault(name, (set(), set()))
            rows.add(stage[matrix.S_ROW])
            racks |= {index + 1} if stage[matrix.S_SCOPE] == RACK else set()
    for name, (rows, racks) in lacking.items():
        where = f" on rack {' '.join(map(str, sorted(racks)))}" if racks else ""
        verb = "are" if len(rows) > 1 else "is"
        unarmed = f"{equipment.with_clauses(sorted(rows))} {verb} not armed{where}"
        values.not_accepted(name, f"{unarmed}, because no device reports {name}")


def _check_cells(values: Values, config: Config) -> None:
    """Refuse racks on one DC bus with different numbers of cells. The racks are in parallel, so the
    difference of their voltages would drive a short-circuit current.
    """
    first: dict[int, int] = {}
    racks = config.rack_tables
    for rack, unit in enumerate(config.topology.rack_units):
        first_rack = first.setdefault(unit, rack)
        if racks[rack]["cells"] != racks[first_rack]["cells"]:
            allowed = f"{racks[first_rack]['cells']}, as rack {first_rack + 1} on the same DC bus"
            _refuse_number(values, "rack", rack + 1, "cells", racks[rack], allowed)


def _check_fault_contact(values: Values, config: Config) -> None:
    """Require a hard-wired fault contact of a BMS that is slow or reports no cell voltages."""
    bms = [device for device in config.devices if device.role == "bms"]
    for device in bms if config.topology.not_fitted.get("bms_fault") else ():
        why, period_ms = "", longest_period_ms(device.profile)
        if not stage_states.rack_facts(config.topology)[device.index]["cells_reported"]:
            why = "reports no cell voltages"
        elif any(period_ms * row[3] > row[2] for row in BUDGETS if "bms" in row[4]):
            why = f"has a period of {period_ms} ms, too long for its silence budget"
        if why:
            problem = f"is not allowed: device.{device.name} {why}"
            allowed = "a hard-wired BMS fault contact on bms_fault_ok"
            values.refuse(("not_fitted", "bms_fault"), problem, allowed)


def _check_expiry(values: Values, config: Config) -> None:
    longest_ms = config.cabinet["permit_expiry_ms"]
    for device in config.devices:
        expiry_ms = device.profile.settings.get("expiry_ms", 0) if device.outputs else 0
        if expiry_ms > longest_ms:
            limit = f"of at most permit_expiry_ms, which is {longest_ms}"
            allowed = f"a profile with an output expiry {limit}; this profile has {expiry_ms} ms"
            values.not_allowed(("device", device.name, "profile"), allowed)


def _check_frames(values: Values, config: Config) -> None:
    """Refuse a permit of channel B that expires too soon. One or two lost frames would drop it."""
    tick_ms = config.tick_ms
    least_ms, most_ms = _expiry_ms_min(tick_ms), schema.CABINET["permit_expiry_ms"].allowed[1]
    if not config.topology.second_channel or config.cabinet["permit_expiry_ms"] >= least_ms:
        return
    key, allowed = "permit_expiry_ms", f"{least_ms}..{most_ms} with tick_ms = {tick_ms}"
    if least_ms > most_ms:
        ticks_ms = [
            period_ms for period_ms in schema.TICKS_MS if _expiry_ms_min(period_ms) <= most_ms
        ]
        key, allowed = "tick_ms", ", ".join(map(str, ticks_ms))
    lost = f"{LOST_FRAMES_MIN} lost frames in a row, one every {frame.FRAME_EVERY_TICKS} ticks"
    why = f"the permit of channel B must outlast {lost}"
    values.not_allowed(("cabinet", key), f"{allowed}: {why}")


def _expiry_ms_min(tick_ms: int) -> int:
    return (EXPIRY_TICKS_MIN + parameters.spare_ticks(peer.EXPIRY_SPARE_TICKS, tick_ms)) * tick_ms


def _check_link(values: Values, config: Config) -> None:
    """Refuse a line to channel B on which a frame would not end before the next one is due."""
    due_ms = frame.FRAME_EVERY_TICKS * config.tick_ms
    fast_Bd = [baud_Bd for baud_Bd in bus_schema.BAUDS_BD if time_chain.frame_ms(baud_Bd) <= due_ms]
    if config.channel_b and config.channel_b.baud_Bd not in fast_Bd:
        why = f"a frame has {frame.FRAME_BYTES} bytes and leaves every {due_ms} ms"
        values.not_allowed(("channel_b", "baud_Bd"), f"{', '.join(map(str, fast_Bd))}: {why}")


def _check_response(values: Values, config: Config) -> None:
    """Refuse a frequency response whose reserve leaves no charge to others."""
    low, high = droop.kept_permille(config.control)
    if low >= high:
        why = f"the reserve would leave a charge above {low} and below {high} permille to others"
        values.not_allowed(("control", "droop_W_max"), f"less, or a shorter droop_reserve_s: {why}")


# -- the order of thresholds: a taper ends before its stage trips, and a milder stage trips first


def _refuse_number(
    values: Values, section: str, number: int, key: str, table: Numbers, allowed: str
) -> NoReturn:
    """Refuse a parameter of unit or rack `number`. table: all its parameters."""
    path, entry = entry_of(values, (section, str(number), key))
    not_allowed(entry.file if entry else values.last_file, path, table[key], allowed)


def _check_ends(values: Values, number: int, table: Numbers) -> None:
    """Refuse a taper that ends beyond the threshold of its stage: 28 for charge, 31b for discharge.
    Otherwise power would still flow when the stage trips. End and threshold may be equal.
    """
    for stage, key, sign, side, opposite in (
        ("28", "charge_end_mV", 1, "at most", "at least"),
        ("31b", "discharge_end_mV", -1, "at least", "at most"),
    ):
        path = ("stage", stage, "set")
        trip_mV = values.get(*path)
        if table["cells_reported"] and table[key] * sign > trip_mV * sign:
            if path in values.entries:
                values.not_allowed(
                    path, f"{opposite} {key} of rack {number}, which is {table[key]}"
                )
            allowed = f"{side} the set of stage {stage}, which is {trip_mV}"
            _refuse_number(values, "rack", number, key, table, allowed)


def _check_stages(values: Values) -> None:
    """Require that the threshold `clear` of a stage is milder than its threshold `set`."""
    for stage in _STAGES:
        name, sense = stage[matrix.S_ID], stage[matrix.S_SENSE]
        if name in STAGE_SET_FROM:
            continue
        level, clear = values.get("stage", name, "set"), values.get("stage", name, "clear")
        if clear * sense >= level * sense:
            path = ("stage", name, "clear")
            blamed = path if path in values.entries else ("stage", name, "set")
            unit = values.spec(path).unit
            side = "below" if sense > 0 else "above"
            allowed = f"{side} its set, which is {in_unit(level, unit)}"
            not_allowed(values.file(*blamed), path, clear, allowed, unit=unit)


def _check_ladders(values: Values) -> None:
    """Require that stages on one feature keep the order of the matrix. A warning must come before a
    stop.
    """
    entries = values.entries
    for low, high in ladders(values.chemistry):
        sense = low[matrix.S_SENSE]
        path_low, path_high = [("stage", stage[matrix.S_ID], "set") for stage in (low, high)]
        if values.get(*path_low) * sense < values.get(*path_high) * sense:
            continue
        is_high = path_high in entries and (
            path_low not in entries or entries[path_high].rank >= entries[path_low].rank
        )
        path, bound_path = (path_high, path_low) if is_high else (path_low, path_high)
        bound = in_unit(values.get(*bound_path), values.spec(path).unit)
        side = "above" if is_high == (sense > 0) else "below"
        values.not_allowed(path, f"{side} the set of stage {bound_path[1]}, which is {bound}")


@functools.cache
def ladders(chemistry: str) -> tuple[tuple[MatrixStage, MatrixStage], ...]:
    """Pairs of stages on the same feature, the milder stage first. Their thresholds differ."""
    places = (matrix.S_SCOPE, matrix.S_FEATURE, matrix.S_SENSE)
    ladder_pairs = []
    for low, high in itertools.permutations(_STAGES, 2):
        if low[matrix.S_ID] in STAGE_SET_FROM:
            continue
        if [low[place] for place in places] == [high[place] for place in places]:
            sense = low[matrix.S_SENSE]
            set_low, set_high = [levels(stage, chemistry)[0] for stage in (low, high)]
            if set_low * sense < set_high * sense:
                ladder_pairs.append((low, high))
    return tuple(ladder_pairs)
