"""Computes the figures of a system's run: asked, reached, bound, and without the system.

Each figure is a function of a Result that returns (reached, bound, without). Physics or arithmetic
sets the bound. None: not known in this run.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from controller.planner import tariff
from hil.results.ratio import MONEY_MIN, less_pct
from hil.systems import (
    bounds,
    event_figures,
    minutes,
    optimum,
    schedule_alone,
    shape_figures,
    swing_figures,
    thermal,
)
from hil.systems.run import MODE, Result
from hil.systems.series import SLOT_S
from hil.systems.swing_figures import POWER_W_MIN
from hil.systems.thermal import UNKNOWN, Attained, Measure

SLOT_H = SLOT_S / 3600
SHIFTED_KWH_MIN = 1.0
# Money per kWh. A percentage of a smaller price has no meaning.
PRICE_MIN = 0.001


class Figure(NamedTuple):
    """One line of the table."""

    name: str
    text: str
    asked: float | None
    way: str
    status: str
    reached: float | None
    optimum: float | None  # the bound
    baseline: float | None  # without the system
    unit: str
    is_met: bool | None  # None: nothing is asked, or nothing is known
    mode: str
    baseline_unit: str  # if it is not `unit`, because the figure is a percentage of the baseline


def number(value: float | None) -> str:
    """A number with three digits; "-": unknown."""
    if value is None:
        return "-"
    if abs(value) < 0.005:
        return "0"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def reached(figure: Mapping[str, Any]) -> str:
    """The reached value, with enough digits to show a narrow miss, for example 100.069 of 100."""
    text = number(figure.get("reached"))
    is_hidden = figure.get("is_met") is False and text == number(figure["asked"])
    return f"{figure['reached']:,.6g}" if is_hidden else text


def of(result: Result) -> list[Figure]:
    """All figures that the system's file asks for. KeyError: an asked figure does not exist."""
    return [_figure(result, asked) for asked in result.spec.figures]


def _figure(result: Result, asked: dict[str, Any]) -> Figure:
    unit = BASELINE_UNITS.get(asked["name"], "").format(result.spec.tariff["currency"])
    return judged(asked, FIGURES[asked["name"]](result), unit)


def judged(asked: Mapping[str, Any], measured: Attained, baseline_unit: str = "") -> Figure:
    """The line of a figure. asked: its table in the system's file."""
    reached, optimum, baseline = measured
    is_met = None
    if asked["asked"] is not None and reached is not None:
        is_least = asked["way"] == "least"
        is_met = reached >= asked["asked"] if is_least else reached <= asked["asked"]
    return Figure(
        **{key: asked[key] for key in ("name", "text", "asked", "way", "status", "unit")},
        reached=reached, optimum=optimum, baseline=baseline, is_met=is_met,
        mode=_mode_of(asked["name"]), baseline_unit=baseline_unit,
    )  # fmt: skip


def _mode_of(name: str) -> str:
    if name in (*event_figures.WITH_KERNEL, *swing_figures.WITH_KERNEL):
        return minutes.MODE
    return schedule_alone.MODE if name in schedule_alone.FIGURES else MODE


def bills(result: Result) -> tuple[tariff.Bill, tariff.Bill, tariff.Bill]:
    """Three bills: with the system and the fuel of its generator set; without battery; without
    battery and PV. Load and PV are those of each second, because samples of a minute miss the
    swings of a training job, and means miss clouds. A load that was lowered on request gets its
    energy later, at the mean price.
    """
    series, spec = result.series, result.spec
    with_system, without_battery, without_system = [
        tariff.bill(spec.tariff, import_W, SLOT_S, series.price, spec.start)
        for import_W in (result.grid_W, result.import_without_W(), result.wanted_W)
    ]
    fuel = float(result.genset_W.sum()) * SLOT_H / 1000 * spec.tariff["fuel_per_kWh"]
    later = event_figures.yielded_kWh(result)[0] * result.mean_price
    with_system = with_system._replace(energy=with_system.energy + fuel + later)
    return with_system, without_battery, without_system


