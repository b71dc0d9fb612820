"""Figures of heat and cold; each is (reached, bound, without), as in figures.py."""

from collections.abc import Callable

from hil.systems.run import Result

Found = tuple[float | None, float | None, float | None]
UNKNOWN: Found = None, None, None
Measure = Callable[[Result], Found]


def spread(result: Result) -> Found:
    """Largest difference between the temperatures of two lumped units, K."""
    return float(result.spread_K.max()), None, None


def minutes_until_charge(result: Result) -> Found:
    """Minutes from a cold start until the limits allow a charge of a tenth of the rated power."""
    opens_s = result.thermal.get("charge_opens_s")
    return None if opens_s is None else opens_s / 60, None, None


def heat_kWh(result: Result) -> Found:
    """Energy of the heaters over the run."""
    return result.thermal["heat_J"] / 3.6e6, None, None


FIGURES: dict[str, Measure] = {
    "spread": spread,
    "minutes_until_charge": minutes_until_charge,
    "heat_kWh": heat_kWh,
}
