"""Meter family: one read of 32-bit floats, taken whole or refused. Real error readings carry -1 or
-2 in every channel, and a shifted read gives absurd phases. So every phase must have 0.5 to 1.5
times the nominal voltage, a power factor from -1 to 1, and no more power than voltage times current
allows. NaN fails each check.
"""

import zlib

from drivers.buses import rtu
from drivers.profile import Profile
from drivers.sink import Sink
from safety import signals

# of nominal: outside this range the grid has tripped long ago, or the value is no voltage
VOLTAGE_LOW, VOLTAGE_HIGH = 0.5, 1.5
HASH_MASK = signals.INT_MAX


class Meter:
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
        self.profile, self.unit_id, self._power_W_max = profile, unit_id, power_W_max
        self.refused = 0
        self._inp, self._fresh = sink.inp, sink.fresh
        self._power_index, self._hash_index, self._group = power_index, hash_index, group
        self._sign = -1 if inverted else 1
        self._pdu: bytes | None = None
        settings = profile.settings
        self._phases = settings["phases"]
        self._slack = 1 + settings["power_tolerance_permille"] / 1000
        self._slack_W = settings["power_tolerance_W"]
        names = [
            f"{quantity}_{phase + 1}"
            for quantity in ("voltage", "current", "power", "power_factor")
            for phase in range(self._phases)
        ]
        self._address, self._count, layout = profile.block(names)
        self._unpack = layout.unpack_from
        nominal_V = settings["nominal_voltage_V"]
        registers = [profile.registers[name] for name in names]
        limits = [(register.low, register.high) for register in registers]
        self._limits = tuple(
            (max(low, nominal_V * VOLTAGE_LOW), min(high, nominal_V * VOLTAGE_HIGH))
            if index < self._phases
            else (low, high)
            for index, (low, high) in enumerate(limits)
        )

    def periodic(self) -> list[tuple[rtu.Request, int]]:
        """[(Request, period in us)]: the one read."""
        function = self.profile.registers["power_1"].function
        request = rtu.read_request(
            (self.unit_id, "meter"),
            self.unit_id,
            function,
            self._address,
            self._count,
            self._on_reply,
        )
        return [(request, self.profile.period_ms * 1000)]

    schedule = periodic

    def _on_reply(self, pdu: bytes, now_us: int) -> None:
        if pdu != self._pdu:
            values = self._unpack(pdu, 2)
            power_W = self._power_W(values)
            if power_W is None:
                self.refused += 1
                return
            self._pdu = pdu
            self._inp[self._power_index] = power_W
            self._inp[self._hash_index] = zlib.crc32(pdu) & HASH_MASK
        self._fresh[self._group] = 1

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
