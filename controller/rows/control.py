"""Rows 44, 51 and 58 of the cause-and-effect matrix: controller, its processor, channel B.

records.py says what the columns of these tables are.
"""

from controller.rows.shapes import ON_RIG

FEATURES = f"""
image_changed | limit image changed | {ON_RIG} | shown yes_no
step_late_ms | step late | {ON_RIG} | silence by level
late_steps | steps of 0.1 s or more in 10 s | {ON_RIG} | window_ms 500
boot_not_clean | last run ended without an orderly stop | switch the controller's supply off and on
  while the cabinet runs | shown yes_no
boot_store_unreadable | store unreadable, or older than the revision that channel B holds | stop
  cabinet and service in order, move the state directory away and start with an empty one;
  afterwards stop, move the old directory back (it holds the latches and the proof-test ledger) and
  start again; with channel B that start asks for the key too | shown yes_no
self_test_bits | self-test of memory, clock, program, relays | {ON_RIG} | shown yes_no
cpu_temperature_ddegC | processor temperature | {ON_RIG}
image_approved_ok | limit image not approved | {ON_RIG}
peer_code | channel B disagrees or is silent | switch channel B off | shown yes_no
"""
TEXTS = """
44 A92, C82 | controller self-test: program, memory, clock, limits, relays, late step, unclean start
  | controller check |
  The controller failed a check of itself, its limits or its store. | See page Alarms. Reload the
  approved configuration or replace the controller.
44a | The limits in memory have changed. | Replace the controller.
44b | A step of the controller came too late. | See page Links. Export the journal and report it.
  Remote reset.
44c | The last run of the controller ended without an orderly stop. | Look in the record for the end
  of that run. Remote reset.
44d | The store of the controller (latches, lock-outs) is unreadable or too old. | Page Alarms shows
  what was active; inspect, then reset with the key.
44e | A self-test found a fault: memory, clock, processor, program or relay. | Replace the part that
  the alarm names: controller or relay. Reset with the key.
44f | The processor of the controller is too hot. | Let it cool; check its place and its fan. Remote
  reset.
44g | The controller has stalled three times in 10 s. | See page Links. Look for another program
  that uses the processor or the storage.
51 design | channel B silent, in disagreement, or without a permit of its own (project: two
  channels) | channel B |
  Channel B is silent or disagrees. | Check that both channels have the same limit image and
  program. Remote reset.
58 design | limit image not approved (project: an approval has a name) | not approved |
  The configuration that runs here is not approved. | `firebreak approve` shows the changes. Approve
  by name, with the key out of RUN.
"""
STAGES = """
44b 44c 44d 44g | is_added
"""
WIRED = """
44 | jumpers off, locks off, the cabinet started by the controller: switch the controller off. The
  outputs expire in the I/O modules: the fan runs, the red lamp is on, the fire panel shows the
  fault
"""
