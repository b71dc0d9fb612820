"""Rows 43 and 46 to 48 of the cause-and-effect matrix: supply, remote link, key and door.

records.py says what the columns of these tables are.
"""

FEATURES = """
mains_ok | auxiliary supply lost | switch off the auxiliary supply |
  equipment ups; roles ups; sensor at once
ups_reserve_min | reserve of the UPS | let the UPS run down, or set its reserve in its own menu |
  like mains_ok; values reserve
noc_lost_s | no path to the operations centre | unplug the link; with a supervised path, open its
  contact too | equipment noc; contacts supervised_ok; silence by level, s
noc_unverified | operations centre never verified | start a new cabinet before the operations centre
  confirms a test alarm | like noc_lost_s; shown yes_no; silence at once
key_run_ok | key not in RUN | turn the key out of RUN | contact key_run_ok
key_discrepancy | contacts of the key switch contradict each other | with the key in RUN, bridge the
  contact that closes out of RUN; remove the bridge |
  shown yes_no; equipment key_run_ok key_service; contacts key_run_ok key_service_closed
door_ok | door open | open the door | contact door
on_ups | while on UPS | with the auxiliary supply off
energised | while energised | with the contactors closed
"""
EQUIPMENT = """
ups | UPS monitor | roles ups
supervised | supervised path of the fire panel | inputs supervised_ok
noc | link to the network operations centre
key_service | second contact of the key switch, closed out of RUN | inputs key_service_closed
door | door contact | inputs door_ok
"""
TEXTS = """
43 A26, A38 | auxiliary supply lost, or the reserve of its UPS low | auxiliary supply |
  Auxiliary power is lost, or the UPS monitor does not answer. | Restore auxiliary power.
43a | Auxiliary power is lost, or the UPS monitor does not answer.
43b | The cabinet runs on its UPS, and the reserve is low; no power.
43c | The cabinet runs on its UPS, and the reserve is nearly empty; the cabinet is off. | Restore
  auxiliary power. Remote reset.
43d | The reserve of the UPS is too short to keep the monitoring running. | Check or replace the
  batteries of the UPS.
46 D4, A42 | no supervised path to the network operations centre | remote link lost |
  The link to the operations centre is lost. | Restore the link.
46a | The link to the operations centre is lost.
46b | The link to the operations centre is lost; half power, as the hazard analysis asks.
46c | The link to the operations centre was never verified; no first start. | Let the operations
  centre confirm a test alarm.
47 D4 | key in service | service mode |
  Service mode is selected with the key. | Turn the key to RUN when the work is done, then start the
  cabinet.
47b | The two contacts of the key switch contradict each other. | Check both contacts of the key
  switch and their wires. Remote reset.
48 D1 | door open while energised, or beside a gas alarm | door |
  The door is open. | Close the door.
48a | The door is open while the cabinet is energised.
48b | The door is open while gas is reported. | Keep away. Close the door only if that is safe.
"""
STAGES = """
43d 47b | is_added
"""
