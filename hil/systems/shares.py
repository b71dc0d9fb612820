"""Compares the saving of a run at 1 s, and of the slot model, with perfect foresight.

The planner's promises are about a real controller. The slot model is
controller/planner/backtest.py. Run and model are judged with the run's load and the same bill, wear
included. Both savings are parts of the saving by perfect foresight in quarters of an hour.
The power that the cabinets draw for themselves belongs to the load, also without a battery. Clouds
make a site both buy energy and waste PV within one quarter. So the run is compared with no battery
at 1 s, and the model with no battery in quarters of an hour.
"""

from collections.abc import Mapping

from controller.planner import backtest, foresight
from controller.planner.planning import SLOT_S
from controller.planner.tariff import J_PER_KWH
from hil.systems import figures
from hil.systems.run import Result
from hil.systems.sender import J_PER_WH, Sender

PROMISE = {
    "name": "below_model",
    "text": "share of perfect foresight below the model's",
    "asked": 5.0,
    "way": "most",
    "unit": "points",
    "status": "projected",
}
# Part of the bill. A share of a smaller saving by perfect foresight has no meaning.
LEAST_PART = 0.005


def of(result: Result) -> dict[str, float] | None:
    """Shares in percent, and the cost of auxiliaries and clouds. None: the run follows no plan, or
    a plan can save too little.
    """
    spec = result.spec
    is_planned = len(result.before.load_W) and "discharged" in result.account
    if spec.outage_s or spec.away or not (is_planned and spec.schedule["is_trading"]):
        return None
    fed_W = result.battery_W + result.pv_W + result.genset_W
    own_W = float((result.grid_W + fed_W - result.load_W).mean())
    alone = _sender(result, 0.0).past
    sender = _sender(result, own_W)
    site, past = sender.site, sender.past
    best = foresight.optimum(site, past, site.store.now_J)
    at_seconds = backtest.Outcome(result.import_without_W(own_W).tolist(), 0.0, 0.0)
    ways = backtest.without(past), best, sender.alone(), at_seconds, at_1s(result)
    without, least, by_model, without_1s, paid = [backtest.cost(site, past, way) for way in ways]
    if without - least < LEAST_PART * without:
        return None
    return {
        "at_1s": 100 * (without_1s - paid) / (without - least),
        "by_model": 100 * (without - by_model) / (without - least),
        "clouds_cost": without_1s - without,
        "own_kWh": own_W * len(result.grid_W) * SLOT_S / J_PER_KWH,
        "own_cost": without - backtest.cost(site, alone, backtest.without(alone)),
    }


def _sender(result: Result, own_W: float) -> Sender:
    loads = result.series._replace(load_W=result.load_W + own_W)
    before = result.before._replace(load_W=result.before.load_W + own_W)
    return Sender(result.spec, loads, before)


def at_1s(result: Result) -> backtest.Outcome:
    """The run in the form of a back-test's outcome."""
    gained_J = result.gained_Wh * J_PER_WH
    return backtest.Outcome(result.grid_W.tolist(), gained_J, result.account["discharged"])


def promise(shares: Mapping[str, float] | None) -> list[figures.Figure]:
    """The promise of a run at 1 s; [] without shares."""
    if shares is None:
        return []
    return [figures.judged(PROMISE, (shares["by_model"] - shares["at_1s"], 0.0, None))]


def lines(shares: Mapping[str, float] | None, currency: str) -> list[str]:
    """One line for people; [] without shares."""
    if shares is None:
        return []
    return [
        "  of what perfect foresight saves in quarters of an hour: "
        f"{shares['at_1s']:.0f} % at 1 s, {shares['by_model']:.0f} % by the model of `hil plan`; "
        f"beside it {shares['own_kWh']:,.0f} kWh of the cabinets' own use cost "
        f"{shares['own_cost']:,.0f} {currency}, and clouds within quarters of an hour, "
        f"without a battery, {shares['clouds_cost']:,.0f} {currency}"
    ]
