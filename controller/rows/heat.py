"""Rows 18 to 23, 25, 26 and 53 of the cause-and-effect matrix: cell temperatures, runaway.

records.py says what the columns of these tables are.
"""

from controller.rows.shapes import COLD, HOT

FEATURES = """
temperature_ddegC_max | hottest module | | like TEMPERATURE
temperature_over_median_ddegC | hottest module over the median | |
  like TEMPERATURE; compares modules
temperature_unexplained_ddegC | rise in 30 s above the heating by its own current | |
  like TEMPERATURE; window_ms 30000; once_a_second
temperature_rise_10s_ddegC | rise in 10 s | | like TEMPERATURE; window_ms 10000; once_a_second
temperature_rise_3s_ddegC | rise in 3 s | | like TEMPERATURE; window_ms 3000; once_a_second
temperature_ddegC_min | coldest module | | like TEMPERATURE
temperature_spread_ddegC | hottest minus coldest module | | like TEMPERATURE; compares modules
runaway_suspicion_pct | sum of the two largest signs of runaway, each in percent of its threshold |
  two signs of runaway at once, until it trips |
  like TEMPERATURE; sensor vapour, toxic gas; window_ms 30000; once_a_second
heating_alert | while row 22 or 23 is active | with row 22 injected as well | bms bms_temperatures
any_sign | while any of rows 7 to 23 is active
temperature_rising | while it rises | while it rises | bms bms_temperatures; once_a_second
charging | while charging | while charging
runaway_hint | while any of rows 7 to 23 is active | with another of rows 7 to 23 active
"""
TEXTS = """
18 C20-C21 | cell temperature warning | cell warm |
  A cell is warm; power is reduced. | Check cooling, filters and the room.
18a | A cell is warm while charging.
18b | A cell is warm.
19 C20-C21 | cell temperature alarm | cell hot |
  A cell is hot; charging stops. | Check cooling; look at the hottest module on page Racks.
19a | A cell is hot: no charging.
19b | A cell is hot: no charging, a quarter of the discharge power.
20 C21 | cell temperature trip | cell too hot |
  A cell is over its temperature limit. | Let it cool. Check cooling; remote reset.
20a | A cell is over its temperature limit while charging.
20b | A cell is over its temperature limit.
21 C23, C27 | cell temperature runaway suspicion | cell runaway temperature |
  A cell is extremely hot, or far hotter than its rack and rising. | Keep away. Call the fire
  service; reset with the key after inspection.
21a | A cell is extremely hot.
21b | A module is far hotter than its rack and rising.
22 C28, low authority | a module heats more than its current explains | cell heats up |
  A cell heats up more than its current explains. | Watch its temperature; plan to replace the
  module.
23 C29, C30 | a module heats as in thermal runaway | cell heats up fast |
  A cell heats up as in a thermal runaway. | Keep away. Call the fire service.
23a | A module has heated up as in a thermal runaway for 10 s.
23b | A module has heated up very fast for 3 s.
25 C24 | cell temperature too low | cell cold | A cell is too cold to charge. | Let the heating run.
25a | A cell is too cold to charge.
25b | A cell is too cold for any power.
26 C22 | temperatures of a rack too far apart | temperature spread |
  The modules of a rack differ too much in temperature. | Check airflow and sensors.
26a | The modules of a rack differ in temperature.
26b | The modules of a rack differ too much in temperature; the rack is off. | Check airflow and
  sensors. Remote reset.
53 C41, C50, design | two weak signs of runaway together (project: suspicion) | runaway suspected |
  Two weak signs of a thermal runaway are present together. | Do not open. Watch temperatures and
  gas. Remote reset.
"""
STAGES = f"""
18a 18b 19a 19b 20a 20b | by_bms | {HOT}
21a | by_bms | {HOT}; fan, alarm and fire panel do not follow
21b | not_by_bms | a module is compared with its rack
22 | not_by_bms | a rise is compared with the heating by the current
23a 23b | not_by_bms | the stage follows a rise, long before a value of a BMS protection
25a 25b | by_bms | {COLD}
26a 26b | not_by_bms | modules are compared with each other
53 | not_by_bms | the stage adds two weak signs; only this project has such a row
"""
