"""Pairs of numbers that must agree. Each number alone is checked before, by its range.

A row says: `low` is at most `times` x `high`, less `room`. REFUSED: the two contradict each other.
DOUBT: they are more likely a slip, such as kW for W or a digit too many; `firebreak check` prints a
line. NO_EFFECT: a doubt that the later layer may raise by tightening the other number.
"""

from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

from controller.config import pair_values
from controller.config.cabinet_config import Config
from controller.config.pair_values import Number
from controller.config.values import Values
from controller.forms.refusal import dotted, in_unit, refuse

REFUSED, DOUBT, NO_EFFECT = range(3)
PART, FOLD = Fraction(1, 100), Fraction(100)  # what kW for W, or W for kW, is far beyond
KW = "it is less than a hundredth of the power of the converters (in kW?)"
MORE = "it is more than a hundred times the power of the converters"
NO_USE = "the other limit is tighter, so this one has no effect"
MILDER = "the milder reaction comes first"
TAPER = "a taper begins before it ends"


class Pair(NamedTuple):
    """A row. scope: a section, or the role of a device; both numbers are of one table of it, or one
    is of the whole configuration (pair_values.WHOLE, or a key with a dot).
    """

    scope: str
    low: str
    high: str
    verdict: int
    why: str
    times: Fraction = Fraction(1)
    room: int = 0


def _rising(scope: str, *keys: str, why: str = MILDER) -> list[Pair]:
    """Each key must be below the next one."""
    return [Pair(scope, low, high, REFUSED, why, room=1) for low, high in zip(keys, keys[1:])]


def _two_point(scope: str, low: str, high: str) -> list[Pair]:
    """A start and a stop: the wrong order contradicts itself, the same value has no hysteresis."""
    why = "it would start and stop at the same moment"
    same = "start and stop are the same: without a distance it switches at each small change"
    return [Pair(scope, low, high, REFUSED, why), Pair(scope, low, high, DOUBT, same, room=1)]


def _power(scope: str, key: str) -> list[Pair]:
    """A power compared with that of the converters. A power of 0 is meant."""
    return [
        Pair(scope, "rating_W", key, DOUBT, KW, FOLD),
        Pair(scope, key, "rating_W", DOUBT, MORE, FOLD),
    ]


