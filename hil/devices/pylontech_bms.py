"""A Pylontech LV BMS (V1.2 or V1.3).

Each second it sends a burst of 11-bit frames, and an inverter answers with 0x305. The BMS closes
its contactors while it hears 0x305.

V1.2: 0x351 0x355 0x356 0x359 0x35C 0x35E. V1.3: 0x35A and 0x35F instead of 0x359 and 0x35C, and six
bytes in 0x355. Current on the wire is positive when charging. With the documented 0.01 V, 0x356
ends at 327.67 V; several manufacturers use 0.1 V (`voltage_scale_V`).
"""

import math
import struct

from hil.devices.simulated_bms import Frames, SimulatedBms
from hil.plant.rack import Rack

PERIOD_US = 1_000_000
MAKER = b"PYLON   "

# Thresholds of the protections, and of the alarms that come before: cell V high, V low, degC hot,
# degC cold.
PROTECTIONS = (3.65, 2.80, 55.0, 0.0)
ALARMS = (3.60, 2.85, 52.0, 3.0)

# Place of each flag: byte and bit in 0x359 (V1.2, 2018-04-08), number of the bit pair in 0x35A
# (V1.3). Order: high V, low V, hot, cold, discharge current, charge current, system error.
# In 0x359, bytes 0 and 1 hold protections, bytes 2 and 3 alarms.
FLAGS = ((0, 1, 1), (0, 2, 2), (0, 3, 3), (0, 4, 4), (0, 7, 7), (1, 0, 8), (1, 3, 11))
PAIR_GENERAL, PAIR_ACTIVE, PAIR_QUIET = 0, 0b01, 0b10
CHARGE_ENABLE, DISCHARGE_ENABLE = 0x80, 0x40  # 0x35C byte 0


class PylontechBms(SimulatedBms):
    """The BMS of one rack. A bus has one, because the ids contain no address.

    alarms_supported = False sends 0x35A all zero, as V1.3 packs of the manufacturer do. Further
    fault: negative_discharge_limit.
    """

    command_ids = (0x305,)

    def __init__(self, rack: Rack) -> None:
        super().__init__(rack)
        self.dialect, self.voltage_scale_V, self.alarms_supported = "V1.2", 0.01, True
        self.negative_discharge_limit = False
        self._burst: Frames | None = None

    def frames(self, now_us: int) -> Frames:
        """[(can_id, data)] of the burst that is due at now_us; empty if none is due."""
        self.tick(now_us)
        if self.next_us is None:
            self.next_us = now_us
        if now_us < self.next_us:
            return []
        self.next_us += ((now_us - self.next_us) // PERIOD_US + 1) * PERIOD_US
        if self.silent:
            return []
        if self._burst is None or not self.frozen:
            self._burst = self._encoded()
        return self.sent(self._burst)

    def receive(self, can_id: int, data: bytes, now_us: int) -> None:
        """Close the contactors at 0x305, which shows that an inverter is present."""
        if can_id not in self.command_ids or self.deaf:
            return
        if self._heard_us is None:
            self.rack.command_close(True)
        self._heard_us = now_us

    def _encoded(self) -> Frames:
        rack = self.rack
        sign = -1 if self.negative_discharge_limit else 1
        discharge_voltage_V = rack.charge_voltage_V_max * PROTECTIONS[1] / PROTECTIONS[0]
        currents = _s16(rack.charge_limit_A * 10), _s16(sign * rack.discharge_limit_A * 10)
        limits = _u16(rack.charge_voltage_V_max * 10), *currents, _u16(discharge_voltage_V * 10)
        mean_degC = math.fsum(rack.temperatures_degC) / len(rack.temperatures_degC)
        measured = rack.voltage_V / self.voltage_scale_V, -rack.current_A * 10, mean_degC * 10
        charge = struct.pack("<HH", round(rack.soc * 100), round(rack.soh * 100))
        is_older = self.dialect == "V1.2"
        return [
            (0x351, struct.pack("<HhhH", *limits)),
            (0x355, charge if is_older else charge + b"\0\0"),
            (0x356, struct.pack("<hhh", *[_s16(value) for value in measured])),
            *(self._v1_2() if is_older else self._v1_3()),
            (0x35E, MAKER),
        ]

    def _v1_2(self) -> Frames:
        rack = self.rack
        bits = _bits(self._trips(*PROTECTIONS)) + _bits(self._trips(*ALARMS))
        enables = CHARGE_ENABLE * (rack.charge_limit_A > 0)
        enables |= DISCHARGE_ENABLE * (rack.discharge_limit_A > 0)
        modules = len(rack.temperatures_degC)
        return [(0x359, bits + bytes((modules,)) + b"PN"), (0x35C, bytes((enables, 0)))]

    def _v1_3(self) -> Frames:
        alarms = warnings = 0
        if self.alarms_supported:
            alarms, warnings = _pairs(self._trips(*PROTECTIONS)), _pairs(self._trips(*ALARMS))
        return [
            (0x35A, struct.pack("<II", alarms, warnings)),
            (0x35F, struct.pack("<HHHH", 0, 0x0103, 280, 0)),
        ]

    def _trips(
        self, high_V: float, low_V: float, hot_degC: float, cold_degC: float
    ) -> tuple[bool, ...]:
        """True where exceeded: high V, low V, high T, low T, discharge, charge current, system."""
        rack = self.rack
        return (
            rack.cell_voltage_V_max >= high_V,
            rack.cell_voltage_V_min <= low_V,
            max(rack.temperatures_degC) >= hot_degC,
            min(rack.temperatures_degC) <= cold_degC,
            rack.current_A > rack.discharge_limit_A + 1,
            -rack.current_A > rack.charge_limit_A + 1,
            rack.fault_bits != 0,
        )


def _bits(trips: tuple[bool, ...]) -> bytes:
    """Two bytes of 0x359, with either the protections or the alarms."""
    data = [0, 0]
    for tripped, (byte, bit, _) in zip(trips, FLAGS):
        data[byte] |= tripped << bit
    return bytes(data)


def _pairs(trips: tuple[bool, ...]) -> int:
    """Four bytes of 0x35A as an integer. Each supported pair is either quiet or active."""
    tripped_by_pair = {PAIR_GENERAL: any(trips)}
    tripped_by_pair |= {pair: tripped for tripped, (_, _, pair) in zip(trips, FLAGS)}
    return sum(
        (PAIR_ACTIVE if tripped else PAIR_QUIET) << pair * 2
        for pair, tripped in tripped_by_pair.items()
    )


def _s16(value: float) -> int:
    return max(-32768, min(32767, round(value)))


def _u16(value: float) -> int:
    return max(0, min(65535, round(value)))
