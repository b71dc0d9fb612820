"""All rows once more, transcribed from the table they were designed from (called section 7), the
rows of the project from its design; never from code.

STAGES, a stage a line: what it watches; where it trips; after how many s; latch (L0 by itself, L1
remote, L2 key); where it begins to be clear, for how many s; what it does; its gate. Effects: S
stop, R ramp of the PCS; I open at once, Z open at zero current or after 2 s, I0 open only at zero
current, N no closing, T upstream shunt trip; fan; L lamp, H horn and strobe, red lamp; ich, idc
inhibit charging and discharging, r by a ramp; c50 d50 derate (how much is taken away); M O F notify
maintenance, operator, fire panel; P pre-alarm; A auxiliary loads not rated for gas are shed (the
text above the table: rows 8 and 10 to 12); X all energy is removed within 5 s, in gas too (the
project's).

OTHERWISE: what a column of the table has for a stage that does something else. A stage of the
project is held against the last, strongest step of the row that it stands under.
"""

import re
from typing import NamedTuple

KEY, REMOTE, SELF = 2, 1, 0
GROUPS = {
    "FIRE": "S I fan H red ich idc O F P",
    "GAS": "S I fan H red ich idc O F P A",
    "TRIP": "S Z H ich idc O",
    "BLIND": "S Z H red ich idc O",
}
# Where a stage clears, and for how long it must have been there, is the project's, but for rows 18
# (2 K), 25 (+3 K) and 27 (0.10 V).
STAGES = """
# Section 7, rows 1 to 3: hard-wired causes, repeated by the program.
1a  estop_1_ok                    <=0      0.02  L2 1    0 S I H red ich idc O F X
1b  estop_2_ok                    <=0      0.02  L2 1    0 S I H red ich idc O F X
1c  estop_discrepancy             >=1      0.5   L2 0    0 S I H red ich idc O F X
2   fire_alarm_ok                 <=0      0.2   L2 1    0 S I fan H red ich idc O F P X
3   suppression_ok                <=0      0.1   L2 1    0 S I fan H red ich idc O F X
# Rows 4 to 6: smoke and heat detectors, counted; the fire panel's own trouble, 15 min from its
# beginning.
4   fire_detectors                >=1      2     L1 0    0 R Z H ich idc O F P
5   fire_detectors                >=2      0.5   L2 0    0 FIRE
6a  fire_trouble_ok               <=0      5     L1 1    0 N L c50 d50 M O
6b  fire_trouble_ok               <=0      900   L1 1    0 N L ich c50 d50 M O
# Rows 7 to 10: off-gas from 20 ppm (ours: the table has no number); H2 and CO, of which more than
# 5 ppm/s for 10 s is a rise of 51 ppm.
7   offgas_ppm_max                >=20     5     L1 10   0 R Z fan L H ich idc O F P
8a  offgas_ppm_second             >=20     2     L2 10   0 GAS
8b  offgas_ppm_max                >=20     30    L2 10   0 GAS
8c  offgas_ppm_max                >=20     2     L2 10   0 GAS if heating_alert
9   toxic_ppm                     >=50     10    L1 30   0 R Z fan L H ich idc O
10a toxic_ppm                     >=200    5     L2 100  0 GAS
10b toxic_rise_ppm                >=51     6     L2 10   0 GAS
# Rows 11 to 14: gas; 1 % of the lower flammable limit is 10 permille.
11  gas_lfl_permille_max          >=100    2     L2 80   0 GAS
12a gas_lfl_permille_max          >=250    0     L2 200  0 S I0 fan H red ich idc O F P A
12b gas_relay_ok                  <=0      0     L2 1    0 S I0 fan H red ich idc O F P A
13a gas_detectors_faulty          >=1      10    L1 0    0 N L c50 d50 M O
13b gas_detectors_silent          >=1      10    L0 0    1 N L c50 d50 M O
13c gas_calibration_d_min         <=-1     10    L0 0    1 N L c50 d50 M O
14  gas_detectors_lost            >=1      10    L1 0    0 R Z fan H red ich idc O F
# Rows 15 to 17: fan, louvre (10 s to open, and 2 s), cooling; "more than 45 C" is 45.1 C and
# above.
15a airflow_missing               >=1      10    L1 0    0 fan H ich c50 d50 O
15b airflow_missing               >=1      10    L1 0    0 TRIP if gas_or_smoke_alert
16a damper_missing                >=1      12    L1 0    0 fan L ich c50 d50 O
16b damper_missing                >=1      12    L1 0    0 S Z fan L ich idc O if gas_or_smoke_alert
17a hvac_ok                       <=0      60    L0 1    1 L c50 d50 M O
17b air_temperature_ddegC         >=451    60    L0 430  1 L ich c50 d50 M O
17c air_temperature_ddegC         >=501    60    L0 480  1 R L ich c50 d50 M O
# Rows 18 to 26: cell temperatures, 0.1 degC; "more than 15 K" is 15.1 K and above, "below 0" is
# -0.1 and below.
18a temperature_ddegC_max         >=350    5     L0 330  1 L M if charging
18b temperature_ddegC_max         >=450    5     L0 430  1 L M
19a temperature_ddegC_max         >=400    5     L0 380  1 L ich O
19b temperature_ddegC_max         >=500    5     L0 480  1 L ich d75 O
20a temperature_ddegC_max         >=450    2     L1 400  0 TRIP if charging
20b temperature_ddegC_max         >=550    2     L1 500  0 TRIP
21a temperature_ddegC_max         >=650    1     L2 550  0 FIRE
21b temperature_over_median_ddegC >=151    1     L2 100  0 FIRE if temperature_rising
# Rows 22 and 23 watch a rise over their whole window: 0.5 K in 30 s, 2 K in 10 s, 3 K in 3 s, and
# wait no longer.
22  temperature_unexplained_ddegC >=5      1.5   L1 2    0 R Z L H ich idc O P
23a temperature_rise_10s_ddegC    >=20     1.5   L2 10   0 FIRE
23b temperature_rise_3s_ddegC     >=30     1.5   L2 10   0 FIRE
24  cell_voltage_drop_mV          >=250    0.5   L2 100  0 FIRE if runaway_hint
25a temperature_ddegC_min         <=-1     10    L0 30   1 L ich M
25b temperature_ddegC_min         <=-201   10    L0 -170 1 L ich idc M
26a temperature_spread_ddegC      >=100    10    L0 80   1 L c50 d50 M
26b temperature_spread_ddegC      >=150    10    L1 100  0 R Z H ich idc c50 d50 O
# Rows 27 to 34: cell voltages of LFP; of "0.2-1 s" the shorter.
27  cell_voltage_mV_max           >=3550   10    L0 3450 1 M
28  cell_voltage_mV_max           >=3600   5     L0 3550 1 L ich O
29  cell_voltage_mV_max           >=3650   2     L1 3550 0 S Z H ich O
30  cell_voltage_ok               <=0      0.2   L2 1    0 S I H ich idc O
31a cell_voltage_mV_min           <=2900   10    L0 3000 1 L M
31b cell_voltage_mV_min           <=2800   5     L0 3000 1 L idc O
32  cell_voltage_mV_min           <=2500   5     L1 2900 0 S Z H idc O
33  cell_voltage_mV_min           <=2000   1     L2 2800 0 S I H ich idc O
34a cell_spread_mV                >=100    30    L0 80   1 L M
34b cell_spread_mV                >=200    30    L0 150  1 R L ich c50 d50 O
34c cell_spread_mV                >=400    5     L1 200  0 TRIP
# Rows 35 and 36, with the larger of 2 A and 1 % of rated on top (the watched value is what
# exceeds that).
35a current_over_105_mA           >=1      10    L0 0    1 R L ich idc O
35b current_over_110_mA           >=1      10    L1 0    0 TRIP
36  current_over_200_mA           >=1      0.1   L2 0    0 S I H ich idc O
# Rows 37 to 39: insulation; closing, and 10 V between two sides that should be one (ours);
# contactors.
37a insulation_ohm_per_V          <=499    30    L0 600  1 N L M O
37b insulation_ohm_per_V          <=99     5     L2 500  0 S Z H ich idc M O
38a closing_failures              >=3      0     L1 2    0 S N L ich idc O
38b bus_mismatch_mV               >=10000  5     L1 5000 0 S N L ich idc O
39  contactor_mismatch            >=1      0.3   L2 0    0 S I T H ich idc O F
# Row 40: 0.5 s, 1 s, 3 s; bad frames; and the BMS's own fault contact.
40a bms_silence_level             >=1      0     L0 0    0 L O
40b bms_silence_level             >=2      0     L1 0    0 R L ich idc O
40c bms_silence_level             >=3      0     L1 0    0 BLIND
40d bms_bad_frames_recent         >=20     0     L0 5    1 L O
40e bms_fault_ok                  <=0      0.1   L1 1    0 TRIP
# Row 41: 2 s, 3 s, 5 s; power above the limit and 2 % of rated, at least 2 kW, for 5 s.
41a pcs_silence_level             >=1      0     L1 0    0 R L ich idc O
41b pcs_silence_level             >=2      0     L1 0    0 S H ich idc O
41c pcs_silence_level             >=3      0     L1 0    0 TRIP
41d pcs_excess_W                  >=1      5     L1 0    0 TRIP
# Row 42: leak or water; flow or pressure, taken for a leak; "more than 90 %" is 90.1 % and above.
42a leak_ok                       <=0      2     L1 1    0 TRIP
42b coolant_ok                    <=0      2     L1 1    0 TRIP
42c humidity_permille             >=901    60    L0 850  1 L ich idc O
# Row 43: "less than 2 h" is 119 min; the last is ours, a short reserve whatever the mains do.
43a mains_ok                      <=0      5     L0 1    1 L ich O F
43b ups_reserve_min               <=119    5     L0 121  1 R L ich idc O F if on_ups
43c ups_reserve_min               <=29     5     L1 40   0 S Z H ich idc O F if on_ups
43d ups_reserve_min               <=119    5     L0 121  1 L M
# Row 44: image CRC, the permit expiry of 0.5 s; then the two ways to start after a run that did
# not end well; then a failed self-test, reset by the key because a CRC is one of the tests; and
# the processor above 110 C.
44a image_changed                 >=1      0     L2 0    0 S Z fan H ich idc O
44b step_late_ms                  >=500    0     L1 100  0 S Z fan H ich idc O
44c boot_not_clean                >=1      0     L1 0    0 S Z L ich idc O
44d boot_store_unreadable         >=1      0     L2 0    0 S Z L ich idc O
44e self_test_bits                >=1      0     L2 0    0 S Z fan H ich idc O
44f cpu_temperature_ddegC         >=1101   0.5   L1 1049 0 S Z fan H ich idc O
# Of the project: three steps of 0.1 s and more within 10 s.
44g late_steps                    >=3      0     L1 2    0 S Z fan H ich idc O
# Row 45: at least two sensors of a module, or a reading of exactly 0; the opening 75 s after the
# ramp.
45a sensors_invalid_max           >=2      10    L1 1    0 R L ich idc O
45b sensors_invalid_max           >=2      85    L1 1    0 R Z L ich idc O
45c temperature_zeros             >=1      10    L1 0    0 R L ich idc O
45d temperature_zeros             >=1      85    L1 0    0 R Z L ich idc O
# Rows 46 to 48: "more than 15 min" is 901 s, counted by the watched value; the key switch; the
# door.
46a noc_lost_s                    >=901    0     L0 1    0 L M
46b noc_lost_s                    >=901    0     L0 1    0 L c50 d50 M
46c noc_unverified                >=1      0     L0 0    0 N L ich M
47a key_run_ok                    <=0      0     L0 1    0 R Z L ich idc O
47b key_discrepancy               >=1      0.5   L1 0    0 R Z L ich idc O
48a door_ok                       <=0      1     L0 1    0 R ich idc O if energised
48b door_ok                       <=0      1     L0 1    0 R fan H ich idc O if gas_alert
# The silence ladder of the design: I/O module 0.5 s; meter silent 0.5 s, frozen 5 s.
49  io_silence_ms                 >=500    0     L1 200  0 BLIND
50a meter_silence_ms              >=500    0     L0 300  1 L ich O
50b meter_frozen_ms               >=5000   0     L0 1000 1 L ich O
# The grid meter after its test: not proven; the wrong way round.
50c meter_sign                   >=2      0     L0 1    1 L ich O
50d meter_sign                   >=3      0     L1 1    0 L ich O
# Channel B: silent, or of another opinion (what says so waits the 0.5 s of the design).
# The monitors of climate and UPS: silent for 10 s.
51  peer_code                     >=1      0     L1 0    0 S I H ich idc O if energised
53  runaway_suspicion_pct         >=140    4     L1 70   0 R Z fan L H ich idc O F P
# The BMS tells nothing new although the converter's current has changed; currents that contradict.
54  bms_still_ms                  >=10000  0     L1 1000 0 R Z L ich idc O
55  currents_apart_dA             >=1      0.5   L1 0    0 TRIP
# The converter gives more than it was sent, or the other way round; or less.
56a pcs_beyond_permille           >=100    1     L1 80   0 TRIP
56b pcs_short_permille            >=100    3     L0 80   1 L O
# The grid connection beyond its limit: told after 5 s, of which the mean takes 2.5 s; what the
# battery does of it is taken away after 30 s.
57a grid_over_permille            >=20     2     L0 10   1 L O
57b grid_import_by_battery_permille >=20   27    L1 10   0 L ich O r
57c grid_export_by_battery_permille >=20   27    L1 10   0 L idc O r
# The limit image is not the one that a person has approved.
58  image_approved_ok             <=0      0     L0 1    0 S Z L ich idc O
# A device that says by its bits that it has failed, as its contact would (40e); or warns.
59a bms_fault_level               >=2      0.2   L1 1    0 TRIP
59b bms_fault_level               >=1      0.2   L0 0    1 L O
59c pcs_fault_level               >=2      0.2   L1 1    0 TRIP
59d pcs_fault_level               >=1      0.2   L0 0    1 L O
52  monitor_silence_ms            >=10000  0     L0 5000 1 N L c50 d50 M O
"""
OTHERWISE = """
2 priority=wired | 3 priority=wired | 6a ICH=ich | 6b debounce=5 | 10b debounce=5/10
14 cause=all ALM=H | 15a FAN=- DC=Z | 15b IDC=- DRT=50 | 16a debounce=2 DC=Z
16b debounce=2 IDC=- DRT=50 | 17a PCS=R ICH=ich | 17b PCS=R | 18a DRT=0 cause=40
18b DRT=0 | 19a DRT=25 cause=45 | 19b DRT=25 | 20a cause=50 | 22 debounce=30
23a debounce=3/10 | 23b debounce=3/10 | 25a IDC=idc | 31a IDC=idc
35a cause=1.05 | 35b cause=1.10 | 36 DC=I+fuse priority=wired | 38a debounce=5 | 40c ALM=H
40d latch=L1 PCS=S DC=Z ALM=H ICH=ich IDC=idc | 40e debounce=0 | 41a DC=Z | 41b DC=Z
43a PCS=R DC=Z IDC=idc | 43b DC=Z | 43d latch=L1 PCS=S DC=Z ALM=H ICH=ich IDC=idc NTF=F+O
44a debounce=0.5 | 44b debounce=0.5 | 44c debounce=0.5 FAN=fan ALM=H
44d debounce=0.5 latch=L1 FAN=fan ALM=H | 44e debounce=0.5 latch=L1
44g debounce=0.5 | 45a DC=Z | 45b debounce=10
45c DC=Z | 45d debounce=0/10 | 46a debounce=900 DC=N ICH=ich DRT=50 | 46b debounce=900 DC=N ICH=ich
46c debounce=900 DRT=50 | 48a FAN=fan ALM=H
"""
# The values in brackets, for NMC cells; the comparator of row 30 is set on site, not here.
NMC_AT = {"27": 4150, "28": 4200, "29": 4250, "31a": 3200, "31b": 3000, "32": 2800, "33": 2200}


