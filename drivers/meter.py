"""Meter family: one read of 32-bit floats, taken whole or refused. Real error readings carry -1 or
-2 in every channel, and a shifted read gives absurd phases. So every phase must have 0.5 to 1.5
times the nominal voltage, a power factor from -1 to 1, and no more power than voltage times current
allows. NaN fails each check.
"""

import zlib

from drivers.one_read import OneRead
from drivers.profile import Profile
from drivers.sink import Sink
from safety import signals

# of nominal: outside this range the grid has tripped long ago, or the value is no voltage
VOLTAGE_LOW, VOLTAGE_HIGH = 0.5, 1.5
HASH_MASK = signals.INT_MAX


class Meter(OneRead):
    """One meter. Stores total power (W, positive imports) and a hash of the raw registers, which
    shows a frozen meter: a working one never repeats all of them for seconds.
    """

    def __init__(
        self,
        profile: Profile,
        unit_id: int,
        sink: Sink,
        power_index: int,
        hash_index: int,
        group: int,
        inverted: bool = False,
        power_W_max: int = signals.INT_MAX,
    ) -> None:
        """power_W_max: of all phases, both ways. inverted: the transformers are reversed."""
        settings = profile.settings
        self._phases, nominal_V = settings["phases"], settings["nominal_voltage_V"]
        names = [
            f"{quantity}_{phase + 1}"
            for quantity in ("voltage", "current", "power", "power_factor")
            for phase in range(self._phases)
        ]
        super().__init__(profile, unit_id, sink, group, names)
        self._power_index, self._hash_index = power_index, hash_index
        self._power_W_max, self._sign = power_W_max, -1 if inverted else 1
        self._slack = 1 + settings["power_tolerance_permille"] / 1000
        self._slack_W = settings["power_tolerance_W"]
        limits = [(profile.registers[name].low, profile.registers[name].high) for name in names]
        voltages = [
            (max(low, nominal_V * VOLTAGE_LOW), min(high, nominal_V * VOLTAGE_HIGH))
            for low, high in limits[: self._phases]
        ]
        self._limits = (*voltages, *limits[self._phases :])

    def _store(self, pdu: bytes, values: tuple[float, ...]) -> bool:
        power_W = self._power_W(values)
        if power_W is None:
            return False
        self._inp[self._power_index] = power_W
        self._inp[self._hash_index] = zlib.crc32(pdu) & HASH_MASK
        return True

    def _power_W(self, values: tuple[float, ...]) -> int | None:
        """Sum of the phases, W, or None when a phase fails a check."""
        for value, (low, high) in zip(values, self._limits):
            if not low <= value <= high:
                return None
        phases, slack, slack_W = self._phases, self._slack, self._slack_W
        total_W = 0.0
        for phase in range(phases):
            power_W = values[2 * phases + phase]
            if abs(power_W) > values[phase] * values[phases + phase] * slack + slack_W:
                return None
            total_W += power_W
        # before it is rounded, because infinity has no whole number
        return round(total_W) * self._sign if abs(total_W) <= self._power_W_max else None
