"""The figures of a system's run: asked, reached, the bound that physics or arithmetic sets, and the
value without the system.

Each figure is a function of a Result: (reached, bound, without). None: not known in this run.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from hil.results.ratio import MONEY_MIN, less_pct
from hil.systems import event_figures, minutes, replay, shape_figures, tariff, thermal
from hil.systems.run import MODE, Result
from hil.systems.series import SLOT_S
from hil.systems.thermal import Found

SLOT_H = SLOT_S / 3600
SWING_PART = 0.1  # of the highest load: a smaller movement is no swing
TRACKED_PART = 0.3  # of a swing, at most, that the grid sees of a tracked one
SHIFTED_KWH_MIN = 1.0
# A share of less than this has no meaning.
POWER_W_MIN, PRICE_MIN, STILL_W = 1000.0, 0.001, 50.0


class Figure(NamedTuple):
    """One line of the table. is_met: None where nothing was asked or nothing is known."""

    name: str
    text: str
    asked: float | None
    status: str
    reached: float | None
    optimum: float | None
    baseline: float | None
    unit: str
    is_met: bool | None
    mode: str


def of(result: Result) -> list[Figure]:
    """All figures that the system's file asks for. KeyError: no figure has this name."""
    return [_figure(result, each) for each in result.spec.figures]


def _figure(result: Result, asked: dict[str, Any]) -> Figure:
    reached, optimum, baseline = FIGURES[asked["name"]](result)
    is_met = None
    if asked["asked"] is not None and reached is not None:
        is_least = asked["way"] == "least"
        is_met = reached >= asked["asked"] if is_least else reached <= asked["asked"]
    return Figure(
        **{key: asked[key] for key in ("name", "text", "asked", "status", "unit")},
        reached=reached, optimum=optimum, baseline=baseline, is_met=is_met,
        mode=_mode_of(asked["name"]),
    )  # fmt: skip


def _mode_of(name: str) -> str:
    if name in event_figures.WITH_KERNEL:
        return minutes.MODE
    return replay.MODE if name in replay.FIGURES else MODE


def bills(result: Result) -> tuple[tariff.Bill, tariff.Bill, tariff.Bill]:
    """(with the system and the fuel of its set, without battery, without battery and PV)."""
    series, spec = result.series, result.spec
    with_it, *others = [
        tariff.bill(spec.tariff, each_W, SLOT_S, series.price, spec.start)
        for each_W in (result.grid_W, series.load_W - series.pv_W, series.load_W)
    ]
    fuel = float(result.genset_W.sum()) * SLOT_H / 1000 * spec.tariff["fuel_per_kWh"]
    return with_it._replace(energy=with_it.energy + fuel), others[0], others[1]


def _start_W(result: Result) -> float:
    """The energy in the battery at the start, spread over the run."""
    energy_Wh = float(result.soc[0]) * result.spec.size.energy_Wh
    return energy_Wh / (len(result.soc) * SLOT_H)


def peak_cut(result: Result) -> Found:
    """Highest billed import against the site without battery and PV. Bound: a level import all the
    time, without losses; none where only some hours are billed.
    """
    with_it, _, without = bills(result)
    reached = less_pct(with_it.peak_W, without.peak_W, POWER_W_MIN)
    series = result.series
    if result.spec.tariff["demand_hours"]:
        return reached, None, without.peak_W / 1000
    level_W = float((series.load_W - series.pv_W - result.genset_W).mean()) - _start_W(result)
    bound = less_pct(max(0.0, level_W), without.peak_W, POWER_W_MIN)
    return reached, bound, without.peak_W / 1000


def purchase_cut(result: Result) -> Found:
    """Purchased energy. Bound: the battery's first energy and all of PV and generator set used."""
    load_W, bought_W = result.series.load_W.sum(), np.maximum(0.0, result.grid_W).sum()
    own_W = (result.series.pv_W + result.genset_W + _start_W(result)).sum()
    reached, bound = [
        less_pct(float(max(0.0, each)), float(load_W), POWER_W_MIN)
        for each in (bought_W, load_W - own_W)
    ]
    return reached, bound, float(load_W) * SLOT_H / 1000


