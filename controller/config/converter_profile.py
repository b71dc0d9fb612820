"""Checks the profile of a converter with plain Modbus registers (family register_pcs): its
set-point, its heartbeat, and the sequences of writes that set it up, start and stop it.
"""

from collections.abc import Callable
from typing import cast

from controller.config import converter_form
from controller.forms.reading import read
from controller.forms.refusal import Path, not_allowed, refuse, refuse_key
from drivers.profile import Register, SetpointFrame, Step, Table
from drivers.rack_sources import FAULT
from drivers.register_codec import FLOATS, Codec
from drivers.register_pcs_readings import CONTROLLED, DIRECTION, POWERS
from safety import signals as s

MakeRegister = Callable[[str, Table], Register]
CURRENTS = ("dc_current_mA", "dc_power_W", "dc_discharge_W")
SIGNED = CURRENTS[:2]
STATES = ("state", "forming", "running")
OPTIONAL = (*CURRENTS, DIRECTION, "dc_charge_W", *STATES, *POWERS[1:], *CONTROLLED)
NUMBERS = ("power", "magnitude", "charge", "discharge")
MODE_KEYS = ("charge", "discharge", "idle")
WRITES = (6, 16)
PCS_STATES = {*range(s.PCS_OFF, s.PCS_STANDBY + 1)}
RUNS, STOPPED = {s.PCS_RUNNING, s.PCS_THROTTLED}, {s.PCS_OFF, s.PCS_SLEEPING, s.PCS_STANDBY}


def optional(registers: Table) -> tuple[str, ...]:
    """The registers that a profile may have."""
    factor_names = [register.scale_from for register in registers.values()]
    return (*OPTIONAL, *factor_names, *[name for name in registers if name.startswith(FAULT)])


def parts(file: str, top: Table, make: MakeRegister) -> Table:
    """{name: checked part} of a Profile. top: the tables of the file. make: a function that makes a
    Register of a name and a table.
    """
    registers, settings = top["registers"], top["settings"]
    if not set(CURRENTS) & set(registers):
        problem = "is missing; rows 54 and 55, and the opening of the contactors, need the current"
        refuse(file, ("registers", CURRENTS[0]), problem, f"it, or {' or '.join(CURRENTS[1:])}")
    if ("dc_discharge_W" in registers) != ("dc_charge_W" in registers):
        refuse(file, ("registers", "dc_charge_W"), "is missing", "both ways, or neither")
    _check_signs(file, registers)
    _check_states(file, registers)
    frames = [
        _frame(file, ("setpoint", str(number)), table, make)
        for number, table in enumerate(top["setpoint"], 1)
    ]
    if not any(register.role in NUMBERS for frame in frames for register in frame.values):
        refuse(file, ("setpoint",), "is missing", f"[[setpoint]] with a role {', '.join(NUMBERS)}")
    taken = _places(file, frames)
    checked: Table = {"setpoint": frames, "heartbeat": {}}
    for name in converter_form.SEQUENCES[1:]:
        step_addresses = set(taken)
        checked[name] = [
            _step(file, (name, str(number)), table, make, step_addresses)
            for number, table in enumerate(top[name], 1)
        ]
    _check_starts(file, checked)
    if top["heartbeat"]:
        beat = read(file, ("heartbeat",), top["heartbeat"], converter_form.HEARTBEAT)
        beat["address"] = make("heartbeat", {"type": "u16", **_placed(beat)}).address
        steps = checked["setup"] + checked["start"] + checked["stop"]
        taken |= {step.register.address for step in steps}
        _check_apart(file, ("heartbeat", "address"), beat["address"], 1, taken)
        checked["heartbeat"] = beat
    _check_watchdog(file, settings, checked["heartbeat"], top["timing"]["period_ms"])
    return checked


def _check_signs(file: str, registers: dict[str, Register]) -> None:
    """Refuse a DC current or power whose positive direction is not stated. Otherwise the program
    would take a value without a sign for a discharge.
    """
    has_direction, needs_direction = DIRECTION in registers, False
    for name in SIGNED:
        if name not in registers:
            continue
        register, path = registers[name], ("registers", name, "positive")
        allowed = f'"discharge", "charge" with a negative scale, "both" with {DIRECTION}'
        if not register.positive:
            refuse(file, path, "is missing: it says which direction is positive", allowed)
        is_both = register.positive == "both"
        needs_direction |= is_both
        is_turned = register.positive == "charge"
        if (register.scale < 0) != is_turned or is_both and not has_direction:
            not_allowed(file, path, register.positive, allowed)
        if is_both and register.low < 0:
            not_allowed(file, (*path[:2], "range"), register.low, "from 0 on: it has no sign")
    directions = set(registers[DIRECTION].values.values()) if has_direction else {1}
    if has_direction and (not needs_direction or directions != {1, -1}):
        allowed = '{raw value = 1 (discharge) or -1 (charge)}, beside positive = "both"'
        refuse(file, ("registers", DIRECTION, "values"), "is not clear", allowed)


