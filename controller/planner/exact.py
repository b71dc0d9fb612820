"""The least-cost plan of a battery, exact, by the cost to go.

The least cost from a slot on is a convex, piecewise linear function of the stored energy: a sorted
list of slopes. One slot merges its own few pieces (give, replace import, store surplus, charge,
break the cap) into that list and cuts it at the band. So 192 slots take about a millisecond, with
no solver, and the result is that of a linear program.

Where a price is negative, sorted slopes let a slot charge and discharge at once, as the linear
program does. What is planned is the net power.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

J_PER_WH, J_PER_KWH = 3600.0, 3.6e6
BLOCK = 200  # slots whose costs are kept at once: all costs of 28 days would take 25 MiB
BREAKS_PER_KWH = 1e4  # cost of import above the cap: more than any saving
Piece = tuple[float, float]  # (cost for each J more, length in J)
Cost = tuple[float, float, list[Piece]]  # lowest and highest energy, pieces of rising slope


class Store(NamedTuple):
    """What the battery can store and move. Energies are those of its cells."""

    low_J: float  # lowest energy of the plan
    high_J: float  # highest energy of the plan
    now_J: float  # at the first slot
    charge_W: float  # highest power
    discharge_W: float  # highest power
    one_way: float  # efficiency of charging alone, and of discharging alone
    wear_per_kWh: float = 0.01  # of a kWh that it gives
    idle_W: float = 0.0  # drawn by the converters at a power of 0


class Slot(NamedTuple):
    """One slot. Prices are with all adders; feed_in <= price where the price is positive."""

    net_W: float  # forecast of the load less PV
    price_per_kWh: float
    feed_in_per_kWh: float
    cap_W: float  # highest import
    export_W: float  # highest export
    low_J: float = 0.0  # lowest energy at its end, where that is above the band's
    charge_to_W: float = math.inf  # highest import of a charge, where that is below the cap

    def paid(self, power_W: float) -> float:
        """The import's price times its power at this power of the battery, W / kWh."""
        grid_W = self.net_W - power_W
        return grid_W * (self.price_per_kWh if grid_W > 0 else self.feed_in_per_kWh)


class Plan(NamedTuple):
    """power_W > 0 discharges; stored_J: at the end of each slot; worth_per_kWh: what one more
    stored kWh would save after that.
    """

    power_W: list[float]
    stored_J: list[float]
    worth_per_kWh: list[float]


def plan(slots: Sequence[Slot], slot_s: float, store: Store, end_per_kWh: float) -> Plan:
    """The plan of least cost. end_per_kWh: worth of a stored kWh after the last slot."""
    floors_J, high_J = floors(slots, slot_s, store), max(store.high_J, store.now_J)
    own, idle_J = [_pieces(slot, slot_s, store) for slot in slots], store.idle_W * slot_s

    def to_go(first: int, after: Cost, end: int) -> list[Cost]:
        """The cost to go at the end of each slot, from that after the last one."""
        found = [after]
        for at in range(end - 1, first, -1):
            found.append(_before(found[-1], own[at], floors_J[at], high_J, idle_J))
        return found[::-1]

    after = floors_J[-1], high_J, [(-end_per_kWh / J_PER_KWH, high_J - floors_J[-1])]
    blocks = list[tuple[int, Cost, int]]()  # (first slot, cost to go after the last, its end)
    for end in range(len(slots), 0, -BLOCK):
        first = max(0, end - BLOCK)
        blocks.append((first, after, end))
        if first:
            after = to_go(first - 1, after, end)[0]
    found, now_J = Plan([], [], []), store.now_J
    for first, after, end in reversed(blocks):
        now_J = _forward(found, own[first:end], to_go(first, after, end), slot_s, store, now_J)
    return found


def floors(slots: Sequence[Slot], slot_s: float, store: Store) -> list[float]:
    """The lowest energy at the begin of each slot and after the last: the band's, or what charging
    below the cap can reach, if the store begins below its band.
    """
    reached_J, found = store.now_J, [min(store.low_J, store.now_J)]
    for slot in slots:
        most_W = min(slot.cap_W, slot.charge_to_W)
        room_W = max(0.0, min(store.charge_W, most_W - slot.net_W))
        reached_J = min(store.high_J, reached_J + (room_W * store.one_way - store.idle_W) * slot_s)
        found.append(min(max(store.low_J, min(slot.low_J, store.high_J)), reached_J))
    return found


