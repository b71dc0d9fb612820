"""How often each row has to be proven by a test on site: days at most, why, and how sure that is.

The clauses that the fact table confirms ask for a record of tests (A71, A73, A75, A78), not for
these intervals: they are proposals of ours unless the confidence says otherwise, and a site may
only shorten them. Detectors follow their calibration twice a year, contacts and relays the yearly
inspection of the fire panel. Rows with ONCE are proven at commissioning only.

One test proves a row. A stage that is much quicker or slower than the others of its row, or acts by
wire, is tested apart: beside the slowest its own lateness would not show. What the wiring does with
the controller switched off is a test of its own too.
"""

from typing import NamedTuple

from safety import matrix

GAS_D, YEAR_D, LONG_D, ONCE = 180, 365, 730, None
SECTION = "proof_test"  # of a configuration


class Interval(NamedTuple):
    """interval_d: days at most between two tests, or ONCE. confidence: as in matrix.CLAUSES."""

    interval_d: int | None
    basis: str
    confidence: str


_CONTACT = Interval(
    YEAR_D,
    "contact input and its wire: a stuck one is not noticed; with the yearly inspection",
    "D",
)
_PANEL = Interval(
    YEAR_D,
    "contact of the fire panel: with its yearly inspection (NFPA 72, clause from memory)",
    "G",
)
_GAS = Interval(GAS_D, "a detector that reads too low is not noticed: with its calibration", "D")
_SENSOR = Interval(LONG_D, "one device in the chain that nothing compares", "D")
_BMS = Interval(LONG_D, "reported by the BMS: with the maker's test tool", "D")
_COMPUTED = Interval(
    ONCE, "computed from values that other rows prove, by a program that tests itself (row 44)", "D"
)
_SILENCE = Interval(ONCE, "what fails in this path is itself the silence that the row acts on", "D")
_SELF_TEST = Interval(
    YEAR_D, "self-test of the controller: on the rig, for the example cabinet", "D"
)

