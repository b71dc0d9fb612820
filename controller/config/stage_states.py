"""Finds for each stage of the cause-and-effect matrix whether it is armed on a site, or why not.
Each unit or rack has its own instance of a stage.

An instance is armed unless one of its signals is missing. If a BMS does not report the signal, the
own protection of the BMS replaces the stage (by_bms of its record), or a person has accepted the
loss. If equipment is not fitted, a person has accepted this.
"""

from collections.abc import Iterable

from controller.config import can_profile, converters
from controller.config.devices import NotFitted, Topology
from controller.rows import records
from controller.rows.shapes import Feature, MatrixStage
from safety import matrix, signals

ARMED, BY_BMS, NOT_FITTED, BY_PANEL, NOT_ASKED, NOT_REPORTED = range(6)
ARMED_STATES = (ARMED, BY_PANEL)
TO_ACCEPT = (NOT_FITTED, NOT_REPORTED)  # states that a person must accept by name
SECOND_CHANNEL = "second_channel"  # name of channel B; without it, rows must be hard-wired
# {stage: equipment of a converter (converters.py)}. The stage is not armed if the converter has
# none of this equipment.
OF_PCS = {"59c": ("pcs_faults",), "59d": ("pcs_faults", "pcs_state"), "59e": ("pcs_state",)}
# {parameter of a rack: the equipment that counts as missing if its BMS does not report the values}
LACKING = {
    "cells_reported": "bms_cells",
    "temperatures_reported": "bms_temperatures",
    "insulation_reported": "insulation",
    "sensors_reported": "bms_sensors",
}
Reported = dict[str, bool]  # {parameter of LACKING: True if the BMS reports the values}
State = tuple[int, str]  # one of the states above, and the equipment that is missing, or ""


def rack_facts(topology: Topology) -> list[Reported]:
    """[{parameter of LACKING: True if the BMS reports the values}], with an entry for each rack."""
    return [_facts_of(topology, rack) for rack in range(topology.racks)]


def _facts_of(topology: Topology, rack: int) -> Reported:
    profile = topology.required("bms", rack).profile
    return {fact: can_profile.reports(profile, fact) for fact in LACKING}


def stage_state(stage: MatrixStage, topology: Topology, rack: int = -1) -> State:
    """(state of a stage, the equipment that the stage lacks or ""). rack: number of the rack, or of
    the unit if it is a stage of units. cross_checks.py refuses a state of TO_ACCEPT that no person
    has accepted.
    """
    if stage[matrix.S_SCOPE] == signals.RACK:
        return _rack_state(stage, _facts_of(topology, rack), topology.not_fitted)
    if stage[matrix.S_SCOPE] == signals.UNIT:
        return _unit_state(stage, topology, rack)
    if "noc" in records.feature(stage).equipment:
        return _noc_state(stage, topology)
    if stage[matrix.S_FEATURE] == matrix.F_PEER_CODE:
        return (ARMED, "") if topology.second_channel else (NOT_FITTED, SECOND_CHANNEL)
    for feature in records.features(stage):
        absent = _absent(feature, stage, topology.not_fitted)
        if absent:
            return NOT_FITTED, absent
        if feature.bms and not any(_reports(facts, feature.bms) for facts in rack_facts(topology)):
            return NOT_REPORTED, feature.bms
    return ARMED, ""


def _unit_state(stage: MatrixStage, topology: Topology, unit: int) -> State:
    """State of a stage of row 59. Stage 59d needs either the fault bits or the state of the
    converter, because it also reports a state without a name.
    """
    lacks = converters.lacks(topology.required("pcs", max(0, unit)).profile)
    needs = OF_PCS.get(stage[matrix.S_ID], ())
    return (NOT_REPORTED, needs[0]) if needs and {*needs} <= {*lacks} else (ARMED, "")


def _rack_state(stage: MatrixStage, facts: Reported, not_fitted: NotFitted) -> State:
    lacks = _unreported(stage, facts, not_fitted)
    if not lacks:
        return ARMED, ""
    if lacks == "insulation":
        return NOT_FITTED, lacks
    return (BY_BMS, "") if records.STAGES[stage[matrix.S_ID]].by_bms else (NOT_REPORTED, lacks)