def _cuts(
    reached: float | None, bound: float | None, whole: float, least: float
) -> tuple[float | None, float | None]:
    """(cut that was reached, its bound), percent of the whole. None: the whole is below `least`."""
    return less_pct(reached, whole, least), less_pct(bound, whole, least)


def _start_W(result: Result) -> float:
    """The energy in the battery at the start, as a mean power over the whole run."""
    energy_Wh = float(result.soc[0]) * result.spec.size.energy_Wh
    return energy_Wh / (len(result.soc) * SLOT_H)


def peak_cut(result: Result) -> Attained:
    """Cut of the highest billed import, compared with no battery and no PV. Bound: an ideal
    battery.
    """
    with_system, _, without = bills(result)
    lowest_W = bounds.lowest_billed_W(result.spec, bounds.net_W(result))
    cuts = _cuts(with_system.peak_W, lowest_W, without.peak_W, POWER_W_MIN)
    return *cuts, without.peak_W / 1000


def purchase_cut(result: Result) -> Attained:
    """Cut of the purchased energy. Bound: all energy of PV, fuel and first charge is used."""
    load_W, bought_W = float(result.series.load_W.sum()), np.maximum(0.0, result.grid_W).sum()
    least_W = max(0.0, float((bounds.net_W(result) - _start_W(result)).sum()))
    return *_cuts(float(bought_W), least_W, load_W, POWER_W_MIN), load_W * SLOT_H / 1000


def renewable(result: Result) -> Attained:
    """PV energy that load or battery took, as a share of the load's energy."""
    exported_W = float(np.maximum(0.0, -result.grid_W).sum())
    used_W, load_W = float(result.pv_W.sum()) - exported_W, float(result.series.load_W.sum())
    most_W = float(result.series.pv_W.sum())
    return *_cuts(load_W - used_W, load_W - most_W, load_W, POWER_W_MIN), 0.0


def cheaper(beside: int) -> Measure:
    """Cut of the whole bill, compared with another one of `bills`. beside: 1 is the bill without
    battery, 2 is the bill without battery and PV. Bound: perfect foresight.
    """

    def figure(result: Result) -> Attained:
        paid, without = (bills(result)[index].total for index in (0, beside))
        best = optimum.bill(result)
        return *_cuts(paid, best and best.total, without, MONEY_MIN), without

    return figure


def energy_cost_cut(result: Result) -> Attained:
    """Cut of the energy's cost, compared with no battery and no PV. Stored energy at the end
    counts.
    """
    with_system, _, without_system = bills(result)
    paid, without = with_system.energy, without_system.energy
    cost = paid - result.gained_Wh / 1000 * result.mean_price
    return *_cuts(cost, bounds.lowest_energy_cost(result), without, MONEY_MIN), without


def shifted_price_cut(result: Result) -> Attained:
    """How much cheaper a shifted kWh was bought, losses included, than at the time of its use.

    Energy from PV, or fed into the grid, counts at the feed-in price. If the battery ends the run
    with less energy, it buys the difference at the mean price of charging. Bound: the same energy,
    at rated power, in the cheapest and in the most expensive slots of the run.
    """
    charges_kWh, gives_kWh, grid_kWh = [
        power_W * SLOT_H / 1000
        for power_W in (
            np.maximum(0.0, -result.battery_W),
            np.maximum(0.0, result.battery_W),
            result.grid_W,
        )
    ]
    charged_kWh, given_kWh = charges_kWh.sum(), gives_kWh.sum()
    if given_kWh < SHIFTED_KWH_MIN or charged_kWh < SHIFTED_KWH_MIN:
        return UNKNOWN
    terms, series = result.spec.tariff, result.series
    price, feed_in = series.price + terms["adder_per_kWh"], terms["feed_in_per_kWh"]
    bought_kWh = np.minimum(charges_kWh, np.maximum(0.0, grid_kWh))
    used_kWh = gives_kWh - np.minimum(gives_kWh, np.maximum(0.0, -grid_kWh))
    paid = _worth(charges_kWh, bought_kWh, price, feed_in)
    spared = _worth(gives_kWh, used_kWh, price, feed_in)
    cost = np.where(series.pv_W > series.load_W, np.minimum(price, feed_in), price)
    size, worth = result.spec.size, np.maximum(price, feed_in)
    full_kWh = size.power_W * SLOT_H / 1000
    lost_kWh = max(0.0, float(result.soc[0] - result.soc[-1])) * size.energy_Wh / 1000
    again = 1.0 + lost_kWh / float(charged_kWh)
    cheapest = _first_mean(np.sort(cost), charged_kWh / full_kWh) * charged_kWh * again
    dearest = _first_mean(np.sort(worth)[::-1], given_kWh / full_kWh) * given_kWh
    least = PRICE_MIN * float(given_kWh)
    bound = less_pct(cheapest, dearest, least)
    return less_pct(paid * again, spared, least), bound, spared / float(given_kWh)


