"""What the battery can do now: its energy when full, and the power that the cabinet permits.

The energy is that of the racks in service, by their state of health. Near the ends of the charge
the limits of a BMS follow the charge and show neither wear nor heat, so no power counts there.
"""

import contextlib
from collections.abc import Callable

from controller.core.health import Health
from controller.core.parameters import settings_of
from controller.journal.snapshot import Snapshot
from safety import parameters as p, signals as s
from safety.contactors import CLOSED
from safety.kernel import Kernel

SECOND_MS = 1000
# charge of a rack up to which the power of a charge counts, and down to which that of a discharge
HIGH_PERMILLE, LOW_PERMILLE = 800, 200
UNKNOWN = None, None, None


class Able:
    """Call it each second."""

    def __init__(self, seen: Snapshot, known: Callable[[int], bool]) -> None:
        """known: whether the words of a freshness group are fresh."""
        self._seen, self._known = seen, known
        self._health = _health_of(seen)

    def __call__(self) -> tuple[int | None, int | None, int | None]:
        """(Wh, W of a charge, W of a discharge); None: unknown, as while the cabinet does not run
        or a rack in service reports no state of health.
        """
        seen, layout, health = self._seen, self._seen.layout, self._health
        if health is None:
            return UNKNOWN
        for rack in range(layout.racks):
            is_known = self._known(layout.rack_group(rack, s.G_BMS_CHARGE))
            health.step(rack, self._rack(rack, s.SOH_PERMILLE) if is_known else None)
        if seen.out[s.STATE] != s.RUNNING:
            return UNKNOWN
        racks = [rack for rack in range(layout.racks) if self._is_in_service(rack)]
        energies_Wh, lowest = health.rack_energies_Wh(), health.lowest()
        is_told = all([lowest[rack] for rack in racks])
        charges = [self._rack(rack, s.SOC_PERMILLE) for rack in racks] or [500]
        may_charge, may_give = max(charges) <= HIGH_PERMILLE, min(charges) >= LOW_PERMILLE
        return (
            sum([energies_Wh[rack] for rack in racks]) if is_told else None,
            self._power_W(s.CHARGE_W_MAX) if may_charge else None,
            self._power_W(s.DISCHARGE_W_MAX) if may_give else None,
        )

    def _rack(self, rack: int, index: int) -> int:
        return self._seen.inp[self._seen.layout.rack_input(rack, index)]

    def _is_in_service(self, rack: int) -> bool:
        step = self._seen.out[self._seen.layout.rack_output(rack, s.CONTACTOR_STEP)]
        return step == CLOSED and self._rack(rack, s.CONTACTOR_STATE) == s.CONTACTOR_CLOSED

    def _power_W(self, way: int) -> int:
        layout = self._seen.layout
        every = [self._seen.out[layout.unit_output(unit, way)] for unit in range(layout.units)]
        return min(sum(every), self._health.power_W if self._health else 0)


def _health_of(seen: Snapshot) -> Health | None:
    """The health as the controller counts it; None where another version wrote the journal."""
    header = seen.reader.header
    with contextlib.suppress(KeyError, ValueError):
        kernel = Kernel(header["safety_image"])
        words = kernel.bounds.map.unit + p.U_RATED_W
        units = range(kernel.layout.units)
        rated_W = [kernel.image[words + unit * p.UNIT_WORDS] for unit in units]
        energy_Wh = settings_of(header["control_image"])["energy_Wh"]
        return Health(kernel, energy_Wh, rated_W, SECOND_MS // max(1, kernel.layout.racks))
    return None
