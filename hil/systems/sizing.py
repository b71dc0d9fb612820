"""Describes load, sun and battery of a run in sentences, and says if the size is enough.

Every number is computed from the series of this run.
"""

from datetime import timedelta
from typing import Any

import numpy as np

from controller.planner import tariff
from hil.systems.run import Result
from hil.systems.series import HOUR_SLOTS, SLOT_S, SLOTS_PER_DAY
from hil.systems.spec import Spec

SLOT_H, MINUTE_S = SLOT_S / 3600, 60
STEP_SHARE = 99  # percent of the minute-to-minute changes that are below the stated step
KILO = 1000.0


def lines(result: Result) -> list[str]:
    """The sentences about a run."""
    return [
        _sizes(result.spec),
        *_load(result),
        *_sun(result),
        *_above(result, "connection", float(result.spec.size.import_W), is_billed=False),
        *(_above(result, "cap", result.cap_W, is_billed=True) if result.cap_W else ()),
    ]


def of(result: Result) -> dict[str, Any]:
    """Shape of the load as plain data: powers in W, ratios, steps in parts of the highest power."""
    load_W, seconds_W = result.series.load_W, result.seconds_W[0]
    minutes_W = seconds_W.reshape(-1, MINUTE_S).mean(axis=1, dtype=np.float64)
    steps_W = np.abs(np.diff(minutes_W))
    highest_W = float(load_W.max())
    days_W = load_W.reshape(-1, SLOTS_PER_DAY).mean(axis=1)
    hours_W = load_W.reshape(-1, 24, HOUR_SLOTS).mean(axis=(0, 2))
    is_working_day = [(result.spec.start + timedelta(days=day)).weekday() < tariff.WEEKDAYS
                      for day in range(len(days_W))]  # fmt: skip
    working_W, weekend_W = days_W[is_working_day], days_W[np.invert(is_working_day)]
    return {
        "mean_W": float(load_W.mean()),
        "highest_W": highest_W,
        "load_factor": _ratio(float(load_W.mean()), highest_W),
        "day": _ratio(float(hours_W.max()), float(hours_W.min())),
        "weekend": _ratio(float(weekend_W.mean()), float(working_W.mean()))
        if len(working_W) and len(weekend_W)
        else None,
        "step": _ratio(float(np.percentile(steps_W, STEP_SHARE)), highest_W),
    }


def _ratio(numerator: float, denominator: float) -> float | None:
    return numerator / denominator if denominator > 0 else None


def _sizes(spec: Spec) -> str:
    size = spec.size
    cabinets = f" in {spec.cabinets} cabinets" if spec.cabinets > 1 else ""
    battery = f"{size.units} units of {_power(size.rated_W)}{cabinets}, {_energy(size.energy_Wh)}"
    parts = [
        f"{name} {_power(spec.site[key]['rated_W'])}" for key, name in PARTS if key in spec.site
    ]
    return ", ".join([battery, *parts, f"connection {_power(size.import_W)}"])


PARTS = ("pv", "PV"), ("genset", "generator set"), ("load_ups", "UPS")


def _load(result: Result) -> list[str]:
    shape, size = of(result), result.spec.size
    mean_W, power_W = shape["mean_W"], size.power_W
    if mean_W <= 0:
        return ["no load"]
    weekend = shape["weekend"]
    week = f", a day of the weekend {weekend:.2f} of a working day" if weekend is not None else ""
    day = f"{shape['day']:.2f} times" if shape["day"] else "more than"
    return [
        f"load: mean {_power(mean_W)}, highest quarter of an hour {_power(shape['highest_W'])}, "
        f"load factor {shape['load_factor']:.2f}",
        f"load: busiest hour of the day {day} the quietest{week}; {STEP_SHARE} % of its steps of a "
        f"minute are below {100 * shape['step']:.2g} % of the highest",
        f"battery: {power_W / mean_W:.2g} times the mean load for {size.energy_Wh / power_W:.2g} "
        f"h, or {size.energy_Wh / mean_W:.2g} h of it; the schedule uses "
        f"{_energy(_usable_Wh(result.spec))}",
    ]


def _usable_Wh(spec: Spec) -> float:
    schedule = spec.schedule
    return (schedule["high_permille"] - schedule["reserve_permille"]) / 1000 * spec.size.energy_Wh


def _sun(result: Result) -> list[str]:
    if "pv" not in result.spec.site:
        return []
    days_Wh = result.series.pv_W.reshape(-1, SLOTS_PER_DAY).sum(axis=1) * SLOT_H
    share = _ratio(float(result.series.pv_W.sum()), float(result.series.load_W.sum()))
    part = "" if share is None else f", {100 * share:.2g} % of the load's energy"
    mean, least, most, spread = map(
        _energy, (days_Wh.mean(), days_Wh.min(), days_Wh.max(), days_Wh.std())
    )
    return [f"PV: {mean} a day{part}; from {least} to {most}, standard deviation {spread}"]


def _above(result: Result, name: str, limit_W: float, is_billed: bool) -> list[str]:
    """Power and energy that the battery must give above a limit, on the day that needs most energy.
    is_billed: the limit is for billed slots; the limit of other slots is the connection.
    """
    spec, net_W = result.spec, result.series.net_W
    limits_W = _limits_W(spec, limit_W, len(net_W)) if is_billed else limit_W
    over_W = np.maximum(0.0, net_W - limits_W).reshape(-1, SLOTS_PER_DAY)
    if not over_W.any():
        return [f"above the {name} of {_power(limit_W)}: nothing"]
    days_Wh = over_W.sum(axis=1) * SLOT_H
    day = int(days_Wh.argmax())
    room_Wh = np.maximum(0.0, limits_W - net_W).reshape(-1, SLOTS_PER_DAY)[day].sum() * SLOT_H
    power_W, usable_Wh = spec.size.power_W, _usable_Wh(spec)
    is_enough = over_W.max() <= power_W and days_Wh[day] <= min(usable_Wh, room_Wh)
    hours = float((over_W[day] > 0).sum()) * SLOT_H
    return [
        f"above the {name} of {_power(limit_W)}: up to {_power(over_W.max())}, on the worst day "
        f"{_energy(days_Wh[day])} in {hours:g} h, and {_energy(room_Wh)} of room to charge; "
        f"the battery gives {_power(power_W)} and {_energy(usable_Wh)}: "
        f"{'enough' if is_enough else 'not enough'}"
    ]


def _limits_W(spec: Spec, limit_W: float, count: int) -> np.ndarray:
    charges = tariff.charges(spec.tariff)
    times = [spec.start + timedelta(seconds=SLOT_S * slot) for slot in range(count)]
    return np.array(
        [
            limit_W if any([charge.is_billed(time) for charge in charges]) else spec.size.import_W
            for time in times
        ]
    )


def _power(power_W: float) -> str:
    return _scaled(power_W, "W")


def _energy(energy_Wh: float) -> str:
    return _scaled(energy_Wh, "Wh")


def _scaled(amount: float, unit: str) -> str:
    """The amount with three or four digits, in kilo or mega."""
    kilo = amount / KILO
    return f"{kilo / KILO:.3g} M{unit}" if abs(kilo) >= 9999.5 else f"{kilo:,.4g} k{unit}"
