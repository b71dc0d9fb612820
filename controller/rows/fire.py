"""Rows 1 to 6 of the cause-and-effect matrix: emergency stop, fire panel, smoke, suppression.

records.py says what the columns of these tables are.
"""

from controller.rows.shapes import FIRE, OPEN_WIRE

FEATURES = f"""
estop_1_ok | emergency stop, contact 1 open | press the emergency stop; then, with it released, open
  the wire of contact 1 alone | contact estop_1_ok
estop_2_ok | emergency stop, contact 2 open | open the wire of contact 2 alone | contact estop_2_ok
estop_discrepancy | contacts of the emergency stop disagree | bridge contact 2 and press the
  emergency stop; remove the bridge, press once more, and check that both contacts open |
  shown yes_no; equipment estop_1_ok estop_2_ok; contacts estop_1_ok estop_2_ok
fire_alarm_ok | fire alarm relay open | put the panel into test and raise an alarm |
  contact fire_alarm_ok
suppression_ok | agent release switch open | {OPEN_WIRE}; keep the agent isolated |
  contact suppression
fire_detectors | smoke zones and heat detectors that report | test smoke at the detectors, heat at
  the heat detector, one and then two of them |
  votes smoke smoke_2 heat; contacts smoke_1_ok smoke_2_ok heat_ok
fire_trouble_ok | trouble relay of the fire panel open | pull a detector from its base: the panel
  reports trouble | contact fire_trouble
"""
EQUIPMENT = """
suppression | fire suppression | inputs suppression_ok
smoke | smoke detectors of both zones | inputs smoke_1_ok smoke_2_ok
smoke_2 | second smoke zone | inputs smoke_2_ok
heat | heat detector | inputs heat_ok
fire_trouble | trouble relay of the fire panel | inputs fire_trouble_ok
"""
TEXTS = f"""
1 A47 | emergency stop, two contacts, or contacts that disagree for 0.5 s | emergency stop |
  An emergency stop is pressed, or its two contacts disagree. | Find out why it was pressed. Release
  it, inspect, reset with the key.
1a | The emergency stop is pressed: its first contact is open.
1b | The emergency stop is pressed: its second contact is open.
1c | The two contacts of the emergency stop disagree. | Check both contacts of the push button and
  their wires; reset with the key.
2 A40-A43, A32 | fire alarm relay of the fire panel | fire alarm | The fire panel reports an alarm.
  | {FIRE}
3 A32, A34, D1 | suppression agent released | suppression released |
  The fire suppression has been released. | {FIRE}
4 D5 | smoke or heat, one detector | smoke, first stage |
  One smoke detector reports smoke. | Look from a distance; do not open. Remote reset.
5 A34 | smoke and heat, or smoke in two zones | smoke confirmed |
  Two detectors report: smoke and heat, or smoke in two zones. | Leave the cabinet closed. Call the
  fire service.
6 A43, D3 | fire panel or suppression in trouble | fire panel trouble |
  The fire panel or suppression reports trouble. | Call the fire panel's service.
6b | The fire panel or suppression has been in trouble for a long time; no charging.
"""
WIRED = """
1 | press the emergency stop; then, with it released, open the wire of contact 1 alone, then of
  contact 2 alone
2 | put the fire panel into test and raise an alarm, or open the wire of its alarm relay |
  instead not_wired_2
3 | open the wire of the switch that shows the agent's release; keep the agent isolated |
  contact suppression; instead not_wired_3
"""