class Row(NamedTuple):
    """One stage. at: the value that trips; above: larger values trip too; reset; gate or ""."""

    watches: str
    above: bool
    at: int
    debounce_ms: int
    reset: int
    gate: str
    effects: str


def _lines(text):
    return [line.split() for line in text.splitlines() if line and line[0] != "#"]


def _ms(text):
    return round(float(text) * 1000)


def _row(words):
    """(stage, Row, (clear, for how long in ms)) of a line of STAGES."""
    name, watches, at, after_s, latch, clear, clear_s, *rest = words
    did, _, gate = " ".join(rest).partition(" if ")
    trips = watches, at[:2] == ">=", int(at[2:]), _ms(after_s)
    row = Row(*trips, int(latch[1:]), gate, GROUPS.get(did, did))
    return name, row, (int(clear), _ms(clear_s))


_READ = [_row(words) for words in _lines(STAGES)]
ROWS = {name: row for name, row, _ in _READ}
CLEARS = {name: clear for name, _, clear in _READ}
# (stage, column): what the table has there
DIFFERS = {
    (name, column): what
    for name, *columns in map(str.split, re.split(r"[|\n]", OTHERWISE.strip()))
    for column, _, what in [each.partition("=") for each in columns]
}


def effects(name):
    return set(ROWS[name].effects.split())


def row_number(name):
    return int(name.rstrip("abcdefg"))
