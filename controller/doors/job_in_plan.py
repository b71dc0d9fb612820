"""Finds when a job may run according to the planner's plan, and what its energy costs.

The plan has slots of 15 minutes, each with a cap on the import from the grid. The battery carries
the part of the job that is above the cap, with energy that the plan has above its reserve. It
stores this energy again in slots where the plan has room under the cap. A job cannot run in a slot
of which a number is unknown. Before a slot with a lower cap, the cap falls gradually
(core/policies/schedule.py). A plan that is missing, damaged or older than two hours gives no
answer.
"""

import math
import statistics
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from controller.core.policies.schedule import EARLY_S, LEAD_S, falling_W
from controller.state import plan_file
from controller.state.base import Facts
from controller.state.forecast import Job
from controller.state.plan_file import Plan
from controller.state.situation_forms import Situation
from controller.system.utc import elapsed_s

SLOT_S, HOUR_S, WH_PER_KWH, PERMILLE = 900, 3600, 1000, 1000
NEGLIGIBLE = 0.5  # W or Wh; a smaller lack counts as none


class Battery(NamedTuple):
    """charge_W, discharge_W: highest powers now. one_way: efficiency of charging or discharging.

    ramp_W_per_s: speed at which a cap falls.
    """

    charge_W: float
    discharge_W: float
    one_way: float
    ramp_W_per_s: int


class Slot(NamedTuple):
    """A slot of the plan.

    spare_Wh: energy above the reserve at its end. least_Wh: the lowest energy above the reserve
    during the slot.
    """

    grid_W: float
    cap_W: float
    battery_W: float
    spare_Wh: float
    least_Wh: float
    price_per_kWh: float | None


Slots = dict[float, Slot | None]  # {start, UTC in s: slot}; None if one of its numbers is unknown


class Trial(NamedTuple):
    """The job if it starts at begin_s. None: the plan ends too early, or a number is unknown."""

    begin_s: float
    missing_W: float | None  # power above the cap
    missing_Wh: float | None  # energy below the reserve
    cost: float | None

    def lacks(self) -> dict[str, int | None]:
        """missing_W and missing_Wh as whole numbers, rounded up."""
        both = {"missing_W": self.missing_W, "missing_Wh": self.missing_Wh}
        return {
            name: None if missing is None else max(0, math.ceil(missing - NEGLIGIBLE))
            for name, missing in both.items()
        }

    @property
    def fits(self) -> bool:
        """True if the job keeps cap and reserve."""
        return set(self.lacks().values()) == {0}


def read(run_directory: str) -> Plan | None:
    """The plan for this run directory; None if it is missing or damaged."""
    try:
        return plan_file.read(plan_file.beside(run_directory))
    except (plan_file.PlanFileError, FileNotFoundError):
        return None


def joined(answer: Facts, plan: Plan | None, situation: Situation, job: Job, now_s: float) -> Facts:
    """The answer of `ask`. If the plan is not older than two hours, it adds the key `plan`."""
    is_known = not (situation.unknown or situation.unknown_battery)
    if plan is None or not is_known or not plan["slots"] or plan_file.is_old(plan, now_s):
        return answer
    return {**answer, "plan": _answer(plan, situation, job, now_s)}


def _answer(plan: Plan, situation: Situation, job: Job, now_s: float) -> Facts:
    """{made_at, until, currency, asked: {at_s, at, missing_W, missing_Wh, cost}, earliest}.
    earliest: the same keys as asked, for the earliest start that fits, from the asked one on; or
    None.
    """
    limits, slots, first_s = situation.battery, slots_of(plan), now_s + job.at_s
    one_way = limits.efficiency_permille / PERMILLE
    battery = Battery(limits.charge_W_max, limits.discharge_W_max, one_way, situation.ramp_W_per_s)
    begins_s = [first_s, *[slot for slot in slots if elapsed_s(first_s, slot) > 0]]
    trials = [tried(slots, battery, job, begin_s) for begin_s in begins_s]
    earliest = next((trial for trial in trials if trial.fits), None)
    zone = datetime.fromisoformat(plan["at"]).tzinfo

    def facts_of(trial: Trial) -> Facts:
        start = datetime.fromtimestamp(int(trial.begin_s), zone).isoformat()
        return {
            "at_s": round(elapsed_s(now_s, trial.begin_s)),
            "at": start,
            **trial.lacks(),
            "cost": trial.cost,
        }

    return {
        "made_at": plan["made_at"],
        "until": datetime.fromtimestamp(max(slots) + SLOT_S, zone).isoformat(),
        "currency": plan["currency"],
        "asked": facts_of(trials[0]),
        "earliest": earliest and facts_of(earliest),
    }


def slots_of(plan: Plan) -> Slots:
    """The slots of a plan. A slot with an unknown reserve has the reserve of the slot before it."""
    slots: Slots = {}
    reserve_permille, before_Wh = None, math.inf
    for slot in plan["slots"]:
        if slot["reserve_permille"] is not None:
            reserve_permille = slot["reserve_permille"]
        begin_s = datetime.fromisoformat(slot["at"]).timestamp()
        powers_W = slot["grid_W"], slot["cap_W"], slot["battery_W"]
        if None in (*powers_W, slot["stored_Wh"], plan["full_Wh"], reserve_permille):
            slots[begin_s], before_Wh = None, math.inf
            continue
        spare_Wh = max(0.0, slot["stored_Wh"] - plan["full_Wh"] * reserve_permille / PERMILLE)
        ends_Wh = spare_Wh, min(before_Wh, spare_Wh)
        slots[begin_s] = Slot(*powers_W, *ends_Wh, slot["price_per_kWh"])
        before_Wh = spare_Wh
    return slots