def _pieces(slot: Slot, slot_s: float, store: Store) -> Cost:
    """The cost of a slot over the energy that it moves into the store, J."""
    one_way, (net_W, price, feed_in, cap_W, export_W, _, charge_to_W) = store.one_way, slot
    give_W, take_W = store.discharge_W, store.charge_W
    per_given, per_taken = slot_s / one_way, slot_s * one_way
    given = [  # (cost for each kWh given less, least and highest power)
        (feed_in, net_W, net_W + export_W),
        (price, net_W - cap_W, net_W),
        (BREAKS_PER_KWH, 0.0, net_W - cap_W),
    ]
    taken = [
        (0.0, 0.0, -net_W - export_W),  # surplus that nobody takes
        (feed_in, max(0.0, -net_W - export_W), -net_W),
        (price, -net_W, min(cap_W, charge_to_W) - net_W),
        (BREAKS_PER_KWH, min(cap_W, charge_to_W) - net_W, take_W),
    ]
    lowest_J, pieces = 0.0, list[Piece]()
    for worth, least, most in given:
        length = (most if most < give_W else give_W) - (least if least > 0 else 0.0)
        if length > 0:
            lowest_J -= length * per_given
            pieces.append(((worth - store.wear_per_kWh) * one_way / J_PER_KWH, length * per_given))
    highest_J = 0.0
    for cost, least, most in taken:
        length = (most if most < take_W else take_W) - (least if least > 0 else 0.0)
        if length > 0:
            highest_J += length * per_taken
            pieces.append((cost / one_way / J_PER_KWH, length * per_taken))
    pieces.sort()
    return lowest_J, highest_J, pieces


def _before(after: Cost, own: Cost, low_J: float, high_J: float, idle_J: float) -> Cost:
    """The cost to go at the begin of a slot, from that at its end."""
    (lowest_J, highest_J, later), (least_J, most_J, pieces) = after, own
    merged = sorted([*later, *[(-slope, length) for slope, length in pieces]])
    return _cut((lowest_J - most_J + idle_J, highest_J - least_J + idle_J, merged), low_J, high_J)


def _cut(whole: Cost, low_J: float, high_J: float) -> Cost:
    """The part of a cost between two energies."""
    begin_J, end_J, pieces = whole
    first, last = 0, len(pieces)
    while first < last and begin_J + pieces[first][1] <= low_J:
        begin_J += pieces[first][1]
        first += 1
    while first < last and end_J - pieces[last - 1][1] >= high_J:
        last -= 1
        end_J -= pieces[last][1]
    found = pieces[first:last]
    if not found:
        begin_J = end_J = max(begin_J, low_J)
    if begin_J < low_J:
        found[0] = found[0][0], found[0][1] - (low_J - begin_J)
        begin_J = low_J
    if end_J > high_J and found:
        found[-1] = found[-1][0], found[-1][1] - (end_J - high_J)
        end_J = high_J
    return begin_J, end_J, found


def _forward(
    found: Plan, own: list[Cost], to_go: list[Cost], slot_s: float, store: Store, now_J: float
) -> float:
    """Follow the cheapest way from the energy of now; the energy at its end."""
    idle_J = store.idle_W * slot_s
    for mine, after in zip(own, to_go):
        moved_J = _cheapest(mine, after, now_J - idle_J)
        now_J += moved_J - idle_J
        rate_W = -moved_J / slot_s
        found.power_W.append(rate_W * store.one_way if rate_W > 0 else rate_W / store.one_way)
        found.stored_J.append(now_J)
        found.worth_per_kWh.append(_worth(after, now_J) * J_PER_KWH)
    return now_J


def _worth(after: Cost, stored_J: float) -> float:
    """What one more J saves; 0 in a full store."""
    at_J, _, pieces = after
    for slope, length in pieces:
        at_J += length
        if at_J > stored_J + 1.0:
            return -slope
    return 0.0


def _cheapest(own: Cost, after: Cost, begin_J: float) -> float:
    """The energy moved into the store in a slot, J. begin_J: what is stored without a move."""
    (moved_J, _, pieces), (lowest_J, _, later) = own, after
    # from the lowest energy that a move reaches, up while the next J costs less than it saves
    at_J = begin_J + moved_J
    for slope, length in pieces:
        end_J = at_J + length
        best_J = _stops_at(later, lowest_J, -slope)
        if best_J < end_J:
            return max(at_J, best_J) - begin_J
        at_J = end_J
    return at_J - begin_J


def _stops_at(later: list[Piece], lowest_J: float, worth: float) -> float:
    """The energy up to which each J is worth more than its cost (worth: cost with a minus)."""
    at_J = lowest_J
    for slope, length in later:
        if slope >= worth:
            break
        at_J += length
    return at_J
