"""Facts of the page `status`: a summary of the other pages."""

from itertools import chain

from controller.core.base import setpoint
from controller.core.policies.hint_table import LOW_PERMILLE
from controller.core.policies.schedule import Schedule
from controller.journal.history import History
from controller.journal.snapshot import Shadow
from controller.state import (
    alarms,
    base,
    contacts,
    devices,
    hints,
    links,
    path_delay,
    places,
    propagation,
    racks,
    rows,
    why,
)
from controller.state.base import Facts
from safety import signals as s

FROM_CHAIN = ("request_W", "request", "setpoint_W", "binding", "cause", "limits")
ENDS_OF_RACKS = {  # {fact: (the same of one rack, which of all racks)}
    "soc_permille_min": ("soc_permille", min),
    "soc_permille_max": ("soc_permille", max),
    "soh_permille_min": ("soh_counted_permille", min),
    "temperature_ddegC_min": ("temperature_ddegC_min", min),
    "temperature_ddegC_max": ("temperature_ddegC_max", max),
}
HELD_MIN = 15  # minutes for which the battery must be able to hold a power
RESERVE_POWER_W_MIN = 1000  # below it the time to the reserve has no meaning


def facts(shadow: Shadow, history: History, loop: Facts | None, record: Facts | None) -> Facts:
    """The page `status` as plain data; loop: of loop_statistics.read; record: of Record.summary."""
    chain_facts, names = why.facts(shadow), shadow.reader.header.get("names", {})
    standing = rows.by_danger([rows.row_of(shadow, name, history) for name in shadow.standing])
    rack_rows, full_Wh = racks.facts(shadow)["racks"], shadow.core.decision.health.energy_Wh
    charge = _of_racks(rack_rows)
    return {
        **base.head(shadow),
        **_indicators(shadow),
        "interlocks": _interlocks(shadow),
        "standing": standing,
        "channel_b": rows.channel_b(shadow),
        "reset": alarms.needed_reset(shadow, standing),
        **charge,
        **_power(shadow),
        "full_Wh": full_Wh,
        "rated_W": sum(shadow.core.rated_W),
        "rated_Wh": shadow.core.settings["energy_Wh"],
        **{name: chain_facts[name] for name in FROM_CHAIN},
        **_available(shadow, charge["soc_permille_max"], full_Wh),
        "reserve_permille": _kept_permille(shadow),
        **_hints(shadow),
        "racks": rack_rows,
        "links": links.facts(shadow, None)["summary"],
        "meters": links.meters(shadow),
        "site": devices.powers(shadow),
        "path_delay": path_delay.facts(shadow),
        "loop": loop,
        "record": record,
        "tick_ms": shadow.core.facts.tick_ms,
        "gas_calibration_d": _calibration_d(shadow),
        "version": {"limits_crc": f"{shadow.out[s.IMAGE_CRC]:08X}", **names},
        "start": alarms.start(shadow),
        "differs": shadow.differs,
        "propagation": propagation.facts(shadow, history),
        "map": places.on_plan(shadow),
    }


def _indicators(shadow: Shadow) -> Facts:
    """Lamps and horn, gas detectors, contacts."""
    lamp = "amber" if shadow.out[s.LAMP_ON] else "off"
    return {
        "lamp": "red" if shadow.out[s.RED_LAMP_ON] else lamp,
        "horn_is_on": bool(shadow.out[s.HORN_ON]),
        **contacts.gas(shadow),
        "contacts": contacts.states(shadow),
    }


def _hints(shadow: Shadow) -> Facts:
    """Hints, schedule and notices. is_clock_trusted: the controller knows UTC well enough to act by
    a schedule, even while it has none.
    """
    return {
        "hints": hints.in_force(shadow),
        "schedule": hints.schedule(shadow),
        "is_clock_trusted": shadow.core.functions[Schedule.NAME].minute() is not None,
        "notices": hints.notices(shadow),
        "sources": hints.source_names(shadow),
        "binding_sources": hints.binding(shadow),
    }


def _of_racks(rack_rows: list[Facts]) -> dict[str, int | None]:
    """Lowest and highest state of charge and temperature of the racks, and their lowest state of
    health. A value is None while it is unknown for a rack.
    """
    return {
        name: base.of_all(end, [rack[key] for rack in rack_rows])
        for name, (key, end) in ENDS_OF_RACKS.items()
    }


def _available(shadow: Shadow, soc_permille: int | None, full_Wh: int) -> dict[str, int | None]:
    """The range in which a request is met now, and the part of it that the battery can hold for
    HELD_MIN minutes with its present energy.
    """
    low_W = shadow.chain(setpoint.O_AVAILABLE_LOW_W)
    high_W = shadow.chain(setpoint.O_AVAILABLE_HIGH_W)
    stored_Wh = hints.remaining_Wh(shadow)
    discharge_W = charge_W = None
    if stored_Wh is not None:
        discharge_W = min(high_W, stored_Wh * 60 // HELD_MIN)
    if soc_permille is not None:
        free_Wh = full_Wh * max(0, 1000 - soc_permille) // 1000
        charge_W = max(low_W, -free_Wh * 60 // HELD_MIN)
    return {
        "available_low_W": low_W,
        "available_high_W": high_W,
        f"held_{HELD_MIN}min_low_W": charge_W,
        f"held_{HELD_MIN}min_high_W": discharge_W,
    }


def _kept_permille(shadow: Shadow) -> int:
    """The state of charge above which remaining_Wh counts."""
    if shadow.core.found.is_off_grid:
        return LOW_PERMILLE
    return shadow.core.settings["soc_reserve_peaks_permille"]


def _power(shadow: Shadow) -> Facts:
    """Measured powers, the energy above _kept_permille, and the time until that energy is used.
    None: unknown.
    """
    battery_W = base.battery_W(shadow)
    remaining_Wh, reserve_in_s = hints.remaining_Wh(shadow), None
    if remaining_Wh is not None and battery_W is not None and battery_W >= RESERVE_POWER_W_MIN:
        reserve_in_s = remaining_Wh * 3600 // battery_W
    return {
        "battery_W": battery_W,
        "grid_W": base.cabinet_value(shadow, s.GRID_POWER_W),
        "load_W": base.cabinet_value(shadow, s.LOAD_POWER_W),
        "remaining_Wh": remaining_Wh,
        "reserve_in_s": reserve_in_s,
    }


def _interlocks(shadow: Shadow) -> dict[str, int]:
    """Counts of rows. tripped: a row that stops power; warnings: other active or latched rows."""
    armed, built = rows.armed_count(shadow)
    tripped, warning = rows.tripped_and_warning(shadow.standing)
    return {
        "armed": armed,
        "built": built,
        "tripped": len(tripped),
        "warnings": len(warning),
        "not_fitted": len(shadow.reader.header.get("rows_not_fitted", ())),
    }


def _calibration_d(shadow: Shadow) -> int | None:
    """Days until the first gas detector is due for calibration; below 0: overdue. None: there is no
    detector, or the days of one are unknown and no other is overdue.
    """
    places = chain(*shadow.core.facts.detectors().values())
    days_left = [base.cabinet_value(shadow, first + 2) for first in places]
    soonest_d = min([left_d for left_d in days_left if left_d is not None], default=None)
    is_overdue = soonest_d is not None and soonest_d < 0
    return soonest_d if is_overdue or None not in days_left else None
