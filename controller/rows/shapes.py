"""The shapes of what is known of a row beside its numbers, and words that several rows share."""

from typing import NamedTuple

GAS_D, YEAR_D, LONG_D, ONCE = 180, 365, 730, None
# How a value is shown: with its unit, as yes or no, or as "> 0".
NUMBER, YES_NO, ABOVE_ZERO = range(3)
AT_ONCE = "at once"  # its own time counts as nothing
# The stage's threshold is the silence, in ms or in s.
BY_LEVEL, BY_LEVEL_S = "by level", "by level, s"
WAITS = (AT_ONCE, BY_LEVEL, BY_LEVEL_S)
# equipment that detects gas, in the order of who is blamed first
GAS_KINDS = ("gas", "offgas", "toxic")


class Interval(NamedTuple):
    """interval_d: days at most between two tests, or ONCE. confidence: as of a Row."""

    interval_d: int | None
    basis: str
    confidence: str


class Wired(NamedTuple):
    """A row in hard wiring. inject: how to prove it with the controller off. contact: equipment
    whose contact it acts by, "" where that is always there. is_by_b: channel B acts on it, too.
    instead: keys of [hma] that may stand in its place.
    """

    inject: str
    proof: Interval
    proves: str
    contact: str = ""
    is_by_b: bool = True
    instead: tuple = ()


class Stage(NamedTuple):
    """What is known of one stage beyond its row. sentence, remedy: "" for those of the row.

    proof: where it is tested apart, `proves` in words. by_bms: which function of an ordinary BMS
    does its work where the BMS does not tell what it looks at; by_nobody: why none does. read_as:
    {column of section 7: how it was read where the stage is not letter for letter what its row
    says}. is_ours: the row it stands under does not ask for it. set_from: parameter of [cabinet]
    that is its threshold.
    """

    id: str
    sentence: str = ""
    remedy: str = ""
    proof: Interval | None = None
    proves: str = ""
    by_bms: str = ""
    by_nobody: str = ""
    read_as: dict = {}
    is_ours: bool = False
    set_from: str = ""


class Row(NamedTuple):
    """basis: keys of the fact table (facts.py); confidence: its weakest code.

    name, sentence, remedy: of its reason code, kept for ever. proof: of one test, `proves` in words
    where that is not all of the row. stages: those with more to say.
    """

    number: int
    what: str
    basis: str
    confidence: str
    name: str
    sentence: str
    remedy: str
    proof: Interval
    proves: str = ""
    wired: Wired | None = None
    stages: tuple = ()


class Feature(NamedTuple):
    """What a stage looks at, or its gate. words: the cause; inject: how to bring it about on site.

    equipment: all of it is needed; one_of: any; votes: as many as the threshold says. bms: what the
    rack's BMS has to tell; compares: of which parts of a rack. contacts, roles: inputs and devices
    it is read from; sensor: its time in time_chain.ASSUMED; read: exchange of the device. values:
    names in a sensor's profile. window_ms: it looks back so far. silence: how long it waits, as
    above or a parameter of [cabinet]; ladder: parameters of unit or rack, one for each level.
    """

    words: str
    inject: str
    shown: int = NUMBER
    equipment: tuple = ()
    one_of: tuple = ()
    votes: tuple = ()
    bms: str = ""
    compares: str = ""
    contacts: tuple = ()
    roles: tuple = ()
    sensor: str = ""
    read: str = ""
    values: tuple = ()
    window_ms: int = 0
    once_a_second: bool = False
    silence: str = ""
    ladder: tuple = ()


class Equipment(NamedTuple):
    """Equipment that a site may lack. roles of its devices (the first must be there, the others may
    be), names of inputs and outputs.
    """

    text: str
    roles: tuple = ()
    inputs: tuple = ()
    outputs: tuple = ()


CONTACT = Interval(
    YEAR_D,
    "contact input and its wire: a stuck one is not noticed; with the yearly inspection",
    "D",
)
PANEL = Interval(
    YEAR_D,
    "contact of the fire panel: with its yearly inspection (NFPA 72, clause from memory)",
    "G",
)
GAS = Interval(GAS_D, "a detector that reads too low is not noticed: with its calibration", "D")
SENSOR = Interval(LONG_D, "one device in the chain that nothing compares", "D")
BMS = Interval(LONG_D, "reported by the BMS: with the maker's test tool", "D")
COMPUTED = Interval(
    ONCE, "computed from values that other rows prove, by a program that tests itself (row 44)", "D"
)
SILENCE = Interval(ONCE, "what fails in this path is itself the silence that the row acts on", "D")
SELF_TEST = Interval(
    YEAR_D, "self-test of the controller: on the rig, for the example cabinet", "D"
)

CHECK_RTU = "Check its supply, address and RS-485 pair."
FIRE = "Leave the cabinet closed. Call the fire service; reset with the key."
OPEN_WIRE = "open its wire at the terminal of the I/O module"
TEST_GAS = "calibration gas at the sensor through its cup; note the concentration"
BMS_TOOL = (
    "let the maker's BMS test tool report it, one rack after the other; without a tool, the "
    "record says not tested"
)
# No rig takes a site's file: what it proves is the program, on the cabinet of sites/example.
_COURSE = "the rig proves it for the example cabinet alone (`python -m hil rows --only {stage}`)"
_UNTESTED = "note it here as not tested"
ON_RIG = f"not on this cabinet: {_COURSE}; {_UNTESTED}"
MAKERS_TOOL = f"by the maker's test tool; without a tool, {_UNTESTED}: {_COURSE}"
# A BMS protects its cells at voltages, temperatures and currents (A4): by limits of its own, which
# are not those of the matrix, and without fan, alarms and fire panel; its fault contact stops the
# cabinet (row 40), which is why such a site must have it. What compares cells or modules, or
# follows a rise, is no such protection: a site says who accepted that nobody does it. Every BMS
# tells its current (rows 35, 36).
_LIMITS = (
    "it lowers the current limits that it tells and then opens the rack, at values of its maker"
)
HOT = f"over-temperature protection of the BMS: {_LIMITS}"
COLD = f"under-temperature protection of the BMS: {_LIMITS}"
FULL = f"over-voltage protection of the BMS: {_LIMITS}"
EMPTY = f"under-voltage protection of the BMS: {_LIMITS}"
