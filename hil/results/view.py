"""What the live screen shows, gathered from the plant, the controller's image and the loop's
statistics.
"""

from controller.core import reasons
from controller.core.core import STANDING_BITS
from controller.core.setpoint import (
    O_BINDING_REASON,
    O_REQUEST_FAST_REASON,
    O_REQUEST_W,
    O_SETPOINT_W,
)
from controller.rows import reason_words
from controller.state import rows
from hil.observer.trips import names_standing, scope_words
from safety import matrix, signals as s

RESETS = ("self", "remote", "key")
AVAILABLE = {"charge_W_max": s.CHARGE_W_MAX, "discharge_W_max": s.DISCHARGE_W_MAX}
CONTACTORS = ("open", "pre-charge", "closed", "fault")
SILENT = {
    "BMS": {"40a", "40b", "40c", "40d", "40e"},
    "PCS": {"41a", "41b", "41c"},
    "I/O": {"49"},
    "meter": {"50a", "50b"},
    "gas": {"14"},
}


def plant_part(plant):
    """Power flows and racks of the plant, as the screen wants them."""
    return {
        "grid_W": plant.grid_power_W,
        "load_W": plant.load_power_W,
        "battery_W": sum([pcs.ac_power_W for pcs in plant.pcs]),
        "racks": [
            (
                100 * rack.soc,
                round(1000 * rack.cell_voltage_V_min),
                round(1000 * rack.cell_voltage_V_max),
                min(rack.temperatures_degC),
                max(rack.temperatures_degC),
                rack.current_A,
                CONTACTORS[rack.contactor_state],
            )
            for rack in plant.racks
        ],
    }


def common(order, scenario, config, load, mode):
    """What stays the same in all views of a run."""
    return {
        "title": scenario.title if scenario else "Load tracking",
        "load_name": load.about["column"],
        "mode": mode,
        "duration_s": order["duration_s"],
        "tick_ms": config.tick_ms,
        "armed": order["armed"],
        "not_fitted": order["not_fitted"],
    }


def controller_part(out, layout, stage_names, since_s, now_s):
    """State, decision and interlocks from the controller's outputs (array of ints, core.Core's
    order).

    since_s: {instance name: when it began to stand}, kept here from call to call.
    """
    chain = layout.outputs
    code = out[chain + O_BINDING_REASON]
    standing = names_standing(out[-len(stage_names) // STANDING_BITS :], stage_names)
    for name in set(since_s).difference(standing):
        del since_s[name]
    tripped, warning = rows.tripped_and_warning(standing)
    return {
        "state": s.STATES[out[s.STATE]],
        "request_W": out[chain + O_REQUEST_W],
        "setpoint_W": out[chain + O_SETPOINT_W],
        "request_by": reason_words.text(out[chain + O_REQUEST_FAST_REASON])[0],
        "limit": (reasons.label(code), reason_words.text(code)[1]) if code else None,
        **{
            name: sum([out[layout.unit_output(unit, signal)] for unit in range(layout.units)])
            for name, signal in AVAILABLE.items()
        },
        "rows_tripped": len(tripped),
        "rows_warning": len(warning),
        "tripped": [_tripped(name, since_s.setdefault(name, now_s), now_s) for name in standing],
        "links": links(standing),
    }


def links(standing):
    """{link: "ok" or "silent"} by the names of the stage instances that stand: the kernel judges,
    not the screen.
    """
    stages = {name.partition(".")[0] for name in standing}
    return {link: "silent" if stages & silent else "ok" for link, silent in SILENT.items()}


def _tripped(name, began_s, now_s):
    """(stage, words of its row, scope, seconds since it began, how it resets)."""
    stage, _, scope = name.partition(".")
    row = rows.STAGES[stage]
    words = reason_words.text(reasons.ROW + row[matrix.S_ROW])[0]
    return stage, words, scope_words(scope), now_s - began_s, RESETS[row[matrix.S_LATCH]]
