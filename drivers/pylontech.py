"""Pylontech low voltage BMS on CAN, V1.2 and V1.3, as many home storage batteries have it. No
counter, CRC, cell voltages or module temperatures. Each frame id has its own age, because a BMS can
go on sending its name after its limits have stopped.
"""

from collections.abc import Callable, Iterable
from typing import Any

from drivers.profile import Profile
from drivers.sink import Sink
from safety import signals

LIMITS, CHARGE, PACK, ALARMS, ALARM_PAIRS, FLAGS = 0x351, 0x355, 0x356, 0x359, 0x35A, 0x35C

INVALID_U16, INVALID_S16 = 0xFFFF, -0x8000  # as SMA defined
# 0x35C byte 0; 0x20 (force charge) is a request, not an enable
CHARGE_ENABLED, DISCHARGE_ENABLED = 0x80, 0x40
# fault bit for 0x359 byte 3 bit 3, "internal communication fail", an alarm in the document
INTERNAL_FAULT = 1 << 16
# fault bit for any warning (0x359 bytes 2-3, 0x35A bytes 4-7); the document does not use it
ANY_WARNING = 1 << 14
# fault bits 17..29: 0x35A items general, high V, low V, high T, low T, ... imbalance
PAIRS_SHIFT, PAIRS = 17, 13


