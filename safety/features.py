"""Derived signals of the cabinet: votes, ages, rates. What is unknown is not known, never a value.

`value[i]` holds a feature and `known[i]` whether every input it needs is fresh enough; stages look
at both. A group that was never seen since the start is unknown but not silent: a boot inhibits
(permit.py), it does not latch.
"""

from array import array

from safety import matrix as m, parameters as p, signals as s
from safety.ages import Ages
from safety.connection import Connection
from safety.fire import Fire
from safety.gas import Gas
from safety.pace import TICKS_FOR_MS_MAX, Pace
from safety.racks import Racks
from safety.units import Units
from safety.witness import Witness

NOC_TICKS_MAX = 10_000_000  # for seconds: two days at 20 ms

# Features that are an unchanged input: feature, input, and (by the input) its group.
DIRECT = (
    (m.F_ESTOP_1_OK, s.ESTOP_1_OK),
    (m.F_ESTOP_2_OK, s.ESTOP_2_OK),
    (m.F_FIRE_ALARM_OK, s.FIRE_ALARM_OK),
    (m.F_SUPPRESSION_OK, s.SUPPRESSION_OK),
    (m.F_GAS_RELAY_OK, s.GAS_RELAY_OK),
    (m.F_KEY_RUN_OK, s.KEY_RUN_OK),
    (m.F_DOOR_OK, s.DOOR_OK),
    (m.F_BMS_FAULT_OK, s.BMS_FAULT_OK),
    (m.F_CELL_VOLTAGE_OK, s.CELL_VOLTAGE_OK),
    (m.F_FIRE_TROUBLE_OK, s.FIRE_TROUBLE_OK),
    (m.F_HVAC_OK, s.HVAC_OK),
    (m.F_LEAK_OK, s.LEAK_OK),
    (m.F_COOLANT_OK, s.COOLANT_OK),
    (m.F_AIR_TEMPERATURE_DDEGC, s.AIR_TEMPERATURE_DDEGC),
    (m.F_HUMIDITY_PERMILLE, s.HUMIDITY_PERMILLE),
    (m.F_MAINS_OK, s.MAINS_OK),
    (m.F_UPS_RESERVE_MIN, s.UPS_RESERVE_MIN),
    (m.F_SELF_TEST_BITS, s.SELF_TEST_BITS),
    (m.F_CPU_TEMPERATURE_DDEGC, s.CPU_TEMPERATURE_DDEGC),
    (m.F_PEER_CODE, s.PEER_CODE),
    (m.F_IMAGE_APPROVED_OK, s.IMAGE_APPROVED_OK),
    (m.F_METER_SIGN, s.METER_SIGN),
)
# The silence of what comes in several groups: feature, the first of them, behind the last.
SILENCES = (
    (m.F_IO_SILENCE_MS, s.G_IO_1, s.G_IO_3 + 1),
    (m.F_METER_SILENCE_MS, s.G_METER_GRID, s.G_METER_LOAD + 1),
    (m.F_MONITOR_SILENCE_MS, s.G_CLIMATE, s.G_UPS + 1),
)
ALWAYS_KNOWN = (
    m.F_STEP_LATE_MS,
    m.F_LATE_STEPS,
    m.F_BOOT_NOT_CLEAN,
    m.F_BOOT_STORE_UNREADABLE,
    m.F_CLOSING_FAILURES,
    m.F_NOC_LOST_S,
    m.F_ENERGISED,
) + tuple([alert[0] for alert in m.ALERTS])


def _direct_of_group(group):
    return tuple(
        [(feature, signal) for feature, signal in DIRECT if s.CABINET_INPUTS[signal][4] == group]
    )


DIRECT_OF_GROUP = tuple(
    [
        (group, _direct_of_group(group))
        for group in range(len(s.CABINET_GROUPS))
        if _direct_of_group(group)
    ]
)


def _expected_of(expected):
    return tuple(
        [
            (feature, tuple([group for group in range(first, after) if expected[group]]))
            for feature, first, after in SILENCES
        ]
    )


