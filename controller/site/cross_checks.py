"""What no single key can say: silence budgets that follow from the devices, and facts that make no
sense together.

Each refusal is one line that names the key to change. Source of the budgets: the silence ladder (a
device slower than its budget gets 3, 5 or 8 of its own periods instead, and the hard-wired BMS
fault contact becomes mandatory).
"""

from controller.site import equipment, schema, stage_states, time_chain
from controller.site.refusal import not_allowed, refuse
from controller.site.silence import BUDGETS, period_ms, said_of
from controller.site.stage_order import _check_ends, _check_ladders, _check_stages, blame
from safety import channel, matrix, peer

# Of each pair the first must lie below the second.
RISING = (
    ("bms_warn_ms", "bms_ramp_ms"),
    ("bms_ramp_ms", "bms_stop_ms"),
    ("pcs_ramp_ms", "pcs_stop_ms"),
    ("pcs_stop_ms", "pcs_open_ms"),
    ("charge_taper_mV", "charge_end_mV"),
    ("discharge_end_mV", "charge_taper_mV"),
    ("discharge_end_mV", "discharge_taper_mV"),
)
# Frames of the second channel that may be lost in a row: with fewer a line that is merely noisy
# would drop its permit.
LOST_FRAMES_MIN = 3
EXPIRY_TICKS_MIN = channel.FRAME_EVERY_TICKS * (LOST_FRAMES_MIN + 1) + peer.EXPIRY_SPARE_TICKS
# ours: slower than any rack is charged, with room for a site that lowers its current
LONGEST_CHARGE_h = 24


def check(values, topology, cabinet, units, racks, control):
    """Refuse what makes no sense. cabinet, control: {name: integer}; units, racks: lists of the
    same.
    """
    _check_armed(values, topology)
    _check_stages(values)
    _check_ladders(values)
    for number, table in enumerate(units, 1):
        _check_rising(values, "unit", number, table)
        _check_rating(values, topology, number, table)
    for number, table in enumerate(racks, 1):
        _check_rising(values, "rack", number, table)
        _check_ends(values, number, table)
        _check_break_current(values, number, table)
    _check_cells(values, topology, racks)
    _check_fault_contact(values, topology)
    _check_expiry(values, topology, cabinet)
    _check_frames(values, topology, cabinet)
    _check_link(values, topology)
    _check_reserve(values, control)
    _check_energy(values, racks, control)


def _check_energy(values, racks, control):
    """Refuse an energy that these racks cannot hold: with a zero too many every reserve of charge
    is a wrong one.
    """
    most_Wh = (
        sum(
            [table["cells"] * table["charge_end_mV"] * table["rated_current_mA"] for table in racks]
        )
        * LONGEST_CHARGE_h
        // 1_000_000
    )
    if control["energy_Wh"] > most_Wh:
        path = ("control", "energy_Wh")
        not_allowed(
            values.file(*path),
            path,
            control["energy_Wh"],
            f"at most {most_Wh}, what all racks take up in "
            f"{LONGEST_CHARGE_h} h at their rated_current_mA with every cell at "
            f"charge_end_mV",
        )


def _check_rising(values, section, number, table):
    for low, high in RISING:
        if low not in table or table[low] < table[high]:
            continue
        (path_low, entry_low), (path_high, entry_high) = [
            said_of(values, (section, str(number), key)) for key in (low, high)
        ]
        # blame what was said last
        if entry_high and (not entry_low or entry_high.rank >= entry_low.rank):
            not_allowed(
                entry_high.file, path_high, table[high], f"above {low}, which is {table[low]}"
            )
        file = entry_low.file if entry_low else values.last_file
        not_allowed(file, path_low, table[low], f"below {high}, which is {table[high]}")


def _check_rating(values, topology, number, table):
    profile = topology.device("pcs", number - 1).profile
    register = profile.registers.get("704.WSet")
    if register is not None and register.high is not None and table["rated_W"] > register.high:
        file, path = blame(values, "unit", number, "rated_W")
        not_allowed(
            file, path, table["rated_W"], f"1000..{round(register.high)} by {profile.path.name}"
        )


def _check_break_current(values, number, table):
    """A contactor that cannot break what its rack may carry would have to wait for the fuse at any
    stop.
    """
    if table["break_current_mA"] < table["rated_current_mA"]:
        file, path = blame(values, "rack", number, "break_current_mA")
        not_allowed(
            file,
            path,
            table["break_current_mA"],
            f"rated_current_mA and more, which is {table['rated_current_mA']}",
        )


