"""Stages that differ from section 7 of the project's fact table, with the reason for each.

Section 7 has a row for each row of the cause-and-effect matrix. A stage is one threshold of a row.
A stage that the project added to a row is compared with the last, strongest step of this row.
"""

from controller.core.base.texts import table
from controller.rows.records import ROWS, STAGES, by_row
from controller.rows.shapes import MatrixStage
from safety import matrix as m

ADDED_FROM = 49  # the project added the rows from this number on
# Column of section 7: its name in the matrix.
COLUMNS = {
    "cause": "trips at",
    "debounce": "after",
    "latch": "reset",
    "PCS": "PCS",
    "DC": "contactors",
    "FAN": "fan",
    "ALM": "horn and lamps",
    "ICH": "no charging",
    "IDC": "no discharging",
    "DRT": "derate",
    "NTF": "notified",
    "priority": "acts without the program",
}
# stages and columns | the reading (how the project understands section 7 here). "priority" is the
# line above the table of section 7 that lists the rows which "are hard-wired and act without the
# program".
READINGS = """
2 3 priority | the program acts, and channel B if one is fitted; without channel B the wiring acts
  too (hma.hard_wired_rows), unless the analysis names the exception
6a ICH | after 15 min: stage 6b
6b debounce | the 15 min after which the row inhibits charging, counted from the start of the
  trouble
10b debounce | the watched rise contains the 10 s of the cause, and still counts 5 s after a single
  step; the debounce is those 5 s plus one sample
14 cause | if combustible gas detection is fitted, only that detection counts; otherwise all
  detectors of vapour, hydrogen and carbon monoxide must be lost, also if the analysis does not ask
  for them
14 40c ALM | the responder lamp is red on loss of data (A51)
15a FAN | on while the row is latched: a fan that is off does not show whether it can run again
15a DC | only with a gas or smoke alert: stage 15b
15b IDC | a stopped PCS neither charges nor discharges
15b DRT | 15a has it, and is always active with 15b
16a 16b debounce | t_louvre is read as 10 s
16a DC | only with a gas or smoke alert: stage 16b
16b IDC | a stopped PCS neither charges nor discharges
16b DRT | 16a has it, and is always active with 16b
17a 17b PCS | only above 50 degC: stage 17c
17a ICH | only above 45 degC: stage 17b
18a 18b DRT | the taper is a limit that always acts, not a demand of the stage: see the tapers
18a 20a cause | 5 K lower, as in C20: the value of the table is 5 K looser
19a DRT | the discharge half of the row is 19b
19a cause | 5 K lower, as in C20: the value of the table is 5 K looser
19b DRT | the table's 25 has two readings; the tighter one applies: 25 % are left for discharging
22 debounce | the 30 s are the window of the watched rise; 1.5 s are two samples of the rise, so one
  wrong reading does not latch
23a debounce | the 10 s are the window of the watched rise; 1.5 s are two samples of the rise, so
  one wrong reading does not latch
23b debounce | the 3 s are the window of the watched rise; 1.5 s are two samples of the rise, so one
  wrong reading does not latch
25a IDC | only below -20 degC: stage 25b
31a IDC | the table inhibits at the second voltage: stage 31b
35a cause | over 1.05x, plus the larger of 2 A and 1 % of rated, which counts as no current: with a
  small limit this is looser than the row
35b cause | over 1.10x, plus the larger of 2 A and 1 % of rated, which counts as no current: with a
  small limit this is looser than the row
36 DC | every row that opens waits for the fuse, so the wait is no effect of this stage: see the
  effects that yield
36 priority | the program acts, and the rack's fuse by its data sheet (hma.dc_fuse) or a relay
  (hma.hard_wired_rows), unless the analysis names the exception
38a debounce | three tries have taken their time; the 5 s belong to the two voltages, 38b
40d latch | the stage stops nothing, so it does not latch
40d PCS DC | a bad frame is not used: with too few good frames the values grow old, and 40a to 40c
  act; with enough good frames the rate of bad frames alone stops nothing
40d ALM | lamp only, like the first stage of the row
40d ICH IDC | a bad frame is not used: with too few good frames the values grow old, and 40a to 40c
  act; with enough good frames the rate of bad frames alone stops nothing
40e debounce | the row has only times of silence; 0.1 s is for a contact that bounces
41a 41b DC | the table opens the contactors at the last of the three times: stage 41c (silence
  ladder)
43a PCS | a cabinet on its UPS must still supply the load: R with the second stage, 43b, S with the
  third, 43c
43a DC | a cabinet on its UPS must still supply the load: the contactors open with the third stage,
  43c
43a IDC | a cabinet on its UPS must still supply the load: with the second stage, 43b
43b DC | the contactors open with the third stage, 43c
43d latch PCS DC ALM ICH IDC | the supply is present and the reserve low: the row acts when the
  supply is lost, 43a
43d NTF | only maintenance; the supply is present and the reserve low: the row acts when the supply
  is lost, 43a
44a debounce | 0.5 s is the expiry of the hard-wired permit; a changed image stays changed
44b debounce | the watched value is the lateness of 0.5 s itself
44c 44d debounce | checked once, at the start, before anything runs
44c FAN | at a start the fan has run until then, because it fails on; from now on other rows decide
44c ALM | at a start the fault is over and nothing runs: the lamp and a message to the operator
44d latch | key on site: without its store the latches are unknown
44d FAN | at a start the fan has run until then, because it fails on; from now on other rows decide
44d ALM | at a start the fault is over and nothing runs: the lamp and a message to the operator
44e debounce | 0.5 s is the expiry of the hard-wired permit; a failed part stays failed
44e latch | key on site for memory and clock too: the failed part may be the one that checks a reset
44g debounce | the watched value is its window of 10 s
45a DC | after 75 s: stage 45b
45b 45d debounce | 75 s after the 10 s of the first stage
45c DC | after 75 s: stage 45d
46a 46b debounce | the watched value counts the 900 s
46a 46b DC ICH | only at the first start: stage 46c
46a DRT | only if the hazard analysis asks for it: stage 46b
46c debounce | the first start needs a verified link; a link that was not lost for 900 s is not
  enough
46c DRT | open contactors carry no power to derate
48a FAN ALM | only with gas: stage 48b
"""


def _readings() -> dict[tuple[str, str], str]:
    readings = {
        (stage, column): reading
        for head, reading in table(READINGS)
        for stage in head.split()
        for column in head.split()
        if stage not in COLUMNS and column in COLUMNS
    }
    order = [stage[m.S_ID] for stages in by_row().values() for stage in stages]
    return dict(sorted(readings.items(), key=lambda pair: order.index(pair[0][0])))


READ_AS = _readings()  # {(stage, column): the reading}, in the order of the rows


def facts() -> list[dict[str, str]]:
    """[{stage, column, column_of_section_7, read_as}] in the order of the table."""
    return [
        {"stage": stage, "column": COLUMNS[column], "column_of_section_7": column, "read_as": words}
        for (stage, column), words in READ_AS.items()
    ]


def is_added(stage: MatrixStage) -> bool:
    """True for a stage that section 7 does not ask for."""
    return stage[m.S_ROW] >= ADDED_FROM or STAGES[stage[m.S_ID]].is_added


def basis(stage: MatrixStage) -> tuple[str, str]:
    """(basis, confidence) of a stage, from its row. An added stage has those of the project."""
    row = ROWS[stage[m.S_ROW]]
    if STAGES[stage[m.S_ID]].is_added:
        return f"project; its row has {row.basis}", "D"
    return row.basis, row.confidence
