"""Cell chemistry: thermal runaway, vent gas, voltage of the independent supervision.

The thermal numbers belong to a 100 Ah LFP cell of 2.2 kJ/K (E9). They were calibrated against a
test of a real unit (E11). Keys such as E9 are those of `firebreak document facts`. For another
capacity every resistance is divided and every energy multiplied by the ratio, so the fire spreads
at the same pace.
"""

from typing import NamedTuple

REFERENCE_J_PER_K = 2211.0  # 2.245 kg at 985 J/kgK (E9)
BARRIER_W_PER_M_K = 0.05  # fibre or aerogel sheet
FACE_M2 = 0.036  # face of a 280 to 300 Ah cell (E10: 175 mm x 207 mm)


class Chemistry(NamedTuple):
    """One kind of cell. Its thermal values are for a heat capacity of REFERENCE_J_PER_K."""

    release_J: float  # heat that thermal runaway gives to the cell
    release_s: float  # time constant of the release
    jet_share: float  # a further share of release_J that leaves with the hot gas
    cell_K_per_W: float  # from cell to cell, without a barrier between them
    air_K_per_W: float  # from a cell to the air, once its module burns
    trigger_degC: float
    vent_degC: float  # the vent opens, minutes before runaway (E16)
    gas_m3_per_Ah: float
    lfl_share: float  # lower flammable limit of the vent gas, share of the volume (C49)
    hydrogen_share: float  # share of the vent gas (C44)
    carbon_monoxide_share: float
    supervision_V: float  # the independent over-voltage supervision opens here (matrix row 30)


# LFP: the middle of each range in the calibration check below Table E (0.75 to 0.9 MJ, 60 s, 8 K/W,
# 150 to 170 degC, 0.44 to 0.62 K/W). Gas: 0.6 L/Ah from the gas note there; 42 L/kg (C45), 5.7 kg
# and 300 Ah would give 0.8 L/Ah.
# NMC: 684 K of adiabatic rise (E2) and the heat of burning gas reach 1052 degC (E6), so 1000 K or
# 2.2 MJ. With 15 s the mean ramp is 10 K/s (C30). With 0.12 K/W the cells of a tight pack follow
# each other after 10 to 60 s (E15). The trigger is within E8. Gas: 780 L/kg (C45) at 15 g/Ah.
CHEMISTRIES = {
    "lfp": Chemistry(
        release_J=0.80e6,
        release_s=60.0,
        jet_share=0.1,
        cell_K_per_W=0.50,
        air_K_per_W=8.0,
        trigger_degC=160.0,
        vent_degC=125.0,
        gas_m3_per_Ah=0.0006,
        lfl_share=0.06,
        hydrogen_share=0.38,
        carbon_monoxide_share=0.21,
        supervision_V=3.80,
    ),
    "nmc": Chemistry(
        release_J=2.20e6,
        release_s=15.0,
        jet_share=0.1,
        cell_K_per_W=0.12,
        air_K_per_W=8.0,
        trigger_degC=150.0,
        vent_degC=120.0,
        gas_m3_per_Ah=0.0117,
        lfl_share=0.08,
        hydrogen_share=0.33,
        carbon_monoxide_share=0.26,
        supervision_V=4.35,
    ),
}


def cell_resistance_K_per_W(
    chemistry: Chemistry, heat_capacity_J_per_K: float, barrier_mm: float
) -> float:
    """Thermal resistance between two neighbouring cells of this heat capacity, with the barrier."""
    scale = heat_capacity_J_per_K / REFERENCE_J_PER_K
    return chemistry.cell_K_per_W / scale + barrier_mm / 1000.0 / (BARRIER_W_PER_M_K * FACE_M2)
