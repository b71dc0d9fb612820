"""Gives the source of each number of a stage: a fact (facts.py), or a reason of the project.

The confidence of a row says how sure it is that a standard or an incident asks for the row. The
confidence of a number says how sure the value of the number is.
"""

from typing import NamedTuple

from controller.core.base.texts import table
from controller.rows.facts import FACTS
from controller.rows.records import by_row
from safety import matrix as m

CHOSEN = "chosen by the project, because"
NUMBERS = ("trips_at", "after", "clears_at")


class Source(NamedTuple):
    """The source of a number. words: source and clause, or the reason of the project. key: of the
    fact in FACTS; quoted: the number as the fact writes it; both "" for a reason. confidence: code
    of facts.py.
    """

    words: str
    key: str
    quoted: str
    confidence: str


# code | because ...
REASONS = """
wire | an open wire of the emergency stop acts within 20 ms, one tick of the example
pair | two good contacts of one button open within that time
bounce | a contact bounces for less
one | one of them alone is a reason to act
agree | two detectors agree, so a short debounce is enough
flicker | one reading of a contact may be wrong; row 5, a stronger sign, waits less
trouble | trouble of a panel or detector alone is no danger, and short trouble needs no visit
look | a person can be on site by then; until then charging may go on
vapour | no public source has a number (C48): the maker of the detector must confirm it
passes | a cloud of solvent has passed by then, and vapour comes minutes before heat (C41)
second | a second sign agrees, so the stage waits less than row 7
stays | a cloud of solvent does not stay so long
settles | a gas sensor settles within seconds, and C50 has no times
quarter | the value is four times the first alarm, and the lower end of C50
rise | the gas reaches the first alarm, row 9, within 10 s
seen | one step of gas counts as a rise for 5 s; one second more shows a real rise
sure | gas above a quarter of the flammable limit allows no wait
lfl | one reading may be wrong, and row 12 does not wait
calibration | the calibration is overdue one day after the maker's date
fan | a fan needs that long to run up; a louvre opens in 10 s, and 2 s are added
air | air warms in minutes, and no source in the fact table has a time
cooling | cells must stay below their own warning (C21), and air is colder than cells
derate | the value is 5 K above the first stage
cells | cells warm in minutes, and a warning stops nothing; C20 and C21 have 1 s
trip | a BMS reports temperatures about once a second: two readings; C20 and C21 have 1 s
runaway | a cell at 65 degC is dangerous, so the stage waits less than row 20; C23 has 1 s
sample | one wrong reading must not latch: two samples of the rise over the source's time
fast | the value is a quarter of the mean rate that C30 measured
sag | a fall of 25 % (C29) is 0.8 V; a third is enough, because a second sign is present
reading | one reading of a BMS can be wrong
slow | the voltage of a cell changes in seconds; C1 and C3 wait at least as long
stalls | one stall is a busy moment; after three in 10 s the controller cannot keep up
contact | only the contact of the hard-wired relay can bounce
end | the value is between C1 (2.40 V) and C2 (2.70 V): row 31 stops discharging at 2.80 V, and
  a load step must not open contactors at 2.70 V
deep | a cell this low is damaged already, and one wrong reading must not need the key
spread | sources have 100 to 1000 mV (C80), and balancing takes hours
load | the time must be longer than a load step
limit | the time is that of the stage that trips, from C64
fault | an earth fault that heals within that time is moisture or a switch
earth | such a low insulation is too dangerous to wait longer
tries | the three tries have already taken their time
bus | the value is 1 % of a 1000 V bus, above the error of two meters; C69 has 3 V
steps | closing may take that long (C71)
ladder | C79 is the project's ladder, shorter than every source: C74 has 10 s, C75 60 s
frames | C74 allows 100: a fifth of that is reported, and nothing stops
gone | the watched value is itself a time
pcs | C79 is the project's ladder; no source has times for a converter
margin | C66 has 2 kW for a home battery; a larger converter measures no better than 2 %
leak | a single drop runs off the sensor within that time
humid | condensation begins on cold parts below 100 %, and doors are opened
supply | a dip of the mains is shorter than that
reserve | the cabinet must stop in order before the supply ends
expiry | the outputs expire by themselves after this time
memory | a wrong image, store or memory allows no wait
hot | the source has no time, and one wrong reading must not stop the cabinet
sensors | one sensor may fail; with two failed the module is not watched
reads | the plug of a sensor can lose contact for a few seconds
blind | C23 allows a temperature 75 s, counted after the 10 s of the first stage
link | no source has a number; A53 has a person reachable within 15 min
switch | a key or a first start has no noise
turn | while a key turns both contacts are open, and two modules are read one after the other
door | vibration must not count as an open door
design | no source has this row: its hazard and its figures are in the hazard log
median | no source compares with the median; C22 has 15 K of spread, and the module must rise too
warn | the value is 5 K below the spread of C22
noise | the stage must not come and go with the noise of its sensor
"""