class PylontechBms:
    """Pylontech LV V1.2 and V1.3 as one rack. `foreign_id`: that showed another protocol, or None.
    Contactors, which it does not report, follow their supply; cells_online is not written. Fault
    bits: 0..15 = 0x359 bytes 0-1, 14 also ANY_WARNING, 16 INTERNAL_FAULT, 17..29 = 0x35A alarms.
    """

    command_period_us = 1_000_000

    def __init__(self, profile: Profile, rack: int, sink: Sink, layout: signals.Layout) -> None:
        """rack: index in layout. One pack group per bus: the protocol has no addresses."""
        self.profile = profile
        self.rack = rack
        self.frames = self.bad_frames = self.refused = 0
        self.warning_bits = 0
        self.foreign_id: int | None = None
        self._inp, self._fresh = sink.inp, sink.fresh
        self._first, self._groups = layout.rack_input(rack, 0), layout.rack_group(rack, 0)
        self._foreign = frozenset(profile.settings["foreign_ids"])
        # id: (least bytes, handler)
        self._handlers: dict[int, tuple[int, Callable[[bytes, int], bool]]] = {
            LIMITS: (6, self._limits),
            CHARGE: (4, self._charge),
            PACK: (4, self._pack),
            ALARMS: (4, self._alarms),
            ALARM_PAIRS: (4, self._alarm_pairs),
            FLAGS: (1, self._flags),
        }
        self._seen_us: dict[int, int] = {}  # time of the last frame of each id
        self._faults = {ALARMS: 0, ALARM_PAIRS: 0}
        self._enabled = CHARGE_ENABLED | DISCHARGE_ENABLED
        self._voltage_mV_min, self._voltage_mV_max = 1, 0  # no voltage fits before the first 0x351

    def periodic(self) -> list[Any]:
        """[]: a BMS is not polled."""
        return []

    def can_ids(self) -> tuple[int, ...]:
        """The ids of this protocol, and ids that would show another protocol."""
        return tuple(self._handlers) + tuple(self._foreign)

    def on_frame(self, can_id: int, data: bytes, now_us: int) -> bool:
        """Take one frame, which may be longer than needed. True when it concerns this BMS."""
        if can_id in self._foreign:
            self.foreign_id = can_id
            return True
        if can_id not in self._handlers:
            return False
        length_min, handler = self._handlers[can_id]
        if len(data) < length_min:
            self.bad_frames += 1
        elif self.foreign_id is not None or not handler(data, now_us):
            self.refused += 1
        else:
            self.frames += 1
            self._seen_us[can_id] = now_us
        return True

    def command(self, close_ok: int) -> list[tuple[int, bytes]]:
        """[(0x305, data)]: without it some BMS stop. There is no contactor command."""
        return [(0x305, bytes(8))]

    def _store(self, group: int, values: Iterable[tuple[int, int]]) -> bool:
        for index, value in values:
            self._inp[self._first + index] = value
        self._fresh[self._groups + group] = 1
        return True

    def _coming(self, can_ids: tuple[int, ...], now_us: int) -> bool:
        """False when one of these ids came once and has stopped."""
        oldest_us = now_us - self.profile.settings["flags_ms_max"] * 1000
        return all(self._seen_us.get(can_id, now_us) >= oldest_us for can_id in can_ids)

    def _limits(self, data: bytes, now_us: int) -> bool:
        charge_V, charge, discharge = _u16(data, 0), _s16(data, 2), _s16(data, 4)
        cutoff_V = _u16(data, 6) if len(data) >= 8 else 0
        # some BMS send the discharge limit with a negative sign
        charge_mA, discharge_mA = charge * 100, abs(discharge) * 100
        highest_mA = self.profile.settings["rack_current_mA_max"]
        if (
            charge_V == INVALID_U16
            or not 0 <= charge_mA <= highest_mA
            or discharge_mA > highest_mA
            or not self._coming((FLAGS,), now_us)
        ):
            return False
        if charge_V:
            self._voltage_mV_min = (
                (cutoff_V or charge_V // 2) * self.profile.settings["voltage_permille_min"] // 10
            )
            self._voltage_mV_max = charge_V * self.profile.settings["voltage_permille_max"] // 10
        if not self._enabled & CHARGE_ENABLED or not charge_V:
            charge_mA = 0
        if not self._enabled & DISCHARGE_ENABLED:
            discharge_mA = 0
        return self._store(
            signals.G_BMS_LIMITS,
            (
                (signals.CHARGE_CURRENT_MA_MAX, charge_mA),
                (signals.DISCHARGE_CURRENT_MA_MAX, discharge_mA),
            ),
        )

    def _charge(self, data: bytes, now_us: int) -> bool:
        soc_pct, soh_pct = _u16(data, 0), _u16(data, 2)
        if soc_pct > 100 or soh_pct > 100:
            return False
        return self._store(
            signals.G_BMS_CHARGE,
            ((signals.SOC_PERMILLE, soc_pct * 10), (signals.SOH_PERMILLE, soh_pct * 10)),
        )

    def _pack(self, data: bytes, now_us: int) -> bool:
        """Compare the voltage with the limits of 0x351: that finds a scale wrong by ten. But a
        short circuit (above rack_current_mA_max) with a low voltage must trip, not be refused.
        """
        voltage_mV, current = (
            _s16(data, 0) * self.profile.settings["voltage_scale_mV"],
            _s16(data, 2),
        )
        is_short = abs(current) * 100 > self.profile.settings["rack_current_mA_max"]
        fits = self._voltage_mV_min <= voltage_mV <= self._voltage_mV_max
        if current == INVALID_S16 or not fits and not is_short:
            return False
        voltage_mV = min(max(voltage_mV, 0), self._voltage_mV_max)
        current_mA = current * (
            -100 if self.profile.settings["current_positive"] == "charge" else 100
        )
        return self._store(
            signals.G_BMS_PACK,
            ((signals.RACK_VOLTAGE_MV, voltage_mV), (signals.RACK_CURRENT_MA, current_mA)),
        )

    def _alarms(self, data: bytes, now_us: int) -> bool:
        self.warning_bits = _u16(data, 2)
        self._faults[ALARMS] = (
            _u16(data, 0)
            | (INTERNAL_FAULT if data[3] & 0x08 else 0)
            | (ANY_WARNING if self.warning_bits else 0)
        )
        return self._state(ALARMS, now_us)

    def _alarm_pairs(self, data: bytes, now_us: int) -> bool:
        """Take the alarms, two bits each: 01 = active; 10 = inactive, 00 and 11 = not supported."""
        alarms, warnings = _active(data[:4]), _active(data[4:8])
        self._faults[ALARM_PAIRS] = alarms << PAIRS_SHIFT | (ANY_WARNING if warnings else 0)
        return self._state(ALARM_PAIRS, now_us)

    def _state(self, can_id: int, now_us: int) -> bool:
        """Store the state, once limits have come, while every id that ever came still comes."""
        self._seen_us[can_id] = now_us
        ids = (LIMITS, ALARMS, ALARM_PAIRS, FLAGS)
        if LIMITS not in self._seen_us or not self._coming(ids, now_us):
            return True
        # no frame reports the contactors: they follow their supply
        closed = self._inp[signals.PERMIT_2_CLOSED]
        return self._store(
            signals.G_BMS_STATE,
            (
                (
                    signals.CONTACTOR_STATE,
                    signals.CONTACTOR_CLOSED if closed else signals.CONTACTOR_OPEN,
                ),
                (signals.BMS_FAULT_BITS, self._faults[ALARMS] | self._faults[ALARM_PAIRS]),
                (signals.BMS_BAD_FRAMES, min(self.bad_frames, signals.INT_MAX)),
            ),
        )

    def _flags(self, data: bytes, now_us: int) -> bool:
        """Set the limit of a disabled direction to 0 at once; an enabled one waits for 0x351."""
        self._enabled = data[0] & (CHARGE_ENABLED | DISCHARGE_ENABLED)
        if not self._enabled & CHARGE_ENABLED:
            self._inp[self._first + signals.CHARGE_CURRENT_MA_MAX] = 0
        if not self._enabled & DISCHARGE_ENABLED:
            self._inp[self._first + signals.DISCHARGE_CURRENT_MA_MAX] = 0
        return True


def _active(pairs: bytes) -> int:
    """The active items of 0x35A, a bit each."""
    word = int.from_bytes(pairs, "little")
    active = word & ~(word >> 1)
    return sum((active >> 2 * item & 1) << item for item in range(PAIRS))


def _u16(data: bytes, at: int) -> int:
    return data[at] | data[at + 1] << 8


def _s16(data: bytes, at: int) -> int:
    value = data[at] | data[at + 1] << 8
    return value - 0x10000 if value & 0x8000 else value
