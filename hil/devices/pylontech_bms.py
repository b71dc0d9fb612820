"""A BMS that speaks Pylontech LV V1.2 or V1.3: a burst of 11-bit frames per second, answered by
0x305.

V1.2: 0x351 0x355 0x356 0x359 0x35C 0x35E. V1.3: 0x35A and 0x35F instead of 0x359 and 0x35C, 0x355
with six bytes. There are no cell voltages, no counters and no contactor command: such a pack closes
by itself while it hears 0x305. Current on the wire is positive when charging. At the documents'
0.01 V, 0x356 ends at 327.67 V; higher packs use 0.1 V (`voltage_scale_V`), as several makers do.
"""

import struct

PERIOD_US = 1_000_000
INVERTER_LOST_US = 5_000_000  # makers differ, 5 to 60 s; the shortest
MAKER = b"PYLON   "

# Where this pack raises its protections and, earlier, its alarms: cell V high, low; degC hot, cold.
PROTECTIONS = (3.65, 2.80, 55.0, 0.0)
ALARMS = (3.60, 2.85, 52.0, 3.0)

# 0x359 bytes 0 and 2: bit numbers of what both protections and warnings know (V1.2, 2018-04-08)
(
    BIT_HIGH_VOLTAGE,
    BIT_LOW_VOLTAGE,
    BIT_HIGH_TEMPERATURE,
    BIT_LOW_TEMPERATURE,
    BIT_DISCHARGE_CURRENT,
) = 1, 2, 3, 4, 7
BIT_CHARGE_CURRENT, BIT_SYSTEM_ERROR = 0, 3  # bytes 1 and 3
CHARGE_ENABLE, DISCHARGE_ENABLE = 0x80, 0x40  # 0x35C byte 0

# 0x35A pair numbers, four pairs a byte: 2 bits, 01 active, 10 not active
PAIR_GENERAL, PAIR_HIGH_VOLTAGE, PAIR_LOW_VOLTAGE, PAIR_HIGH_TEMPERATURE, PAIR_LOW_TEMPERATURE = (
    0,
    1,
    2,
    3,
    4,
)
PAIR_DISCHARGE_CURRENT, PAIR_CHARGE_CURRENT, PAIR_INTERNAL = 7, 8, 11
PAIRS_SUPPORTED = (0, 1, 2, 3, 4, 7, 8, 11)


