"""The supply of everything auxiliary: mains, and a battery that carries the load without it."""

RECHARGE_H = 8.0  # from empty to full
RESERVE_MIN_MAX = 10_000.0


class Ups:
    """`mains`: present or not; `invalid`: fault of its own data; `charge_W`: from the mains.

    The load of an empty battery stays on: a scenario ends before.
    """

    def __init__(self, config):
        """config: config.CabinetConfig."""
        self.mains = True
        self.invalid = False
        self.charge_W = 0.0
        self._full_Wh = self._left_Wh = config.ups_Wh
        self._load_W = max(1.0, config.aux_W)

    # minutes that the battery would carry the load of now
    reserve_min = property(lambda self: min(RESERVE_MIN_MAX, 60.0 * self._left_Wh / self._load_W))

    def set_reserve(self, reserve_min):
        """Fault: an aged battery holds no more than reserve_min at the load of now."""
        self._full_Wh = self._left_Wh = reserve_min * self._load_W / 60.0

    def step(self, dt_s, load_W):
        """Advance by dt_s at load_W."""
        self._load_W = max(1.0, load_W)
        self.charge_W = 0.0
        if not self.mains:
            self._left_Wh = max(0.0, self._left_Wh - load_W * dt_s / 3600.0)
        elif self._left_Wh < self._full_Wh:
            self.charge_W = self._full_Wh / RECHARGE_H
            self._left_Wh = min(self._full_Wh, self._left_Wh + self.charge_W * dt_s / 3600.0)
