"""Judges how dangerous a stage of the cause-and-effect matrix is to people, by its demands.

Every list of alarms has this order, with the most dangerous stage first.
"""

from controller.rows.shapes import MatrixStage
from safety import matrix as m
from safety.signals import CABINET

WARNING, LIMITED, STOPPED, SIGN, KEEP_AWAY = range(5)
NAMES = ("warning", "limited", "stopped", "sign of fire or gas", "keep away")
# The first action of a person near the cabinet, in the order of the levels; "": the remedy of the
# row is enough.
FIRST = (
    "",
    "",
    "",
    "DO NOT OPEN. WATCH GAS AND TEMPERATURES FROM AFAR.",
    "KEEP AWAY. DO NOT OPEN. CALL THE FIRE SERVICE.",
)
_SIGNS = dict(m.ALERTS)
_SIGN_GATES = (m.F_GAS_OR_SMOKE_ALERT, m.F_GAS_ALERT, m.F_HEATING_ALERT)
_SIGN_ROWS = {row for gate in _SIGN_GATES for row in _SIGNS[gate]}


def level(stage: MatrixStage) -> int:
    """The level of a stage, WARNING .. KEEP_AWAY. A stage is a sign of fire or gas in three cases:
    the matrix counts its row as gas, smoke or heating alert; such an alert gates the stage; or the
    stage pre-alarms the fire panel.
    """
    demand = stage[m.S_DEMAND]
    is_gated = stage[m.S_SCOPE] == CABINET and stage[m.S_GATE] in _SIGN_GATES
    if stage[m.S_ROW] in _SIGN_ROWS or is_gated or demand[m.D_PRE_ALARM]:
        return KEEP_AWAY if demand[m.D_DC] >= m.DC_OPEN else SIGN
    if demand[m.D_PCS] >= m.PCS_STOP or demand[m.D_DC] >= m.DC_OPEN_AT_ZERO:
        return STOPPED
    limits = (m.D_PCS, m.D_DC, m.D_CHARGE_INHIBIT, m.D_DISCHARGE_INHIBIT, m.D_CHARGE_DERATE_PCT)
    return LIMITED if any(demand[limit] for limit in limits) else WARNING


def order(stage: MatrixStage) -> tuple[int, ...]:
    """Sort key of a stage: the most dangerous stage first, equally dangerous stages by
    their row.
    """
    demand = stage[m.S_DEMAND]
    strength = (level(stage), demand[m.D_DC] >= m.DC_OPEN, demand[m.D_RED_LAMP], demand[m.D_FACU])
    further = demand[m.D_PCS], demand[m.D_DC], demand[m.D_HORN], stage[m.S_LATCH]
    return (*[-degree for degree in (*strength, *further)], stage[m.S_ROW])
