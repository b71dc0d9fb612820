"""Points of the inverter's SunSpec models, as they are after its start.

Names: sunspec/models (pysunspec2's copy).
"""

from typing import Any

MODE_PERCENT, MODE_WATTS = 0, 1
STOP, START, ENTER_STANDBY, EXIT_STANDBY = range(4)  # 715 OpCtl
HOLDING = 6  # 802 ChaSt
LITHIUM_ION = 4
CELLS_AH, RACK_kWh = 280, 215  # of a rack of 240 cells

RATES = ("WMax", "VAMax", "WChaRteMax", "WDisChaRteMax")
RATED = (*RATES, *(f"{name}Rtg" for name in RATES))
RATINGS = {"VNomRtg": 400, "VNom": 400, "V_SF": 0, "PF_SF": -3, "A_SF": 0, "S_SF": 0}
MEASURED = {
    **{"ACType": 2, "TotWhInj": 0, "TotWhAbs": 0, "Var": 0, "PF": 1000},
    **{"A_SF": -1, "V_SF": -1, "Hz_SF": -3, "PF_SF": -3, "Tmp_SF": -1},
    **{"TotWh_SF": 0, "TotVarh_SF": 0},
}
CONTROL = {
    **{"WSetEna": 0, "WSetMod": MODE_WATTS, "WSet": 0, "WSetRvrt": 0, "WSetPct": 0},
    **{"WSetPctRvrt": 0, "WSetEnaRvrt": 0, "WSetRvrtTms": 0, "WSetRvrtRem": 0},
    **{"WRmp": 100, "AntiIslEna": 1, "WSet_SF": 0, "WSetPct_SF": -1},
}
BATTERY = {
    **{"Typ": LITHIUM_ION, "LocRemCtl": 0, "AlmRst": 0, "State": 1, "ChaSt": HOLDING},
    **{"SetOp": 1, "SetInvState": 1, "Evt1": 0, "Evt2": 0, "EvtVnd1": 0, "EvtVnd2": 0},
    **{"AHRtg_SF": 0, "WHRtg_SF": 3, "SoC_SF": -2, "SoH_SF": -2, "V_SF": -1, "CellV_SF": -3},
    **{"A_SF": -1, "AMax_SF": -1},
}
REMOTE = {"LocRemCtl": 0, "DERHb": 0, "ControllerHb": 0, "AlarmReset": 0, "OpCtl": STOP}


def power_scale(rated_W: float) -> int:
    """Smallest power scale factor (a power of ten) for 1.3 times the rating in 16 signed bits."""
    return next(scale for scale in range(10) if 1.3 * rated_W / 10**scale <= 32767)


def models(rated_W: float, racks: int) -> list[tuple[int, dict[str, Any]]]:
    """[(model, {point: value})] of an inverter with so many racks."""
    scale = power_scale(rated_W)
    rating = round(rated_W / 10**scale)
    power_SF = dict.fromkeys(("W_SF", "VA_SF", "Var_SF"), scale)
    battery = {
        **BATTERY,
        **dict.fromkeys(("WChaRteMax", "WDisChaRteMax"), rating),
        **dict.fromkeys(("WChaDisChaMax_SF", "W_SF"), scale),
        "AHRtg": CELLS_AH * racks,
        "WHRtg": RACK_kWh * racks,
    }
    return [
        (1, {"Mn": "Firebreak rig", "Md": "PCS 7xx", "Vr": "1", "SN": "PCS-1", "DA": 1}),
        (701, MEASURED | power_SF),
        (702, RATINGS | dict.fromkeys(RATED, rating) | power_SF),
        (704, CONTROL),
        (715, REMOTE),
        (802, battery),
    ]
