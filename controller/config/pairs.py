"""Checks pairs of numbers of a configuration that must agree, such as the start and the end of a
taper. The range of each number has been checked before.

REFUSED: the two numbers contradict each other, so the file is refused. DOUBT: the numbers are
probably a mistake, such as kW for W or a digit too many, so `firebreak check` prints a line.
NO_EFFECT: the first number has no effect, so `check` prints a line too, unless a later file has
tightened the second number.
"""

from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

from controller.config import pair_values
from controller.config.cabinet_config import Config
from controller.config.pair_values import Number
from controller.config.values import Values
from controller.core.base.texts import table
from controller.forms.refusal import dotted, in_unit, refuse

REFUSED, DOUBT, NO_EFFECT = "refused", "doubt", "no effect"
KW = "it is less than a hundredth of the power of the converters (in kW?)"
MORE = "it is more than a hundred times the power of the converters"
A_TENTH = "it is more than a tenth of the power of the converters"
NO_USE = "the other limit is tighter, so this one has no effect"
MILDER = "the milder reaction comes first"
TAPER = "a taper begins before it ends"
SAME_MOMENT = "it would start and stop at the same moment"
NO_DISTANCE = "start and stop are the same: without a distance it switches at each small change"
# Source of the doubt STILL: a cell of 280 Ah has 0.18 mohm (hil/plant/cells.py). So 15 % of
# the rated current (safety/still.py) moves its voltage by 7.56 mV x rated current in A / capacity
# in Ah. The kernel counts whole mV, and polarisation hides a part.
STILL = (
    "15 % of the rated current moves a cell by less than 3 mV, so row 54 may stop a sound rack, or "
    "take a frozen BMS for sound; ask for unfiltered cell voltages in 1 mV, raise bms_still_ms"
)
DEVICES = "pv genset load_shed load_cap load_ups chiller meter fan heater grid_contact"
# columns: scopes | low <= times x high, or low < high | verdict | why
TABLE = f"""
# charge
control | soc_reserve_backup_permille <= soc_reserve_peaks_permille | refused |
  the energy for an outage is a part of that for peaks
control | soc_reserve_hysteresis_permille <= above_peaks_permille | refused |
  a reserve that was reached would never open again
control | soc_reserve_peaks_permille <= soc_target_permille | doubt |
  load tracking aims at a charge at which it may not discharge
genset | start_soc_permille <= stop_soc_permille | refused | {SAME_MOMENT}
genset | start_soc_permille < stop_soc_permille | doubt | {NO_DISTANCE}
genset | least_permille <= accept_permille | doubt |
  the first step of its load is below its least load
# energy, cells, currents
rack | modules <= cells | refused | each module has at least one cell
control | energy_Wh <= 63/25 x racks_W | doubt | {STILL}
control | energy_Wh <= racks_Wh_24_h | refused |
  no charge takes longer than a day (a digit too many?)
control | energy_Wh <= 10 x racks_W | doubt |
  the racks would need more than 10 h for it (a digit too many?)
control | racks_W <= 4 x energy_Wh | doubt |
  the racks would move all of it within a quarter of an hour (a digit missing?)
rack | cells <= cells_even | doubt |
  modules have equal numbers of cells, so cells or modules is wrong
rack | rated_current_mA <= break_current_mA | refused |
  each stop at rated current would wait for the fuse
rack | break_current_mA <= 20 x rated_current_mA | doubt |
  no contactor of this size breaks 20 times its rated current (a digit too many?)
unit | rated_W <= 4 x racks_of_unit_W | doubt |
  the racks of this unit give less than a quarter of it at rated_current_mA
unit | racks_of_unit_W <= 10 x rated_W | doubt |
  its racks give more than ten times that at rated_current_mA
rack | charge_taper_mV < charge_end_mV | refused | {TAPER}
rack | discharge_end_mV < charge_taper_mV | refused | {TAPER}
rack | discharge_end_mV < discharge_taper_mV | refused | {TAPER}
rack | cabinet.rack_voltage_spread_mV_max <= 1/4 x range_mV | doubt |
  racks with very different charge would be closed onto one DC bus
rack | discharge_taper_mV <= charge_taper_mV | doubt |
  no cell voltage is left at which the battery has its power in both directions
# powers: a factor of 1000 shows against the converters
control | rating_W <= 100 x grid_import_W_max | doubt | {KW}
control | grid_import_W_max <= 100 x rating_W | doubt | {MORE}
control | rating_W <= 100 x grid_export_W_max | doubt | {KW}
control | rating_W <= 100 x peak_import_W_max | doubt | {KW}
unit | rated_W <= 100 x installer_charge_W_max | doubt | {KW}
unit | rated_W <= 100 x installer_discharge_W_max | doubt | {KW}
pv genset | rating_W <= 100 x rated_W | doubt | {KW}
pv genset | rated_W <= 100 x rating_W | doubt | {MORE}
pv | rated_W <= 100 x limit_W_max | doubt |
  it is less than a hundredth of what the inverter gives (in kW?)
load_cap | rating_W <= 100 x lower_W_max | doubt | {KW}
load_cap | lower_W_max <= control.grid_import_W_max | doubt | it is more than the connection carries
load_shed | rating_W <= 100 x shed_W | doubt | {KW}
load_shed | shed_W <= 10 x control.grid_import_W_max | doubt |
  it is more than ten times what the connection carries
load_ups | rated_W <= 60 x energy_Wh | doubt | its battery bridges less than a minute (in kWh?)
load_ups | energy_Wh <= 24 x rated_W | doubt | its battery bridges more than a day (in kW?)
heater | rating_W <= 10000 x rated_W | doubt |
  it is less than a ten thousandth of the power of the converters (in kW?)
heater | rated_W <= rating_W | doubt | it draws more than the converters give
source | rating_W <= 100 x fallback_import_W_max | doubt | {KW}
source | rating_W <= 100 x fallback_export_W_max | doubt | {KW}
source | rating_W <= 100 x fallback_charge_W_max | doubt | {KW}
source | rating_W <= 100 x fallback_discharge_W_max | doubt | {KW}
source | control.energy_Wh <= 1000 x energy_Wh_per_h_max | doubt |
  requests would move less than a thousandth of the battery in an hour (in kWh?)
# limits: the looser one has no effect
unit | installer_charge_W_max <= rated_W | no effect | {NO_USE}
unit | installer_discharge_W_max <= rated_W | no effect | {NO_USE}
control | peak_import_W_max <= grid_import_W_max | no effect | {NO_USE}
source | fallback_import_W_max <= control.grid_import_W_max | no effect | {NO_USE}
source | fallback_export_W_max <= control.grid_export_W_max | no effect | {NO_USE}
source | fallback_charge_W_max <= rating_W | no effect | {NO_USE}
source | fallback_discharge_W_max <= rating_W | no effect | {NO_USE}
source | request_ramp_W_per_s <= control.setpoint_ramp_W_per_s | no effect | {NO_USE}
# ramps and steps
control | swing_W <= ramped_W | doubt | the battery cannot turn round within a metering interval
control | setpoint_quantum_W <= 1/10 x rating_W | doubt | {A_TENTH}
control | track_dead_band_W <= 1/10 x rating_W | doubt | {A_TENTH}
pv | rated_W <= 3600 x control.pv_ramp_W_per_s | doubt |
  the battery would bridge a cloud for more than an hour (in kW/s?)
pv | rated_W <= 600 x ramp_W_per_s | doubt |
  the inverter would need more than 10 min to follow (in kW/s?)
# times
control | peak_interval_s <= even_interval_s | doubt |
  the meters of grid operators have intervals of which an hour is a multiple
rack | bms_warn_ms < bms_ramp_ms | refused | {MILDER}
rack | bms_ramp_ms < bms_stop_ms | refused | {MILDER}
unit | pcs_ramp_ms < pcs_stop_ms | refused | {MILDER}
unit | pcs_stop_ms < pcs_open_ms | refused | {MILDER}
unit | follow_of_profile_ms <= pcs_follow_ms | doubt |
  the converter of this profile needs longer, so row 56 would stop it
cabinet | contactor_report_ms <= contactor_close_ms_max | doubt |
  a contactor is reported later than it must have closed
cabinet | meter_period_ms <= 1/5 x meter_frozen_ms | doubt |
  five readings may be equal by chance, and the meter would count as frozen
control | meter_sample_ms <= track_sample_ms | doubt | the meter has no new value so often
control | schedule_clock_ms_max <= interval_ms | doubt |
  the schedule may lie off by a whole metering interval
{DEVICES} | period_ms <= stale_ms | refused |
  each value is unknown before the next one comes
{DEVICES} | period_ms <= 1/2 x stale_ms | doubt |
  one lost answer makes the device unknown
# temperatures, structure
chiller | stop_ddegC <= start_ddegC | refused | {SAME_MOMENT}
chiller | stop_ddegC < start_ddegC | doubt | {NO_DISTANCE}
chiller fan | cells_stop_ddegC <= cells_start_ddegC | refused | {SAME_MOMENT}
chiller fan | cells_stop_ddegC < cells_start_ddegC | doubt | {NO_DISTANCE}
chiller fan | spread_stop_ddegC <= spread_start_ddegC | refused | {SAME_MOMENT}
chiller fan | spread_stop_ddegC < spread_start_ddegC | doubt | {NO_DISTANCE}
chiller fan | cells_start_ddegC <= stage.19a.set | doubt |
  cooling starts only after row 19 has acted
heater | start_ddegC <= stop_ddegC | refused | {SAME_MOMENT}
heater | start_ddegC < stop_ddegC | doubt | {NO_DISTANCE}
heater | stop_ddegC <= ahead_ddegC | doubt | ahead of a charge it heats less than without one
heater | ahead_ddegC <= cooling_ddegC | doubt | heater and cooling would work against each other
heater | stage.25a.set <= start_ddegC | doubt |
  it starts only when the cells are too cold to charge (row 25)
fan | fan_unit <= units | refused | there is no such unit; 0 is all units
"""


