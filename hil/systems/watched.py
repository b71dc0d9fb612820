"""Keeps the values that violations.py needs in addition to the powers of a run.

Powers alone hide a shed load, a missed cap and a schedule that had run out, because with all three
the import is within the connection.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from controller.core.policies import schedule
from hil.site.site import Site
from hil.systems.member import SENDER, ChainMember
from hil.systems.series import SLOT_S, SLOTS_PER_DAY, outages_of
from hil.systems.spec import Spec

AFTER_S = 600  # time after an outage in which the stages of the load come back one at a time
STALE = schedule.NONE, schedule.LATER, schedule.OVER, schedule.SILENT
HARD_PERMILLE = 100  # the reserve of a configuration that names none


class Watched(NamedTuple):
    """One value for each slot; soc_min: lowest charge of any second on the grid, 0 to 1."""

    cap_W: np.ndarray  # cap of the schedule that was sent last; inf: none
    allowed_W: np.ndarray  # mean discharge power that the batteries' limits allowed
    acted_s: np.ndarray  # seconds in which the schedule acted
    stale_s: np.ndarray  # seconds without a valid schedule, although the sender was alive
    unserved_J: np.ndarray  # load without power outside of outages
    soc_min: float


class Watch:
    """Sees each second of a run."""

    def __init__(self, spec: Spec, site: Site, members: Sequence[ChainMember]) -> None:
        count = spec.days * SLOTS_PER_DAY
        self._site, self._members = site, members
        self._schedule = members[0].control.functions[schedule.Schedule.NAME]
        self._cap_W = np.full(count, np.inf)
        self._rows = np.zeros((4, count))
        self._missing_J = 0.0
        # The second that ends with the loss already has no power.
        self._outages = [
            range(at_s - 1, at_s + for_s + AFTER_S) for at_s, for_s in outages_of(spec)
        ]
        self._hard = reserve_permille(spec) / 1000
        self._soc_min, self._is_backup = 1.0, False

    def sent(self, slot: int, caps_W: Sequence[float]) -> None:
        """Note the caps of a schedule that reached the controllers, from this slot on."""
        count = min(len(caps_W), len(self._cap_W) - slot)
        self._cap_W[slot : slot + count] = caps_W[:count]

    def see(self, second: int) -> None:
        """Judge the second that ended."""
        allowed_W, acted_s, stale_s, unserved_J = self._rows
        slot, state = second // SLOT_S, self._schedule.out[schedule.O_STATE]
        acted_s[slot] += state == schedule.ACTS
        limits_W = [
            sum(member.loop.limits.discharge_W) for member in self._members if member.is_here
        ]
        allowed_W[slot] += sum(limits_W) / SLOT_S
        stale_s[slot] += state in STALE and SENDER not in self._members[0].silent
        energy_J, before_J = self._site.account.energy_J, self._missing_J
        all_J = energy_J["unserved"] + energy_J["shed"]  # dark or shed
        if all_J != before_J and not any([second in outage for outage in self._outages]):
            unserved_J[slot] += all_J - before_J
        self._missing_J = all_J
        self._see_charge()

    def _see_charge(self) -> None:
        """Note the lowest charge on the grid. An island may use the reserve, so the time until it
        is charged again does not count.
        """
        soc = min([member.soc for member in self._members])
        if self._site.is_off_grid:
            self._is_backup = True
        elif soc >= self._hard:
            self._is_backup = False
        if not self._is_backup and soc < self._soc_min:
            self._soc_min = soc

    def watched(self) -> Watched:
        """The values of the whole run."""
        allowed_W, acted_s, stale_s, unserved_J = self._rows
        return Watched(self._cap_W, allowed_W, acted_s, stale_s, unserved_J, self._soc_min)


def reserve_permille(spec: Spec) -> int:
    """Charge that the battery keeps for a loss of the grid, permille."""
    return spec.size.control.get("soc_reserve_backup_permille", HARD_PERMILLE)