def _check_states(file: str, registers: dict[str, Register]) -> None:
    """Refuse a list of states in which no state means "runs" or no state means "stopped". Otherwise
    the controller would never see that the converter stops.
    """
    states = {*registers["state"].values.values()} if "state" in registers else PCS_STATES
    if not (states <= PCS_STATES and states & RUNS and states & STOPPED):
        allowed = "states 0..7, with 3 or 4 (it runs), and 0, 1 or 7 (it has stopped)"
        not_allowed(file, ("registers", "state", "values"), sorted(states), allowed)


def _frame(file: str, path: Path, table: Table, make: MakeRegister) -> SetpointFrame:
    fields = read(file, path, table, converter_form.SETPOINT)
    values = []
    for number, value in enumerate(fields["values"], 1):
        value_path = (*path, "values", str(number))
        _check_role(file, value_path, value)
        is_raw = value["role"] in ("mode", "constant")
        plain = {"scale": 1, "offset": 0, "scale_by": ""} if is_raw else {}
        values.append(make(".".join(value_path), value | plain))
        raws = {key: [value[key]] for key in (*MODE_KEYS, "equals") if is_raw}
        _check_fit(file, value_path, values[-1], raws)
    word_count = sum(register.words for register in values)
    if not values or fields["function"] == 6 and word_count > 1:
        allowed = "values of one register for function 6, of several for 16"
        not_allowed(file, (*path, "values"), f"{word_count} registers", allowed)
    last = _placed(fields) | {"address": fields["address"] + word_count - 1}
    first = make(".".join(path), {"type": "u16", **last}).address - word_count + 1
    frame_fields = {key: fields[key] for key in ("function", "stored")}
    return SetpointFrame(**frame_fields, address=first, values=values)


def _placed(table: Table) -> Table:
    return {key: table[key] for key in converter_form.PLACE}


def _check_role(file: str, path: Path, value: Table) -> None:
    role = value["role"]
    needed = MODE_KEYS if role == "mode" else ("equals",) if role == "constant" else ()
    for key in (*MODE_KEYS, "equals", *(() if needed else ("release",))):
        if (value[key] is None) == (key in needed):
            has = "is missing" if key in needed else "is not allowed"
            refuse(
                file, (*path, key), f"{has}: role {role}", ", ".join(needed) or "scale, scale_by"
            )
    _check_release(file, path, value, ("idle", "charge", "discharge", "equals"))
    if role == "mode" and value["charge"] == value["discharge"]:
        refuse_key(file, path, value, "discharge", "another raw value than charge")
    if needed and value["type"] in FLOATS:
        refuse_key(file, path, value, "type", f"an integer type for role {role}")
    if not needed and value["scale"] == 0:
        not_allowed(file, (*path, "scale"), 0, "any other number")


def _check_release(file: str, path: Path, value: Table, keys: tuple[str, ...]) -> None:
    """Refuse a written value with which the device may choose its own power. The device must keep
    0 W instead.
    """
    for key in keys:
        if value["release"] is not None and value[key] == value["release"]:
            allowed = "a value that holds the power; this one is `release`"
            refuse_key(file, path, value, key, allowed)


def _places(file: str, frames: list[SetpointFrame]) -> set[int]:
    """Addresses of all registers of the set-point. Refuse a register that two frames write."""
    taken: set[int] = set()
    for number, frame in enumerate(frames, 1):
        word_count = sum(register.words for register in frame.values)
        addresses = set(range(frame.address, frame.address + word_count))
        if addresses & taken:
            path = ("setpoint", str(number), "address")
            not_allowed(file, path, frame.address, "registers of no other frame")
        taken |= addresses
    _check_idle(file, frames)
    roles = [register.role for frame in frames for register in frame.values]
    if roles.count("mode") != 1 if "magnitude" in roles else roles.count("mode") > 1:
        refuse(file, ("setpoint",), f"has {roles.count('mode')} values with role mode", "one")
    return taken


