"""The exact least-cost plan of a battery, computed backwards from its last slot.

The cost to go is the least cost from a slot to the last one. It is a convex, piecewise linear
function of the stored energy, kept as a sorted list of slopes. Each slot merges its own few pieces
(give, replace import, store surplus, charge, break the cap) into that list and cuts the list at the
lowest and highest energy. So 192 slots take about a millisecond without a solver, and the result is
that of a linear program.

If a price is negative, sorted slopes let a slot charge and discharge at once, as a linear program
does. The plan then contains the net power.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

J_PER_WH, J_PER_KWH = 3600.0, 3.6e6
BLOCK = 200  # slots whose costs are kept at once: all costs of 28 days would take 25 MiB
BREAKS_PER_KWH = 1e4  # cost of import above the cap: higher than any saving
Numbers = Sequence[float]  # a value for each slot
Piece = tuple[float, float]  # (cost for each J more, length in J)
Cost = tuple[float, float, list[Piece]]  # lowest and highest energy, pieces of rising slope


class Store(NamedTuple):
    """The battery of a plan: its energies and powers. Energies are those of its cells."""

    low_J: float  # lowest energy of the plan
    high_J: float  # highest energy of the plan
    now_J: float  # at the first slot
    charge_W: float  # highest power
    discharge_W: float  # highest power
    one_way: float  # efficiency of charging alone, and of discharging alone
    wear_per_kWh: float = 0.01  # money for each kWh that the battery gives
    idle_W: float = 0.0  # drawn by the converters at a power of 0


class Slot(NamedTuple):
    """One slot. Prices include all adders; feed_in <= price if the price is positive."""

    net_W: float  # forecast of the load less PV
    price_per_kWh: float
    feed_in_per_kWh: float
    cap_W: float  # highest import
    export_W: float  # highest export
    low_J: float = 0.0  # lowest energy at its end; counts if it is above that of the store
    charge_to_W: float = math.inf  # highest import while charging; counts if it is below the cap

    def paid(self, power_W: float) -> float:
        """Grid power times its price, at this power of the battery, W * money / kWh."""
        grid_W = self.net_W - power_W
        return grid_W * (self.price_per_kWh if grid_W > 0 else self.feed_in_per_kWh)


class Plan(NamedTuple):
    """Lists with one value for each slot."""

    power_W: list[float]  # above 0 the battery discharges
    stored_J: list[float]  # at the end of the slot
    worth_per_kWh: list[float]  # what one more stored kWh would save after the slot


def plan(slots: Sequence[Slot], slot_s: float, store: Store, end_per_kWh: float) -> Plan:
    """The plan of least cost. end_per_kWh: worth of a stored kWh after the last slot."""
    floors_J, high_J = floors(slots, slot_s, store), max(store.high_J, store.now_J)
    slot_costs, idle_J = [_pieces(slot, slot_s, store) for slot in slots], store.idle_W * slot_s

    def to_go(first: int, after: Cost, end: int) -> list[Cost]:
        """The cost to go at the end of each slot. after: cost to go after the last slot."""
        costs = [after]
        for index in range(end - 1, first, -1):
            costs.append(_before(costs[-1], slot_costs[index], floors_J[index], high_J, idle_J))
        return costs[::-1]

    after = floors_J[-1], high_J, [(-end_per_kWh / J_PER_KWH, high_J - floors_J[-1])]
    blocks = list[tuple[int, Cost, int]]()  # (first slot, cost to go after the last, its end)
    for end in range(len(slots), 0, -BLOCK):
        first = max(0, end - BLOCK)
        blocks.append((first, after, end))
        if first:
            after = to_go(first - 1, after, end)[0]
    planned, now_J = Plan([], [], []), store.now_J
    for first, after, end in reversed(blocks):
        now_J = _forward(
            planned, slot_costs[first:end], to_go(first, after, end), slot_s, store, now_J
        )
    return planned


def floors(slots: Sequence[Slot], slot_s: float, store: Store) -> list[float]:
    """The lowest energy allowed at the start of each slot and after the last. It is that of the
    store. If the store begins below, it is the energy that charging below the cap can reach.
    """
    reached_J, floors_J = store.now_J, [min(store.low_J, store.now_J)]
    for slot in slots:
        most_W = min(slot.cap_W, slot.charge_to_W)
        room_W = max(0.0, min(store.charge_W, most_W - slot.net_W))
        reached_J = min(store.high_J, reached_J + (room_W * store.one_way - store.idle_W) * slot_s)
        floors_J.append(min(max(store.low_J, min(slot.low_J, store.high_J)), reached_J))
    return floors_J


def _pieces(slot: Slot, slot_s: float, store: Store) -> Cost:
    """The cost of a slot as a function of the energy that it moves into the store, J."""
    one_way, (net_W, price, feed_in, cap_W, export_W, _, charge_to_W) = store.one_way, slot
    give_W, take_W = store.discharge_W, store.charge_W
    per_given, per_taken = slot_s / one_way, slot_s * one_way
    discharge_bands = [  # (cost of giving one kWh less, least power, highest power)
        (feed_in, net_W, net_W + export_W),
        (price, net_W - cap_W, net_W),
        (BREAKS_PER_KWH, 0.0, net_W - cap_W),
    ]
    charge_bands = [
        (0.0, 0.0, -net_W - export_W),  # surplus that would otherwise be lost
        (feed_in, max(0.0, -net_W - export_W), -net_W),
        (price, -net_W, min(cap_W, charge_to_W) - net_W),
        (BREAKS_PER_KWH, min(cap_W, charge_to_W) - net_W, take_W),
    ]
    lowest_J, pieces = 0.0, list[Piece]()
    for worth, least, most in discharge_bands:
        length = (most if most < give_W else give_W) - (least if least > 0 else 0.0)
        if length > 0:
            lowest_J -= length * per_given
            pieces.append(((worth - store.wear_per_kWh) * one_way / J_PER_KWH, length * per_given))
    highest_J = 0.0
    for cost, least, most in charge_bands:
        length = (most if most < take_W else take_W) - (least if least > 0 else 0.0)
        if length > 0:
            highest_J += length * per_taken
            pieces.append((cost / one_way / J_PER_KWH, length * per_taken))
    pieces.sort()
    return lowest_J, highest_J, pieces


def _before(after: Cost, slot_cost: Cost, low_J: float, high_J: float, idle_J: float) -> Cost:
    """The cost to go at the start of a slot. after: cost to go at its end."""
    (lowest_J, highest_J, later), (least_J, most_J, pieces) = after, slot_cost
    merged = sorted([*later, *[(-slope, length) for slope, length in pieces]])
    return _cut((lowest_J - most_J + idle_J, highest_J - least_J + idle_J, merged), low_J, high_J)


def _cut(whole: Cost, low_J: float, high_J: float) -> Cost:
    """The part of a cost function between two energies."""
    begin_J, end_J, pieces = whole
    first, last = 0, len(pieces)
    while first < last and begin_J + pieces[first][1] <= low_J:
        begin_J += pieces[first][1]
        first += 1
    while first < last and end_J - pieces[last - 1][1] >= high_J:
        last -= 1
        end_J -= pieces[last][1]
    kept = pieces[first:last]
    if not kept:
        begin_J = end_J = max(begin_J, low_J)
    if begin_J < low_J:
        kept[0] = kept[0][0], kept[0][1] - (low_J - begin_J)
        begin_J = low_J
    if end_J > high_J and kept:
        kept[-1] = kept[-1][0], kept[-1][1] - (end_J - high_J)
        end_J = high_J
    return begin_J, end_J, kept


def _forward(
    planned: Plan, costs: list[Cost], to_go: list[Cost], slot_s: float, store: Store, now_J: float
) -> float:
    """Append the cheapest way from the energy now_J to `planned`. Returns the energy at its end."""
    idle_J = store.idle_W * slot_s
    for slot_cost, after in zip(costs, to_go):
        moved_J = _cheapest(slot_cost, after, now_J - idle_J)
        now_J += moved_J - idle_J
        rate_W = -moved_J / slot_s
        planned.power_W.append(rate_W * store.one_way if rate_W > 0 else rate_W / store.one_way)
        planned.stored_J.append(now_J)
        planned.worth_per_kWh.append(_worth(after, now_J) * J_PER_KWH)
    return now_J


def _worth(after: Cost, stored_J: float) -> float:
    """Saving by one more stored J, money; 0 in a full store."""
    at_J, _, pieces = after
    for slope, length in pieces:
        at_J += length
        if at_J > stored_J + 1.0:
            return -slope
    return 0.0


def _cheapest(slot_cost: Cost, after: Cost, begin_J: float) -> float:
    """The energy to move into the store in a slot, J. begin_J: stored energy without a move."""
    (moved_J, _, pieces), (lowest_J, _, later) = slot_cost, after
    # Start at the lowest energy that a move reaches, and go up while a J costs less than it saves.
    at_J = begin_J + moved_J
    for slope, length in pieces:
        end_J = at_J + length
        best_J = _stops_at(later, lowest_J, -slope)
        if best_J < end_J:
            return max(at_J, best_J) - begin_J
        at_J = end_J
    return at_J - begin_J


def _stops_at(later: list[Piece], lowest_J: float, worth: float) -> float:
    """The energy up to which each J saves more than it costs. worth: minus the cost of a J."""
    at_J = lowest_J
    for slope, length in later:
        if slope >= worth:
            break
        at_J += length
    return at_J
