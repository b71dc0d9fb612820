"""Entries of the table (section 7) where a stage does something else; the transcription itself
is hil/oracle/design.toml, to which the courses of the rig are held as well.

A stage of the project is held against the last, strongest step of the row that it stands under.
"""

import re

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
# (stage, column): what the table has there
DIFFERS = {
    (name, column): what
    for name, *columns in map(str.split, re.split(r"[|\n]", OTHERWISE.strip()))
    for column, _, what in [each.partition("=") for each in columns]
}
