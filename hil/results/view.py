"""Collects the data of the live screen from the plant and the controller's outputs."""

from collections.abc import Iterable, Sequence

from controller.config import stage_states
from controller.config.cabinet_config import Config
from controller.core.base import reasons
from controller.core.base.setpoint import (
    O_BINDING_REASON,
    O_REQUEST_FAST_REASON,
    O_REQUEST_W,
    O_SETPOINT_W,
)
from controller.core.core import STANDING_BITS
from controller.rows import reason_words, records
from controller.state import rows
from hil.loads.trace import Load
from hil.observer.trips import names_active, scope_words
from hil.plant.cabinet import CabinetPlant
from hil.results import words
from hil.results.site_record import powers_W
from hil.scenarios.scenario import Scenario
from hil.site.parts import FEEDING
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


def plant_part(plant: CabinetPlant) -> dict:
    """Power flows and racks of the plant, in the keys of frame.py."""
    site_W = powers_W(plant.site)
    return {
        "site_W": site_W if set(FEEDING) & set(site_W) else {},
        "grid_W": plant.grid_power_W,
        "load_W": plant.load_power_W,
        "battery_W": plant.battery_W,
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


def of_order(order: dict, scenario: Scenario | None, config: Config, load: Load, mode: str) -> dict:
    """The constant part of the views of the run that `order` describes."""
    return {
        "title": scenario.title if scenario else "Load tracking",
        "load_name": "; ".join(filter(None, (load.about["column"], words.in_one_line(order)))),
        "mode": mode,
        "duration_s": order["duration_s"],
        "tick_ms": config.tick_ms,
        "armed": len(stage_states.rows_armed(config.topology)),
        "not_fitted": len(stage_states.rows_not_fitted(config.topology)),
    }


def controller_part(
    out: Sequence[int],
    layout: s.Layout,
    stage_names: list[str],
    since_s: dict[str, float],
    now_s: float,
) -> dict:
    """State, decision and interlocks, from the outputs of core.Core. since_s: {instance name:
    start}, kept up to date here.
    """
    chain = layout.outputs
    code = out[chain + O_BINDING_REASON]
    active = names_active(out[-len(stage_names) // STANDING_BITS :], stage_names)
    for name in set(since_s).difference(active):
        del since_s[name]
    tripped, warning = rows.tripped_and_warning(active)
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
        "tripped": [_tripped(name, since_s.setdefault(name, now_s), now_s) for name in active],
        "links": links(active),
    }


def links(active: Iterable[str]) -> dict[str, str]:
    """{link: "ok" or "silent"}, by the kernel's active or latched stage instances."""
    stages = {name.partition(".")[0] for name in active}
    return {link: "silent" if stages & silent else "ok" for link, silent in SILENT.items()}


def _tripped(name: str, began_s: float, now_s: float) -> tuple[float | str, ...]:
    """(stage, text of its row, scope, seconds since its start, kind of reset)."""
    stage, _, scope = name.partition(".")
    row = records.BY_ID[stage]
    text = reason_words.text(reasons.ROW + row[matrix.S_ROW])[0]
    return stage, text, scope_words(scope), now_s - began_s, RESETS[row[matrix.S_LATCH]]
