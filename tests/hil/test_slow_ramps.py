"""Row 54 and cells whose voltage hardly moves while a current falls slowly.

The polarisation of before still grows then and hides the ohmic drop. The cells have the constants
of the plant.
"""

import math
import random
from array import array
from types import SimpleNamespace

import pytest

from hil.plant import cells
from safety import parameters as p
from safety.still import CELLS_MOVED_PERMILLE, STILL_WORDS, Still

COURSES, COURSE_S, TICK_MS, SEED = 40, 600, 100, 7
CAPACITY_AH, RATED_A = 280.0, 140.0
TRIPS_MS = next(row[4] for row in p.CABINET_PARAMETERS if row[0] == "bms_still_ms")


def ramps_A(rng):
    """A current in each tick: ramps of 5 to 120 s between drawn powers, some without change."""
    from_A, ticks = rng.uniform(-1, 1) * RATED_A, COURSE_S * 1000 // TICK_MS
    found = []
    while len(found) < ticks:
        to_A = rng.uniform(-1, 1) * RATED_A if rng.random() < 0.7 else from_A
        steps = round(rng.uniform(5, 120) * 1000 / TICK_MS)
        found += [from_A + (to_A - from_A) * at / steps for at in range(steps)]
        from_A = to_A
    return found[:ticks]


def voltages_mV(rng, currents_A):
    """(lowest, highest) cell voltage in each tick."""
    dt_s, soc = TICK_MS / 1000, rng.uniform(0.2, 0.9)
    kept = math.exp(-dt_s / cells.POLARISATION_S)
    slow_V = currents_A[0] * cells.POLARISATION_OHM_280AH * rng.random()
    pair = [
        (1 + rng.gauss(0, cells.RESISTANCE_SIGMA), rng.gauss(0, cells.OFFSET_SIGMA_V))
        for _ in range(2)
    ]
    for current_A in currents_A:
        soc -= current_A * dt_s / (CAPACITY_AH * 3600)
        slow_V = slow_V * kept + current_A * cells.POLARISATION_OHM_280AH * (1 - kept)
        drop_V = current_A * cells.OHMIC_OHM_280AH + slow_V
        emf_V = cells.OCV_V.at(soc)
        yield [round(1000 * (emf_V + offset - factor * drop_V)) for factor, offset in pair]


def longest_ms(rng, permille):
    """The time for which the cells of one course looked frozen."""
    kernel = SimpleNamespace(inp=array("i", [0, 0]), fresh=bytearray([1]), tick_ms=TICK_MS)
    still = Still(kernel, array("i", [0] * STILL_WORDS), 0, 0, 0, 1)
    currents_A, moved_dA, longest = ramps_A(rng), round(RATED_A * 10) * permille // 1000, 0
    for current_A, pair in zip(currents_A, voltages_mV(rng, currents_A)):
        kernel.inp[0], kernel.inp[1] = pair
        still.begin(1)
        longest = max(longest, still.count(1, round(current_A * 10), moved_dA, 0))
    return longest


@pytest.mark.parametrize("permille, trips", [(50, True), (CELLS_MOVED_PERMILLE, False)])
def test_no_slow_ramp_of_a_current_makes_sound_cells_look_frozen(permille, trips):
    rng = random.Random(SEED)
    found = [longest_ms(rng, permille) for _ in range(COURSES)]
    print(f"seed {SEED}, {permille} permille: {sum([each >= TRIPS_MS for each in found])} trips")
    assert any([each >= TRIPS_MS for each in found]) == trips
    assert trips or max(found) < 0.6 * TRIPS_MS, "a margin is left"
