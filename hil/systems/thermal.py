"""Figures of heat and cold; each is (reached, bound, without), as in figures.py."""

from collections.abc import Callable

from hil.systems.run import Result

Attained = tuple[float | None, float | None, float | None]  # (reached, bound, without)
UNKNOWN: Attained = None, None, None
Measure = Callable[[Result], Attained]


def spread(result: Result) -> Attained:
    """Largest difference between the temperatures of two lumped units, K."""
    return float(result.spread_K.max()), None, None


def minutes_until_charge(result: Result) -> Attained:
    """Minutes from a cold start until the limits allow a charge of a tenth of the rated power."""
    opens_s = result.thermal.get("charge_opens_s")
    return None if opens_s is None else opens_s / 60, None, None


def heat_kWh(result: Result) -> Attained:
    """Energy of the heaters over the run."""
    return result.thermal["heat_J"] / 3.6e6, None, None


FIGURES: dict[str, Measure] = {
    "spread": spread,
    "minutes_until_charge": minutes_until_charge,
    "heat_kWh": heat_kWh,
}
