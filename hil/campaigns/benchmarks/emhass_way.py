"""Lets the program EMHASS make the plans of a month, to compare it with the planner.

EMHASS gets the planner's prices, forecasts and battery. The modelled controller that follows the
planner's plans (controller/planner/backtest.py) also follows those of EMHASS. EMHASS does not model
losses of idle converters.

Settings: a plan of 48 h, a program that is built once, a small gap of the solver, the peak counted
by slot. The cost of wear and the value of the energy left at the end are those of the planner.
There are two variants. "Own peak": EMHASS pays a demand charge for the judged days on import above
the month's peak so far. The modelled controller gets the peak of EMHASS's plan as its cap. "Our
cap": power up to the planner's cap is free, and a kW above it costs the charge of some months. The
modelled controller then gets the planner's cap, and EMHASS must not use the part of the charge band
that the planner keeps for the controller. EMHASS has as many charges as the tariff.
"""

import json
import logging
import statistics
from collections.abc import Sequence
from importlib.resources import files

import numpy as np
import pandas as pd
from emhass.optimization import Optimization

from controller.core.base.schedule_table import SLOTS_MAX, Slot as Row
from controller.planner import planning
from controller.planner.backtest import Past
from controller.planner.cap import Span, limits_W
from controller.planner.daily import Daily
from controller.planner.exact import J_PER_WH, Slot
from controller.planner.places import Bills
from controller.planner.planning import SLOT_S, SLOTS_PER_DAY, Known, Site
from controller.planner.rows import row_of
from controller.planner.tariff import MONTH_S

COUNT = 2 * SLOTS_PER_DAY
DEAR = 100.0  # money per kW above our cap: the charge of some months
GAPS = 1e-4, 1e-6  # solver's gap, share of the cost: own peak; our cap, whose cost contains DEAR
# The lowest price of the last slot, money per kWh. EMHASS states the value of the energy left at
# the end as a factor of this price, so the price must not be 0.
LEAST = 1e-4
SLOTS = pd.date_range("2026-01-01", periods=COUNT, freq=f"{round(SLOT_S)}s", tz="UTC")
LOGGER = logging.getLogger("emhass")
LOGGER.setLevel(logging.CRITICAL)


class Emhass:
    """A way to plan (controller/planner/backtest.py)."""

    def __init__(self, site: Site, past: Past, has_our_cap: bool) -> None:
        self._site, self._daily, self._has_our_cap = site, Daily(site), has_our_cap
        self._judged = (len(past.load_W) - past.before) * SLOT_S / MONTH_S
        self._programs: dict[tuple[tuple[float, ...], float], Optimization] = {}
        self.failed = 0

    def begin(self, known: Known) -> None:
        """Compute the cap of the day; called once a night."""
        self._daily.begin(known)

    def __call__(self, known: Known) -> list[Row]:
        """The rows of a schedule, from this slot on."""
        site, low_J, free_W = self._site, self._site.store.low_J, [*known.peaks_W]
        if self._has_our_cap:
            free_W = self._daily.planned(known).held_W
            low_J += self._daily.habit.kept * (site.store.high_J - low_J)
        billed = planning.billed_of(site, known.time, 0, COUNT)
        open_W = planning.OPEN_PART * site.import_W
        net_W = planning.net_ahead_W(known, COUNT)
        slots = planning.slots_ahead(site, known, net_W, [open_W] * COUNT)
        power_W = self._planned(known, slots, billed, free_W, low_J)
        if not self._has_our_cap:
            span = Span([each_W - own_W for each_W, own_W in zip(net_W, power_W)], billed, open_W)
            free_W = [
                max(each_W, span.peak_W(index, each_W)) for index, each_W in enumerate(free_W)
            ]
        permille = int(1000 * low_J / site.full_J)
        caps_W = limits_W(billed, free_W, open_W)
        slots = [slot._replace(cap_W=caps_W[bills]) for slot, bills in zip(slots, billed)]
        return [row_of(*pair, permille) for pair in zip(slots[:SLOTS_MAX], power_W)]

    def _planned(
        self,
        known: Known,
        slots: Sequence[Slot],
        billed: Sequence[Bills],
        free_W: Sequence[float],
        low_J: float,
    ) -> list[float]:
        """The battery's power in each slot; 0 if there is no plan."""
        site, store = self._site, self._site.store
        rates = tuple(
            DEAR * (rate > 0) if self._has_our_cap else rate * self._judged
            for rate in planning.rates_of(site, known.time)
        )
        if (rates, low_J) not in self._programs:
            own = _program(site, rates, GAPS[self._has_our_cap], low_J)
            self._programs[rates, low_J] = own
        program, is_one = self._programs[rates, low_J], len(rates) == 1
        windows = [[float(is_billed) for is_billed in window] for window in zip(*billed)]
        load_W, pv_W = planning.ahead_W(known, COUNT)
        price = np.array([slot.price_per_kWh for slot in slots])
        price[-1] = max(price[-1], LEAST)
        worth = max(0.0, statistics.median(price) * store.one_way)
        program.optim_conf["battery_soc_final_reward_factor"] = worth / price[-1]
        plan = program.perform_naive_mpc_optim(
            pd.DataFrame({"cost": price, "feed_in": [s.feed_in_per_kWh for s in slots]}, SLOTS),
            pd.Series(pv_W, SLOTS),
            pd.Series(load_W, SLOTS),
            COUNT,
            soc_init=known.stored_J / site.full_J,
            soc_final=low_J / site.full_J,
            current_period_peak=free_W[0] if is_one else [*free_W],
            capacity_charge_window=windows[0] if is_one else windows,
        )
        self.failed += "P_batt" not in plan
        return plan.get("P_batt", pd.Series(0.0, SLOTS)).tolist()


def _program(site: Site, rates: Sequence[float], gap: float, low_J: float) -> Optimization:
    """EMHASS's program with its own defaults, except for these keys."""
    store = site.store
    conf = json.loads(files("emhass").joinpath("data/config_defaults.json").read_text())
    conf |= {
        "optimization_time_step": pd.Timedelta(seconds=SLOT_S),
        "time_zone": "UTC",
        "delta_forecast_daily": COUNT / SLOTS_PER_DAY,
        "number_of_deferrable_loads": 0,
        "num_threads": 1,
        "lp_solver_mip_rel_gap": gap,
        "lp_solver_timeout": 3600,  # of the wall clock, so that a busy machine cuts no plan short
        "capacity_cost_per_kw": [*rates],  # for a single rate EMHASS takes the number
        "maximum_power_from_grid": planning.CAP_PART * site.import_W,
        "maximum_power_to_grid": site.export_W,
        "compute_curtailment": True,
        "set_use_battery": True,
        "weight_battery_discharge": store.wear_per_kWh,
        "battery_charge_power_max": store.charge_W,
        "battery_discharge_power_max": store.discharge_W / store.one_way,  # on its DC side
        "battery_charge_efficiency": store.one_way,
        "battery_discharge_efficiency": store.one_way,
        "battery_nominal_energy_capacity": site.full_J / J_PER_WH,
        "battery_minimum_state_of_charge": low_J / site.full_J,
        "battery_maximum_state_of_charge": store.high_J / site.full_J,
    }
    return Optimization(conf, conf, conf, "cost", "feed_in", "profit", {}, LOGGER)
