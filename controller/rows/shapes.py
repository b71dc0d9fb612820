"""Shapes of the records of rows, stages and features, and texts that several rows share."""

from typing import NamedTuple

from controller.rows import facts

GAS_D, YEAR_D, LONG_D, ONCE = 180, 365, 730, None
# How a value is shown: with its unit, as yes or no, or as "> 0".
NUMBER, YES_NO, ABOVE_ZERO = range(3)
AT_ONCE = "at once"  # the time of the sensor counts as zero
# The stage's threshold is the silence, in ms or in s.
BY_LEVEL, BY_LEVEL_S = "by level", "by level, s"
WAITS = (AT_ONCE, BY_LEVEL, BY_LEVEL_S)
# Equipment that detects gas, in the order in which missing equipment is named.
GAS_KINDS = ("gas", "offgas", "toxic")


class Interval(NamedTuple):
    """interval_d: most days between two tests, or ONCE. confidence: code of facts.py."""

    interval_d: int | None
    basis: str
    confidence: str


class Wired(NamedTuple):
    """A row in hard wiring.

    inject: how to prove the wiring with the controller off. contact: equipment whose contact acts,
    "" for a contact that every site has. is_by_b: channel B acts too. instead: keys of [hma] that
    may replace the wiring.
    """

    inject: str
    proof: Interval
    proves: str
    contact: str = ""
    is_by_b: bool = True
    instead: tuple[str, ...] = ()


class Stage(NamedTuple):
    """The differences of a stage from its row.

    sentence, remedy: "" for those of the row. proof: interval of a test of this stage alone,
    `proves` names the test. by_bms: the function of an ordinary BMS that replaces the stage when
    the BMS does not report the feature; not_by_bms: why no BMS replaces it. is_added: the row
    does not ask for the stage. set_from: parameter of [cabinet] that is the threshold.
    """

    id: str
    sentence: str = ""
    remedy: str = ""
    proof: Interval | None = None
    proves: str = ""
    by_bms: str = ""
    not_by_bms: str = ""
    is_added: bool = False
    set_from: str = ""


class Row(NamedTuple):
    """The texts come from the table of the topic (`rows`): `what` is the row in a list, the others
    are those of its reason code. name: never changes. basis: keys of the fact table (facts.py).

    proof: interval of the row's test; `proves` names the test when the test covers a part of the
    row. stages: the stages that have a record of their own.
    """

    number: int
    proof: Interval
    proves: str = ""
    wired: Wired | None = None
    stages: tuple[Stage, ...] = ()
    basis: str = ""
    what: str = ""
    name: str = ""
    sentence: str = ""
    remedy: str = ""

    @property
    def confidence(self) -> str:
        """The weakest code among the facts of its basis."""
        return facts.weakest(self.basis)


def rows(texts: str, *records: Row) -> tuple[Row, ...]:
    """The records of rows with their texts.

    texts: a line "number basis | what | name | sentence | remedy" for each row, after it
    "stage | sentence | remedy" for each stage whose words differ. A remedy that several rows share
    is in the record.
    """
    found = {str(row.number): row for row in records}
    for key, *cells in facts.table(texts):
        number, _, basis = key.partition(" ")
        row = found[number.rstrip("abcdefg")]
        if basis:
            what, name, sentence, *remedy = cells
            row = row._replace(basis=basis, what=what, name=name, sentence=sentence)
            row = row._replace(remedy="".join(remedy) or row.remedy)
        else:
            stages = {stage.id: stage for stage in row.stages}
            stage, (sentence, *remedy) = stages.get(number, Stage(number)), cells
            stages[number] = stage._replace(
                sentence=sentence, remedy="".join(remedy) or stage.remedy
            )
            row = row._replace(stages=tuple([stages[each] for each in sorted(stages)]))
        found[str(row.number)] = row
    return tuple(found.values())


