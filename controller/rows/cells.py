"""Rows 24, 27 to 34 and 45 of the cause-and-effect matrix: cell voltages, sensors of a module.

records.py says what the columns of these tables are.
"""

from controller.rows.shapes import EMPTY, FULL, MAKERS_TOOL

FEATURES = f"""
cell_voltage_drop_mV | cell voltage lost in 2 s without a load step | |
  like BMS; bms bms_cells; window_ms 2000
cell_voltage_mV_max | highest cell | | like BMS; bms bms_cells
cell_voltage_ok | independent cell over-voltage relay open | press the test of the over-voltage
  relay, or open its wire | contact cell_voltage
cell_voltage_mV_min | lowest cell | | like BMS; bms bms_cells
cell_spread_mV | highest minus lowest cell | | like BMS; bms bms_cells; compares cells
sensors_invalid_max | invalid sensors of one module | unplug two sensors of one module |
  like BMS; bms bms_sensors
temperature_zeros | a module reads exactly 0 degC, its neighbours differ | let the BMS report
  exactly 0 degC for one module while another is 10 K away, {MAKERS_TOOL}; an unplugged sensor is
  invalid: stage 45a | like TEMPERATURE; shown yes_no; compares modules
"""
EQUIPMENT = """
cell_voltage | independent cell over-voltage relay | inputs cell_voltage_ok
"""
TEXTS = """
24 C29 | cell voltage falls without a load step, together with another sign | cell voltage sag |
  A cell lost voltage without a load step, while gas or heat is reported. | Keep away. Call the fire
  service.
27 C1-C4 | cell voltage high, charging tapers | cell voltage high |
  A cell is near its upper voltage limit. | Nothing: charging is reduced.
28 C1 | cell over-voltage, charging inhibited | cell voltage at top |
  A cell is at its upper voltage limit; no charging. | Nothing. If the alarm comes back, balance the
  rack.
29 C1-C3, C6 | cell over-voltage trip | cell over voltage |
  A cell is above its upper voltage limit. | See page Racks. Remote reset when the voltage has come
  down.
30 C7, C9 | independent hard-wired cell over-voltage | cell over voltage, relay |
  The independent over-voltage relay has acted. | Inspect; reset with the key.
31 C1-C2 | cell under-voltage warning and discharge inhibit | cell voltage low |
  A cell is near its lower voltage limit. | Nothing: discharging is reduced or stops.
31a | A cell is near its lower voltage limit.
31b | A cell is at its lower voltage limit; no discharging. | Nothing: charge the battery.
32 C1 | cell under-voltage trip | cell under voltage |
  A cell is below its lower voltage limit. | See page Racks. Remote reset, then charge with low
  power.
33 C2, C7 | cell deeply discharged | cell deep discharged |
  A cell is deeply discharged. | Do not charge. Inspect and replace the module.
34 C80 | cell voltages of a rack too far apart | cell spread |
  The cells of a rack differ too much in voltage. | Balance the rack or replace the module.
34a | The cells of a rack differ in voltage. | Plan to balance the rack.
34b | The cells of a rack differ much in voltage: half power, no charging.
34c | The cells of a rack differ too much in voltage; the rack stops.
45 C7, C78, low authority | sensors of a module invalid | sensors invalid |
  Several sensors of one module are invalid. | Check that module's measuring board.
45a | Two or more sensors of one module are invalid.
45b | Two or more sensors of one module were invalid for a long time; the rack is off.
45c | A module reads exactly 0 degC while its neighbours differ. | Check the plug of that module's
  sensors.
45d | A module has read exactly 0 degC for a long time; the rack is off. | Check the plug of that
  module's sensors.
"""
STAGES = f"""
24 | not_by_bms | a fall in voltage is watched together with other signs
27 28 29 | by_bms | {FULL}
31a 31b 32 | by_bms | {EMPTY}
33 | by_bms | {EMPTY}; the BMS charges the cell again without asking for the key
34a 34b 34c | not_by_bms | cells are compared with each other; a BMS only balances them, and slowly
45a 45b | not_by_bms | a BMS does not report how it handles its own faulty sensors
45c 45d | not_by_bms | modules are compared with each other
"""
WIRED = """
30 | trip the over-voltage relay by its test button, or open its wire | contact cell_voltage
"""
