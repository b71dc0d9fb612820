"""Computes the features of a cabinet once a step: votes, ages, rates.

Stages compare `value[i]` with their thresholds while `known[i]` shows that its inputs are fresh
enough. A group that was not seen since the start is not known, but it is not silent either. So
after a start closing is inhibited (permit.py), but no stage latches.
"""

from array import array

from safety import matrix as m, parameters as p, signals as s
from safety.connection import Connection
from safety.feature_arrays import TICKS_FOR_MS_MAX, FeatureArrays
from safety.fire import Fire
from safety.gas import Gas
from safety.pace import Pace
from safety.racks import Racks
from safety.units import Units
from safety.witness import Witness

NOC_TICKS_MAX = 10_000_000  # a day at 10 ms; keeps the time in ms a small int
# places in `boot`
NOT_CLEAN, STORE_UNREADABLE = range(2)

# Features that are an unchanged input: feature, input. The input names its freshness group.
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
# Silence of equipment that has several groups: feature, first group, the group after the last.
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


def _direct_of_group(group: int) -> tuple[tuple[int, int], ...]:
    """(feature, input) of each feature that is an unchanged input of this group."""
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


def _expected_of(expected: bytes) -> tuple[tuple[int, tuple[int, ...]], ...]:
    """(feature, groups that this cabinet has) for each of SILENCES."""
    return tuple(
        [
            (feature, tuple([group for group in range(first, after) if expected[group]]))
            for feature, first, after in SILENCES
        ]
    )


class Features(FeatureArrays):
    """All features of one cabinet, computed once a step from its inputs and freshness bytes."""

    def __init__(
        self,
        layout: s.Layout,
        image: "array[int]",
        image_map: p.ImageMap,
        inp: "array[int]",
        fresh: bytearray,
        out: "array[int]",
    ) -> None:
        FeatureArrays.__init__(self, layout, image, image_map, inp, fresh, out)
        self.silences = _expected_of(self.ages.expected)
        # how the last run ended: set for the first step only
        self.boot = array("i", [0, 0])
        self.noc_ticks = array("i", [0])  # since a path to the operations centre was last seen
        self.supervised_fitted = image[image_map.cabinet + p.P_SUPERVISED_FITTED]
        self.gas = Gas(self)
        self.fire = Fire(self)
        self.units = Units(self)
        self.racks = Racks(self)
        self.connection, self.pace = Connection(self), Pace(self)
        self.witness = Witness(self, self.pace.source)
        for feature in ALWAYS_KNOWN:
            self.known[feature] = 1

    def update(self, elapsed: int) -> None:
        """Compute all features, `elapsed` ticks after the last step (the kernel allows 1e6)."""
        self.ages.update(elapsed)
        self._own(elapsed)
        if self.layout.units == 0:
            return  # channel B: it has no inputs for the other features
        self._cabinet(elapsed)
        for unit in range(self.layout.units):
            self.units.update(unit)
        self.racks.update(elapsed)
        self.witness.update(elapsed)
        self.connection.update(elapsed)

    def _own(self, elapsed: int) -> None:
        """The features that each channel computes from its own inputs."""
        value = self.value
        self._direct()
        self.fire.update_buttons(self.ages.known(s.G_IO_1) & self.ages.known(s.G_IO_2))
        value[m.F_STEP_LATE_MS] = min(elapsed, 100_000) * self.tick_ms
        value[m.F_BOOT_NOT_CLEAN] = self.boot[NOT_CLEAN]
        value[m.F_BOOT_STORE_UNREADABLE] = self.boot[STORE_UNREADABLE] | self.inp[s.STORE_IS_OLD]
        self.boot[NOT_CLEAN] = self.boot[STORE_UNREADABLE] = 0
        self.changed[0] = 1

    def _cabinet(self, elapsed: int) -> None:
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

    def _direct(self) -> None:
        """Copy the inputs of each fresh group; clear `known` when a group is silent."""
        value, known = self.value, self.known
        inp, fresh = self.inp, self.fresh  # on MicroPython four names at once allocate a tuple
        for group, direct in DIRECT_OF_GROUP:
            if fresh[group] or known[direct[0][0]]:
                is_known = self.ages.known(group)
                for feature, signal in direct:
                    value[feature] = inp[signal]
                    known[feature] = is_known

    def all_reported_open(self) -> bool:
        """True if every rack's BMS last reported open contactors."""
        for place in self.state_at:
            if self.inp[place] != s.CONTACTOR_OPEN:
                return False
        return True

    def unheard(self) -> bool:
        """True until I/O, gas detectors and BMS were heard since the start.

        Until then fan, red lamp and fire panel contact stay as they are without a controller. They
        must not show that all is well (A51 of the fact table: red on loss of data).
        """
        # `known` of a silence is KNOWN only if all its groups were heard
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

    def _noc(self, elapsed: int, io_3: int) -> None:
        """Row 46 of the matrix: whether the operations centre can be reached.

        Its own link or the supervised path of the fire panel is enough.
        """
        inp = self.inp
        supervised = self.supervised_fitted and io_3 and inp[s.SUPERVISED_OK]
        seen = 1 if inp[s.NOC_LINK_OK] or supervised else 0
        self.noc_ticks[0] = 0 if seen else min(self.noc_ticks[0] + elapsed, NOC_TICKS_MAX)
        self.value[m.F_NOC_LOST_S] = self.noc_ticks[0] * self.tick_ms // 1000
        # until I/O module 3 is heard, the state of the supervised path is not known
        known = 1 if seen or io_3 or not self.supervised_fitted else 0
        self.put(m.F_NOC_UNVERIFIED, 0 if seen or inp[s.NOC_VERIFIED] else 1, known)

    def _silences(self) -> None:
        """Put for each of SILENCES the age in ms of its oldest group seen since the start.

        While a group was not seen yet, the feature is known in part, so a latch of the last run
        cannot be reset.
        """
        ticks, seen = self.ages.ticks, self.ages.seen
        for feature, groups in self.silences:
            oldest, known_as = 0, m.KNOWN
            for group in groups:
                if seen[group]:
                    oldest = max(oldest, ticks[group])
                else:
                    known_as = m.IN_PART
            self.value[feature] = min(oldest, TICKS_FOR_MS_MAX) * self.tick_ms
            self.known[feature] = known_as
