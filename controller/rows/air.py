"""Rows 15 to 17 and 42 of the cause-and-effect matrix: ventilation, cooling and water.

records.py says what the columns of these tables are.
"""

from controller.rows.shapes import OPEN_WIRE

FEATURES = f"""
airflow_missing | fan on, no airflow | cover the intake while the fan runs |
  contact airflow; shown yes_no
damper_missing | fan on, damper not open | hold the damper closed, start the fan |
  contact damper; shown yes_no
hvac_ok | fault contact of the cooling open | {OPEN_WIRE} | contact hvac
air_temperature_ddegC | air in the cabinet | warm air at the sensor, measured beside it |
  equipment climate; roles climate; sensor air; values air_temperature
leak_ok | leak contact open | wet the leak detector | contact leak
coolant_ok | coolant flow or pressure contact open | close a valve of the coolant circuit |
  contact coolant
humidity_permille | relative humidity in the cabinet | damp cloth at the sensor |
  like air_temperature_ddegC; values humidity
"""
EQUIPMENT = """
airflow | airflow switch | inputs airflow_ok
damper | limit switch of the damper | inputs damper_ok
hvac | fault contact of the cooling | inputs hvac_ok
climate | air temperature and humidity | roles climate
leak | leak detector | inputs leak_ok
coolant | coolant flow and pressure switch | inputs coolant_ok
"""
TEXTS = """
15 A24 | fan commanded but no proof of airflow | no airflow |
  The fan is on but no air flows. | Check the fan, its fuse and belt, the louvre and the airflow
  switch.
15b | The fan is on but no air flows, while gas or smoke is reported. | Do not open. Check the fan
  from outside; call the fire service.
16 A29 | fan commanded but the damper is not proven open | louvre not open |
  The fan is on but the louvre is not open. | Check louvre and actuator.
16b | The fan is on but the louvre is not open, while gas or smoke is reported. | Do not open. Check
  the louvre from outside; call the fire service.
17 A6 | cooling failed, or cabinet air too warm | cooling failed |
  Cooling has failed or the cabinet air is too warm. | Check the cooling unit and filters.
17a | The cooling reports a fault. | Check the cooling unit, its supply and filters.
17b | The cabinet air is too warm; no charging. | Check the cooling unit, its filters and the doors.
17c | The cabinet air is far too warm; no power. | Check the cooling unit, its filters and the
  doors.
42 D4-D7 | leak, loss of coolant flow or pressure, or humid air | water or coolant |
  Coolant leaks, or there is water in the cabinet. | Find the leak before a reset.
42a | There is water or coolant on the floor of the cabinet. | Find the leak before a reset.
42b | Coolant flow or pressure is lost. | Check pump, valves and level. Remote reset.
42c | The air in the cabinet is humid. | Check seals and the dehumidifier.
"""
