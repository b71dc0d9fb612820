"""The auxiliary supply: the mains, and a battery for the time without mains."""

from hil.plant.config import CabinetConfig

RECHARGE_H = 8.0  # from empty to full
RESERVE_MIN_MAX = 10_000.0


class Ups:
    """`mains`: present or not; `invalid`: fault of the UPS's data; `charge_W`: taken from mains."""

    def __init__(self, config: CabinetConfig) -> None:
        """config: gives the energy of the battery and the usual load."""
        self.mains = True
        self.invalid = False
        self.charge_W = 0.0
        self._full_Wh = self._left_Wh = config.ups_Wh
        self._load_W = max(1.0, config.aux_W)

    # time for which the battery would carry the present load
    reserve_min = property(lambda self: min(RESERVE_MIN_MAX, 60.0 * self._left_Wh / self._load_W))

    def set_reserve(self, reserve_min: float) -> None:
        """Fault: the battery has aged and carries the present load only for reserve_min."""
        self._full_Wh = self._left_Wh = reserve_min * self._load_W / 60.0

    def step(self, dt_s: float, load_W: float) -> None:
        """Advance by dt_s at load_W."""
        self._load_W = max(1.0, load_W)
        self.charge_W = 0.0
        if not self.mains:
            self._left_Wh = max(0.0, self._left_Wh - load_W * dt_s / 3600.0)
        elif self._left_Wh < self._full_Wh:
            self.charge_W = self._full_Wh / RECHARGE_H
            self._left_Wh = min(self._full_Wh, self._left_Wh + self.charge_W * dt_s / 3600.0)