class PylontechBms:
    """rack: one rack of the plant. One such BMS per bus: the ids carry no address.

    dialect: "V1.2" or "V1.3". alarms_supported=False sends 0x35A all zero, as the maker's own V1.3
    packs do. Faults: silent, deaf, silent_ids (ids no longer sent), frozen (values repeat; there is
    no counter to tell), negative_discharge_limit (DCL with a minus sign), overrides {can_id: data}.
    """

    def __init__(self, rack, dialect="V1.2", voltage_scale_V=0.01, alarms_supported=True):
        if dialect not in ("V1.2", "V1.3"):
            raise ValueError(f"pylontech dialect {dialect!r}: allowed are V1.2, V1.3")
        self.rack = rack
        self.dialect = dialect
        self.voltage_scale_V = voltage_scale_V
        self.alarms_supported = alarms_supported
        self.silent = self.deaf = self.frozen = self.negative_discharge_limit = False
        self.silent_ids = set()
        self.overrides = {}
        self.next_us = None
        self._heard_us = None
        self._burst = None

    def tick(self, now_us):
        """Open the contactors when no inverter was heard for too long."""
        if self._heard_us is not None and now_us - self._heard_us > INVERTER_LOST_US:
            self._heard_us = None
            self.rack.command_close(False)

    def frames(self, now_us):
        """The burst due at now_us, or nothing: [(can_id, data)]."""
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
        return [
            (can_id, self.overrides.get(can_id, data))
            for can_id, data in self._burst
            if can_id not in self.silent_ids
        ]

    def receive(self, can_id, data, now_us):
        """0x305 from the inverter: it is there, so the pack may be closed."""
        if can_id != 0x305 or self.deaf:
            return
        if self._heard_us is None:
            self.rack.command_close(True)
        self._heard_us = now_us

    def _encoded(self):
        rack = self.rack
        sign = -1 if self.negative_discharge_limit else 1
        charge_state = struct.pack("<HH", round(rack.soc * 100), round(rack.soh * 100))
        mean_degC = sum(rack.temperatures_degC) / len(rack.temperatures_degC)
        burst = [
            (
                0x351,
                struct.pack(
                    "<HhhH",
                    _u16(rack.charge_voltage_V_max * 10),
                    _s16(rack.charge_limit_A * 10),
                    _s16(sign * rack.discharge_limit_A * 10),
                    _u16(self._end_voltage_V() * 10),
                ),
            ),
            (0x355, charge_state if self.dialect == "V1.2" else charge_state + b"\0\0"),
            (
                0x356,
                struct.pack(
                    "<hhh",
                    _s16(rack.voltage_V / self.voltage_scale_V),
                    _s16(-rack.current_A * 10),
                    _s16(mean_degC * 10),
                ),
            ),
        ]
        return burst + (self._v1_2() if self.dialect == "V1.2" else self._v1_3()) + [(0x35E, MAKER)]

    def _end_voltage_V(self):
        rack = self.rack
        return rack.charge_voltage_V_max * PROTECTIONS[1] / PROTECTIONS[0]

    def _v1_2(self):
        rack = self.rack
        protection, alarm = self._trips(*PROTECTIONS), self._trips(*ALARMS)
        data = (
            bytes(
                (
                    _bits(protection),
                    _more_bits(protection),
                    _bits(alarm),
                    _more_bits(alarm),
                    len(rack.temperatures_degC),
                )
            )
            + b"PN"
        )
        enables = (CHARGE_ENABLE if rack.charge_limit_A > 0 else 0) | (
            DISCHARGE_ENABLE if rack.discharge_limit_A > 0 else 0
        )
        return [(0x359, data), (0x35C, bytes((enables, 0)))]

    def _v1_3(self):
        alarms = warnings = 0
        if self.alarms_supported:
            alarms, warnings = _pairs(self._trips(*PROTECTIONS)), _pairs(self._trips(*ALARMS))
        return [
            (0x35A, struct.pack("<II", alarms, warnings)),
            (0x35F, struct.pack("<HHHH", 0, 0x0103, 280, 0)),
        ]

    def _trips(self, high_V, low_V, hot_degC, cold_degC):
        """(high V, low V, high T, low T, discharge current, charge current, system) at these
        thresholds.
        """
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


def _bits(trips):
    """0x359 byte 0 (protections) or 2 (alarms)."""
    numbers = (
        BIT_HIGH_VOLTAGE,
        BIT_LOW_VOLTAGE,
        BIT_HIGH_TEMPERATURE,
        BIT_LOW_TEMPERATURE,
        BIT_DISCHARGE_CURRENT,
    )
    return sum(tripped << number for tripped, number in zip(trips, numbers))


def _more_bits(trips):
    """0x359 byte 1 (protections) or 3 (alarms)."""
    return trips[5] << BIT_CHARGE_CURRENT | trips[6] << BIT_SYSTEM_ERROR


def _pairs(trips):
    """Four bytes of 0x35A as an integer: every supported pair 10, the tripped ones 01."""
    high_V, low_V, hot, cold, discharge, charge, system = trips
    active = {
        PAIR_GENERAL: any(trips),
        PAIR_HIGH_VOLTAGE: high_V,
        PAIR_LOW_VOLTAGE: low_V,
        PAIR_HIGH_TEMPERATURE: hot,
        PAIR_LOW_TEMPERATURE: cold,
        PAIR_DISCHARGE_CURRENT: discharge,
        PAIR_CHARGE_CURRENT: charge,
        PAIR_INTERNAL: system,
    }
    return sum((0b01 if active[pair] else 0b10) << pair * 2 for pair in PAIRS_SUPPORTED)


def _s16(value):
    return max(-32768, min(32767, round(value)))


def _u16(value):
    return max(0, min(65535, round(value)))