def renewable(result: Result) -> Found:
    """PV that load or battery took, of the load's energy."""
    exported = float(np.maximum(0.0, -result.grid_W).sum())
    used, load = float(result.pv_W.sum()) - exported, float(result.series.load_W.sum())
    reached, bound = [
        less_pct(load - each, load, POWER_W_MIN) for each in (used, float(result.series.pv_W.sum()))
    ]
    return reached, bound, 0.0


def cheaper(part: str, beside: int) -> Callable[[Result], Found]:
    """This part of the bill against a bill of `bills`: 1: without battery, 2: without PV too."""

    def figure(result: Result) -> Found:
        paid, without = (getattr(bills(result)[place], part) for place in (0, beside))
        return less_pct(paid, without, MONEY_MIN), None, without

    return figure


def shifted_price_cut(result: Result) -> Found:
    """Price of a kWh that the battery shifted, against the price when it was used; with losses.

    Energy from PV or into the grid has the price of the feed-in. Energy that the battery has lost
    over the run is bought again at the mean price of charging. Bound: as much energy, at rated
    power, in the cheapest and in the dearest slots of the run.
    """
    charged = np.maximum(0.0, -result.battery_W) * SLOT_H / 1000
    given = np.maximum(0.0, result.battery_W) * SLOT_H / 1000
    if given.sum() < SHIFTED_KWH_MIN or charged.sum() < SHIFTED_KWH_MIN:
        return None, None, None
    tariff_, series, grid = (result.spec.tariff, result.series, result.grid_W * SLOT_H / 1000)
    price, feed_in = series.price + tariff_["adder_per_kWh"], tariff_["feed_in_per_kWh"]
    paid = _worth(charged, np.minimum(charged, np.maximum(0.0, grid)), price, feed_in)
    spared = _worth(given, given - np.minimum(given, np.maximum(0.0, -grid)), price, feed_in)
    cost = np.where(series.pv_W > series.load_W, np.minimum(price, feed_in), price)
    size, worth = result.spec.size, np.maximum(price, feed_in)
    full_kWh = size.units * size.rated_W * SLOT_H / 1000
    lost_kWh = max(0.0, float(result.soc[0] - result.soc[-1])) * size.energy_Wh / 1000
    again = 1.0 + lost_kWh / float(charged.sum())
    cheapest = _first_mean(np.sort(cost), charged.sum() / full_kWh) * charged.sum() * again
    dearest = _first_mean(np.sort(worth)[::-1], given.sum() / full_kWh) * given.sum()
    least = PRICE_MIN * float(given.sum())
    reached, bound = (less_pct(paid * again, spared, least), less_pct(cheapest, dearest, least))
    return reached, bound, spared / float(given.sum())


def _worth(all_kWh: np.ndarray, grid_kWh: np.ndarray, price: np.ndarray, feed_in: float) -> float:
    """grid_kWh: the part of all_kWh that the price is for."""
    return float((grid_kWh * price).sum() + ((all_kWh - grid_kWh) * feed_in).sum())


def _first_mean(ordered: np.ndarray, slots: float) -> float:
    return float(ordered[: max(1, int(slots))].mean())


def import_over(result: Result) -> Found:
    """Highest import in percent of the connection, means of 15 minutes."""
    limit_W = result.spec.size.import_W
    without_W = float((result.series.load_W - result.series.pv_W).max())
    return (100.0 * float(result.grid_W.max()) / limit_W, None, 100.0 * without_W / limit_W)


def import_over_1s(result: Result) -> Found:
    """The same, means of 1 s."""
    load_W, grid_W = [100.0 * float(each.max()) for each in result.seconds_W]
    return grid_W / result.spec.size.import_W, None, load_W / result.spec.size.import_W


def seconds_over(result: Result) -> Found:
    """Seconds above the connection."""
    limit_W = result.spec.size.import_W
    grid_s, load_s = [float((each > limit_W).sum()) for each in result.seconds_W[::-1]]
    return grid_s, 0.0, load_s


