"""Where each number of a stage comes from: a fact (facts.py), or the project with its reason.

The confidence of a row says how sure it is that somebody asks for it; that of a number how sure its
value is. A number with a fact stands in that fact; a test compares them.
"""

from typing import NamedTuple

from controller.rows.facts import FACTS
from controller.rows.records import by_row
from safety import matrix as m

OURS = "chosen by the project, because"
NUMBERS = ("trips_at", "after", "clears_at")


class Source(NamedTuple):
    """words: source and clause, or the project's reason; key: of FACTS, "" for the project's;
    stands: how the number is written in the fact, "" as the matrix writes it; confidence: its code.
    """

    words: str
    key: str
    stands: str
    confidence: str


# code | because
REASONS = """
wire | an open wire of the emergency stop is acted on in one tick
pair | the two contacts of one button open closer together than that, or one is broken
bounce | a contact bounces for less
one | one of them is enough
agree | two detectors that agree need no long look
flicker | one reading of a contact may be wrong, and stronger signs, row 5, wait less
trouble | trouble of a panel or detector alone harms nobody, and a short one needs no visit
look | somebody can have looked by then; if not, nothing more is charged
vapour | no public source with a number was found (C48): the detector's maker must confirm it
passes | a passing cloud of solvent is gone by then, and vapour leads heat by minutes (C41)
second | a second sign agrees, so it waits less than row 7
stays | what stays so long is no passing cloud
settles | a gas sensor needs seconds to settle, and the ladder of C50 has no times
quarter | it is four times the first alarm and the lower end of C50
rise | it is the first alarm, row 9, reached in 10 s
seen | a puff that stays shows for 5 s as a rise: a second more tells it from a puff
sure | gas above a quarter of the flammable limit waits for nothing
lfl | one reading may be wrong, and row 12 does not wait
calibration | the maker's day is the limit: one day later is overdue
fan | a fan or louvre needs that long to run up or to open; the louvre's 10 s and 2 s more
air | air warms in minutes; no source here has a time
cooling | cells are to stay below their own warning, C21, and air is colder than cells
derate | it is 5 K above the first stage
cells | cells warm in minutes and a warning moves nothing at once; C20 and C21 have 1 s
trip | a BMS tells temperatures about once a second: two readings; C20 and C21 have 1 s
runaway | a cell at 65 degC is dangerous, so it waits less than row 20; C23 warns after 1 s
sample | one wrong reading latches nothing: two samples of the rise over the source's time
fast | it is a quarter of the mean rate measured, C30
sag | a fall of 25 % (C29) is 0.8 V; a third of that counts, because a second sign is there
telling | one reading of a BMS can be wrong
slow | the voltage of a cell moves in seconds; C1 and C3 wait longer or as long
stalls | one stall is a busy moment, three in 10 s are a controller that cannot keep up
contact | a relay in hard wiring has no debounce to wait for beyond its own contact
end | it is between C1 with 2.40 V and C2 with 2.70 V: row 31 stops discharging at 2.80 V, and a \
load step must not open contactors at 2.70 V
deep | a cell this low is damaged already, and one wrong reading must not need the key
spread | sources lie between 100 and 1000 mV, C80; balancing takes hours
rest | it must outlast a load step
limit | it is as long as the stage that trips, which is C64's
fault | an earth fault that heals within that time is moisture or a switch
earth | an earth fault this low leaves no time for looking
tries | the three tries have taken their time already
bus | it is 1 % of a bus of 1000 V, beyond the error of two meters; C69 joins strings within 3 V
steps | a closing may take as long, C71
ladder | it is the project's ladder C79, shorter than every source: C74 has 10 s, C75 60 s
frames | C74 allows 100: a fifth of that is told, and nothing stops
gone | what is watched is itself a time
pcs | it is the project's ladder C79; no source here has one for a converter
margin | the 2 kW of C66 are a home battery's; a larger converter measures no better than 2 %
leak | a drop on the sensor runs off in less
humid | condensation begins on cold parts below 100 %, and doors are opened
supply | a dip of the mains is shorter
reserve | there must be time to come to rest before everything is dark
expiry | it is the time after which the outputs expire by themselves
memory | a wrong image, store or memory is acted on at once
hot | the source has no time: one wrong reading is no overheating
sensors | one sensor may fail: two of one module leave it unseen
reads | the plug of a sensor can lose contact for a few seconds
blind | 75 s are what C23 allows a temperature, after the 10 s of the first stage
link | no source here has a number; a person is reachable in 15 min (A53), so nobody is blind longer
switch | a key or a first start is no noise
turn | while a key turns, both contacts are open, and two modules are read one after the other
door | a door is opened by hand, not by vibration
design | no source here has this row: its hazard and its figures are in the hazard log
median | no source here compares with the median; C22 has 15 K for the spread, and it must rise too
warn | it is 5 K before the spread of C22
noise | it must not come and go with the noise of its sensor
"""