def tried(slots: Slots, battery: Battery, job: Job, begin_s: float) -> Trial:
    """The Trial of a job that starts at begin_s (UTC in s)."""
    end_s = begin_s + job.for_s
    unknown = Trial(begin_s, None, None, None)
    if not slots or min(slots) > begin_s or max(slots) + SLOT_S < end_s:
        return unknown
    debt = _Debt(battery)
    for slot_s, slot in slots.items():
        slot_end_s = slot_s + SLOT_S
        if slot_end_s <= begin_s or (slot_s >= end_s and not debt.given_Wh):
            continue
        if slot is None and (slot_s < end_s or debt.owed_Wh):
            return unknown
        if slot is None:
            continue
        following = slots.get(slot_end_s, slot)
        if following is None and end_s > slot_end_s - LEAD_S:
            return unknown  # the cap of the next slot may be lower
        next_W = (following or slot).cap_W
        from_s, until_s = max(begin_s, slot_s), max(slot_s, min(end_s, slot_end_s))
        spare_Wh = slot.spare_Wh if until_s == slot_end_s else slot.least_Wh
        spans = (from_s, until_s, job.power_W, spare_Wh), (until_s, slot_end_s, 0, slot.spare_Wh)
        for *span, job_W, kept_Wh in spans:
            for part, span_s in _parts(slot, next_W, span, slot_end_s, battery.ramp_W_per_s):
                debt.step(part, job_W, span_s, kept_Wh)
    prices = [slot.price_per_kWh for slot in slots.values() if slot]
    return Trial(begin_s, debt.missing_W, debt.missing_Wh, debt.settled(prices))


def _parts(
    slot: Slot, next_W: float, span: Sequence[float], end_s: float, ramp_W_per_s: int
) -> list[tuple[Slot, float]]:
    """(slot, length in s) of two parts of a span: before the cap begins to fall, and after.

    The cap falls to the cap of the next slot. During the fall the lowest cap counts, and the
    battery provides the planned import that exceeds it.
    """
    (from_s, until_s), drop_W = span, slot.cap_W - next_W
    fall_s = min(LEAD_S, math.ceil(drop_W / ramp_W_per_s) + EARLY_S) if drop_W > 0 else 0
    at_s = min(max(from_s, end_s - fall_s), until_s)
    if at_s == until_s:
        return [(slot, until_s - from_s)]
    left_s = math.floor(end_s - until_s)
    cap_W = falling_W(round(slot.cap_W), round(next_W), left_s, ramp_W_per_s)
    more_W = max(0.0, min(slot.grid_W, slot.cap_W) - cap_W)
    powers_W = {"grid_W": slot.grid_W - more_W, "battery_W": slot.battery_W + more_W}
    return [(slot, at_s - from_s), (slot._replace(cap_W=cap_W, **powers_W), until_s - at_s)]


class _Debt:
    """Energy that the battery gives for a job and stores again, and the cost of the import."""

    def __init__(self, battery: Battery):
        self._battery = battery
        self.owed_Wh = self.given_Wh = self.missing_W = self.missing_Wh = 0.0
        self._cost: float | None = 0.0
        self._rooms: list[tuple[float, float]] = []  # (price, Wh of import that may be stored)

    def step(self, slot: Slot, job_W: float, span_s: float, spare_Wh: float) -> None:
        """Count a part of a slot in which the job takes job_W.

        spare_Wh: the energy of the plan above the reserve at the end of the part.
        """
        if span_s <= 0:
            return
        battery, hours, price = self._battery, span_s / HOUR_S, slot.price_per_kWh
        over_W = job_W - max(0.0, slot.cap_W - slot.grid_W)
        given_W = min(max(0.0, over_W), max(0.0, battery.discharge_W - slot.battery_W))
        self.missing_W = max(self.missing_W, over_W - given_W)
        given_Wh = given_W * hours / battery.one_way
        room_Wh = min(max(0.0, -over_W), max(0.0, battery.charge_W + slot.battery_W)) * hours
        self.given_Wh += given_Wh
        self.owed_Wh = max(0.0, self.owed_Wh + given_Wh - room_Wh * battery.one_way)
        self.missing_Wh = max(self.missing_Wh, self.owed_Wh - spare_Wh)
        if price is not None:
            self._rooms.append((price, room_Wh))
        self._pay((job_W - given_W) * hours, price)

    def _pay(self, energy_Wh: float, price_per_kWh: float | None) -> None:
        if energy_Wh and price_per_kWh is None:
            self._cost = None
        elif self._cost is not None:
            self._cost += energy_Wh / WH_PER_KWH * (price_per_kWh or 0.0)

    def settled(self, prices: Sequence[float | None]) -> float | None:
        """The cost, when the battery stores the energy again at the lowest prices.

        Energy for which this plan has no room costs the mean price.
        """
        left_Wh = self.given_Wh / self._battery.one_way
        for price, room_Wh in sorted(self._rooms):
            taken_Wh = min(left_Wh, room_Wh)
            left_Wh -= taken_Wh
            self._pay(taken_Wh, price)
        known = [price for price in prices if price is not None]
        self._pay(left_Wh, statistics.fmean(known) if known else None)
        return self._cost
