"""Makes the rows of a schedule from a plan: grid cap, band of the battery's power, reserve."""

from collections.abc import Sequence

from controller.core.base.schedule_table import OPEN_W, SLOTS_MAX, Slot as Row
from controller.planner import cap
from controller.planner.exact import Plan, Slot, Store
from controller.planner.forecast import MARGIN
from controller.planner.places import SLOT_S

SURPLUS_W = 1000.0  # charging that imports no more than this counts as storing PV (assumed)
GAP_PART = 0.02  # of the cap: highest import beneath a cloud (assumed)


def rows_of(
    store: Store, slots: Sequence[Slot], plan: Plan, low_J: float, full_J: float
) -> list[Row]:
    """The rows of a plan. store: its low_J is the lowest energy at which the controller holds a
    cap. low_J: energy that the plan keeps.
    """
    kept_J = [max(low_J, min(slot.low_J, store.high_J)) for slot in slots]
    columns = zip(slots, plan.power_W, kept_J, _scarce(store, slots, plan), plan.worth_per_kWh)
    return [
        _beneath_clouds(
            store, slot, row_of(slot, power_W, int(1000 * energy_J / full_J), is_scarce), worth
        )
        for slot, power_W, energy_J, is_scarce, worth in list(columns)[:SLOTS_MAX]
    ]


def _beneath_clouds(store: Store, slot: Slot, row: Row, worth_per_kWh: float) -> Row:
    """The row of a slot that stores PV also lets the battery discharge while a cloud passes, if
    that saves more than the energy is worth later. The sun would fill the store anyway.
    """
    saved = (slot.price_per_kWh - store.wear_per_kWh) * store.one_way
    is_asked = row.battery_low_W != OPEN_W or row.battery_high_W not in (0, OPEN_W)
    if slot.net_W > 0 or is_asked or saved <= worth_per_kWh:
        return row
    return row._replace(battery_high_W=OPEN_W, grid_cap_W=round(GAP_PART * row.grid_cap_W))


def _scarce(store: Store, slots: Sequence[Slot], plan: Plan) -> list[bool]:
    """True for each slot from which on the caps may need all the energy stored at its start."""
    over_W = [slot.net_W - slot.cap_W for slot in slots]
    places = range(len(slots))
    need_J = cap.needed_J(over_W, SLOT_S, store, places)
    stored_J = [store.now_J, *plan.stored_J]
    return [stored_J[place] - store.low_J < MARGIN * need_J[place] for place in places]


def row_of(slot: Slot, power_W: float, reserve_permille: int, is_scarce: bool = False) -> Row:
    """The row of a slot. If the slot charges from the grid, or discharges, its power is one bound,
    and the other side stays open for load tracking. A row that stores PV only forbids discharging,
    because the export limit makes the battery take the surplus. Charging stays below the highest
    import of guard.py. While energy is scarce, a discharge has both bounds, so that only the cap
    can ask for more power.
    """
    low_W, high_W, cap_W, power_W = OPEN_W, OPEN_W, slot.cap_W, round(power_W)
    if power_W > 0:
        low_W = power_W
    if is_scarce and power_W >= 0:
        high_W = power_W
    elif power_W < 0 and slot.net_W - power_W <= SURPLUS_W:
        high_W = 0
    elif power_W < 0:
        high_W, cap_W = power_W, min(cap_W, max(slot.charge_to_W, slot.net_W))
    return Row(round(cap_W), low_W, high_W, reserve_permille)