def calmer(window_s: int) -> Callable[[Result], Found]:
    """Fluctuation of means over window_s: rms of their changes, against the load's."""

    def figure(result: Result) -> Found:
        load, grid = [_rms_change(each, window_s) for each in result.seconds_W]
        return less_pct(grid, load, STILL_W), None, load / 1000

    return figure


def _rms_change(seconds_W: np.ndarray, window_s: int) -> float:
    count = len(seconds_W) // window_s
    means = seconds_W[: count * window_s].reshape(count, window_s).mean(axis=1, dtype=np.float64)
    return float(np.sqrt(np.mean(np.diff(means) ** 2)))


def swings(result: Result) -> Found:
    """Tracked swings of the load in a quarter of 90 days: from one turn to the next the grid moved
    by at most TRACKED_PART of what the load did. Without: all swings.
    """
    grid_W, found = result.seconds_W[1], 0
    turns = _turns(result.seconds_W[0])
    for (begin, from_W), (end, to_W) in zip(turns, turns[1:]):
        moved_W = float(np.ptp(grid_W[begin : end + 1]))
        found += moved_W <= TRACKED_PART * abs(to_W - from_W)
    quarters = 90 / result.spec.days
    return found * quarters, None, max(0, len(turns) - 1) * quarters


def _turns(load_W: np.ndarray) -> list[tuple[int, float]]:
    """(second, W) of each turn of the load, at least SWING_PART of its highest power away from the
    last one.
    """
    step_W = SWING_PART * float(load_W.max())
    turns, at, turn_W, is_rising = [(0, float(load_W[0]))], 0, float(load_W[0]), True
    for second, power_W in enumerate(load_W.tolist()):
        if (power_W > turn_W) == is_rising:
            at, turn_W = second, power_W
        elif abs(power_W - turn_W) >= step_W:
            turns.append((at, turn_W))
            at, turn_W, is_rising = second, power_W, not is_rising
    return turns


def peak_kW(result: Result) -> Found:
    """Highest load."""
    return float(result.seconds_W[0].max()) / 1000, None, None


def swing_5min(result: Result) -> Found:
    """Largest swing within 5 minutes, in percent of the highest load."""
    load_W = result.seconds_W[0]
    blocks = load_W[: len(load_W) // 300 * 300].reshape(-1, 300)
    largest = float((blocks.max(axis=1) - blocks.min(axis=1)).max())
    highest_W = float(load_W.max())
    return 100.0 * largest / highest_W if highest_W >= POWER_W_MIN else None, None, None


def per_it(result: Result) -> Found:
    """Purchased kWh for each kWh of the computers."""
    it = float(result.series.it_W.sum())
    bought = float(np.maximum(0.0, result.grid_W).sum())
    if it < POWER_W_MIN:
        return None, None, None
    return bought / it, None, float(result.series.load_W.sum()) / it


def cycles(result: Result) -> Found:
    """Full cycles in a year."""
    given_Wh = float(np.maximum(0.0, result.battery_W).sum()) * SLOT_H
    return given_Wh / result.spec.size.energy_Wh * 365 / result.spec.days, None, None


FIGURES: dict[str, Callable[[Result], Found]] = {
    "peak_cut": peak_cut,
    "purchase_cut": purchase_cut,
    "renewable": renewable,
    "energy_cost_cut": cheaper("energy", 2),
    "bill_cut": cheaper("total", 2),
    "battery_saves": cheaper("total", 1),
    "shifted_price_cut": shifted_price_cut,
    "import_15min": import_over,
    "import_1s": import_over_1s,
    "seconds_over": seconds_over,
    "calmer_2s": calmer(2),
    "calmer_60s": calmer(60),
    "calmer_300s": calmer(300),
    "swings": swings,
    "peak_kW": peak_kW,
    "swing_5min": swing_5min,
    **thermal.FIGURES,
    "per_it": per_it,
    "cycles": cycles,
    **event_figures.FIGURES,
    **shape_figures.FIGURES,
    **replay.FIGURES,
}
