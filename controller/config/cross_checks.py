"""Checks over several keys: each refusal is one line that names the key to change."""

from controller.config import (
    bus_schema,
    equipment,
    pairs,
    schema,
    stage_order,
    stage_states,
    time_chain,
)
from controller.config.cabinet_config import Config
from controller.config.silence import BUDGETS, period_ms
from controller.config.values import Values
from safety import frame, matrix, peer

# Frames of channel B that may be lost in a row. Below this, noise on the line drops the permit.
LOST_FRAMES_MIN = 3
EXPIRY_TICKS_MIN = frame.FRAME_EVERY_TICKS * (LOST_FRAMES_MIN + 1) + peer.EXPIRY_SPARE_TICKS


def check(values: Values, config: Config) -> None:
    """Refuse a Config whose parts contradict each other."""
    _check_armed(values, config)
    stage_order.check_stages(values)
    stage_order.check_ladders(values)
    for number, table in enumerate(config.unit_tables, 1):
        _check_rating(values, config, number, table)
    for number, table in enumerate(config.rack_tables, 1):
        stage_order.check_ends(values, number, table)
    checks = (_check_cells, _check_fault_contact, _check_expiry, _check_frames, _check_link)
    for check_site in (*checks, pairs.check):
        check_site(values, config)


def _check_rating(values: Values, config: Config, number: int, table: dict[str, int]) -> None:
    profile = config.topology.required("pcs", number - 1).profile
    register = profile.registers.get("704.WSet")
    if register is not None and register.high is not None and table["rated_W"] > register.high:
        allowed = f"1000..{round(register.high)} by {profile.path.name}"
        stage_order.refuse_number(values, "unit", number, "rated_W", table, allowed)


def _check_armed(values: Values, config: Config) -> None:
    """Refuse the file, and so the energisation, if a required row is not armed."""
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
            racks |= {index + 1} if stage[matrix.S_SCOPE] == matrix.RACK else set()
    for name, (rows, racks) in lacking.items():
        where = f" on rack {' '.join(map(str, sorted(racks)))}" if racks else ""
        are, path = "are" if len(rows) > 1 else "is", ("not_fitted", name)
        unarmed = f"{equipment.with_clauses(sorted(rows))} {are} not armed{where}"
        problem = f"is missing: {unarmed}, because no device reports {name}"
        values.refuse(path, problem, values.spec(path).allowed[1], equipment=(name,))


def _check_cells(values: Values, config: Config) -> None:
    """Racks on one DC bus are in parallel: different numbers of cells would short-circuit them."""
    first: dict[int, int] = {}
    racks = config.rack_tables
    for rack, unit in enumerate(config.topology.rack_units):
        other = first.setdefault(unit, rack)
        if racks[rack]["cells"] != racks[other]["cells"]:
            allowed = f"{racks[other]['cells']}, as rack {other + 1} on the same DC bus"
            stage_order.refuse_number(values, "rack", rack + 1, "cells", racks[rack], allowed)


def _check_fault_contact(values: Values, config: Config) -> None:
    """A slow BMS, or a BMS without cell voltages, must be able to stop the cabinet by wire."""
    bms = [device for device in config.devices if device.role == "bms"]
    for device in bms if config.topology.not_fitted.get("bms_fault") else ():
        why = ""
        if device.profile.family == "pylontech_bms":
            why = "reports no cell voltages"
        elif any(period_ms(device) * row[3] > row[2] for row in BUDGETS if "bms" in row[4]):
            why = f"has a period of {period_ms(device)} ms, too long for its silence budget"
        if why:
            problem = f"is not allowed: device.{device.name} {why}"
            allowed = "a hard-wired BMS fault contact on bms_fault_ok"
            values.refuse(("not_fitted", "bms_fault"), problem, allowed)


def _check_expiry(values: Values, config: Config) -> None:
    longest_ms = config.cabinet["permit_expiry_ms"]
    for device in config.devices:
        expiry_ms = device.profile.settings.get("expiry_ms", 0) if device.outputs else 0
        if expiry_ms > longest_ms:
            most = f"of at most permit_expiry_ms, which is {longest_ms}"
            allowed = f"a profile with an output expiry {most}; this profile has {expiry_ms} ms"
            values.not_allowed(("device", device.name, "profile"), allowed)


def _check_frames(values: Values, config: Config) -> None:
    """Refuse an expiry that is too short: one or two lost frames would drop channel B's permit."""
    tick_ms = config.tick_ms
    least_ms, most_ms = EXPIRY_TICKS_MIN * tick_ms, schema.CABINET["permit_expiry_ms"].allowed[1]
    if not config.topology.second_channel or config.cabinet["permit_expiry_ms"] >= least_ms:
        return
    key, allowed = "permit_expiry_ms", f"{least_ms}..{most_ms} with tick_ms = {tick_ms}"
    if least_ms > most_ms:
        slow_ms = [each_ms for each_ms in schema.TICKS_MS if EXPIRY_TICKS_MIN * each_ms <= most_ms]
        key, allowed = "tick_ms", ", ".join(map(str, slow_ms))
    lost = f"{LOST_FRAMES_MIN} lost frames in a row, one every {frame.FRAME_EVERY_TICKS} ticks"
    why = f"the permit of channel B must outlast {lost}"
    values.not_allowed(("cabinet", key), f"{allowed}: {why}")


def _check_link(values: Values, config: Config) -> None:
    """Refuse a line to channel B that is too slow: a frame must end before the next one is due."""
    due_ms = frame.FRAME_EVERY_TICKS * config.tick_ms
    fast_Bd = [baud_Bd for baud_Bd in bus_schema.BAUDS_BD if time_chain.frame_ms(baud_Bd) <= due_ms]
    if config.channel_b and config.channel_b.baud_Bd not in fast_Bd:
        why = f"a frame has {frame.FRAME_BYTES} bytes and leaves every {due_ms} ms"
        values.not_allowed(("channel_b", "baud_Bd"), f"{', '.join(map(str, fast_Bd))}: {why}")