PAIRS: tuple[Pair, ...] = (
    # -- charge
    Pair("control", "soc_reserve_backup_permille", "soc_reserve_peaks_permille", REFUSED,
         "the energy for an outage is a part of that for peaks"),
    Pair("control", "soc_reserve_hysteresis_permille", "above_peaks_permille", REFUSED,
         "a reserve that was reached would never open again"),
    Pair("control", "soc_reserve_peaks_permille", "soc_target_permille", DOUBT,
         "load tracking aims at a charge at which it may not discharge"),
    *_two_point("genset", "start_soc_permille", "stop_soc_permille"),
    Pair("genset", "start_soc_permille", "control.soc_reserve_peaks_permille", DOUBT,
         "the battery is used down to that reserve, so the set would start on the grid too"),
    Pair("genset", "least_permille", "accept_permille", DOUBT,
         "the first step of its load is below its least load"),
    # -- energy, cells, currents
    Pair("rack", "modules", "cells", REFUSED, "each module has at least one cell"),
    Pair("control", "energy_Wh", "racks_Wh_24_h", REFUSED,
         "no charge takes longer than a day (a digit too many?)"),
    Pair("control", "energy_Wh", "racks_W", DOUBT,
         "the racks would need more than 10 h for it (a digit too many?)", Fraction(10)),
    Pair("control", "racks_W", "energy_Wh", DOUBT,
         "the racks would move all of it within a quarter of an hour (a digit missing?)",
         Fraction(4)),
    Pair("rack", "cells", "cells_even", DOUBT,
         "modules have equal numbers of cells, so cells or modules is wrong"),
    Pair("rack", "rated_current_mA", "break_current_mA", REFUSED,
         "each stop at rated current would wait for the fuse"),
    Pair("rack", "break_current_mA", "rated_current_mA", DOUBT,
         "no contactor of this size breaks 20 times its rated current (a digit too many?)",
         Fraction(20)),
    Pair("unit", "rated_W", "racks_of_unit_W", DOUBT,
         "the racks of this unit give less than a quarter of it at rated_current_mA", Fraction(4)),
    Pair("unit", "racks_of_unit_W", "rated_W", DOUBT,
         "its racks give more than ten times that at rated_current_mA", Fraction(10)),
    *_rising("rack", "charge_taper_mV", "charge_end_mV", why=TAPER),
    *_rising("rack", "discharge_end_mV", "charge_taper_mV", why=TAPER),
    *_rising("rack", "discharge_end_mV", "discharge_taper_mV", why=TAPER),
    Pair("rack", "cabinet.rack_voltage_spread_mV_max", "range_mV", DOUBT,
         "racks with very different charge would be closed onto one DC bus", Fraction(1, 4)),
    Pair("rack", "discharge_taper_mV", "charge_taper_mV", DOUBT,
         "no cell voltage is left at which the battery has its power in both directions"),
    # -- powers: a factor of 1000 shows against the converters
    *_power("control", "grid_import_W_max"),
    Pair("control", "rating_W", "grid_export_W_max", DOUBT, KW, FOLD),
    Pair("control", "rating_W", "peak_import_W_max", DOUBT, KW, FOLD),
    Pair("unit", "rated_W", "installer_charge_W_max", DOUBT, KW, FOLD),
    Pair("unit", "rated_W", "installer_discharge_W_max", DOUBT, KW, FOLD),
    *_power("pv", "rated_W"),
    Pair("pv", "rated_W", "limit_W_max", DOUBT,
         "it is less than a hundredth of what the inverter gives (in kW?)", FOLD),
    *_power("genset", "rated_W"),
    Pair("load_shed", "rating_W", "shed_W", DOUBT, KW, FOLD),
    Pair("load_shed", "shed_W", "control.grid_import_W_max", DOUBT,
         "it is more than ten times what the connection carries", Fraction(10)),
    Pair("heater", "rating_W", "rated_W", DOUBT,
         "it is less than a ten thousandth of the power of the converters (in kW?)",
         Fraction(10_000)),
    Pair("heater", "rated_W", "rating_W", DOUBT, "it draws more than the converters give"),
    *[
        Pair("source", "rating_W", f"fallback_{name}_W_max", DOUBT, KW, FOLD)
        for name in ("import", "export", "charge", "discharge")
    ],
    Pair("source", "control.energy_Wh", "energy_Wh_per_h_max", DOUBT,
         "requests would move less than a thousandth of the battery in an hour (in kWh?)",
         Fraction(1000)),
    # -- limits: the looser one has no effect
    Pair("unit", "installer_charge_W_max", "rated_W", NO_EFFECT, NO_USE),
    Pair("unit", "installer_discharge_W_max", "rated_W", NO_EFFECT, NO_USE),
    Pair("control", "peak_import_W_max", "grid_import_W_max", NO_EFFECT, NO_USE),
    Pair("source", "fallback_import_W_max", "control.grid_import_W_max", NO_EFFECT, NO_USE),
    Pair("source", "fallback_export_W_max", "control.grid_export_W_max", NO_EFFECT, NO_USE),
    Pair("source", "fallback_charge_W_max", "rating_W", NO_EFFECT, NO_USE),
    Pair("source", "fallback_discharge_W_max", "rating_W", NO_EFFECT, NO_USE),
    Pair("source", "request_ramp_W_per_s", "control.setpoint_ramp_W_per_s", NO_EFFECT, NO_USE),
    # -- ramps and steps
    Pair("control", "swing_W", "ramped_W", DOUBT,
         "the battery cannot turn round within a metering interval"),
    Pair("control", "setpoint_quantum_W", "rating_W", DOUBT,
         "it is more than a tenth of the power of the converters", Fraction(1, 10)),
    Pair("control", "track_dead_band_W", "rating_W", DOUBT,
         "it is more than a tenth of the power of the converters", Fraction(1, 10)),
    Pair("pv", "rated_W", "ramp_W_per_s", DOUBT,
         "the inverter would need more than 10 min to follow (in kW/s?)", Fraction(600)),
    # -- times
    Pair("control", "peak_interval_s", "even_interval_s", DOUBT,
         "the meters of grid operators have intervals of which an hour is a multiple"),
    *_rising("rack", "bms_warn_ms", "bms_ramp_ms", "bms_stop_ms"),
    *_rising("unit", "pcs_ramp_ms", "pcs_stop_ms", "pcs_open_ms"),
    Pair("unit", "follow_of_profile_ms", "pcs_follow_ms", DOUBT,
         "the converter of this profile needs longer, so row 56 would stop it"),
    Pair("cabinet", "contactor_report_ms", "contactor_close_ms_max", DOUBT,
         "a contactor is reported later than it must have closed"),
    Pair("cabinet", "meter_period_ms", "meter_frozen_ms", DOUBT,
         "five readings may be equal by chance, and the meter would count as frozen",
         Fraction(1, 5)),
    Pair("control", "meter_sample_ms", "track_sample_ms", DOUBT,
         "the meter has no new value so often"),
    Pair("control", "schedule_clock_ms_max", "interval_ms", DOUBT,
         "the schedule may lie off by a whole metering interval"),
    *[
        row
        for role in ("pv", "genset", "load_shed", "chiller", "meter", "fan", "heater")
        for row in (
            Pair(role, "period_ms", "stale_ms", REFUSED,
                 "each value is unknown before the next one comes"),
            Pair(role, "period_ms", "stale_ms", DOUBT,
                 "one lost answer makes the device unknown", Fraction(1, 2)),
        )
    ],
    # -- temperatures
    *_two_point("chiller", "stop_ddegC", "start_ddegC"),
    *[
        row
        for role in ("chiller", "fan")
        for row in (
            *_two_point(role, "cells_stop_ddegC", "cells_start_ddegC"),
            *_two_point(role, "spread_stop_ddegC", "spread_start_ddegC"),
            Pair(role, "cells_start_ddegC", "stage.19a.set", DOUBT,
                 "cooling starts only after row 19 has acted"),
        )
    ],
    *_two_point("heater", "start_ddegC", "stop_ddegC"),
    Pair("heater", "stop_ddegC", "ahead_ddegC", DOUBT,
         "ahead of a charge it heats less than without one"),
    Pair("heater", "ahead_ddegC", "cooling_ddegC", DOUBT,
         "heater and cooling would work against each other"),
    Pair("heater", "stage.25a.set", "start_ddegC", DOUBT,
         "it starts only when the cells are too cold to charge (row 25)"),
    # -- structure
    Pair("fan", "fan_unit", "units", REFUSED, "there is no such unit; 0 is all units"),
)  # fmt: skip