# stage | trips at | after | clears at: a key of FACTS and how it says the number, a code of
# REASONS, or - for what has no number. The last column is noise where nothing stands.
LINES = """
1a | - | wire
1b | - | wire
1c | - | pair
2 | - | bounce
3 | - | bounce
4 | one | flicker
5 | A34 smoke with heat | agree
6a | - | trouble
6b | - | look
7 | vapour | passes
8a | vapour | second
8b | vapour | stays
8c | vapour | second
9 | A35 50 ppm | settles
10a | quarter | settles
10b | rise | seen
11 | A27 10 % LFL | lfl
12a | A25 25 % LFL | sure
12b | - | sure
13a | one | trouble
13b | one | trouble
13c | calibration | trouble
14 | - | trouble
15a | - | fan
15b | - | fan
16a | - | fan
16b | - | fan
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
24 | sag | telling
25a | C24 charges at 0 | telling
25b | C24 discharges at -20 | telling
26a | warn | telling
26b | C22 15 K | telling
27 | C3 3.55 | C3 10 s
28 | C1 3.60 | slow
29 | C3 3.65 | C3 2 s
30 | - | contact
31a | C2 2.90 | slow
31b | C1 2.80 | slow
32 | end | slow
33 | C2 2.00 | deep
34a | spread | rest
34b | spread | rest
34c | spread | telling
35a | C64 1.05 | limit
35b | C64 1.1 | C64 10 s
36 | C64 2 to 2.5 | C65 0.1 s
37a | C61 500 | fault
37b | C61 100 | earth
38a | C67 three tries | tries
38b | bus | steps
39 | - | C70 20 events and 100 ms
40a | ladder | gone
40b | ladder | gone
40c | ladder | gone
40d | frames | gone
40e | - | bounce
41a | pcs | gone
41b | pcs | gone
41c | pcs | gone
41d | margin | C66 5 s
42a | - | leak
42b | - | leak
42c | humid | air
43a | - | supply
43b | A38 2 h | supply
43c | reserve | supply
43d | A38 2 h | supply
44a | - | memory
44b | expiry | gone
44c | - | memory
44d | - | memory
44e | - | memory
44f | C82 110 | hot | C82 105
44g | stalls | gone
45a | sensors | reads
45b | sensors | blind
45c | - | reads
45d | - | blind
46a | link | gone
46b | link | gone
46c | - | switch
47a | - | switch
47b | - | turn
48a | - | door
48b | - | door
49 | expiry | gone
58 | - | memory
"""
_WHY = dict([line.split(" | ") for line in REASONS.strip().splitlines()])
_CELLS = {
    stage: cells for stage, *cells in [line.split(" | ") for line in LINES.strip().splitlines()]
}
_UNSAID = ("design", "design", "noise")


def of(stage: str) -> dict:
    """{one of NUMBERS: Source} of a stage, by its name; without what has no number."""
    cells = _CELLS.get(stage, ())
    cells = (*cells, *_UNSAID[len(cells) :])
    return {name: _source(cell) for name, cell in zip(NUMBERS, cells) if cell != "-"}


def _source(cell):
    """A Source, of a cell of LINES."""
    key, _, stands = cell.partition(" ")
    fact = FACTS.get(key)
    if fact is None:
        return Source(f"{OURS} {_WHY[cell]}", "", "", "D")
    return Source(fact.source, key, stands, fact.confidence)


def short(stage: str) -> str:
    """ "value: foxBMS 2 (C20), C; time: project, D" of what trips a stage; (?): unconfirmed."""
    words = {"trips_at": "value", "after": "time"}
    return "; ".join(
        [
            f"{words[name]}: {f'{one.words} ({one.key})' if one.key else 'project'}, "
            + one.confidence
            + " (?)" * (one.confidence == "G")
            for name, one in of(stage).items()
            if name in words
        ]
    )


def reasons() -> list:
    """[(reason, "what trips 7, 8a; time of 1a")]: why the project chose its numbers."""
    parts = dict(zip(NUMBERS, ("value of", "time of", "clearing of")))
    found: dict = {}
    for stage in [stage[m.S_ID] for row in by_row().values() for stage in row]:
        for name, one in of(stage).items():
            if not one.key:
                found.setdefault(one.words, {}).setdefault(parts[name], []).append(stage)
    return [
        (words, "; ".join([f"{part} {', '.join(stages)}" for part, stages in of_part.items()]))
        for words, of_part in found.items()
    ]
