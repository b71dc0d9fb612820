"""Judges whether each device has the right sign, in a test with a small charge and discharge.

The set-point of the unit is the reference. A least-squares line through the means of all steps
gives the share of the set-point that a device shows. Fixed losses and a constant load have no
effect on it.
"""

from collections.abc import Sequence

from controller.core.policies import meter_sign
from controller.state import step_numbers as numbers
from controller.state.base import Facts
from controller.state.step_numbers import Phases
from controller.state.step_samples import AC, DC, GRID, LOAD, Samples

AGREES, OPPOSITE, NOTHING = "agrees", "opposite", "nothing moved"
SIZE, LITTLE, NO_VALUE = "wrong size", "too little to tell", "no value"
STEADY, MOVES = "unchanged", "moves with the battery"
GOOD = (AGREES, STEADY)
BAD = (OPPOSITE, NOTHING, SIZE, NO_VALUE, MOVES)
# Shares of the set-point. Below STILL a device has not moved. Between LOW and HIGH it agrees with
# the set-point. A meter with one of its three current transformers reversed shows a share of a
# third.
STILL, LOW, HIGH = 0.2, 0.6, 1.6
UNCERTAIN = 0.2  # above this share, twice the standard error is too large for a verdict
RACK_LOW, RACK_HIGH = 0.3, 3.0  # parts of an equal share: parallel racks share unevenly
STEPS_W_MIN = 4  # least difference of charge and discharge, in quanta of the set-point
PASSED, FAILED, UNDECIDED = "passed", "failed", "not decided"


def facts(samples: Samples, phases: Phases, meter_result: int | None) -> Facts:
    """{unit, result, points: [{point, verdict, moved_W, expected_W, uncertainty_W}]}.

    meter_result: result of the grid meter's own test in this run (meter_sign); None: it had none.
    """
    points = [_point(name, samples, phases, meter_result) for name in samples.points]
    return {"unit": samples.place.unit + 1, "result": result(points), "points": points}


def result(points: Sequence[Facts]) -> str:
    """Result of a unit. One bad verdict fails the unit. The load meter may stay without a verdict,
    because the load itself may move too much.
    """
    verdicts = {point["point"]: point["verdict"] for point in points}
    if any(verdict in BAD for verdict in verdicts.values()):
        return FAILED
    verdicts.pop(LOAD, None)
    return PASSED if all(verdict in GOOD for verdict in verdicts.values()) else UNDECIDED


def _point(name: str, samples: Samples, phases: Phases, meter_result: int | None) -> Facts:
    seen, share = samples.points[name], _expected(name, samples)
    xs, ys = numbers.means(samples.setpoints, seen, phases)
    fit = numbers.slope(xs, ys)
    span_W = max(xs) - min(xs) if xs else 0.0
    verdict, by = LITTLE, ""
    if not seen:
        verdict = NO_VALUE
    elif fit and span_W >= STEPS_W_MIN * samples.place.quantum_W:
        verdict = _verdict(name, fit[0] / share, 2 * fit[1] / abs(share))
    if name == GRID and meter_result in _METER and (verdict == LITTLE or meter_result):
        verdict, by = _METER[meter_result], "the grid meter's own test"
    return {
        "point": name,
        "verdict": verdict,
        "by": by,
        "moved_W": round(fit[0] * span_W) if fit else None,
        "expected_W": round(share * span_W),
        "uncertainty_W": round(2 * fit[1] * span_W) if fit else None,
    }


_METER: dict[int | None, str] = {meter_sign.PROVEN: AGREES, meter_sign.REVERSED: OPPOSITE}


def _expected(name: str, samples: Samples) -> float:
    """Share of the set-point that a device with the right sign shows."""
    if name == GRID:
        return -1.0  # a discharge lowers the import
    is_rack = name not in (AC, DC, LOAD)
    return 1.0 / len(samples.place.racks) if is_rack else 1.0


def _verdict(name: str, ratio: float, uncertainty: float) -> str:
    """The verdict on a point. ratio: its movement, in parts of the movement that the right sign
    would show.
    """
    if uncertainty > UNCERTAIN:
        return LITTLE
    is_still = abs(ratio) < STILL
    if name == LOAD:  # another movement comes from the load itself
        return STEADY if is_still else MOVES if LOW <= abs(ratio) <= HIGH else LITTLE
    if is_still:
        return NOTHING
    if ratio < 0:
        return OPPOSITE
    low, high = (LOW, HIGH) if name in (AC, DC, GRID) else (RACK_LOW, RACK_HIGH)
    return AGREES if low <= ratio <= high else SIZE
