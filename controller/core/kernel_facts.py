"""Facts about the kernel that its outputs do not show, for pages and messages. No method changes
the kernel.
"""

from collections.abc import Sequence

from safety import heating, matrix as m, parameters as p, rack_limits, signals as s
from safety.bounds import LIMIT_COUNT
from safety.kernel import Kernel
from safety.pace import FROZEN

METERS = (s.G_METER_GRID, s.G_METER_LOAD)  # in the order of pace.FROZEN
_TESTED_TICKS = 1  # place in permit.tried: how long TEST mode has run


class KernelFacts:
    """Units, racks, modules and instances count from 0; group: a signal group of the layout."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel, self._map = kernel, kernel.bounds.map
        self._ages, self._image = kernel.features.ages, kernel.image
        self.tick_ms = kernel.image[p.H_TICK_MS]

    def is_silent(self, group: int) -> bool:
        """True if the last news of the group is older than its budget."""
        return not self._ages.known(group)

    def age_ticks(self, group: int) -> int:
        """Time since the last news of this group."""
        return self._ages.ticks[group]

    def is_frozen(self, group: int) -> bool:
        """True if a meter has repeated the same values for too long, also off the grid. False if
        the group is no meter.
        """
        if group not in METERS:
            return False
        pace = self._kernel.features.pace
        return pace.words[FROZEN + METERS.index(group)] * pace.tick_ms >= self._kernel.frozen_ms

    def was_seen(self, group: int) -> bool:
        """True if the group has had news since the start."""
        return bool(self._ages.seen[group])

    def is_expected(self, group: int) -> bool:
        """True if the cabinet has a device for the group."""
        return bool(self._ages.expected[group])

    def budget_ms(self, group: int) -> int:
        """Age at which the group counts as silent."""
        return self._ages.budget_ticks[group] * self.tick_ms

    def oldest_ms(self, rack: int) -> int:
        """Age of the oldest group of a rack."""
        return self._ages.oldest_ticks[1 + rack] * self.tick_ms

    def is_off_grid(self) -> bool:
        """True if the debounced contact of the transfer switch reports "off the grid"."""
        return self._kernel.features.pace.source.is_off_grid()

    def limit_W(self, unit: int, way: int, number: int) -> int:
        """The limit with this number (safety.bounds); way: 0 charge, 1 discharge."""
        return self._kernel.bounds.limit_W[(unit * 2 + way) * LIMIT_COUNT + number]

    def rack_limit(self, rack: int, word: int) -> int:
        """A word of safety.rack_limits."""
        return self._kernel.bounds.rack_limit[rack * rack_limits.RACK_LIMITS + word]

    def is_online(self, rack: int) -> bool:
        """True if the rack shares the current of its unit."""
        return bool(self.rack_limit(rack, rack_limits.RL_CLOSED))

    def unit_of(self, rack: int) -> int:
        """The unit on whose DC bus the rack is."""
        return self._kernel.features.rack_unit[rack]

    def temperatures_ddegC(self, rack: int) -> tuple[int, int]:
        """Coldest and hottest module as they were reported last."""
        features = self._kernel.features
        first = features.rack_base + rack * m.RACK_FEATURE_COUNT
        value = features.value
        return value[first + m.F_TEMPERATURE_DDEGC_MIN], value[first + m.F_TEMPERATURE_DDEGC_MAX]

    def temperature_tapers_ddegC(self, way: int) -> Sequence[tuple[int, int]]:
        """Temperatures between which the power tapers: (full power at, no power at), first for the
        hottest module, then for the coldest.
        """
        return self._kernel.bounds.racks.tapers[way]

    def oldest_reading_ddegC(self, rack: int, module: int) -> int:
        """Oldest temperature in the history of a module, or heating.NO_HISTORY_DDEGC."""
        heating_history = self._kernel.features.racks.heating
        first = (rack * self._kernel.layout.modules + module) * heating.HISTORY_S
        return heating_history.history[first + heating_history.place[rack * 2]]

    def kept_s(self, rack: int) -> int:
        """Length of the history in which the temperature of every module is known."""
        return self._kernel.features.racks.heating.whole_s[rack]

    def resets(self) -> tuple[int, int]:
        """(remote resets left in this hour, remote resets allowed per hour)."""
        return self._kernel.latches.left(), self._kernel.latches.allowed

    def tokens_back_ms(self) -> list[int]:
        """Time until each remote reset of the last hour no longer counts, shortest first."""
        latches = self._kernel.latches
        left_ticks = [
            latches.hour_ticks - age for age in latches.token_age if age < latches.hour_ticks
        ]
        return [ticks * self.tick_ms for ticks in sorted(left_ticks)]

    def verdict(self, kind: int, first_out: int, cause_mask: int) -> int:
        """Result that a reset of this kind would have now, in this channel."""
        return self._kernel.latches.verdict(kind, first_out, cause_mask, self.is_key_out())

    def reset_clear_ms(self) -> int:
        """Time for which a cause must have been gone before a reset."""
        return self._kernel.latches.clear_ticks * self.tick_ms

    def is_key_out(self) -> bool:
        """True if the key switch is not in RUN."""
        return bool(self._kernel.features.fire.key_is_out())

    def test_left_ms(self) -> int:
        """Time left of TEST mode."""
        permit = self._kernel.permit
        return max(0, permit.test_ticks - permit.tried[_TESTED_TICKS]) * self.tick_ms

    def is_active(self, instance: int) -> bool:
        """True if the cause of a stage instance is present."""
        return bool(self._kernel.evaluator.active[instance])

    def is_latched(self, instance: int) -> bool:
        """True if the stage instance stays active until a reset."""
        return bool(self._kernel.evaluator.latched[instance])

    def clear_for_ms(self, instance: int) -> int:
        """Time for which the cause has been gone; 0 while it is present."""
        clear_ticks = self._kernel.evaluator.clear_count[instance]
        return 0 if self.is_active(instance) else clear_ticks * self.tick_ms

    def is_armed(self, instance: int) -> bool:
        """True if the stage instance is evaluated on this site."""
        return bool(self._image[self._map.armed + instance])

    def cabinet_parameter(self, index: int) -> int:
        """Word `index` of CABINET_PARAMETERS."""
        return self._image[self._map.cabinet + index]

    def unit_parameter(self, unit: int, index: int) -> int:
        """Word `index` of UNIT_PARAMETERS of a unit."""
        return self._image[self._map.unit + unit * p.UNIT_WORDS + index]

    def unit_parameters(self, index: int) -> list[int]:
        """Word `index` of UNIT_PARAMETERS of each unit."""
        return [self.unit_parameter(unit, index) for unit in range(self._kernel.layout.units)]

    def rack_parameter(self, rack: int, index: int) -> int:
        """Word `index` of RACK_PARAMETERS of a rack."""
        return self._image[self._map.rack + rack * p.RACK_WORDS + index]

    def detectors(self) -> dict[str, list[int]]:
        """Place of the reading of each fitted gas detector, by the name of its quantity."""
        gas = self._kernel.features.gas
        return {
            "gas_lfl_permille": [place for _, place in gas.combustible],
            "vapour_ppm": [place for _, place in gas.vapour],
            "toxic_ppm": [place for _, place in gas.toxic],
        }
