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
from hil.systems.thermal import UNKNOWN, Found, Measure

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


def judged(asked: Mapping[str, Any], measured: Found, baseline_unit: str = "") -> Figure:
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
    with_it, *baselines = [
        tariff.bill(spec.tariff, each_W, SLOT_S, series.price, spec.start)
        for each_W in (result.grid_W, result.import_without_W(), result.wanted_W)
    ]
    fuel = float(result.genset_W.sum()) * SLOT_H / 1000 * spec.tariff["fuel_per_kWh"]
    later = event_figures.yielded_kWh(result)[0] * result.mean_price
    return with_it._replace(energy=with_it.energy + fuel + later), baselines[0], baselines[1]


def _start_W(result: Result) -> float:
    """The energy in the battery at the start, as a mean power over the whole run."""
    energy_Wh = float(result.soc[0]) * result.spec.size.energy_Wh
    return energy_Wh / (len(result.soc) * SLOT_H)


def peak_cut(result: Result) -> Found:
    """Cut of the highest billed import, compared with no battery and no PV. Bound: an ideal
    battery.
    """
    with_it, _, without = bills(result)
    lowest_W = bounds.lowest_billed_W(result.spec, bounds.net_W(result))
    reached, bound = [
        less_pct(each_W, without.peak_W, POWER_W_MIN) for each_W in (with_it.peak_W, lowest_W)
    ]
    return reached, bound, without.peak_W / 1000


def purchase_cut(result: Result) -> Found:
    """Cut of the purchased energy. Bound: all energy of PV, fuel and first charge is used."""
    load_W, bought_W = result.series.load_W.sum(), np.maximum(0.0, result.grid_W).sum()
    least_W = (bounds.net_W(result) - _start_W(result)).sum()
    reached, bound = [
        less_pct(float(max(0.0, sum_W)), float(load_W), POWER_W_MIN)
        for sum_W in (bought_W, least_W)
    ]
    return reached, bound, float(load_W) * SLOT_H / 1000


def renewable(result: Result) -> Found:
    """PV energy that load or battery took, as a share of the load's energy."""
    exported = float(np.maximum(0.0, -result.grid_W).sum())
    used, load = float(result.pv_W.sum()) - exported, float(result.series.load_W.sum())
    reached, bound = [
        less_pct(load - sum_W, load, POWER_W_MIN)
        for sum_W in (used, float(result.series.pv_W.sum()))
    ]
    return reached, bound, 0.0


def cheaper(beside: int) -> Measure:
    """Cut of the whole bill, compared with another one of `bills`. beside: 1 is the bill without
    battery, 2 is the bill without battery and PV. Bound: perfect foresight.
    """

    def figure(result: Result) -> Found:
        paid, without = (bills(result)[place].total for place in (0, beside))
        best = optimum.bill(result)
        reached, bound = [
            less_pct(amount, without, MONEY_MIN) for amount in (paid, best and best.total)
        ]
        return reached, bound, without

    return figure


def energy_cost_cut(result: Result) -> Found:
    """Cut of the energy's cost, compared with no battery and no PV. Stored energy at the end
    counts.
    """
    paid, without = (bills(result)[place].energy for place in (0, 2))
    costs = paid - result.gained_Wh / 1000 * result.mean_price, bounds.lowest_energy_cost(result)
    reached, bound = [less_pct(cost, without, MONEY_MIN) for cost in costs]
    return reached, bound, without


def shifted_price_cut(result: Result) -> Found:
    """How much cheaper a shifted kWh was bought, losses included, than at the time of its use.

    Energy from PV, or fed into the grid, counts at the feed-in price. If the battery ends the run
    with less energy, it buys the difference at the mean price of charging. Bound: the same energy,
    at rated power, in the cheapest and in the most expensive slots of the run.
    """
    charged = np.maximum(0.0, -result.battery_W) * SLOT_H / 1000
    discharged = np.maximum(0.0, result.battery_W) * SLOT_H / 1000
    if discharged.sum() < SHIFTED_KWH_MIN or charged.sum() < SHIFTED_KWH_MIN:
        return UNKNOWN
    tariff_, series, grid = (result.spec.tariff, result.series, result.grid_W * SLOT_H / 1000)
    price, feed_in = series.price + tariff_["adder_per_kWh"], tariff_["feed_in_per_kWh"]
    paid = _worth(charged, np.minimum(charged, np.maximum(0.0, grid)), price, feed_in)
    spared = _worth(
        discharged, discharged - np.minimum(discharged, np.maximum(0.0, -grid)), price, feed_in
    )
    cost = np.where(series.pv_W > series.load_W, np.minimum(price, feed_in), price)
    size, worth = result.spec.size, np.maximum(price, feed_in)
    full_kWh = size.power_W * SLOT_H / 1000
    lost_kWh = max(0.0, float(result.soc[0] - result.soc[-1])) * size.energy_Wh / 1000
    again = 1.0 + lost_kWh / float(charged.sum())
    cheapest = _first_mean(np.sort(cost), charged.sum() / full_kWh) * charged.sum() * again
    dearest = _first_mean(np.sort(worth)[::-1], discharged.sum() / full_kWh) * discharged.sum()
    least = PRICE_MIN * float(discharged.sum())
    reached, bound = (less_pct(paid * again, spared, least), less_pct(cheapest, dearest, least))
    return reached, bound, spared / float(discharged.sum())


def _worth(all_kWh: np.ndarray, grid_kWh: np.ndarray, price: np.ndarray, feed_in: float) -> float:
    """Money for all_kWh: grid_kWh at the price of their slot, the rest at the feed-in price."""
    return float((grid_kWh * price).sum() + ((all_kWh - grid_kWh) * feed_in).sum())


def _first_mean(ordered: np.ndarray, slots: float) -> float:
    return float(ordered[: max(1, int(slots))].mean())


def import_over(result: Result) -> Found:
    """Highest 15 min mean of the import, in percent of the connection. Bound: an ideal battery."""
    limit_W = result.spec.size.import_W
    without_W = float((result.series.net_W).max())
    lowest_W = bounds.lowest_import_W(result.spec, bounds.net_W(result))
    powers_W = float(result.grid_W.max()), lowest_W, without_W
    reached, bound, without = [100.0 * each_W / limit_W for each_W in powers_W]
    return reached, bound, without


def import_over_1s(result: Result) -> Found:
    """Highest 1 s mean of the import, in percent of the connection. Bound: that of import_over."""
    load_W, grid_W = [100.0 * float(second_W.max()) for second_W in result.seconds_W]
    limit_W, bound = result.spec.size.import_W, import_over(result)[1]
    return grid_W / limit_W, bound, load_W / limit_W


def seconds_over(result: Result) -> Found:
    """Seconds of import above the connection."""
    limit_W = result.spec.size.import_W
    grid_s, load_s = [float((second_W > limit_W).sum()) for second_W in result.seconds_W[::-1]]
    return grid_s, 0.0, load_s


def per_it(result: Result) -> Found:
    """Purchased kWh for each kWh of the computers. Bound: as for purchase_cut."""
    computers, load = [
        float(power_W.sum()) for power_W in (result.series.it_W, result.series.load_W)
    ]
    bought = float(np.maximum(0.0, result.grid_W).sum())
    if computers < POWER_W_MIN:
        return UNKNOWN
    least = max(0.0, float((bounds.net_W(result) - _start_W(result)).sum()))
    return bought / computers, least / computers, load / computers


def cycles(result: Result) -> Found:
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
