"""Rows 40, 41, 49, 50, 52 and 59 of the cause-and-effect matrix: silent or failed devices.

records.py says what the columns of these tables are.
"""

from controller.rows.shapes import CHECK_RTU, MAKERS_TOOL, ON_RIG, OPEN_WIRE

FEATURES = f"""
bms_silence_level | BMS silent or its counter frozen | unplug the CAN cable of one rack |
  ladder bms_warn_ms bms_ramp_ms bms_stop_ms
bms_bad_frames_recent | bad frames; the count falls by one each second | take one CAN terminator off
  | like BMS
bms_fault_ok | fault contact of the BMS open | {OPEN_WIRE} | contact bms_fault
pcs_silence_level | PCS silent | unplug the converter's bus cable |
  ladder pcs_ramp_ms pcs_stop_ms pcs_open_ms
pcs_excess_W | power above the limit by more than 2 % of rated, at least 2 kW | |
  like PCS; shown above_zero
bms_fault_level | fault bits of the BMS, by its profile: 1 a warning or an unknown bit, 2 a fault |
  | like BMS
pcs_fault_level | alarm bits of the PCS, by its profile: 1 a warning or an unknown bit, 2 a fault |
  {MAKERS_TOOL} | like PCS
pcs_in_fault | PCS in its state "fault" while it may run | {MAKERS_TOOL} | like PCS; shown yes_no
io_silence_ms | I/O module silent | unplug a module's bus cable | silence by level
meter_silence_ms | meter silent | unplug the meter's bus cable | silence by level
meter_sign | direction of the grid meter | {ON_RIG} | roles meter_grid pcs
meter_frozen_ms | registers of a meter frozen (in an island: of the load meter) | {ON_RIG} |
  roles meter_grid meter_load; silence by level
monitor_silence_ms | climate or UPS monitor silent | unplug the bus cable of climate or UPS monitor
  | one_of climate ups; silence by level
"""
EQUIPMENT = """
bms_fault | fault contact of the BMS | inputs bms_fault_ok
"""
TEXTS = f"""
40 C74-C76, A61 | BMS silent, its counter frozen, many bad frames, or its fault contact open | BMS
  silent |
  A BMS is late or silent, or repeats its frames. | Check its CAN plug, terminator and supply.
40a | A BMS is late.
40b | A BMS is silent, or its frame counter has stopped; power goes to zero.
40c | A BMS is silent, or its frame counter has stopped; its racks are off.
40d | Many frames of a BMS arrive broken. | Check its CAN plug, shield and terminators.
40e | The fault contact of the BMS is open. | Page Links shows the faults that the BMS reports.
  Remote reset.
41 C66, C79 | PCS silent, or its power above the limit | PCS silent or over limit |
  A power converter is silent, or its power is above its limit. | Check its RS-485 pair and supply;
  compare its display with the meter.
41a | A power converter is silent; power goes to zero.
41b | A power converter is silent; its enable contact stops it.
41c | A power converter is silent; the contactors open.
41d | The power of a converter is above its limit. | Compare its display with the meter; check its
  settings. Remote reset.
49 design | I/O module silent (project: the silence ladder) | I/O module silent |
  An I/O module is silent; its outputs have expired. | Check its supply, its address and its RS-485
  pair. Remote reset.
50 design | meter silent, frozen or not proven (project: the silence ladder) | meter silent or
  frozen |
  A meter is silent or frozen, or its direction is not proven; charging is forbidden. | {CHECK_RTU}
50a | A meter is silent; charging is forbidden.
50b | A meter repeats the same values; charging is forbidden.
50c | The grid meter is not proven; charging is forbidden. | The load hid the code, or the meter
  looked reversed. Check its transformers; it is tested again.
50d | The grid meter is connected the wrong way round; charging is forbidden. | Turn its current
  transformers round and start again. Then remote reset.
52 design | climate or UPS monitor silent (project: the silence ladder) | monitor silent |
  The climate or UPS monitor is silent; no start. | {CHECK_RTU}
59 design | BMS or PCS reports a failure or a warning (project) | device reports a fault |
  A BMS or a converter reports that it has failed. | Page Links shows what the device reports.
  Remote reset.
59a | A BMS reports that it has failed.
59b | A BMS reports a warning, or a bit that its profile does not name. | Page Links shows what the
  device reports.
59c | A power converter reports that it has failed.
59d | A power converter reports a warning, or a bit or state that its profile does not name. | Page
  Links shows what the device reports.
59e | A power converter has gone to its own state "fault" while it may run. | Read the fault on its
  display and remove the cause. Remote reset; the converter then gets one more start.
"""
STAGES = """
50a | set_from | meter_silent_ms
50b | set_from | meter_frozen_ms
52 | set_from | monitor_silent_ms
40d 40e | is_added
49 | set_from | io_silent_ms
"""
