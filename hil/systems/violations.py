"""Finds the limits that a system's run violates: connection, ramps, cap, reserve, the load."""

import numpy as np

from controller.planner.tariff import J_PER_KWH
from hil.systems import contacts, ramps
from hil.systems.contacts import CAP_ERROR
from hil.systems.run import Result
from hil.systems.sender import event_of, sends
from hil.systems.series import SLOT_S, outages_of
from hil.systems.watched import AFTER_S, reserve_permille

ROUNDING_W = 1.0  # rounding of seconds_W, which is float32
SOC_MARGIN = 1.0  # percent
UNSERVED_KWH_MIN = 0.01
NEARLY = 0.98  # part of the allowed power: above it the batteries gave all
# Time until a new schedule acts. A table of 96 slots takes half a minute to enter, and a heartbeat
# comes each 100 s.
ENTERS_S = 150


def of(result: Result) -> list[str]:
    """A sentence for each violation in a second or an interval."""
    size, grid_W = result.spec.size, result.seconds_W[1]
    return [
        *_over("import", grid_W, size.import_W),
        *_over("export", -grid_W, size.export_W),
        *_ramps(result),
        *contacts.broken(result.spec, grid_W),
        *[line for check in (_unserved, _missed_cap, _stale, _charge) for line in check(result)],
        *[
            f"{'outage' if minute['is_outage'] else 'plain day'} at {minute['at_s']} s: {fault}"
            for minute in result.minutes
            for fault in minute["faults"]
        ],
    ]


def _over(name: str, power_W: np.ndarray, limit_W: int) -> list[str]:
    is_over = power_W > limit_W + ROUNDING_W
    if not is_over.any():
        return []
    most_kW = (float(power_W.max()) - limit_W) / 1000
    return [f"{name} above {limit_W / 1000:g} kW in {is_over.sum()} s, by {most_kW:.3g} kW"]


def _ramps(result: Result) -> list[str]:
    """Violated ramps of the operator. The loss of the grid and its return do not count."""
    wanted = [ramp for ramp in result.spec.ramps if ramp[1] >= ramps.SHORT_S]
    if not wanted:
        return []
    grid_W = result.seconds_W[1].copy()
    for at_s, for_s in outages_of(result.spec):
        # The second before at_s counts as well: it ends with the loss.
        grid_W[at_s - 1 : at_s + for_s + AFTER_S] = np.nan
    return ramps.broken(grid_W, wanted)


def _unserved(result: Result) -> list[str]:
    missing_kWh = float(result.watched.unserved_J.sum()) / J_PER_KWH
    slots = int((result.watched.unserved_J > 0).sum())
    text = f"{missing_kWh:.3g} kWh of the load had no power outside of an outage, in {slots} slots"
    return [text] if missing_kWh >= UNSERVED_KWH_MIN else []


def _missed_cap(result: Result) -> list[str]:
    """Slots whose mean is above the cap of the schedule. A slot counts if the schedule acted in
    each of its seconds, and if the battery could have given more (charge left, power below limits).
    Slots of events are named separately, and count even if the battery had no more to give.
    """
    is_event = np.zeros(len(result.grid_W), bool)
    for event in map(event_of, result.spec.events):
        is_event[event.first : event.end] = True
    watched = result.watched
    least = (10 * SOC_MARGIN + reserve_permille(result.spec)) / 1000
    had_more = result.battery_W < NEARLY * watched.allowed_W
    is_over = (watched.acted_s == SLOT_S) & (result.grid_W > watched.cap_W * (1 + CAP_ERROR))
    is_over &= is_event | (had_more & (result.soc > least))
    over_W = np.where(is_over, result.grid_W - watched.cap_W, 0.0)
    kinds = (("cap of the schedule", ~is_event), ("cap of an event", is_event))
    missed = [(name, over_W[is_so]) for name, is_so in kinds]
    return [
        f"{name} missed in {(excess_W > 0).sum()} of {len(excess_W)} intervals, "
        f"by up to {excess_W.max() / 1000:.3g} kW"
        for name, excess_W in missed
        if (excess_W > 0).any()
    ]


def _stale(result: Result) -> list[str]:
    if not sends(result.spec):
        return []
    count = int((result.watched.stale_s > ENTERS_S).sum())
    text = f"the schedule had run out or its heartbeat was too old in {count} slots"
    return [f"{text}, although the sender was alive"] if count else []


def _charge(result: Result) -> list[str]:
    """[sentence] if the charge was below the backup reserve in a second on the grid."""
    hard = reserve_permille(result.spec) / 10
    least = result.watched.soc_min
    if 100 * least >= hard - SOC_MARGIN:
        return []
    return [f"state of charge {100 * least:.1f} %, backup reserve {hard:g} %"]
