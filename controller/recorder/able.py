"""Computes the energy of the full battery, and the power that the cabinet permits now.

The energy counts the racks in service, each with its state of health. Near full and empty, the
limits of a BMS follow the state of charge and show neither wear nor heat. So no power is reported
there.
"""

import contextlib
from collections.abc import Callable
from itertools import compress

from controller.core.health import Health
from controller.journal import replay
from controller.journal.snapshot import Snapshot
from safety import signals as s
from safety.contactors import CLOSED

# A charge power counts while no rack is above the first state of charge. A discharge power counts
# while no rack is below the second.
HIGH_PERMILLE, LOW_PERMILLE = 800, 200
UNKNOWN = None, None, None


class Able:
    """Computes energy and power. Call the object once per second."""

    def __init__(self, seen: Snapshot, known: Callable[[int], bool]):
        """known: True if the values of a freshness group are fresh."""
        self._seen, self._known, self._layout = seen, known, seen.layout
        self._health: Health | None = None
        with contextlib.suppress(KeyError, ValueError):  # another version wrote the journal
            self._health = replay.core_of(seen.reader.header).decision.health

    def __call__(self) -> tuple[int | None, int | None, int | None]:
        """(energy in Wh, charge power in W, discharge power in W).

        None is unknown: the cabinet does not run, or a rack in service reports no state of health.
        """
        layout, health, out = self._layout, self._health, self._seen.out
        if health is None:
            return UNKNOWN
        for rack, soh_permille in enumerate(self._of_racks(s.SOH_PERMILLE)):
            is_known = self._known(layout.rack_group(rack, s.G_BMS_CHARGE))
            health.step(rack, soh_permille if is_known else None)
        if out[s.STATE] != s.RUNNING:
            return UNKNOWN
        racks = range(layout.racks)
        closed = [out[layout.rack_output(rack, s.CONTACTOR_STEP)] == CLOSED for rack in racks]
        by_rack = health.rack_energies_Wh(), health.lowest(), self._of_racks(s.SOC_PERMILLE)
        energies_Wh, lowest, socs_permille = [[*compress(values, closed)] for values in by_rack]
        is_high = max(socs_permille, default=0) > HIGH_PERMILLE
        is_low = min(socs_permille, default=1000) < LOW_PERMILLE
        return (
            sum(energies_Wh) if all(lowest) else None,
            None if is_high else self._power_W(health, s.CHARGE_W_MAX),
            None if is_low else self._power_W(health, s.DISCHARGE_W_MAX),
        )

    def _of_racks(self, index: int) -> list[int]:
        """The value of one input for each rack."""
        layout = self._layout
        return [self._seen.inp[layout.rack_input(rack, index)] for rack in range(layout.racks)]

    def _power_W(self, health: Health, limit: int) -> int:
        layout, out = self._layout, self._seen.out
        permitted_W = sum(out[layout.unit_output(unit, limit)] for unit in range(layout.units))
        return min(health.power_W, permitted_W)
