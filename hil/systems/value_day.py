"""One day of a system in value mode, each figure beside that of the chain-only run on the same day.

Controller, kernel and plant begin at midnight with the charge that the chain-only run had then. So
the start of the cabinet and the test of its meter are a part of the day.
"""

import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np

from hil.systems import figures, run, violations
from hil.systems.live import LivePod
from hil.systems.run import Result
from hil.systems.series import SLOT_S, SLOTS_PER_DAY, Series
from hil.systems.watched import missing_J

SLOT_ARRAYS = ("grid_W", "battery_W", "pv_W", "genset_W", "load_W", "soc", "spread_K")
COLUMNS = "  {:<78}{:>16}{:>18}"


def document(chain: Result, inputs: dict[str, Any], day: int) -> dict[str, Any]:
    """Plain data. chain: the whole chain-only run; day: 1 is its first."""
    first = (day - 1) * SLOTS_PER_DAY
    soc = float(chain.soc[first - 1]) if first else chain.spec.soc_permille / 1000
    wanted = day_of(chain, day)
    with tempfile.TemporaryDirectory() as folder:
        pod = LivePod(chain.spec, Path(folder), first * SLOT_S, soc, True, inputs)
        pod.members[0].quicken()
        found = played(pod, wanted)
    pairs = zip(figures.of(found), figures.of(wanted))
    (member,) = pod.members
    return {
        "day": day,
        "modes": [pod.mode, run.MODE],
        "soc_begin": soc,
        "soc_end": [float(found.soc[-1]), float(wanted.soc[-1])],
        "figures": [
            {"name": one.name, "text": one.text, "unit": one.unit}
            | {"reached": [one.reached, other.reached]}
            for one, other in pairs
        ],
        "trips": member.trips.trips,
        "violations": [*member.observer.violations, *violations.of(found)],
    }


def day_of(result: Result, day: int) -> Result:
    """One day of a run, as a run of one day; day: 1 is the first."""
    slots = slice((day - 1) * SLOTS_PER_DAY, day * SLOTS_PER_DAY)
    seconds = slice(slots.start * SLOT_S, slots.stop * SLOT_S)
    spec = result.spec._replace(days=1, start=result.spec.start + timedelta(days=day - 1))
    return result._replace(
        spec=spec,
        series=Series(*[each[slots] for each in result.series]),
        seconds_W=result.seconds_W[:, seconds],
        watched=result.watched.part(slots),
        **{name: getattr(result, name)[slots] for name in SLOT_ARRAYS},
    )


def played(pod: LivePod, like: Result) -> Result:
    """Run the pod for the slots of `like`; returns the same records of it."""
    count = len(like.soc)
    rows, unserved_J = np.zeros((len(SLOT_ARRAYS), count)), np.zeros(count)
    seconds_W = np.zeros((2, count * SLOT_S), np.float32)
    energy_J = pod.site.account.energy_J
    for slot in range(count):
        before_J = dict(energy_J)
        for second in range(slot * SLOT_S, (slot + 1) * SLOT_S):
            seconds_W[:, second] = _second_W(pod)
        unserved_J[slot] = missing_J(energy_J) - missing_J(before_J)
        rows[:, slot] = *run.means_W(before_J, energy_J, SLOT_S), *_charge_and_spread(pod)
    found: dict[str, Any] = dict(zip(SLOT_ARRAYS, rows))
    watched = like.watched._replace(unserved_J=unserved_J, soc_min=float(found["soc"].min()))
    return like._replace(seconds_W=seconds_W, account=dict(energy_J), watched=watched, **found)


def _second_W(pod: LivePod) -> tuple[float, float]:
    """Means of load and grid over the next second."""
    ticks = 1_000_000 // pod.tick_us
    load_W = grid_W = 0.0
    for _ in range(ticks):
        pod.step()
        load_W += pod.site.load_power_W
        grid_W += pod.site.grid_power_W
    return load_W / ticks, grid_W / ticks


def _charge_and_spread(pod: LivePod) -> tuple[float, float]:
    """(charge, 0 to 1; K between the mean temperatures of the warmest and the coldest unit)."""
    plant = pod.members[0].plant
    degC = [float(np.mean([one.temperatures_degC for one in link.racks])) for link in plant.buses]
    return sum([one.soc for one in plant.racks]) / len(plant.racks), max(degC) - min(degC)


def lines(document: dict[str, Any]) -> list[str]:
    """The day as a table."""
    ends = " and ".join([f"{each:.1%}" for each in document["soc_end"]])
    trips = [f"{trip['stage']} after {trip['t_s']:.1f} s" for trip in document["trips"]]
    return [
        COLUMNS.format(f"day {document['day']}", *document["modes"]).rstrip(),
        *[
            COLUMNS.format(f"{each['text']} [{each['unit']}]", *map(_number, each["reached"]))
            for each in document["figures"]
        ],
        f"  state of charge at midnight {document['soc_begin']:.1%}, a day later {ends}",
        f"  rows that tripped in value mode: {', '.join(trips) or 'none'}",
        *[f"  VIOLATED in value mode: {each}" for each in document["violations"]],
    ]


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