class Pair(NamedTuple):
    """A row of TABLE. scope: a section, or the role of a device. Both numbers come from one table
    of this scope, except numbers of pair_values._whole and names with a dot (section.key).
    """

    scope: str
    low: str
    high: str
    verdict: str
    why: str
    times: Fraction
    room: int  # 1 if the row has `<`, else 0


def _pairs() -> Iterator[Pair]:
    for scopes, relation, verdict, why in table(TABLE):
        low, sign, *times, high = relation.split()
        factor = Fraction(times[0] if times else 1)
        for scope in scopes.split():
            yield Pair(
                scope, low, high, verdict=verdict, why=why, times=factor, room=int(sign == "<")
            )


PAIRS = tuple(_pairs())


def check(values: Values, config: Config) -> None:
    """Refuse the first pair whose numbers contradict each other."""
    for pair, low, high in _broken(values, config):
        if pair.verdict == REFUSED:
            blamed, text, allowed = _correction(pair, low, high)
            refuse(blamed.file, blamed.path, f"{text} is not allowed: {pair.why}", allowed)


def doubts(values: Values, config: Config) -> tuple[str, ...]:
    """A line for each pair of numbers that is probably a mistake."""
    lines = []
    for pair, low, high in _broken(values, config):
        if pair.verdict != REFUSED:
            blamed, text, expected = _correction(pair, low, high)
            where = f"{blamed.file}:{dotted(blamed.path)}"
            lines.append(f"doubt: {where}: {text} is doubtful: {pair.why}; expected {expected}")
    return tuple(dict.fromkeys(lines))