def _unreported(stage: MatrixStage, facts: Reported, not_fitted: NotFitted) -> str:
    """Name of a value that this stage needs and the rack's BMS does not report, or ""."""
    # This stage needs two signs of a thermal runaway. Vapour and toxic gas are one sign each. Cell
    # voltages give two signs, and so do module temperatures.
    if stage[matrix.S_FEATURE] == matrix.F_RUNAWAY_SUSPICION_PCT:
        signs = ("offgas" not in not_fitted) + ("toxic" not in not_fitted)
        signs += 2 * facts["cells_reported"] + 2 * facts["temperatures_reported"]
        return "" if signs > 1 else "bms_temperatures"
    lacks = records.feature(stage).bms
    return "" if not lacks or _reports(facts, lacks) else lacks


def _reports(facts: Reported, lacking: str) -> bool:
    return any(facts[fact] for fact, name in LACKING.items() if name == lacking)


def _noc_state(stage: MatrixStage, topology: Topology) -> State:
    """State of a stage of row 46 (lost supervision). A supervised contact of the fire panel is
    enough for this row. The row reduces power only if hma.noc_derate is set.
    """
    if "supervised" in topology.not_fitted and "noc" in topology.not_fitted:
        return NOT_FITTED, "noc"
    if stage[matrix.S_DEMAND][matrix.D_CHARGE_DERATE_PCT] and not topology.hma["noc_derate"]:
        return NOT_ASKED, ""
    return (ARMED if "supervised" in topology.not_fitted else BY_PANEL), ""


def _absent(feature: Feature, stage: MatrixStage, not_fitted: NotFitted) -> str:
    """Name of the equipment that is missing for this feature of a stage, or ""."""
    if feature.votes:
        missing = next((name for name in feature.votes if not_fitted.get(name) == ""), "")
        if missing:  # other detectors may be enough, but no person has accepted that one is missing
            return missing
        if smoke_zones(not_fitted) + ("heat" not in not_fitted) >= stage[matrix.S_SET]:
            return ""
        return next(name for name in feature.votes if name in not_fitted)
    if feature.one_of and all(name in not_fitted for name in feature.one_of):
        return feature.one_of[0]
    return next((name for name in feature.equipment if name in not_fitted), "")


def smoke_zones(not_fitted: NotFitted) -> int:
    """Number of smoke zones."""
    return 0 if "smoke" in not_fitted else 1 if "smoke_2" in not_fitted else 2


def accepted(topology: Topology, name: str) -> str:
    """The acceptance that this equipment (or channel B) is not fitted, or ""."""
    if name == SECOND_CHANNEL:
        return topology.hma["hard_wired_accepted"] or ""
    return topology.not_fitted.get(name, "")


def instances(topology: Topology) -> list[tuple[MatrixStage, int]]:
    """(stage, unit or rack or -1) of every instance, in the order of the image's armed words."""
    places: dict[int, Iterable[int]] = {
        signals.CABINET: (-1,),
        signals.UNIT: range(topology.units),
        signals.RACK: range(topology.racks),
    }
    return [
        (stage, index)
        for scope, indexes in places.items()
        for index in indexes
        for stage in matrix.STAGES
        if stage[matrix.S_SCOPE] == scope
    ]


def rows_in(topology: Topology, states: tuple[int, ...]) -> list[int]:
    """Rows with at least one stage instance in one of these states, sorted."""
    return sorted({stage[matrix.S_ROW] for stage in stages_in(topology, states)})


def stages_in(topology: Topology, states: tuple[int, ...]) -> list[MatrixStage]:
    """The stage of each instance in one of these states, in the order of `instances`."""
    all_instances = instances(topology)
    return [
        stage for stage, index in all_instances if stage_state(stage, topology, index)[0] in states
    ]


def rows_armed(topology: Topology) -> list[int]:
    """Rows with at least one armed stage instance, sorted."""
    return rows_in(topology, ARMED_STATES)


def rows_not_fitted(topology: Topology) -> list[int]:
    """Rows with a stage that is not fitted, as the matrix of a site lists them, sorted."""
    return rows_in(topology, (NOT_FITTED,))