def _worth(all_kWh: np.ndarray, grid_kWh: np.ndarray, price: np.ndarray, feed_in: float) -> float:
    """Money for all_kWh: grid_kWh at the price of their slot, the rest at the feed-in price."""
    return float((grid_kWh * price).sum() + ((all_kWh - grid_kWh) * feed_in).sum())


def _first_mean(ordered: np.ndarray, slots: float) -> float:
    return float(ordered[: max(1, int(slots))].mean())


def import_over(result: Result) -> Attained:
    """Highest 15 min mean of the import, in percent of the connection. Bound: an ideal battery."""
    limit_W = result.spec.size.import_W
    lowest_W = bounds.lowest_import_W(result.spec, bounds.net_W(result))
    highest_W, without_W = float(result.grid_W.max()), float(result.series.net_W.max())
    return 100.0 * highest_W / limit_W, 100.0 * lowest_W / limit_W, 100.0 * without_W / limit_W


def import_over_1s(result: Result) -> Attained:
    """Highest 1 s mean of the import, in percent of the connection. Bound: that of import_over."""
    limit_W = result.spec.size.import_W
    load, grid = [100.0 * float(power_W.max()) / limit_W for power_W in result.seconds_W]
    return grid, import_over(result)[1], load


def seconds_over(result: Result) -> Attained:
    """Seconds of import above the connection."""
    limit_W = result.spec.size.import_W
    load_s, grid_s = [float((power_W > limit_W).sum()) for power_W in result.seconds_W]
    return grid_s, 0.0, load_s


def per_it(result: Result) -> Attained:
    """Purchased kWh for each kWh of the computers. Bound: as for purchase_cut."""
    it_W, load_W = float(result.series.it_W.sum()), float(result.series.load_W.sum())
    if it_W < POWER_W_MIN:
        return UNKNOWN
    bought_W = float(np.maximum(0.0, result.grid_W).sum())
    least_W = max(0.0, float((bounds.net_W(result) - _start_W(result)).sum()))
    return bought_W / it_W, least_W / it_W, load_W / it_W


def cycles(result: Result) -> Attained:
    """Full cycles in a year."""
    given_Wh = float(np.maximum(0.0, result.battery_W).sum()) * SLOT_H
    return given_Wh / result.spec.size.energy_Wh * 365 / result.spec.days, None, None


# "{}" is replaced by the currency.
BASELINE_UNITS = {
    "peak_cut": "kW",
    "purchase_cut": "kWh",
    "energy_cost_cut": "{}",
    "bill_cut": "{}",
    "battery_saves": "{}",
    "shifted_price_cut": "{}/kWh",
    "kernel_2s": "kW",
    "calmer_2s": "kW",
    "calmer_60s": "kW",
    "calmer_300s": "kW",
}
FIGURES: dict[str, Measure] = {
    "peak_cut": peak_cut,
    "purchase_cut": purchase_cut,
    "renewable": renewable,
    "energy_cost_cut": energy_cost_cut,
    "bill_cut": cheaper(2),
    "battery_saves": cheaper(1),
    "shifted_price_cut": shifted_price_cut,
    "import_15min": import_over,
    "import_1s": import_over_1s,
    "seconds_over": seconds_over,
    **swing_figures.FIGURES,
    **thermal.FIGURES,
    "per_it": per_it,
    "cycles": cycles,
    **event_figures.FIGURES,
    **shape_figures.FIGURES,
    **schedule_alone.FIGURES,
}
