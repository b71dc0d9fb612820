"""Figures of events: outages, demand response, hours above the connection's limit."""

import math
from typing import Any

import numpy as np

from controller.planner.planning import MONTH_SLOTS, SLOTS_PER_DAY
from controller.planner.tariff import J_PER_KWH
from hil.systems import bounds, contacts
from hil.systems.run import Result
from hil.systems.sender import Event, event_of
from hil.systems.series import SLOT_S, outages_of
from hil.systems.sized import Size
from hil.systems.thermal import UNKNOWN, Attained, Measure

FOUR_H_S, REBOUND_SLOTS = 4 * 3600, 8
WITH_KERNEL = ("carried_h", "critical_kWh", "set_s", "charge_h", "fuel_h", "unserved_pct")


def extra_4h_MW(result: Result) -> Attained:
    """Highest mean of the load over 4 h, less the limit of the connection. A span of 4 h counts
    only if its import was within that limit in every second.
    """
    limit_W = result.spec.size.import_W
    if len(result.seconds_W[0]) < FOUR_H_S:
        return UNKNOWN
    over_W = np.maximum(0.0, result.seconds_W[0] - limit_W).astype(np.float64)
    broken = result.seconds_W[1] > limit_W
    sums = [np.concatenate([[0.0], samples.cumsum()]) for samples in (over_W, broken)]
    means_W, breaks = [(cumulative[FOUR_H_S:] - cumulative[:-FOUR_H_S]) for cumulative in sums]
    held_W = np.where(breaks == 0, means_W / FOUR_H_S, 0.0)
    return float(held_W.max()) / 1e6, float(means_W.max()) / FOUR_H_S / 1e6, 0.0


def event_over_kW(result: Result) -> Attained:
    """Highest import above the cap in an interval of a demand response event."""
    events = [event_of(table) for table in result.spec.events]
    if not events:
        return UNKNOWN
    net_W = result.series.net_W
    over_W, without_W = [
        max([float(import_W[event.first : event.end].max()) - event.cap_W for event in events])
        for import_W in (result.grid_W, net_W)
    ]
    least_W = bounds.net_W(result)
    least_over_W = max([_least_over_W(result.spec.size, least_W, event) for event in events])
    return max(0.0, over_W) / 1000, max(0.0, least_over_W) / 1000, max(0.0, without_W) / 1000


def _least_over_W(size: Size, net_W: np.ndarray, event: Event) -> float:
    """Least import above the cap, with a battery that is full at the start and has no losses."""
    during_W = net_W[event.first : event.end]
    hours = len(during_W) * SLOT_S / 3600
    by_power_W = float(during_W.max()) - size.power_W
    return max(by_power_W, float(during_W.mean()) - size.energy_Wh / hours) - event.cap_W


def event_over_kWh(result: Result) -> Attained:
    """Energy that the batteries lacked in the events: import above the cap."""
    sums_W = [
        math.fsum(
            np.maximum(0.0, import_W[event.first : event.end] - event.cap_W).sum()
            for event in map(event_of, result.spec.events)
        )
        for import_W in (result.grid_W, result.series.net_W)
    ]
    missing_kWh, without_kWh = [sum_W * SLOT_S / J_PER_KWH for sum_W in sums_W]
    return missing_kWh, None, without_kWh


def contact_over_s(result: Result) -> Attained:
    """Seconds with an import above what the closed contacts of the grid operator leave."""
    grid_W = result.seconds_W[1]
    caps_W = contacts.caps_W(result.spec, len(grid_W))
    if not contacts.closes(caps_W):
        return UNKNOWN
    over_s, without_s = [
        float((import_W > caps_W).sum()) for import_W in (grid_W, grid_W + result.battery_1s_W)
    ]
    return over_s, None, without_s


def rebound_kW(result: Result) -> Attained:
    """Highest import in the 2 h after an event, less the highest import in the 2 h before it."""
    events = [event_of(table) for table in result.spec.events]
    grid_W = result.grid_W
    rises_W = [
        float(grid_W[event.end : event.end + REBOUND_SLOTS].max())
        - float(grid_W[max(0, event.first - REBOUND_SLOTS) : event.first].max())
        for event in events
    ]
    return max(rises_W) / 1000 if rises_W else None, None, None


def carried_h(result: Result) -> Attained:
    """Hours of the run's outage in which the critical load has power, with the kernel."""
    played = _of_the_run(result)
    if played is None:
        return UNKNOWN
    return played["carried_s"] / 3600, played["for_s"] / 3600, 0.0


def _of_the_run(result: Result) -> dict[str, Any] | None:
    """The minutes with the kernel around the run's outage; None: none were played."""
    events = outages_of(result.spec)
    played = [minute for minute in result.minutes if [minute["at_s"], minute["for_s"]] in events]
    return played[0] if played else None


def lasts_h(key: str) -> Measure:
    """Hours that charge or fuel lasts in the run's outage, with the kernel (minutes.Falling)."""

    def figure(result: Result) -> Attained:
        played = _of_the_run(result)
        return (played[key] if played else None), None, None

    return figure


def unserved_pct(result: Result) -> Attained:
    """Share of the load's energy that was not served in the run's outage, %. Shed load counts."""
    played = _of_the_run(result)
    if played is None or not played["wanted_kWh"]:
        return UNKNOWN
    return 100 * played["lost_kWh"] / played["wanted_kWh"], 0.0, 100.0


def critical_kWh(result: Result) -> Attained:
    """Energy that the critical load did not get in all outages, with the kernel."""
    lacked_kWh = [minute["critical_kWh"] for minute in result.minutes if minute["is_outage"]]
    return (math.fsum(lacked_kWh) if lacked_kWh else None), 0.0, None


def set_s(result: Result) -> Attained:
    """Longest time from the loss of the grid until a generator set carries, with the kernel."""
    times_s = [minute["engine_s"] for minute in result.minutes if minute["engine_s"] is not None]
    return max(times_s, default=None), 0.0, None


def yielded_kWh(result: Result) -> tuple[float, None, None]:
    """Energy that the load did not get because a scheduler lowered it on request."""
    return float(result.lowered_W.sum()) * SLOT_S / J_PER_KWH, None, None


def yielded_h(result: Result) -> Attained:
    """Hours of a month in which the controller asked for less load."""
    months = result.spec.days * SLOTS_PER_DAY / MONTH_SLOTS
    return float(result.asked_s.sum()) / 3600 / months, 0.0, 0.0


FIGURES: dict[str, Measure] = {
    "extra_4h_MW": extra_4h_MW,
    "event_over_kW": event_over_kW,
    "event_over_kWh": event_over_kWh,
    "contact_over_s": contact_over_s,
    "rebound_kW": rebound_kW,
    "carried_h": carried_h,
    "critical_kWh": critical_kWh,
    "set_s": set_s,
    "charge_h": lasts_h("charge_h"),
    "fuel_h": lasts_h("fuel_h"),
    "unserved_pct": unserved_pct,
    "yielded_kWh": yielded_kWh,
    "yielded_h": yielded_h,
}