def _check_armed(values, topology):
    """A row that is required and not armed refuses the file, and with it the energisation."""
    lacking = {}
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
        refuse(
            values.last_file,
            ("not_fitted", name),
            "is missing: "
            f"{equipment.with_clauses(sorted(rows))} {'are' if len(rows) > 1 else 'is'} not "
            f"armed{where}, no device "
            "tells it",
            schema.spec_of(("not_fitted", name)).allowed[1],
            equipment=(name,),
        )


def _check_cells(values, topology, racks):
    """Racks on one DC bus are in parallel: a different number of cells in series would be a short
    circuit.
    """
    first = {}
    for rack, unit in enumerate(topology.rack_units):
        other = first.setdefault(unit, rack)
        if racks[rack]["cells"] != racks[other]["cells"]:
            file, path = blame(values, "rack", rack + 1, "cells")
            not_allowed(
                file,
                path,
                racks[rack]["cells"],
                f"{racks[other]['cells']}, as rack {other + 1} on the same DC bus",
            )


def _check_fault_contact(values, topology):
    """A BMS that is slow, or that tells no cell voltages, must be able to stop the cabinet by
    wire.
    """
    if not topology.not_fitted.get("bms_fault"):
        return
    for device in topology.devices:
        if device.role != "bms":
            continue
        why = ""
        if device.profile.family == "pylontech_bms":
            why = "tells no cell voltages"
        elif any(period_ms(device) * row[3] > row[2] for row in BUDGETS if "bms" in row[4]):
            why = f"is slower than its silence budget ({period_ms(device)} ms)"
        if why:
            path = ("not_fitted", "bms_fault")
            refuse(
                values.file(*path),
                path,
                f"is not allowed: device.{device.name} {why}",
                "a hard-wired BMS fault contact on bms_fault_ok",
            )


def _check_expiry(values, topology, cabinet):
    for device in topology.devices:
        expiry_ms = device.profile.settings.get("expiry_ms", 0) if device.outputs else 0
        if expiry_ms > cabinet["permit_expiry_ms"]:
            path = ("device", device.name, "profile")
            not_allowed(
                values.file(*path),
                path,
                values.get(*path),
                f"an output expiry up to permit_expiry_ms, which is "
                f"{cabinet['permit_expiry_ms']}; "
                f"this profile sets {expiry_ms} ms",
            )


def _check_frames(values, topology, cabinet):
    """Refuse an expiry of so few ticks that the second channel's permit falls with a frame or two,
    or never comes.
    """
    tick_ms, expiry_ms = values.get("cabinet", "tick_ms"), cabinet["permit_expiry_ms"]
    least_ms, most_ms = EXPIRY_TICKS_MIN * tick_ms, schema.CABINET["permit_expiry_ms"].allowed[1]
    if not topology.second_channel or expiry_ms >= least_ms:
        return
    key, value, allowed = (
        "permit_expiry_ms",
        expiry_ms,
        (f"{least_ms}..{most_ms} with tick_ms = {tick_ms}"),
    )
    if least_ms > most_ms:
        ticks_ms = [
            str(each_ms) for each_ms in schema.TICKS_MS if EXPIRY_TICKS_MIN * each_ms <= most_ms
        ]
        key, value, allowed = "tick_ms", tick_ms, ", ".join(ticks_ms)
    not_allowed(
        values.file("cabinet", key),
        ("cabinet", key),
        value,
        f"{allowed}: the second channel's permit has to outlast {LOST_FRAMES_MIN} lost "
        f"frames in a row, one "
        f"every {channel.FRAME_EVERY_TICKS} ticks",
    )


def _check_link(values, topology):
    """Refuse a line to the second channel on which a frame is still under way when the next one is
    due.
    """
    if not topology.channel_b:
        return
    path, due_ms = (
        ("channel_b", "baud_Bd"),
        channel.FRAME_EVERY_TICKS * values.get("cabinet", "tick_ms"),
    )
    fast = [str(baud_Bd) for baud_Bd in schema.BAUDS_BD if time_chain.frame_ms(baud_Bd) <= due_ms]
    if str(topology.channel_b.baud_Bd) not in fast:
        not_allowed(
            values.file(*path),
            path,
            topology.channel_b.baud_Bd,
            f"{', '.join(fast)}: {channel.FRAME_BYTES} bytes every {due_ms} ms",
        )


def _check_reserve(values, control):
    soft, hard = control["soc_reserve_soft_permille"], control["soc_reserve_hard_permille"]
    if soft < hard:
        path = ("control", "soc_reserve_soft_permille")
        not_allowed(
            values.file(*path), path, soft, f"soc_reserve_hard_permille and more, which is {hard}"
        )
