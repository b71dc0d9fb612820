"""Says how often a test on site must prove each row of the matrix, with reason and confidence.

The confirmed clauses ask for a record of tests (A71, A73, A75, A78), not for these intervals. The
project proposes the intervals unless the confidence says otherwise. A site may only shorten them.
Tests of detectors follow their calibration, tests of contacts the yearly inspection of the fire
panel.

One test usually proves a whole row. A stage has its own test if it is much quicker or slower than
its row, or has its own contact. The test of the hard wiring needs a controller that is off.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from controller.core.base.texts import table
from controller.rows.records import ROWS
from controller.rows.shapes import MatrixStage
from safety import matrix

ONCE = None
SECTION = "proof_test"  # its name in a configuration
WIRED = "w"  # last letter of the key of a hard-wired row; no stage ends with it


class Interval(NamedTuple):
    """interval_d: most days between two tests, or ONCE, which means only at commissioning.
    confidence: code of facts.py. proves: words for the test, "" if it proves the whole row.
    """

    interval_d: int | None
    basis: str
    confidence: str
    proves: str = ""


# reasons that several tests share: name | interval and confidence | reason
BASES = """
contact | 365 d D | contact input and its wire: a stuck contact does not show; with the yearly
  inspection
panel | 365 d G | contact of the fire panel: with its yearly inspection (NFPA 72, clause from
  memory)
gas | 180 d D | a detector that reads too low does not show: with its calibration
sensor | 730 d D | one device in the chain; no other device is compared with it
bms | 730 d D | reported by the BMS: with the maker's test tool
computed | once D | computed from values that other rows prove; the program tests itself (row 44)
silence | once D | every failure of this path is the silence on which the row acts
self_test | 365 d D | self-test of the controller: on the rig, for the example cabinet
"""
# keys of tests | a name of BASES, or interval, confidence and basis | words for the test
TESTS = """
2 3 4 5 | panel
7 9 10 11 | gas
15 16 47 48 | contact
18 19 20 21 25 27 28 29 31 32 33 35 36 59 | bms
22 23 24 26 53 54 55 56 57 | computed
41 49 52 | silence
43 | sensor
1 | contact | emergency stop, each of its two contacts
1c | contact | contacts of the emergency stop disagree
1w | contact | controller off: emergency stop
2w | panel | controller off: alarm of the fire panel
3w | panel | controller off: suppression released
6 | panel | fire panel or suppression in trouble
6b | panel | fire panel or suppression in trouble for 15 min
8 | gas | vapour of electrolyte at two detectors, or together with row 22 or 23
8b | gas | vapour of electrolyte at one detector for 30 s
12 | gas | combustible gas at 25 % of the lower flammable limit, by the detectors
12b | 180 d D: contact of the 25 % relay: with the calibration of its detectors | 25 % relay of the
  gas detection open
12w | 180 d D: hard wiring of the 25 % relay: with the calibration of its detectors |
  controller off: 25 % relay of the gas detection
13 | 730 d D: fault contact of each detector; stage 13c itself watches the calibration date
14 | once D: the inputs of row 13, all of them
17 | 730 d D: fault contact of the cooling, air sensor; the rows of cell temperatures act after them
30 | 365 d D: independent relay and its wire: only a test shows that the relay opens
30w | 365 d D: hard wiring of the independent relay | controller off: over-voltage relay
34 | computed | cell voltages of a rack too far apart: warning, ramp
34c | computed | cell voltages of a rack too far apart: trip
36w | 365 d D: hard wiring of the over-current relay: only a test shows that the relay opens |
  controller off: over-current relay
37 | 730 d D: insulation monitor: with a test resistor | insulation low: warning
37b | 730 d D: insulation monitor: with a test resistor | insulation low: trip
38 | 730 d D: pre-charge: every start runs it, but no start shows its failure | pre-charge failed
  three times
38b | 730 d D: voltages of racks and bus: no other row compares them | rack and bus voltage differ
39 | 730 d D: feedback contacts: starts and stops move them, but do not show a stuck contact
40 | silence | BMS silent: ramp, stop
40a | silence | BMS silent: warning
40d | silence | many bad frames of the BMS
40e | contact | fault contact of the BMS open
42 | contact | leak, or loss of coolant flow or pressure
42c | 365 d D: humidity sensor: no other sensor is compared with it | humid air
44 | 365 d D: a start after an interrupted run, or without the store | unclean start, or a store
  that cannot be read
44a | self_test | limit image changed in memory
44b | self_test | late step
44e | self_test | self-test of program, memory, clock, relays
44f | self_test | processor too hot
44g | self_test | repeated stalls
44w | 365 d D: permit relays and the expiry of outputs: only a controller that is off proves them |
  controller off: outputs expire
45 | bms | sensors of a module invalid, or at 0: ramp
45b | bms | sensors of a module invalid: contactors open
45d | bms | sensors of a module at 0: contactors open
46 | 365 d G: path to the operations centre: with the yearly test of the panel's transmitter | path
  to the operations centre lost
46c | 365 d G: path to the operations centre: the first start needs the proof | path to the
  operations centre not verified before the first start
50 | silence | meter silent
50b | silence | meter frozen
50c | computed | grid meter not proven
50d | computed | grid meter reversed
51 | 365 d D: permit relay of channel B: only a channel that is off proves it
57a | computed | grid connection over limit, reported
58 | once D: every change of the configuration needs a new approval
59e | bms | converter in its state "fault": stop
"""


_BASES = {name: (interval, basis) for name, interval, basis in table(BASES)}


def _test(reason_or_own: str, proves: str = "") -> Interval:
    interval, basis = _BASES.get(reason_or_own) or reason_or_own.split(": ", 1)
    *days, confidence = interval.split()
    return Interval(ONCE if days == ["once"] else int(days[0]), basis, confidence, proves)


_TESTS = {key: _test(*cells) for keys, *cells in table(TESTS) for key in keys.split()}


def row_of(key: str) -> int:
    """Row of the matrix of a key: 40 for "40e", 1 for "1w"."""
    return int(key.rstrip("abcdefghijklmnopqrstuvwxyz"))


INTERVALS = {key: _TESTS[key] for key in sorted(_TESTS, key=lambda key: (row_of(key), key))}


def key_of(stage: MatrixStage) -> str:
    """Key under which the tests of a stage are recorded."""
    name: str = stage[matrix.S_ID]
    return name if name in INTERVALS else str(stage[matrix.S_ROW])


def what(key: str) -> str:
    """Words for the test of a key."""
    return INTERVALS[key].proves or ROWS[row_of(key)].what


def read(get: Callable[..., Any]) -> dict[str, int | None]:
    """{key: days or None} after the configuration has shortened the intervals. get: gives the value
    of a key.
    """
    return {key: _days(key, get) for key in INTERVALS}


def _days(key: str, get: Callable[..., Any]) -> int | None:
    """Days of one key. A shorter interval of a row also shortens the tests of its stages."""
    row = str(row_of(key))
    own_d: int | None = get(SECTION, key)
    row_d: int = get(SECTION, row)
    if row_d == INTERVALS[row].interval_d:
        return own_d
    return row_d if own_d is None else min(own_d, row_d)