def check(values: Values, config: Config) -> None:
    """Refuse the first pair that contradicts itself."""
    for pair, low, high in _broken(values, config):
        if pair.verdict == REFUSED:
            blamed, text, allowed = _told(pair, low, high)
            refuse(blamed.file, blamed.path, f"{text} is not allowed: {pair.why}", allowed)


def doubts(values: Values, config: Config) -> tuple[str, ...]:
    """One line for each pair that is more likely a slip than meant."""
    found = []
    for pair, low, high in _broken(values, config):
        if pair.verdict != REFUSED:
            blamed, text, expected = _told(pair, low, high)
            found.append(
                f"doubt: {blamed.file}:{dotted(blamed.path)}: {text} is doubtful: {pair.why}; "
                f"expected {expected}"
            )
    return tuple(dict.fromkeys(found))


def _broken(values: Values, config: Config) -> Iterator[tuple[Pair, Number, Number]]:
    tables = pair_values.Tables(values, config)
    for pair in PAIRS:
        for low, high in tables.numbers(pair.scope, pair.low, pair.high):
            is_kept = low.value + pair.room <= pair.times * high.value
            if not is_kept and not _is_meant(pair, low, high):
                yield pair, low, high


def _is_meant(pair: Pair, low: Number, high: Number) -> bool:
    """The pair is meant: both are defaults, the power is 0, or a later layer tightened one."""
    is_default = low.rank < 0 and high.rank < 0
    is_none = pair.verdict == DOUBT and pair.times > 1 and high.value == 0
    is_tightened = pair.verdict == NO_EFFECT and high.rank > low.rank
    return pair.verdict != REFUSED and (is_default or is_none or is_tightened)


def _told(pair: Pair, low: Number, high: Number) -> tuple[Number, str, str]:
    """(number to change, its value as text, what is allowed): of the later layer, but of two limits
    the one without effect.
    """
    is_high = high.is_key and (not low.is_key or high.rank >= low.rank)
    if is_high and not (pair.verdict == NO_EFFECT and low.is_key):
        bound = -(-(low.value + pair.room) // pair.times)
        return high, high.text, f"at least {_bound(high, bound, low, 1 / pair.times)}"
    bound = pair.times * high.value // 1 - pair.room
    return low, low.text, f"at most {_bound(low, bound, high, pair.times)}"


def _bound(blamed: Number, bound: int, other: Number, times: Fraction) -> str:
    """times: of the other number, which gives the bound."""
    how = f" ({times} x {other.value})" if times > 1 else f" ({other.value} / {1 / times})"
    return f"{in_unit(bound, blamed.unit)}{how if times != 1 else ''}: {other.words}"
