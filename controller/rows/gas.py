"""Rows 7 to 14 of the cause-and-effect matrix: gas and vapour.

records.py says what the columns of these tables are.
"""

from controller.rows.shapes import CHECK_RTU, TEST_GAS

FEATURES = f"""
offgas_ppm_max | vapour above its reference, highest | {TEST_GAS}, at one sensor |
  equipment offgas; roles offgas_1 offgas_2; sensor vapour, toxic gas; values vapour
offgas_ppm_second | vapour above its reference, second highest | {TEST_GAS}, at both sensors |
  like offgas_ppm_max; equipment offgas offgas_2
toxic_ppm | hydrogen and carbon monoxide | {TEST_GAS} |
  like offgas_ppm_max; equipment toxic; roles toxic; values hydrogen carbon_monoxide
toxic_rise_ppm | hydrogen and carbon monoxide, rise in 10 s | {TEST_GAS}, 200 ppm at once |
  like toxic_ppm; window_ms 10000; once_a_second
gas_lfl_permille_max | combustible gas, highest | {TEST_GAS}, in steps of the thresholds |
  equipment gas; roles gas_1 gas_2; sensor combustible gas; values concentration
gas_relay_ok | 25 % LFL relay of the detectors open | calibration gas over 25 % LFL, or open the
  wire of the relay | equipment gas; contacts gas_relay_ok
gas_detectors_faulty | gas detectors with a fault | unplug the sensor head of one detector |
  one_of gas offgas toxic; roles gas_1 gas_2 offgas_1 offgas_2 toxic; sensor at once
gas_detectors_silent | gas detectors silent | unplug its bus cable |
  one_of gas offgas toxic; silence gas_silent_ms
gas_calibration_d_min | days to the next calibration | set its next calibration to yesterday; set it
  back afterwards | like gas_detectors_faulty
gas_detectors_lost | no working detector of combustible gas; if none is fitted, of any gas | unplug
  every combustible gas detector; if none is fitted, every other gas detector |
  like gas_detectors_silent; shown yes_no
gas_or_smoke_alert | while gas or smoke is reported | with a gas or smoke test running
gas_alert | while a gas alarm is active | with a gas test running | one_of gas offgas toxic
"""
EQUIPMENT = """
gas | combustible gas detectors and their relay | roles gas_1 gas_2; inputs gas_relay_ok
offgas | detectors of electrolyte vapour | roles offgas_1 offgas_2
offgas_2 | second detector of electrolyte vapour | roles offgas_2
toxic | detector of hydrogen and CO | roles toxic
"""
TEXTS = f"""
7 A12, C41 | vapour of electrolyte above the reference | off-gas alert |
  An off-gas detector is above its reference sensor. | Do not open. Watch temperatures and gas.
8 A12 | vapour of electrolyte confirmed | off-gas alarm |
  Off-gas is confirmed. | Do not open. Call the fire service; reset with the key.
8a | Two off-gas detectors are above their reference sensors.
8b | An off-gas detector has been above its reference sensor for a long time.
8c | An off-gas detector is above its reference sensor while a module heats up.
9 A35 | hydrogen or carbon monoxide at 50 ppm | H2 or CO |
  Hydrogen or carbon monoxide is at 50 ppm or more. | Do not open. Watch temperatures and gas.
10 C50 | hydrogen or carbon monoxide at 200 ppm, or rising fast | H2 or CO high |
  Hydrogen or carbon monoxide is at 200 ppm or more, or rises fast. | Do not open. Call the fire
  service.
10a | Hydrogen or carbon monoxide is at its alarm level.
10b | Hydrogen or carbon monoxide rises fast.
11 A27, NFPA 855-2023 9.6.5.6 (?) | combustible gas at 10 % of the lower flammable limit | gas 10 %
  LFL |
  Combustible gas is at 10 % of the lower flammable limit. | Do not open. Let the fan run; find the
  source; reset with the key.
12 A20, A21, A25 | combustible gas at 25 % of the lower flammable limit, or its hard relay | gas 25
  % LFL |
  Combustible gas is at 25 % of the lower flammable limit. | Keep away. Call the fire service; reset
  with the key after inspection.
12a | Combustible gas is at its upper alarm level.
12b | The gas detectors' own relay has opened: 25 % of the lower flammable limit.
13 A26 | a gas detector faulty, silent, or its calibration overdue | gas detector fault |
  One gas detector is faulty, silent, or its calibration is overdue. | Replace or calibrate the
  detector.
13a | A gas detector reports that it is faulty. | Replace the detector.
13b | A gas detector is silent. | {CHECK_RTU}
13c | The calibration of a gas detector is overdue. | Calibrate the detector and set its dates.
14 A26, A62 | all gas detection lost | gas detection lost |
  No gas detector works. | Check supply and wiring of the detectors.
14 | No detector of combustible gas works; if none is fitted, no gas detector works.
"""
STAGES = """
8c | not_by_bms | a rise in temperature confirms the vapour, and no BMS compares the two
"""
WIRED = """
12 | open the 25 % gas relay, by calibration gas or at its wire; the program waits for zero current,
  the wiring does not. The fan runs since the controller went off: the fan proves nothing for this
  row | contact gas
"""
