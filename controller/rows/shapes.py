"""Shapes of the records that records.py makes, and texts that several rows share."""

from typing import Any, NamedTuple

from controller.rows import facts

LONG_D = 730  # days: the longest interval of a proof test
# Ways to show a value: with its unit, as yes or no, or as "> 0".
NUMBER, YES_NO, ABOVE_ZERO = "number", "yes_no", "above_zero"
AT_ONCE = "at once"  # the time of the sensor counts as zero
# The stage's threshold is the silence, in ms or in s.
BY_LEVEL, BY_LEVEL_S = "by level", "by level, s"
WAITS = (AT_ONCE, BY_LEVEL, BY_LEVEL_S)
# Equipment that detects gas, in the order in which missing equipment is named.
GAS_KINDS = ("gas", "offgas", "toxic")
MatrixStage = tuple[Any, ...]  # a stage of safety.matrix.STAGES; Stage has the words to it


class Wired(NamedTuple):
    """A row that is also hard-wired, so that it acts without the program."""

    inject: str  # how to prove the wiring with the controller off
    contact: str = ""  # equipment whose contact acts; "": every site has the contact
    only_by_a: bool = False  # channel B does not act
    instead: tuple[str, ...] = ()  # keys of [hma] that may replace the wiring


class Stage(NamedTuple):
    """The differences of a stage from its row."""

    id: str
    sentence: str = ""
    remedy: str = ""
    # function of an ordinary BMS that replaces the stage if the BMS does not report the feature
    by_bms: str = ""
    not_by_bms: str = ""  # why no function of a BMS replaces the stage
    is_added: bool = False  # the row does not ask for the stage
    set_from: str = ""  # parameter of [cabinet] that sets the threshold


class Row(NamedTuple):
    """A row. what: its text in a list; the other texts are those of its reason code. name: never
    changes. basis: keys of the fact table (facts.py). stages: the stages that differ from the row.
    """

    number: int
    basis: str
    what: str
    name: str
    sentence: str
    remedy: str
    stages: tuple[Stage, ...] = ()

    @property
    def confidence(self) -> str:
        """The weakest confidence among the facts of the row's basis."""
        return facts.weakest(self.basis)


class Feature(NamedTuple):
    """The feature of a stage, or of its gate."""

    words: str  # the cause
    inject: str  # how to bring the cause about on site
    shown: str = NUMBER
    equipment: tuple[str, ...] = ()  # all of it is needed
    one_of: tuple[str, ...] = ()  # one of these is enough
    votes: tuple[str, ...] = ()  # the threshold says how many of these are needed
    bms: str = ""  # value that the BMS must report
    compares: str = ""  # parts of a rack that are compared with each other
    contacts: tuple[str, ...] = ()  # inputs that give the feature
    roles: tuple[str, ...] = ()  # devices that give the feature
    sensor: str = ""  # key of time_chain.ASSUMED_MS
    read: str = ""  # exchange of the device
    values: tuple[str, ...] = ()  # names in the profile of a sensor
    window_ms: int = 0  # how far the feature looks back
    once_a_second: bool = False
    silence: str = ""  # one of WAITS, or a parameter of [cabinet]
    ladder: tuple[str, ...] = ()  # parameters of unit or rack, one for each level


class Equipment(NamedTuple):
    """Equipment that a site may lack: its contacts, and roles of its devices (the first is
    required).
    """

    text: str
    roles: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()


CHECK_RTU = "Check its supply, its address and its RS-485 pair."
FIRE = "Leave the cabinet closed. Call the fire service; reset with the key."
OPEN_WIRE = "open its wire at the terminal of the I/O module"
TEST_GAS = "calibration gas at the sensor through its cup; note the concentration"
# The rig does not take the file of a site. It proves the program on the cabinet of sites/example.
_RIG = "the rig proves it for the example cabinet alone (`python -m hil rows --only {stage}`)"
_UNTESTED = "note it here as not tested"
ON_RIG = f"not on this cabinet: {_RIG}; {_UNTESTED}"
MAKERS_TOOL = f"by the maker's test tool; without a tool, {_UNTESTED}: {_RIG}"
# A BMS protects its cells at voltages, temperatures and currents (A4). The BMS uses its own limits,
# not the limits of the matrix, and acts on no fan, alarm or fire panel. Its fault contact stops the
# cabinet (row 40), so a site without BMS values must have that contact. A BMS compares no cells or
# modules and follows no rise. For the stages that do, the site file names a person who accepts the
# gap. Every BMS reports its current (rows 35, 36).
_LIMITS = (
    "the BMS lowers its reported current limits, then opens the rack, both at values of its maker"
)
HOT = f"over-temperature protection of the BMS: {_LIMITS}"
COLD = f"under-temperature protection of the BMS: {_LIMITS}"
FULL = f"over-voltage protection of the BMS: {_LIMITS}"
EMPTY = f"under-voltage protection of the BMS: {_LIMITS}"
# Facts that many features share (`like BMS`).
MODELS = f"""
BMS | | let the maker's BMS test tool report the cause, one rack after the other; without a tool,
  the record says not tested | roles bms; sensor BMS
TEMPERATURE | | | like BMS; bms bms_temperatures; sensor cell temperature
PCS | | {ON_RIG} | roles pcs; sensor PCS; read read ac
"""