class Features:
    """All features of one cabinet, updated once a step from its inputs and freshness bytes."""

    def __init__(self, layout, image, image_map, inp, fresh: bytearray, out):
        self.layout = layout
        self.image = image
        self.map = image_map
        self.inp, self.fresh, self.out = inp, fresh, out
        self.unit_base = len(m.CABINET_FEATURES)
        self.rack_base = self.unit_base + layout.units * m.UNIT_FEATURE_COUNT
        count = self.rack_base + layout.racks * m.RACK_FEATURE_COUNT
        self.base = tuple(
            [0]
            + [self.unit_base + unit * m.UNIT_FEATURE_COUNT for unit in range(layout.units)]
            # by block
            + [self.rack_base + rack * m.RACK_FEATURE_COUNT for rack in range(layout.racks)]
        )
        self.never = count  # a feature that is never known: what a stage that is not armed looks at
        self.value = array("i", [0] * (count + 1))
        self.known = bytearray(count + 1)
        self.ages = Ages(layout, image, image_map, fresh)
        self.silences = _expected_of(self.ages.expected)
        self.changed = bytearray(1 + layout.units + layout.racks)
        self.boot = array("i", [0, 0])  # not clean, store unreadable: true for the first step only
        self.noc_ticks = array("i", [0])  # for how long no path to the operations centre was seen
        self.tick_ms = image[p.H_TICK_MS]
        self.supervised_fitted = image[image_map.cabinet + p.P_SUPERVISED_FITTED]
        self.rack_unit = tuple(
            [image[image_map.rack + rack * p.RACK_WORDS + p.R_UNIT] for rack in range(layout.racks)]
        )
        self.state_at = tuple(
            [layout.rack_input(rack, s.CONTACTOR_STATE) for rack in range(layout.racks)]
        )
        self.gas = Gas(image, image_map, self)
        self.fire = Fire(image, image_map, self)
        self.units = Units(self)
        self.racks = Racks(self)
        self.witness = Witness(self)
        self.connection, self.pace = Connection(self), Pace(self)
        for feature in ALWAYS_KNOWN:
            self.known[feature] = 1

    def update(self, elapsed: int) -> None:
        """Recompute all features after `elapsed` ticks (at most 1e6: the kernel bounds it)."""
        self.ages.update(elapsed)
        self._own(elapsed)
        if self.layout.units == 0:
            return  # channel B has neither the inputs nor the stages of the rest
        self._cabinet(elapsed)
        for unit in range(self.layout.units):
            self.units.update(unit)
        self.racks.update(elapsed)
        self.witness.update(elapsed)
        self.connection.update(elapsed)

    def put(self, feature: int, value: int, known: int) -> None:
        """Take over one feature."""
        self.value[feature] = value
        self.known[feature] = known

    def _own(self, elapsed):
        """What both channels judge by inputs of their own."""
        value = self.value
        self._direct()
        self.fire.update_buttons(self.ages.known(s.G_IO_1) & self.ages.known(s.G_IO_2))
        value[m.F_STEP_LATE_MS] = min(elapsed, 100_000) * self.tick_ms
        value[m.F_BOOT_NOT_CLEAN] = self.boot[0]
        value[m.F_BOOT_STORE_UNREADABLE] = self.boot[1] | self.inp[s.STORE_IS_OLD]
        self.boot[0] = self.boot[1] = 0
        self.changed[0] = 1

    def _cabinet(self, elapsed):
        value = self.value
        io_3 = self.ages.known(s.G_IO_3)
        self.fire.update(self.ages.known(s.G_IO_1), self.ages.known(s.G_IO_2), io_3)
        self.gas.update(elapsed)
        self._silences()
        self.pace.update(elapsed)
        self.known[m.F_METER_FROZEN_MS] = self.known[m.F_METER_SILENCE_MS]
        value[m.F_ENERGISED] = (
            1 if self.out[s.CONTACTOR_SUPPLY_OK] or not self.all_reported_open() else 0
        )
        self._noc(elapsed, io_3)

    def _direct(self):
        """Take over the inputs of groups with news; what is no longer known loses `known`."""
        value, known = self.value, self.known
        inp, fresh = self.inp, self.fresh  # four at once would make a tuple on MicroPython
        for group, direct in DIRECT_OF_GROUP:
            if fresh[group] or known[direct[0][0]]:
                is_known = self.ages.known(group)
                for feature, signal in direct:
                    value[feature] = inp[signal]
                    known[feature] = is_known

    def all_reported_open(self) -> bool:
        """True if every rack's BMS last reported open contactors."""
        for at in self.state_at:
            if self.inp[at] != s.CONTACTOR_OPEN:
                return False
        return True

    def unheard(self) -> bool:
        """True until I/O, gas detectors and BMS were heard since the start: till then fan, red lamp
        and fire panel are told what they are told without a controller, not that all is well (A51:
        red on loss of data).
        """
        # what is known of the silences has asked already, in this step or before
        for rack in range(self.layout.racks):
            if (
                self.known[self.rack_base + rack * m.RACK_FEATURE_COUNT + m.F_BMS_SILENCE_LEVEL]
                != m.KNOWN
            ):
                return True
        return (
            self.known[m.F_IO_SILENCE_MS] != m.KNOWN
            or self.ages.heard(s.G_GAS_1, s.G_TOXIC + 1) != m.KNOWN
        )

    def _noc(self, elapsed, io_3):
        """Row 46: the link to the operations centre or the fire panel's supervised path is seen."""
        inp = self.inp
        supervised = self.supervised_fitted and io_3 and inp[s.SUPERVISED_OK]
        seen = 1 if inp[s.NOC_LINK_OK] or supervised else 0
        self.noc_ticks[0] = 0 if seen else min(self.noc_ticks[0] + elapsed, NOC_TICKS_MAX)
        self.value[m.F_NOC_LOST_S] = self.noc_ticks[0] * self.tick_ms // 1000
        # before the module was heard it is not known whether it is missing
        told = io_3 or not self.supervised_fitted
        self.put(
            m.F_NOC_UNVERIFIED, 0 if seen or inp[s.NOC_VERIFIED] else 1, 1 if told or seen else 0
        )

    def _silences(self):
        """Age in ms of the oldest of the groups of each of SILENCES, of those seen since the start.

        While one was not, it is not known to be well: a latch of the last run does not clear.
        """
        ticks, seen = self.ages.ticks, self.ages.seen
        for feature, groups in self.silences:
            oldest, known = 0, m.KNOWN
            for group in groups:
                if seen[group]:
                    oldest = max(oldest, ticks[group])
                else:
                    known = m.IN_PART
            self.value[feature] = min(oldest, TICKS_FOR_MS_MAX) * self.tick_ms
            self.known[feature] = known

    def level(self, age_ticks: int, ladder: int) -> int:
        """0 to 3: how many of the three times at image[ladder] the age has reached."""
        image, age_ms = self.image, min(age_ticks, TICKS_FOR_MS_MAX) * self.tick_ms
        return (
            (age_ms >= image[ladder])
            + (age_ms >= image[ladder + 1])
            + (age_ms >= image[ladder + 2])
        )
