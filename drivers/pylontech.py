"""Pylontech low voltage BMS on CAN, V1.2 and V1.3: the common denominator of home storage
batteries.

Its frames carry no counter and no CRC, no cell voltages and no module temperatures. Each frame id
ages by itself, because a BMS can keep sending its name while its limits stop.
"""

from safety import signals

INVALID_U16, INVALID_S16 = 0xFFFF, -0x8000  # SMA and its followers
# 0x35C byte 0; 0x20 (force charge) is a wish, not an enable
CHARGE_ENABLED, DISCHARGE_ENABLED = 0x80, 0x40
# fault bit for 0x359 byte 3 bit 3, "internal communication fail", an alarm by its table
INTERNAL_FAULT = 1 << 16
# fault bit for any warning (0x359 bytes 2-3, 0x35A bytes 4-7): no protection of the table has it
ANY_WARNING = 1 << 14
# fault bits 17..29: 0x35A items general, high V, low V, high T, low T, ... imbalance
PAIRS_SHIFT, PAIRS = 17, 13


class PylontechBms:
    """Pylontech LV V1.2 and V1.3 as one rack. Counters: `frames`, `bad_frames` (too short),
    `refused` (values out of range). `warning_bits`: 0x359 bytes 2-3. `foreign_id`: the id that
    showed another protocol, None = none.

    There is no contactor report: "closed" means that the BMS permits current in at least one
    direction. cells_online is not known and not written. Fault bits: 0..15 = 0x359 bytes 0-1, 14
    ANY_WARNING too, 16 INTERNAL_FAULT, 17..29 = 0x35A alarms.
    """

    command_period_us = 1_000_000

    def __init__(self, profile, rack: int, sink, layout):
        """rack: index in layout. One pack group per bus: the protocol has no addresses."""
        self.profile = profile
        self.rack = rack
        self.frames = self.bad_frames = self.refused = 0
        self.warning_bits, self.foreign_id = 0, None
        self._inp, self._fresh = sink.inp, sink.fresh
        self._first, self._groups = layout.rack_input(rack, 0), layout.rack_group(rack, 0)
        self._foreign = frozenset(profile.settings["foreign_ids"])
        self._handlers = {
            0x351: (6, self._limits),
            0x355: (4, self._charge),
            0x356: (4, self._pack),
            0x359: (4, self._alarms),
            0x35A: (4, self._alarm_pairs),
            0x35C: (1, self._flags),
        }
        self._seen_us = {}  # id: when it came last
        self._faults = {0x359: 0, 0x35A: 0}
        self._enabled = CHARGE_ENABLED | DISCHARGE_ENABLED
        self._voltage_mV_min, self._voltage_mV_max = 1, 0  # nothing fits before the first 0x351

    def periodic(self):
        """[]: a BMS is not polled."""
        return []

    def can_ids(self) -> tuple:
        """The ids to listen to: this protocol's, and those that would show another one."""
        return tuple(self._handlers) + tuple(self._foreign)

    def on_frame(self, can_id: int, data: bytes | bytearray, now_us: int) -> bool:
        """Take one frame. True when it concerns this BMS. A longer frame than needed is
        accepted.
        """
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

    def command(self, close_ok: bool) -> list:
        """[(can_id, data)] to send each `command_period_us`. 0x305 is the acknowledgement without
        which some BMS stop; the protocol has no contactor command, so close_ok changes nothing.
        """
        return [(0x305, bytes(8))]

    def _store(self, group, values):
        for index, value in values:
            self._inp[self._first + index] = value
        self._fresh[self._groups + group] = 1
        return True

    def _coming(self, can_ids, now_us):
        """False when one of these ids was seen once and has stopped."""
        oldest_us = now_us - self.profile.settings["flags_ms_max"] * 1000
        return all(self._seen_us.get(can_id, now_us) >= oldest_us for can_id in can_ids)

    def _limits(self, data, now_us):
        charge_V, charge, discharge = _u16(data, 0), _s16(data, 2), _s16(data, 4)
        cutoff_V = _u16(data, 6) if len(data) >= 8 else 0
        # a negative discharge limit is a magnitude
        charge_mA, discharge_mA = charge * 100, abs(discharge) * 100
        highest_mA = self.profile.settings["rack_current_mA_max"]
        if (
            charge_V == INVALID_U16
            or not 0 <= charge_mA <= highest_mA
            or discharge_mA > highest_mA
            or not self._coming((0x35C,), now_us)
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

    def _charge(self, data, now_us):
        soc_pct, soh_pct = _u16(data, 0), _u16(data, 2)
        if soc_pct > 100 or soh_pct > 100:
            return False
        return self._store(
            signals.G_BMS_CHARGE,
            ((signals.SOC_PERMILLE, soc_pct * 10), (signals.SOH_PERMILLE, soh_pct * 10)),
        )

    def _pack(self, data, now_us):
        """Voltage against the limits of 0x351: a ten times wrong scale shows at once.

        A current beyond any rack's is a short, which pulls the voltage down with it: it must trip,
        not be unknown.
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

    def _alarms(self, data, now_us):
        self.warning_bits = _u16(data, 2)
        self._faults[0x359] = (
            _u16(data, 0)
            | (INTERNAL_FAULT if data[3] & 0x08 else 0)
            | (ANY_WARNING if self.warning_bits else 0)
        )
        return self._state(0x359, now_us)

    def _alarm_pairs(self, data, now_us):
        """Two bits an item: 01 = raised; 10 = quiet, 00 and 11 = not supported."""
        alarms, warnings = _raised(data[:4]), _raised(data[4:8])
        self._faults[0x35A] = alarms << PAIRS_SHIFT | (ANY_WARNING if warnings else 0)
        return self._state(0x35A, now_us)

    def _state(self, can_id, now_us):
        """Store the state; it waits for limits or enable flags, and for every alarm frame that came
        before.
        """
        self._seen_us[can_id] = now_us
        if 0x351 not in self._seen_us or not self._coming((0x351, 0x359, 0x35A, 0x35C), now_us):
            return True
        # no frame tells of contactors: they follow their supply
        closed = self._inp[signals.PERMIT_2_CLOSED]
        return self._store(
            signals.G_BMS_STATE,
            (
                (
                    signals.CONTACTOR_STATE,
                    signals.CONTACTOR_CLOSED if closed else signals.CONTACTOR_OPEN,
                ),
                (signals.BMS_FAULT_BITS, self._faults[0x359] | self._faults[0x35A]),
                (signals.BMS_BAD_FRAMES, min(self.bad_frames, signals.INT_MAX)),
            ),
        )

    def _flags(self, data, now_us):
        """A direction that is no longer enabled narrows its limit at once; one enabled again waits
        for the limits.
        """
        self._enabled = data[0] & (CHARGE_ENABLED | DISCHARGE_ENABLED)
        if not self._enabled & CHARGE_ENABLED:
            self._inp[self._first + signals.CHARGE_CURRENT_MA_MAX] = 0
        if not self._enabled & DISCHARGE_ENABLED:
            self._inp[self._first + signals.DISCHARGE_CURRENT_MA_MAX] = 0
        return True


def _raised(pairs):
    """Items of 0x35A that are raised, a bit each."""
    word = int.from_bytes(pairs, "little")
    raised = word & ~(word >> 1)
    return sum((raised >> 2 * item & 1) << item for item in range(PAIRS))


def _u16(data, at):
    return data[at] | data[at + 1] << 8


def _s16(data, at):
    value = data[at] | data[at + 1] << 8
    return value - 0x10000 if value & 0x8000 else value
