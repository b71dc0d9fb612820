"""Rows 54 to 57 of the cause-and-effect matrix: measurements that are frozen or contradictory.

records.py says what the columns of these tables are.
"""

from controller.rows.shapes import ON_RIG

FEATURES = f"""
bms_still_ms | values of a closed rack stand still: its pack's although the converter's current
  moves by 5 %, or its cells' although the pack's does by 15 %; or the pack's voltage lies outside
  of its cells' by 40 mV a cell | {ON_RIG} | roles bms pcs; silence by level
currents_apart_dA | difference between the currents of racks and converter, as means over 2 s, above
  the largest of 5 % of rated, 10 A and the stated sensor errors, plus the change during the delay
  of the BMS | {ON_RIG} | like BMS; shown above_zero; roles bms pcs; window_ms 4500
pcs_beyond_permille | power of the wrong sign or above the set-point that was sent, as means over 2
  s minus the effect of dead time and ramp, in parts of rated power; none while the converter forms
  the grid of an island | | like PCS; window_ms 4500
pcs_short_permille | power below the set-point that was sent, computed in the same way; none in an
  island | | like PCS; window_ms 4500
grid_over_permille | grid power above the limit of the connection, as mean over 2 s, in parts of the
  connection | {ON_RIG} | roles meter_grid pcs; window_ms 2500
grid_over_by_charging_permille | as above, import or export, as far as the battery charges | |
  like grid_over_permille
grid_export_by_battery_permille | as above, only the part that the battery causes by discharging
  into the grid | | like grid_over_permille
"""
TEXTS = """
54 design | values of a BMS frozen or contradictory (project: evidence must change) | BMS values
  frozen |
  A BMS repeats values although the current moves, or its values contradict. | Trust none of its
  cells and temperatures. Restart the BMS or replace it.
55 design | currents of racks and converter contradict (project: two sources must agree) | currents
  contradict |
  The racks and the converter report different currents. | Measure the DC current with a clamp;
  replace the sensor that is wrong.
56 design | converter does not follow its set-point (project) | PCS disobeys |
  A power converter does not follow its set-point. | Compare its display with the meter; check its
  settings. Remote reset.
56a | The power of a converter is above its set-point, or has the wrong sign.
56b | The power of a converter is below its set-point. | The converter may limit itself: check its
  display, its air flow and its temperature.
57 design | grid connection above its limits (project: the meter checks the obligation) | grid
  connection over limit |
  The power of the grid connection is above its limit. | Reduce load or other generation: page Why
  shows by how many kW.
57b | The battery charges although the connection carries more than it may. | Compare the grid meter
  and its transformers with a clamp. Remote reset.
57c | The battery discharges although the grid export is above its limit. | Compare the grid meter
  with the display of the converter. Remote reset.
"""
STAGES = """
54 | set_from | bms_still_ms
"""