# Key: a row of the matrix, one of its stages that is tested apart, or a row by wire (w).
INTERVALS = {
    "1": _CONTACT,
    "1c": _CONTACT,
    "1w": _CONTACT,
    "2": _PANEL,
    "2w": _PANEL,
    "3": _PANEL,
    "3w": _PANEL,
    "4": _PANEL,
    "5": _PANEL,
    "6": _PANEL,
    "6b": _PANEL,
    "7": _GAS,
    "8": _GAS,
    "8b": _GAS,
    "9": _GAS,
    "10": _GAS,
    "11": _GAS,
    "12": _GAS,
    "12b": Interval(GAS_D, "contact of the 25 % relay: with the calibration of its detectors", "D"),
    "12w": Interval(
        GAS_D, "hard wiring of the 25 % relay: with the calibration of its detectors", "D"
    ),
    "13": Interval(
        LONG_D, "fault contact of each detector; its calibration date is watched by 13c itself", "D"
    ),
    "14": Interval(ONCE, "the inputs of row 13, all of them", "D"),
    "15": _CONTACT,
    "16": _CONTACT,
    "17": Interval(
        LONG_D, "fault contact of the cooling, air sensor; cell temperatures stand behind it", "D"
    ),
    "18": _BMS,
    "19": _BMS,
    "20": _BMS,
    "21": _BMS,
    "22": _COMPUTED,
    "23": _COMPUTED,
    "24": _COMPUTED,
    "25": _BMS,
    "26": _COMPUTED,
    "27": _BMS,
    "28": _BMS,
    "29": _BMS,
    "30": Interval(
        YEAR_D, "independent relay and its wire: nothing else shows that it would open", "D"
    ),
    "30w": Interval(YEAR_D, "hard wiring of the independent relay", "D"),
    "31": _BMS,
    "32": _BMS,
    "33": _BMS,
    "34": _COMPUTED,
    "34c": _COMPUTED,
    "35": _BMS,
    "36": _BMS,
    "36w": Interval(
        YEAR_D, "hard wiring of the over-current relay: nothing else shows that it would open", "D"
    ),
    "37": Interval(LONG_D, "insulation monitor: with a test resistor", "D"),
    "37b": Interval(LONG_D, "insulation monitor: with a test resistor", "D"),
    "38": Interval(LONG_D, "pre-charge: every start runs it, none fails it", "D"),
    "38b": Interval(LONG_D, "voltages of racks and bus: nothing else compares them", "D"),
    "39": Interval(
        LONG_D, "feedback contacts: every start and stop moves them, none sticks them", "D"
    ),
    "40": _SILENCE,
    "40a": _SILENCE,
    "40d": _SILENCE,
    "40e": _CONTACT,
    "41": _SILENCE,
    "42": _CONTACT,
    "42c": Interval(YEAR_D, "humidity sensor: nothing compares it", "D"),
    "43": _SENSOR,
    "44": Interval(
        YEAR_D, "what a start finds after a run that was cut off, or without its store", "D"
    ),
    "44a": _SELF_TEST,
    "44b": _SELF_TEST,
    "44e": _SELF_TEST,
    "44f": _SELF_TEST,
    "44w": Interval(
        YEAR_D,
        "permit relays and the expiry of outputs: only a controller that is off shows them",
        "D",
    ),
    "45": _BMS,
    "45b": _BMS,
    "45d": _BMS,
    "46": Interval(
        YEAR_D,
        "path to the operations centre: with the yearly test of the panel's transmitter",
        "G",
    ),
    "46c": Interval(YEAR_D, "path to the operations centre: the first start needs it proven", "G"),
    "47": _CONTACT,
    "48": _CONTACT,
    "49": _SILENCE,
    "50": _SILENCE,
    "50b": _SILENCE,
    "51": Interval(
        YEAR_D, "permit relay of the second channel: only a channel that is off shows it", "D"
    ),
    "52": _SILENCE,
    "53": _COMPUTED,
}
WIRED = "w"  # ends the key of a row by wire; no stage ends so
# What is tested apart, and what is left of its row then, in words.
PARTS = {
    "1": "emergency stop, each of its two contacts",
    "1c": "contacts of the emergency stop disagree",
    "1w": "controller off: emergency stop",
    "2w": "controller off: alarm of the fire panel",
    "3w": "controller off: suppression released",
    "6": "fire panel or suppression in trouble",
    "6b": "fire panel or suppression in trouble for 15 min",
    "8": "vapour of electrolyte at two detectors, or beside row 22 or 23",
    "8b": "vapour of electrolyte at one detector for 30 s",
    "12": "combustible gas at 25 % of the lower flammable limit, by the detectors",
    "12b": "25 % relay of the gas detection open",
    "12w": "controller off: 25 % relay of the gas detection",
    "30w": "controller off: over-voltage relay",
    "34": "cell voltages of a rack too far apart: warning, ramp",
    "34c": "cell voltages of a rack too far apart: trip",
    "36w": "controller off: over-current relay",
    "37": "insulation low: warning",
    "37b": "insulation low: trip",
    "38": "pre-charge failed three times",
    "38b": "rack and bus voltage differ",
    "40": "BMS silent: ramp, stop",
    "40a": "BMS silent: warning",
    "40d": "many bad frames of the BMS",
    "40e": "fault contact of the BMS open",
    "42": "leak, or loss of coolant flow or pressure",
    "42c": "humid air",
    "44": "unclean start, or a store that cannot be read",
    "44a": "limit image changed in memory",
    "44b": "late step",
    "44e": "self-test of program, memory, clock, relays",
    "44f": "processor too hot",
    "44w": "controller off: outputs expire",
    "45": "sensors of a module invalid, or at 0: ramp",
    "45b": "sensors of a module invalid: contactors open",
    "45d": "sensors of a module at 0: contactors open",
    "46": "path to the operations centre lost",
    "46c": "path to the operations centre not verified before the first start",
    "50": "meter silent",
    "50b": "meter frozen",
}


def row_of(key):
    """Row of the matrix that a key belongs to: 40 of "40e", 1 of "1w"."""
    return int(key.rstrip("abcdefghijklmnopqrstuvwxyz"))


def stages_of(key):
    """Stages of the matrix that a test of this key proves, a list; none of a row by wire, where the
    program is off.
    """
    return [stage for stage in matrix.STAGES if key_of(stage) == key]


def key_of(stage):
    """Key that a stage of the matrix is recorded under."""
    name = stage[matrix.S_ID]
    return name if name in INTERVALS else str(stage[matrix.S_ROW])


def what(key):
    """What the row of a key is, in words."""
    return PARTS.get(key, matrix.CLAUSES[row_of(key)][0])


def read(values):
    """{key: days or None} as the configuration has shortened them; values: of the configuration."""
    return {key: _days(key, values) for key in INTERVALS}


def _days(key, values):
    """A row that the configuration has shortened shortens with it what is tested apart."""
    own_d, row = values.get(SECTION, key), str(row_of(key))
    row_d = values.get(SECTION, row)
    if row_d == INTERVALS[row].interval_d:
        return own_d
    return row_d if own_d is None else min(own_d, row_d)