# stages | trips at | after | clears at. A cell has a key of FACTS with the number as the fact
# writes it, or a code of REASONS, or "-" where the stage has no number. A missing last cell means
# the reason "noise".
LINES = """
1a 1b | - | wire
1c | - | pair
2 3 40e | - | bounce
4 | one | flicker
5 | A34 smoke with heat | agree
6a 14 | - | trouble
6b | - | look
7 | vapour | passes
8a 8c | vapour | second
8b | vapour | stays
9 | A35 50 ppm | settles
10a | quarter | settles
10b | rise | seen
11 | A27 10 % LFL | lfl
12a | A25 25 % LFL | sure
12b | - | sure
13a 13b | one | trouble
13c | calibration | trouble
15a 15b 16a 16b | - | fan
17a | - | air
17b | cooling | air
17c | derate | air
18a | C20 35 | cells
18b | C21 45 | cells
19a | C20 40 | cells
19b | C21 50 | cells
20a | C20 45 | trip
20b | C21 55 | trip
21a | C23 65 degC | runaway
21b | median | runaway
22 | C28 1 K/min | sample
23a | fast | sample
23b | C29 1 K/s | sample
24 | sag | reading
25a | C24 charges at 0 | reading
25b | C24 discharges at -20 | reading
26a | warn | reading
26b | C22 15 K | reading
27 | C3 3.55 | C3 10 s
28 | C1 3.60 | slow
29 | C3 3.65 | C3 2 s
30 | - | contact
31a | C2 2.90 | slow
31b | C1 2.80 | slow
32 | end | slow
33 | C2 2.00 | deep
34a 34b | spread | load
34c | spread | reading
35a | C64 1.05 | limit
35b | C64 1.1 | C64 10 s
36 | C64 2 to 2.5 | C65 0.1 s
37a | C61 500 | fault
37b | C61 100 | earth
38a | C67 three tries | tries
38b | bus | steps
39 | - | C70 20 events and 100 ms
40a 40b 40c | ladder | gone
40d | frames | gone
41a 41b 41c | pcs | gone
41d | margin | C66 5 s
42a 42b | - | leak
42c | humid | air
43a | - | supply
43b 43d | A38 2 h | supply
43c | reserve | supply
44a 44c 44d 44e 58 | - | memory
44b 49 | expiry | gone
44f | C82 110 | hot | C82 105
44g | stalls | gone
45a | sensors | reads
45b | sensors | blind
45c | - | reads
45d | - | blind
46a 46b | link | gone
46c 47a | - | switch
47b | - | turn
48a 48b | - | door
"""
_WHY = dict(table(REASONS))
_CELLS = {stage: tuple(cells) for stages, *cells in table(LINES) for stage in stages.split()}
_DEFAULT_CELLS = ("design", "design", "noise")


def of(stage: str) -> dict[str, Source]:
    """{one of NUMBERS: Source} of a stage, by its name. A column without a number has no entry."""
    cells = _CELLS.get(stage, ())
    cells = (*cells, *_DEFAULT_CELLS[len(cells) :])
    return {name: _source(cell) for name, cell in zip(NUMBERS, cells) if cell != "-"}


def _source(cell: str) -> Source:
    """The Source of one cell of LINES."""
    key, _, quoted = cell.partition(" ")
    fact = FACTS.get(key)
    if fact is None:
        return Source(f"{CHOSEN} {_WHY[cell]}", "", "", "D")
    return Source(fact.source, key, quoted, fact.confidence)


def short(stage: str) -> str:
    """Sources of the value and the time of a trip: "value: foxBMS 2 (C20), C; time: project, D"."""
    labels, parts = {"trips_at": "value", "after": "time"}, []
    for name, source in of(stage).items():
        if name in labels:
            source_text = f"{source.words} ({source.key})" if source.key else "project"
            unconfirmed = " (?)" if source.confidence == "G" else ""
            parts.append(f"{labels[name]}: {source_text}, {source.confidence}{unconfirmed}")
    return "; ".join(parts)


def reasons() -> list[tuple[str, str]]:
    """[(reason, "value of 7, 8a; time of 1a")]: why the project chose its numbers."""
    parts = dict(zip(NUMBERS, ("value of", "time of", "clearing of")))
    by_reason: dict[str, dict[str, list[str]]] = {}
    for stage in [stage[m.S_ID] for row in by_row().values() for stage in row]:
        for name, source in of(stage).items():
            if not source.key:
                by_reason.setdefault(source.words, {}).setdefault(parts[name], []).append(stage)
    return [
        (
            reason,
            "; ".join(f"{part} {', '.join(stages)}" for part, stages in stages_by_part.items()),
        )
        for reason, stages_by_part in by_reason.items()
    ]
