"""Numbers that explain each limit of the power, such as rack, cell, age or rows.

A `way` is 0 for charge, 1 for discharge.
"""

from collections.abc import Iterable

from controller.core.base import reasons
from controller.journal.snapshot import Shadow
from controller.state import base
from controller.state.base import Facts
from controller.state.rows import rows_demanding
from safety import bounds, matrix as m, parameters as p, rack_limits, signals as s, tapers

CODES = reasons.KERNEL_CHARGE, reasons.KERNEL_DISCHARGE  # by way
CELLS_PER_MODULE_MAX = 32  # a cell's position is module x 32 + cell
Taper = tuple[Facts, Facts]  # (the reading, both ends of the taper)


def way_and_limit(code: int) -> tuple[int, int] | None:
    """(way, number of the kernel's limit) of a reason code; None: the code is of no kernel
    limit.
    """
    for way, codes in enumerate(CODES):
        if code in codes:
            return way, codes.index(code)
    return None


def _lowest_W(shadow: Shadow, way: int, numbers: Iterable[int]) -> int:
    """The lowest of these limits in each unit, summed over the units, W >= 0."""
    limit_W, units = shadow.core.facts.limit_W, range(shadow.layout.units)
    return sum(min(limit_W(unit, way, number) for number in numbers) for unit in units)


def next_limit(shadow: Shadow, way: int, number: int) -> tuple[int, int]:
    """(W, reason code) without limit `number`. The reason is that of the unit which would then
    withhold the most power.
    """
    other_limits = [index for index in range(bounds.LIMIT_COUNT) if index != number]
    limit_W = shadow.core.facts.limit_W

    def over_rating_W(unit: int) -> int:
        lowest_W = min(limit_W(unit, way, index) for index in other_limits)
        return lowest_W - shadow.core.rated_W[unit]

    unit = min(range(shadow.layout.units), key=over_rating_W)

    def order(index: int) -> tuple[int, int]:
        """Sort key. Of equal limits the kernel names the first in NAMED; of limits of 0 W, the
        last.
        """
        left_W, place = limit_W(unit, way, index), bounds.NAMED.index(index)
        return left_W, place if left_W else -place

    return _lowest_W(shadow, way, other_limits), CODES[way][min(other_limits, key=order)]


