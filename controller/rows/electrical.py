"""Rows 35 to 39 of the cause-and-effect matrix: current, insulation, pre-charge, contactors.

records.py says what the columns of these tables are.
"""

from controller.rows.shapes import MAKERS_TOOL

FEATURES = f"""
current_over_105_mA | current above 1.05 x limit plus the larger of 2 A and 1 % of rated | |
  like BMS; shown above_zero
current_over_110_mA | current above 1.10 x limit plus the larger of 2 A and 1 % of rated | |
  like BMS; shown above_zero
current_over_200_mA | current above 2 x rated | | like BMS; shown above_zero
insulation_ohm_per_V | insulation to earth divided by the rack's voltage: the higher of measured and
  nominal (3.7 V a cell) | open the contactors, then connect a test resistor from one pole to earth;
  this measures the time to the alarm, but not power at zero or opening contactors |
  like BMS; bms insulation
closing_failures | closings that failed in a row | block the read-back of one permit relay and ask
  for a start, three times | like BMS
bus_mismatch_mV | rack and DC bus voltage differ | with contactors closed, let converter or BMS
  report a DC voltage 30 V off, {MAKERS_TOOL}; a pulled fuse does not trip the stage: only racks
  whose contactors are closed are compared | like PCS; read read dc
contactor_mismatch | contactor not as commanded, welded, or current on an open string | unplug a
  contactor's feedback | like BMS; shown yes_no
"""
EQUIPMENT = """
insulation | insulation monitor
"""
TEXTS = """
35 C64 | current above the limit | current over limit |
  The measured current is above the limit of the BMS. | Check current sensors and PCS. Remote reset.
35a | The measured current is 5 % above the limit of the BMS.
35b | The measured current is 10 % above the limit of the BMS.
36 C64-C65 | current above twice the rating, or a short circuit | short or twice the current |
  The current is above twice the rated current. | Inspect fuses and cables; reset with the key.
37 C61-C62 | insulation low | insulation |
  Insulation to earth is low. | Find the earth fault before touching anything.
37a | Insulation to earth is low: no start.
37b | Insulation to earth is very low. | Keep off. Find the earth fault before touching anything;
  reset with the key.
38 C67, C69 | pre-charge failed three times, or rack and bus voltage differ | pre-charge |
  Pre-charge has failed. | Check the pre-charge resistor and the contactor. Check the bus for a
  load.
38a | Closing has failed three times.
38b | The voltages of the racks and of the DC bus differ. | Check the DC fuses and the voltage that
  the converter and the racks report.
39 C70-C72 | contactor not as commanded, welded, or current on an open string | contactor |
  A contactor does not follow its command. | Do not touch. Check whether the contactor has welded;
  reset with the key.
"""
STAGES = """
38b | is_added
"""
WIRED = """
36 | trip the over-current relay by its test button, or open its wire, never by a current; the
  program waits for the fuse, the wiring does not: the contactor must be able to break the current
  at which the relay trips | only_by_a; instead dc_fuse not_wired_36
"""
