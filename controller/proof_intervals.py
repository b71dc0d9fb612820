"""How often each row has to be proven by a test on site: days at most, why, and how sure that is.

The clauses that the fact table confirms ask for a record of tests (A71, A73, A75, A78), not for these intervals: they
are proposals of ours unless the confidence says otherwise, and a site may only shorten them. Detectors follow their
calibration twice a year, contacts and relays the yearly inspection of the fire panel. Rows with ONCE are proven at
commissioning only.
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


_CONTACT = Interval(YEAR_D, "contact input and its wire: a stuck one is not noticed; with the yearly inspection", "D")
_PANEL = Interval(YEAR_D, "contact of the fire panel: with its yearly inspection (NFPA 72, clause from memory)", "G")
_GAS = Interval(GAS_D, "a detector that reads too low is not noticed: with its calibration", "D")
_SENSOR = Interval(LONG_D, "one device in the chain that nothing compares", "D")
_BMS = Interval(LONG_D, "reported by the BMS: with the maker's test tool", "D")
_COMPUTED = Interval(ONCE, "computed from values that other rows prove, by a program that tests itself (row 44)", "D")
_SILENCE = Interval(ONCE, "what fails in this path is itself the silence that the row acts on", "D")

# Key: a row of the matrix, or one of its stages that is tested apart.
INTERVALS = {
    "1": _CONTACT, "2": _PANEL, "3": _PANEL, "4": _PANEL, "5": _PANEL, "6": _PANEL,
    "7": _GAS, "8": _GAS, "9": _GAS, "10": _GAS, "11": _GAS,
    "12": Interval(GAS_D, "detectors with their calibration; the relay's contact and hard wiring on the way", "D"),
    "13": Interval(LONG_D, "fault contact of each detector; its calibration date is watched by 13c itself", "D"),
    "14": Interval(ONCE, "the inputs of row 13, all of them", "D"),
    "15": _CONTACT, "16": _CONTACT,
    "17": Interval(LONG_D, "fault contact of the cooling, air sensor; cell temperatures stand behind it", "D"),
    "18": _BMS, "19": _BMS, "20": _BMS, "21": _BMS, "22": _COMPUTED, "23": _COMPUTED, "24": _COMPUTED, "25": _BMS,
    "26": _COMPUTED, "27": _BMS, "28": _BMS, "29": _BMS,
    "30": Interval(YEAR_D, "independent relay and its wire: nothing else shows that it would open", "D"),
    "31": _BMS, "32": _BMS, "33": _BMS, "34": _COMPUTED, "35": _BMS, "36": _BMS,
    "37": Interval(LONG_D, "insulation monitor: with a test resistor", "D"),
    "38": Interval(LONG_D, "pre-charge: every start runs it, none fails it", "D"),
    "39": Interval(LONG_D, "feedback contacts: every start and stop moves them, none sticks them", "D"),
    "40": _SILENCE, "40e": _CONTACT, "41": _SILENCE, "42": _CONTACT, "43": _SENSOR,
    "44": Interval(YEAR_D, "permit relays and the expiry of outputs: only a controller that is off shows them", "D"),
    "45": _BMS,
    "46": Interval(YEAR_D, "path to the operations centre: with the yearly test of the panel's transmitter", "G"),
    "47": _CONTACT, "48": _CONTACT, "49": _SILENCE, "50": _SILENCE,
    "51": Interval(YEAR_D, "permit relay of the second channel: only a channel that is off shows it", "D"),
    "52": _SILENCE, "53": _COMPUTED,
}


def row_of(key):
    """Row of the matrix that a key belongs to: 40 of "40e"."""
    return int(key.rstrip("abcdefghijklmnopqrstuvwxyz"))


def stages_of(key):
    """Stages of the matrix that a test of this key proves, a list."""
    return [stage for stage in matrix.STAGES if key_of(stage) == key]


def key_of(stage):
    """Key that a stage of the matrix is recorded under."""
    name = stage[matrix.S_ID]
    return name if name in INTERVALS else str(stage[matrix.S_ROW])


def what(key):
    """What the row of a key is, in words."""
    return "fault contact of the BMS open" if key == "40e" else matrix.CLAUSES[row_of(key)][0]


def read(values):
    """{key: days or None} as the configuration has shortened them; values: of the configuration."""
    return {key: values.get(SECTION, key) for key in INTERVALS}