def recovering(shadow: Shadow, way: int) -> Facts | None:
    """{now_W, to_W, W_per_s} while a permitted power still rises to its limit, else None."""
    signal, layout = s.DISCHARGE_W_MAX if way else s.CHARGE_W_MAX, shadow.layout
    now_W = sum(shadow.out[layout.unit_output(unit, signal)] for unit in range(layout.units))
    to_W = _lowest_W(shadow, way, range(bounds.LIMIT_COUNT))
    if now_W >= to_W:
        return None
    permille = shadow.core.facts.cabinet_parameter(p.P_LIMIT_RECOVERY_PERMILLE_PER_S)
    return {"now_W": now_W, "to_W": to_W, "W_per_s": sum(shadow.core.rated_W) * permille // 1000}


def cause(shadow: Shadow, code: int) -> Facts | None:
    """{"kind": ..., numbers} that explain a reason code; None: the code explains itself."""
    kernel_limit = way_and_limit(code)
    if kernel_limit:
        way, number = kernel_limit
        return {
            "kind": bounds.LIMITS[number],
            "recovering": recovering(shadow, way),
            **_KERNEL[number](shadow, way, number),
        }
    if code == reasons.SETPOINT_RAMP:
        return {"kind": "ramp", "W_per_s": shadow.core.settings["setpoint_ramp_W_per_s"]}
    return _of_function(shadow, code)


def _unit_of(shadow: Shadow, way: int, number: int) -> int:
    """The unit that this limit binds. If the limit binds several units or none: the unit to which
    the limit leaves the least power.
    """

    def order(unit: int) -> tuple[int, int]:
        limits_W = [
            shadow.core.facts.limit_W(unit, way, index) for index in range(bounds.LIMIT_COUNT)
        ]
        return limits_W[number] - min(limits_W), limits_W[number]

    return min(range(shadow.layout.units), key=order)


def _rated(shadow: Shadow, way: int, number: int) -> Facts:
    return {"limit_W": _lowest_W(shadow, way, [number])}


def _online(shadow: Shadow, unit: int) -> list[int]:
    """Racks (from 0) that share the current of a unit."""
    facts, racks = shadow.core.facts, range(shadow.layout.racks)
    return [rack for rack in racks if facts.unit_of(rack) == unit and facts.is_online(rack)]


def _current(shadow: Shadow, way: int, number: int) -> Facts:
    """The factors of bounds.Bounds: racks online x current x sharing x voltage (x efficiency)."""
    facts, unit = shadow.core.facts, _unit_of(shadow, way, number)
    online = _online(shadow, unit)
    numbers = {"unit": unit + 1, "racks_online": len(online)}
    if not online:
        return numbers
    word = rack_limits.RL_CURRENT_MA + way
    rack_current_mA, rack = min((facts.rack_limit(rack, word), rack) for rack in online)
    return numbers | {
        "rack": rack + 1,
        "rack_current_mA": rack_current_mA,
        "is_rating": rack_current_mA >= facts.rack_parameter(rack, p.R_RATED_CURRENT_MA),
        "voltage_V": min(facts.rack_limit(rack, rack_limits.RL_VOLTAGE_V) for rack in online),
        "sharing_permille": facts.unit_parameter(unit, p.U_RACK_SHARING_PERMILLE),
        "efficiency_permille": facts.unit_parameter(unit, p.U_EFFICIENCY_PERMILLE_MIN)
        if way
        else 1000,
        "limit_W": facts.limit_W(unit, way, number),
        "cell": cell(shadow, rack, way),
    }


def cell(shadow: Shadow, rack: int, way: int) -> Facts | None:
    """{rack, module, cell, voltage_mV, spread_mV} of the highest (charge) or lowest cell."""
    ends = (
        (s.CELL_VOLTAGE_MV_MAX, s.CELL_POSITION_MAX),
        (s.CELL_VOLTAGE_MV_MIN, s.CELL_POSITION_MIN),
    )
    voltage_mV = base.rack_value(shadow, rack, ends[way][0])
    position = base.rack_value(shadow, rack, ends[way][1])
    other_mV = base.rack_value(shadow, rack, ends[1 - way][0])
    is_reported = shadow.core.facts.rack_parameter(rack, p.R_CELLS_REPORTED)
    if not is_reported or voltage_mV is None or position is None or other_mV is None:
        return None
    return {
        "rack": rack + 1,
        "module": position // CELLS_PER_MODULE_MAX + 1,
        "cell": position % CELLS_PER_MODULE_MAX + 1,
        "voltage_mV": voltage_mV,
        "spread_mV": abs(voltage_mV - other_mV),
    }


def _taper(shadow: Shadow, way: int, number: int) -> Facts:
    """The reading of the rack with the smallest share, that share, and both ends of the taper."""
    charge_word, distance, numbers = _TAPERS[number]
    unit = _unit_of(shadow, way, number)
    online = _online(shadow, unit)
    if not online:
        return {"unit": unit + 1, "racks_online": 0}
    shares = [
        (shadow.core.facts.rack_limit(rack, charge_word + way * distance), rack) for rack in online
    ]
    left_permille, rack = min(shares)
    seen, ends = numbers(shadow, way, rack)
    return {"unit": unit + 1, "rack": rack + 1, **seen, "left_permille": left_permille, **ends}


def _cell_voltage(shadow: Shadow, way: int, rack: int) -> Taper:
    first = p.R_DISCHARGE_TAPER_MV if way else p.R_CHARGE_TAPER_MV
    full_at, none_at = [shadow.core.facts.rack_parameter(rack, first + end) for end in (0, 1)]
    return {"cell": cell(shadow, rack, way)}, {"full_at_mV": full_at, "none_at_mV": none_at}


def _temperature(shadow: Shadow, way: int, rack: int) -> Taper:
    coldest, hottest = shadow.core.facts.temperatures_ddegC(rack)
    hot, cold = shadow.core.facts.temperature_tapers_ddegC(way)
    is_cold = tapers.taper_permille(coldest, *cold) < tapers.taper_permille(hottest, *hot)
    full_at, none_at = cold if is_cold else hot
    module_ddegC: int | None = coldest if is_cold else hottest
    if not base.is_known(shadow, shadow.layout.rack_group(rack, s.G_BMS_TEMPERATURES)):
        module_ddegC = None
    seen = {"is_cold": is_cold, "module_ddegC": module_ddegC}
    return seen, {"full_at_ddegC": full_at, "none_at_ddegC": none_at}


def _state_of_charge(shadow: Shadow, way: int, rack: int) -> Taper:
    full_at, none_at = tapers.SOC_TAPER_PERMILLE[way]
    seen = {"soc_permille": base.rack_value(shadow, rack, s.SOC_PERMILLE)}
    return seen, {"full_at_permille": full_at, "none_at_permille": none_at}


def _silence(shadow: Shadow, way: int, rack: int) -> Taper:
    age_ms = shadow.core.facts.oldest_ms(rack)
    return {"age_ms": age_ms}, {
        "full_at_ms": shadow.core.facts.rack_parameter(rack, p.R_BMS_WARN_MS),
        "none_at_ms": shadow.core.facts.rack_parameter(rack, p.R_BMS_RAMP_MS),
    }


# {limit: (its word of RACK_LIMITS for charge, distance to the word for discharge, function that
# gives its numbers)}
_TAPERS = {
    bounds.L_CELL_VOLTAGE_TAPER: (rack_limits.RL_CELL_VOLTAGE, 1, _cell_voltage),
    bounds.L_TEMPERATURE_TAPER: (rack_limits.RL_TEMPERATURE, 1, _temperature),
    bounds.L_SOC_TAPER: (rack_limits.RL_SOC, 1, _state_of_charge),
    bounds.L_BMS_SILENCE: (rack_limits.RL_SILENCE, 0, _silence),
}
_DEMANDS = {
    bounds.L_DERATE: ((m.D_CHARGE_DERATE_PCT, m.D_DISCHARGE_DERATE_PCT), 1),
    bounds.L_INHIBIT: ((m.D_CHARGE_INHIBIT, m.D_DISCHARGE_INHIBIT), m.INHIBIT_AT_ONCE),
    bounds.L_RAMP_TO_ZERO: ((m.D_PCS, m.D_PCS), m.PCS_RAMP),
    bounds.L_STOP: ((m.D_PCS, m.D_PCS), m.PCS_STOP),
}


def _rows(shadow: Shadow, way: int, number: int) -> Facts:
    """The active rows that demand this limit. If no row does, a stop or a closing demands it."""
    demands, level = _DEMANDS[number]
    return {
        "rows": rows_demanding(shadow, demands[way], level),
        "state": s.STATES[shadow.out[s.STATE]],
    }


def _permit(shadow: Shadow, way: int, number: int) -> Facts:
    return {
        "state": s.STATES[shadow.out[s.STATE]],
        "waits_for": base.reason(reasons.inhibit_code(shadow.out[s.INHIBIT_REASON])),
    }


_KERNEL = {
    **dict.fromkeys((bounds.L_PCS_RATED, bounds.L_INSTALLER, bounds.L_TEST), _rated),
    bounds.L_BMS_CURRENT: _current,
    bounds.L_PERMIT: _permit,
    **dict.fromkeys(_TAPERS, _taper),
    **dict.fromkeys(_DEMANDS, _rows),
}


def _soc(shadow: Shadow) -> Facts:
    """The lowest state of charge and its rack. While the state of a rack is unknown: None and the
    first such rack.
    """
    values = [base.rack_value(shadow, rack, s.SOC_PERMILLE) for rack in range(shadow.layout.racks)]
    lowest = base.of_all(min, values)
    return {"soc_permille": lowest, "rack": values.index(lowest) + 1}


def _of_function(shadow: Shadow, code: int) -> Facts | None:
    """The numbers of the control function that gives this code; None if no function does."""
    for function in shadow.core.functions.values():
        if code in function.TEXTS:
            numbers = function.numbers(code)
            soc = _soc(shadow) if numbers and numbers["kind"] == "reserve" else {}
            return numbers and {"kind": numbers["kind"], **soc, **numbers}
    return None
