"""Cell chemistry: thermal runaway, vent gas, voltage of the independent supervision. Thermal
numbers are those of a 100 Ah LFP cell of 2.2 kJ/K (facts E9), calibrated against a real unit test
(E11). The capacity divides every resistance and multiplies every energy, so the chain burns at the
same pace.
"""

import collections

REFERENCE_J_PER_K = 2211.0  # 2.245 kg at 985 J/kgK (E9)
BARRIER_W_PER_M_K = 0.05  # of a fibre or aerogel sheet
FACE_M2 = 0.036  # of a 280 to 300 Ah cell (E10: 175 mm x 207 mm)
# One kind of cell; thermal values for a heat capacity of REFERENCE_J_PER_K.
Chemistry = collections.namedtuple(
    "Chemistry",
    (
        "release_J",  # thermal runaway heats the cell by this
        "release_s",  # time constant of the release
        "jet_share",  # of that again leaves with the hot gas
        "cell_K_per_W",  # from cell to cell, no barrier between
        "air_K_per_W",  # from a cell to the air once its module burns
        "trigger_degC",
        "vent_degC",  # the vent opens (E16), minutes before runaway
        "gas_m3_per_Ah",
        "lfl_share",  # of volume: the lower flammable limit of the vent gas (C49)
        "hydrogen_share",  # of the vent gas (C44)
        "carbon_monoxide_share",
        "supervision_V",  # independent over-voltage supervision opens here (matrix row 30)
    ),
)
# LFP: middle of the ranges of the calibration check below Table E (0.75 to 0.9 MJ, 60 s, 8 K/W, 150
# to 170 degC, 0.44 to 0.62 K/W); 0.6 L/Ah from the gas note there (42 L/kg, C45, of 5.7 kg and 300
# Ah would be 0.8 L/Ah). NMC: 684 K of adiabatic rise (E2) and the heat of burning gas reach 1052
# degC (E6): 1000 K are 2.2 MJ. 15 s so that the mean ramp is 10 K/s (C30); 0.12 K/W puts the gaps
# of a tight pack between 10 and 60 s (E15); trigger within E8. Gas: 780 L/kg (C45) of a cell of 15
# g/Ah.
CHEMISTRIES = {
    "lfp": Chemistry(0.80e6, 60.0, 0.1, 0.50, 8.0, 160.0, 125.0, 0.0006, 0.06, 0.38, 0.21, 3.80),
    "nmc": Chemistry(2.20e6, 15.0, 0.1, 0.12, 8.0, 150.0, 120.0, 0.0117, 0.08, 0.33, 0.26, 4.35),
}


def cell_resistance_K_per_W(
    chemistry: Chemistry, heat_capacity_J_per_K: float, barrier_mm: float
) -> float:
    """Thermal resistance from one cell of this heat capacity to the next, through the barrier."""
    scale = heat_capacity_J_per_K / REFERENCE_J_PER_K
    return chemistry.cell_K_per_W / scale + barrier_mm / 1000.0 / (BARRIER_W_PER_M_K * FACE_M2)