def _broken(values: Values, config: Config) -> Iterator[tuple[Pair, Number, Number]]:
    tables = pair_values.Tables(values, config)
    for pair in PAIRS:
        for low, high in tables.numbers(pair.scope, pair.low, pair.high):
            low_factor, high_factor = pair.times.denominator, pair.times.numerator
            is_kept = (low.value + pair.room) * low_factor <= high_factor * high.value
            if not is_kept and not _is_meant(pair, low, high):
                yield pair, low, high


def _is_meant(pair: Pair, low: Number, high: Number) -> bool:
    """True if somebody intends the numbers of a pair that does not agree: both are defaults, the
    second power is 0, or a later file has tightened the second number.
    """
    is_default = low.rank < 0 and high.rank < 0
    is_none = pair.verdict == DOUBT and pair.times > 1 and high.value == 0
    is_tightened = pair.verdict == NO_EFFECT and high.rank > low.rank
    return pair.verdict != REFUSED and (is_default or is_none or is_tightened)


def _correction(pair: Pair, low: Number, high: Number) -> tuple[Number, str, str]:
    """(number to change, its value as text, allowed values). The number to change is the one in the
    later file. For NO_EFFECT, it is the number without effect.
    """
    is_high = high.is_key and (not low.is_key or high.rank >= low.rank)
    if is_high and not (pair.verdict == NO_EFFECT and low.is_key):
        bound = -(-(low.value + pair.room) // pair.times)
        return high, high.text, f"at least {_bound(high, bound, low, 1 / pair.times)}"
    bound = pair.times * high.value // 1 - pair.room
    return low, low.text, f"at most {_bound(low, bound, high, pair.times)}"


def _bound(blamed: Number, bound: int, reference: Number, times: Fraction) -> str:
    """Text of the bound, which is `reference` times the factor `times`."""
    how = f" ({times} x {reference.value})" if times > 1 else f" ({reference.value} / {1 / times})"
    return f"{in_unit(bound, blamed.unit)}{how if times != 1 else ''}: {reference.words}"