class Feature(NamedTuple):
    """The feature of a stage, or of its gate.

    words: the cause. inject: how to bring the cause about on site. equipment: all of it is needed;
    one_of: one of these is enough; votes: as many as the threshold. bms: the value that the BMS
    must report; compares: the parts of a rack that are compared. contacts, roles: inputs and
    devices that give the feature; sensor: key of time_chain.ASSUMED_MS; read: exchange of the
    device. values: names in the profile of a sensor. window_ms: how far the feature looks back.
    silence: one of WAITS or a parameter of [cabinet]; ladder: parameters of unit or rack, one for
    each level.
    """

    words: str
    inject: str
    shown: int = NUMBER
    equipment: tuple[str, ...] = ()
    one_of: tuple[str, ...] = ()
    votes: tuple[str, ...] = ()
    bms: str = ""
    compares: str = ""
    contacts: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    sensor: str = ""
    read: str = ""
    values: tuple[str, ...] = ()
    window_ms: int = 0
    once_a_second: bool = False
    silence: str = ""
    ladder: tuple[str, ...] = ()


class Equipment(NamedTuple):
    """Equipment that a site may lack: roles of its devices (the first is required), its "
    "contacts."""

    text: str
    roles: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()


CONTACT = Interval(
    YEAR_D,
    "contact input and its wire: a stuck contact does not show; with the yearly inspection",
    "D",
)
PANEL = Interval(
    YEAR_D,
    "contact of the fire panel: with its yearly inspection (NFPA 72, clause from memory)",
    "G",
)
GAS = Interval(GAS_D, "a detector that reads too low does not show: with its calibration", "D")
SENSOR = Interval(LONG_D, "one device in the chain; no other device is compared with it", "D")
BMS = Interval(LONG_D, "reported by the BMS: with the maker's test tool", "D")
COMPUTED = Interval(
    ONCE, "computed from values that other rows prove; the program tests itself (row 44)", "D"
)
SILENCE = Interval(ONCE, "every failure of this path is the silence on which the row acts", "D")
SELF_TEST = Interval(
    YEAR_D, "self-test of the controller: on the rig, for the example cabinet", "D"
)

CHECK_RTU = "Check its supply, its address and its RS-485 pair."
FIRE = "Leave the cabinet closed. Call the fire service; reset with the key."
OPEN_WIRE = "open its wire at the terminal of the I/O module"
TEST_GAS = "calibration gas at the sensor through its cup; note the concentration"
BMS_TOOL = (
    "let the maker's BMS test tool report the cause, one rack after the other; without a tool, the "
    "record says not tested"
)
# No rig takes a site's file: the rig proves the program, on the cabinet of sites/example.
_RIG = "the rig proves it for the example cabinet alone (`python -m hil rows --only {stage}`)"
_UNTESTED = "note it here as not tested"
ON_RIG = f"not on this cabinet: {_RIG}; {_UNTESTED}"
MAKERS_TOOL = f"by the maker's test tool; without a tool, {_UNTESTED}: {_RIG}"
# A BMS protects its cells at voltages, temperatures and currents (A4). The BMS uses limits of its
# own, not those of the matrix, and acts on no fan, alarm or fire panel. Its fault contact stops the
# cabinet (row 40), so a site without BMS values must have that contact. A BMS compares no cells or
# modules and follows no rise: for those stages the site file names a person who accepts the gap.
# Every BMS reports its current (rows 35, 36).
_LIMITS = (
    "the BMS lowers its reported current limits, then opens the rack, both at values of its maker"
)
HOT = f"over-temperature protection of the BMS: {_LIMITS}"
COLD = f"under-temperature protection of the BMS: {_LIMITS}"
FULL = f"over-voltage protection of the BMS: {_LIMITS}"
EMPTY = f"under-voltage protection of the BMS: {_LIMITS}"


# Features that differ in few fields
OF_BMS = Feature("", BMS_TOOL, roles=("bms",), sensor="BMS")
TEMPERATURE = OF_BMS._replace(bms="bms_temperatures", sensor="cell temperature")
OF_PCS = Feature("", ON_RIG, roles=("pcs",), sensor="PCS", read="read ac")


def contact(equipment: str, words: str, inject: str) -> Feature:
    """The feature of one contact, which has the name of its equipment, with or without _ok."""
    name = equipment.removesuffix("_ok") + "_ok"
    return Feature(words, inject, equipment=(equipment,), contacts=(name,))
