"""Estimates when a suspected thermal runaway would reach the neighbours of its module.

The estimate is for people only. No report of the matrix, no interface upstream and no control
function reads it.
"""

from collections.abc import Callable, Sequence
from statistics import median_low

from controller.journal.history import History
from controller.journal.snapshot import Shadow
from controller.rows.records import BY_ID
from controller.state import base, propagation_map, racks
from controller.state.base import Facts
from safety import heating, matrix as m, parameters as p, signals as s

SUSPECTING = (21, 22, 23, 24, 53)  # rows that suspect a rack of a thermal runaway
BURNING = (21, 23, 24)  # rows that show a runaway once the sensor is as hot as the trigger
COLLAPSED = 24  # a cell has lost its voltage: it burns, whatever the sensor reads
WARMING_S_MAX = 7200.0  # a longer warming changes no result, it only takes longer to compute
DECI, MILLI = 10.0, 1000.0


def facts(shadow: Shadow, history: History) -> Facts | None:
    """The hottest suspected module and its Estimate. None: no suspicion, or no neighbours."""
    if "neighbours" not in shadow.reader.header:
        return None
    suspected_ms = _active_ms(shadow, history, SUSPECTING)
    suspects = [hottest for rack in suspected_ms if (hottest := _hottest(shadow, rack))]
    if not suspects:
        return None
    hot_ddegC, rack, module = max(suspects)
    kind = shadow.reader.header["chemistry"]
    is_lit = hot_ddegC / DECI >= propagation_map.CELLS[kind].trigger_degC
    burning_ms = _active_ms(shadow, history, BURNING if is_lit else (COLLAPSED,), min).get(rack)
    seen = _seen(shadow, rack, module, suspected_ms[rack], burning_ms)
    estimate = propagation_map.estimate(kind, seen, _neighbours(shadow))
    return {
        "rack": rack + 1,
        "module": module + 1,
        "degC": hot_ddegC / DECI,
        "rise_K_per_min": round(seen.rise_K_per_s * 60.0, 1),
        "warming_s": seen.warming_s,
        "burning_s": seen.burning_s,
        **estimate._asdict(),
    }


def _active_ms(
    shadow: Shadow, history: History, rows: Sequence[int], choose: Callable[[int, int], int] = max
) -> dict[int, int]:
    """{rack from 0: time for which one of these rows is active on it, ms}. choose: max for the
    oldest row, min for the newest.
    """
    ages_ms: dict[int, int] = {}
    for name in shadow.standing:
        stage, _, scope = name.partition(".rack")
        if scope and BY_ID[stage][m.S_ROW] in rows:
            age_ms = base.uptime_ms(shadow) - (history.began_ms.get(name) or 0)
            ages_ms[int(scope) - 1] = choose(age_ms, ages_ms.get(int(scope) - 1, age_ms))
    return ages_ms


def _hottest(shadow: Shadow, rack: int) -> tuple[int, int, int] | None:
    """(0.1 degC, rack, module), None while the rack's temperatures are not known."""
    readings = racks.readings_ddegC(shadow, rack)
    return (max(readings), rack, readings.index(max(readings))) if readings else None


def _seen(
    shadow: Shadow, rack: int, module: int, warming_ms: int, burning_ms: int | None
) -> propagation_map.Seen:
    readings = racks.readings_ddegC(shadow, rack)
    modules = len(readings)
    median_degC = median_low(readings) / DECI
    air_ddegC = base.cabinet_value(shadow, s.AIR_TEMPERATURE_DDEGC)
    # rise since the oldest temperature that the kernel keeps
    oldest_ddegC = shadow.core.facts.oldest_reading_ddegC(rack, module)
    is_kept = oldest_ddegC != heating.NO_HISTORY_DDEGC
    rise_ddegC = readings[module] - oldest_ddegC if is_kept else 0
    return propagation_map.Seen(
        cells=max(2, shadow.core.facts.rack_parameter(rack, p.R_CELLS) // modules),
        hot_degC=max(readings) / DECI,
        rise_K_per_s=rise_ddegC / DECI / heating.HISTORY_S,
        others_degC=median_degC,
        air_degC=median_degC if air_ddegC is None else air_ddegC / DECI,
        warming_s=min(warming_ms / MILLI, WARMING_S_MAX),
        burning_s=None if burning_ms is None else min(burning_ms / MILLI, WARMING_S_MAX),
    )


def _neighbours(shadow: Shadow) -> propagation_map.Neighbours:
    neighbours = shadow.reader.header["neighbours"]
    module, rack = [
        neighbours[key] / MILLI if neighbours[key] else None
        for key in ("module_mK_per_W", "rack_mK_per_W")
    ]
    return propagation_map.Neighbours(float(neighbours["cell_J_per_K"]), module, rack)