def _check_idle(file: str, frames: list[SetpointFrame]) -> None:
    """Refuse an idle mode that is also the mode for charge or discharge, in two cases.

    In the first case another frame has the magnitude of the power, so the power would go the wrong
    way for one frame. In the second case a later frame has the number for this direction, so the
    new mode would use the old number.
    """
    for number, frame in enumerate(frames, 1):
        other_roles = [
            register.role
            for other_frame in frames
            if other_frame is not frame
            for register in other_frame.values
        ]
        later = [
            register.role for later_frame in frames[number:] for register in later_frame.values
        ]
        for place, mode in enumerate(frame.values, 1):
            is_shared = mode.role == "mode" and mode.idle in (mode.charge, mode.discharge)
            way = "charge" if mode.role == "mode" and mode.idle == mode.charge else "discharge"
            if is_shared and ("magnitude" in other_roles or way in later):
                path = ("setpoint", str(number), "values", str(place), "idle")
                allowed = f"another raw value than charge and discharge, or the mode behind {way}"
                not_allowed(file, path, mode.idle, allowed)


def _step(file: str, path: Path, table: Table, make: MakeRegister, taken: set[int]) -> Step:
    fields = read(file, path, table, converter_form.STEP)
    is_write = fields["function"] in WRITES
    if is_write == (fields["value"] is None) or is_write == bool(fields["equals"]):
        refuse(file, path, "is not clear", "value to write (6, 16), equals to wait for (3, 4)")
    _check_release(file, path, fields, ("value",))
    if fields["repeat_ms"] and (path[0] != "start" or not is_write):
        refuse_key(file, path, fields, "repeat_ms", "it of a write of [[start]]")
    own_keys = {key: fields[key] for key in ("type", "mask")}
    register = make(".".join(path), own_keys | _placed(fields))
    register.function, register.word_order = fields["function"], fields["word_order"]
    if fields["function"] == 6 and register.words > 1:
        refuse_key(file, path, fields, "function", "16 for a value of two registers")
    if is_write:
        _check_apart(file, (*path, "address"), register.address, register.words, taken)
        if path[0] == "setup":  # only a start may write a register twice, as a pulse
            taken |= set(range(register.address, register.address + register.words))
    raws = {"value": [fields["value"]], "equals": fields["equals"]}
    _check_fit(file, path, register, raws)
    if path[0] == "stop" and not is_write:
        refuse_key(file, path, fields, "function", "6 or 16: a stop waits")
    kept_keys = ("value", "equals", "timeout_ms", "read_back", "repeat_ms", "fault", "stored")
    kept_fields = {key: fields[key] for key in kept_keys}
    return Step(function=fields["function"], register=register, **kept_fields)


def _check_starts(file: str, steps: Table) -> None:
    """Refuse a write of the start that is also a write of the set-up or the stop. The gate (which
    lets frames to the converter pass) knows frames only by register and value. It would refuse the
    set-up, or let the start pass at any time.
    """
    for number, step in enumerate(steps["start"], 1):
        for name in ("setup", "stop") if step.function in WRITES else ():
            same = [
                other_step.register.address
                for other_step in steps[name]
                if other_step.value == step.value
            ]
            if step.register.address in same:
                allowed = f"a register or value that is not of [[{name}]]"
                not_allowed(file, ("start", str(number), "value"), step.value, allowed)


def _check_fit(file: str, path: Path, register: Register, raws: Table) -> None:
    """Refuse a raw value that the type of its register cannot have."""
    for key, values in raws.items():
        for value in values:
            try:
                Codec(register, {}).words(value or 0)
            except ValueError:
                not_allowed(file, (*path, key), value, f"a value that {register.type} can have")


def _check_apart(file: str, path: Path, address: int, word_count: int, taken: set[int]) -> None:
    if taken & set(range(address, address + word_count)):
        allowed = "a register that is not of the set-point, or of another step"
        not_allowed(file, path, address, allowed)


def _check_watchdog(file: str, settings: Table, heartbeat: Table, read_ms: int) -> None:
    """Refuse a watchdog time that is too short. The set-point, heartbeat or read that restarts the
    watchdog must be repeated more often.
    """
    kind, watchdog_s = settings["watchdog"], settings["watchdog_s"]
    key, period_ms = {
        "setpoint": ("settings.repeat_ms", settings["repeat_ms"]),
        "heartbeat": ("heartbeat.period_ms", heartbeat.get("period_ms", 0)),
    }.get(kind, ("timing.period_ms", read_ms))
    path: Path = ("settings", "watchdog_s")
    if (kind == "none") != (watchdog_s == 0):
        not_allowed(file, path, watchdog_s, "0 with watchdog none, else its time")
    if kind != "none" and not 0 < 2 * period_ms <= watchdog_s * 1000:
        most_ms = cast(float, watchdog_s) * 500
        refuse(file, path, f"is not fed in time: {key} is {period_ms}", f"1..{most_ms:g} ms")
